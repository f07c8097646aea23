"""Durations of theirs → ours."""

from __future__ import annotations

import pytest

from gateway.importers.agentgateway.durations import duration


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("1s", "1s"),
        ("1m30s", "90s"),
        ("1.5s", "1500ms"),
        ("2m0s", "120s"),
        ("1h", "3600s"),
        ("1000us", "1ms"),
        ("0", "0s"),
        ("${WAIT:-5s}", "${WAIT:-5s}"),
        ("1us", None),
        ("25h", None),
        ("1x", None),
        ("s", None),
        ("", None),
        ("1s2", None),
    ],
)
def test_a_duration_is_as_long(theirs: str, ours: str | None) -> None:
    assert duration(theirs) == ours
