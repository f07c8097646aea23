"""OpenAI's documented objects, as the demo writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from openai.types import CreateEmbeddingResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from xds_server.demo.wire import (
    Answer,
    Envelope,
    ToolCall,
    chunks,
    completion,
    embeddings,
    error,
    event,
    models,
)

ENVELOPE = Envelope("chatcmpl-1", 1_700_000_000, "demo-model")
TEXT = Answer(("Hello ", "there"), (), "stop", prompt_tokens=7, completion_tokens=2)
CALL = ToolCall("call_1", "weather", '{"city": "Graz"}')
CALLING = Answer((), (CALL,), "tool_calls", prompt_tokens=9, completion_tokens=6)


def streamed(answer: Answer, choices: int = 1, usage: bool = True) -> list[ChatCompletionChunk]:
    return [
        ChatCompletionChunk.model_validate(chunk)
        for chunk in chunks(ENVELOPE, answer, choices, usage)
    ]


def test_a_completion_is_what_the_openai_library_expects() -> None:
    read = ChatCompletion.model_validate(completion(ENVELOPE, TEXT, 2))
    assert [choice.message.content for choice in read.choices] == ["Hello there"] * 2
    assert read.usage is not None
    assert (read.usage.prompt_tokens, read.usage.completion_tokens) == (7, 4)
    assert read.usage.total_tokens == 11


def test_a_tool_call_has_no_content() -> None:
    message = ChatCompletion.model_validate(completion(ENVELOPE, CALLING, 1)).choices[0].message
    assert message.content is None
    assert message.tool_calls is not None
    call: Any = message.tool_calls[0]
    assert (call.id, call.function.name) == ("call_1", "weather")
    assert json.loads(call.function.arguments) == {"city": "Graz"}


def test_a_stream_is_a_role_the_words_the_end_and_the_usage() -> None:
    parts = streamed(TEXT)
    assert parts[0].choices[0].delta.role == "assistant"
    assert [part.choices[0].delta.content for part in parts[1:3]] == ["Hello ", "there"]
    assert parts[3].choices[0].finish_reason == "stop"
    assert parts[4].choices == []
    assert parts[4].usage is not None
    assert all(part.usage is None for part in parts[:4])


def test_usage_is_there_only_when_asked_for() -> None:
    parts: list[Mapping[str, Any]] = list(chunks(ENVELOPE, TEXT, 1, False))
    assert len(parts) == 4
    assert all("usage" not in part for part in parts)


def test_every_choice_of_a_stream_has_its_own_end() -> None:
    ends = [part.choices[0] for part in streamed(TEXT, 2)[:-1] if part.choices[0].finish_reason]
    assert [end.index for end in ends] == [0, 1]


def test_the_arguments_of_a_streamed_tool_call_come_in_pieces() -> None:
    deltas = [
        call for part in streamed(CALLING)[:-1] for call in part.choices[0].delta.tool_calls or ()
    ]
    assert deltas[0].id == "call_1"
    assert deltas[0].function is not None
    assert deltas[0].function.name == "weather"
    assert len(deltas) > 2
    assert "".join(one.function.arguments or "" for one in deltas if one.function) == CALL.arguments


def test_an_event_is_one_data_line() -> None:
    assert event({"a": "x\ny"}) == b'data: {"a":"x\\ny"}\n\n'


def test_an_error_has_the_four_documented_fields() -> None:
    assert error("no", "server_error") == {
        "error": {"message": "no", "type": "server_error", "param": None, "code": None}
    }


def test_models_are_a_list() -> None:
    listed = models(["one"], 5, "demo-a")
    row = {"id": "one", "object": "model", "created": 5, "owned_by": "demo-a"}
    assert listed == {"object": "list", "data": [row]}


def test_embeddings_are_numbers_or_base64() -> None:
    numbers = embeddings("demo-model", [[0.5, -0.25]], 3, is_base64=False)
    found = CreateEmbeddingResponse.model_validate(numbers)
    assert (found.data[0].embedding, found.usage.total_tokens) == ([0.5, -0.25], 3)
    packed: Any = embeddings("demo-model", [[0.5, -0.25]], 3, is_base64=True)
    assert packed["data"][0]["embedding"] == "AAAAPwAAgL4="
