"""The words of limits."""

from __future__ import annotations

from gateway.limits import PERIODS, period_name


def test_periods_have_names_for_people_and_for_files() -> None:
    assert {short: period_name(seconds) for short, seconds in PERIODS.items()} == {
        "s": "second",
        "min": "minute",
        "h": "hour",
        "day": "day",
    }
