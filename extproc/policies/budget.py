"""How much may be spent: reserves an estimate before a call, and books what it really cost."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from extproc.facts import Facts
from extproc.policies.scope import Matcher, compile_scope
from extproc.policies.windows import Window, window
from extproc.ports import Charge, Exhausted, Ledger, LedgerUnavailable, Reservation
from extproc.verdict import Deny
from gateway.catalog import NANODOLLARS_PER_DOLLAR, cost
from gateway.model import Budget, Period, Price, Unit
from gateway.usage import Usage

DEFAULT_OUTPUT_TOKENS = 1024
"""What is reserved for the answer when the client sets no limit to it."""

_LARGEST_ESTIMATE = 2**60
"""More than any budget holds; a client's nonsense must not overflow 64 bits."""

_UNIT_NAMES = {Unit.NANODOLLARS: "USD", Unit.TOKENS: "tokens"}

_UNPRICED = Deny(
    403, "unpriced_model", "the model has no price, and a budget in USD applies", param="model"
)
_UNAVAILABLE = Deny(503, "ledger_unavailable", "budgets cannot be checked at the moment")


class Held:
    """What a call holds of its budgets, until one of the three is called; then it is over."""

    __slots__ = ("_reservation", "_units_and_estimates")

    def __init__(
        self, reservation: Reservation | None, units_and_estimates: Sequence[tuple[Unit, int]]
    ) -> None:
        self._reservation = reservation
        self._units_and_estimates = units_and_estimates

    def settle(self, usage: Usage, price: Price | None) -> None:
        """Book what the provider reported, at the price of the target that answered.

        Without a price, money is booked as it was estimated.
        """
        reservation = self._reservation
        if reservation is None:
            return
        amounts: list[int] = []
        for unit, estimate in self._units_and_estimates:
            if unit is Unit.TOKENS:
                amounts.append(usage.total_tokens)
            else:
                amounts.append(estimate if price is None else cost(price, usage))
        reservation.settle(amounts)

    def settle_estimate(self) -> None:
        """Book the estimate: the provider may have worked, and did not say how much."""
        if self._reservation is not None:
            self._reservation.settle([estimate for _, estimate in self._units_and_estimates])

    def release(self) -> None:
        """Book nothing: no provider did any work."""
        if self._reservation is not None:
            self._reservation.release()


NOTHING_HELD = Held(None, ())
"""For calls that no budget applies to."""


@dataclass(frozen=True, slots=True)
class _Line:
    """A budget, ready to be asked."""

    budget: Budget
    matcher: Matcher


@dataclass(frozen=True, slots=True)
class _Draw:
    """One budget that a call draws on."""

    budget: Budget
    subjects: tuple[tuple[str, str], ...]
    window: Window
    charge: Charge


class Budgets:
    """Every budget of a program."""

    def __init__(
        self,
        budgets: Sequence[Budget],
        ledger: Ledger | None,
        *,
        default_output_tokens: int = DEFAULT_OUTPUT_TOKENS,
    ) -> None:
        """Without a ledger, calls that a budget applies to are refused."""
        self._lines = tuple(_Line(each, compile_scope(each.scope)) for each in budgets)
        self._ledger = ledger
        self._default_output_tokens = default_output_tokens
        self._windows: dict[Period, Window] = {}

    def begin(self, facts: Facts, price: Price | None) -> Held | Deny | Awaitable[Held | Deny]:
        """Reserve, at the price of the dearest target that may serve the call; None: it has none.

        Reads `facts.max_output_tokens`, for all answers together, and `estimated_input_tokens`.
        """
        if not self._lines:
            return NOTHING_HELD
        draws = self._draws(facts, price)
        if isinstance(draws, Deny):
            return draws
        if not draws:
            return NOTHING_HELD
        if self._ledger is None:
            return _UNAVAILABLE
        answer = self._ledger.reserve([draw.charge for draw in draws])
        if isinstance(answer, Awaitable):
            return _later(answer, draws, facts.now)
        return _held(answer, draws, facts.now)

    def _draws(self, facts: Facts, price: Price | None) -> list[_Draw] | Deny:
        output = facts.max_output_tokens
        usage = Usage(
            facts.estimated_input_tokens, self._default_output_tokens if output is None else output
        )
        draws: list[_Draw] = []
        for line in self._lines:
            subjects = line.matcher.subjects(facts)
            if subjects is None:
                continue
            budget = line.budget
            if budget.unit is Unit.TOKENS:
                estimate = max(1, usage.total_tokens)
            elif price is None:
                return _UNPRICED
            else:
                estimate = cost(price, usage)
                if not estimate:
                    continue  # free of charge: whatever is left is enough
            current = self._window(budget.period, facts.now)
            charge = Charge(
                counter_name(budget.name, subjects),
                current[0],
                budget.limit,
                min(estimate, _LARGEST_ESTIMATE),
            )
            draws.append(_Draw(budget, subjects, current, charge))
        return draws

    def _window(self, period: Period, now: datetime) -> Window:
        current = self._windows.get(period)
        if current is not None:
            start, end = current
            if end is None or start <= now.timestamp() < end:
                return current
        current = self._windows[period] = window(period, now)
        return current


def counter_name(budget: str, subjects: Sequence[tuple[str, str]]) -> str:
    """The ledger's name for what a budget counts apart: `team-month|team=platform`."""
    name = budget
    for dimension, value in subjects:
        if "|" in value or "%" in value:
            value = value.replace("%", "%25").replace("|", "%7C")
        name = f"{name}|{dimension}={value}"
    return name


async def _later(
    answer: Awaitable[Reservation | Exhausted], draws: Sequence[_Draw], now: datetime
) -> Held | Deny:
    try:
        return _held(await answer, draws, now)
    except LedgerUnavailable:
        return _UNAVAILABLE


def _held(answer: Reservation | Exhausted, draws: Sequence[_Draw], now: datetime) -> Held | Deny:
    if isinstance(answer, Exhausted):
        draw = next(draw for draw in draws if draw.charge == answer.charge)
        return _exhausted(draw, answer.spent, now)
    return Held(answer, [(draw.budget.unit, draw.charge.estimate) for draw in draws])


def _exhausted(draw: _Draw, spent: int, now: datetime) -> Deny:
    unit, (_, end) = draw.budget.unit, draw.window
    of = " of " + ", ".join(f"{name}={value}" for name, value in draw.subjects)
    amounts = f"{_number(unit, spent)} of {_number(unit, draw.budget.limit)} {_UNIT_NAMES[unit]}"
    headers: tuple[tuple[str, str], ...] = ()
    resets = "never resets"
    if end is not None:
        moment = datetime.fromtimestamp(end, UTC)
        resets = f"resets {moment:%Y-%m-%dT%H:%M:%SZ}"
        seconds = -((now - moment) // timedelta(seconds=1))
        headers = (("retry-after", str(max(1, seconds))),)
    asked = f"this call may take {_number(unit, draw.charge.estimate)}"
    return Deny(
        429,
        "budget_exhausted",
        f"budget '{draw.budget.name}'{of if draw.subjects else ''}: {amounts} spent, {resets};"
        f" {asked}",
        headers=headers,
    )


def _number(unit: Unit, amount: int) -> str:
    if unit is Unit.TOKENS:
        return str(amount)
    whole, fraction = divmod(amount, NANODOLLARS_PER_DOLLAR)
    digits = f"{fraction:09}".rstrip("0")
    return f"{whole}.{digits:0<2}" if digits else str(whole)
