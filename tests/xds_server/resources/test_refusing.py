"""Routes say whose refusals Envoy's are."""

from __future__ import annotations

from gateway import names
from gateway.limits import Limit, Rate
from gateway.scopes import Scope
from xds_server.resources.refusing import metadata, refusing


def limit(name: str, amount: int = 0) -> Limit:
    return Limit(name, Scope(), requests=Rate(amount, 60) if amount else None)


def test_a_service_refuses_gives_no_answer_or_is_not_asked() -> None:
    assert refusing(external="door") == {
        names.EXTERNAL_DENIED: "door",
        names.EXTERNAL_FAILED: "door",
        names.NOT_ASKED: "door",
    }


def test_where_people_log_in_the_login_is_named() -> None:
    assert refusing(login="staff") == {names.LOGIN_REQUIRED: "staff"}


def test_limits_are_told_apart_by_their_amounts_as_far_as_they_differ() -> None:
    assert refusing(counted=[limit("a", 5)]) == {"local_rate_limited": "a"}
    assert refusing(counted=[limit("a", 5), limit("b", 60), limit("c", 60)]) == {
        "local_rate_limited": "a, b, c",
        "local_rate_limited/5": "a",
    }


def test_what_services_count_is_known_by_all_names() -> None:
    assert refusing(asked=[limit("a"), limit("b"), limit("a")]) == {
        "request_rate_limited": "a, b",
        "rate_limiter_error": "a, b",
    }


def test_a_route_without_all_that_says_nothing() -> None:
    assert refusing() == {}
    assert metadata({}, {}) == {}
    assert metadata({"x": "why"}, {"y": "z"}) == {
        "metadata": {
            "filter_metadata": {
                names.RULES_NAMESPACE: {"x": "why"},
                names.REFUSALS_NAMESPACE: {names.REFUSING: {"y": "z"}},
            }
        }
    }
