"""How much may be spent: reserves an estimate before a call, and books what it really cost."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from msgspec import Struct, structs

from extproc.facts import NO_DEMANDS, Facts
from extproc.policies.limit import NOTHING_TAKEN, Taken
from extproc.policies.lines import Case, Line
from extproc.ports import Booking, Charge, Exhausted, Ledger, LedgerUnavailable, Reservation
from extproc.verdict import OUT_OF_BUDGET, By, Deny, PolicyKind
from gateway.catalog import cost, is_free
from gateway.counters import counter_name, phased
from gateway.model import Budget, Period, Unit
from gateway.price import Price
from gateway.price_rows import NANODOLLARS_PER_DOLLAR
from gateway.usage import Usage
from gateway.windows import windows

DEFAULT_OUTPUT_TOKENS = 1024
"""What is reserved for the answer when the client sets no limit to it."""

_MOST_CASES = 10_000
"""Clients choose the names of models, so cases have no natural end."""
_LARGEST_ESTIMATE = 2**60
"""More than any budget holds; nonsense of a client or provider must not overflow 64 bits."""

_UNIT_NAMES = {Unit.NANODOLLARS: "USD", Unit.TOKENS: "tokens"}

_UNPRICED = Deny(
    403,
    "unpriced_model",
    "the model has no price, and a budget in USD applies",
    param="model",
    by=By(PolicyKind.BUDGET),
)
_UNAVAILABLE = Deny(
    503,
    "ledger_unavailable",
    "budgets cannot be checked at the moment",
    by=By(PolicyKind.BUDGET),
)
_OF_KEY = "(of the key)"
"""The name of budgets that keys have of their own: there are as many as keys."""


Drawn: TypeAlias = list[tuple[Line, Charge]]
"""The budgets that a call draws on, and how much."""


class Held:
    """What a call holds of its budgets, and of its limits in tokens, until it is settled or
    released; then it is over."""

    __slots__ = ("_asked", "_drawn", "_reservation", "_taken")

    def __init__(
        self,
        reservation: Reservation | None,
        drawn: Drawn,
        asked: Usage,
        taken: Taken = NOTHING_TAKEN,
    ) -> None:
        self._reservation = reservation
        self._drawn = drawn
        self._asked = asked
        self._taken = taken

    def limited(self, taken: Taken, asked: Usage) -> Held:
        """The same, with what was taken of limits; itself, where nothing of it is to be settled."""
        if not taken.waits_for_usage:
            return self
        return Held(self._reservation, self._drawn, asked, taken)

    def settle(self, usage: Usage, price: Price | None) -> None:
        """Book what the provider reported, at the price of the target that answered.

        Without a price, money is booked as it was estimated.
        """
        if self._taken is not NOTHING_TAKEN:
            self._taken.settle(usage.total_tokens)
        reservation, self._reservation = self._reservation, None
        if reservation is not None:
            reservation.settle(self._amounts(usage, price))

    def book(self, usage: Usage, price: Price | None) -> None:
        """The same of a part, after which there may be more; what was held is held no longer."""
        if self._reservation is not None:
            self._reservation.book(self._amounts(usage, price))

    def book_estimate(self) -> None:
        """The same of a part that the provider said nothing of."""
        if self._reservation is not None:
            self._reservation.book([charge.estimate for _, charge in self._drawn])

    def _amounts(self, usage: Usage, price: Price | None) -> list[int]:
        amounts: list[int] = []
        money: int | None = None
        for line, charge in self._drawn:
            if not line.is_money:
                amount = usage.total_tokens
            elif price is None:
                amount = charge.estimate
            else:
                amount = money = cost(price, usage) if money is None else money
            amounts.append(max(0, min(_LARGEST_ESTIMATE, amount)))
        return amounts

    def beside(self, noted: Reservation, drawn: Drawn) -> Held:
        """The same, with what was noted on soft budgets."""
        both = _Both(self._reservation, noted, len(self._drawn))
        return Held(both, [*self._drawn, *drawn], self._asked, self._taken)

    @property
    def is_open(self) -> bool:
        """Neither settled nor released."""
        if self._reservation is not None:
            return True
        return self._taken is not NOTHING_TAKEN and self._taken.waits_for_usage

    def settle_sent(self, output_tokens: int, price: Price | None) -> Usage:
        """Book a stream that broke off: the input as estimated, and the output that was sent.

        What is booked is returned, marked as an estimate.
        """
        usage = structs.replace(self._asked, output_tokens=max(0, output_tokens), is_estimated=True)
        self.settle(usage, price)
        return usage

    def settle_estimate(self) -> Usage:
        """Book the estimate: the provider may have worked, and did not say how much.

        What is booked is returned, marked as an estimate; what was asked, when nothing is held.
        """
        if not self.is_open:
            return self._asked
        self._taken.keep()
        reservation, self._reservation = self._reservation, None
        if reservation is not None:
            reservation.settle([charge.estimate for _, charge in self._drawn])
        return structs.replace(self._asked, is_estimated=True)

    def release(self) -> None:
        """Book nothing: no provider did any work."""
        self._taken.settle(0)
        reservation, self._reservation = self._reservation, None
        if reservation is not None:
            reservation.release()


class _Both(Reservation):
    """Two reservations as one; the first so many charges are of the first."""

    __slots__ = ("_count", "_first", "_second")

    def __init__(self, first: Reservation | None, second: Reservation, count: int) -> None:
        self._first = first
        self._second = second
        self._count = count

    def settle(self, amounts: Sequence[int]) -> None:
        if self._first is not None:
            self._first.settle(amounts[: self._count])
        self._second.settle(amounts[self._count :])

    def book(self, amounts: Sequence[int]) -> None:
        if self._first is not None:
            self._first.book(amounts[: self._count])
        self._second.book(amounts[self._count :])

    def release(self) -> None:
        if self._first is not None:
            self._first.release()
        self._second.release()


class Lower(Struct, frozen=True):
    """Another model in the place of the one asked for."""

    model: str
    budget: str
    """Of which little is left."""


class Owed(Struct, frozen=True):
    """What work costs that was not reserved for."""

    bookings: tuple[Booking, ...]
    is_unpriced: bool
    """A budget in USD applies, and nobody knows what it cost."""


NOTHING_HELD = Held(None, [], Usage(0, 0))
"""For calls that no budget applies to."""


class Budgets:
    """Every budget of a program."""

    def __init__(
        self,
        budgets: Sequence[Budget],
        ledger: Ledger | None,
        *,
        default_output_tokens: int = DEFAULT_OUTPUT_TOKENS,
        are_keys_budgeted: bool = False,
    ) -> None:
        """Without a ledger, calls that a budget applies to are refused. `are_keys_budgeted`:
        callers may have budgets of their own (`Principal.budgets`)."""
        self._are_keys_budgeted = are_keys_budgeted
        self._lines = tuple(map(Line, budgets))
        self._keyed = tuple(line.by for line in self._lines if line.by is not None)
        self._asks_for_tools = any(each.scope.tool is not None for each in budgets)
        self._cases: dict[tuple[object, ...], Case] = {}
        """By principal, model, provider, route, and what budgets count by."""
        self._ledger = ledger
        self._are_soft = any(each.is_soft for each in budgets)
        self.is_lowering = any(each.when_low for each in budgets)
        """Whether some lead to another model."""
        self._default_output_tokens = default_output_tokens

    def begin(self, facts: Facts, price: Price | None) -> Held | Deny | Awaitable[Held | Deny]:
        """Reserve, at the price of the dearest target that may serve the call; None: it has none.

        Reads `facts.max_output_tokens`, `choices`, `estimated_input_tokens` and `demands`.
        """
        if not self._lines and not _owned(facts):
            return NOTHING_HELD
        asked = self.asked(facts)
        drawn = self._drawn(facts, asked, price)
        if isinstance(drawn, Deny):
            return drawn
        if not drawn:
            return NOTHING_HELD
        return self._begun(drawn, asked, facts)

    def _begun(
        self, drawn: Drawn, asked: Usage, facts: Facts
    ) -> Held | Deny | Awaitable[Held | Deny]:
        if self._are_soft or (self._are_keys_budgeted and _owns_soft(facts)):
            return self._begin_softly(drawn, asked, facts)
        return self._reserve(drawn, asked, facts)

    def begin_call(self, facts: Facts, money: int) -> Held | Deny | Awaitable[Held | Deny]:
        """The same for what has no tokens, and costs so many nanodollars."""
        if not money or (not self._lines and not _owned(facts)):
            return NOTHING_HELD
        drawn: Drawn = [
            (line, Charge(counter, start, limit, money))
            for line, is_money, counter, start, limit in self._case(facts).rows(facts.now)
            if is_money
        ]
        return self._begun(drawn, Usage(0, 0), facts) if drawn else NOTHING_HELD

    def _reserve(
        self, drawn: Drawn, asked: Usage, facts: Facts
    ) -> Held | Deny | Awaitable[Held | Deny]:
        if self._ledger is None:
            return _UNAVAILABLE
        answer = self._ledger.reserve([charge for _, charge in drawn])
        if isinstance(answer, Reservation):  # asking for Awaitable takes longer
            return Held(answer, drawn, asked)
        if isinstance(answer, Exhausted):
            return _held(answer, drawn, asked, facts)
        return _later(answer, drawn, asked, facts)

    def _begin_softly(
        self, drawn: Drawn, asked: Usage, facts: Facts
    ) -> Held | Deny | Awaitable[Held | Deny]:
        """What may refuse is asked first; of what may not, the estimate is only noted."""
        hard = [each for each in drawn if not each[0].budget.is_soft]
        soft = [each for each in drawn if each[0].budget.is_soft]
        held = self._reserve(hard, asked, facts) if hard else Held(None, [], asked)
        if isinstance(held, Awaitable):
            return self._noted_later(held, soft)
        return self._noted(held, soft)

    async def _noted_later(self, held: Awaitable[Held | Deny], soft: Drawn) -> Held | Deny:
        return self._noted(await held, soft)

    def _noted(self, held: Held | Deny, soft: Drawn) -> Held | Deny:
        if isinstance(held, Deny) or not soft or self._ledger is None:
            return held
        try:
            return held.beside(self._ledger.note([charge for _, charge in soft]), soft)
        except LedgerUnavailable:  # the ledger says so to the operator
            return held

    def lower(self, facts: Facts) -> Lower | Awaitable[object] | None:
        """The model that is asked instead; None: there is enough left. An awaitable: it is to be
        asked again after that. Reads what scopes read."""
        if self._ledger is None:
            return None
        for line, _, counter, start, limit in self._case(facts).rows(facts.now):
            low = line.budget.when_low
            if low is None or low.route_to == facts.model:
                continue
            level = self._ledger.level(Charge(counter, start, limit, 1))
            if isinstance(level, Awaitable):
                return level
            whole = limit + level.topped_up
            if (whole - level.spent) * 1000 < whole * low.below_permille:
                return Lower(low.route_to, line.budget.name)
        return None

    @property
    def is_any(self) -> bool:
        """Whether anything is counted at all."""
        return bool(self._lines) or self._are_keys_budgeted

    def owed(self, facts: Facts, models: Sequence[str], tokens: int, money: int | None) -> Owed:
        """What is to be booked of work that was done for somebody; without a price, tokens alone.

        `facts` are those of who asked for it, as far as scopes read them; the model may have been
        asked for by any of these names, and a budget counts it once.
        """
        asked = [structs.replace(facts, model=name) for name in models]
        bookings: list[Booking] = []
        is_unpriced = False
        for line in (
            *self._lines,
            *map(Line, _owned(facts)),
        ):  # seldom, so that no case is kept for it
            found = (line.subjects(each) for each in asked)
            subjects = next((each for each in found if each is not None), None)
            if subjects is None:
                continue
            amount = money if line.is_money else tokens
            if amount is None:
                is_unpriced = True
            else:
                counter = counter_name(line.budget.name, line.budget.unit, subjects)
                booked = min(_LARGEST_ESTIMATE, amount)
                bookings += (
                    Booking(phased(counter, each.phase), each.start, booked)
                    for each in windows(line.budget.span, facts.now)
                )
        return Owed(tuple(bookings), is_unpriced)

    def is_left(self, facts: Facts) -> Deny | Awaitable[Deny | None] | None:
        """Whether something is left on every budget that applies to the caller whatever the model
        is. Nothing of it is held: work of an unknown size is booked when that is told.
        """
        drawn: Drawn = [
            (line, Charge(counter, start, limit, 1))
            for line, _, counter, start, limit in (
                self._case(facts).rows(facts.now) if self._lines or _owned(facts) else ()
            )
            if line.is_of_any_model and not line.budget.is_soft
        ]
        if not drawn:
            return None
        if self._ledger is None:
            return _UNAVAILABLE
        answer = self._ledger.reserve([charge for _, charge in drawn])
        asked = Usage(0, 0)
        if isinstance(answer, Awaitable):
            return _left_later(_later(answer, drawn, asked, facts))
        return _left(_held(answer, drawn, asked, facts))

    def asked(self, facts: Facts) -> Usage:
        """The most that a call may take, as far as its request says."""
        wanted = facts.max_output_tokens
        each = self._default_output_tokens if wanted is None else max(0, wanted)
        output = each * facts.choices
        if facts.demands is NO_DEMANDS:
            return Usage(facts.estimated_input_tokens, output)
        return structs.replace(
            facts.demands, input_tokens=facts.estimated_input_tokens, output_tokens=output
        )

    def _drawn(self, facts: Facts, asked: Usage, price: Price | None) -> Drawn | Deny:
        estimate = min(_LARGEST_ESTIMATE, max(1, asked.total_tokens))
        money: int | None = None
        drawn: Drawn = []
        for line, is_money, counter, start, limit in self._case(facts).rows(facts.now):
            if not is_money:
                drawn.append((line, Charge(counter, start, limit, estimate)))
                continue
            if price is None:
                if line.budget.is_soft:
                    continue
                return _UNPRICED
            if money is None:
                money = _money(price, asked)
            if money:  # what is free of charge needs nothing to be left
                drawn.append((line, Charge(counter, start, limit, money)))
        return drawn

    def _case(self, facts: Facts) -> Case:
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
            lines = (*self._lines, *map(Line, _owned(facts)))
            subjects = ((line, line.subjects(facts)) for line in lines)
            case = self._cases[name] = Case(
                [
                    (line, counter_name(line.budget.name, line.budget.unit, found))
                    for line, found in subjects
                    if found is not None
                ]
            )
        return case


def _owns_soft(facts: Facts) -> bool:
    return any(each.is_soft for each in _owned(facts))


def _owned(facts: Facts) -> Sequence[Budget]:
    return () if facts.principal is None else facts.principal.budgets


def _money(price: Price, asked: Usage) -> int:
    """What a call may cost; of one that may cost something that is not known yet, something."""
    money = min(_LARGEST_ESTIMATE, cost(price, asked))
    return money or int(not is_free(price))


async def _later(
    answer: Awaitable[Reservation | Exhausted], drawn: Drawn, asked: Usage, facts: Facts
) -> Held | Deny:
    try:
        return _held(await answer, drawn, asked, facts)
    except LedgerUnavailable:
        return _UNAVAILABLE


async def _left_later(held: Awaitable[Held | Deny]) -> Deny | None:
    return _left(await held)


def _left(held: Held | Deny) -> Deny | None:
    if isinstance(held, Deny):
        return held
    held.release()
    return None


def _held(answer: Reservation | Exhausted, drawn: Drawn, asked: Usage, facts: Facts) -> Held | Deny:
    if isinstance(answer, Exhausted):
        line = next(line for line, charge in drawn if charge == answer.charge)
        return _exhausted(line, answer, facts)
    return Held(answer, drawn, asked)


def _exhausted(line: Line, answer: Exhausted, facts: Facts) -> Deny:
    budget, unit = line.budget, line.budget.unit
    subjects = line.subjects(facts)
    of = " of " + ", ".join(f"{name}={value}" for name, value in subjects) if subjects else ""
    limit = budget.limit + answer.topped_up
    amounts = f"{_number(unit, answer.spent)} of {_number(unit, limit)} {_UNIT_NAMES[unit]}"
    of_charge = (
        each.end
        for each in windows(budget.span, facts.now)
        if each.start == answer.charge.window_start
    )
    end = next(of_charge, None)
    headers: tuple[tuple[str, str], ...] = ()
    resets = "never resets"
    if end is not None:
        moment = datetime.fromtimestamp(end, UTC)
        when = "is free again" if budget.span.period is Period.ROLLING else "resets"
        resets = f"{when} {moment:%Y-%m-%dT%H:%M:%SZ}"
        seconds = -((facts.now - moment) // timedelta(seconds=1))
        headers = (("retry-after", str(max(1, seconds))),)
    asked = f"this call may take {_number(unit, answer.charge.estimate)} {_UNIT_NAMES[unit]}"
    if answer.charge.estimate == 1:
        asked = "nothing is left"
    reason = f"budget '{budget.name}'{of}: {amounts} spent, {resets}; {asked}"
    name = _OF_KEY if budget in _owned(facts) else budget.name
    return Deny(429, OUT_OF_BUDGET, reason, headers=headers, by=By(PolicyKind.BUDGET, name))


def _number(unit: Unit, amount: int) -> str:
    if unit is Unit.TOKENS:
        return str(amount)
    whole, fraction = divmod(amount, NANODOLLARS_PER_DOLLAR)
    digits = f"{fraction:09}".rstrip("0")
    return f"{whole}.{digits:0<2}" if digits else str(whole)
