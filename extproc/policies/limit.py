"""How much may be asked in a time: requests, tokens, bytes, and calls that are open at once.

Tokens are taken as estimated, and corrected when the answer has told them.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import NamedTuple

from extproc.audits import Audited, Audits, Finding, uncounted
from extproc.facts import Facts
from extproc.policies.scope import compile_scope
from extproc.ports import (
    NEVER,
    Draw,
    Limiter,
    LimitsUnavailable,
    Measure,
    Meter,
    Pace,
    Places,
    Standing,
)
from extproc.told import Told, header_values, written
from extproc.verdict import By, Deny, PolicyKind
from gateway.limits import Counted, period_name
from gateway.model import Limit, Mode

_log = logging.getLogger(__name__)

_MOST_CASES = 10_000
"""Clients choose the names of models, so cases have no natural end."""
_LARGEST = 2**40
"""More tokens or bytes than any one request has; nonsense must not overflow 64 bits."""
_SECOND = 1_000_000_000

_CODE = "rate_limit_exceeded"
"""Of what a limit would refuse."""
_UNAVAILABLE = Deny(
    503,
    "limits_unavailable",
    "limits cannot be checked at the moment",
    by=By(PolicyKind.LIMIT),
)
_NO_LENGTH = Deny(
    411,
    "length_required",
    "a content-length must be given, since a limit counts bytes",
    by=By(PolicyKind.LIMIT),
)


class Line(NamedTuple):
    """One thing that a limit counts."""

    limit: Limit
    counted: Counted
    measure: Measure


class Row(NamedTuple):
    """The same for one caller, model and provider."""

    line: Line
    meter: Meter
    subjects: tuple[tuple[str, str], ...]


class Case:
    """All that applies to one caller, model and provider."""

    __slots__ = ("changing", "draws", "is_watched", "places", "rows", "tokens", "told")

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self.draws: list[Draw] = [
            (row.meter, 1, row.line.limit.mode is Mode.ENFORCE) for row in rows
        ]
        """Of those that count something else than ones, the amounts are to be filled in."""
        self.changing = [
            (place, row.line.counted is Counted.TOKENS)
            for place, row in enumerate(rows)
            if row.line.counted in (Counted.TOKENS, Counted.BYTES)
        ]
        self.is_watched = any(not is_binding for _, _, is_binding in self.draws)
        self.tokens = self._where(Counted.TOKENS)
        self.places = self._where(Counted.CONCURRENT)
        self.told = [
            (counted.value, found)
            for counted in (Counted.REQUESTS, Counted.TOKENS)
            if (found := [each for each in self._where(counted) if self.draws[each][2]])
        ]

    def _where(self, counted: Counted) -> list[int]:
        return [place for place, row in enumerate(self.rows) if row.line.counted is counted]


class Taken:
    """What a call has taken of its limits, until it is over."""

    __slots__ = ("_at_ns", "_limiter", "_places", "_tokens", "told")

    def __init__(
        self,
        limiter: Limiter | None,
        at_ns: int,
        tokens: Sequence[Draw],
        places: Sequence[Meter],
        told: tuple[Told, ...],
    ) -> None:
        self._limiter = limiter
        self._at_ns = at_ns
        self._tokens = tokens
        self._places = places
        self.told = told
        """For the client."""

    @property
    def waits_for_usage(self) -> bool:
        """Tokens are to be corrected."""
        return bool(self._tokens)

    @property
    def holds_place(self) -> bool:
        """It counts among those that are open at once."""
        return bool(self._places)

    def settle(self, used: int) -> None:
        """So many tokens it was."""
        tokens, self._tokens = self._tokens, ()
        corrections = [(meter, used - taken) for meter, taken, _ in tokens if used != taken]
        if corrections and self._limiter is not None:
            try:
                self._limiter.correct(corrections, self._at_ns)
            except LimitsUnavailable as error:
                _log.warning("what was taken of a limit stays as it was estimated: %s", error)

    def keep(self) -> None:
        """As many tokens as were estimated."""
        self._tokens = ()

    def leave(self) -> None:
        """It is not open any more."""
        places, self._places = self._places, ()
        if places and self._limiter is not None:
            self._limiter.leave(places)


NOTHING_TAKEN = Taken(None, 0, (), (), ())
"""For calls that no limit applies to."""


class Limits:
    """Every limit of a program that is not Envoy's."""

    def __init__(
        self, limits: Sequence[Limit], limiter: Limiter | None, audits: Audits | None = None
    ) -> None:
        """Without a limiter, calls that a limit applies to are refused."""
        self._audits = audits or uncounted()
        self._lines = tuple(
            (compile_scope(each.scope), [Line(each, *one) for one in measures(each)])
            for each in limits
            if not each.is_envoys
        )
        self._limiter = limiter
        self._cases: dict[object, Case] = {}
        self.is_any = bool(self._lines)
        self.counts_tokens = any(
            line.counted is Counted.TOKENS for _, lines in self._lines for line in lines
        )

    def take(
        self, facts: Facts, tokens: int | None = None, size_bytes: int | None = None
    ) -> Taken | Deny:
        """`tokens` as estimated; None: it has none. `size_bytes` of the request's body; None: it
        has no length yet.
        """
        if not self._lines:
            return NOTHING_TAKEN
        limiter = self._limiter
        if limiter is None:
            return self._unavailable(facts)
        try:
            case = self._case(limiter, facts)
            if not case.rows:
                return NOTHING_TAKEN
            draws = case.draws
            if case.changing:
                draws = draws.copy()
                for place, is_tokens in case.changing:
                    meter, _, is_binding = draws[place]
                    amount = tokens if is_tokens else size_bytes
                    if amount is None:
                        if is_binding and not is_tokens:
                            return _NO_LENGTH
                        amount, is_binding = 0, False  # nor does it wait for what others owe
                    draws[place] = meter, min(amount, _LARGEST), is_binding
            at_ns, standings, is_refused = limiter.take(draws)
        except LimitsUnavailable:
            return self._unavailable(facts)
        if case.is_watched:
            for name, verdict in _audited(case, standings).items():
                code = _CODE if verdict is Audited.DENY else ""
                self._audits.note(facts, Finding(PolicyKind.LIMIT, name, verdict, code=code))
        if is_refused:
            return _refused(case, draws, standings)
        return Taken(
            limiter,
            at_ns,
            [draws[place] for place in case.tokens if draws[place][1] and not standings[place][2]],
            [draws[place][0] for place in case.places if not standings[place][2]],
            _told(case, standings),
        )

    def _unavailable(self, facts: Facts) -> Deny | Taken:
        """Who is only watched is refused for nothing."""
        enforced = (
            matcher
            for matcher, lines in self._lines
            if any(line.limit.mode is Mode.ENFORCE for line in lines)
        )
        return _UNAVAILABLE if any(each.matches(facts) for each in enforced) else NOTHING_TAKEN

    def _case(self, limiter: Limiter, facts: Facts) -> Case:
        name = facts.principal, facts.model, facts.provider, facts.route
        case = self._cases.get(name)
        if case is None:
            if len(self._cases) >= _MOST_CASES:
                self._cases.clear()
            case = self._cases[name] = Case(
                [
                    Row(line, limiter.meter(meter_name(line, subjects), line.measure), subjects)
                    for matcher, lines in self._lines
                    if (subjects := matcher.subjects(facts)) is not None
                    for line in lines
                    if not (facts.route and line.counted is Counted.TOKENS)
                ]
            )
        return case


def measures(limit: Limit) -> list[tuple[Counted, Measure]]:
    """What a limit counts, and how."""
    found: list[tuple[Counted, Measure]] = []
    for counted, rate in (
        (Counted.REQUESTS, limit.requests),
        (Counted.TOKENS, limit.tokens),
        (Counted.BYTES, limit.bytes),
    ):
        if rate is not None:
            pace = Pace(rate.amount, rate.seconds * _SECOND, limit.algorithm)
            found.append((counted, pace))
    if limit.concurrent is not None:
        found.append((Counted.CONCURRENT, Places(limit.concurrent)))
    return found


def meter_name(line: Line, subjects: Sequence[tuple[str, str]]) -> str:
    """`each-key|requests|60|token_bucket|key=ada`: who measures otherwise, counts anew."""
    name = f"{line.limit.name}|{line.counted}"
    if isinstance(line.measure, Pace):
        name += f"|{line.measure.period_ns // _SECOND}|{line.measure.algorithm}"
    for dimension, value in subjects:
        if "|" in value or "%" in value:
            value = value.replace("%", "%25").replace("|", "%7C")
        name = f"{name}|{dimension}={value}"
    return name


def _audited(case: Case, standings: Sequence[Standing]) -> dict[str, Audited]:
    """What those would have done that are not enforced."""
    found: dict[str, Audited] = {}
    for row, (_, _, is_binding), (_, _, wait_ns) in zip(
        case.rows, case.draws, standings, strict=True
    ):
        if not is_binding:
            name = row.line.limit.name
            if wait_ns or name not in found:
                found[name] = Audited.DENY if wait_ns else Audited.PASS
    return found


def _told(case: Case, standings: Sequence[Standing]) -> tuple[Told, ...]:
    """Of each unit, the limit of which the smallest part is left."""
    found = []
    for unit, places in case.told:
        place = places[0]
        if len(places) > 1:
            place = min(
                places, key=lambda each: standings[each][0] / case.rows[each].line.measure[0]
            )
        remaining, reset_ns, _ = standings[place]
        found.append(Told(unit, case.rows[place].line.measure[0], remaining, reset_ns))
    return tuple(found)


def _refused(case: Case, draws: Sequence[Draw], standings: Sequence[Standing]) -> Deny:
    """By the limit that asks for the most patience."""
    refusing = [
        (wait_ns, place)
        for place, (_, _, wait_ns) in enumerate(standings)
        if wait_ns and draws[place][2]
    ]
    wait_ns, place = max(refusing, key=lambda each: (each[0] == NEVER, each))
    headers = header_values(_told(case, standings))
    if wait_ns == NEVER:
        headers.append(("x-should-retry", "false"))  # as the libraries of vendors read it
    else:
        headers.append(("retry-after", str(max(1, -(-wait_ns // _SECOND)))))
    reason = _reason(case.rows[place], draws[place][1], wait_ns)
    by = By(PolicyKind.LIMIT, case.rows[place].line.limit.name)
    return Deny(429, "rate_limit_exceeded", reason, headers=tuple(headers), by=by)


def _reason(row: Row, wanted: int, wait_ns: int) -> str:
    line, subjects = row.line, row.subjects
    of = " of " + ", ".join(f"{name}={value}" for name, value in subjects) if subjects else ""
    named, measure = f"limit '{line.limit.name}'{of}", line.measure
    if isinstance(measure, Places):
        return f"{named}: {measure.most} at a time, and all of them are open"
    amount = f"{measure.amount} {line.counted} per {period_name(measure.period_ns // _SECOND)}"
    asked = f"; this request may take {wanted}" if line.counted is not Counted.REQUESTS else ""
    if wait_ns == NEVER:
        return f"{named}: {amount}{asked}, and is never let through"
    return f"{named}: {amount}{asked}; try again in {written(wait_ns)}"
