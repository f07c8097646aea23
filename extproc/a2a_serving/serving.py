"""The A2A gateway of a program: its agents, and where clients find what."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from msgspec import Struct

from extproc.a2a.owners import Owners
from extproc.a2a_serving.agent_events import UNNOTICED, Noticed
from extproc.a2a_serving.callbacks import Callbacks, Means
from extproc.a2a_serving.choosing import Chooser
from extproc.a2a_serving.directory import Directory, Times
from extproc.a2a_serving.guarding import A2aGuards
from extproc.a2a_serving.shown import Cards
from extproc.a2a_serving.standing import Standings
from extproc.direct_wire import encode_way, patience
from extproc.ports import McpPeers, Resolve
from gateway import names
from gateway.a2a import A2a, Push
from gateway.identity import Identity

EVENTS: Final = "events"
"""Behind the path of the list: what has happened. Below the agents' path with a dot before it."""
WELL_KNOWN: Final = frozenset({"/.well-known/agent-card.json", "/.well-known/agent.json"})
"""Behind an agent's address: its card, as 0.3 and later look for it, and as earlier ones did."""


class Serving(Struct, frozen=True):
    """What A2A requests are answered by."""

    path: str
    registry: str
    """Where the list is, too."""
    url: str
    """What clients call the gateway; empty: as each request says."""
    has_public_cards: bool
    directory: Directory
    cards: Cards
    """As clients see them."""
    peers: McpPeers
    """The way to agents."""
    patience: bytes
    """What Envoy is told when an agent has to be asked for its card."""
    knows_callers: bool
    """Some callers can say who they are."""
    chooser: Chooser
    """Among those that an agent stands for."""
    standings: Standings
    """How those are."""
    owners: Mapping[str, Owners]
    """Whose ids are, by the names of the agents that stand for several."""
    most_hops: int = 16
    """How many agents may have asked each other before."""
    allows_loops: bool = False
    callbacks: Callbacks | None = None
    """None: nobody is called back."""
    guards: A2aGuards | None = None
    """What may be said to them, and by them; None: anything."""

    def place(self, path: str) -> tuple[str, str] | None:
        """Which agent a path is for, and what is behind its name; both empty: it is the list of
        them. None: it is no path of agents."""
        if path in (self.path, f"{self.path}/", self.registry):
            return "", ""
        if path == f"{self.registry}/{EVENTS}":
            return f".{EVENTS}", ""
        if not path.startswith(f"{self.path}/"):
            return None
        name, slash, behind = path[len(self.path) + 1 :].partition("/")
        return name, slash + behind


class World(NamedTuple):
    """What agents are served with."""

    peers: McpPeers
    """The way to agents."""
    times: Times
    choose: Callable[[], float]
    """Gives numbers in [0, 1)."""
    resolve: Resolve
    secrets: tuple[str, ...]
    """What is sealed with, where the configuration has none."""
    random: Callable[[int], bytes] = os.urandom
    noticed: Noticed = UNNOTICED
    """Told what happens to which agent."""


def serving(a2a: A2a, identity: Identity, world: World) -> Serving | None:
    """None: there are no agents."""
    if not a2a.agents:
        return None
    peers, push = world.peers, a2a.push
    directory = Directory(a2a.agents, peers, world.times, world.noticed)
    is_alone = len(directory.agents) == 1
    cards = Cards(a2a.path, identity, a2a.signing, is_alone=is_alone, has_push=push is not None)
    return Serving(
        a2a.path,
        a2a.registry,
        a2a.url,
        a2a.has_public_cards,
        directory,
        cards,
        peers,
        patience(a2a.longest_seconds),
        identity.knows_callers,
        Chooser(directory, world.choose),
        Standings(directory),
        {
            each.name: Owners(member.key for member in each.pool.members)
            for each in a2a.agents
            if each.pool is not None
        },
        a2a.most_hops,
        a2a.allows_loops,
        None if push is None else _callbacks(push, a2a, world, cards),
    )


def _callbacks(push: Push, a2a: A2a, world: World, cards: Cards) -> Callbacks:
    replies = {
        cluster: encode_way(cluster, "", (), is_read=True, header=names.A2A_HEADER)
        for cluster in (names.WEBHOOKS, names.PLAIN_WEBHOOKS)
    }
    means = Means(world.secrets, world.resolve, world.random, replies, cards.key)
    agents = frozenset(each.name for each in a2a.agents)
    return Callbacks(push, a2a.path, agents, means)
