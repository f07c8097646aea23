"""The words of limits."""

from __future__ import annotations

import pytest

from gateway.limits import PERIODS, Key, envoys_key, period_name


def test_periods_have_names_for_people_and_for_files() -> None:
    assert {short: period_name(seconds) for short, seconds in PERIODS.items()} == {
        "s": "second",
        "min": "minute",
        "h": "hour",
        "day": "day",
    }


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("source.address", Key.SOURCE),
        (' request.headers[ "x-a" ]', "x-a"),
        ("request.headers['x-a']", "x-a"),
        ('request.headers["X-A"]', None),
        ('request.headers["x-a"] + "b"', None),
        ("principal.team", None),
        ("", None),
    ],
)
def test_envoy_counts_by_addresses_and_headers(by: str, expected: object) -> None:
    assert envoys_key(by) == expected
