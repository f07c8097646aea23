"""Rules of responses: asked when an answer begins, which is paid for all the same."""

from __future__ import annotations

import json
from typing import Any

import pytest

from extproc.audits import Audits
from extproc.events import (
    CONTINUE,
    Action,
    Forward,
    RequestHeaders,
    Respond,
    ResponseHeaders,
    Watch,
)
from extproc.exchange import Exchange
from extproc.program import build
from gateway.config.load import load
from gateway.resolve import resolve
from tests.kit.counted import Counted
from tests.kit.llm_exchange import NOW, YAML, LlmExchange, chat, clusters, llm_exchange
from tests.kit.memory_ledger import MemoryLedger

EMBEDDING = """
llm:
  providers: {b: {type: bedrock, url: "http://b.example", region: us-east-1, key: k}}
  models: {titan: b/titan}
  prices: {titan: {input: 1, output: 1}}
budgets: [{name: all, limit: 1000000 tokens, per: day}]
"""
SESSIONS = """
llm:
  providers: {a: {type: openai, url: "http://a.example/v1", key: k}}
  models: {live: a/live}
  prices: {live: {input: 1, output: 2, audio_input: 5, audio_output: 10}}
  stored_at: [a]
budgets: [{name: all, limit: 1000000 tokens, per: day}]
"""
STAGE = 'response.headers[?"x-stage"].orValue("") == "preview"'
RULES = f"""
identity: {{required: false, api_keys: {{keys: [{{name: ann, key: k-ann}}]}}}}
authorize:
  - {{name: stage, for: {{llm: "*"}}, deny: '{STAGE}', phase: response}}
"""


def ruled(rules: str = RULES, yaml: str = YAML) -> LlmExchange:
    return llm_exchange(yaml + rules)


def for_model(model: str, expression: str, effect: str = "deny") -> str:
    rule = f"name: r, for: {{model: {model}}}, {effect}: '{expression}', phase: response"
    return f"\nauthorize: [{{{rule}}}]\n"


def refused(action: Action) -> tuple[int, Any]:
    assert isinstance(action, Respond), action
    return action.status, json.loads(action.body)


def test_an_answer_that_no_rule_refuses_goes_on_as_without_rules() -> None:
    there, without = ruled(), llm_exchange()
    for each in (there, without):
        (cluster,) = clusters(each.ask(**chat("gpt")))
        assert each.answered(cluster, content_type="application/json") == CONTINUE
        assert each.exchange.denied is None
        assert not each.exchange.is_over  # a budget waits for the usage


def test_a_refused_answer_is_an_error_of_the_clients_dialect() -> None:
    there = ruled()
    (cluster,) = clusters(there.ask(**chat("gpt")))
    status, error = refused(there.answered(cluster, x_stage="preview"))
    assert status == 403
    assert error["error"]["code"] == "permission_denied"
    assert error["error"]["message"].endswith("the response is denied by 'stage'")
    assert there.exchange.is_over
    claude = ruled()
    told = {"anthropic-version": "2023-06-01"}
    (cluster,) = clusters(claude.ask("/v1/messages", told, **chat("opus", max_tokens=5)))
    status, error = refused(claude.answered(cluster, x_stage="preview"))
    assert (status, error["type"], error["error"]["type"]) == (403, "error", "permission_error")


@pytest.mark.parametrize("model", ["gpt", "opus"], ids=["same dialect", "translated"])
@pytest.mark.parametrize("is_stream", [False, True])
def test_what_was_worked_for_is_paid_as_it_was_estimated(model: str, is_stream: bool) -> None:
    there = ruled()
    (cluster,) = clusters(there.ask(**chat(model, max_tokens=50, stream=is_stream)))
    reserved = there.reserved()
    assert reserved > 0
    kind = "text/event-stream" if is_stream else "application/json"
    refused(there.answered(cluster, content_type=kind, x_stage="preview"))
    assert (there.settled(), there.reserved()) == (reserved, 0)
    there.exchange.on_close()
    assert (there.settled(), there.reserved()) == (reserved, 0)


def test_a_failure_of_the_provider_that_is_refused_costs_nothing() -> None:
    there = ruled()
    (cluster,) = clusters(there.ask(**chat("gpt")))
    refused(there.answered(cluster, 400, x_stage="preview"))
    assert (there.settled(), there.reserved()) == (0, 0)


def test_usage_that_the_headers_tell_is_what_is_booked() -> None:
    there = ruled(RULES, EMBEDDING)
    path = "/model/titan/invoke"
    (cluster,) = clusters(there.ask(path, inputText="hi"))
    counts = {"x_amzn_bedrock_input_token_count": "7", "x_stage": "preview"}
    refused(there.answered(cluster, content_type="application/json", **counts))
    assert (there.settled(), there.reserved()) == (7, 0)


def test_the_provider_that_answered_is_known() -> None:
    there = ruled(for_model("mixed", 'response.provider == "chat" && llm.provider == "claude"'))
    first, second = clusters(there.ask(**chat("mixed")))
    assert isinstance(there.answered(first), Watch)  # it is translated
    again = there.again()
    again.ask(**chat("mixed"))
    assert refused(again.answered(second))[0] == 403


def test_nobody_waits_for_an_answer_that_no_rule_is_for() -> None:
    yaml = YAML.partition("budgets:")[0]
    there = ruled(for_model("opus", "response.status == 200"), yaml)
    there.ask(**chat("gpt"))
    assert there.exchange.is_over
    other = ruled(for_model("gpt", "response.status == 200"), yaml)
    (cluster,) = clusters(other.ask(**chat("gpt")))
    assert not other.exchange.is_over
    assert refused(other.answered(cluster))[0] == 403
    passed = ruled(for_model("gpt", "response.status == 500"), yaml)
    (cluster,) = clusters(passed.ask(**chat("gpt")))
    assert passed.answered(cluster) == CONTINUE
    assert passed.exchange.is_over  # once it has been asked, nothing is left to learn


def test_an_answer_of_envoys_own_is_nobodys_to_judge() -> None:
    there = ruled(for_model("gpt", "response.status >= 300"))
    (cluster,) = clusters(there.ask(**chat("gpt")))
    assert there.answered(cluster, 503, "no_healthy_upstream") == CONTINUE
    again = there.again()
    again.ask(**chat("gpt"))
    assert refused(again.answered(cluster, 503))[0] == 403
    untold = there.again()
    untold.ask(**chat("gpt"))
    assert refused(untold.answered(cluster, 503, ""))[0] == 403  # nobody says whose it is


def test_a_rule_that_cannot_be_evaluated_refuses() -> None:
    there = ruled(for_model("gpt", 'response.headers["x-absent"] == "a"'))
    (cluster,) = clusters(there.ask(**chat("gpt")))
    _, error = refused(there.answered(cluster))
    assert "'r' cannot be evaluated" in error["error"]["message"]


def test_what_was_asked_is_still_known() -> None:
    there = ruled(for_model("gpt", 'llm.prompt.contains("hi") && llm.estimated_input_tokens > 0'))
    (cluster,) = clusters(there.ask(**chat("gpt")))
    assert refused(there.answered(cluster))[0] == 403


def test_what_was_asked_for_beside_is_still_known() -> None:
    there = ruled(for_model("gpt", "llm.params.max_tokens > 0 && !has(llm.params.messages)"))
    (cluster,) = clusters(there.ask(**chat("gpt", max_tokens=9)))
    assert refused(there.answered(cluster))[0] == 403


def test_a_worker_that_leaves_lets_no_answer_go_unjudged() -> None:
    there = ruled()
    (cluster,) = clusters(there.ask(**chat("gpt")))
    assert not there.exchange.let_go()
    there.answered(cluster)
    assert there.exchange.let_go()


def test_a_session_that_is_refused_costs_nothing() -> None:
    there = ruled(RULES, SESSIONS)
    told = {":method": "GET", ":path": "/v1/realtime?model=live", "upgrade": "websocket"}
    assert isinstance(there.say(RequestHeaders(told, True)), Forward)
    assert there.reserved() > 0
    refused(there.answered("llm/a/websocket", 101, x_stage="preview"))
    assert (there.settled(), there.reserved()) == (0, 0)


def test_files_are_judged_too_and_nobody_waits_beyond() -> None:
    for stage, is_refused in (("preview", True), ("stable", False)):
        there = ruled(RULES, SESSIONS)
        there.say(RequestHeaders({":method": "GET", ":path": "/v1/files"}, True))
        assert not there.exchange.is_over
        action = there.answered("llm/a", x_stage=stage)
        assert isinstance(action, Respond) is is_refused
        assert there.exchange.is_over


PLAIN = """
identity: {api_keys: {keys: [{name: ann, key: k-ann, team: red}]}}
routes:
  - {name: app, match: {path: {prefix: /app}}, backend: "http://a.example"}
  - {name: open, match: {path: {prefix: /open}}, backend: "http://a.example", auth: none}
authorize:
  - {name: pages, require: 'response.headers["content-type"] == "text/html"', phase: response}
  - {name: errors, for: {team: red}, deny: response.status >= 500, phase: response, mode: audit}
"""


def plain(route: str, tally: Counted | None = None) -> Exchange:
    config = load(PLAIN, file="test.yaml", environment={})
    assert not isinstance(config, tuple), config
    audits = None if tally is None else Audits(tally)
    made = build(
        resolve(config),
        "1",
        ledger=MemoryLedger(),
        choose=lambda: 0.0,
        created=7,
        audits=audits,
    )
    exchange = Exchange(made, NOW, route)
    told = {":method": "GET", ":path": f"/{route}", "authorization": "Bearer k-ann"}
    assert not isinstance(exchange.on_event(RequestHeaders(told, True)), Respond)
    return exchange


def test_a_plain_route_waits_for_its_answer_and_refuses_it() -> None:
    tally = Counted()
    exchange = plain("app", tally)
    assert not exchange.is_over
    action = exchange.on_event(
        ResponseHeaders(502, "", "via_upstream", headers={"content-type": "text/plain"})
    )
    assert isinstance(action, Respond)
    assert (action.status, action.details) == (403, "dragoman_permission_denied")
    assert exchange.is_over
    assert dict(tally.enforced) == {("rule", "pages", "deny", "permission_denied"): 1}
    assert dict(tally.counts) == {("rule", "errors", "deny"): 1}


def test_a_plain_route_lets_through_what_holds() -> None:
    exchange = plain("app")
    answer = ResponseHeaders(200, "", headers={"content-type": "text/html"})
    assert exchange.on_event(answer) == CONTINUE
    assert exchange.is_over


def test_an_open_route_is_judged_by_nobody() -> None:
    assert plain("open").is_over
