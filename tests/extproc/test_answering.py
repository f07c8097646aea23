"""What becomes of an answer: passed, counted, translated, and paid."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import Any

import pytest

from extproc.cut_streams import MOST_LOOKS
from extproc.events import (
    CONTINUE,
    Action,
    ChangeHeaders,
    Failure,
    Forward,
    Replace,
    Respond,
    ResponseBody,
    ResponseEnd,
    ResponseHeaders,
    Watch,
)
from extproc.llm.answer import Ended
from extproc.llm.bedrock.claude import ClaudeDecoding
from extproc.plan import Steering
from extproc.policies.budget import DEFAULT_OUTPUT_TOKENS
from gateway import names
from gateway.usage import Usage
from tests.kit.llm_exchange import (
    DAY_START,
    WITHOUT_BUDGETS,
    YAML,
    LlmExchange,
    Response,
    chat,
    clusters,
    forwarded,
    llm_exchange,
)
from tests.kit.long_streams import SPOKEN
from tests.kit.sample_providers import SAMPLES, stream_of
from tests.kit.told_streams import worker

CLAUDE = "llm/claude/addressed"


def sample(dialect: str, name: str, kind: str = "answers") -> bytes:
    return (SAMPLES / dialect / kind / f"{name}.json").read_bytes()


def said(action: Action) -> bytes:
    assert isinstance(action, Replace)
    return action.body


def test_an_answer_in_the_clients_dialect_is_never_seen() -> None:
    talk = llm_exchange(WITHOUT_BUDGETS)
    talk.ask(**chat("gpt"))
    assert talk.exchange.is_over


def test_envoy_counts_what_a_budget_waits_for() -> None:
    talk = llm_exchange()
    talk.ask(**chat("gpt"))
    assert talk.answered("llm/chat") == CONTINUE
    assert not talk.exchange.is_over
    talk.say(ResponseEnd(Usage(3, 4)))
    assert talk.settled() == 7


RESPONSES = """
llm:
  providers: {o: {type: openai, url: "http://o.example/v1", key: k}}
  models: {gpt: o/gpt, cheap: o/cheap}
  prices:
    gpt: {input: 1, output: 2}
    gpt-image-2: {input: 5, output: 10, image_output: 30}
budgets: [{name: all, limit: 1000000 tokens, per: day}, {name: usd, limit: 9 USD, per: day}]
"""


@pytest.mark.parametrize(
    ("drawer", "spent"),
    [("gpt-image-2", 10 * 1000 + 5 * 2000 + 3 * 5000 + 4 * 30_000),
     ("unheard-of", 10 * 1000 + 5 * 2000 + 3 * 1000 + 4 * 2000)],
)  # fmt: skip
def test_what_a_tool_drew_is_read_here_and_booked_at_its_models_price(
    drawer: str, spent: int
) -> None:
    talk = llm_exchange(RESPONSES)
    tools = [{"type": "image_generation", "model": drawer}]
    talk.ask("/v1/responses", model="gpt", input="a cat", tools=tools)
    assert talk.answered("llm/o") == Watch()
    told = {
        "usage": {"input_tokens": 10, "output_tokens": 5},
        "tools": tools,
        "tool_usage": {"image_gen": {"input_tokens": 3, "output_tokens": 4}},
    }
    body = json.dumps(told).encode()
    talk.say(ResponseBody(body[:-1], False))
    talk.say(ResponseEnd(Usage(10, 5)))  # what Envoy has read is less
    assert talk.settled() == 0
    talk.say(ResponseBody(body[-1:], True))
    assert talk.settled() == 10 + 5 + 3 + 4
    assert asyncio.run(talk.ledger.spent("usd", DAY_START)).settled == spent


def test_without_tools_that_tell_envoy_counts_responses() -> None:
    talk = llm_exchange(RESPONSES)
    talk.ask("/v1/responses", model="gpt", input="a cat", tools=[{"type": "file_search"}])
    assert talk.answered("llm/o") == CONTINUE


def test_a_foreign_answer_is_asked_for_and_said_in_the_clients_dialect() -> None:
    talk = llm_exchange()
    talk.ask(**chat("opus"))
    body = sample("anthropic", "text")
    watch = talk.answered(CLAUDE, content_type="application/json", content_length=str(len(body)))
    without = "content-length", "content-encoding"
    assert watch == Watch((("content-type", "application/json"),), without, True)
    answer = json.loads(said(talk.say(ResponseBody(body, True))))
    assert answer["object"] == "chat.completion"
    assert talk.exchange.is_over
    assert talk.settled() == answer["usage"]["total_tokens"]
    assert talk.reserved() == 0


def test_an_answer_that_envoy_held_back_is_whole_whatever_follows_it() -> None:
    talk = llm_exchange()
    talk.ask(**chat("opus"))
    body = sample("anthropic", "text")
    talk.answered(CLAUDE, content_type="application/json", content_length=str(len(body)))
    assert json.loads(said(talk.say(ResponseBody(body, False))))["choices"]
    assert talk.exchange.is_over


@pytest.mark.parametrize("length", ["", "2000000", "a"])
def test_what_may_not_fit_into_envoys_buffers_comes_in_pieces(length: str) -> None:
    talk = llm_exchange()
    talk.ask(**chat("opus"))
    watch = talk.answered(CLAUDE, content_type="application/json", content_length=length)
    assert isinstance(watch, Watch)
    assert not watch.is_whole
    body = sample("anthropic", "text")
    assert said(talk.say(ResponseBody(body[:9], False))) == b""
    assert json.loads(said(talk.say(ResponseBody(body[9:], True))))["choices"]


@pytest.mark.parametrize(
    ("model", "cluster", "dialect"),
    [
        ("opus", CLAUDE, "anthropic"),
        ("pro", "llm/gemini/addressed", "gemini"),
        ("nova", "llm/bedrock/addressed", "bedrock"),
    ],
)
def test_a_foreign_stream_is_said_as_it_comes_and_settled(
    model: str, cluster: str, dialect: str
) -> None:
    talk = llm_exchange()
    talk.ask(**chat(model, stream=True))
    watch = talk.answered(cluster, content_type="text/event-stream")
    assert isinstance(watch, Watch)
    assert not watch.is_whole
    stream = stream_of(dialect, "text")
    first = said(talk.say(ResponseBody(stream[:-30], False)))
    assert first.startswith(b"data: {")
    last = said(talk.say(ResponseBody(stream[-30:], False)))
    last += said(talk.say(ResponseBody(b"", True)))
    assert (first + last).endswith(b"data: [DONE]\n\n")
    assert talk.exchange.is_over
    assert talk.settled() > 0
    assert talk.reserved() == 0


def test_a_stream_that_is_not_whole_ends_with_an_error_and_is_settled() -> None:
    talk = llm_exchange()
    talk.ask(**chat("opus", stream=True))
    talk.answered(CLAUDE, content_type="text/event-stream")
    stream = stream_of("anthropic", "text")
    talk.say(ResponseBody(stream[: len(stream) // 2], False))
    end = said(talk.say(ResponseBody(b"", True)))
    assert b'"error"' in end
    assert talk.settled() > 0


def test_a_client_that_goes_away_pays_what_was_known() -> None:
    talk = llm_exchange()
    talk.ask(**chat("opus", stream=True))
    talk.answered(CLAUDE, content_type="text/event-stream")
    stream = stream_of("anthropic", "text")
    talk.say(ResponseBody(stream[: len(stream) // 2], False))
    talk.exchange.on_close()
    assert talk.settled() > 0
    assert talk.reserved() == 0


@pytest.mark.parametrize(
    ("model", "cluster", "dialect"),
    [("opus", CLAUDE, "anthropic"), ("pro", "llm/gemini/addressed", "gemini")],
)
@pytest.mark.parametrize("is_broken", [True, False])
def test_of_an_unfinished_stream_what_was_sent_is_booked(
    model: str, cluster: str, dialect: str, is_broken: bool
) -> None:
    """Not what was reserved, and not what Anthropic says at the beginning: one token."""
    talk = llm_exchange()
    talk.ask(**chat(model, stream=True, max_tokens=100_000))
    talk.answered(cluster, content_type="text/event-stream")
    stream = stream_of(dialect, "text")
    talk.say(ResponseBody(stream[: stream.rindex(b"data:") // 2], False))
    if is_broken:
        talk.say(ResponseBody(b"", True))
    talk.exchange.on_close()
    assert 4 < talk.settled() < 1000
    assert talk.reserved() == 0


def test_a_foreign_error_is_told_in_the_clients_words_and_costs_nothing() -> None:
    talk = llm_exchange()
    talk.ask(**chat("opus"))
    watch = talk.answered(CLAUDE, 529, content_type="application/json")
    assert isinstance(watch, Watch)
    assert (":status", "503") in watch.set_headers
    body = said(talk.say(ResponseBody(sample("anthropic", "529-overloaded", "errors"), True)))
    assert json.loads(body)["error"]["message"]
    assert talk.settled() == 0
    assert talk.reserved() == 0


def test_envoys_own_errors_are_already_in_the_clients_words() -> None:
    talk = llm_exchange()
    talk.ask(**chat("opus"))
    action = talk.answered(CLAUDE, 503, details="upstream_reset_before_response_started")
    assert action == CONTINUE
    assert talk.exchange.is_over


def test_what_cannot_be_read_is_never_passed_on() -> None:
    talk = llm_exchange()
    talk.ask(**chat("opus"))
    talk.answered(CLAUDE, content_type="text/html", content_length="6")
    action = talk.say(ResponseBody(b"<html>", True))
    assert isinstance(action, Respond)
    assert (action.status, action.details) == (502, "dragoman_unreadable_answer")


def test_of_a_mixed_plan_the_one_who_answered_decides() -> None:
    talk = llm_exchange()
    talk.ask(**chat("mixed"))
    assert talk.answered("llm/chat/addressed") == CONTINUE
    other = llm_exchange()
    other.ask(**chat("mixed"))
    assert isinstance(other.answered("llm/claude#1", content_type="application/json"), Watch)


def test_where_envoy_cannot_count_the_answer_is_read_here_and_left_as_it_is() -> None:
    for model, steering, dialect in (
        ("gpt", Steering.HEADER, "openai_chat"),
        ("nova", Steering.METADATA, "bedrock"),
    ):
        talk = llm_exchange(steering=steering)
        if dialect == "bedrock":
            path = "/model/nova/converse"
            talk.ask(path, messages=[{"role": "user", "content": [{"text": "hi"}]}])
        else:
            talk.ask(**chat(model))
        cluster = "llm/bedrock" if dialect == "bedrock" else "llm/chat/addressed"
        assert talk.answered(cluster, content_type="application/json") == Watch()
        assert talk.say(ResponseBody(sample(dialect, "text"), True)) == CONTINUE
        assert talk.settled() > 0


def test_a_worker_that_must_leave_stays_while_it_translates() -> None:
    talk = llm_exchange()
    talk.ask(**chat("opus", stream=True))
    assert not talk.exchange.let_go()
    talk.answered(CLAUDE, content_type="text/event-stream")
    assert not talk.exchange.let_go()
    passing = llm_exchange()
    passing.ask(**chat("gpt"))
    passing.answered("llm/chat")
    assert passing.exchange.let_go()


def test_a_client_of_gemini_that_asks_for_no_events_gets_an_array() -> None:
    body = {"contents": [{"parts": [{"text": "hi"}]}]}
    talk = llm_exchange()
    talk.ask("/v1beta/models/opus:streamGenerateContent", **body)
    watch = talk.answered(CLAUDE, content_type="text/event-stream")
    assert isinstance(watch, Watch)
    assert ("content-type", "application/json") in watch.set_headers
    assert ("cache-control", "no-transform") in watch.set_headers  # it comes in pieces all the same
    whole = said(talk.say(ResponseBody(stream_of("anthropic", "text"), False)))
    whole += said(talk.say(ResponseBody(b"", True)))
    assert json.loads(whole)[0]["candidates"]


def test_trailers_may_hide_which_piece_was_the_last() -> None:
    talk = llm_exchange(steering=Steering.HEADER)
    talk.ask(**chat("gpt", stream=True))
    talk.answered("llm/chat/addressed", content_type="text/event-stream")
    events = stream_of("openai_chat", "text").partition(b"data: [DONE]")[0]
    assert talk.say(ResponseBody(events, False)) == CONTINUE
    assert talk.settled() == 0
    talk.exchange.on_close()
    assert talk.settled() > 0
    assert talk.reserved() == 0


class Told:
    """Streams that Envoy tells of, each about the only one that was begun."""

    def __init__(self, yaml: str = YAML) -> None:
        self.streams, self.loop = worker(first=1)
        self.yaml = yaml
        self.number = 0

    def begun(self, path: str = "/v1/chat/completions", **body: Any) -> LlmExchange:
        talk = llm_exchange(self.yaml, cut_streams=self.streams)
        reply = talk.ask(path, **body)
        assert isinstance(reply, Forward)
        self.number += 1
        mark = Response.FromString(reply.plan_reply).dynamic_metadata[names.STREAM_NAMESPACE]
        assert int(mark[names.STREAM_NUMBER], 16) == self.number
        return talk

    def tell(self, sent_bytes: int) -> None:
        self.streams.tell(self.number, sent_bytes)


def test_a_stream_that_passed_unseen_is_booked_by_the_bytes_that_were_sent() -> None:
    told = Told()
    talk = told.begun(**chat("gpt", stream=True))
    talk.answered("llm/chat")
    estimate = talk.reserved()
    talk.exchange.on_close()
    assert talk.reserved() == estimate, "what was sent is not known yet"
    told.tell(2_000_000)
    assert talk.settled() == estimate - DEFAULT_OUTPUT_TOKENS + 10_000
    assert talk.reserved() == 0


@pytest.mark.parametrize("is_told", [True, False])
def test_a_stream_of_which_nothing_was_sent_or_told_is_booked_as_estimated(is_told: bool) -> None:
    told = Told()
    talk = told.begun(**chat("gpt", stream=True))
    talk.answered("llm/chat")
    estimate = talk.reserved()
    talk.exchange.on_close()
    if is_told:
        told.tell(0)
    for _ in range(MOST_LOOKS):
        told.loop.turn()
    assert talk.settled() == estimate
    assert talk.reserved() == 0


def test_no_more_is_booked_than_a_client_lets_all_answers_have() -> None:
    told = Told()
    talk = told.begun(**chat("gpt", stream=True, max_tokens=50, n=2))
    talk.answered("llm/chat")
    estimate = talk.reserved()
    talk.exchange.on_close()
    told.tell(2_000_000)
    assert talk.settled() == estimate


def test_a_stream_that_told_its_usage_is_booked_once() -> None:
    told = Told()
    talk = told.begun(**chat("gpt", stream=True))
    talk.answered("llm/chat")
    talk.say(ResponseEnd(Usage(3, 4)))
    talk.exchange.on_close()
    told.tell(2_000_000)
    assert talk.settled() == 7


def test_what_was_sent_of_streams_that_ended_well_counts_for_those_that_do_not() -> None:
    told = Told()
    whole = told.begun(**chat("gpt", stream=True))
    whole.answered("llm/chat")
    whole.say(ResponseEnd(Usage(3, 1000)))
    whole.exchange.on_close()
    told.tell(50_000)
    cut = told.begun(**chat("gpt", stream=True))
    cut.answered("llm/chat")
    estimate = cut.reserved()
    cut.exchange.on_close()
    told.tell(5_000)
    assert cut.settled() == estimate - DEFAULT_OUTPUT_TOKENS + 100


def test_a_worker_that_leaves_books_the_estimate_and_waits_for_nothing() -> None:
    told = Told()
    talk = told.begun(**chat("gpt", stream=True))
    talk.answered("llm/chat")
    estimate = talk.reserved()
    assert talk.exchange.let_go()
    talk.exchange.on_close()
    told.tell(2_000_000)
    assert talk.settled() == estimate


@pytest.mark.parametrize(
    ("body", "steering"),
    [
        (chat("gpt"), Steering.METADATA),
        (chat("opus", stream=True), Steering.METADATA),
        (chat("gpt", stream=True), Steering.HEADER),
        (chat("gpt", stream=True, background=True, max_tokens=9), Steering.METADATA),
    ],
    ids=["whole", "translated", "shown", "detached"],
)
def test_only_streams_that_pass_unseen_are_asked_for(
    body: dict[str, Any], steering: Steering
) -> None:
    reply = llm_exchange(steering=steering).ask(**body)
    assert isinstance(reply, Forward)
    assert names.STREAM_NAMESPACE not in Response.FromString(reply.plan_reply).dynamic_metadata


def test_without_a_budget_no_stream_is_asked_for() -> None:
    reply = llm_exchange(WITHOUT_BUDGETS).ask(**chat("gpt", stream=True))
    assert isinstance(reply, Forward)
    assert names.STREAM_NAMESPACE not in Response.FromString(reply.plan_reply).dynamic_metadata


SHOWN = "llm/claude/addressed"


def shown(**more: Any) -> LlmExchange:
    """A client of Anthropic's, at an Envoy that cannot read the usage."""
    talk = llm_exchange(steering=Steering.HEADER)
    talk.ask("/v1/messages", **chat("opus", stream=True, **{"max_tokens": 100_000, **more}))
    assert isinstance(talk.answered(SHOWN, content_type="text/event-stream"), Watch)
    return talk


def test_a_stream_that_was_shown_is_booked_by_what_was_seen_of_it() -> None:
    """Not by what Anthropic says at the beginning: one token."""
    talk = shown()
    event = SPOKEN["messages"].event
    start = stream_of("anthropic", "text").partition(b"event: content_block_stop")[0]
    talk.say(ResponseBody(start + event * 3000, False))
    talk.exchange.on_close()
    assert 3000 * 5 / 2 < talk.settled() < 3000 * 5 * 2
    assert talk.reserved() == 0


def test_a_shown_stream_that_ends_with_its_providers_error_is_booked_by_what_was_seen() -> None:
    talk = shown()
    begun, name, error = stream_of("anthropic", "overloaded").partition(b"event: error")
    talk.say(ResponseBody(begun + SPOKEN["messages"].event * 3000 + name + error, False))
    assert 3000 * 5 / 2 < talk.settled() < 3000 * 5 * 2


def test_of_a_shown_stream_no_more_is_booked_than_its_client_lets_it_have() -> None:
    talk = shown(max_tokens=7)
    talk.say(ResponseBody(stream_of("anthropic", "text").partition(b"event: ping")[0], False))
    talk.exchange.on_close()
    assert 7 < talk.settled() < 100


def test_of_a_shown_stream_nothing_of_which_was_sent_the_estimate_is_booked() -> None:
    talk = shown(max_tokens=50)
    estimate = talk.reserved()
    talk.exchange.on_close()
    assert talk.settled() == estimate


def test_a_shown_stream_that_never_tells_is_booked_by_what_was_seen() -> None:
    talk = llm_exchange(steering=Steering.HEADER)
    talk.ask(**chat("gpt", stream=True))
    estimate = talk.reserved()
    talk.answered("llm/chat/addressed", content_type="text/event-stream")
    event = SPOKEN["chat"].event
    talk.say(ResponseBody(event * 4000 + b"data: [DONE]\n\n", False))
    assert 4000 / 2 < talk.settled() - (estimate - DEFAULT_OUTPUT_TOKENS) < 4000 * 2


def invoked() -> LlmExchange:
    talk = llm_exchange()
    talk.ask("/model/nova/invoke", prompt="hi", max_gen_len=100)
    return talk


def test_invoke_model_is_counted_by_its_headers() -> None:
    talk = invoked()
    counts = {"x_amzn_bedrock_input_token_count": "7", "x_amzn_bedrock_output_token_count": "2"}
    assert talk.answered("llm/bedrock", **counts) == CONTINUE
    assert talk.exchange.is_over
    assert talk.settled() == 9


def test_invoke_model_is_counted_by_its_answer_wherever_it_says_so() -> None:
    talk = invoked()
    assert talk.answered("llm/bedrock") == Watch()
    answer = b'{"generation": "hi", "prompt_token_count": 5, "generation_token_count": 1}'
    talk.say(ResponseBody(answer[:30], False))
    talk.say(ResponseBody(answer[30:], True))
    assert talk.settled() == 6


def test_what_a_provider_compresses_is_counted_here() -> None:
    talk = llm_exchange()
    talk.ask(**chat("gpt"))
    assert talk.answered("llm/chat", content_encoding="gzip") == Watch()
    assert talk.say(ResponseBody(gzip.compress(sample("openai_chat", "text")), True)) == CONTINUE
    assert talk.settled() == json.loads(sample("openai_chat", "text"))["usage"]["total_tokens"]


HEALTH = WITHOUT_BUDGETS.replace(
    "  prices:", "    pair: {failover: [chat/gpt, chat/other]}\n  prices:"
)


def test_of_several_targets_the_status_is_awaited_and_then_nothing_more() -> None:
    talk = llm_exchange(HEALTH)
    first, _ = clusters(talk.ask(**chat("pair")))
    assert not talk.exchange.is_over
    assert talk.answered(first) == CONTINUE
    assert talk.exchange.is_over


def test_without_health_nothing_is_awaited() -> None:
    talk = llm_exchange(HEALTH.replace("llm:", "llm:\n  failover: {health: {failures: 0}}"))
    talk.ask(**chat("pair"))
    assert talk.exchange.is_over


def test_a_target_that_wants_to_be_left_alone_is_tried_last_from_then_on() -> None:
    talk = llm_exchange(HEALTH)
    first, second = clusters(talk.ask(**chat("pair")))
    talk.say(ResponseHeaders(200, second, "", 0, {}, {first: Failure(429, {"retry-after": "60"})}))
    assert clusters(talk.again().ask(**chat("pair")))[0] == second


def test_when_all_failed_the_client_is_told_when_the_first_may_be_asked_again() -> None:
    talk = llm_exchange(HEALTH)
    first, second = clusters(talk.ask(**chat("pair")))
    failures = {
        first: Failure(429, {"retry-after": "7"}),
        second: Failure(503, {"retry-after": "60"}),
    }
    event = ResponseHeaders(503, second, "via_upstream", 0, {}, failures)
    assert talk.say(event) == ChangeHeaders((("retry-after", "7"),), ("retry-after-ms",))


def test_what_the_last_one_said_is_not_said_again() -> None:
    talk = llm_exchange(HEALTH)
    _, second = clusters(talk.ask(**chat("pair")))
    failures = {second: Failure(503, {"retry-after": "60"})}
    assert talk.say(ResponseHeaders(503, second, "via_upstream", 0, {}, failures)) == CONTINUE


def test_a_translated_error_is_told_with_the_soonest_time() -> None:
    talk = llm_exchange()
    first, second = clusters(talk.ask("/v1/messages", **chat("mixed", max_tokens=9)))
    failures = {first: Failure(429, {"retry-after": "7"})}
    watch = talk.say(ResponseHeaders(429, second, "via_upstream", 0, {}, failures))
    assert isinstance(watch, Watch)
    assert ("retry-after", "7") in watch.set_headers
    assert "retry-after-ms" in watch.remove_headers


EMBEDDED = WITHOUT_BUDGETS.replace("nova: bedrock/nova", "titan: bedrock/amazon.titan-embed-v2")
TITAN = json.dumps({"embedding": [0.5], "inputTextTokenCount": 7}).encode()


def test_embeddings_of_bedrock_are_asked_for_and_told_as_openai_has_them() -> None:
    talk = llm_exchange(EMBEDDED)
    action = talk.ask("/v1/embeddings", model="titan", input="hello")
    assert forwarded(action)["inputText"] == "hello"
    watch = talk.answered("llm/bedrock/addressed", content_type="application/json")
    assert isinstance(watch, Watch)
    body = json.loads(said(talk.say(ResponseBody(TITAN, True))))
    assert body["data"][0]["embedding"] == [0.5]
    assert body["model"] == "titan"


def test_an_error_of_bedrock_about_embeddings_is_told_as_openai_has_them() -> None:
    talk = llm_exchange(EMBEDDED)
    talk.ask("/v1/embeddings", model="titan", input="hello")
    talk.answered("llm/bedrock/addressed", 400, content_type="application/json")
    body = json.loads(said(talk.say(ResponseBody(b'{"message":"too long"}', True))))
    assert body["error"]["message"] == "too long"


INVOKED = {
    "anthropic_version": "bedrock-2023-05-31",
    "max_tokens": 9,
    "messages": [{"role": "user", "content": "hi"}],
}


@pytest.mark.parametrize("model", ["opus", "gpt", "pro"])
def test_who_invokes_claude_is_answered_in_bedrocks_frames_whoever_serves_it(model: str) -> None:
    talk = llm_exchange()
    action = talk.ask(f"/model/{model}/invoke-with-response-stream", **INVOKED)
    assert "anthropic_version" not in forwarded(action)
    cluster = {"opus": CLAUDE, "gpt": "llm/chat/addressed", "pro": "llm/gemini/addressed"}[model]
    dialect = {"opus": "anthropic", "gpt": "openai_chat", "pro": "gemini"}[model]
    watch = talk.answered(cluster, content_type="text/event-stream")
    assert isinstance(watch, Watch)
    assert ("content-type", "application/vnd.amazon.eventstream") in watch.set_headers
    told = said(talk.say(ResponseBody(stream_of(dialect, "text"), False)))
    told += said(talk.say(ResponseBody(b"", True)))
    decoding = ClaudeDecoding()
    events = [*decoding.feed(told), *decoding.end()]
    assert isinstance(events[-1], Ended)
    assert talk.settled() > 0


def test_a_whole_answer_of_anthropics_to_an_invocation_passes_and_its_errors_do_not() -> None:
    talk = llm_exchange(WITHOUT_BUDGETS)
    talk.ask("/model/opus/invoke", **INVOKED)
    assert talk.answered(CLAUDE, content_type="application/json") == CONTINUE
    other = llm_exchange(WITHOUT_BUDGETS)
    other.ask("/model/opus/invoke", **INVOKED)
    assert isinstance(other.answered(CLAUDE, 429, content_type="application/json"), Watch)
    error = said(other.say(ResponseBody(sample("anthropic", "429-rate_limit", "errors"), True)))
    assert set(json.loads(error)) == {"message", "__type"}


def test_other_forms_are_only_for_who_offers_them() -> None:
    action = llm_exchange().ask("/model/opus/invoke", inputText="hi")
    assert isinstance(action, Respond)
    assert action.status == 400
