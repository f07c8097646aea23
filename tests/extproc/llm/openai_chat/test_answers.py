"""Answers are read leniently, and written as OpenAI's own library reads them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace
from openai.types.chat import ChatCompletion

from extproc.llm.answer import Answer, Candidate, Citation, Speech, Stop
from extproc.llm.dialect import Asked, UnreadableAnswer
from extproc.llm.identifiers import call_id
from extproc.llm.openai_chat.answers import decode_answer, encode_answer
from extproc.llm.request import Refusal, Signature, Text, Thinking, ToolCall
from gateway.model import Dialect
from gateway.usage import Usage

ASKED = Asked("fast", "abc-1", 1700000000)
LEGACY = replace(ASKED, document={"functions": [{"name": "f"}]})
CALLS = (ToolCall("1", "f", "{}"), ToolCall("2", "g", '{"a":1}'))


def read(**message: object) -> Candidate:
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return decode_answer(json.dumps({"id": "x", "choices": [choice]}).encode()).candidates[0]


def write(*candidates: Candidate, asked: Asked = ASKED) -> dict[str, Any]:
    body = encode_answer(Answer("", "", candidates, None), asked)
    ChatCompletion.model_validate_json(body, strict=True)
    document: dict[str, Any] = json.loads(body)
    return document


def message(*parts: Any, stop: Stop = Stop.END, asked: Asked = ASKED) -> dict[str, Any]:
    choice: dict[str, Any] = write(Candidate(parts, stop), asked=asked)["choices"][0]
    return choice["message"] | {"finish_reason": choice["finish_reason"]}


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"choices":{}}', b'{"choices":null}', b"\xff"]
)
def test_what_is_no_answer_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(UnreadableAnswer, match="not a chat completion"):
        decode_answer(body)


def test_what_is_missing_has_defaults() -> None:
    assert decode_answer(b'{"choices":[{},7,{"message":{}}]}') == Answer(
        "", "", (Candidate(()), Candidate(())), None
    )


def test_odd_members_are_passed_over() -> None:
    odd: dict[str, Any] = {
        "content": 7,
        "refusal": [],
        "tool_calls": [7, {}, {"function": 7}],
        "function_call": "f",
        "annotations": [7, {}],
        "audio": "a",
        "reasoning_details": 7,
    }
    assert read(**odd) == Candidate(())


def test_calls_without_ids_are_given_some() -> None:
    call = {"function": {"name": "f", "arguments": {"a": 1}}}
    assert read(tool_calls=[call, call]) == Candidate(
        (
            ToolCall(call_id("x/0", 0), "f", '{"a":1}'),
            ToolCall(call_id("x/0", 1), "f", '{"a":1}'),
        ),
        Stop.TOOL_CALLS,
    )


def test_the_legacy_function_call_is_a_call() -> None:
    assert read(function_call={"name": "f", "arguments": ""}).parts == (
        ToolCall(call_id("x/0", 0), "f", "{}"),
    )


def test_mistrals_content_is_in_parts() -> None:
    content = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "a"},
        {"type": "reference", "reference_ids": [1]},
    ]
    assert read(content=content).parts == (Thinking("hm"), Text("a"))


def test_an_answer_without_names_is_given_ours() -> None:
    document = write(Candidate((Text("a"),)))
    assert document["id"] == "chatcmpl-abc-1"
    assert document["model"] == "fast"
    assert document["created"] == 1700000000
    assert document["object"] == "chat.completion"
    assert "usage" not in document


def test_usage_and_tier_are_told() -> None:
    answer = Answer("x", "m", (Candidate((Text("a"),)),), Usage(9, 4, service_tier="flex"))
    document = json.loads(encode_answer(answer, ASKED))
    assert (document["id"], document["model"], document["service_tier"]) == ("x", "m", "flex")
    assert document["usage"]["total_tokens"] == 13


def test_texts_are_one_and_nothing_said_is_null() -> None:
    assert message(Text("a"), Text("b"))["content"] == "ab"
    assert message(*CALLS, stop=Stop.TOOL_CALLS)["content"] is None


def test_everything_has_its_place_in_the_message() -> None:
    seal = Signature("s", Dialect.OPENAI_CHAT)
    found = message(
        Thinking("hm", seal),
        Text("a", signature=seal),
        Citation("https://a.example/", "t", 0, 1),
        Refusal("no"),
        Speech("AAAA", "a", "audio_1", 7),
        ToolCall("1", "f", "{}", seal),
        stop=Stop.TOOL_CALLS,
    )
    google = {"google": {"thought_signature": "s"}}
    assert found == {
        "role": "assistant",
        "content": "a",
        "refusal": "no",
        "reasoning_content": "hm",
        "reasoning_details": [{"type": "reasoning.text", "text": "hm", "signature": "s"}],
        "extra_content": google,
        "annotations": [
            {
                "type": "url_citation",
                "url_citation": {
                    "url": "https://a.example/",
                    "title": "t",
                    "start_index": 0,
                    "end_index": 1,
                },
            }
        ],
        "audio": {"id": "audio_1", "data": "AAAA", "expires_at": 7, "transcript": "a"},
        "tool_calls": [
            {
                "id": "1",
                "type": "function",
                "function": {"name": "f", "arguments": "{}"},
                "extra_content": google,
            }
        ],
        "finish_reason": "tool_calls",
    }


def test_a_legacy_client_is_told_the_first_call() -> None:
    found = message(*CALLS, stop=Stop.TOOL_CALLS, asked=LEGACY)
    assert found["function_call"] == {"name": "f", "arguments": "{}"}
    assert found["finish_reason"] == "function_call"
    assert "tool_calls" not in found


def test_several_choices_are_numbered() -> None:
    document = write(Candidate((Text("a"),)), Candidate((Text("b"),), Stop.MAX_TOKENS))
    assert [(each["index"], each["finish_reason"]) for each in document["choices"]] == [
        (0, "stop"),
        (1, "length"),
    ]
