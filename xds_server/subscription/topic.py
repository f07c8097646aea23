"""What one client wants, holds, refuses and is owed of one type.

What it holds is a reference to the resources that everybody is to have, and what differs from
them: a client that has everything takes no memory of its own, and a change costs what it changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from xds_server.snapshot import ABSENT, NOTHING, Named, Resource
from xds_server.subscription.words import (
    ACK_SECONDS,
    MAX_IN_FLIGHT,
    MAX_NAMES,
    NAME_BYTES,
    BadRequest,
)

UNKNOWN = "?"
"""The version of what a client may or may not hold: no resource has it."""

SHORTEST_BEAT_SECONDS = 0.1

MAX_REFUSALS = 4
"""In how many responses something counts as refused; if there are more, they count as one."""

Known: TypeAlias = Resource | str
"""What a client holds: a resource, or its version where that is all we know."""


@dataclass(slots=True)
class Interest:
    """Which names of a type a client wants."""

    names: set[str] = field(default_factory=set)
    is_wildcard: bool = False

    def wants(self, name: str) -> bool:
        return self.is_wildcard or name in self.names

    def of(self, names: frozenset[str]) -> Iterable[str]:
        """Those of them that are wanted."""
        return names if self.is_wildcard else names & self.names


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be said of a type: names that exist, and names that do not."""

    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.changed or self.removed)

    def only(self, names: set[str]) -> Due:
        return Due(
            tuple(name for name in self.changed if name in names),
            tuple(name for name in self.removed if name in names),
        )


NOTHING_DUE = Due()


@dataclass(frozen=True, slots=True)
class InFlight:
    """A response that has not been answered."""

    nonce: str
    snapshot_version: str
    resources: Named
    """From which it was made."""
    said: Due
    sent_at: float
    is_part: bool = False
    """There was more to say; it is said when this is answered."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a client will not have: not sent again at this version."""

    version: str
    error: str
    accepted: Resource | None
    """What it had accepted before."""
    responses: frozenset[frozenset[str]]
    """All names of each response in which it was refused, as they are still wanted. Who is to
    blame is not known: when one of them changes, all are sent again that are in no other."""


@dataclass(slots=True)
class Topic:
    """One type on one stream."""

    type_url: str
    tells_removals: bool = True
    """False: there is no way to say that a resource is gone; the client is told nothing."""
    interest: Interest = field(default_factory=Interest)
    wanted: Named = field(default_factory=lambda: NOTHING)
    """What everybody is to have, as far as this client has been caught up with it."""
    differs: dict[str, Known] = field(default_factory=dict)
    """What the client holds in the place of what it is to have."""
    refused: dict[str, Refusal] = field(default_factory=dict)
    owed: set[str] = field(default_factory=set)
    """Names that must be answered at once, even though nothing has changed."""
    was_wildcard: bool = False
    is_first_owed: bool = False
    """The first wildcard request is answered even with nothing: Envoy's start waits for it."""
    in_flight: dict[str, InFlight] = field(default_factory=dict)
    """By nonce, in the order of sending."""
    acked_version: str = ""
    beats: dict[str, float] = field(default_factory=dict)
    """When a resource with a TTL is to be announced again."""

    def catch_up(self, resources: Named) -> None:
        """From now on the client is to have these."""
        if resources is self.wanted:
            return
        before, self.wanted = self.wanted, resources
        for name in self.interest.of(resources.changes_since(before)):
            known = self.differs[name] if name in self.differs else before.get(name, ABSENT)
            self._absolve(name)
            self.set_held(name, known)

    def set_held(self, name: str, known: Known) -> None:
        """What the client holds under a name."""
        version = self.wanted.version_of(name)
        if version == ABSENT and not self.tells_removals:
            self._forget(name)
        elif version_of(known) == version:
            self.differs.pop(name, None)
        else:
            self.differs[name] = known

    def want(self, names: Iterable[str]) -> None:
        """Names are wanted too, and answered even when the client may have them."""
        for name in names:
            own = self.wanted.find(name)
            name = own.name if own is not None else name  # one string for all streams
            if own is not None or self.tells_removals:
                self.owed.add(name)
                if not self.interest.wants(name):
                    self.differs[name] = UNKNOWN
            self.interest.names.add(name)
        self._check_bounds()

    def owe(self, name: str) -> None:
        """A name must be answered, as far as there is something to say."""
        if self.tells_removals or name in self.wanted:
            self.owed.add(name)

    def want_held(self, names: Iterable[str], resources: Named) -> None:
        """Names are wanted that the client holds already."""
        for name in names:
            own = resources.find(name)
            self.interest.names.add(name if own is None else own.name)

    def want_all(self) -> None:
        """All names are wanted; those that were not are not held."""
        if self.interest.is_wildcard:
            return
        self.is_first_owed = not self.was_wildcard
        self.was_wildcard = True
        unheld = self.wanted.keys() - self.interest.names
        self.interest.is_wildcard = True
        for name in unheld:
            self.set_held(name, ABSENT)

    def drop(self, names: Iterable[str]) -> None:
        """Names are wanted no more. Under a wildcard they are answered: the client has just dropped
        what it will have again."""
        for name in names:
            self.interest.names.discard(name)
            if self.interest.is_wildcard:
                self.owed.add(name)
            else:
                self._forget(name)
        self._check_bounds()

    def drop_wildcard(self) -> None:
        """Only what is named is wanted from now on."""
        self.interest.is_wildcard = False
        self.is_first_owed = False
        for name in (self.differs.keys() | self.refused.keys() | self.owed) - self.interest.names:
            self._forget(name)

    def begin(self, resources: Named, held: Mapping[str, str]) -> None:
        """The client is to have these, and says what it holds: name → version."""
        self.wanted = resources
        if self.interest.is_wildcard:
            for name, each in resources.items():
                if held.get(name, ABSENT) != each.version:
                    self.differs[name] = held.get(name, ABSENT)
            names = held.keys() - resources.keys()
        else:
            names = self.interest.names & held.keys()
        for name in names:
            if resources.version_of(name) != held[name]:
                self.differs[name] = held[name] or UNKNOWN
        self._check_bounds()

    def carried(self, name: str) -> Resource | None:
        """What the client has accepted under a name that differs, if that is known."""
        known = self.differs[name]
        if isinstance(known, Resource):
            return known
        refusal = self.refused.get(name)
        return refusal.accepted if refusal is not None else None

    def due(self) -> Due:
        """What is to be said now or later, but for what is refused."""
        if not self.differs and not self.owed:
            return NOTHING_DUE
        changed: list[str] = []
        removed: list[str] = []
        for name in self.differs.keys() | self.owed:
            version = self.wanted.version_of(name)
            if name in self.owed or not self._refuses(name, version):
                (removed if version == ABSENT else changed).append(name)
        if len(changed) == len(self.wanted):
            return Due(tuple(self.wanted), tuple(sorted(removed)))
        return Due(tuple(sorted(changed)), tuple(sorted(removed)))

    def is_due(self) -> bool:
        """Whether something is to be said, now or later."""
        if self.owed or not self.refused:
            return bool(self.owed or self.differs)
        return any(not self._refuses(name, self.wanted.version_of(name)) for name in self.differs)

    def part(self, said: Due, limit_bytes: int) -> Due:
        """As much of it as one response holds, and at least one; what was asked for goes first."""
        taken: set[str] = set()
        names = (*said.changed, *said.removed)
        for name in sorted(names, key=lambda name: name not in self.owed):
            limit_bytes -= self._size(name)
            if limit_bytes < 0 and taken:
                return said.only(taken)
            taken.add(name)
        return said

    def sent(self, flight: InFlight) -> None:
        """A response has gone out."""
        self.in_flight[flight.nonce] = flight
        self.is_first_owed = False
        self.owed.difference_update(flight.said.changed, flight.said.removed)
        if flight.resources.mortal:
            said = set(flight.said.changed)
            self.beat((name for name in flight.resources.mortal if name in said), flight.sent_at)

    def answered(self, nonce: str, error: str | None) -> None:
        """Take an ACK or a NACK, unless it answers nothing that is in flight."""
        flight = self.in_flight.pop(nonce, None)
        if flight is None:
            return
        if error is None and not flight.is_part:
            self.acked_version = flight.snapshot_version
        names = (*flight.said.changed, *flight.said.removed)
        if error is not None:
            self._refuse(names, flight.resources, error)
        elif flight.resources is self.wanted:
            for name in names:
                self.differs.pop(name, None)
                self.refused.pop(name, None)
        else:
            for name in filter(self.interest.wants, names):
                self.refused.pop(name, None)
                self.set_held(name, flight.resources.get(name, ABSENT))

    def is_waiting(self, now: float) -> bool:
        """Whether an answer may still be hoped for."""
        return any(now < flight.sent_at + ACK_SECONDS for flight in self.in_flight.values())

    def is_in_parts(self, now: float) -> bool:
        """Whether there is more to say when an answer that may still be hoped for has come."""
        return any(
            flight.is_part and now < flight.sent_at + ACK_SECONDS
            for flight in self.in_flight.values()
        )

    def is_removing_what_is_back(self, now: float) -> bool:
        """Whether the client is about to drop what it is to have: it is told again when the answer
        has come, which may still be hoped for."""
        return any(
            name in self.wanted and now < flight.sent_at + ACK_SECONDS
            for flight in self.in_flight.values()
            for name in flight.said.removed
        )

    def has_more_to_say(self) -> bool:
        """Though nothing happens: now, or when an answer has been waited for in vain."""
        if self.in_flight and not any(flight.is_part for flight in self.in_flight.values()):
            return bool(self.owed)
        return self.is_first_owed or self.is_due()

    def is_ahead(self, now: float, *, is_own: bool) -> bool:
        """Whether types that come later have to wait: for an answer, or for what a fellow stream
        is about to say."""
        return self.is_waiting(now) or (
            not is_own and not self.in_flight and bool(self.due().changed)
        )

    def is_settled(self) -> bool:
        """Nothing is in flight and nothing is left to say."""
        return not self.in_flight and not self.is_first_owed and not self.is_due()

    def needed_types(self) -> frozenset[str]:
        """The types of what is referred to by what is wanted."""
        if self.interest.is_wildcard or not self.wanted.needed_types:
            return self.wanted.needed_types
        named = (self.wanted.get(name) for name in self.interest.names)
        return frozenset(type_url for each in named if each for type_url, _ in each.needs)

    def rejection(self) -> str:
        """Any reason of the client; empty when it refuses nothing."""
        return next((refusal.error for refusal in self.refused.values()), "")

    def standing_errors(self, resources: Named) -> dict[str, str]:
        """Name → reason, of what exists there and is refused, or of what may not be gone."""
        if not self.refused:
            return {}
        return {
            name: refusal.error
            for name, refusal in self.refused.items()
            if refusal.version == resources.version_of(name)
        }

    def fading(self, now: float) -> tuple[str, ...]:
        """Resources with a TTL that the client must hear of now.

        While an answer is awaited only those that would not outlast it.
        """
        return tuple(
            name
            for name, at in self._beats()
            if now >= at + (self._third(name) if self.in_flight else 0.0)
        )

    def beat(self, names: Iterable[str], now: float) -> None:
        """They have been announced."""
        for name in names:
            self.beats[name] = now + self._third(name)

    def next_beat(self) -> float | None:
        """When something fades."""
        return min(
            (at + (self._third(name) if self.in_flight else 0.0) for name, at in self._beats()),
            default=None,
        )

    def _beats(self) -> Iterable[tuple[str, float]]:
        """Of all that the client holds as it is to be, as long as it answers now and then."""
        if not self.wanted.mortal or len(self.in_flight) >= MAX_IN_FLIGHT:
            return []
        return [
            (name, self.beats.get(name, 0.0))
            for name in self.wanted.mortal
            if self.interest.wants(name) and name not in self.differs and name not in self.owed
        ]

    def _third(self, name: str) -> float:
        return max((self.wanted[name].ttl_seconds or 0.0) / 3, SHORTEST_BEAT_SECONDS)

    def _size(self, name: str) -> int:
        own = self.wanted.find(name)
        return len(name) + (0 if own is None else len(own.body))

    def _refuses(self, name: str, version: str) -> bool:
        refusal = self.refused.get(name)
        return refusal is not None and refusal.version == version

    def _refuse(self, names: tuple[str, ...], resources: Named, error: str) -> None:
        """What it holds instead is not certain: peers apply what is good of a refused response."""
        wanted = frozenset(filter(self.interest.wants, names))
        is_as_wanted = len(wanted) == len(names) and all(
            resources.version_of(name) == self.wanted.version_of(name) for name in wanted
        )  # else what has changed, or is wanted no more, may be to blame
        new = frozenset({self._counted_as(wanted)} if is_as_wanted else ())
        for name in sorted(wanted):  # people read of them in order
            held = self.differs[name] if name in self.differs else self.wanted.get(name)
            before = self.refused.get(name)
            accepted = held if isinstance(held, Resource) else before.accepted if before else None
            responses = before.responses | new if before else new
            version = self.wanted.version_of(name) if responses else UNKNOWN
            self.refused[name] = Refusal(version, error, accepted, responses)
        for name in wanted:
            self.set_held(name, UNKNOWN)

    def _counted_as(self, together: frozenset[str]) -> frozenset[str]:
        """A refused response, the same one if it is; with others of what was refused too often."""
        before = [self.refused[name].responses for name in together if name in self.refused]
        same = next((each for each in frozenset().union(*before) if each == together), None)
        if same is not None:
            return same
        often = frozenset().union(*(each for each in before if len(each) >= MAX_REFUSALS))
        merged = together.union(*often)
        for name in merged if often else ():
            refusal = self.refused.get(name)
            if refusal is not None and refusal.responses & often:
                responses = refusal.responses - often | {merged}
                self.refused[name] = replace(refusal, responses=responses)
        return merged

    def _absolve(self, changed: str) -> None:
        """Something refused has changed; what was refused with it deserves another try."""
        refusal = self.refused.get(changed)
        if refusal is not None and refusal.version != self.wanted.version_of(changed):
            self._try_again(refusal.responses)

    def _try_again(self, responses: Iterable[frozenset[str]]) -> None:
        """What was refused in these, and in no other."""
        for together in responses:
            for name in together:
                refusal = self.refused.get(name)
                if refusal is not None and together in refusal.responses:
                    left = refusal.responses - {together}
                    version = refusal.version if left else UNKNOWN
                    self.refused[name] = replace(refusal, version=version, responses=left)

    def _forget(self, name: str) -> None:
        self.differs.pop(name, None)
        self.owed.discard(name)
        self.beats.pop(name, None)
        refusal = self.refused.pop(name, None)
        if refusal is not None:
            self._try_again(refusal.responses)

    def names_bytes(self) -> int:
        """What all names take that the client has brought."""
        own = self.interest.names
        others = ((self.differs.keys() | self.owed) - own) - self.wanted.keys()
        strange = (name for names in (own, others) for name in names if name not in self.wanted)
        return NAME_BYTES * (len(own) + len(others)) + sum(map(len, strange))

    def _check_bounds(self) -> None:
        if max(len(self.interest.names), len(self.differs), len(self.owed)) > MAX_NAMES:
            raise BadRequest(f"more than {MAX_NAMES} names of {self.type_url}")


def version_of(known: Known) -> str:
    """Of what a client holds."""
    return known if isinstance(known, str) else known.version
