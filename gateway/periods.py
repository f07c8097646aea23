"""What budgets count, and when they start anew."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

STEPS = 12
"""A rolling window moves on in so many steps."""


class Unit(StrEnum):
    """What a budget counts."""

    NANODOLLARS = "nanodollars"
    TOKENS = "tokens"


class Period(StrEnum):
    """When a budget starts anew: with the calendar, weeks on Monday; or how it does not."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    ROLLING = "rolling"
    """Never at once: what was spent comes back as it grows old."""
    TOTAL = "total"


@dataclass(frozen=True, slots=True)
class Span:
    """A period, with what it takes to know its beginning."""

    period: Period
    time_zone: str = "UTC"
    """Of the calendar, by its IANA name."""
    seconds: int = 0
    """Of a rolling window; a multiple of `STEPS`."""

    @property
    def is_of_calendar(self) -> bool:
        """Whether it matters where it is asked."""
        return self.period not in (Period.ROLLING, Period.TOTAL)

    def __str__(self) -> str:
        if self.period is not Period.ROLLING:
            return self.period.value
        for unit, seconds in (("d", 86400), ("h", 3600)):
            if self.seconds % seconds == 0:
                return f"rolling {self.seconds // seconds}{unit}"
        return f"rolling {self.seconds // 60}m"
