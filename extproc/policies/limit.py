"""How much may be asked in a time: requests, tokens, bytes, and calls that are open at once.

Tokens are taken as estimated, and corrected when the answer has told them.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from extproc.audits import Audited, Audits, Finding, uncounted
from extproc.facts import Facts
from extproc.policies.scope import Matcher, compile_by, compile_scope
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
    Take,
)
from extproc.principal import Principal
from extproc.told import Told, header_values, written
from extproc.verdict import By, Deny, PolicyKind
from gateway.limits import OF_KEY, Counted, LimitHeaders, period_name
from gateway.model import Limit, Mode

_log = logging.getLogger(__name__)

_MOST_CASES = 10_000
"""Clients choose the names of models, so cases have no natural end."""
_MOST_KEYS = 100_000
"""As many as a worker remembers; a case of one is 0.8 KB."""
_LARGEST = 2**40
"""More tokens or bytes than any one request has; nonsense must not overflow 64 bits."""
_SECOND = 1_000_000_000
_ALWAYS = Matcher(())

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


class Line(Struct, frozen=True):
    """One thing that a limit counts."""

    limit: Limit
    counted: Counted
    measure: Measure


class Group(Struct, frozen=True):
    """What one limit counts, or all of those that a key has; for plain routes without tokens."""

    matcher: Matcher
    lines: tuple[Line, ...]
    plain_lines: tuple[Line, ...]
    by: Callable[[Facts], str] | None = None

    def subjects(self, facts: Facts) -> tuple[tuple[str, str], ...] | None:
        """For whom it counts; None: it does not."""
        found = self.matcher.subjects(facts)
        if found is None or self.by is None:
            return found
        return (*found, ("by", self.by(facts)))


class Shape:
    """What is the same for all to whom the same limits apply."""

    __slots__ = (
        "are_binding",
        "changing",
        "is_watched",
        "lines",
        "ones",
        "places",
        "policies",
        "tokens",
        "told",
    )

    def __init__(self, lines: Sequence[Line], headers: LimitHeaders) -> None:
        self.lines = lines
        self.policies = [_policy(line) for line in lines] if headers is LimitHeaders.BOTH else None
        self.ones = [1] * len(lines)
        self.are_binding = [line.limit.mode is Mode.ENFORCE for line in lines]
        self.changing = [
            (place, line.counted is Counted.TOKENS)
            for place, line in enumerate(lines)
            if line.counted in (Counted.TOKENS, Counted.BYTES)
        ]
        self.is_watched = not all(self.are_binding)
        self.tokens = self._where(Counted.TOKENS)
        self.places = self._where(Counted.CONCURRENT)
        self.told = [
            (counted.value, found)
            for counted in (Counted.REQUESTS, Counted.TOKENS)
            if (found := [each for each in self._where(counted) if self.are_binding[each]])
        ]

    def _where(self, counted: Counted) -> list[int]:
        return [place for place, line in enumerate(self.lines) if line.counted is counted]


class Whose(Struct, frozen=True):
    """For whom a limit counts."""

    name: str
    """Under which it counts."""
    subjects: Sequence[tuple[str, str]]


class Case(Struct, frozen=True):
    """All that applies to one caller, model and provider."""

    shape: Shape
    whose: tuple[Whose, ...]
    """One for each line, as are meters. Of many keys, few are in the processor's caches: what is
    theirs alone is kept small, and what is drawn is made of it for each call."""
    meters: tuple[Meter, ...]


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
        self,
        limits: Sequence[Limit],
        limiter: Limiter | None,
        audits: Audits | None = None,
        *,
        are_keys_limited: bool = False,
        headers: LimitHeaders = LimitHeaders.OPENAI,
    ) -> None:
        """Without a limiter, calls that a limit applies to are refused. `are_keys_limited`: callers
        may have limits of their own (`Principal.limits`)."""
        self._audits = audits or uncounted()
        self._groups = tuple(
            replace(
                _group(compile_scope(each.scope), [each]),
                by=compile_by(each.by) if each.by else None,
            )
            for each in limits
            if each.is_workers
        )
        self._keyed = tuple(group.by for group in self._groups if group.by is not None)
        self._asks_for_tools = any(each.scope.tool is not None for each in limits)
        self._limiter = limiter
        self._headers = headers
        self._cases: dict[object, Case] = {}
        self._keys: dict[Principal | None, Case] = {}
        """Where a key's own limits are all that there is."""
        self._plain_keys: dict[Principal | None, Case] = {}
        """The same on plain routes, which have no tokens."""
        self._shapes: dict[tuple[int, ...], Shape] = {}
        """By the identities of their groups, all of which are kept."""
        self._owned: dict[int, tuple[object, Group]] = {}
        """What keys have, by its identity: many have the same."""
        self.holds_places = are_keys_limited or any(each.concurrent is not None for each in limits)
        """Somebody may count what is open at once."""
        self.counts_tokens = are_keys_limited or any(
            line.counted is Counted.TOKENS for group in self._groups for line in group.lines
        )

    def are_for(self, facts: Facts) -> bool:
        """Whether there is anything to ask about a call."""
        return bool(self._groups) or bool(facts.principal and facts.principal.limits)

    def take(
        self, facts: Facts, tokens: int | None = None, size_bytes: int | None = None
    ) -> Taken | Deny | Awaitable[Taken | Deny]:
        """`tokens` as estimated; None: it has none. `size_bytes` of the request's body; None: it
        has no length yet. Usually at once; awaits when other machines must be asked.
        """
        if not self.are_for(facts):
            return NOTHING_TAKEN
        limiter = self._limiter
        if limiter is None:
            return self._unavailable(facts)
        try:
            case = self._case(limiter, facts)
            shape = case.shape
            if not shape.lines:
                return NOTHING_TAKEN
            draws: list[Draw] = list(zip(case.meters, shape.ones, shape.are_binding, strict=True))
            for place, is_tokens in shape.changing:
                meter, _, is_binding = draws[place]
                amount = tokens if is_tokens else size_bytes
                if amount is None:
                    if is_binding and not is_tokens:
                        return _NO_LENGTH
                    amount, is_binding = 0, False  # nor does it wait for what others owe
                draws[place] = meter, min(amount, _LARGEST), is_binding
            found = limiter.take(draws)
        except LimitsUnavailable:
            return self._unavailable(facts)
        if isinstance(found, tuple):
            return self._taken(limiter, facts, case, draws, found)
        return self._taken_later(limiter, facts, case, draws, found)

    async def _taken_later(
        self,
        limiter: Limiter,
        facts: Facts,
        case: Case,
        draws: Sequence[Draw],
        asked: Awaitable[Take],
    ) -> Taken | Deny:
        try:
            found = await asked
        except LimitsUnavailable:
            return self._unavailable(facts)
        return self._taken(limiter, facts, case, draws, found)

    def _taken(
        self, limiter: Limiter, facts: Facts, case: Case, draws: Sequence[Draw], found: Take
    ) -> Taken | Deny:
        shape, (at_ns, standings, is_refused) = case.shape, found
        if shape.is_watched:
            for name, verdict in _audited(shape, standings).items():
                code = _CODE if verdict is Audited.DENY else ""
                self._audits.note(facts, Finding(PolicyKind.LIMIT, name, verdict, code=code))
        if is_refused:
            return _refused(case, draws, standings)
        return Taken(
            limiter,
            at_ns,
            [draws[place] for place in shape.tokens if draws[place][1] and not standings[place][2]],
            [draws[place][0] for place in shape.places if not standings[place][2]],
            _told(shape, standings),
        )

    def _unavailable(self, facts: Facts) -> Deny | Taken:
        """Who is only watched is refused for nothing."""
        if facts.principal is not None and facts.principal.limits:
            return _UNAVAILABLE
        enforced = (
            group.matcher
            for group in self._groups
            if any(line.limit.mode is Mode.ENFORCE for line in group.lines)
        )
        return _UNAVAILABLE if any(each.matches(facts) for each in enforced) else NOTHING_TAKEN

    def _case(self, limiter: Limiter, facts: Facts) -> Case:
        if not self._groups:  # what a key has applies whatever it asks for
            return self._case_of_key(limiter, facts)
        name: tuple[object, ...] = facts.principal, facts.model, facts.provider, facts.route
        if facts.mcp is not None:
            name = (*name, facts.mcp.server, facts.mcp.tool if self._asks_for_tools else "")
        if facts.a2a is not None:
            name = (*name, "a2a", facts.a2a.agent)
        if self._keyed:
            name = (*name, *(by(facts) for by in self._keyed))
        case = self._cases.get(name)
        if case is None:
            if len(self._cases) >= _MOST_CASES:
                self._cases.clear()
            case = self._cases[name] = self._made(limiter, facts)
        return case

    def _case_of_key(self, limiter: Limiter, facts: Facts) -> Case:
        cases = self._plain_keys if facts.route else self._keys
        case = cases.get(facts.principal)
        if case is None:
            if len(cases) >= _MOST_KEYS:
                cases.clear()
            case = cases[facts.principal] = self._made(limiter, facts)
        return case

    def _made(self, limiter: Limiter, facts: Facts) -> Case:
        matched = [
            (group, subjects)
            for group in self._groups
            if (subjects := group.subjects(facts)) is not None
        ]
        found = [(group, Whose(group.lines[0].limit.name, told)) for group, told in matched]
        principal = facts.principal
        if principal is not None and principal.limits:
            found.append((self._group_of(principal.limits), Whose(principal.counted_as, ())))
        is_plain = bool(facts.route)
        shape = self._shape([group for group, _ in found], is_plain)
        whose = tuple(
            each for group, each in found for _ in (group.plain_lines if is_plain else group.lines)
        )
        meters = (_meter(limiter, *each) for each in zip(shape.lines, whose, strict=True))
        return Case(shape, whose, tuple(meters))

    def _group_of(self, limits: Sequence[Limit]) -> Group:
        known = self._owned.get(id(limits))
        if known is None:
            if len(self._owned) >= _MOST_CASES:
                self._owned.clear()
                self._shapes.clear()
            known = self._owned[id(limits)] = limits, _group(_ALWAYS, limits)
        return known[1]

    def _shape(self, groups: Sequence[Group], is_plain: bool) -> Shape:
        name = (is_plain, *map(id, groups))
        shape = self._shapes.get(name)
        if shape is None:
            if len(self._shapes) >= _MOST_CASES:
                self._shapes.clear()
            shape = self._shapes[name] = Shape(
                [
                    line
                    for group in groups
                    for line in (group.plain_lines if is_plain else group.lines)
                ],
                self._headers,
            )
        return shape


def _group(matcher: Matcher, limits: Sequence[Limit]) -> Group:
    lines = tuple(Line(each, *one) for each in limits for one in measures(each))
    return Group(
        matcher, lines, tuple(line for line in lines if line.counted is not Counted.TOKENS)
    )


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


def _meter(limiter: Limiter, line: Line, whose: Whose) -> Meter:
    is_shared = not line.limit.is_of_machine
    return limiter.meter(meter_name(line, whose), line.measure, is_shared=is_shared)


def meter_name(line: Line, whose: Whose) -> str:
    """`each-key|requests|60|token_bucket|key=ada`: who measures otherwise, counts anew."""
    name = f"{whose.name}|{line.counted}"
    if isinstance(line.measure, Pace):
        name += f"|{line.measure.period_ns // _SECOND}|{line.measure.algorithm}"
    for dimension, value in whose.subjects:
        if "|" in value or "%" in value:
            value = value.replace("%", "%25").replace("|", "%7C")
        name = f"{name}|{dimension}={value}"
    return name


def _policy(line: Line) -> tuple[str, int]:
    """What the IETF's headers call it, `each-key/requests`, and the seconds of its period."""
    name = "key" if line.limit.name == OF_KEY else line.limit.name
    seconds = line.measure.period_ns // _SECOND if isinstance(line.measure, Pace) else 0
    return f"{name}/{line.counted}", seconds


def _audited(shape: Shape, standings: Sequence[Standing]) -> dict[str, Audited]:
    """What those would have done that are not enforced."""
    found: dict[str, Audited] = {}
    for line, is_binding, (_, _, wait_ns) in zip(
        shape.lines, shape.are_binding, standings, strict=True
    ):
        if not is_binding:
            name = line.limit.name
            if wait_ns or name not in found:
                found[name] = Audited.DENY if wait_ns else Audited.PASS
    return found


def _told(shape: Shape, standings: Sequence[Standing]) -> tuple[Told, ...]:
    """Of each unit, the limit of which the smallest part is left."""
    found = []
    for unit, places in shape.told:
        place = places[0]
        if len(places) > 1:
            place = min(places, key=lambda each: standings[each][0] / shape.lines[each].measure[0])
        remaining, reset_ns, _ = standings[place]
        amount = shape.lines[place].measure[0]
        if shape.policies is None:
            found.append(Told(unit, amount, remaining, reset_ns))
        else:
            found.append(Told(unit, amount, remaining, reset_ns, *shape.policies[place]))
    return tuple(found)


def _refused(case: Case, draws: Sequence[Draw], standings: Sequence[Standing]) -> Deny:
    """By the limit that asks for the most patience."""
    refusing = [
        (wait_ns, place)
        for place, (_, _, wait_ns) in enumerate(standings)
        if wait_ns and draws[place][2]
    ]
    wait_ns, place = max(refusing, key=lambda each: (each[0] == NEVER, each))
    headers = header_values(_told(case.shape, standings))
    if wait_ns == NEVER:
        headers.append(("x-should-retry", "false"))  # as the libraries of vendors read it
    else:
        headers.append(("retry-after", str(max(1, -(-wait_ns // _SECOND)))))
    reason = _reason(case.shape.lines[place], case.whose[place], draws[place][1], wait_ns)
    by = By(PolicyKind.LIMIT, case.shape.lines[place].limit.name)
    return Deny(429, "rate_limit_exceeded", reason, headers=tuple(headers), by=by)


def _reason(line: Line, whose: Whose, wanted: int, wait_ns: int) -> str:
    shown = ", ".join(f"{name}={value}" for name, value in whose.subjects)
    of = f" of {shown}" if shown else ""
    named, measure = f"limit '{whose.name}'{of}", line.measure
    if isinstance(measure, Places):
        return f"{named}: {measure.most} at a time, and all of them are open"
    amount = f"{measure.amount} {line.counted} per {period_name(measure.period_ns // _SECOND)}"
    asked = f"; this request may take {wanted}" if line.counted is not Counted.REQUESTS else ""
    if wait_ns == NEVER:
        return f"{named}: {amount}{asked}, and is never let through"
    return f"{named}: {amount}{asked}; try again in {written(wait_ns)}"
