"""Requests go through the real exchange: rules, guards and plans say what they always do."""

from __future__ import annotations

import base64
from pathlib import Path

import bcrypt
import pytest

from extproc.facts import Facts
from extproc.trial.cases import RequestBlock, ResponseBlock
from extproc.trial.trying import Seen, Subject, Unusable, subject, tried

YAML = """
identity:
  api_keys:
    keys:
      - {name: ann, key: k-ann, team: red, groups: [staff]}
      - {name: bob, key: k-bob}
llm:
  providers:
    a: {type: openai, url: "http://a.example/v1", key: k}
    b: {type: anthropic, url: "http://b.example", key: k}
  models: {small: a/small-1, safe: {failover: [a/large-1, b/large-2]}}
authorize:
  - {name: reds, for: {model: safe}, require: principal.team == "red"}
  - {name: bounded, for: {llm: "*"}, require: llm.max_output_tokens <= 10, mode: audit}
  - {name: docs-for-staff, for: {route: docs}, allow: '"staff" in principal.groups'}
  - {name: pages, for: {route: docs}, require: 'has(response.headers.etag)', phase: response}
  - {name: fine, for: {model: small}, deny: response.status == 418, phase: response}
guardrails: [{type: regex, name: word, patterns: [forbidden], action: block}]
limits: [{name: slow, for: {key: bob}, requests: 1/day, bytes: 10kB/day}]
budgets: [{name: tiny, limit: 1 tokens, per: day}]
routes:
  - {name: docs, match: {path: {prefix: /docs}}, backend: "http://d.example"}
  - {name: open, match: {path: {prefix: /open}}, backend: "http://d.example", auth: none}
"""


_ANY_MODEL = """
llm:
  providers: {a: {type: openai, url: "http://a.example/v1", key: k}}
  models: {m: a/m}
"""


def bcrypt_of(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    file: Path = tmp_path_factory.mktemp("trial") / "gateway.yaml"
    file.write_text(YAML)
    found = subject(file, {})
    assert isinstance(found, Subject), found
    return found


def refused(seen: Seen) -> tuple[int, str]:
    assert seen.denied is not None
    assert not seen.tries
    return seen.denied.status, seen.denied.code


@pytest.mark.parametrize(("password", "code"), [("secret", ""), ("other", "invalid_credential")])
def test_passwords_are_checked(tmp_path: Path, password: str, code: str) -> None:
    hashes = {"ann": "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "bob": bcrypt_of("secret")}
    (tmp_path / "users").write_text("".join(f"{each}:{hashes[each]}\n" for each in hashes))
    file = tmp_path / "gateway.yaml"
    file.write_text(f"identity: {{basic: {{files: [users]}}}}{_ANY_MODEL}")
    of = subject(file, {})
    assert isinstance(of, Subject), of
    for user in hashes:
        shown = base64.b64encode(f"{user}:{password}".encode()).decode()
        seen = tried(of, RequestBlock(model="m", headers={"Authorization": f"Basic {shown}"}))
        assert ("" if seen.denied is None else seen.denied.code) == code


def test_a_key_is_named_or_shown(ours: Subject) -> None:
    assert tried(ours, RequestBlock(model="safe", key="ann")).denied is None
    shown = RequestBlock(model="safe", headers={"Authorization": "Bearer k-ann"})
    assert tried(ours, shown).denied is None
    assert refused(tried(ours, RequestBlock(model="safe", key="bob"))) == (403, "permission_denied")
    wrong = RequestBlock(model="small", headers={"authorization": "Bearer x"})
    assert refused(tried(ours, wrong)) == (401, "invalid_api_key")
    with pytest.raises(Unusable, match="no API key 'cid'"):
        tried(ours, RequestBlock(model="safe", key="cid"))


def test_a_caller_is_made_up(ours: Subject) -> None:
    who = {"name": "eve", "team": "red"}
    made = RequestBlock.model_validate({"model": "safe", "principal": who})
    assert tried(ours, made).denied is None


def test_who_comes_with_a_token_is_no_key(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(
        "identity: {api_keys: {keys: [{name: ann, key: k}]}}\n"
        "authorize: [{name: a, for: {route: docs}, require: 'jwt.level == 3 || !has(jwt.x)'}]\n"
        "routes:\n"
        "  - name: docs\n"
        "    match: {path: {prefix: /docs}}\n"
        "    backend: http://d.example\n"
        "    auth: key\n"
    )
    of = subject(file, {})
    assert isinstance(of, Subject), of
    who = {"name": "eve", "claims": {"level": 3}}
    request = {"route": "docs", "path": "/docs", "principal": who}
    assert refused(tried(of, RequestBlock.model_validate(request))) == (401, "invalid_api_key")


def test_the_plan_is_told_in_order(ours: Subject) -> None:
    seen = tried(ours, RequestBlock(model="safe", key="ann"))
    assert seen.tries == (("a", "large-1"), ("b", "large-2"))


def test_what_audited_rules_say_is_told_of_each_request_alone(ours: Subject) -> None:
    asked = [RequestBlock(model="small", key="bob", max_tokens=n) for n in (5, 50, 5)]
    found = [tried(ours, each).audits for each in asked]
    assert found == [{"bounded": "pass"}, {"bounded": "deny"}, {"bounded": "pass"}]


def test_guards_refuse_and_budgets_have_room(ours: Subject) -> None:
    bad = RequestBlock(model="small", key="bob", prompt="forbidden")
    assert refused(tried(ours, bad)) == (400, "content_policy_violation")
    assert tried(ours, RequestBlock(model="small", key="bob")).denied is None


def test_guards_of_plain_routes_read_bodies_and_queries(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    guard = "{type: regex, patterns: [forbidden], for: {route: open}}"
    file.write_text(YAML.replace("guardrails: [", f"guardrails: [{guard}, "))
    found = subject(file, {})
    assert isinstance(found, Subject), found
    said = RequestBlock(route="open", path="/open", body={"a": ["forbidden"]})
    assert refused(tried(found, said)) == (403, "content_policy_violation")
    asked = RequestBlock(route="open", path="/open?q=forbidden")
    assert refused(tried(found, asked)) == (403, "content_policy_violation")
    assert tried(found, RequestBlock(route="open", path="/open", body={})).denied is None


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, {"a": ["forbidden"]}, 403),
        ({"content-type": "text/plain"}, "forbidden", 403),
        ({"content-type": "text/event-stream"}, "data: forbidden\n\n", 403),
        ({"content-type": "text/plain; charset=latin1"}, "x", 502),
        ({"content-type": "image/png"}, "forbidden", None),
        ({}, {"a": "good"}, None),
        ({}, None, None),
    ],
)
def test_guards_of_plain_routes_read_answers(
    tmp_path: Path, headers: dict[str, str], body: object, status: int | None
) -> None:
    file = tmp_path / "gateway.yaml"
    guard = "{type: regex, patterns: [forbidden], phase: response, for: {route: open}}"
    file.write_text(YAML.replace("guardrails: [", f"guardrails: [{guard}, "))
    found = subject(file, {})
    assert isinstance(found, Subject), found
    response = ResponseBlock(headers=headers, body=body)
    seen = tried(found, RequestBlock(route="open", path="/open"), response=response)
    assert (None if seen.denied is None else seen.denied.status) == status


def test_plain_routes_are_named(ours: Subject) -> None:
    docs = RequestBlock(route="docs", path="/docs/x", key="ann")
    assert tried(ours, docs).denied is None
    assert refused(tried(ours, RequestBlock(route="docs", path="/docs", key="bob")))[0] == 403
    assert tried(ours, RequestBlock(route="open", path="/open")) == Seen(None, ())
    with pytest.raises(Unusable, match="no route 'dosc'"):
        tried(ours, RequestBlock(route="dosc", path="/docs"))


def test_what_is_answered_here_goes_nowhere(ours: Subject) -> None:
    seen = tried(ours, RequestBlock(path="/v1/models", key="ann"))
    assert (seen.denied, seen.tries, seen.answered) == (None, (), True)


def test_who_looks_sees_all_that_policies_could(ours: Subject) -> None:
    seen: list[tuple[object, ...]] = []

    def look(facts: Facts) -> None:
        seen.append((facts.texts, facts.estimated_input_tokens > 0, facts.provider))

    tried(ours, RequestBlock(model="small", key="bob", prompt="forbidden"), look)
    assert seen == [(("forbidden",), True, "a")]


def test_a_mistaken_configuration_is_not_tried(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text("nothing: here\n")
    problems = subject(file, {})
    assert isinstance(problems, tuple)
    assert f"{file}:1: " in str(problems[0])


def test_limits_have_room_but_for_what_they_never_let_through(ours: Subject) -> None:
    asked = RequestBlock(model="small", key="bob")
    assert [tried(ours, asked).denied for _ in range(3)] == [None] * 3
    large = RequestBlock(model="small", key="bob", prompt="x" * 20_000)
    assert refused(tried(ours, large)) == (429, "rate_limit_exceeded")


def test_services_of_guards_are_not_asked_and_let_pass(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    own = "{type: webhook, name: own, url: 'http://127.0.0.1:9/'%s}"
    for fields in ("", ", parallel: true", ", phase: both"):
        guards = f"{own % fields}, {{type: regex, name: word, patterns: [forbidden]}}"
        file.write_text(f"{_ANY_MODEL}\nguardrails: [{guards}]")
        found = subject(file, {})
        assert isinstance(found, Subject), found
        asked = RequestBlock(model="m", prompt="fine")
        assert tried(found, asked).denied is None
        assert refused(tried(found, RequestBlock(model="m", prompt="forbidden")))[0] == 400


def test_a_response_is_judged_where_one_is_given(ours: Subject) -> None:
    small = RequestBlock(model="small", key="ann")
    assert tried(ours, small).denied is None
    assert tried(ours, small, response=ResponseBlock(status=200)).denied is None
    seen = tried(ours, small, response=ResponseBlock(status=418))
    assert seen.denied is not None
    assert seen.denied.reason == "the response is denied by 'fine'"
    docs = RequestBlock(route="docs", key="ann")
    tagged = ResponseBlock(headers={"ETag": "1"})
    assert tried(ours, docs, response=tagged).denied is None
    assert refused(tried(ours, docs, response=ResponseBlock())) == (403, "permission_denied")
    first = tried(ours, RequestBlock(route="docs", key="bob"), response=tagged)
    assert first.denied is not None  # the request was refused already
    assert "docs-for-staff" in first.denied.reason


MCP = """
identity:
  api_keys:
    keys:
      - {name: ann, key: k-ann, team: red}
      - {name: bob, key: k-bob}
      - {name: ci, key: k-ci, team: red, tools: ["db__read*"]}
mcp: {servers: {db: {url: "http://db"}}}
authorize:
  - {name: reds, for: {mcp: db}, require: 'principal.team == "red"'}
  - {name: no-drop, for: {mcp: "*"}, deny: 'mcp.tool == "drop" && mcp.arguments.table == "users"'}
  - {name: models, for: {llm: "*"}, deny: 'true'}
  - {name: few, for: {mcp: db}, deny: 'mcp.tool == "read" && mcp.result.rows > 9', phase: response}
"""


@pytest.mark.parametrize(
    ("response", "rule"),
    [
        ({"result": {"rows": 9}}, ""),
        ({"result": {"rows": 10}}, "few"),
        ({"result": {}}, "few"),  # what cannot be evaluated refuses
        ({"status": 200}, ""),
    ],
)
def test_results_of_mcp_servers_are_tried(
    tmp_path: Path, response: dict[str, object], rule: str
) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(MCP)
    of = subject(file, {})
    assert isinstance(of, Subject)
    request = RequestBlock.model_validate({"key": "ann", "mcp": {"server": "db", "tool": "read"}})
    denied = tried(of, request, response=ResponseBlock.model_validate(response)).denied
    assert (denied.by.name if denied and denied.by else "") == rule


@pytest.mark.parametrize(
    ("key", "call", "rule"),
    [
        ("ann", {"tool": "drop", "arguments": {"table": "users"}}, "no-drop"),
        ("ann", {"tool": "drop", "arguments": {"table": "other"}}, ""),
        ("ann", {"prompt": "review"}, ""),
        ("bob", {"resource": "file:///a"}, "reds"),
        ("bob", {"tool": "read", "arguments": {}}, "reds"),
    ],
)
def test_calls_of_mcp_servers_are_tried(
    tmp_path: Path, key: str, call: dict[str, object], rule: str
) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(MCP)
    of = subject(file, {})
    assert isinstance(of, Subject)
    request = RequestBlock.model_validate({"key": key, "mcp": {"server": "db", **call}})
    denied = tried(of, request).denied
    assert (denied.by.name if denied and denied.by else "") == rule


def test_keys_for_some_tools_are_tried(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(MCP)
    of = subject(file, {})
    assert isinstance(of, Subject)

    def said(tool: str) -> Seen:
        call = {"server": "db", "tool": tool}
        return tried(of, RequestBlock.model_validate({"key": "ci", "mcp": call}))

    assert said("read_all").denied is None
    assert refused(said("drop")) == (403, "tool_not_allowed")


def test_a_server_that_is_not_there_cannot_be_tried(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(MCP)
    of = subject(file, {})
    assert isinstance(of, Subject)
    request = RequestBlock.model_validate({"mcp": {"server": "dbb", "tool": "x"}})
    with pytest.raises(Unusable, match="no MCP server 'dbb'"):
        tried(of, request)
    seen: list[str] = []
    there = RequestBlock.model_validate({"key": "ann", "mcp": {"server": "db", "tool": "x"}})
    tried(of, there, lambda facts: seen.append(facts.mcp.tool if facts.mcp else ""))
    assert seen == ["x"]


A2A = """
identity: {api_keys: {keys: [{name: ann, key: k-ann, team: red}, {name: bob, key: k-bob}]}}
a2a: {agents: {travel: {url: "http://travel"}}}
authorize:
  - {name: reds, for: {a2a: travel}, require: 'principal.team == "red"'}
  - {name: texts, for: {a2a: "*"}, require: 'a2a.parts.all(part, has(part.text))'}
  - {name: alive, for: {a2a: "*"}, deny: 'a2a.method == "CancelTask" && a2a.task_id == "t"'}
  - {name: failed, for: {a2a: "*"}, phase: response, deny: 'a2a.task_state == "TASK_STATE_FAILED"'}
"""


@pytest.mark.parametrize(
    ("key", "call", "state", "rule"),
    [
        ("ann", {"parts": [{"text": "x"}]}, "TASK_STATE_COMPLETED", ""),
        ("ann", {}, "", ""),
        ("ann", {}, "TASK_STATE_FAILED", "failed"),
        ("ann", {}, None, ""),
        ("ann", {"parts": [{"url": "x"}]}, "TASK_STATE_FAILED", "texts"),
        ("ann", {"method": "CancelTask", "task_id": "t"}, None, "alive"),
        ("bob", {}, None, "reds"),
    ],
)
def test_what_is_asked_of_agents_is_tried(
    tmp_path: Path, key: str, call: dict[str, object], state: str | None, rule: str
) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(A2A)
    of = subject(file, {})
    assert isinstance(of, Subject)
    request = RequestBlock.model_validate({"key": key, "a2a": {"agent": "travel", **call}})
    denied = tried(of, request, response=ResponseBlock(task_state=state)).denied
    assert (denied.by.name if denied and denied.by else "") == rule


@pytest.mark.parametrize(
    ("call", "why"),
    [({"agent": "travle"}, "no agent"), ({"agent": "travel", "method": "Send"}, "no operation")],
)
def test_agents_and_operations_that_are_not_there_cannot_be_tried(
    tmp_path: Path, call: dict[str, str], why: str
) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(A2A)
    of = subject(file, {})
    assert isinstance(of, Subject)
    with pytest.raises(Unusable, match=why):
        tried(of, RequestBlock.model_validate({"key": "ann", "a2a": call}))


def test_documents_at_urls_are_not_fetched(tmp_path: Path) -> None:
    """Rules see the names that requests say, whatever is in the document."""
    file = tmp_path / "gateway.yaml"
    file.write_text(
        "mcp: {servers: {shop: {openapi: {url: 'https://nowhere.invalid/openapi.json'}}}}\n"
        "authorize: [{name: kept, for: {mcp: shop}, deny: 'mcp.tool == \"remove\"'}]\n"
    )
    found = subject(file, {})
    assert isinstance(found, Subject), found

    def of(tool: str) -> Seen:
        call = {"mcp": {"server": "shop", "tool": tool}}
        return tried(found, RequestBlock.model_validate(call))

    denied = of("remove").denied
    assert denied is not None
    assert "kept" in denied.reason
    assert of("read").denied is None
