"""Arguments and structured results of tools, judged by JSON Schemas."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from extproc.audits import Audited, Finding
from extproc.facts import Facts, McpCall
from extproc.mcp import messages
from extproc.mcp.messages import Message
from extproc.mcp_serving.forms import McpForms
from extproc.verdict import By, Deny, PolicyKind
from gateway.guards import GuardTerms, Phase, SchemaGuard, SchemaSubject
from gateway.scopes import Mode, Scope

INPUT, OUTPUT = SchemaSubject.TOOL_INPUT, SchemaSubject.TOOL_OUTPUT
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WARM = {"type": "object", "properties": {"degrees": {"maximum": 60}}, "required": ["degrees"]}
TOOL = json.dumps({"name": "t", "inputSchema": CITY, "outputSchema": WARM}).encode()


class Told:
    """Audits that keep what they are told."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def note(self, facts: Facts, finding: Finding) -> None:
        self.findings.append(finding)


def guard(
    subject: SchemaSubject,
    schema: object = None,
    *,
    tools: tuple[str, ...] = ("*",),
    server: str = "a",
    mode: Mode = Mode.ENFORCE,
    message: str = "",
) -> SchemaGuard:
    phase = Phase.REQUEST if subject is INPUT else Phase.RESPONSE
    terms = GuardTerms(Scope(mcp=server), phase, mode=mode)
    text = None if schema is None else json.dumps(schema)
    return SchemaGuard("form", text, subject, tools, True, message, terms)


def forms(*of: SchemaGuard, told: Told | None = None) -> McpForms:
    return McpForms(of, told or Told())  # type: ignore[arg-type]


def facts(tool: str = "t", server: str = "a", definition: bytes = TOOL, **more: Any) -> Facts:
    call = McpCall(more.get("method", "tools/call"), server, tool=tool, definition=definition)
    return Facts(now=datetime(2026, 11, 26, tzinfo=UTC), mcp=call)


def called(arguments: object) -> Message:
    params = {"name": "t"} if arguments is None else {"name": "t", "arguments": arguments}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    found = messages.read(json.dumps(body).encode())
    assert isinstance(found, Message)
    return found


def refused(of: McpForms, arguments: object, who: Facts | None = None) -> str:
    found = of.sent(who or facts(), called(arguments))
    return "" if found is None else found.reason


def withheld(of: McpForms, who: Facts | None = None, **result: object) -> str:
    document = {"jsonrpc": "2.0", "id": 1, "result": result}
    found = of.said(who or facts(), document)
    return "" if found is None else found.reason


@pytest.mark.parametrize("schema", [CITY, None])
def test_arguments_have_to_be_as_the_schema_wants(schema: object) -> None:
    of = forms(guard(INPUT, schema))
    assert refused(of, {"city": "Porto"}) == ""
    said = "the arguments are not what the schema wants: at '/city', 'type' does not hold"
    assert refused(of, {"city": 7}) == f"{said} (guard 'form')"
    assert "'required' does not hold" in refused(of, None)
    assert "'type' does not hold" in refused(of, ["city"])  # what some servers take for an object


@pytest.mark.parametrize("schema", [WARM, None])
def test_structured_results_have_to_be_as_the_schema_wants(schema: object) -> None:
    of = forms(guard(OUTPUT, schema, message="no weather"))
    assert withheld(of, structuredContent={"degrees": 20}, content=[]) == ""
    said = withheld(of, structuredContent={"degrees": 61}, content=[])
    assert said == "no weather: at '/degrees', 'maximum' does not hold (guard 'form')"
    assert "there is no structured content" in withheld(of, content=[])
    assert withheld(of, content=[], isError=True) == ""


def test_a_refusal_says_by_whom() -> None:
    found = forms(guard(INPUT, CITY)).sent(facts(), called({}))
    assert isinstance(found, Deny)
    assert (found.status, found.code) == (400, "schema_violation")
    assert found.by == By(PolicyKind.GUARD, "form")


def test_each_guard_is_for_its_servers_and_tools() -> None:
    of = forms(guard(INPUT, CITY, tools=("get_*",)), guard(OUTPUT, WARM, server="b"))
    assert refused(of, {}) == ""
    assert refused(of, {}, facts("get_x"))
    assert refused(of, {}, facts("get_x", "b")) == ""
    assert (of.reads_requests(facts()), of.reads_answers(facts())) == (True, False)
    assert (of.reads_requests(facts("t", "b")), of.reads_answers(facts("t", "b"))) == (False, True)
    assert not of.wants_definition(facts())
    assert forms(guard(OUTPUT)).wants_definition(facts())


def test_a_tool_without_a_schema_of_its_own_is_not_judged() -> None:
    of, bare = forms(guard(INPUT), guard(OUTPUT)), facts(definition=b'{"name": "t"}')
    assert refused(of, {"any": 1}, bare) == ""
    assert withheld(of, bare, content=[]) == ""


def test_a_tool_that_nobody_lists_is_refused_and_so_is_one_whose_schema_is_none() -> None:
    of = forms(guard(INPUT))
    assert "its server lists no such tool" in refused(of, {}, facts(definition=b""))
    for schema in ({"type": "nothing"}, [], {"$ref": "https://elsewhere.example/schema"}):
        broken = json.dumps({"inputSchema": schema}).encode()
        assert "own schema cannot be used" in refused(of, {}, facts(definition=broken))
    large = json.dumps({"inputSchema": {"title": "x" * (1 << 20)}}).encode()
    assert "too large" in refused(of, {}, facts(definition=large))


def test_what_is_no_result_of_a_tool_is_not_judged() -> None:
    of = forms(guard(OUTPUT, WARM))
    assert withheld(of, resultType="input_required", inputRequests={}) == ""
    assert withheld(of, task={"taskId": "1"}) == ""
    reading = facts("", method="resources/read")
    assert withheld(of, reading, contents=[]) == ""
    assert of.said(facts(), {"method": "notifications/progress", "params": {}}) is None
    assert of.said(facts(), {"id": 1, "error": {"code": 1, "message": "x"}}) is None


@pytest.mark.parametrize("nested", [False, True])
def test_results_of_tasks_are_judged_where_their_tool_does_not_matter(*, nested: bool) -> None:
    late = facts("", definition=b"", method="tasks/result")

    def said(of: McpForms, degrees: int) -> str:
        result = {"content": [], "structuredContent": {"degrees": degrees}}
        return withheld(of, late, **({"result": result} if nested else result))  # type: ignore[arg-type]

    assert said(forms(guard(OUTPUT, WARM)), 20) == ""
    assert "'maximum' does not hold" in said(forms(guard(OUTPUT, WARM)), 61)
    for of in (guard(OUTPUT, WARM, tools=("t",)), guard(OUTPUT)):
        assert "whose it is cannot be seen" in said(forms(of), 20)


def test_a_task_cannot_hide_a_result() -> None:
    both = {"task": {"taskId": "1"}, "structuredContent": {"degrees": 61}}
    assert "'maximum'" in withheld(forms(guard(OUTPUT, WARM)), **both)
    asking = {"resultType": "input_required", "content": []}
    assert "no structured content" in withheld(forms(guard(OUTPUT, WARM)), **asking)


def test_in_audit_it_is_counted_alone() -> None:
    told = Told()
    of = forms(guard(INPUT, CITY, mode=Mode.AUDIT), told=told)
    assert refused(of, {"city": "Porto"}) == refused(of, {}) == ""
    assert [(each.verdict, each.code) for each in told.findings] == [
        (Audited.PASS, ""),
        (Audited.DENY, "schema_violation"),
    ]


def test_schemas_of_tools_take_no_room_without_end() -> None:
    of = forms(guard(INPUT))
    for number in range(1030):
        schema = {"properties": {"n": {"maximum": number}}}
        definition = json.dumps({"inputSchema": schema}).encode()
        assert refused(of, {"n": number + 1}, facts(definition=definition))
    assert len(of._own) < 1024
