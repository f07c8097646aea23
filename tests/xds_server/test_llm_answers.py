"""Who answers on a route of the LLM API, by what providers offer and how they say it."""

from __future__ import annotations

from gateway.model import Dialect
from tests.kit.gateways import gateway_of
from xds_server.audience import Level
from xds_server.llm_answers import LlmAnswers, llm_answers
from xds_server.resources.features import FEATURES

PROVIDERS = """
llm:
  providers:
    chat: {type: openai, key: k}
    claude: {type: anthropic, key: k}
    vertex: {type: vertex-claude, region: global, project: p}
    ranks: {type: custom, url: 'http://r.example', offers: {rerank: /rerank}}
  models:
    m: claude/m
    n: {failover: [chat/n, chat/m]}
"""
ROUTE = "\nroutes: [{name: docs, backend: 'http://d.example'}]"


def found(route: str, more: str = "", level: Level = Level.V1_40) -> LlmAnswers:
    return llm_answers(gateway_of(PROVIDERS + more), route, FEATURES[level])


def test_who_offers_the_clients_dialect_answers_in_it() -> None:
    answers = found("dragoman/llm")
    assert answers.dialect is Dialect.OPENAI_CHAT
    assert (answers.own, answers.foreign) == (("chat",), ("claude", "vertex"))
    answers = found("dragoman/llm/gemini#2")
    assert (answers.dialect, answers.own) == (Dialect.GEMINI, ())


def test_claude_elsewhere_has_errors_of_somebody_else() -> None:
    answers = found("dragoman/llm/anthropic")
    assert (answers.own, answers.reframed) == (("claude", "vertex"), ("vertex",))
    assert answers.foreign == ("chat",)


def test_who_holds_no_conversations_is_translated_for_nobody() -> None:
    for route in ("dragoman/llm", "dragoman/llm/anthropic", "dragoman/llm/bedrock"):
        answers = found(route)
        assert "ranks" not in (*answers.own, *answers.foreign)


def test_envoy_reads_usage_of_those_dialects_that_it_knows() -> None:
    assert found("dragoman/llm").is_usage_read
    assert not found("dragoman/llm/bedrock").is_usage_read
    assert not found("dragoman/llm", level=Level.V1_37).is_usage_read


def test_what_waits_for_answers_is_found() -> None:
    answers = found("dragoman/llm")
    assert (answers.is_budgeted, answers.is_watched, answers.is_timed) == (False, True, False)
    budget = "budgets: [{name: all, for: {team: '*'}, limit: 1 USD, per: day}]\n"
    prices = "  prices: {m: {input: 1, output: 1}, n: {input: 1, output: 1}}\n"
    assert found("dragoman/llm", prices + budget).is_budgeted
    assert found("dragoman/llm", "    quick: {fastest: [chat/m, claude/m]}\n").is_timed


def test_rules_of_responses_are_for_some_or_for_each() -> None:
    def judged(scope: str) -> tuple[bool, bool]:
        rule = f"name: r, for: {scope}, deny: response.status == 500, phase: response"
        answers = found("dragoman/llm", f"authorize: [{{{rule}}}]{ROUTE}")
        return answers.is_judged, answers.is_always_judged

    assert judged("{llm: '*'}") == judged("{}") == (True, True)
    assert judged("{model: m}") == judged("{team: red}") == (True, False)
    assert judged("{route: docs}") == (False, False)
    assert not found("dragoman/llm", "authorize: [{name: r, deny: 'true'}]").is_judged
