from __future__ import annotations

import json

import pytest

from extproc.llm.anthropic.turns import (
    CONTINUE,
    Conversation,
    begun_and_ended,
    calls_without_thinking,
    conversation,
    goes_on_without_thinking,
)
from extproc.llm.losses import Feature, Losses
from extproc.llm.request import (
    Audio,
    CacheMark,
    Document,
    Image,
    Inline,
    Message,
    Part,
    Plain,
    Refusal,
    Remote,
    Role,
    Signature,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Uploaded,
    Video,
)
from extproc.protocols import json_spans
from gateway.model import Dialect

PNG = "iVBORw0KGgo="


def user(*parts: Part) -> Message:
    return Message(Role.USER, parts)


def assistant(*parts: Part) -> Message:
    return Message(Role.ASSISTANT, parts)


def said(*messages: Message) -> tuple[Conversation, dict[Feature, str]]:
    losses = Losses()
    found = conversation(messages, losses)
    return found, {feature: feature.value for feature in losses.features}


def turns(*messages: Message) -> list[tuple[str, list[dict[str, object]]]]:
    found, lost = said(*messages)
    assert not lost
    return json.loads(json_spans.encode(found.turns))  # type: ignore[no-any-return]


def lost_of(part: Part) -> set[Feature]:
    return set(said(user(part))[1])


def text(words: str) -> dict[str, object]:
    return {"type": "text", "text": words}


def test_messages_of_one_role_in_a_row_are_one_turn() -> None:
    assert turns(user(Text("a")), user(Text("b")), assistant(Text("c")), user(Text("d"))) == [
        ["user", [text("a"), text("b")]],
        ["assistant", [text("c")]],
        ["user", [text("d")]],
    ]


def test_texts_that_are_blank_are_left_out_and_turns_without_anything_too() -> None:
    assert turns(user(Text("a"), Text(" \n")), assistant(Text("")), user(Text("b"))) == [
        ["user", [text("a"), text("b")]]
    ]


def test_results_come_first_in_the_users_turn() -> None:
    found = turns(
        assistant(ToolCall("1", "f", "{}"), ToolCall("2", "f", '{"a": 1}')),
        user(ToolResult("1", "f", (Text("one"),))),
        user(Text("well?"), ToolResult("2", "f", (Text("two"),))),
    )
    assert [block["type"] for block in found[1][1]] == ["tool_result", "tool_result", "text"]
    assert [block.get("tool_use_id") for block in found[1][1]] == ["1", "2", None]
    assert found[0][1][1]["input"] == {"a": 1}


def test_thinking_comes_first_in_the_assistants_turn() -> None:
    seal = Signature("s", Dialect.ANTHROPIC)
    found = turns(assistant(Text("a"), Thinking("hm", seal), ToolCall("1", "f", "{}")))
    assert [block["type"] for block in found[0][1]] == ["thinking", "text", "tool_use"]
    interleaved = [Thinking("a", seal), ToolCall("1", "f", "{}"), Thinking("", seal, True)]
    found = turns(assistant(*interleaved))
    assert [block["type"] for block in found[0][1]] == [
        "thinking",
        "tool_use",
        "redacted_thinking",
    ]


def test_the_systems_words_are_apart_wherever_they_stood() -> None:
    system = Message(Role.SYSTEM, (Text("be brief", CacheMark("1h")), Text(" ")))
    found, lost = said(system, user(Text("a")), Message(Role.SYSTEM, (Text("be kind"),)))
    control = {"type": "ephemeral", "ttl": "1h"}
    assert found.system == [{**text("be brief"), "cache_control": control}, text("be kind")]
    assert set(lost) == {Feature.SYSTEM_MIDWAY}
    image = Message(Role.SYSTEM, (Image(Remote("https://a.example")),))
    assert set(said(image)[1]) == {Feature.SYSTEM}


def test_names_are_lost() -> None:
    assert set(said(Message(Role.USER, (Text("a"),), name="ann"))[1]) == {Feature.NAMES}


@pytest.mark.parametrize(
    ("part", "lost"),
    [
        (Audio(Inline("audio/wav", "")), Feature.AUDIO_INPUT),
        (Video(Remote("https://a.example")), Feature.VIDEO_INPUT),
        (Refusal("no"), Feature.REFUSAL),
        (Image(Remote("https://a.example"), "high"), Feature.IMAGE_DETAIL),
        (Image(Inline("image/tiff", "AAAA")), Feature.IMAGE_INLINE),
        (Image(Inline("", "AAAA")), Feature.IMAGE_INLINE),
        (Image(Uploaded("file_1")), Feature.UPLOADED_FILE),
        (Document(Uploaded("file_1")), Feature.UPLOADED_FILE),
        (Document(Inline("application/msword", "AAAA")), Feature.DOCUMENT_INLINE),
        (Document(Inline("text/plain", "/w==")), Feature.DOCUMENT_INLINE),
        (Document(Inline("text/plain", "no base64")), Feature.DOCUMENT_INLINE),
        (Thinking("hm"), Feature.REASONING_TEXT),
        (Thinking("hm", Signature("s", Dialect.GEMINI)), Feature.REASONING_SIGNATURE),
        (Thinking("", Signature("s", Dialect.BEDROCK), True), Feature.REASONING_SIGNATURE),
        (Text("a", signature=Signature("s", Dialect.GEMINI)), Feature.REASONING_SIGNATURE),
        (
            ToolCall("1", "f", "{}", Signature("s", Dialect.GEMINI)),
            Feature.REASONING_SIGNATURE,
        ),
        (
            ToolResult("1", "f", (Image(Remote("https://a.example")),), is_error=True),
            Feature.TOOL_ERROR,
        ),
        (ToolResult("1", "f", (Image(Uploaded("file_1")),)), Feature.UPLOADED_FILE),
    ],
)
def test_what_cannot_be_said_is_reported(part: Part, lost: Feature) -> None:
    assert lost_of(part) == {lost}


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (
            Image(Inline("image/jpg", "AAAA"), "auto"),
            {
                "type": "image",
                "source": {"type": "base64", "media_type": "image/jpeg", "data": "AAAA"},
            },
        ),
        (
            Image(Inline("", PNG)),
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
        ),
        (
            Image(Remote("https://a.example"), cache=CacheMark()),
            {
                "type": "image",
                "source": {"type": "url", "url": "https://a.example"},
                "cache_control": {"type": "ephemeral"},
            },
        ),
        (Image(Plain("a drawing")), text("a drawing")),
        (
            Document(Inline("", "JVBERi0x"), "a.pdf"),
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0x"},
                "title": "a.pdf",
            },
        ),
        (
            Document(Inline("text/markdown", "w6k=")),
            {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": "é"},
            },
        ),
        (
            Document(Remote("https://a.example")),
            {"type": "document", "source": {"type": "url", "url": "https://a.example"}},
        ),
        (
            ToolResult("1", "f", (Text(""),), is_error=True),
            {"type": "tool_result", "tool_use_id": "1", "content": "", "is_error": True},
        ),
        (ToolResult("1", "f", ()), {"type": "tool_result", "tool_use_id": "1"}),
        (
            ToolResult("1", "f", (Text(""), Text("b"))),
            {"type": "tool_result", "tool_use_id": "1", "content": [text("b")]},
        ),
    ],
)
def test_parts_are_said_as_blocks(part: Part, block: dict[str, object]) -> None:
    assert turns(user(part)) == [["user", [block]]]


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        ('{"a": 1e2, "b": "é"}', {"a": 100.0, "b": "é"}),
        ("", {}),
        (" ", {}),
        ('{"a": ', {"arguments": '{"a": '}),
        ("[1]", {"arguments": "[1]"}),
        ('{"a":1,"a":2}', {"arguments": '{"a":1,"a":2}'}),
    ],
)
def test_arguments_are_an_object_whatever_a_model_wrote(arguments: str, given: object) -> None:
    assert turns(assistant(ToolCall("1", "f", arguments)))[0][1][0]["input"] == given


def test_ids_that_anthropic_does_not_take_are_replaced_in_calls_and_results_alike() -> None:
    found = turns(
        assistant(ToolCall("functions.f:0", "f", "{}"), ToolCall("functions.f:1", "f", "{}")),
        user(ToolResult("functions.f:0", "f", ()), ToolResult("functions.f:1", "f", ())),
    )
    ids = [block["id"] for block in found[0][1]]
    assert ids == [block["tool_use_id"] for block in found[1][1]]
    assert len(set(ids)) == 2
    assert all(str(each).replace("_", "").isalnum() for each in ids)


@pytest.mark.parametrize("takes_prefill", [True, False])
def test_the_user_begins(takes_prefill: bool) -> None:
    hello = ("user", [text(CONTINUE)])
    assert begun_and_ended([], takes_prefill=takes_prefill) == [hello]
    found = begun_and_ended(
        [("assistant", [text("a")]), ("user", [text("b")])], takes_prefill=takes_prefill
    )
    assert found == [hello, ("assistant", [text("a")]), ("user", [text("b")])]


def test_an_answer_that_was_begun_ends_without_white_space() -> None:
    begun = [("user", [text("a")]), ("assistant", [text("b "), text("The answer is ( \n")])]
    assert begun_and_ended(begun, takes_prefill=True) == [
        ("user", [text("a")]),
        ("assistant", [text("b "), text("The answer is (")]),
    ]
    assert begun_and_ended(begun, takes_prefill=False) == [*begun, ("user", [text(CONTINUE)])]
    assert begun[1][1][1] == text("The answer is ( \n")


def test_calls_that_were_made_without_thinking_are_seen() -> None:
    call = {"type": "tool_use"}
    result = ("user", [{"type": "tool_result"}])
    assert calls_without_thinking([("assistant", [call]), result])
    assert not calls_without_thinking([("assistant", [{"type": "thinking"}, call]), result])
    assert not calls_without_thinking([("assistant", [call]), ("assistant", [text("a")])])
    assert not calls_without_thinking([("user", [text("a")])])


def test_an_answer_that_was_begun_without_thinking_is_seen() -> None:
    thinking = {"type": "thinking"}
    assert goes_on_without_thinking([("user", [text("a")]), ("assistant", [text("b")])])
    assert not goes_on_without_thinking([("assistant", [thinking, text("b")])])
    assert not goes_on_without_thinking([("assistant", [text("b")]), ("user", [text("a")])])
    assert not goes_on_without_thinking([])
