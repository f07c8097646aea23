"""What is checked of MCP requests, in order."""

from __future__ import annotations

from tests.kit.gateways import gateway_of, golden_gateway
from xds_server.check import Where
from xds_server.mcp_checks import mcp_checks

YAML = """
identity: {api_keys: {keys: [{name: ann, key: sk-ann}]}}
mcp:
  servers: {a: {url: "http://a", tools: {dear: {price: 1}}}}
authorize:
  - {name: of-tools, for: {mcp: a}, allow: 'mcp.tool == "x"'}
  - {name: of-all, deny: 'principal.team == "red"'}
  - {name: of-models, for: {llm: "*"}, deny: 'true'}
limits:
  - {name: calls, for: {mcp: "*"}, requests: 1/s}
  - {name: models, for: {llm: "*"}, requests: 1/s}
"""


def test_they_are_in_the_order_in_which_they_are_made() -> None:
    found = [each.name for each in mcp_checks(gateway_of(YAML))]
    assert found[0] == "path and method"
    assert found[1].startswith("origin")
    assert [each for each in found if each.startswith("rule")] == [
        "rule of-all (deny)",
        "rule of-tools (allow, for mcp=a)",
    ]
    assert [each for each in found if each.startswith("limit")] == [
        "limit calls (1 requests per second, for mcp=*)"
    ]
    assert found[-1] == "budgets of money, for tools that have a price"


def test_all_are_extprocs() -> None:
    assert {each.where for each in mcp_checks(gateway_of(YAML))} == {Where.EXTPROC}


def test_what_costs_nothing_has_no_budget() -> None:
    found = mcp_checks(gateway_of("mcp: {servers: {a: {url: 'http://a'}}}"))
    assert not any("budget" in each.name for each in found)


def test_guards_of_mcp_are_asked_before_limits() -> None:
    guards = """
guardrails:
  - {name: model, type: regex, patterns: [x]}
  - {name: tool, type: regex, patterns: [x], phase: both, for: {mcp: a}}
"""
    found = [each.name for each in mcp_checks(gateway_of(YAML + guards))]
    (guard,) = (each for each in found if each.startswith("guard"))
    assert guard.startswith("guard tool (block, 1 pattern, for mcp=a")
    assert found.index(guard) < next(i for i, each in enumerate(found) if each.startswith("limit"))


def test_arguments_of_rest_apis_are_checked_last() -> None:
    document = '{"openapi": "3.1.0", "paths": {"/x": {"get": {}}}}'
    server = f"{{url: 'http://a', openapi: {{inline: '{document}'}}}}"
    found = mcp_checks(gateway_of(f"mcp: {{servers: {{a: {server}}}}}"))
    assert found[-1].name == "arguments of tools of REST APIs"


def test_tokens_are_checked_for_their_audience_and_scopes_and_exchanged() -> None:
    names = [each.name for each in mcp_checks(golden_gateway("mcp-auth"))]
    entering, asking = "audience and scopes of a token", "scopes for what is asked of a server"
    session = "session, where the request names one"
    assert names.index(entering) < names.index(session) < names.index(asking)
    assert "token of the caller's own for servers" not in names
    servers = "{a: {url: 'http://a', exchange: {url: 'https://idp/token'}}}"
    found = [each.name for each in mcp_checks(gateway_of(f"mcp: {{servers: {servers}}}"))]
    assert "token of the caller's own for servers" in found
    assert entering not in found


def test_consent_of_callers_is_asked_for_before_sessions_are_looked_at() -> None:
    consent = "consent: {client: {id: us}}"
    text = YAML.replace('url: "http://a"', f'url: "https://a/mcp", {consent}')
    text = text.replace("mcp:\n", "mcp:\n  consents: {url: 'https://g'}\n")
    found = [each.name for each in mcp_checks(gateway_of(text))]
    assert "consent of the caller's own for servers" in found
    asked = found.index("consent of the caller's own for servers")
    assert asked < found.index("session, where the request names one")
    assert not any("consent" in each.name for each in mcp_checks(gateway_of(YAML)))
