from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.protocols.retry_after import retry_after
from gateway.names import RETRY_AFTER_HEADERS

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "20"}, 20),
        ({"retry-after": " 20 "}, 20),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "20", "retry-after-ms": "1500"}, 1.5),
        ({"retry-after": "Wed, 25 Nov 2026 12:00:07 GMT"}, 7),
        ({"retry-after": "Wed, 25 Nov 2026 13:00:07 +0100"}, 7),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1s"}, 1),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s"}, 360),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "7.66s"}, 7.66),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "120ms"}, 0.12),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "12"}, 12),
    ],
)
def test_what_is_told_is_read(headers: dict[str, str], seconds: float) -> None:
    assert retry_after(headers, NOW) == pytest.approx(seconds)


def test_the_limit_that_takes_longest_counts() -> None:
    told = {
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "1s",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "1h1m",
    }
    assert retry_after(told, NOW) == 3660


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"retry-after": ""},
        {"retry-after": "0"},
        {"retry-after": "-1"},
        {"retry-after": "soon"},
        {"retry-after": "Wed, 25 Nov 2026 11:59:00 GMT"},
        {"retry-after-ms": "0"},
        {"x-ratelimit-remaining-requests": "3", "x-ratelimit-reset-requests": "1s"},
        {"x-ratelimit-reset-requests": "1s"},
        {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1s later"},
        {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": ""},
    ],
)
def test_what_says_nothing_is_nothing(headers: dict[str, str]) -> None:
    assert retry_after(headers, NOW) is None


@given(st.dictionaries(st.sampled_from(RETRY_AFTER_HEADERS), st.text(max_size=40)))
def test_whatever_is_told_is_a_time_or_nothing(headers: dict[str, str]) -> None:
    seconds = retry_after(headers, NOW)
    assert seconds is None or seconds > 0
