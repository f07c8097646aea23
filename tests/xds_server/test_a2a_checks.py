"""What is checked of A2A requests, in order."""

from __future__ import annotations

from tests.kit.gateways import gateway_of, golden_gateway
from xds_server.a2a_checks import a2a_checks, answers_are_read, other_tries
from xds_server.audience import Level
from xds_server.check import Where
from xds_server.resources.features import FEATURES


def test_they_are_in_the_order_in_which_they_are_made() -> None:
    found = [each.name for each in a2a_checks(golden_gateway("a2a"))]
    assert found == [
        "API key",
        "path and method",
        "one reading of the request",
        "rule no-cancelling (deny, for a2a=hotels)",
        "limit messages (60 requests per minute, for a2a=*)",
        "budgets of money, for agents that have a price",
        "modes of the message, by the agent's card",
        "where the client's webhook is, if it says one",
    ]


def test_all_are_extprocs() -> None:
    assert {each.where for each in a2a_checks(golden_gateway("a2a"))} == {Where.EXTPROC}


def test_what_is_for_others_is_not_asked() -> None:
    text = """
a2a: {agents: {a: {url: "http://a"}}}
mcp: {servers: {b: {url: "http://b"}}}
authorize:
  - {name: tools, for: {mcp: b}, deny: 'mcp.tool == "x"'}
  - {name: all, deny: 'apiKey.name == "x"'}
limits: [{name: calls, for: {mcp: "*"}, requests: 1/s}]
guardrails:
  - {name: llm, type: regex, patterns: [x]}
  - {name: agents, type: regex, patterns: [x], for: {a2a: a}}
"""
    found = [each.name for each in a2a_checks(gateway_of(text))]
    own = [each for each in found if each.startswith(("rule", "limit", "guard"))]
    assert own == ["rule all (deny)", "guard agents (block, 1 pattern, for a2a=a)"]
    assert not any("budget" in each for each in found)


def test_rules_of_responses_are_asked_last() -> None:
    text = """
a2a: {agents: {a: {url: "http://a"}}}
mcp: {servers: {b: {url: "http://b"}}}
authorize:
  - {name: failed, for: {a2a: a}, phase: response, deny: 'a2a.task_state == "TASK_STATE_FAILED"'}
  - {name: results, for: {mcp: b}, phase: response, deny: 'mcp.result.isError == true'}
"""
    *_, last = a2a_checks(gateway_of(text))
    assert (last.name, last.reads) == ("rule failed (deny of responses, for a2a=a)", "answer")
    assert answers_are_read(gateway_of(text))
    assert not answers_are_read(golden_gateway("a2a"))


def test_who_gets_it_is_asked_where_agents_stand_for_several() -> None:
    one = """
a2a: {agents: {a: {url: "http://a"}}}
"""
    assert not any("whose the task" in each.name for each in a2a_checks(gateway_of(one)))
    for several in (
        "a2a: {agents: {a: {instances: {b: {url: 'http://b'}}}}}",
        "a2a: {agents: {a: {url: 'http://a'}}, groups: {g: {agents: {a: {}}}}}",
    ):
        found = [each.name for each in a2a_checks(gateway_of(several))]
        assert any(each.startswith("whose the task is") for each in found)


def test_what_others_are_asked_for_is_told_where_envoy_can_ask_them() -> None:
    new, old = FEATURES[Level.V1_40], FEATURES[Level.V1_37]
    gateway = golden_gateway("a2a-instances")
    assert "two others" in other_tries("a2a", gateway, new)
    assert not other_tries("mcp", gateway, new)
    assert not other_tries("a2a", gateway, old)
    assert not other_tries("a2a", golden_gateway("a2a"), new)
