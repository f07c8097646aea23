from __future__ import annotations

import pytest

from extproc.llm.anthropic import sealed
from extproc.llm.anthropic.blocks import Blocks, mark_of
from extproc.llm.faults import Unfit
from extproc.llm.losses import Feature
from extproc.llm.request import (
    CacheMark,
    Document,
    Image,
    Inline,
    Part,
    Plain,
    Remote,
    Signature,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Uploaded,
)
from gateway.model import Dialect


def read(*blocks: object) -> tuple[list[Part], list[Feature]]:
    reader = Blocks()
    return reader.parts(list(blocks), "content"), list(reader.extras)


def text(words: str) -> dict[str, object]:
    return {"type": "text", "text": words}


def document(source: dict[str, object], **more: object) -> dict[str, object]:
    return {"type": "document", "source": source, **more}


def test_a_string_is_one_text_and_an_empty_one_is_none() -> None:
    assert Blocks().parts("hi", "content") == [Text("hi")]
    assert Blocks().parts("", "content") == []
    assert Blocks().parts(None, "system") == []
    assert read(text("")) == ([], [])


def test_marks_are_kept_wherever_they_stand() -> None:
    mark = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    source = {"type": "url", "url": "https://a.example/b"}
    parts, _ = read(
        {**text("a"), **mark},
        {"type": "image", "source": source, **mark},
        document(source, **mark),
        {"type": "tool_use", "id": "1", "name": "f", "input": {}, **mark},
        {"type": "tool_result", "tool_use_id": "1", "content": [{**text("b"), **mark}], **mark},
    )
    marks = [part.cache for part in parts if not isinstance(part, Thinking)]  # type: ignore[union-attr]
    assert marks == [CacheMark("1h")] * 5
    assert isinstance(parts[4], ToolResult)
    assert parts[4].content == (Text("b", CacheMark("1h")),)
    assert mark_of({"cache_control": {"type": "ephemeral"}}) == CacheMark()
    assert mark_of({"cache_control": None}) is None


@pytest.mark.parametrize(
    ("source", "meant"),
    [
        (
            {"type": "base64", "media_type": "image/png", "data": "aGk="},
            Inline("image/png", "aGk="),
        ),
        ({"type": "url", "url": "https://a.example/b"}, Remote("https://a.example/b")),
        ({"type": "file", "file_id": "file_1"}, Uploaded("file_1")),
        ({"type": "text", "media_type": "text/plain", "data": "hi"}, Plain("hi")),
    ],
)
def test_sources_of_every_kind_are_read(source: dict[str, object], meant: object) -> None:
    parts, _ = read({"type": "image", "source": source}, document(source, title="a"))
    assert parts == [Image(meant), Document(meant, "a")]  # type: ignore[arg-type]


def test_a_documents_context_is_said_before_it() -> None:
    parts, _ = read(document({"type": "text", "data": "hi"}, context="a letter", title="l"))
    assert parts == [Text("a letter"), Document(Plain("hi"), "l")]


@pytest.mark.parametrize("content", ["one\ntwo", [text("one"), text("two")]])
def test_a_document_of_texts_is_a_text(content: object) -> None:
    parts, _ = read(document({"type": "content", "content": content}, title="a"))
    assert parts == [Document(Plain("one\ntwo"), "a")]


def test_a_document_that_holds_images_is_its_pieces() -> None:
    image = {"type": "image", "source": {"type": "url", "url": "https://a.example/b"}}
    parts, _ = read(document({"type": "content", "content": [text("one"), image]}))
    assert parts == [Text("one"), Image(Remote("https://a.example/b"))]


def test_what_was_found_is_a_document() -> None:
    found = {
        "type": "search_result",
        "source": "https://a.example",
        "title": "A",
        "content": [text("one"), text("two")],
        "citations": {"enabled": True},
    }
    assert read(found) == ([Document(Plain("one\ntwo"), "A")], [Feature.CITATIONS])
    assert read({**found, "title": ""})[0] == [Document(Plain("one\ntwo"), "https://a.example")]


def test_results_know_the_name_of_the_call_before() -> None:
    reader = Blocks()
    call = {"type": "tool_use", "id": "t1", "name": "f", "input": {"b": [1, 2.5, "é"]}}
    assert reader.parts([call], "a") == [ToolCall("t1", "f", '{"b":[1,2.5,"é"]}')]
    result = {"type": "tool_result", "tool_use_id": "t1", "content": "5", "is_error": True}
    assert reader.parts([result], "b") == [ToolResult("t1", "f", (Text("5"),), is_error=True)]
    empty = {"type": "tool_result", "tool_use_id": "t2"}
    assert reader.parts([empty], "c") == [ToolResult("t2", "", ())]


def test_seals_go_back_to_what_they_sealed() -> None:
    seal = Signature("s", Dialect.GEMINI)
    other = Signature("t", Dialect.GEMINI)
    parts, _ = read(
        text("hm"),
        sealed.text_seal(other),
        sealed.call_seal(seal),
        {"type": "tool_use", "id": "1", "name": "f", "input": {}},
        {"type": "tool_use", "id": "2", "name": "f", "input": {}},
        sealed.text_seal(other),
    )
    assert parts == [
        Text("hm", signature=other),
        ToolCall("1", "f", "{}", seal),
        ToolCall("2", "f", "{}"),
        Text("", signature=other),
    ]


def test_thinking_is_kept_with_its_seal() -> None:
    parts, _ = read(
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "redacted_thinking", "data": "d"},
    )
    assert parts == [
        Thinking("hm", Signature("s", Dialect.ANTHROPIC)),
        Thinking("", Signature("d", Dialect.ANTHROPIC), is_redacted=True),
    ]


@pytest.mark.parametrize(
    "kind", ["server_tool_use", "web_search_tool_result", "mcp_tool_use", "container_upload", "new"]
)
def test_what_belongs_to_the_providers_tools_is_named_as_lost(kind: str) -> None:
    assert read({"type": kind}, text("a")) == ([Text("a")], [Feature.PROVIDER_TOOLS])
    result = {"type": "tool_result", "tool_use_id": "1", "content": [{"type": kind}]}
    assert read(result) == ([ToolResult("1", "", ())], [Feature.PROVIDER_TOOLS])


@pytest.mark.parametrize(
    ("block", "param"),
    [
        ({"type": "tool_use", "name": "f", "input": {}}, "content[0].id"),
        ({"type": "tool_use", "id": "", "name": "f", "input": {}}, "content[0].id"),
        ({"type": "tool_use", "id": "1", "input": {}}, "content[0].name"),
        ({"type": "tool_use", "id": "1", "name": "f", "input": "{}"}, "content[0].input"),
        ({"type": "tool_result", "content": "5"}, "content[0].tool_use_id"),
        ({"type": "image"}, "content[0].source"),
        ({"type": "image", "source": {"type": "fax"}}, "content[0].source.type"),
        ({"type": "image", "source": {"type": "url"}}, "content[0].source.url"),
        (
            {"type": "image", "source": {"type": "base64", "media_type": 1, "data": ""}},
            "content[0].source.media_type",
        ),
        (document({"type": "content", "content": 5}), "content[0].source.content"),
    ],
)
def test_what_is_no_block_is_named(block: dict[str, object], param: str) -> None:
    with pytest.raises(Unfit) as caught:
        read(block)
    assert caught.value.deny.param == param
