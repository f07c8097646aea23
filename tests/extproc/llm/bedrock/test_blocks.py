"""Blocks that other dialects do not have, and blocks that nobody has."""

from __future__ import annotations

from typing import Any

import pytest

from extproc.llm.bedrock.blocks import BlockReader
from extproc.llm.losses import Feature
from extproc.llm.request import (
    CacheMark,
    Document,
    Image,
    Inline,
    Part,
    Plain,
    Signature,
    Text,
    ToolCall,
    ToolResult,
    Uploaded,
)
from gateway.model import Dialect


def read(*blocks: Any) -> tuple[tuple[Part, ...], list[Feature]]:
    reader = BlockReader()
    return reader.parts(list(blocks)), reader.extras


@pytest.mark.parametrize(
    ("block", "part", "extra"),
    [
        (
            {"citationsContent": {"content": [{"text": "a"}, {"text": "b"}], "citations": []}},
            Text("ab"),
            Feature.CITATIONS,
        ),
        (
            {"searchResult": {"source": "s", "title": "t", "content": [{"text": "c"}]}},
            Text("t\ns\nc"),
            Feature.CITATIONS,
        ),
        ({"guardContent": {"text": {"text": "g"}}}, Text("g"), Feature.SAFETY_SETTINGS),
        (
            {"guardContent": {"image": {"format": "png", "source": {"bytes": "aWs="}}}},
            Image(Inline("image/png", "aWs=")),
            Feature.SAFETY_SETTINGS,
        ),
        (
            {
                "document": {
                    "name": "n",
                    "source": {"content": [{"text": "a"}, {"text": "b"}]},
                    "context": "of the board",
                }
            },
            Document(Plain("a\n\nb"), "n"),
            Feature.OTHER,
        ),
        (
            {
                "image": {
                    "format": "jpeg",
                    "source": {"s3Location": {"uri": "s3://b/k", "bucketOwner": "123456789012"}},
                }
            },
            Image(Uploaded("s3://b/k", "image/jpeg")),
            Feature.OTHER,
        ),
    ],
)
def test_what_the_canonical_form_does_not_have_is_named(
    block: object, part: Part, extra: Feature
) -> None:
    assert read(block) == ((part,), [extra])


@pytest.mark.parametrize(
    ("block", "extra"),
    [
        ({"toolAddition": {"tool": {"name": "x"}}}, Feature.PROVIDER_TOOLS),
        (
            {"toolUse": {"toolUseId": "a", "name": "b", "input": {}, "type": "server_tool_use"}},
            Feature.PROVIDER_TOOLS,
        ),
        (
            {"toolResult": {"toolUseId": "a", "content": [], "type": "x"}},
            Feature.PROVIDER_TOOLS,
        ),
        ({"hologram": {"depth": 3}}, Feature.OTHER),
        ({"text": None}, Feature.OTHER),
        ({}, Feature.OTHER),
        ({"cachePoint": {"type": "default"}}, Feature.CACHE_MARKS),
    ],
)
def test_what_cannot_be_kept_is_named(block: object, extra: Feature) -> None:
    assert read(block) == ((), [extra])


def test_a_mark_is_of_the_block_before() -> None:
    parts, extras = read({"text": "a"}, {"cachePoint": {"type": "default", "ttl": "1h"}})
    assert parts == (Text("a", CacheMark("1h")),)
    assert not extras


def test_results_are_read_with_all_that_they_hold() -> None:
    content = [
        {"json": [1, {"a": None}]},
        {"document": {"format": "md", "name": "n", "source": {"bytes": "aWs="}}},
        {"video": {"format": "mp4", "source": {"bytes": "aWs="}}},
    ]
    parts, extras = read(
        {"toolUse": {"toolUseId": "1", "name": "find"}},
        {"toolResult": {"toolUseId": "1", "content": content, "status": "error"}},
    )
    document = Document(Inline("text/markdown", "aWs="), "n")
    assert parts == (
        ToolCall("1", "find", "{}"),
        ToolResult("1", "find", (Text('[1,{"a":null}]'), document), is_error=True),
    )
    assert extras == [Feature.VIDEO_INPUT]


def test_seals_of_other_providers_find_their_call_and_their_text() -> None:
    def sealed(mark: str) -> dict[str, object]:
        signature = f"dragoman-{mark}:dragoman:gemini:{mark}-seal"
        return {"reasoningContent": {"reasoningText": {"text": "", "signature": signature}}}

    parts, extras = read(
        {"text": "a"},
        sealed("text"),
        sealed("call"),
        {"toolUse": {"toolUseId": "1", "name": "f", "input": {}}},
        {"toolUse": {"toolUseId": "2", "name": "f", "input": {}}},
    )
    assert parts == (
        Text("a", signature=Signature("text-seal", Dialect.GEMINI)),
        ToolCall("1", "f", "{}", Signature("call-seal", Dialect.GEMINI)),
        ToolCall("2", "f", "{}"),
    )
    assert not extras


def test_a_reasoning_that_says_nothing_is_nothing() -> None:
    assert read({"reasoningContent": {}}, {"reasoningContent": {"reasoningText": {}}}) == ((), [])


def test_blocks_that_are_no_objects_are_passed_over() -> None:
    assert BlockReader().parts(["text", 1, None]) == ()
    assert BlockReader().parts("text") == ()
