"""How long a server that does not start is left alone."""

from __future__ import annotations

from extproc.hub.restarts import FIRST_SECONDS, LAST_SECONDS, Restarts


def test_each_failure_in_a_row_keeps_callers_away_for_twice_as_long() -> None:
    restarts = Restarts()
    assert restarts.refusal(100.0) is None
    restarts.failed("it ended with status 1", 100.0)
    refusal = restarts.refusal(100.0)
    assert refusal == f"it ended with status 1; tried again in {FIRST_SECONDS:.1f} s"
    assert restarts.refusal(100.0 + FIRST_SECONDS) is None
    restarts.failed("again", 101.0)
    assert restarts.refusal(101.0 + FIRST_SECONDS) is not None
    assert restarts.refusal(101.0 + 2 * FIRST_SECONDS) is None


def test_but_never_for_longer_than_the_last() -> None:
    restarts = Restarts()
    for _ in range(5000):
        restarts.failed("no", 0.0)
    assert restarts.refusal(LAST_SECONDS - 0.1) is not None
    assert restarts.refusal(LAST_SECONDS) is None


def test_one_that_has_started_begins_anew() -> None:
    restarts = Restarts()
    restarts.failed("no", 0.0)
    restarts.failed("no", 0.0)
    restarts.started()
    assert (restarts.refusal(0.0), restarts.failures) == (None, 0)
