"""How much may be spent, by whom, and in which time."""

from __future__ import annotations

import re
from dataclasses import replace
from enum import StrEnum
from typing import Annotated, Any, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)

from gateway.cel import compile_text
from gateway.config.block import Block, refusal
from gateway.config.scalars import Amount, Name, Text, written_permille
from gateway.model import WhenLow
from gateway.periods import Period, Span
from gateway.problem import did_you_mean

_ROLLING = re.compile(r"rolling ([0-9]{1,6}) ?([mhd])")
_SECONDS = {"m": 60, "h": 3600, "d": 86400}
_LONGEST_SECONDS = 366 * 86400
_CALENDAR = (Period.HOUR, Period.DAY, Period.WEEK, Period.MONTH)
_UNREADABLE = (
    "llm.prompt",
    "mcp.arguments",
    "mcp.result",
    "a2a.parts",
    "a2a.task_state",
    "response",
)
"""What is too long for the name of a counter, or not there before a model is asked."""
_PERIODS = ", ".join((*_CALENDAR, Period.TOTAL))


def _per(value: Any) -> Span:
    if isinstance(value, Span):
        return value
    if value in (*_CALENDAR, Period.TOTAL):
        return Span(Period(value))
    match = _ROLLING.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        close = did_you_mean(str(value), (*_CALENDAR, Period.TOTAL))
        hint = (
            close
            if close.startswith("did you mean")
            else "or a rolling window, such as rolling 24h"
        )
        raise refusal(f"must be one of {_PERIODS}", hint)
    seconds = int(match[1]) * _SECONDS[match[2]]
    if not 60 <= seconds <= _LONGEST_SECONDS:
        raise refusal("must roll over 1m to 366d")
    return Span(Period.ROLLING, seconds=seconds)


def _by(value: str) -> str:
    compiled = compile_text(value)
    if isinstance(compiled, str):
        hint = 'such as principal.tags["project"] or request.headers["x-project"]'
        raise refusal(f"in the expression, {compiled}", hint, is_shown=False)
    unknown = min((each for each in compiled.names if each.startswith(_UNREADABLE)), default=None)
    if unknown is not None:
        raise refusal(f"{unknown} cannot be counted by", is_shown=False)
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise refusal("must be a time zone", "such as Europe/Berlin or America/New_York") from None
    return value


Per: TypeAlias = Annotated[
    Span,
    PlainValidator(_per),
    PlainSerializer(str),
    WithJsonSchema(
        {
            "type": "string",
            "format": "period",
            "pattern": r"^(hour|day|week|month|total|rolling [0-9]+ ?[mhd]|.*\$\{.*)$",
        }
    ),
]
By: TypeAlias = Annotated[
    str, AfterValidator(_by), WithJsonSchema({"type": "string", "format": "cel"})
]
TimeZone: TypeAlias = Annotated[
    str, AfterValidator(_zone), WithJsonSchema({"type": "string", "format": "time-zone"})
]


def _share(value: Any, most: int) -> int:
    """In thousandths."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = (
        re.fullmatch(r"([0-9]{1,3})(?:\.([0-9]))? ?%", value) if isinstance(value, str) else None
    )
    permille = int(match[1]) * 10 + int(match[2] or 0) if match else 0
    if not 1 <= permille <= most:
        raise refusal(f"must be a share from 0.1% to {most // 10}%", "such as 10%")
    return permille


def _percent(value: Any) -> int:
    return _share(value, 1000)


def _alert_share(value: Any) -> int:
    return _share(value, 9990)


Percent: TypeAlias = Annotated[
    int,
    PlainValidator(_percent),
    PlainSerializer(written_permille),
    WithJsonSchema({"type": "string", "format": "percent"}),
]


AlertShare: TypeAlias = Annotated[
    int,
    PlainValidator(_alert_share),
    PlainSerializer(written_permille),
    WithJsonSchema({"type": "string", "format": "percent"}),
]


class BudgetScopeBlock(Block):
    """Whose spending is counted. With a `*`, each value that matches is counted apart."""

    key: Text | None = None
    """The name of the API key."""
    user: Text | None = None
    """The user: of the key, or of the token."""
    team: Text | None = None
    """The team: of the key, or of the token."""
    model: Text | None = None
    """The model that the client asked for."""
    provider: Text | None = None
    """The provider that is tried first."""
    mcp: Text | None = None
    """Calls of an MCP server's tools that have a price, by the server."""
    tool: Text | None = None
    """Beside `mcp`: calls of these tools alone, as their server knows them."""
    a2a: Text | None = None
    """Messages to an A2A agent that has a price, by the agent."""


class BudgetMode(StrEnum):
    """What becomes of a call for which too little is left."""

    HARD = "hard"
    SOFT = "soft"


class AlertBlock(Block):
    """One share of the limit."""

    at: AlertShare
    """How much is spent of it, such as `80%`; up to `999%`, since soft budgets go on."""


class WhenLowBlock(Block):
    """Which model is asked when little is left: in the client's API, under its own rules, guards,
    limits, prices and budgets, as if the client had asked for it. Where the caller may not use
    it, the call stays with its own."""

    below: Percent
    """The share of the limit, what was topped up included, such as `10%`. Of what other
    workers spend, what was so some seconds ago is known."""
    route_to: Text
    """A model of `llm.models`."""


class BudgetBlock(Block):
    """How much may be spent. The estimate of a call is reserved before it, and settled after."""

    name: Name
    """Named in refusals and reports; unique."""
    scope: BudgetScopeBlock = Field(default=BudgetScopeBlock(), alias="for")
    """Whose spending; without it, everybody's together."""
    by: By | None = None
    """CEL that yields a text, such as `principal.tags["project"]` or `jwt.tenant`: each text is
    counted apart, within `for`. Requests without it are counted together. What clients may choose
    freely, as `request.headers["x-project"]`, bounds nobody."""
    limit: Amount
    """`500 USD`, `2.50 USD`, `100k tokens`."""
    per: Per
    """When it starts anew: with each `hour`, `day`, `week` (from Monday) or `month` of the
    calendar, or never (`total`). Or what any time of a length may hold: `rolling 24h`, in `m`, `h`
    or `d`; then what was spent comes back when it is as old, or up to a twelfth older."""
    time_zone: TimeZone | None = None
    """Of the calendar, such as `Europe/Berlin`. Default: UTC."""
    alerts: tuple[AlertBlock, ...] = ()
    """When the webhook of `alerts` is told, once for each period of each that is counted apart."""
    mode: BudgetMode = BudgetMode.HARD
    """`hard`: what is not left is refused. `soft`: it counts, and refuses nobody, also when the
    ledger gives no answer."""
    when_low: WhenLowBlock | None = None
    """A cheaper model for when little is left."""

    @model_validator(mode="after")
    def _has_a_calendar(self) -> BudgetBlock:
        if self.time_zone is not None and self.per.period not in _CALENDAR:
            raise refusal(
                "has a time_zone, and no calendar", f"per {self.per} is the same anywhere"
            )
        return self

    @property
    def lowering(self) -> WhenLow | None:
        """What `when_low` means."""
        low = self.when_low
        return None if low is None else WhenLow(low.below, low.route_to)

    @property
    def span(self) -> Span:
        """When it starts anew, and where that is said."""
        return replace(self.per, time_zone=self.time_zone or "UTC")
