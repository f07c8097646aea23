"""Windows follow the calendar of a zone, or roll."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.periods import STEPS, Period, Span
from gateway.windows import Window, windows

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
ZONED = [
    ("Asia/Tokyo", Period.DAY, "2026-11-25T16:34", "2026-11-25T15:00", "2026-11-26T15:00"),
    ("Asia/Tokyo", Period.MONTH, "2026-11-30T15:00", "2026-11-30T15:00", "2026-12-31T15:00"),
    ("Asia/Kolkata", Period.HOUR, "2026-11-25T16:34", "2026-11-25T16:30", "2026-11-25T17:30"),
    # the day on which clocks go forward has 23 hours, the one on which they go back 25
    ("Europe/Berlin", Period.DAY, "2026-03-29T12:00", "2026-03-28T23:00", "2026-03-29T22:00"),
    ("Europe/Berlin", Period.DAY, "2026-10-25T12:00", "2026-10-24T22:00", "2026-10-25T23:00"),
    ("Europe/Berlin", Period.WEEK, "2026-03-29T12:00", "2026-03-22T23:00", "2026-03-29T22:00"),
    # two hours of the same name are two hours
    ("Europe/Berlin", Period.HOUR, "2026-10-25T00:30", "2026-10-25T00:00", "2026-10-25T01:00"),
    ("Europe/Berlin", Period.HOUR, "2026-10-25T01:30", "2026-10-25T01:00", "2026-10-25T02:00"),
]
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland")
moments = st.datetimes(datetime(2000, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def only(span: Span, now: datetime) -> Window:
    (window,) = windows(span, now)
    return window


@pytest.mark.parametrize(("period", "now", "start", "end"), CASES)
def test_a_window_is_the_calendars(period: Period, now: str, start: str, end: str) -> None:
    window = only(Span(period), utc(now))
    assert window == (utc(start).timestamp(), utc(end).timestamp(), None)


@pytest.mark.parametrize(("zone", "period", "now", "start", "end"), ZONED)
def test_the_calendar_is_that_of_the_zone(
    zone: str, period: Period, now: str, start: str, end: str
) -> None:
    window = only(Span(period, zone), utc(now))
    assert window == (utc(start).timestamp(), utc(end).timestamp(), None)


def test_a_total_never_ends() -> None:
    assert only(Span(Period.TOTAL), utc("2026-11-25T16:34")) == (0, None, None)


def test_a_clock_in_another_zone_says_the_same_moment() -> None:
    tokyo = utc("2026-11-30T23:30").astimezone(timezone(timedelta(hours=9)))
    assert windows(Span(Period.MONTH), tokyo) == windows(Span(Period.MONTH), tokyo.astimezone(UTC))


calendar = st.sampled_from([each for each in Period if each not in (Period.TOTAL, Period.ROLLING)])


@given(calendar, st.sampled_from(ZONES), moments)
def test_windows_follow_each_other_without_a_gap(period: Period, zone: str, now: datetime) -> None:
    span = Span(period, zone)
    window = only(span, now)
    assert window.end is not None
    assert window.start <= now.timestamp() < window.end
    assert only(span, datetime.fromtimestamp(window.start, UTC)) == window
    assert only(span, datetime.fromtimestamp(window.end, UTC)).start == window.end


@given(moments, st.integers(1, 100))
def test_what_is_spent_within_a_rolling_window_is_in_one_that_is_counted(
    now: datetime, minutes: int
) -> None:
    span = Span(Period.ROLLING, seconds=minutes * 60)
    counted = windows(span, now)
    assert len(counted) == STEPS + 1 == len({window.phase for window in counted})
    assert all(w.end is not None and w.start <= now.timestamp() < w.end for w in counted)
    oldest = counted[-1]
    earliest = now.timestamp() - span.seconds
    assert oldest.start <= earliest + 1
    # what was spent up to a whole window ago was counted in the oldest of today's windows
    then = datetime.fromtimestamp(max(earliest, oldest.start), UTC)
    assert oldest in windows(span, then)


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (Span(Period.DAY), "day"),
        (Span(Period.ROLLING, seconds=86400), "rolling 1d"),
        (Span(Period.ROLLING, seconds=90 * 60), "rolling 90m"),
        (Span(Period.ROLLING, seconds=36 * 3600), "rolling 36h"),
    ],
)
def test_a_span_says_what_was_written(span: Span, text: str) -> None:
    assert str(span) == text
