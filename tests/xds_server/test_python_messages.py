"""Messages to Python are those that a processing mode shows, by Envoy's own defaults."""

from __future__ import annotations

from dataclasses import replace

from gateway.guards import Guarded
from gateway.model import Dialect, Match, Route
from xds_server.llm_answers import LlmAnswers, PassedAnswers
from xds_server.python_messages import (
    ALWAYS,
    STREAM_LOG,
    Caller,
    answered,
    batch_messages,
    least,
    llm_messages,
    mcp_messages,
    messages,
    mode_of,
    most,
    session_messages,
)

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


NOBODY_WAITS = LlmAnswers(
    Dialect.OPENAI_CHAT,
    own=("a",),
    reframed=(),
    foreign=(),
    is_budgeted=False,
    is_usage_read=True,
    is_watched=False,
    is_timed=False,
)


def costs(**holds: object) -> tuple[int, int | None]:
    shown = llm_messages(FULL, replace(NOBODY_WAITS, **holds))
    return least(shown), most(shown)


def test_of_answers_only_those_are_shown_for_which_something_waits() -> None:
    assert costs() == (2, 2)
    assert costs(is_watched=True) == (2, 3)
    assert costs(is_timed=True) == (3, 3)
    assert costs(is_budgeted=True) == (2, None)
    assert costs(foreign=("b",)) == (2, None)
    assert costs(own=(), foreign=("b",)) == (4, None)
    assert costs(reframed=("a",)) == (3, None)


def test_no_answer_is_shown_whose_headers_are_not() -> None:
    mode = {**FULL, "response_header_mode": "SKIP"}
    shown = llm_messages(mode, replace(NOBODY_WAITS, foreign=("b",)))
    assert [each.name for each in shown] == ["request headers", "request body"]


def test_the_usage_comes_behind_answers_that_envoy_reads() -> None:
    names = [each.name for each in llm_messages(FULL, replace(NOBODY_WAITS, is_budgeted=True))]
    assert names[2:] == ["response headers", "response body", "response trailers", STREAM_LOG]
    older = replace(NOBODY_WAITS, is_budgeted=True, is_usage_read=False)
    assert [each.name for each in llm_messages(FULL, older)][-1] == "response body"
    translated = replace(NOBODY_WAITS, is_budgeted=True, own=(), foreign=("b",))
    assert [each.name for each in llm_messages(FULL, translated)][-1] == "response body"


def test_every_reason_is_said() -> None:
    everything = replace(
        NOBODY_WAITS,
        own=("a", "c"),
        foreign=("b",),
        reframed=("a",),
        is_budgeted=True,
        is_watched=True,
    )
    status, body = llm_messages(FULL, everything)[2:4]
    assert status.when == (
        "when a try of the plan speaks another dialect; when a budget applies;"
        " of several tries, ten answers a second, and all while one of them fails"
    )
    assert body.when == (
        "when the answer is in another dialect; when a answers with an error, or in other frames;"
        " when a budget applies, with 2xx that Envoy cannot read"
    )
    always = llm_messages(FULL, replace(everything, is_timed=True))[2]
    assert (always.when, "how soon there was an answer" in always.why) == ("always", True)


def test_of_answers_about_batches_those_are_shown_that_tell_something() -> None:
    mode = {**FULL, "request_body_mode": "NONE", "response_trailer_mode": "SKIP"}
    counted = PassedAnswers(is_counted=True, is_judged=False, is_always_judged=False)
    shown = batch_messages(mode, counted)
    assert [each.name for each in shown] == ["request headers", "response headers", "response body"]
    assert (least(shown), most(shown)) == (1, None)
    nobody_counts = {**mode, "response_header_mode": "SKIP"}
    assert batch_messages(nobody_counts, replace(counted, is_counted=False)) == messages(
        nobody_counts, Caller.LLM
    )


def test_of_uploads_the_answer_is_shown_that_says_where_they_go_on() -> None:
    mode = {**FULL, "request_body_mode": "NONE", "response_trailer_mode": "SKIP"}
    answers = PassedAnswers(False, False, False, is_uploaded=True)
    _, status = batch_messages(mode, answers)
    assert (status.name, status.when) == ("response headers", "when an upload begins")


def test_answers_that_rules_are_for_are_shown_whoever_reads_requests() -> None:
    mode = {**FULL, "request_body_mode": "NONE", "response_trailer_mode": "SKIP"}
    judged = PassedAnswers(is_counted=False, is_judged=True, is_always_judged=False)
    for make in (batch_messages, session_messages):
        _, status = make(mode, judged)
        assert status.name == "response headers"
        assert (status.is_certain, status.when) == (False, "when a rule of responses is for it")
        _, status = make(mode, replace(judged, is_always_judged=True))
        assert (status.is_certain, status.when) == (True, "always")
        _, status, body = make(mode, replace(judged, is_counted=True))
        assert status.when.startswith("when a rule of responses is for it; when a ")
        assert status.why.startswith("whether the rules allow the response; whether ")
        assert body.name == "response body"
    some = llm_messages(FULL, replace(NOBODY_WAITS, is_judged=True))
    assert [(each.name, each.is_certain) for each in some[2:]] == [("response headers", False)]
    every = llm_messages(FULL, replace(NOBODY_WAITS, is_judged=True, is_always_judged=True))
    assert every[2].is_certain


def test_pieces_of_a_body_have_no_number() -> None:
    shown = messages({**FULL, "response_body_mode": "STREAMED"}, Caller.LLM)
    assert most(shown) is None
    assert least(shown) == len(shown) - 1  # not all answers have trailers


def test_who_counts_open_requests_hears_of_their_ends() -> None:
    limited = replace(NOBODY_WAITS, is_placed=True)
    status, trailers = llm_messages(FULL, limited)[2:]
    assert status.when == "when a limit of open requests applies"
    assert (trailers.name, trailers.is_certain) == ("response trailers", False)
    counted = llm_messages(FULL, replace(limited, own=("a",), is_limited=True, is_usage_read=True))
    assert counted[-1].when.startswith("when a limit of tokens applies, of a stream")


def test_every_message_says_why() -> None:
    for caller in Caller:
        shown = messages(FULL, caller)
        assert shown
        assert all(each.why and each.when for each in shown)


def test_guards_of_mcp_read_answers() -> None:
    mode = {"request_header_mode": "SEND", "request_body_mode": "BUFFERED"}
    plain = mcp_messages(mode, is_federated=False, is_known=False)
    read = mcp_messages(mode, is_federated=False, is_known=False, is_read=True)
    assert [each.name for each in read[len(plain) :]] == ["response headers", "response body"]
    assert all(each.when == "where guards or rules read what the server says" for each in read[-2:])


def test_answers_of_a_plain_route_are_shown_where_guards_may_read_them() -> None:
    route = Route("r", (), Match((), None, None, (), ()), (), None, 0, 0, needs_identity=False)
    shown = messages({**FULL, "response_trailer_mode": "SKIP"}, Caller.PLAIN)
    assert [each.name for each in answered(route, shown, is_certain=True)][-1] == "response headers"
    route = replace(route, guarded=Guarded(answers=True))
    names = ["request headers", "request body", "response headers", "response body"]
    for is_certain in (False, True):
        found = answered(route, shown, is_certain=is_certain)
        assert [each.name for each in found] == [*names, "response trailers"]
        assert (found[2].is_certain, found[2].when == ALWAYS) == (is_certain, is_certain)
        assert most(found) is None
    held = messages(FULL, Caller.PLAIN)
    judged = answered(replace(route, is_answer_judged=True), held, is_certain=False)
    assert "rule" in judged[2].when
    assert judged[-1] == held[-1]
