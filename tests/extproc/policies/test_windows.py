"""Windows follow the calendar in UTC, whatever zone the clock is in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.policies.windows import window
from gateway.model import Period

CASES = [
    (Period.HOUR, "2026-11-25T16:34:56.7", "2026-11-25T16:00", "2026-11-25T17:00"),
    (Period.DAY, "2026-11-25T16:34:56.7", "2026-11-25T00:00", "2026-11-26T00:00"),
    (Period.WEEK, "2026-11-25T16:34:56.7", "2026-11-23T00:00", "2026-11-30T00:00"),
    (Period.WEEK, "2026-11-23T00:00", "2026-11-23T00:00", "2026-11-30T00:00"),
    (Period.WEEK, "2026-11-22T23:59:59.9", "2026-11-16T00:00", "2026-11-23T00:00"),
    (Period.MONTH, "2026-11-30T23:59:59.9", "2026-11-01T00:00", "2026-12-01T00:00"),
    (Period.MONTH, "2026-12-31T12:00", "2026-12-01T00:00", "2027-01-01T00:00"),
    (Period.MONTH, "2028-02-29T12:00", "2028-02-01T00:00", "2028-03-01T00:00"),
    (Period.MONTH, "2026-01-31T12:00", "2026-01-01T00:00", "2026-02-01T00:00"),
]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(("period", "now", "start", "end"), CASES)
def test_a_window_is_the_calendars(period: Period, now: str, start: str, end: str) -> None:
    assert window(period, utc(now)) == (utc(start).timestamp(), utc(end).timestamp())


def test_a_total_never_ends() -> None:
    assert window(Period.TOTAL, utc("2026-11-25T16:34")) == (0, None)


def test_other_zones_are_the_same_moment() -> None:
    tokyo = utc("2026-11-30T23:30").astimezone(timezone(timedelta(hours=9)))
    assert window(Period.MONTH, tokyo) == window(Period.MONTH, utc("2026-11-30T23:30"))


periodic = st.sampled_from([period for period in Period if period is not Period.TOTAL])


@given(periodic, st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))
def test_windows_follow_each_other_without_a_gap(period: Period, now: datetime) -> None:
    start, end = window(period, now)
    assert end is not None
    assert start <= now.timestamp() < end
    assert window(period, datetime.fromtimestamp(start, UTC)) == (start, end)
    assert window(period, datetime.fromtimestamp(end, UTC))[0] == end
