"""What a rate limit service says: descriptors looked up in a tree, and counted by the limiter.

As Envoy's reference service looks them up: https://github.com/envoyproxy/ratelimit#configuration.
All descriptors of a question must have room, else nothing is taken of any. But what is asked with
more than one hit is told after the fact, and counts also where there is no room: as a debt.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import TypeAlias

from msgspec import Struct

from extproc.later import later
from extproc.ports import NEVER, Limiter, LimitsUnavailable, Meter, Pace, Standing, Take
from gateway.limits import UNITS, Algorithm, Descriptor, RateLimitService, ServedLimit

_SECOND = 1_000_000_000
_MOST_CASES = 10_000
"""Whoever asks chooses the values, so they have no natural end."""
_DEBT_PERIODS = 2
"""Where it takes longer until all is there again, nothing more is owed."""
_MOST_AT_ONCE = 10
"""Periods' worth that one question owes at the most."""

Entries: TypeAlias = tuple[tuple[str, str], ...]


class Asked(Struct, frozen=True):
    """One descriptor of a question."""

    entries: Entries
    hits: int = 1
    """0: only whether there is room."""
    override: ServedLimit | None = None
    """In the place of what the tree says."""


class Status(Struct, frozen=True):
    """What is said to one descriptor."""

    is_over: bool
    limit: ServedLimit | None = None
    """None: there is none."""
    remaining: int = 0
    reset_ns: int = 0
    """Until there is room, where it is over, else until all of it is there again."""


class _Case(Struct, frozen=True):
    limit: ServedLimit
    meter: Meter | None
    """None: nothing is to be counted."""
    pace: Pace | None
    is_binding: bool


class _Draw(Struct, frozen=True):
    meter: Meter
    pace: Pace
    hits: int
    is_binding: bool


class _Node:
    """A level of the tree, ready to be asked."""

    __slots__ = ("_any", "_beginnings", "_exact", "is_shadow", "limit")

    def __init__(self, of: Descriptor | None, below: Sequence[Descriptor]) -> None:
        self.limit = None if of is None else of.limit
        self.is_shadow = of is not None and of.is_shadow
        nodes = [(each, _Node(each, each.descriptors)) for each in below]
        self._any = {each.key: node for each, node in nodes if not each.value}
        self._exact = {
            (each.key, each.value): node
            for each, node in nodes
            if each.value and not each.value.endswith("*")
        }
        beginnings = [
            (each.key, each.value[:-1], node) for each, node in nodes if each.value.endswith("*")
        ]
        self._beginnings = sorted(beginnings, key=lambda each: -len(each[1]))

    def after(self, key: str, value: str) -> _Node | None:
        found = self._exact.get((key, value))
        if found is not None:
            return found
        for name, beginning, node in self._beginnings:
            if name == key and value.startswith(beginning):
                return node
        return self._any.get(key)


class ServedLimits:
    """The service of one program."""

    def __init__(self, service: RateLimitService, limiter: Limiter | None) -> None:
        """Without a limiter, nothing that is limited can be answered."""
        self._roots = {domain: _Node(None, below) for domain, below in service.domains}
        self._algorithm = service.algorithm
        self._limiter = limiter
        self._cases: dict[tuple[str, Entries, ServedLimit | None], _Case | None] = {}

    def ask(self, domain: str, asked: Sequence[Asked]) -> list[Status] | Awaitable[list[Status]]:
        """One status for each, in order; later, where other machines must be asked.
        LimitsUnavailable, also when awaited, when they cannot be counted."""
        cases = [self._case(domain, each) for each in asked]
        drawn = [
            (place, _Draw(case.meter, case.pace, asked[place].hits, case.is_binding))
            for place, case in enumerate(cases)
            if case is not None and case.meter is not None and case.pace is not None
        ]
        if not drawn:
            return [_status(case, None) for case in cases]
        limiter = self._opened()

        def told(found: Take) -> list[Status]:
            _owe(limiter, [each for _, each in drawn], found)
            standings = dict(zip((place for place, _ in drawn), found[1], strict=True))
            return [_status(case, standings.get(place)) for place, case in enumerate(cases)]

        found = limiter.take([(each.meter, each.hits, each.is_binding) for _, each in drawn])
        return told(found) if isinstance(found, tuple) else later(found, told)

    def _opened(self) -> Limiter:
        if self._limiter is None:
            raise LimitsUnavailable("nothing counts here")
        return self._limiter

    def _case(self, domain: str, asked: Asked) -> _Case | None:
        name = domain, asked.entries, asked.override
        if name in self._cases:
            return self._cases[name]
        if len(self._cases) >= _MOST_CASES:
            self._cases.clear()
        case = self._cases[name] = self._found(domain, asked)
        return case

    def _found(self, domain: str, asked: Asked) -> _Case | None:
        node = self._roots.get(domain)
        for key, value in asked.entries:
            node = None if node is None else node.after(key, value)
        limit = asked.override or (None if node is None else node.limit)
        if limit is None:
            return None
        is_binding = node is None or not node.is_shadow
        if limit.is_unlimited or not limit.amount:
            return _Case(limit, None, None, is_binding)
        seconds = UNITS[limit.unit]
        name = meter_name(domain, asked.entries, seconds, self._algorithm)
        pace = Pace(limit.amount, seconds * _SECOND, self._algorithm)
        return _Case(limit, self._opened().meter(name, pace, is_shared=True), pace, is_binding)


def meter_name(domain: str, entries: Entries, seconds: int, algorithm: Algorithm) -> str:
    """`served|edge|60|token_bucket|tenant=a`: no domain or value makes the counter of another."""
    parts = [f"{_escaped(key)}={_escaped(value)}" for key, value in entries]
    return "|".join(("served", _escaped(domain), str(seconds), algorithm, *parts))


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("|", "%7C").replace("=", "%3D")


def _owe(limiter: Limiter, drawn: Sequence[_Draw], found: Take) -> None:
    """What was used whether there was room or not."""
    at_ns, standings, is_refused = found
    owed = [
        (each.meter, min(each.hits, _MOST_AT_ONCE * each.pace.amount))
        for each, (_, reset_ns, wait_ns) in zip(drawn, standings, strict=True)
        if each.hits > 1
        and (is_refused or wait_ns)
        and reset_ns <= _DEBT_PERIODS * each.pace.period_ns
    ]
    if owed:
        limiter.correct(owed, at_ns)


def _status(case: _Case | None, standing: Standing | None) -> Status:
    if case is None:
        return Status(False)
    limit = case.limit
    if standing is None:
        return Status(not limit.is_unlimited and case.is_binding, limit)
    remaining, reset_ns, wait_ns = standing
    if not wait_ns:
        return Status(False, limit, remaining, reset_ns)
    return Status(case.is_binding, limit, remaining, reset_ns if wait_ns == NEVER else wait_ns)
