"""The laws of a conversation on Bedrock, which others do not have."""

from __future__ import annotations

import json
from typing import Any

import pytest

from extproc.llm.bedrock.inference import Draft
from extproc.llm.bedrock.models import traits_of
from extproc.llm.bedrock.turns import (
    NO_MESSAGE,
    NO_OUTPUT,
    TurnWriter,
    call_id,
    encode_call,
    input_of,
    tool_name,
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

PNG = Inline("image/png", "aWs=")
PDF = Inline("application/pdf", "aWs=")


def written(
    *messages: Message, model: str = "anthropic.claude-sonnet-4-6"
) -> tuple[TurnWriter, frozenset[Feature]]:
    losses = Losses()
    writer = TurnWriter(Draft(traits_of(model), losses, {}, {}))
    writer.write(messages)
    return writer, losses.features


def user(*parts: Part) -> Message:
    return Message(Role.USER, parts)


def assistant(*parts: Part) -> Message:
    return Message(Role.ASSISTANT, parts)


def plain(writer: TurnWriter) -> list[Any]:
    turns: list[Any] = json.loads(json_spans.encode(writer.turns))
    return turns


def test_messages_of_one_role_are_one_turn() -> None:
    writer, lost = written(user(Text("a")), user(Text("b")), assistant(Text("c")))
    assert plain(writer) == [
        {"role": "user", "content": [{"text": "a"}, {"text": "b"}]},
        {"role": "assistant", "content": [{"text": "c"}]},
    ]
    assert not lost


def test_a_turn_of_which_nothing_is_left_joins_its_neighbours() -> None:
    writer, _ = written(user(Text("a")), assistant(Text(" \n")), user(Text("b")))
    assert plain(writer) == [{"role": "user", "content": [{"text": "a"}, {"text": "b"}]}]


@pytest.mark.parametrize("first", [(), (assistant(Text("hello")),)])
def test_the_user_begins(first: tuple[Message, ...]) -> None:
    writer, lost = written(Message(Role.SYSTEM, (Text("be brief"),)), *first)
    assert plain(writer)[0] == {"role": "user", "content": [{"text": NO_MESSAGE}]}
    assert len(writer.turns) == 1 + len(first)
    assert writer.system == [{"text": "be brief"}]
    assert lost == {Feature.OTHER}


def test_instructions_midway_go_to_the_beginning() -> None:
    writer, lost = written(
        Message(Role.SYSTEM, (Text("a"),)), user(Text("b")), Message(Role.SYSTEM, (Text("c"),))
    )
    assert writer.system == [{"text": "a"}, {"text": "c"}]
    assert lost == {Feature.SYSTEM_MIDWAY}


def test_instructions_are_texts() -> None:
    writer, lost = written(Message(Role.SYSTEM, (Image(PNG), Text("  "))), user(Text("a")))
    assert writer.system == []
    assert lost == {Feature.IMAGE_INLINE}


def test_results_come_first_and_together() -> None:
    calls = (ToolCall("a", "f", "{}"), ToolCall("b", "f", "{}"))
    writer, _ = written(
        user(Text("go")),
        assistant(*calls),
        user(Text("meanwhile"), ToolResult("a", "f", (Text("1"),), cache=CacheMark())),
        user(ToolResult("b", "f", (Text("2"),))),
    )
    assert plain(writer)[2]["content"] == [
        {"toolResult": {"toolUseId": "a", "content": [{"text": "1"}]}},
        {"cachePoint": {"type": "default"}},
        {"toolResult": {"toolUseId": "b", "content": [{"text": "2"}]}},
        {"text": "meanwhile"},
    ]


def test_a_tool_that_gave_nothing_gave_something() -> None:
    writer, lost = written(user(ToolResult("a", "f", (Text("", cache=CacheMark()),))))
    result = plain(writer)[0]["content"][0]["toolResult"]
    assert result["content"] == [{"text": NO_OUTPUT}]
    assert lost == {Feature.CACHE_MARKS}


def test_results_hold_images_and_documents() -> None:
    writer, lost = written(user(ToolResult("a", "f", (Image(PNG), Document(PDF, "x.pdf")))))
    assert plain(writer)[0]["content"][0]["toolResult"]["content"] == [
        {"image": {"format": "png", "source": {"bytes": "aWs="}}},
        {"document": {"format": "pdf", "name": "x-pdf", "source": {"bytes": "aWs="}}},
    ]
    assert not lost


def test_failures_are_told_where_the_model_knows_them() -> None:
    failed = user(ToolResult("a", "f", (Text("no"),), is_error=True))
    writer, lost = written(failed)
    assert plain(writer)[0]["content"][0]["toolResult"]["status"] == "error"
    assert not lost
    writer, lost = written(failed, model="meta.llama3-1-70b-instruct-v1:0")
    assert "status" not in plain(writer)[0]["content"][0]["toolResult"]
    assert lost == {Feature.TOOL_ERROR}


def test_a_document_has_a_text_beside_it() -> None:
    writer, _ = written(user(Document(PDF, "a"), Document(PDF, "b")))
    assert plain(writer)[0]["content"][2] == {"text": "a, b"}
    writer, _ = written(user(Document(PDF, "a"), Text("what is it?")))
    assert len(plain(writer)[0]["content"]) == 2


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("Report (2) [final]", "Report (2) [final]"),
        ("report_v1.pdf", "report-v1-pdf"),
        (" a \t\n b ", "a b"),
        ("été", "-t-"),
        ("", "document"),
        ("x" * 300, "x" * 180),
    ],
)
def test_names_of_documents(name: str, taken: str) -> None:
    writer, _ = written(user(Document(PDF, name), Text("?")))
    assert plain(writer)[0]["content"][0]["document"]["name"] == taken


def test_no_two_documents_have_one_name() -> None:
    writer, _ = written(user(Document(PDF, "a.b"), Document(PDF, "a-b"), Document(PDF, "a_b")))
    names = [each["document"]["name"] for each in plain(writer)[0]["content"][:3]]
    assert names == ["a-b", "a-b (2)", "a-b (3)"]


@pytest.mark.parametrize(
    ("part", "lost"),
    [
        (Image(Remote("https://example.com/a.png", "image/png")), Feature.IMAGE_URL),
        (Image(Inline("image/tiff", "aWs=")), Feature.IMAGE_INLINE),
        (Image(Inline("image/png", "")), Feature.IMAGE_INLINE),
        (Image(Uploaded("file-1", "image/png")), Feature.UPLOADED_FILE),
        (Document(Remote("https://example.com/a.pdf", "application/pdf")), Feature.DOCUMENT_URL),
        (Document(Inline("application/zip", "aWs=")), Feature.DOCUMENT_INLINE),
        (Audio(Inline("audio/midi", "aWs=")), Feature.AUDIO_INPUT),
        (Video(Remote("https://example.com/a.mp4", "video/mp4")), Feature.VIDEO_INPUT),
    ],
)
def test_attachments_that_bedrock_does_not_take(part: Part, lost: Feature) -> None:
    writer, found = written(user(Text("a"), part))
    assert plain(writer) == [{"role": "user", "content": [{"text": "a"}]}]
    assert found == {lost}


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (
            Image(Remote("s3://some-bucket/a.png", "image/png")),
            {
                "image": {
                    "format": "png",
                    "source": {"s3Location": {"uri": "s3://some-bucket/a.png"}},
                }
            },
        ),
        (
            Video(Uploaded("s3://some-bucket/a.3gp", "video/3gpp")),
            {
                "video": {
                    "format": "three_gp",
                    "source": {"s3Location": {"uri": "s3://some-bucket/a.3gp"}},
                }
            },
        ),
        (
            Audio(Inline("audio/mp3", "aWs=")),
            {"audio": {"format": "mp3", "source": {"bytes": "aWs="}}},
        ),
        (
            Document(Plain("hi"), "n"),
            {"document": {"format": "txt", "name": "n", "source": {"text": "hi"}}},
        ),
    ],
)
def test_attachments_that_bedrock_takes(part: Part, block: object) -> None:
    writer, lost = written(user(Text("a"), part))
    assert plain(writer)[0]["content"][1] == block
    assert not lost


def test_what_an_assistant_cannot_show() -> None:
    writer, lost = written(user(Text("a")), assistant(Text("b"), Image(PNG)))
    assert plain(writer)[1]["content"] == [{"text": "b"}]
    assert lost == {Feature.IMAGE_INLINE}


def test_the_detail_of_an_image_and_names_are_lost() -> None:
    _, lost = written(
        Message(Role.USER, (Image(PNG, "high"), Image(PNG, "auto"), Text("a")), name="ann")
    )
    assert lost == {Feature.IMAGE_DETAIL, Feature.NAMES}


def test_a_refusal_is_a_text() -> None:
    writer, lost = written(user(Text("a")), assistant(Refusal("no")))
    assert plain(writer)[1]["content"] == [{"text": "no"}]
    assert lost == {Feature.REFUSAL}


@pytest.mark.parametrize(
    ("seal", "lost"),
    [
        (None, {Feature.REASONING_TEXT}),
        (Signature("s", Dialect.ANTHROPIC), {Feature.REASONING_SIGNATURE}),
        (Signature("s", Dialect.BEDROCK), set()),
    ],
)
def test_only_bedrocks_own_reasoning_is_played_back(
    seal: Signature | None, lost: set[Feature]
) -> None:
    writer, found = written(user(Text("a")), assistant(Thinking("hm", seal), Text("b")))
    assert len(plain(writer)[1]["content"]) == (1 if lost else 2)
    assert found == lost


def test_seals_of_calls_and_texts_are_lost() -> None:
    seal = Signature("s", Dialect.GEMINI)
    _, lost = written(user(Text("a", signature=seal)))
    assert lost == {Feature.REASONING_SIGNATURE}
    _, lost = written(user(Text("a")), assistant(ToolCall("c", "f", "{}", seal)))
    assert lost == {Feature.REASONING_SIGNATURE}


def test_an_hour_of_caching_is_lost_where_it_is_not_had() -> None:
    message = user(Text("a", CacheMark("1h")), Text("b", CacheMark("5m")))
    writer, lost = written(message, model="amazon.nova-pro-v1:0")
    points = [each for each in plain(writer)[0]["content"] if "cachePoint" in each]
    assert points == [{"cachePoint": {"type": "default"}}] * 2
    assert lost == {Feature.CACHE_MARKS}


@pytest.mark.parametrize("given", ["call_1", "toolu_01A:b.c-d", "x" * 64])
def test_ids_that_fit_stay(given: str) -> None:
    assert call_id(given) == given


@pytest.mark.parametrize("given", ["", "a b", "é", "x" * 65])
def test_other_ids_are_replaced_always_by_the_same(given: str) -> None:
    replaced = call_id(given)
    assert replaced == call_id(given) != given
    assert call_id(replaced) == replaced


def test_other_names_are_made_to_fit() -> None:
    assert tool_name("a.b c") == "a_b_c"
    assert tool_name("") == "_"
    assert len(tool_name("x" * 99)) == 64


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        ("", {}),
        (" ", {}),
        ('{"a": 1.50, "b": "\\u00e9"}', {"a": 1.5, "b": "é"}),
        ("[1]", {"arguments": "[1]"}),
        ('{"a": ', {"arguments": '{"a": '}),
    ],
)
def test_arguments_are_an_object(arguments: str, value: object) -> None:
    assert json.loads(json_spans.encode(input_of(arguments))) == value


def test_numbers_stay_as_they_were_written() -> None:
    call = ToolCall("c", "f", '{"a":1.50,"b":12345678901234567890}')
    assert b'{"a":1.50,"b":12345678901234567890}' in json_spans.encode(encode_call(call))
