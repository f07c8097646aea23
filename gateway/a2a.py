"""A2A agents, as they are meant: where each is spoken to, and how clients find them.

https://a2a-protocol.org/latest/specification/
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

AGENT_KIND = "a2a_agent"
"""Of what workers count: what happened to agents. The control plane reads it."""
KEYS_SECONDS = 5.0
"""How long it may take to fetch the keys that cards are signed with."""
INSTANCE_SEPARATOR = "~"
"""Behind an id that an agent gave, for clients: before whose it is. In no name of an agent."""
RESOLVING_SECONDS = 5.0
"""How long it may take to find the addresses of a webhook's host."""
NOTIFICATION_TOKEN = "x-a2a-notification-token"
"""The header by which a notification is known."""
TENANT_SEPARATOR = "/"
"""In a tenant that clients say: between the name of an agent, and a tenant of its own."""


class Binding(StrEnum):
    """How operations are said on the wire ("Protocol Binding Requirements")."""

    JSONRPC = "JSONRPC"
    HTTP_JSON = "HTTP+JSON"
    GRPC = "GRPC"


class Revision(StrEnum):
    """Of the protocol, as `A2A-Version` says it."""

    V0_3 = "0.3"
    V1_0 = "1.0"


@dataclass(frozen=True, slots=True)
class CardKeys:
    """Who signs the cards of an agent."""

    text: str = ""
    """A JSON Web Key Set; empty: it has to be fetched."""
    path: str = ""
    """Where, behind a cluster of its own."""
    authority: str = ""
    refresh_seconds: float = 300.0
    is_required: bool = True
    """A card that none of them has signed is none."""


@dataclass(frozen=True, slots=True)
class CardSigning:
    """What cards are signed with for clients."""

    key: str = field(repr=False)
    """Private, in PEM or as a JSON Web Key."""
    kid: str = ""
    """Empty: as the key says it."""


@dataclass(frozen=True, slots=True)
class Push:
    """How clients are called back: by the gateway, which agents call in their place."""

    url: str
    """What agents call the gateway: an origin."""
    hosts: tuple[str, ...] = ()
    """Globs over the hosts of webhooks; empty: any."""
    networks: tuple[str, ...] = ()
    """CIDR blocks that are not public, and may be called all the same."""
    takes_http: bool = False
    """Webhooks need no TLS."""
    needs_token: bool = True
    """Agents show the token that they were given, in a header."""
    is_signed: bool = False
    """With the gateway's key for cards, where a client has said no credentials."""
    timeout_seconds: float = 10.0
    """Of each try."""
    retries: int = 2
    lifetime_seconds: int = 30 * 86400
    """For how long a webhook is called."""
    ca: str | None = None
    """Authorities in PEM, instead of the system's."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """What the addresses are sealed with that agents are told; empty: the machine's own."""


@dataclass(frozen=True, slots=True)
class A2aAgent:
    """An agent."""

    name: str
    authority: str
    """Host, and port where that is none of the usual, of the place where its card is."""
    card_path: str
    """Where its card is, behind its cluster: `/.well-known/agent-card.json`."""
    grpc_authority: str = ""
    """Where it speaks gRPC; empty: nowhere else than at the place of its card."""
    headers: tuple[tuple[str, str], ...] = ()
    """Sent with every request, whatever the client sends."""
    timeout_seconds: float = 10.0
    """How long it may take to tell its card."""
    refresh_seconds: float = 60.0
    """How long its card is kept."""
    price: int = 0
    """Of a message, in nanodollars."""
    signatures: CardKeys | None = None
    """Who signs its cards; None: nobody looks."""
    pool: Pool | None = None
    """Whom it stands for; it is nowhere itself then. None: for itself."""

    @property
    def longest_seconds(self) -> float:
        """How long it may take until its card is known."""
        if self.pool is not None:
            return max(each.agent.longest_seconds for each in self.pool.members)
        has_far_keys = self.signatures is not None and bool(self.signatures.path)
        return self.timeout_seconds + (KEYS_SECONDS if has_far_keys else 0.0)


class Choosing(StrEnum):
    """Who gets a message that belongs to nobody yet, among those that can take it and are well."""

    LEAST_BUSY = "least_busy"
    """Who works at the fewest requests of this worker, for its weight."""
    WEIGHTED = "weighted"
    """By chance, as often as the weight says."""
    FAILOVER = "failover"
    """The first, in the order in which they are written."""


@dataclass(frozen=True, slots=True)
class Member:
    """One of those that an agent stands for."""

    agent: A2aAgent
    """Where it is; its name is no agent's that clients could ask."""
    key: str
    """What the ids of its tasks end in, for clients: `blue`, `travel`, `blue~travel`."""
    of: str
    """The agent that it is, by the name that rules, limits, budgets and logs know."""
    weight: float = 1.0
    place: int = 0
    """Of its agent, in the order of failover."""
    turn: int = 0
    """Its own, among the instances of its agent."""
    skills: frozenset[str] = frozenset()
    """What it is asked for alone; empty: all that it can."""
    is_draining: bool = False
    """It gets nothing new."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Those that an agent stands for."""

    members: tuple[Member, ...]
    choosing: Choosing = Choosing.LEAST_BUSY
    is_group: bool = False
    """They are agents of their own; else instances of one."""
    title: str = ""
    """Of a group's card."""
    description: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the agents that they are, each once."""
        return tuple(dict.fromkeys(each.of for each in self.members))


@dataclass(frozen=True, slots=True)
class A2a:
    """The A2A gateway."""

    agents: tuple[A2aAgent, ...] = ()
    path: str = "/a2a"
    """Each agent is at its name behind it; itself, it is the list of those that the caller sees."""
    url: str = ""
    """What clients call the gateway: an origin, without a slash at its end. Empty: as each request
    says."""
    has_public_cards: bool = True
    """Cards are for anybody; else for those who may come in."""
    signing: CardSigning | None = None
    """None: the cards that clients see are not signed."""
    most_hops: int = 16
    """How many agents may have asked each other before."""
    allows_loops: bool = False
    """An agent may be asked on behalf of itself."""
    registry: str = "/agents"
    """The list is here, too."""
    push: Push | None = None
    """None: no agent is told where to call back."""
    guard_seconds: float = 0.0
    """How long the services of guards may take, one after the other."""

    @property
    def longest_seconds(self) -> float:
        """How long it may take to ask guards, for a card, and for a webhook's address; 0: there are
        no agents."""
        longest = max((each.longest_seconds for each in self.agents), default=0.0)
        resolving = 0.0 if self.push is None else RESOLVING_SECONDS
        return longest + self.guard_seconds + resolving if longest else 0.0

    @property
    def places(self) -> tuple[A2aAgent, ...]:
        """Those that are somewhere, each once: agents, and the instances of agents."""
        return places(self.agents)

    @property
    def has_pools(self) -> bool:
        """Some agents stand for several."""
        return any(each.pool is not None for each in self.agents)

    @property
    def has_instances(self) -> bool:
        """Some agents are several servers."""
        return any(each.pool is not None and not each.pool.is_group for each in self.agents)

    def agent(self, name: str) -> A2aAgent | None:
        """By its name."""
        return next((each for each in self.agents if each.name == name), None)


def places(agents: Iterable[A2aAgent]) -> tuple[A2aAgent, ...]:
    """Those of them, and of whom they stand for, that are somewhere, each once."""
    found: dict[str, A2aAgent] = {}
    for each in agents:
        if each.pool is None:
            found[each.name] = each
        else:
            found.update((member.agent.name, member.agent) for member in each.pool.members)
    return tuple(found.values())
