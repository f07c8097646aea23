"""Messages to Python are those that a processing mode shows, by Envoy's own defaults."""

from __future__ import annotations

from xds_server.python_messages import Caller, least, messages, mode_of, most

FULL = {
    "request_header_mode": "SEND",
    "request_body_mode": "BUFFERED",
    "request_trailer_mode": "SKIP",
    "response_header_mode": "SEND",
    "response_body_mode": "NONE",
    "response_trailer_mode": "SEND",
}


def names(mode: dict[str, str] | None, caller: Caller = Caller.LLM) -> list[str]:
    return [each.name for each in messages(mode, caller)]


def test_what_is_sent_comes_in_the_order_of_a_request() -> None:
    assert names(FULL) == [
        "request headers",
        "request body",
        "response headers",
        "response trailers",
    ]


def test_a_mode_that_says_nothing_shows_both_headers_as_envoy_does() -> None:
    assert names({}) == ["request headers", "response headers"]


def test_no_mode_shows_nothing() -> None:
    assert names(None) == []


def test_a_filter_that_is_not_there_or_disabled_shows_nothing() -> None:
    assert mode_of(None, None) is None
    assert mode_of({"processing_mode": FULL}, {"disabled": True}) is None


def test_an_override_takes_the_place_of_the_whole_mode() -> None:
    own = {"processing_mode": FULL}
    assert mode_of(own, None) == FULL
    assert mode_of(own, {"overrides": {"grpc_initial_metadata": []}}) == FULL
    override = {"request_body_mode": "NONE"}
    assert mode_of(own, {"overrides": {"processing_mode": override}}) == override


def test_what_only_a_budget_waits_for_is_not_in_the_least() -> None:
    shown = messages(FULL, Caller.LLM)
    assert (least(shown), most(shown)) == (2, 4)
    assert (least(messages({}, Caller.PLAIN)), most(messages({}, Caller.PLAIN))) == (2, 2)


def test_pieces_of_a_body_have_no_number() -> None:
    shown = messages({**FULL, "response_body_mode": "STREAMED"}, Caller.LLM)
    assert most(shown) is None
    assert least(shown) == 2


def test_every_message_says_why() -> None:
    for caller in Caller:
        shown = messages(FULL, caller)
        assert shown
        assert all(each.why and each.when for each in shown)
