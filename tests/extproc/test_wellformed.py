"""Requests without the form that they are to have do not pass."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from extproc.audits import Audits
from extproc.facts import Facts
from extproc.llm.dialect import Call
from extproc.llm.dialects import SPEAKERS
from extproc.verdict import PASS, By, Deny, PolicyKind, Verdict
from extproc.wellformed import WellFormed
from gateway.model import Dialect, GuardTerms, Mode, Phase, SchemaGuard, SchemaSubject, Scope
from tests.kit.counted import Counted

COOL = {"properties": {"temperature": {"maximum": 1}, "user": False}}
CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": CITY}}


def schema(
    document: object = COOL,
    subject: SchemaSubject = SchemaSubject.BODY,
    *,
    tools: tuple[str, ...] = ("*",),
    mode: Mode = Mode.ENFORCE,
    model: str | None = None,
    phase: Phase = Phase.REQUEST,
    message: str = "",
) -> SchemaGuard:
    text = None if document is None else json.dumps(document)
    terms = GuardTerms(Scope(model=model), phase, mode=mode)
    return SchemaGuard("form", text, subject, tools, True, message, terms)


def asked(
    arguments: str | None = None, name: str = "weather", **fields: Any
) -> tuple[dict[str, Any], Facts]:
    """A conversation in which a tool was called, if there are arguments."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": "hi"}]
    if arguments is not None:
        called = {"id": "c1", "type": "function", "function": {"name": name}}
        called["function"] = {"name": name, "arguments": arguments}
        messages += [
            {"role": "assistant", "tool_calls": [called]},
            {"role": "tool", "tool_call_id": "c1", "content": "sun"},
        ]
    body = {"model": "fast", "messages": messages, **fields}
    data = json.dumps(body).encode()
    speaker = SPEAKERS[Dialect.OPENAI_CHAT]
    call = speaker.reading.decode(data, "", is_stream=False)
    assert isinstance(call, Call)
    facts = Facts(now=datetime(2030, 1, 1, tzinfo=UTC), model="fast", body=data)
    facts.conversation = partial(speaker.codec.decode_request, call)
    return body, facts


def verdict(guard: SchemaGuard, facts: Facts, tally: Counted | None = None) -> Verdict:
    return WellFormed([guard], Audits(tally or Counted())).on_request(facts)


def reason(found: Verdict) -> str:
    assert isinstance(found, Deny)
    assert (found.status, found.code) == (400, "schema_violation")
    assert found.by == By(PolicyKind.GUARD, "form")
    return found.reason


def test_a_body_must_be_what_its_schema_allows() -> None:
    assert verdict(schema(), asked(temperature=0.5)[1]) is PASS
    said = reason(verdict(schema(), asked(temperature=1.5)[1]))
    assert said == (
        "the request is not what its schema wants: at '/temperature', 'maximum' does not hold"
        " (guard 'form')"
    )
    said = reason(verdict(schema(message="no"), asked(user="ann")[1]))
    assert said.startswith("no: at '/user'")
    assert "ann" not in said


def test_what_is_not_json_is_not_what_a_schema_allows() -> None:
    facts = Facts(now=datetime(2030, 1, 1, tzinfo=UTC), body=b"--x\r\n")
    assert "it is not JSON" in reason(verdict(schema({}), facts))
    facts.body = b"\xff"
    assert "it is not JSON" in reason(verdict(schema({}), facts))


@pytest.mark.parametrize(
    ("arguments", "is_good"), [('{"city": "Oslo"}', True), ('{"town": 1}', False), ("", False)]
)
def test_the_arguments_of_calls_are_judged_wherever_they_stand(
    arguments: str, is_good: bool
) -> None:
    _, facts = asked(arguments)
    found = verdict(schema(CITY, SchemaSubject.TOOL_INPUT), facts)
    if is_good:
        assert found is PASS
    else:
        assert "the arguments of 'weather': at " in reason(found)


def test_only_those_of_the_tools_that_are_named() -> None:
    _, facts = asked('{"town": 1}')
    named = schema(CITY, SchemaSubject.TOOL_INPUT, tools=("news*",))
    assert verdict(named, facts) is PASS


def test_by_the_parameters_that_the_request_gives_the_tool() -> None:
    guard = schema(None, SchemaSubject.TOOL_INPUT)
    assert verdict(guard, asked('{"city": "Oslo"}', tools=[TOOL])[1]) is PASS
    assert "weather" in reason(verdict(guard, asked('{"town": 1}', tools=[TOOL])[1]))
    assert verdict(guard, asked('{"town": 1}')[1]) is PASS, "it does not give it any more"


def test_parameters_that_are_no_schema_are_told() -> None:
    broken = {"type": "function", "function": {"name": "weather", "parameters": {"type": "x"}}}
    found = verdict(schema(None, SchemaSubject.TOOL_INPUT), asked("{}", tools=[broken])[1])
    assert isinstance(found, Deny)
    assert (found.status, found.code) == (400, "invalid_schema")


def test_what_is_no_conversation_tells_of_no_calls() -> None:
    facts = asked('{"town": 1}')[1]
    facts.conversation = None
    assert verdict(schema(CITY, SchemaSubject.TOOL_INPUT), facts) is PASS


def test_what_cannot_be_read_as_a_conversation_is_refused() -> None:
    facts = asked("{}")[1]
    refused = Deny(400, "invalid", "no")
    facts.conversation = lambda: refused
    assert verdict(schema(CITY, SchemaSubject.TOOL_INPUT), facts) is refused


def test_others_are_not_asked() -> None:
    _, facts = asked(temperature=2)
    assert verdict(schema(model="slow"), facts) is PASS
    assert not WellFormed([schema(phase=Phase.RESPONSE)], Audits(Counted())).is_any
    both = schema(CITY, SchemaSubject.TOOL_INPUT, phase=Phase.BOTH)
    assert WellFormed([both], Audits(Counted())).reads_calls
    assert not WellFormed([schema()], Audits(Counted())).reads_calls


def test_in_audit_it_is_counted_and_passes() -> None:
    tally = Counted()
    for temperature in (0.5, 2):
        found = verdict(schema(mode=Mode.AUDIT), asked(temperature=temperature)[1], tally)
        assert found is PASS
    assert tally.counts == {("guard", "form", "pass"): 1, ("guard", "form", "deny"): 1}
