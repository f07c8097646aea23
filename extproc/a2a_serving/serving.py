"""The A2A gateway of a program: its agents, and where clients find what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Struct

from extproc.a2a.owners import Owners
from extproc.a2a_serving.choosing import Chooser
from extproc.a2a_serving.directory import Directory, Times
from extproc.a2a_serving.guarding import A2aGuards
from extproc.a2a_serving.shown import Cards
from extproc.direct_wire import patience
from extproc.ports import McpPeers
from gateway.a2a import A2a
from gateway.identity import Identity

WELL_KNOWN: Final = frozenset({"/.well-known/agent-card.json", "/.well-known/agent.json"})
"""Behind an agent's address: its card, as 0.3 and later look for it, and as earlier ones did."""


class Serving(Struct, frozen=True):
    """What A2A requests are answered by."""

    path: str
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
    owners: Mapping[str, Owners]
    """Whose ids are, by the names of the agents that stand for several."""
    most_hops: int = 16
    """How many agents may have asked each other before."""
    allows_loops: bool = False
    guards: A2aGuards | None = None
    """What may be said to them, and by them; None: anything."""

    def place(self, path: str) -> tuple[str, str] | None:
        """Which agent a path is for, and what is behind its name; both empty: it is the list of
        them. None: it is no path of agents."""
        if path == self.path or path == f"{self.path}/":
            return "", ""
        if not path.startswith(f"{self.path}/"):
            return None
        name, slash, behind = path[len(self.path) + 1 :].partition("/")
        return name, slash + behind


def serving(
    a2a: A2a,
    identity: Identity,
    peers: McpPeers,
    times: Times,
    choose: Callable[[], float],
) -> Serving | None:
    """None: there are no agents. `choose` gives numbers in [0, 1)."""
    if not a2a.agents:
        return None
    directory = Directory(a2a.agents, peers, times)
    return Serving(
        a2a.path,
        a2a.url,
        a2a.has_public_cards,
        directory,
        Cards(a2a.path, identity, a2a.signing, is_alone=len(directory.agents) == 1),
        peers,
        patience(a2a.longest_seconds),
        identity.knows_callers,
        Chooser(directory, choose),
        {
            each.name: Owners(member.key for member in each.pool.members)
            for each in a2a.agents
            if each.pool is not None
        },
        a2a.most_hops,
        a2a.allows_loops,
    )
