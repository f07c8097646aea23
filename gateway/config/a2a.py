"""A2A agents, and where clients find them."""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from gateway.a2a import Choosing
from gateway.config.a2a_keys import CardSignaturesBlock, CardSigningBlock
from gateway.config.a2a_push import A2aPushBlock
from gateway.config.block import Block, refusal
from gateway.config.providers import SentHeader
from gateway.config.referenced import TextFile
from gateway.config.remote_guards import ServiceAuthBlock
from gateway.config.routes import UrlPath
from gateway.config.scalars import Dollars, Duration, Flag, Secret, Text, Weight
from gateway.config.urls import Origin, Url

_AGENT = re.compile(r"[A-Za-z][A-Za-z0-9.-]{0,62}")
_INSTANCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_LONGEST_TIMEOUT = 60.0
_SHORTEST_REFRESH = 1.0


def _agent(value: str) -> str:
    if not _AGENT.fullmatch(value):
        raise refusal(
            "must be the name of an agent",
            "letters, digits, '.' and '-', a letter first, at most 63",
        )
    return value


def _instance(value: str) -> str:
    if not _INSTANCE.fullmatch(value):
        raise refusal(
            "must be the name of an instance", "letters, digits, '.', '_' and '-', at most 63"
        )
    return value


def _timeout(value: float) -> float:
    if not 0 < value <= _LONGEST_TIMEOUT:
        raise refusal(f"must be more than 0 and at most {_LONGEST_TIMEOUT:.0f}s")
    return value


def _refresh(value: float) -> float:
    if value < _SHORTEST_REFRESH:
        raise refusal(f"must be at least {_SHORTEST_REFRESH:.0f}s")
    return value


AgentName: TypeAlias = Annotated[str, AfterValidator(_agent), WithJsonSchema({"type": "string"})]
InstanceName: TypeAlias = Annotated[
    str, AfterValidator(_instance), WithJsonSchema({"type": "string"})
]
Timeout: TypeAlias = Annotated[Duration, AfterValidator(_timeout)]
Refresh: TypeAlias = Annotated[Duration, AfterValidator(_refresh)]


class InstanceBlock(Block):
    """One of several servers that are the same agent. It keeps the tasks that it was given."""

    url: Url
    """Where it is, as `url` of an agent."""
    grpc: Origin | None = None
    """Where it speaks gRPC, if it does."""
    weight: Weight = 1
    """How much it is given of what is new, beside the others."""
    drain: Flag = False
    """It gets nothing new, and keeps what it has: for a while before it goes."""


def _registry(value: str) -> str:
    if len(value) < 2 or value.endswith("/"):
        raise refusal("must be a path without a slash at its end", "such as /agents")
    return value


RegistryPath: TypeAlias = Annotated[UrlPath, AfterValidator(_registry)]


class A2aAgentBlock(Block):
    """An A2A agent. What it can do, its card says; bytes go only to where this block says."""

    url: Url | None = None
    """Where it is: `https://travel.example.com`. Its card is at `/.well-known/agent-card.json`
    there. Of the addresses that its card names, only paths count: the first is taken for this
    place, and those at other hosts are left out."""
    card: UrlPath | None = None
    """The path of its card, where it is another."""
    instances: dict[InstanceName, InstanceBlock] = Field(default={})
    """Instead of a url: several servers that are this agent, by names that stay theirs. Each keeps
    its own tasks: ids of tasks and contexts end in the name for clients, so that what follows
    reaches it."""
    choose: Choosing = Choosing.LEAST_BUSY
    """Which instance gets a message that belongs to none yet: the one that works at the fewest
    requests (`least_busy`), one by chance and weight (`weighted`), or the first that is well
    (`failover`)."""
    grpc: Origin | None = None
    """Where it speaks gRPC, if it does: `http://travel.example.com:50051`."""
    key: Secret | None = None
    """Sent as `Authorization: Bearer …`, best as `${VARIABLE}`. It is given to Envoy alone."""
    auth: ServiceAuthBlock | None = None
    """Instead of a key: another kind of credential."""
    headers: dict[SentHeader, Text] = Field(default={})
    """Sent with every request. Not for secrets."""
    ca: TextFile | None = None
    """Certificate authorities in PEM that its certificate is checked against, instead of the
    system's. Needs an https url."""
    timeout: Timeout = 10.0
    """How long it may take to tell its card; at most `60s`. Its answers may take as long as they
    like."""
    refresh: Refresh = 60.0
    """After how long its card is asked for again."""
    signatures: CardSignaturesBlock | None = None
    """Whose signatures its card must have. Default: nobody looks at them."""
    price: Dollars | None = None
    """What a message to it costs, in USD: it is counted in budgets of money. Default: nothing."""

    @model_validator(mode="after")
    def _fits(self) -> A2aAgentBlock:
        if self.key is not None and self.auth is not None:
            raise refusal("has both key and auth", "keep one of them", is_shown=False)
        if (self.url is None) == (not self.instances):
            raise refusal("needs exactly one of url and instances", is_shown=False)
        if self.instances and self.grpc is not None:
            raise refusal("has both grpc and instances", "each has its own", is_shown=False)
        if self.instances and all(each.drain for each in self.instances.values()):
            raise refusal("has no instance for what is new", "drain some of them", is_shown=False)
        urls = [url or "" for place in self.places for url in place]
        if self.ca is not None and not any(each.startswith("https:") for each in urls):
            raise refusal("has a ca, and no https url", is_shown=False)
        return self

    @property
    def places(self) -> tuple[tuple[str, str | None], ...]:
        """Where it is, and where it speaks gRPC there."""
        if self.url is not None:
            return ((self.url, self.grpc),)
        return tuple((each.url, each.grpc) for each in self.instances.values())


class GroupMemberBlock(Block):
    """An agent that is chosen in a group."""

    weight: Weight = 1
    """How much it is given of what is new, beside the others."""
    skills: list[Text] = Field(default=[])
    """The skills, by their ids, that it is asked for. Default: all that its card has."""


class GroupBlock(Block):
    """Several agents at one address, as one. A message goes to one that can take it: that has the
    skill which the message names in its metadata, takes the media types of its parts, and gives
    what the client accepts. What follows of its task goes there, too."""

    agents: dict[AgentName, GroupMemberBlock]
    """Agents of `a2a.agents`; their order is that of failover."""
    choose: Choosing = Choosing.LEAST_BUSY
    """Which of those that can take a message gets it: the one that works at the fewest requests
    (`least_busy`), one by chance and weight (`weighted`), or the first that is well (`failover`).
    """
    title: Text | None = None
    """What its card calls it. Default: its name."""
    description: Text | None = None
    """What its card says of it. Default: whose skills it has."""

    @model_validator(mode="after")
    def _has_members(self) -> GroupBlock:
        if not self.agents:
            raise refusal("needs at least one agent", is_shown=False)
        return self


class A2aBlock(Block):
    """The A2A gateway: agents that find each other, and work together, at one address."""

    path: UrlPath = "/a2a"
    """Where clients find the list of agents; each agent is at its name behind it: `/a2a/travel`."""
    registry: RegistryPath = "/agents"
    """Where the list is, too; behind it, at `/agents/events`, is what has happened to agents."""
    url: Origin | None = None
    """What clients call the gateway, as cards say it: `https://agents.example.com`. Default: as
    each request says it, with its scheme and its host."""
    public_cards: Flag = True
    """Whether cards are for anybody, as clients expect that look for an agent. `false`: for those
    who may come in. The list of agents is for those in any case."""
    signing: CardSigningBlock | None = None
    """What the cards are signed with that clients see. Default: they are not signed."""
    max_hops: Weight = 16
    """How many agents may have asked each other, each through the gateway, before one is asked
    again. It is counted in W3C `baggage`, which agents with OpenTelemetry pass on."""
    loops: Literal["refuse", "allow"] = "refuse"
    """Whether an agent may be asked on behalf of itself, by one that it has asked."""
    push: A2aPushBlock | None = None
    """Push notifications: clients are called back, by the gateway in place of agents. `{}` has the
    defaults. Default: they are refused."""
    agents: dict[AgentName, A2aAgentBlock] = Field(default={})
    """The agents, by a name of your choice."""
    groups: dict[AgentName, GroupBlock] = Field(default={})
    """Agents that are asked as one, by the name of their group: it is at its name as agents are."""
