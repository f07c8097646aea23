"""What `explain` says of guards of lengths and schemas."""

from __future__ import annotations

from gateway.model import (
    GuardTerms,
    LengthGuard,
    Mode,
    Phase,
    SchemaGuard,
    SchemaSubject,
    Scope,
    TextScope,
)
from xds_server.check import Failing
from xds_server.form_checks import form_guard


def test_a_length_says_how_much() -> None:
    terms = GuardTerms(phase=Phase.BOTH, texts=frozenset({TextScope.USER, TextScope.ASSISTANT}))
    check = form_guard(LengthGuard("short", 500, "", terms), ", model fast")
    name = "guard short (block, at most 500 characters, assistant user only, model fast)"
    assert (check.name, check.reads) == (name, "body and answer")
    assert (check.refusal, check.failing) == ("400 text_too_long", Failing.CLOSED)


def test_a_schema_says_whose_and_what_becomes_of_streams() -> None:
    terms = GuardTerms(phase=Phase.RESPONSE)
    held = SchemaGuard("person", "{}", SchemaSubject.ANSWER, ("*",), True, "", terms)
    check = form_guard(held, "")
    name = "guard person (block, a schema of answers, streams held to their end)"
    assert (check.name, check.reads, check.refusal) == (name, "answer", "502 schema_violation")
    audit = GuardTerms(phase=Phase.RESPONSE, mode=Mode.AUDIT)
    own = SchemaGuard("args", None, SchemaSubject.TOOL_INPUT, ("*",), False, "", audit)
    check = form_guard(own, "")
    assert check.name == (
        "guard args (block in audit, the request's own schema of arguments of calls, "
        "streams cut before their end)"
    )
    assert (check.refusal, check.failing) == ("", Failing.OPEN)


def test_a_length_may_be_in_tokens_too() -> None:
    assert "at most 50 tokens)" in form_guard(LengthGuard("s", None, "", GuardTerms(), 50), "").name
    both = form_guard(LengthGuard("s", 500, "", GuardTerms(), 50), "")
    assert "at most 500 characters and 50 tokens)" in both.name


def test_a_schema_may_be_of_requests() -> None:
    asked = GuardTerms(phase=Phase.REQUEST)
    body = SchemaGuard("form", "{}", SchemaSubject.BODY, ("*",), True, "", asked)
    check = form_guard(body, "")
    assert check.name == "guard form (block, a schema of bodies of requests)"
    assert (check.reads, check.refusal) == ("body", "400 schema_violation")
    both = GuardTerms(phase=Phase.BOTH)
    calls = SchemaGuard("args", "{}", SchemaSubject.TOOL_INPUT, ("*",), True, "", both)
    check = form_guard(calls, "")
    assert (check.reads, check.refusal) == ("body and answer", "400 or 502 schema_violation")


def test_of_mcp_a_schema_may_be_the_tools_own() -> None:
    answers = GuardTerms(Scope(mcp="*"), Phase.RESPONSE)
    own = SchemaGuard("out", None, SchemaSubject.TOOL_OUTPUT, ("*",), True, "", answers)
    check = form_guard(own, ", mcp *")
    assert check.name == "guard out (block, the tool's own schema of results of calls, mcp *)"
    assert (check.reads, check.refusal) == ("answer", "400 schema_violation")
