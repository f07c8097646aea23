"""When a budget's windows began and when they end: one of the calendar, or several that roll.

A rolling window of 12 steps is kept as 13 windows of 13 steps, each of which begins a step after
the one before. Whatever 12 steps one looks at, some window holds all of them: where each keeps the
limit, they do.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from gateway.periods import STEPS, Period, Span

_ROLLING = STEPS + 1


class Window(NamedTuple):
    """Unix seconds: the first of the window, and the first after it (None: it never ends)."""

    start: int
    end: int | None
    phase: int | None = None
    """Tells windows apart that overlap; None: there is one at a time."""


def windows(span: Span, now: datetime) -> tuple[Window, ...]:
    """The windows that `now`, which must be aware, lies in, the youngest first: where
    it is full, nothing comes back before it ends.
    """
    if span.period is Period.TOTAL:
        return (Window(0, None),)
    if span.period is Period.ROLLING:
        step = span.seconds // STEPS
        latest = int(now.timestamp()) // step
        return tuple(
            Window(each * step, (each + _ROLLING) * step, each % _ROLLING)
            for each in range(latest, latest - STEPS - 1, -1)
        )
    zone = UTC if span.time_zone == "UTC" else _zone(span.time_zone)
    here = now.astimezone(zone)
    if span.period is Period.HOUR:
        start = here.replace(minute=0, second=0, microsecond=0)
        return (_between(start, datetime.fromtimestamp(start.timestamp() + 3600, UTC)),)
    day = here.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    return (_between(*_days(span.period, day)),)


def _days(period: Period, day: datetime) -> tuple[datetime, datetime]:
    """As the calendar on the wall counts: a day may have 23 hours."""
    if period is Period.WEEK:
        monday = day - timedelta(days=day.weekday())
        return monday, monday + timedelta(weeks=1)
    if period is Period.MONTH:
        first = day.replace(day=1)
        return first, (first + timedelta(days=31)).replace(day=1)
    return day, day + timedelta(days=1)


def _between(start: datetime, end: datetime) -> Window:
    return Window(int(start.timestamp()), int(end.timestamp()))


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
