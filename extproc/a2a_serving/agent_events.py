"""What happened to agents, as far as this worker has seen: cards that changed, agents that tell
none, and tell one again. The last ones are kept, for those who look at the list.

Workers look at times of their own. What changed in a card has the same id whoever noticed it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from enum import StrEnum
from hashlib import sha256
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from extproc.a2a.card_changes import Change
from gateway.a2a import INSTANCE_SEPARATOR

MOST_KEPT: Final = 200
_ID_DIGITS: Final = 16


class Kind(StrEnum):
    """What happened."""

    CARD_CHANGED = "card_changed"
    """Also: it told one for the first time."""
    UNHEALTHY = "unhealthy"
    HEALTHY = "healthy"


class _Change(Struct, frozen=True, omit_defaults=True):
    what: str
    subject: str = ""
    before: str = ""
    after: str = ""


class AgentEvent(Struct, frozen=True, omit_defaults=True):
    """One."""

    id: str
    time: str
    """When it was noticed: RFC 3339."""
    agent: str
    event: Kind
    instance: str = ""
    """Of those that are an agent; empty: it is one."""
    reason: str = ""
    """Why it tells no card."""
    changes: tuple[_Change, ...] = ()
    """Of the card."""


class Noticed(NamedTuple):
    """Who is told what a worker notices."""

    event: Callable[[str, str], None] = lambda _, __: None
    """What happened: the agent, and what."""
    look: Callable[[str, bool], None] = lambda _, __: None
    """An agent was asked for its card: which, and whether it told one."""


UNNOTICED: Final = Noticed()


class AgentEvents:
    """The last ones."""

    __slots__ = ("_kept", "_noticed")

    def __init__(self, noticed: Noticed = UNNOTICED) -> None:
        self._noticed = noticed
        self._kept: deque[AgentEvent] = deque(maxlen=MOST_KEPT)

    def go_on(self, before: AgentEvents) -> None:
        """From what was seen before."""
        self._kept.extendleft(reversed(before._kept))

    def looked(self, place: str, *, is_well: bool) -> None:
        """It was asked for its card, and told one if it is well."""
        self._noticed.look(place, is_well)

    def changed(
        self, place: str, time: str, digests: tuple[str, str], changes: Iterable[Change]
    ) -> None:
        """The card of an agent, or of one instance of it. `digests`: of the card before and now."""
        said = tuple(_Change(each.what, each.subject, each.before, each.after) for each in changes)
        self._add(place, time, Kind.CARD_CHANGED, digests, changes=said)

    def is_well(self, place: str, time: str) -> None:
        """It tells its card again."""
        self._add(place, time, Kind.HEALTHY, (time,))

    def is_not_well(self, place: str, time: str, reason: str) -> None:
        """It tells none."""
        self._add(place, time, Kind.UNHEALTHY, (time,), reason=reason)

    def told(self, is_seen: Callable[[str], bool]) -> bytes:
        """Those of agents that the caller sees, the newest first, in JSON: `{"events": […]}`."""
        seen: dict[str, bool] = {}
        for each in self._kept:
            if each.agent not in seen:
                seen[each.agent] = is_seen(each.agent)
        return msgspec.json.encode(
            {"events": [each for each in reversed(self._kept) if seen[each.agent]]}
        )

    def _add(
        self,
        place: str,
        time: str,
        kind: Kind,
        of: tuple[str, ...],
        *,
        reason: str = "",
        changes: tuple[_Change, ...] = (),
    ) -> None:
        agent, _, instance = place.partition(INSTANCE_SEPARATOR)
        said = "\n".join((place, kind, *of)).encode()
        number = sha256(said).hexdigest()[:_ID_DIGITS]
        self._kept.append(AgentEvent(number, time, agent, kind, instance, reason, changes))
        self._noticed.event(place, kind)
