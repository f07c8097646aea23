from __future__ import annotations

import pytest

from extproc.llm.losses import Feature, Losses
from extproc.llm.openai_responses.item_writer import (
    LONGEST_ID,
    instructions_in,
    items_of,
    short,
)
from extproc.llm.request import (
    Audio,
    CacheMark,
    Document,
    Image,
    Inline,
    Message,
    Part,
    Plain,
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
from gateway.model import Dialect

FOREIGN = Signature("abc", Dialect.ANTHROPIC)
WAV = Inline("audio/wav", "AAAA")


def said(role: Role, *parts: Part) -> tuple[list[dict[str, object]], frozenset[Feature]]:
    losses = Losses()
    return items_of([Message(role, parts)], losses), losses.features


def test_instructions_are_one_plain_text_before_all_else() -> None:
    plain = Message(Role.SYSTEM, (Text("be brief"),))
    assert instructions_in([plain, Message(Role.USER, (Text("hello"),))]) == "be brief"
    assert instructions_in([Message(Role.USER, (Text("hello"),)), plain]) == ""
    assert instructions_in([Message(Role.SYSTEM, (Text("a"), Text("b")))]) == ""
    assert instructions_in([]) == ""


def test_results_stand_where_they_stood() -> None:
    result = ToolResult("c", "get", (Text("one"),))
    items, lost = said(Role.USER, result, Text("thanks"))
    assert items == [
        {"type": "function_call_output", "call_id": "c", "output": "one"},
        {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "thanks"}],
        },
    ]
    assert lost == frozenset()


def test_a_document_that_is_text_is_a_text() -> None:
    ((item), lost) = said(Role.USER, Document(Plain("words"), "title"))
    assert item[0]["content"] == [{"type": "input_text", "text": "title\n\nwords"}]
    assert lost == frozenset()


def test_reasoning_of_another_provider_is_not_played_back() -> None:
    items, lost = said(Role.ASSISTANT, Thinking("hm", FOREIGN), Thinking("bare"), Text("a"))
    assert items == [{"type": "message", "role": "assistant", "content": "a"}]
    assert lost == {Feature.REASONING_SIGNATURE, Feature.REASONING_TEXT}


@pytest.mark.parametrize(
    ("part", "feature"),
    [
        (Audio(WAV), Feature.AUDIO_INPUT),
        (Video(Remote("https://a.example/v")), Feature.VIDEO_INPUT),
        (Image(Uploaded("file_1")), Feature.UPLOADED_FILE),
        (Document(Uploaded("file_1")), Feature.UPLOADED_FILE),
        (Text("a", CacheMark()), Feature.CACHE_MARKS),
        (Image(Remote("https://a.example/x"), cache=CacheMark()), Feature.CACHE_MARKS),
        (ToolResult("c", "get", (), is_error=True), Feature.TOOL_ERROR),
        (ToolResult("c", "get", (), cache=CacheMark()), Feature.CACHE_MARKS),
    ],
)
def test_what_cannot_be_said_by_the_user_is_a_loss(part: Part, feature: Feature) -> None:
    assert said(Role.USER, part)[1] == {feature}


@pytest.mark.parametrize(
    ("part", "feature"),
    [
        (Image(Remote("https://a.example/x")), Feature.IMAGE_URL),
        (Document(Inline("application/pdf", "AAAA")), Feature.DOCUMENT_INLINE),
        (Document(Plain("a")), Feature.DOCUMENT_TEXT),
        (Document(Remote("https://a.example/x")), Feature.DOCUMENT_URL),
        (Audio(WAV), Feature.AUDIO_INPUT),
        (Text("a", signature=FOREIGN), Feature.REASONING_SIGNATURE),
        (ToolCall("c", "get", "{}", FOREIGN), Feature.REASONING_SIGNATURE),
        (ToolCall("c", "get", "{}", None, CacheMark()), Feature.CACHE_MARKS),
    ],
)
def test_what_cannot_be_said_by_the_assistant_is_a_loss(part: Part, feature: Feature) -> None:
    assert said(Role.ASSISTANT, part)[1] == {feature}


def test_an_image_that_a_model_drew_is_a_call_of_the_tool_that_draws() -> None:
    assert said(Role.ASSISTANT, Image(Inline("image/png", "AAAA"))) == (
        [
            {
                "id": "ig_0",
                "type": "image_generation_call",
                "status": "completed",
                "result": "AAAA",
                "output_format": "png",
            }
        ],
        set(),
    )


def test_names_of_participants_are_a_loss() -> None:
    losses = Losses()
    items_of([Message(Role.USER, (Text("a"),), "ann")], losses)
    assert losses.features == {Feature.NAMES}


def test_ids_are_no_longer_than_openai_takes_them_and_stay_the_same() -> None:
    assert short("a" * LONGEST_ID) == "a" * LONGEST_ID
    assert len(short("a" * 65)) == LONGEST_ID
    assert short("a" * 65) == short("a" * 65) != short("b" * 65)
    call = said(Role.ASSISTANT, ToolCall("c" * 80, "get", "{}"))[0][0]
    result = said(Role.USER, ToolResult("c" * 80, "get", ()))[0][0]
    assert call["call_id"] == result["call_id"]
