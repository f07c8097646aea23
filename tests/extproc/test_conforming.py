"""Answers without the form that they are to have do not pass: in any dialect, whole, streamed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.audits import Audits
from extproc.conforming import Conforming, Forms
from extproc.facts import Facts
from extproc.llm.answer import Answer, Candidate, Stop
from extproc.llm.dialect import Asked, Call, UnreadableAnswer
from extproc.llm.dialects import SPEAKERS
from extproc.llm.estimate import expected
from extproc.llm.frames import ArrayFrames, ChunkFrames, Frame
from extproc.llm.gemini.codec import ARRAY_CODEC
from extproc.llm.request import Refusal, Text, Thinking, ToolCall
from extproc.llm.token_weights import Family
from extproc.llm.translate import events_of
from extproc.protocols import event_stream
from extproc.verdict import Deny
from gateway.model import (
    Dialect,
    Guard,
    GuardTerms,
    LengthGuard,
    Mode,
    Phase,
    SchemaGuard,
    SchemaSubject,
    Scope,
    TextScope,
)
from gateway.usage import Usage
from tests.kit.counted import Counted
from tests.kit.cuts import cut

ASKED = Asked("fast", "answer-1", 7)
FACTS = Facts(now=datetime(2030, 1, 1, tzinfo=UTC), model="fast")
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
    "additionalProperties": False,
}
CHUNK = tuple(event_stream.texts({":event-type": "chunk", ":message-type": "event"}).items())
GOOD, BAD = '{"name": "ann"}', '{"name": 3}'
DIALECTS = tuple(SPEAKERS)
DECODE = SPEAKERS[Dialect.OPENAI_CHAT].codec.decode_request


def terms(mode: Mode = Mode.ENFORCE, model: str | None = None, **more: Any) -> GuardTerms:
    return GuardTerms(Scope(model=model), Phase.RESPONSE, mode=mode, **more)


def schema(
    document: object = PERSON,
    *,
    subject: SchemaSubject = SchemaSubject.ANSWER,
    tools: tuple[str, ...] = ("*",),
    is_held: bool = True,
    **more: Any,
) -> SchemaGuard:
    text = None if document is None else json.dumps(document)
    return SchemaGuard("person", text, subject, tools, is_held, "", terms(**more))


def length(most: int, *scopes: TextScope, mode: Mode = Mode.ENFORCE) -> LengthGuard:
    return LengthGuard("short", most, "", terms(mode, texts=frozenset(scopes) or None))


def said(*parts: Any, stop: Stop = Stop.END) -> Answer:
    usage = Usage(3, 4)
    return Answer("a-1", "fast", (Candidate(tuple(parts), stop),), usage)


def call(**fields: Any) -> Call:
    body = {"model": "fast", "messages": [{"role": "user", "content": "hi"}], **fields}
    found = SPEAKERS[Dialect.OPENAI_CHAT].reading.decode(
        json.dumps(body).encode(), "", is_stream=False
    )
    assert isinstance(found, Call)
    return found


def conforming(
    *guards: Guard,
    is_stream: bool,
    dialect: Dialect = Dialect.OPENAI_CHAT,
    tally: Counted | None = None,
    asked: Call | None = None,
) -> Conforming:
    forms = Forms(guards, Audits(tally or Counted()))
    ready = forms.ready(FACTS, asked or call(), DECODE)
    assert isinstance(ready, tuple)
    codec = SPEAKERS[dialect].codec
    return Conforming(ready, forms.audits, FACTS, codec, None, is_stream=is_stream)


def whole(answer: Answer, dialect: Dialect = Dialect.OPENAI_CHAT) -> bytes:
    return SPEAKERS[dialect].codec.encode_answer(answer, ASKED)


def stream(answer: Answer, dialect: Dialect = Dialect.OPENAI_CHAT) -> bytes:
    encoding = SPEAKERS[dialect].codec.encoding(ASKED)
    return b"".join(map(encoding.feed, events_of(answer)))


def passed(found: Conforming, data: bytes, pieces: list[bytes] | None = None) -> bytes:
    parts = pieces or [data]
    last = len(parts) - 1
    return b"".join(found.feed(part, is_end=at == last) for at, part in enumerate(parts))


def reason(found: Conforming) -> str:
    assert found.denied is not None
    return found.denied.reason


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("is_stream", [False, True])
def test_what_holds_to_its_schema_passes_as_it_is(dialect: Dialect, is_stream: bool) -> None:
    data = (stream if is_stream else whole)(said(Text(GOOD)), dialect)
    found = conforming(schema(), length(99), is_stream=is_stream, dialect=dialect)
    assert passed(found, data) == data
    assert found.denied is None


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize("text", [BAD, "Sure! " + GOOD, GOOD[:-1], ""])
def test_what_does_not_hold_is_refused(dialect: Dialect, is_stream: bool, text: str) -> None:
    data = (stream if is_stream else whole)(said(Text(text)), dialect)
    found = conforming(schema(), is_stream=is_stream, dialect=dialect)
    assert passed(found, data) == b""
    assert found.denied is not None
    assert (found.denied.status, found.denied.code) == (502, "schema_violation")
    assert found.denied.by == ("guard", "person")
    assert "(guard 'person')" in found.denied.reason


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("is_stream", [False, True])
def test_arguments_of_calls_are_judged_by_their_tool(dialect: Dialect, is_stream: bool) -> None:
    made = stream if is_stream else whole
    for arguments, is_good in ((GOOD, True), (BAD, False)):
        answer = said(ToolCall("c-1", "make", arguments), stop=Stop.TOOL_CALLS)
        data = made(answer, dialect)
        for tools, is_mine in ((("*",), True), (("ma*",), True), (("other",), False)):
            guard = schema(subject=SchemaSubject.TOOL_INPUT, tools=tools)
            found = conforming(guard, is_stream=is_stream, dialect=dialect)
            is_passed = passed(found, data) == data
            assert is_passed is (is_good or not is_mine)
            assert is_passed or "the arguments of 'make': at '/name'" in reason(found)


@settings(deadline=None)
@given(st.sampled_from(DIALECTS), st.lists(st.integers(0, 2000), max_size=6), st.booleans())
def test_cuts_do_not_matter(dialect: Dialect, cuts: list[int], is_held: bool) -> None:
    for text in (GOOD, BAD):
        data = stream(said(Text(text)), dialect)
        found = conforming(schema(is_held=is_held), is_stream=True, dialect=dialect)
        gone = passed(found, data, cut(data, cuts))
        if text == GOOD:
            assert gone == data
        else:
            assert found.denied is not None
            assert data.startswith(gone)
            assert gone == b"" or not is_held


def test_a_stream_that_is_cut_does_not_come_to_its_end() -> None:
    encoding = SPEAKERS[Dialect.OPENAI_CHAT].codec.encoding(ASKED)
    pieces = [encoding.feed(event) for event in events_of(said(Text(BAD)))]
    found = conforming(schema(is_held=False), is_stream=True)
    gone = passed(found, b"", pieces)
    assert b"ann" not in gone
    assert b'{\\"name\\": 3}' in gone
    assert b"[DONE]" not in gone
    assert found.denied is not None


def test_a_stream_that_breaks_off_does_not_pass_where_it_is_held() -> None:
    data = stream(said(Text(GOOD)))
    broken = data[: data.index(b"finish_reason") + 400][: len(data) // 2]
    held = conforming(schema(), is_stream=True)
    assert passed(held, broken) == b""
    assert "it is not whole" in reason(held)
    running = conforming(schema(is_held=False), is_stream=True)
    assert passed(running, broken) == broken


def test_a_model_that_declines_is_not_judged() -> None:
    declined = said(Refusal("I will not"), stop=Stop.REFUSAL)
    found = conforming(schema(), is_stream=False, dialect=Dialect.OPENAI_RESPONSES)
    data = whole(declined, Dialect.OPENAI_RESPONSES)
    assert passed(found, data) == data


def test_a_model_that_calls_a_tool_has_not_answered_yet() -> None:
    data = whole(said(ToolCall("c", "make", "{}"), stop=Stop.TOOL_CALLS))
    found = conforming(schema(), is_stream=False)
    assert passed(found, data) == data


def test_each_choice_is_judged() -> None:
    parts = [Candidate((Text(GOOD),)), Candidate((Text(BAD),))]
    data = whole(Answer("a", "fast", tuple(parts), None))
    found = conforming(schema(), is_stream=False)
    assert passed(found, data) == b""


def test_what_the_request_asks_for_is_the_schema() -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "p", "schema": PERSON}}
    guard = schema(None)
    for fields, text, is_passed in (
        ({"response_format": wanted}, GOOD, True),
        ({"response_format": wanted}, BAD, False),
        ({"response_format": {"type": "json_object"}}, BAD, True),
        ({"response_format": {"type": "json_object"}}, "3", False),
        ({}, "hello", True),
    ):
        data = whole(said(Text(text)))
        forms = Forms([guard], Audits(Counted()))
        codec = SPEAKERS[Dialect.OPENAI_CHAT].codec
        ready = forms.ready(FACTS, call(**fields), DECODE)
        assert isinstance(ready, tuple)
        assert bool(ready) is bool(fields)
        found = Conforming(ready, forms.audits, FACTS, codec, None, is_stream=False)
        assert (passed(found, data) == data) is is_passed


def test_the_tools_of_the_request_have_the_schemas() -> None:
    tool = {"type": "function", "function": {"name": "make", "parameters": PERSON}}
    guard = schema(None, subject=SchemaSubject.TOOL_INPUT)
    for name, arguments, is_passed in (
        ("make", GOOD, True),
        ("make", BAD, False),
        ("make", "", False),
        ("destroy", GOOD, False),
    ):
        data = whole(said(ToolCall("c", name, arguments), stop=Stop.TOOL_CALLS))
        found = conforming(guard, is_stream=False, asked=call(tools=[tool]))
        assert (passed(found, data) == data) is is_passed
    assert "there is no tool 'destroy'" in reason(found)


def test_a_schema_that_cannot_be_used_is_told_at_once() -> None:
    remote = {"$ref": "http://127.0.0.1:9/x"}
    wanted = {"type": "json_schema", "json_schema": {"name": "p", "schema": remote}}
    forms = Forms([schema(None)], Audits(Counted()))
    found = forms.ready(FACTS, call(response_format=wanted), DECODE)
    assert isinstance(found, Deny)
    assert (found.status, found.code) == (400, "invalid_schema")


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_answer_that_is_too_long_is_refused(dialect: Dialect, is_stream: bool) -> None:
    made = stream if is_stream else whole
    data = made(said(Text("x" * 50), Text("y" * 50)), dialect)
    assert passed(conforming(length(100), is_stream=is_stream, dialect=dialect), data) == data
    found = conforming(length(99), is_stream=is_stream, dialect=dialect)
    assert passed(found, data) == b""
    assert found.denied is not None
    assert (found.denied.status, found.denied.code) == (400, "text_too_long")


def test_lengths_are_of_what_the_guard_reads() -> None:
    answer = said(
        Thinking("t" * 40), Text("x" * 20), ToolCall("c", "make", '{"a": "%s"}' % ("z" * 30))
    )
    data = whole(answer, Dialect.ANTHROPIC)
    for scope, most in (
        (TextScope.REASONING, 40),
        (TextScope.ASSISTANT, 20),
        (TextScope.TOOL_INPUT, 39),
    ):
        for given_most, is_passed in ((most + 2, True), (most - 3, False)):
            guard = length(given_most, scope)
            found = conforming(guard, is_stream=False, dialect=Dialect.ANTHROPIC)
            assert (passed(found, data) == data) is is_passed, scope


def test_a_long_stream_is_cut_where_it_is_too_long() -> None:
    encoding = SPEAKERS[Dialect.OPENAI_CHAT].codec.encoding(ASKED)
    chunks = [Text("a" * 10) for _ in range(10)]
    pieces = [encoding.feed(event) for event in events_of(said(*chunks))]
    found = conforming(length(45), is_stream=True)
    assert passed(found, b"", pieces).count(b"aaaaaaaaaa") == 4
    assert found.denied is not None


@pytest.mark.parametrize("is_stream", [False, True])
def test_an_answer_of_too_many_tokens_is_refused(is_stream: bool) -> None:
    words = " ".join(["the weather is fine in Oslo"] * 80)
    tokens = expected([words], Family.OTHER)
    data = (stream if is_stream else whole)(said(Text(words)))
    for most, is_passed in ((tokens + 20, True), (tokens - 20, False)):
        guard = LengthGuard("short", None, "", terms(), most)
        found = conforming(guard, is_stream=is_stream)
        assert (passed(found, data) == data) is is_passed
    assert found.denied is not None
    assert found.denied.code == "text_too_long"


def test_tokens_of_a_stream_are_counted_as_those_of_the_whole() -> None:
    words = " ".join(["the weather is fine in Oslo"] * 300)
    pieces = [words[at : at + 3] for at in range(0, len(words), 3)]
    tokens = expected([words], Family.OTHER)
    encoding = SPEAKERS[Dialect.OPENAI_CHAT].codec.encoding(ASKED)
    events = events_of(said(*map(Text, pieces)))
    chunks = [encoding.feed(event) for event in events]
    for most, is_passed in ((int(tokens * 1.03), True), (int(tokens * 0.97), False)):
        found = conforming(LengthGuard("short", 10**9, "", terms(), most), is_stream=True)
        passed(found, b"", chunks)
        assert (found.denied is None) is is_passed


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize(("text", "is_good"), [(GOOD, True), (BAD, False)])
def test_legacy_completions_are_read_too(is_stream: bool, text: str, is_good: bool) -> None:
    told = {"id": "c", "object": "text_completion", "created": 1, "model": "m"}
    half = len(text) // 2

    def chunk(text: str, finish: str | None) -> dict[str, Any]:
        return {**told, "choices": [{"index": 0, "text": text, "finish_reason": finish}]}

    if is_stream:
        chunks = [chunk(text[:half], None), chunk(text[half:], None), chunk("", "stop")]
        events = [f"data: {json.dumps(each)}\n\n" for each in chunks]
        data = "".join([*events, "data: [DONE]\n\n"]).encode()
    else:
        data = json.dumps(chunk(text, "stop")).encode()
    found = conforming(schema(), is_stream=is_stream)
    assert passed(found, data) == (data if is_good else b"")
    found = conforming(length(len(text) - 1), is_stream=is_stream)
    passed(found, data)
    assert found.denied is not None


@pytest.mark.parametrize("is_stream", [False, True])
def test_audits_change_and_delay_nothing_and_are_told_once(is_stream: bool) -> None:
    data = (stream if is_stream else whole)(said(Text(BAD)))
    tally = Counted()
    guards = (schema(mode=Mode.AUDIT), length(3, mode=Mode.AUDIT), length(999, mode=Mode.AUDIT))
    found = conforming(*guards[:2], is_stream=is_stream, tally=tally)
    pieces = [data[at : at + 40] for at in range(0, len(data), 40)]
    for piece in pieces[:-1]:
        assert found.feed(piece, is_end=False) == (piece if is_stream else b"")
    found.feed(pieces[-1], is_end=True)
    found.end()
    found.end()
    assert tally.counts == {("guard", "person", "deny"): 1, ("guard", "short", "deny"): 1}
    other = conforming(guards[2], is_stream=is_stream, tally=tally)
    passed(other, data)
    other.end()
    assert tally.counts["guard", "short", "pass"] == 1


def test_guards_are_for_those_whom_they_name() -> None:
    forms = Forms([schema(model="other")], Audits(Counted()))
    assert forms.is_any
    assert forms.ready(FACTS, call(), DECODE) == ()


def test_streams_in_other_frames_are_read() -> None:
    for text, is_passed in ((GOOD, True), (BAD, False)):
        answer = said(Text(text))
        encoding = ARRAY_CODEC.encoding(ASKED)
        array = b"".join(map(encoding.feed, events_of(answer)))
        forms = Forms([schema()], Audits(Counted()))
        codec = SPEAKERS[Dialect.GEMINI].codec
        ready = forms.ready(FACTS, call(), DECODE)
        assert isinstance(ready, tuple)
        found = Conforming(ready, forms.audits, FACTS, codec, ArrayFrames(), is_stream=True)
        assert (passed(found, array) == array) is is_passed
        frames = ChunkFrames()
        events = [
            line.removeprefix(b"data: ")
            for line in stream(answer, Dialect.ANTHROPIC).split(b"\n")
            if line.startswith(b"data: ")
        ]
        chunks = b"".join(frames.said(Frame(event, "chunk", CHUNK)) for event in events)
        found = Conforming(
            ready,
            forms.audits,
            FACTS,
            SPEAKERS[Dialect.ANTHROPIC].codec,
            ChunkFrames(),
            is_stream=True,
        )
        assert (passed(found, chunks) == chunks) is is_passed


def test_what_cannot_be_read_does_not_pass() -> None:
    with pytest.raises(UnreadableAnswer):
        passed(conforming(schema(), is_stream=False), b"<html>")
