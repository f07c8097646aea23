"""Estimates of whole requests: every part of them counts."""

from __future__ import annotations

import base64
import struct

import pytest

from extproc.llm.request import (
    Audio,
    Document,
    Image,
    Inline,
    JsonFormat,
    Message,
    Part,
    Plain,
    Refusal,
    Remote,
    Request,
    Role,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
    Uploaded,
    Video,
)
from extproc.llm.request_tokens import tokens_of

PNG = base64.b64encode(
    b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 1000, 1000) + b"\0" * 9
).decode()
QUESTION = Text("What's the weather like in San Francisco?")
WEATHER = Tool(
    "get_weather",
    "Get the current weather in a given location",
    {
        "type": "object",
        "properties": {
            "location": {
                "type": "string",
                "description": "The city and state, e.g. San Francisco, CA",
            }
        },
        "required": ["location"],
    },
)


def request(*parts: Part, model: str = "gpt-4o", tools: tuple[Tool, ...] = ()) -> Request:
    return Request(model, (Message(Role.USER, parts),), tools=tools)


def test_a_tool_is_about_as_many_tokens_as_anthropic_says() -> None:
    """Its documentation has this example, of 403 tokens."""
    found = tokens_of(request(QUESTION, model="claude-opus-5", tools=(WEATHER,)))
    assert found == pytest.approx(403, rel=0.2)


@pytest.mark.parametrize(
    "part",
    [
        Text("more of it"),
        Refusal("I will not say"),
        Thinking("let me see"),
        ToolCall("1", "get_weather", '{"location": "Oslo"}'),
        ToolResult("1", "get_weather", (Text("rain and wind"),)),
        ToolResult("1", "look", (Image(Inline("image/png", PNG)),)),
        Image(Inline("image/png", PNG)),
        Image(Remote("https://example.com/a.png")),
        Document(Plain("a page of text")),
        Document(Inline("application/pdf", PNG)),
        Document(Uploaded("file-1")),
        Audio(Inline("audio/wav", PNG)),
        Audio(Remote("https://example.com/a.mp3")),
        Video(Inline("video/mp4", PNG)),
    ],
)
@pytest.mark.parametrize("model", ["gpt-4o", "claude-opus-5", "gemini-2.5-pro", "unheard-of"])
def test_every_part_counts(part: Part, model: str) -> None:
    without, with_it = (
        tokens_of(request(QUESTION, model=model)),
        tokens_of(request(QUESTION, part, model=model)),
    )
    assert with_it > without


def test_the_size_of_an_image_counts_not_its_bytes() -> None:
    bare = tokens_of(request(QUESTION, model="claude-sonnet-4-5"))
    seen = tokens_of(request(QUESTION, Image(Inline("image/png", PNG)), model="claude-sonnet-4-5"))
    assert seen - bare == 1334


def test_little_detail_counts_little() -> None:
    bare = tokens_of(request(QUESTION))
    seen = tokens_of(request(QUESTION, Image(Inline("image/png", PNG), "low")))
    assert seen - bare == 85


def test_a_schema_of_the_answer_counts() -> None:
    asked = request(QUESTION)
    schema = JsonFormat(WEATHER.parameters)
    formatted = Request(asked.model, asked.messages, format=schema)
    assert tokens_of(formatted) > tokens_of(asked) + 20


def test_nothing_is_nothing() -> None:
    assert tokens_of(Request("gpt-4o", ())) == 0
