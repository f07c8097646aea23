"""What the demo's model reads, refuses and says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from xds_server.demo.model import (
    ChatRequest,
    EmbeddingRequest,
    Refusal,
    answer,
    last_user_text,
    read,
    read_embedding,
    tokens,
)

HELLO = {"role": "user", "content": "Hello"}
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        },
    },
}


def body(**changes: Any) -> bytes:
    return json.dumps({"model": "demo-model", "messages": [HELLO]} | changes).encode()


def request(**changes: Any) -> ChatRequest:
    chat = read(body(**changes), ["demo-model"])
    assert isinstance(chat, ChatRequest)
    return chat


def refusal(raw: bytes) -> tuple[int, Any]:
    refused = read(raw, ["demo-model"])
    assert isinstance(refused, Refusal)
    error: Any = refused.body["error"]
    return refused.status, (error["param"], error["code"])


@pytest.mark.parametrize(
    ("raw", "status", "detail"),
    [
        (b"{", 400, (None, None)),
        (b"[]", 400, (None, None)),
        (b'{"messages": []}', 400, ("model", "missing_required_parameter")),
        (b'{"model": "demo-model"}', 400, ("messages", "missing_required_parameter")),
        (body(messages=[]), 400, ("messages", "empty_array")),
        (body(messages="hi"), 400, ("messages", "invalid_type")),
        (body(messages=["hi"]), 400, ("messages", "invalid_type")),
        (body(model="gpt-0"), 404, (None, "model_not_found")),
        (body(n=0.5), 400, ("n", "invalid_value")),
        (body(max_tokens=0), 400, ("max_completion_tokens", "integer_below_min_value")),
    ],
)
def test_bad_requests_get_the_documented_error(raw: bytes, status: int, detail: object) -> None:
    assert refusal(raw) == (status, detail)


def test_the_answer_names_its_provider_and_quotes_the_user() -> None:
    text = "".join(answer(request(), "b").pieces)
    assert "Provider b" in text
    assert "Hello" in text


def test_the_same_request_gets_the_same_answer() -> None:
    assert answer(request(), "a") == answer(request(), "a")


def test_every_piece_is_a_token_that_is_paid_for() -> None:
    said = answer(request(messages=[{"role": "user", "content": "Count to 200, please"}]), "a")
    assert said.completion_tokens == len(said.pieces) == 200
    assert said.prompt_tokens == 3 + 3 + tokens("Count to 200, please")


def test_a_limit_cuts_the_answer() -> None:
    said = answer(request(max_completion_tokens=2), "a")
    assert (said.completion_tokens, said.finish_reason) == (2, "length")


def test_the_text_of_parts_counts() -> None:
    parts = [
        {"type": "text", "text": "one "},
        {"type": "image_url"},
        {"type": "text", "text": "two"},
    ]
    assert last_user_text([{"role": "user", "content": parts}]) == "one two"


def test_a_tool_is_called_when_the_user_asks_for_it() -> None:
    asked = [{"role": "user", "content": "What is the weather in Graz?"}]
    said = answer(request(messages=asked, tools=[TOOL]), "a")
    assert said.finish_reason == "tool_calls"
    assert said.tool_calls[0].name == "get_weather"
    assert json.loads(said.tool_calls[0].arguments) == {"city": asked[0]["content"], "days": 1}


@pytest.mark.parametrize("choice", ["auto", "none"])
def test_a_tool_that_nobody_asked_for_is_not_called(choice: str) -> None:
    assert answer(request(tools=[TOOL], tool_choice=choice), "a").tool_calls == ()


def test_a_required_tool_is_called() -> None:
    assert answer(request(tools=[TOOL], tool_choice="required"), "a").tool_calls


def test_a_tool_forced_by_name_ends_with_stop() -> None:
    forced = {"type": "function", "function": {"name": "get_weather"}}
    said = answer(request(tools=[TOOL], tool_choice=forced), "a")
    assert (said.tool_calls[0].name, said.finish_reason) == ("get_weather", "stop")


def test_the_model_speaks_once_it_has_the_result_of_the_tool() -> None:
    asked = [{"role": "user", "content": "the weather?"}, {"role": "tool", "content": "sunny"}]
    assert answer(request(messages=asked, tools=[TOOL]), "a").tool_calls == ()


def test_an_answer_has_the_schema_that_was_asked_for() -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    wanted = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
    said = answer(request(response_format=wanted), "a")
    assert json.loads("".join(said.pieces)) == {"city": "Hello"}
    assert said.finish_reason == "stop"
    said = answer(request(response_format={"type": "json_object"}), "a")
    assert json.loads("".join(said.pieces)) == {"answer": "Hello"}
    said = answer(request(response_format={"type": "text"}), "a")
    assert "Provider a" in "".join(said.pieces)


def test_texts_to_embed_are_read() -> None:
    def asked(**fields: Any) -> EmbeddingRequest | Refusal:
        document = {"model": "demo-model", "input": "a", **fields}
        return read_embedding(json.dumps(document).encode(), ["demo-model"])

    assert asked() == EmbeddingRequest("demo-model", ["a"], 256, False)
    found = asked(input=["a", "b"], dimensions=3, encoding_format="base64")
    assert found == EmbeddingRequest("demo-model", ["a", "b"], 3, True)
    for wrong in ({"input": []}, {"input": [1]}, {"dimensions": 0}, {"model": "gpt-0"}):
        assert isinstance(asked(**wrong), Refusal)
    assert isinstance(read_embedding(b"{", ["demo-model"]), Refusal)
