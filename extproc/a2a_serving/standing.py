"""How those are that an agent stands for: found out again when something of them has changed, or
when a card has to be asked for, and not for each request."""

from __future__ import annotations

import math

from msgspec import Struct

from extproc.a2a.registry import Status
from extproc.a2a_serving.directory import Directory, Found
from gateway.a2a import A2aAgent, Member


class Standing(Struct, frozen=True):
    """Of one agent."""

    told: tuple[tuple[Member, Found], ...]
    """Those that have told a card, and get what is new."""
    is_known: bool
    """Each was asked for its card."""
    edition: int
    """Of the directory."""
    until: float
    """When a card is to be asked for again."""


class Standings:
    """Of the agents of a program that stand for several."""

    __slots__ = ("_clock", "_directory", "_made")

    def __init__(self, directory: Directory) -> None:
        self._directory, self._clock = directory, directory.clock
        self._made: dict[str, Standing] = {}

    def of(self, agent: A2aAgent) -> Standing:
        """As it is now. The agent has a pool."""
        directory, made = self._directory, self._made.get(agent.name)
        if made is not None and made.edition == directory.edition and self._clock() < made.until:
            return made
        made = self._made[agent.name] = self._standing(agent)
        return made

    def _standing(self, agent: A2aAgent) -> Standing:
        assert agent.pool is not None
        directory = self._directory
        known = [(each, directory.known(each.agent.name)) for each in agent.pool.members]
        found = [(member, card) for member, card in known if card is not None]
        is_known = all(
            directory.health(member.agent.name).status is not Status.UNKNOWN for member, _ in known
        )
        return Standing(
            tuple(pair for pair in found if not pair[0].is_draining),
            is_known,
            directory.edition,
            min((directory.due(card) for _, card in found), default=math.inf),
        )
