"""Who failed, by what Envoy tells of the last answer."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from extproc.events import Failure, ResponseHeaders
from extproc.outcomes import outcomes, soonest
from extproc.plan import Try
from extproc.wire import Said
from gateway.model import Dialect
from gateway.operations import Operation

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
TRIES = tuple(
    Try(f"llm/{name}", name, "m", Operation.CHAT, Said(Dialect.OPENAI_CHAT, "m"), "/", None, None)
    for name in "abc"
)


def heard(event: ResponseHeaders) -> list[tuple[str, bool, float | None]]:
    return [
        (each.tried.provider, each.is_failure, each.told) for each in outcomes(TRIES, event, NOW)
    ]


def test_the_first_answers() -> None:
    assert heard(ResponseHeaders(200, "llm/a")) == [("a", False, None)]


def test_who_was_tried_before_and_said_nothing_failed() -> None:
    assert heard(ResponseHeaders(200, "llm/b")) == [("a", True, None), ("b", False, None)]


def test_what_was_said_says_how_long_to_wait() -> None:
    failures = {"llm/a": Failure(429, {"retry-after": "20"}), "llm/b": Failure(500, {})}
    event = ResponseHeaders(200, "llm/c", failures=failures)
    assert heard(event) == [("a", True, 20), ("b", True, None), ("c", False, None)]


def test_a_prompt_that_is_too_long_is_no_failure_of_the_provider() -> None:
    failures = {"llm/a": Failure(400, {})}
    event = ResponseHeaders(200, "llm/b", failures=failures)
    assert heard(event) == [("a", False, None), ("b", False, None)]


def test_the_number_of_the_try_counts_where_it_is_told() -> None:
    assert heard(ResponseHeaders(200, "plan/a>b>c", attempt=2)) == [
        ("a", True, None),
        ("b", False, None),
    ]
    assert heard(ResponseHeaders(200, "plan/a>b>c", attempt=9)) == []


@pytest.mark.parametrize("status", [408, 409, 424, 429, 500, 503, 529])
def test_the_last_may_fail_too(status: int) -> None:
    event = ResponseHeaders(status, "llm/a", "via_upstream")
    assert heard(event) == [("a", True, None)]


@pytest.mark.parametrize("status", [401, 403])
def test_whose_credentials_were_refused_is_not_known(status: int) -> None:
    assert heard(ResponseHeaders(status, "llm/a", "via_upstream")) == []


@pytest.mark.parametrize(
    "details",
    [
        "upstream_reset_before_response_started{connection_failure}",
        "upstream_per_try_timeout",
        "no_healthy_upstream",
        "response_timeout",
    ],
)
def test_where_envoy_answers_for_it_it_failed(details: str) -> None:
    assert heard(ResponseHeaders(503, "llm/a", details)) == [("a", True, None)]


def test_who_has_no_address_is_lost() -> None:
    for details, is_lost in (("no_healthy_upstream", True), ("response_timeout", False)):
        (found,) = outcomes(TRIES, ResponseHeaders(503, "llm/a", details), NOW)
        assert found.is_lost is is_lost


@pytest.mark.parametrize("details", ["ext_proc_error_gRPC_error_14", "dragoman_lossy"])
def test_what_is_our_own_fault_is_held_against_nobody(details: str) -> None:
    assert heard(ResponseHeaders(503, "llm/a", details)) == []


def test_a_cluster_that_is_none_of_the_plan_says_nothing() -> None:
    assert heard(ResponseHeaders(503, "dragoman_unplanned", "no_healthy_upstream")) == []


def test_the_soonest_is_told_in_whole_seconds() -> None:
    failures = {
        "llm/a": Failure(429, {"retry-after": "20"}),
        "llm/b": Failure(429, {"retry-after-ms": "6100"}),
    }
    found = outcomes(TRIES, ResponseHeaders(503, "llm/c", "via_upstream", 0, {}, failures), NOW)
    assert soonest(found) == "7"
    assert soonest(found[-1:]) is None
