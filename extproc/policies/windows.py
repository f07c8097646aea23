"""Calendar periods in UTC: when a budget's current window began and when it ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import assert_never

from gateway.model import Period

Window = tuple[int, int | None]
"""Unix seconds: the first of the window, and the first after it (None: it never ends)."""


def window(period: Period, now: datetime) -> Window:
    """The window that `now`, which must be aware, lies in. Weeks begin on Monday."""
    hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    day = hour.replace(hour=0)
    match period:
        case Period.HOUR:
            return _between(hour, hour + timedelta(hours=1))
        case Period.DAY:
            return _between(day, day + timedelta(days=1))
        case Period.WEEK:
            monday = day - timedelta(days=day.weekday())
            return _between(monday, monday + timedelta(weeks=1))
        case Period.MONTH:
            first = day.replace(day=1)
            return _between(first, (first + timedelta(days=31)).replace(day=1))
        case Period.TOTAL:
            return 0, None
        case _:
            assert_never(period)


def _between(start: datetime, end: datetime) -> Window:
    return int(start.timestamp()), int(end.timestamp())
