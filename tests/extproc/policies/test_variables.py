"""Each variable comes from the facts, or is absent."""

from __future__ import annotations

from datetime import UTC, datetime

from extproc.facts import A2aCall, Facts, McpCall
from extproc.policies.variables import GETTERS, getters, headers_getter, known_values, sources
from extproc.principal import Kind, Principal, of_key
from gateway.cel import EVERY_HEADER, VARIABLES, bind, compile_expression
from gateway.cel_secrets import SECRETS
from gateway.cel_variables import HIDDEN
from gateway.model import ApiKey

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
CALL = Facts(
    now=NOW,
    method="POST",
    path="/v1/chat/completions?a=b?c",
    headers={
        ":authority": "gw.example",
        "x-request-id": "r1",
        "x-team": "red",
        "x-b": "2",
        "x-api-key": "k",
    },
    source_address="10.0.0.9",
    source_identity="spiffe://x/agent",
    source_subject="CN=agent",
    principal=of_key(ApiKey("laptop", "00", "ann", "red", ("a", "b"), (("cost", "7"),))),
    model="fast",
    provider="openai",
    is_stream=True,
    max_output_tokens=64,
    estimated_input_tokens=12,
    texts=("be brief", "hello"),
    document={"model": "fast", "temperature": 0.5, "messages": [], "tools": [{"name": "t"}]},
    status=404,
    answer_headers={":status": "404", "server": "nginx", "x-b": "3"},
    answered_by="second",
)
NOTHING = Facts(now=NOW)
ROUTE = Facts(now=NOW, route="shop", path="/")
TOOL = Facts(now=NOW, mcp=McpCall("tools/call", "db", tool="drop", arguments={"table": "a"}))
ASKED = A2aCall("SendMessage", "travel", parts=({"text": "hello"},), chain=("hotels",))
EVERY_NAME = McpCall("tools/call", "db", "drop", "ask", "file:///a", arguments={}, result={})


def values(facts: Facts) -> dict[str, object]:
    return known_values(sources(GETTERS, GETTERS), facts)


def test_every_variable_has_a_source() -> None:
    declared = {variable.name for variable in VARIABLES}
    of_headers = {"request.headers", "response.headers"}
    assert set(GETTERS) | of_headers == declared
    assert set(getters(frozenset())) == declared | {each.name for each in HIDDEN}


def test_a_call_has_all_of_them() -> None:
    assert values(CALL) == {
        "request.method": "POST",
        "request.path": "/v1/chat/completions",
        "request.query": "a=b?c",
        "request.host": "gw.example",
        "request.id": "r1",
        "source.address": "10.0.0.9",
        "source.identity": "spiffe://x/agent",
        "source.subject": "CN=agent",
        "principal.name": "laptop",
        "principal.user": "ann",
        "principal.team": "red",
        "principal.groups": ["a", "b"],
        "principal.tags": {"cost": "7"},
        "principal.kind": "api_key",
        "principal.is_anonymous": False,
        "apiKey.name": "laptop",
        "apiKey.key": "k",
        "context.request_time": NOW,
        "resource.kind": "llm",
        "resource.name": "fast",
        "resource.namespace": "openai",
        "llm.model": "fast",
        "llm.provider": "openai",
        "llm.is_stream": True,
        "llm.max_output_tokens": 64,
        "llm.estimated_input_tokens": 12,
        "llm.params": {"model": "fast", "temperature": 0.5, "tools": [{"name": "t"}]},
        "llm.prompt": "be brief\nhello",
        "response.status": 404,
        "response.provider": "second",
    }


def test_an_anonymous_caller_is_nobody_and_not_unknown() -> None:
    found = values(NOTHING)
    assert found["principal.is_anonymous"] is True
    assert found["principal.kind"] == ""
    assert found["principal.name"] == found["principal.team"] == found["principal.user"] == ""
    assert found["principal.groups"] == []
    assert found["principal.tags"] == {}
    assert "apiKey.name" not in found


def test_a_plain_route_has_nothing_of_llm() -> None:
    found = values(ROUTE)
    assert (found["resource.kind"], found["resource.name"]) == ("http", "shop")
    assert not [name for name in found if name.startswith("llm.")]
    assert "resource.namespace" not in found


def test_who_shows_a_token_has_its_claims() -> None:
    claims = {"email": "ann@x", "level": 3, "org": {"roles": ["a", "b"]}, "admin": True}
    found = values(Facts(now=NOW, principal=Principal(Kind.JWT, "ann", user="ann", claims=claims)))
    assert (found["jwt"], found["principal.kind"]) == (claims, "jwt")
    assert "apiKey.name" not in found
    asked = compile_expression('jwt.level > 2 && "b" in jwt.org.roles && jwt.admin')
    assert not isinstance(asked, str)
    assert asked.evaluate_bound(bind(found)) is True


def test_what_an_external_service_said_is_read() -> None:
    assert "external" not in values(Facts(now=NOW))
    found = values(Facts(now=NOW, external={"level": 5, "who": {"name": "ann"}}))
    asked = compile_expression('external.level >= 3 && external.who.name == "ann"')
    assert not isinstance(asked, str)
    assert asked.evaluate_bound(bind(found)) is True


def test_every_value_has_the_declared_type() -> None:
    found: dict[str, object] = {"jwt": {}, "external": {}}
    for facts in (Facts(now=NOW, a2a=ASKED), Facts(now=NOW, mcp=EVERY_NAME), CALL):
        found |= values(facts)
    bindings = bind(found)
    for name in GETTERS:
        named = f"{name}.unredacted()" if name in SECRETS else name
        compiled = compile_expression(f"type({named}) != null_type")
        assert not isinstance(compiled, str)
        assert compiled.evaluate_bound(bindings) is True


def test_mcp_is_told_by_what_it_asks_for() -> None:
    found = values(TOOL)
    assert found["resource.kind"] == "mcp"
    assert found["resource.name"] == found["mcp.tool"] == "drop"
    assert found["resource.namespace"] == found["mcp.server"] == "db"
    assert found["mcp.arguments"] == {"table": "a"}
    plain = values(Facts(now=CALL.now, mcp=McpCall("initialize")))
    assert (plain["mcp.method"], plain["mcp.tool"], plain["mcp.arguments"]) == (
        "initialize",
        "",
        {},
    )
    assert "mcp.tool" not in values(CALL)


def test_a2a_is_told_by_whom_it_asks() -> None:
    found = values(Facts(now=NOW, a2a=ASKED))
    assert (found["resource.kind"], found["resource.name"]) == ("a2a", "travel")
    assert "resource.namespace" not in found
    assert (found["a2a.method"], found["a2a.agent"]) == ("SendMessage", "travel")
    assert (found["a2a.task_id"], found["a2a.context_id"], found["a2a.skill"]) == ("", "", "")
    assert (found["a2a.parts"], found["a2a.chain"]) == ([{"text": "hello"}], ["hotels"])
    assert "a2a.method" not in values(CALL)


def test_only_the_headers_that_are_read_are_taken() -> None:
    assert headers_getter(frozenset({"x-team", "x-none"}))(CALL) == {"x-team": "red"}
    assert headers_getter(frozenset({EVERY_HEADER, "x-b"}))(CALL) == {
        **CALL.headers,
        "x-api-key": "[redacted]",
    }


def test_secrets_of_headers_are_read_by_who_says_so_alone() -> None:
    facts = Facts(
        now=NOW,
        headers={"authorization": "Bearer k", "x-a": "1"},
        status=200,
        answer_headers={"set-cookie": "s=1"},
    )
    names = ["request.headers", "request.secrets", "response.headers", "response.secrets"]
    read = sources(names, getters(frozenset({"authorization", "x-a"}), frozenset({EVERY_HEADER})))
    assert known_values(read, facts) == {
        "request.headers": {"authorization": "[redacted]", "x-a": "1"},
        "request.secrets": {"authorization": "Bearer k", "x-a": "1"},
        "response.headers": {"set-cookie": "[redacted]"},
        "response.secrets": {"set-cookie": "s=1"},
    }


def test_a_key_is_known_as_it_was_sent_and_nothing_else_is_one() -> None:
    caller = of_key(ApiKey("laptop", "00"))
    for headers in ({"authorization": "bearer  k-1 "}, {"api-key": "k-1"}):
        assert values(Facts(now=NOW, principal=caller, headers=headers))["apiKey.key"] == "k-1"
    token = Principal(Kind.JWT, "ann")
    assert "apiKey.key" not in values(Facts(now=NOW, principal=token, headers=headers))
    assert "apiKey.key" not in values(Facts(now=NOW, principal=caller))


def test_headers_of_the_answer_are_read_once_there_is_one() -> None:
    read = sources(["response.headers"], getters(frozenset(), frozenset({"server", "x-none"})))
    assert known_values(read, CALL) == {"response.headers": {"server": "nginx"}}
    assert known_values(read, NOTHING) == {}
    every = sources(["response.headers"], getters(frozenset({"x-b"}), frozenset({EVERY_HEADER})))
    assert known_values(every, CALL) == {"response.headers": dict(CALL.answer_headers)}


def test_what_is_named_and_can_be_there_is_read() -> None:
    read = sources(["llm.model", "jwt", "request.headers"], getters(frozenset({"x-team"})))
    assert known_values(read, CALL) == {
        "llm.model": CALL.model,
        "request.headers": {"x-team": "red"},
    }
    assert known_values(read, ROUTE) == {"request.headers": {}}
