"""What is asked for, whether it may be, and in whose words it is refused."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from extproc.events import CONTINUE, Action, Forward, RequestBody, RequestHeaders, Respond
from extproc.exchange import Exchange
from extproc.latencies import Latencies, Tried
from gateway import names
from tests.kit.llm_exchange import (
    NOW,
    WITHOUT_BUDGETS,
    LlmExchange,
    Response,
    chat,
    clusters,
    forwarded,
    llm_exchange,
    program,
)
from tests.kit.memory_ledger import MemoryLedger

FILES = WITHOUT_BUDGETS.replace(
    "models:",
    """  openai: {type: openai, url: "http://o.example/v1", key: k}
  stored_at: [claude, openai]
  models:""",
    1,
)


def headers(method: str, path: str, yaml: str = WITHOUT_BUDGETS, **more: str) -> Action:
    told = {":method": method, ":path": path, **{k.replace("_", "-"): v for k, v in more.items()}}
    return llm_exchange(yaml).say(RequestHeaders(told, method == "GET"))


def error(action: Action) -> tuple[int, Any]:
    assert isinstance(action, Respond)
    return action.status, json.loads(action.body)


def test_errors_are_told_in_the_clients_dialect() -> None:
    status, openai = error(llm_exchange().ask("/v1/chat/completions", **chat("none")))
    assert (status, openai["error"]["code"]) == (404, "model_not_found")
    status, anthropic = error(
        llm_exchange().ask("/v1/messages", model="none", max_tokens=1, messages=[])
    )
    assert (status, anthropic["type"]) == (404, "error")
    status, gemini = error(llm_exchange().ask("/v1beta/models/none:generateContent", contents=[]))
    assert (status, gemini["error"]["status"]) == (404, "NOT_FOUND")
    refused = llm_exchange().ask("/model/none/converse", messages=[])
    status, bedrock = error(refused)
    assert status == 404
    assert "message" in bedrock
    assert isinstance(refused, Respond)
    assert "x-amzn-errortype" in dict(refused.headers)


def test_a_path_that_nobody_knows_and_a_wrong_method_are_refused() -> None:
    assert error(headers("POST", "/v1/nothing"))[1]["error"]["code"] == "unknown_url"
    assert error(headers("GET", "/v1/chat/completions"))[0] == 405


def test_an_unknown_path_is_refused_in_the_words_of_whose_prefix_it_has() -> None:
    assert error(headers("POST", "/v1beta/nothing"))[1]["error"]["status"] == "NOT_FOUND"
    unserved = error(headers("POST", "/v1beta/models/gpt:predict"))
    assert (unserved[0], unserved[1]["error"]["code"]) == (404, 404)
    wrong_method = error(headers("DELETE", "/v1beta/models/gpt"))
    assert (wrong_method[0], wrong_method[1]["error"]["code"]) == (405, 405)
    version = {"anthropic-version": "2023-06-01"}
    assert error(headers("POST", "/v1/nothing", **version))[1]["type"] == "error"


def test_files_go_to_whose_client_asks_for_them() -> None:
    told = {":method": "GET", ":path": "/v1/files/f?limit=2"}
    assert clusters(llm_exchange(FILES).say(RequestHeaders(told, True)))[0].endswith("/openai")
    told["anthropic-version"] = "2023-06-01"
    assert clusters(llm_exchange(FILES).say(RequestHeaders(told, True)))[0].endswith("/claude")
    without = FILES.replace("[claude, openai]", "[openai]")
    status, body = error(llm_exchange(without).say(RequestHeaders(told, True)))
    assert (status, body["error"]["type"]) == (404, "not_found_error")


def test_an_operation_that_no_provider_of_the_model_offers_is_refused() -> None:
    status, told = error(llm_exchange().ask("/v1/embeddings", model="opus", input="hi"))
    assert (status, told["error"]["code"]) == (400, "operation_not_offered")


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/messages/count_tokens", {"model": "gpt", "messages": chat("gpt")["messages"]},
         "input_tokens"),
        ("/v1/responses/input_tokens", {"model": "opus", "input": "hello"}, "input_tokens"),
        ("/v1beta/models/gpt:countTokens", {"contents": [{"parts": [{"text": "hello"}]}]},
         "totalTokens"),
    ],
)  # fmt: skip
def test_tokens_are_counted_here_when_the_provider_cannot(
    path: str, body: dict[str, Any], field: str
) -> None:
    status, told = error(llm_exchange().ask(path, **body))
    assert status == 200
    assert 0 < told[field] < 40


def test_a_provider_that_counts_itself_is_asked() -> None:
    body = {"model": "opus", "messages": chat("opus")["messages"]}
    assert isinstance(llm_exchange().ask("/v1/messages/count_tokens", **body), Forward)


def test_counting_tokens_costs_nothing() -> None:
    talk = llm_exchange()
    talk.ask("/v1/messages/count_tokens", model="opus", messages=chat("opus")["messages"])
    assert talk.reserved() == 0
    talk.exchange.on_close()
    assert talk.settled() == 0


def test_a_body_that_is_not_read_is_let_through() -> None:
    talk = llm_exchange(FILES)
    talk.say(RequestHeaders({":method": "POST", ":path": "/v1/files"}, False))
    assert talk.say(RequestBody(b"anything")) == CONTINUE


def test_bodies_are_read_whatever_their_coding_and_sent_on_plain() -> None:
    talk = llm_exchange(WITHOUT_BUDGETS)
    told = {":method": "POST", ":path": "/v1/chat/completions", "content-encoding": "gzip"}
    talk.say(RequestHeaders(told, False))
    body = json.dumps(chat("gpt")).encode()
    action = talk.say(RequestBody(gzip.compress(body)))
    assert isinstance(action, Forward)
    assert action.body == body


@pytest.mark.parametrize(
    ("body", "limit", "status"),
    [
        (gzip.compress(b"{}", mtime=0)[:-4], 1000, 400),
        (gzip.compress(bytes(5000), mtime=0), 1000, 413),
    ],
)
def test_a_coding_that_breaks_off_or_hides_too_much_is_refused(
    body: bytes, limit: int, status: int
) -> None:
    ledger = MemoryLedger()
    exchange = Exchange(program(WITHOUT_BUDGETS, ledger), NOW, limit_bytes=limit)
    told = {":method": "POST", ":path": "/v1/chat/completions", "content-encoding": "gzip"}
    talk = LlmExchange(exchange, ledger)
    talk.say(RequestHeaders(told, False))
    assert error(talk.say(RequestBody(body)))[0] == status


def test_forms_are_read_and_renamed() -> None:
    form = (
        b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper\r\n'
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n'
        b"Content-Type: audio/wav\r\n\r\n\x00\xff\r\n--x--\r\n"
    )
    yaml = WITHOUT_BUDGETS.replace("gpt: chat/gpt", "whisper: chat/whisper-1")
    talk = llm_exchange(yaml)
    told = {
        ":method": "POST",
        ":path": "/v1/audio/transcriptions",
        "content-type": "multipart/form-data; boundary=x",
    }
    talk.say(RequestHeaders(told, False))
    action = talk.say(RequestBody(form))
    assert isinstance(action, Forward)
    assert action.body == form.replace(b"whisper", b"whisper-1")
    common = Response.FromString(action.plan_reply).request_body.response
    assert "content-type" not in [each.header.key for each in common.header_mutation.set_headers]


VIRTUAL = WITHOUT_BUDGETS.replace(
    "  prices:",
    """
    routed:
      conditional:
        - {when: 'request.headers["x-tier"] == "gold"', use: mixed}
        - {when: llm.estimated_input_tokens > 1000, use: pro}
        - {when: 'llm.prompt.contains("secret")', use: nova}
    cheap: {cheapest: [opus, gpt]}
    quick: {fastest: [gpt, chat/other]}
    stuck: {weighted: {gpt: 1, chat/other: 1}, sticky: "header:x-session-id"}
    hidden: {provider: chat, internal: true}
  prices:""",
)
DENIED = (
    VIRTUAL
    + """
authorize: [{name: nobody, deny: "true"}]
"""
)


def asked(model: str, text: str = "hi", yaml: str = VIRTUAL, **more: str) -> Action:
    it = llm_exchange(yaml)
    named = {name.replace("_", "-"): value for name, value in more.items()}
    it.say(RequestHeaders({":method": "POST", ":path": "/v1/chat/completions", **named}, False))
    body = chat(model, messages=[{"role": "user", "content": text}])
    return it.say(RequestBody(json.dumps(body).encode()))


def test_conditions_see_what_was_read_of_the_request() -> None:
    assert clusters(asked("routed", "a secret")) == ["llm/bedrock/addressed"]
    assert clusters(asked("routed", "word " * 5000)) == ["llm/gemini/addressed"]
    assert clusters(asked("routed", x_tier="gold")) == ["llm/claude#1", "llm/chat/addressed"]


def test_a_model_none_of_whose_conditions_holds_is_refused_and_says_so() -> None:
    status, body = error(asked("routed"))
    assert (status, body["error"]["code"]) == (404, "model_not_found")
    assert body["error"]["message"] == "no condition of the model 'routed' holds for this request"


def test_the_cheapest_is_tried_first_and_the_others_follow() -> None:
    assert clusters(asked("cheap")) == ["llm/chat/addressed", "llm/claude#1"]


def test_a_session_stays_where_it_is() -> None:
    found = {tuple(clusters(asked("stuck", x_session_id="s"))) for _ in range(5)}
    assert len(found) == 1
    assert len(found.pop()) == 2


def test_clients_are_told_that_an_internal_model_does_not_exist() -> None:
    assert error(asked("hidden"))[0] == 404
    assert error(headers("GET", "/v1/models/hidden", VIRTUAL))[0] == 404
    listed = headers("GET", "/v1/models", VIRTUAL)
    assert isinstance(listed, Respond)
    assert b"hidden" not in listed.body


def test_an_unknown_model_is_refused_before_any_rule_is_asked() -> None:
    assert error(asked("none", yaml=DENIED))[0] == 404
    assert error(asked("routed", yaml=DENIED))[0] == 404
    assert error(asked("cheap", yaml=DENIED))[0] == 403


class _Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("slow", ["gpt", "other"])
def test_whoever_answers_soonest_is_tried_first(slow: str) -> None:
    clock = _Clock()
    made = program(VIRTUAL, MemoryLedger(), Latencies(clock))
    tried: list[str] = []
    for _ in range(4):
        it = LlmExchange(Exchange(made, NOW), MemoryLedger())
        answer = it.ask(**chat("quick"))
        assert isinstance(answer, Forward)
        model = "other" if answer.body is not None and b'"other"' in answer.body else "gpt"
        tried.append(model)
        clock.now += 2.0 if model == slow else 0.5
        assert not it.exchange.is_over
        it.answered(clusters(answer)[0])
        assert it.exchange.is_over
    assert set(tried[:2]) == {"gpt", "other"}
    assert slow not in tried[2:]


def test_a_failure_counts_with_the_time_that_its_followers_took() -> None:
    clock = _Clock()
    latencies = Latencies(clock)
    it = LlmExchange(Exchange(program(VIRTUAL, MemoryLedger(), latencies), NOW), MemoryLedger())
    answer = it.ask(**chat("quick"))
    clock.now += 3
    it.answered(clusters(answer)[1])
    assert latencies.seconds(Tried("chat", "gpt")) == 3.0
    assert latencies.seconds(Tried("chat", "other")) is None


def test_no_time_is_taken_of_what_failed() -> None:
    latencies = Latencies(_Clock())
    it = LlmExchange(Exchange(program(VIRTUAL, MemoryLedger(), latencies), NOW), MemoryLedger())
    answer = it.ask(**chat("quick"))
    it.answered(clusters(answer)[1], 503)
    assert latencies.seconds(Tried("chat", "gpt")) is None


def test_without_a_model_that_is_to_be_fast_nobody_waits_for_an_answer() -> None:
    without = VIRTUAL.replace("quick: {fastest:", "quick: {failover:")
    assert program(VIRTUAL, MemoryLedger()).latencies is not None
    assert program(without, MemoryLedger()).latencies is None


def test_what_is_answered_later_needs_a_limit_where_a_budget_counts_it() -> None:
    yaml = FILES.replace("gpt: chat/gpt", "gpt: openai/gpt")
    later = {"model": "gpt", "input": "hi", "background": True}
    budget = "budgets: [{name: all, limit: 1000000 tokens, per: day}]"
    it = llm_exchange(yaml + budget)
    status, told = error(it.ask("/v1/responses", **later))
    assert (status, told["error"]["param"]) == (400, "max_output_tokens")
    assert it.reserved() == 0
    bounded = it.again().ask("/v1/responses", **later, max_output_tokens=50_000)
    assert isinstance(bounded, Forward)
    assert it.reserved() > 50_000
    assert isinstance(llm_exchange(yaml).ask("/v1/responses", **later), Forward)


CLAUDES = """
llm:
  providers:
    claude: {type: anthropic, key: k}
    invoked: {type: bedrock-claude, region: us-east-1, key: k}
    converse: {type: bedrock, region: us-east-1, key: k}
    strict: {type: bedrock-claude, region: us-east-1, key: k, betas: []}
    vertex: {type: vertex-claude, project: p, region: global, key: k}
    chat: {type: openai, key: k}
  models:
    claude: claude/claude-opus-4-5
    invoked: invoked/anthropic.claude-opus-4-5-v1:0
    converse: converse/anthropic.claude-opus-4-5-v1:0
    strict: strict/anthropic.claude-opus-4-5-v1:0
    vertex: vertex/claude-opus-4-5
    chat: chat/gpt-5
    mixed: {failover: [claude/claude-opus-4-5, chat/gpt-5]}
    stricter: {failover: [invoked/anthropic.claude-opus-4-5-v1:0,
                          strict/anthropic.claude-opus-4-5-v1:0]}
"""
MESSAGE = {"max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
ASKED = {"anthropic-beta": "claude-code-20250219,context-1m-2025-08-07"}


def set_headers(action: Action) -> dict[str, str]:
    assert isinstance(action, Forward)
    return dict(action.headers)


def test_bedrock_is_asked_for_the_betas_that_it_takes_in_the_body() -> None:
    def betas(model: str) -> Any:
        said = forwarded(llm_exchange(CLAUDES).ask("/v1/messages", ASKED, model=model, **MESSAGE))
        return said.get("additionalModelRequestFields", said).get("anthropic_beta")

    assert betas("invoked") == betas("converse") == ["context-1m-2025-08-07"]
    assert betas("strict") is betas("vertex") is betas("chat") is None


def test_where_the_header_is_read_nothing_is_said_anew() -> None:
    for model in ("claude", "vertex"):
        action = llm_exchange(CLAUDES).ask("/v1/messages", ASKED, model=model, **MESSAGE)
        assert names.BETAS_HEADER not in set_headers(action)


def test_bedrocks_that_take_other_betas_are_told_apart() -> None:
    action = llm_exchange(CLAUDES).ask("/v1/messages", ASKED, model="stricter", **MESSAGE)
    assert clusters(action) == ["llm/invoked#1", "llm/strict#2"]
    assert isinstance(action, Forward)
    assert action.body is None


def test_a_client_of_bedrocks_asks_anthropic_in_a_header() -> None:
    betas = ["context-1m-2025-08-07", "own-1"]
    body = {"anthropic_version": "bedrock-2023-05-31", "anthropic_beta": betas, **MESSAGE}
    for model in ("claude", "vertex", "mixed"):
        action = llm_exchange(CLAUDES).ask(f"/model/{model}/invoke", **body)
        assert set_headers(action)[names.BETAS_HEADER] == "context-1m-2025-08-07,own-1"
        assert "anthropic_beta" not in forwarded(action)
    talk = {
        "messages": [{"role": "user", "content": [{"text": "hi"}]}],
        "additionalModelRequestFields": {"anthropic_beta": betas},
    }
    for model in ("claude", "vertex"):
        action = llm_exchange(CLAUDES).ask(f"/model/{model}/converse", **talk)
        assert set_headers(action)[names.BETAS_HEADER] == "context-1m-2025-08-07,own-1"
        assert "anthropic_beta" not in forwarded(action)
    invoked = forwarded(llm_exchange(CLAUDES).ask("/model/invoked/converse", **talk))
    assert invoked["anthropic_beta"] == betas


def test_nobody_else_is_asked_for_betas() -> None:
    action = llm_exchange(CLAUDES).ask("/v1/messages", ASKED, model="chat", **MESSAGE)
    assert "anthropic_beta" not in forwarded(action)
    strict = CLAUDES.replace("llm:", "llm:\n  lossy: none", 1)
    status, told = error(llm_exchange(strict).ask("/v1/messages", ASKED, model="chat", **MESSAGE))
    assert (status, told["type"]) == (400, "error")
    assert "anthropic_beta" in told["error"]["message"]


VERTEX = CLAUDES.replace("llm:", "llm:\n  paths: {vertex: [/v1]}", 1)
RAW = "/v1/projects/p/locations/global/publishers/anthropic/models"


def test_a_client_of_claude_on_vertex_asks_anybody_for_messages() -> None:
    body = {"anthropic_version": "vertex-2023-10-16", "anthropic_beta": ["own-1"], **MESSAGE}
    action = llm_exchange(VERTEX).ask(f"{RAW}/claude:rawPredict", **body)
    assert forwarded(action) == {"model": "claude-opus-4-5", **MESSAGE}
    assert set_headers(action)[names.BETAS_HEADER] == "own-1"
    said = forwarded(llm_exchange(VERTEX).ask(f"{RAW}/chat:streamRawPredict", **body))
    assert (said["model"], said["stream"]) == ("gpt-5", True)
    there = forwarded(llm_exchange(VERTEX).ask(f"{RAW}/vertex:streamRawPredict", **body))
    assert (there["anthropic_version"], there["stream"]) == ("vertex-2023-10-16", True)


def test_clients_of_claude_on_vertex_are_refused_in_its_words() -> None:
    it = llm_exchange(VERTEX)
    status, told = error(it.ask(f"{RAW}/none:rawPredict", **MESSAGE))
    assert (status, told["type"]) == (404, "error")
    status, told = error(it.again().ask(f"{RAW}/claude:rawPredict", **MESSAGE, model="other"))
    assert (status, told["error"]["message"]) == (
        400,
        "model must be the one that the path names",
    )
    status, _ = error(headers("POST", f"{RAW}/claude:rawPredict", CLAUDES))
    assert status == 404  # nobody serves it by default


def test_tokens_of_claude_on_vertex_are_counted() -> None:
    body = {"anthropic_version": "vertex-2023-10-16", "model": "chat", **MESSAGE}
    action = llm_exchange(VERTEX).ask(f"{RAW}/count-tokens:rawPredict", **body)
    assert isinstance(action, Respond)
    assert json.loads(action.body)["input_tokens"] > 0
    there = llm_exchange(VERTEX).ask(f"{RAW}/count-tokens:rawPredict", **body | {"model": "claude"})
    assert forwarded(there) == {"model": "claude-opus-4-5", **MESSAGE}
    status, _ = error(
        llm_exchange(VERTEX).ask(
            f"{RAW}/count-tokens:rawPredict", **body | {"anthropic_version": 1}
        )
    )
    assert status == 400


def test_clients_of_mistral_on_vertex_say_chat_completions() -> None:
    raw = RAW.replace("/anthropic/", "/mistralai/")
    said = {"model": "mixed", "messages": [{"role": "user", "content": "hello"}]}
    action = llm_exchange(VERTEX).ask(f"{raw}/mixed:rawPredict", **said)
    assert isinstance(action, Forward), action
    status, told = error(
        llm_exchange(VERTEX).ask(f"{raw}/none:rawPredict", messages=said["messages"])
    )
    assert (status, told["error"]["code"]) == (404, "model_not_found")
