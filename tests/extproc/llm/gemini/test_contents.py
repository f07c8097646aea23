"""Conversations, both ways."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from google.genai import types

from extproc.llm.faults import Unfit
from extproc.llm.gemini.contents import ContentsReader, ContentsWriter, detail_of, follow_on
from extproc.llm.gemini.sealed import UNCHECKED
from extproc.llm.losses import Feature, Losses
from extproc.llm.request import (
    Audio,
    CacheMark,
    Image,
    Inline,
    Message,
    Refusal,
    Role,
    Signature,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from gateway.model import Dialect

SEAL = Signature("QUJD", Dialect.GEMINI)
FOREIGN = Signature("c2VhbA==", Dialect.ANTHROPIC)
PNG = Image(Inline("image/png", "QUJD"))


def read(*parts: dict[str, object], role: Role = Role.ASSISTANT) -> tuple[object, ...]:
    return ContentsReader().message({"parts": list(parts)}, role, "contents[0]").parts


def write(
    *messages: Message, model: str = "gemini-3-pro", losses: Losses | None = None
) -> list[Any]:
    written = ContentsWriter(model, losses or Losses()).contents(messages, 0)
    said = msgspec.json.decode(msgspec.json.encode(written))
    for content in said:
        types.Content.model_validate(content)
    return said


def call(call_id: str = "c1", name: str = "f", signature: Signature | None = None) -> ToolCall:
    return ToolCall(call_id, name, '{"a":1}', signature)


def test_results_without_ids_answer_the_calls_of_their_name_in_order() -> None:
    reader = ContentsReader()
    calls = reader.message(
        {
            "parts": [
                {"functionCall": {"name": "f", "args": {"n": 1}}},
                {"functionCall": {"name": "g"}},
                {"functionCall": {"name": "f", "args": {"n": 2}}},
            ]
        },
        Role.ASSISTANT,
        "contents[0]",
    ).parts
    results = reader.message(
        {
            "parts": [
                {"functionResponse": {"name": "g", "response": {"output": "of g"}}},
                {"functionResponse": {"name": "f", "response": {"output": "first"}}},
                {"functionResponse": {"name": "f", "response": {"output": "second"}}},
            ]
        },
        Role.USER,
        "contents[1]",
    ).parts
    ids = [part.call_id for part in calls if isinstance(part, ToolCall)]
    assert len(set(ids)) == 3
    assert [part.call_id for part in results if isinstance(part, ToolResult)] == [
        ids[1],
        ids[0],
        ids[2],
    ]


def test_ids_go_before_order_and_tell_the_name() -> None:
    reader = ContentsReader()
    reader.message(
        {"parts": [{"functionCall": {"id": each, "name": f"f{each}"}} for each in "ab"]},
        Role.ASSISTANT,
        "",
    )
    results = reader.message(
        {"parts": [{"functionResponse": {"id": "b", "response": {}}}]}, Role.USER, ""
    ).parts
    assert results == (ToolResult("b", "fb", ()),)


def test_a_result_that_nobody_asked_for_has_an_id_all_the_same() -> None:
    (result,) = read({"functionResponse": {"name": "f", "response": {"output": 1}}})
    assert isinstance(result, ToolResult)
    assert result.call_id
    assert result.content == (Text("1"),)


@pytest.mark.parametrize(
    ("response", "text", "is_error"),
    [
        ({"output": "x"}, "x", False),
        ({"output": {"a": [1]}}, '{"a":[1]}', False),
        ({"error": "bad"}, "bad", True),
        ({"result": 4}, '{"result":4}', False),
        ({"output": "x", "more": 1}, '{"output":"x","more":1}', False),
    ],
)
def test_what_a_function_said(response: dict[str, object], text: str, is_error: bool) -> None:
    (result,) = read({"functionResponse": {"id": "a", "name": "f", "response": response}})
    assert result == ToolResult("a", "f", (Text(text),), is_error)


def test_seals_stand_on_parts_of_any_kind() -> None:
    assert read(
        {"text": "hm", "thought": True, "thoughtSignature": "QUJD"},
        {"text": "", "thoughtSignature": "QUJD"},
        {"functionCall": {"id": "c1", "name": "f", "args": {"a": 1}}, "thoughtSignature": "QUJD"},
    ) == (Thinking("hm", SEAL), Text("", signature=SEAL), call(signature=SEAL))


def test_pieces_of_a_streamed_answer_that_is_played_back_are_one_answer() -> None:
    pieces = [
        Message(Role.ASSISTANT, (Thinking("I ", None),)),
        Message(Role.ASSISTANT, (Thinking("see."),)),
        Message(Role.ASSISTANT, (Thinking("", FOREIGN),)),
        Message(Role.ASSISTANT, (Text("Par"),)),
        Message(Role.ASSISTANT, (Text("is"),)),
        Message(Role.USER, (Text("And"),)),
        Message(Role.USER, (Text("then?"),)),
    ]
    assert list(follow_on(pieces)) == [
        Message(Role.ASSISTANT, (Thinking("I see.", FOREIGN), Text("Paris"))),
        *pieces[5:],
    ]


def test_what_the_provider_runs_itself_is_noted() -> None:
    reader = ContentsReader()
    message = reader.message(
        {"parts": [{"executableCode": {"code": "1"}}, {"text": "1"}, {"partMetadata": {}}]},
        Role.ASSISTANT,
        "",
    )
    assert message.parts == (Text("1"),)
    assert list(reader.extras) == [Feature.PROVIDER_TOOLS, Feature.OTHER]


def test_images_have_the_detail_of_their_own_or_of_all() -> None:
    blob = {"inlineData": {"mimeType": "image/png", "data": "QUJD"}}
    own = {**blob, "mediaResolution": {"level": "MEDIA_RESOLUTION_HIGH"}}
    parts = ContentsReader("low").message({"parts": [blob, own]}, Role.USER, "").parts
    assert [part.detail for part in parts if isinstance(part, Image)] == ["low", "high"]
    assert detail_of(None) == detail_of("?") == ""


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"text": "a", "functionCall": {"name": "f"}}, "has both text and functionCall"),
        ({"functionCall": "f"}, "functionCall must be an object"),
        ({"functionCall": {}}, "functionCall.name"),
        ({"functionCall": {"name": "f", "args": []}}, "functionCall.args must be an object"),
        ({"functionResponse": []}, "functionResponse must be an object"),
        ({"functionResponse": {"parts": ["x"]}}, "functionResponse.parts\\[0\\]"),
    ],
)
def test_parts_that_are_none_are_refused_by_name(part: dict[str, object], words: str) -> None:
    with pytest.raises(Unfit, match=words):
        read(part)


def test_all_results_of_one_step_are_one_content() -> None:
    said = write(
        Message(Role.ASSISTANT, (call("c1", signature=SEAL), call("c2"))),
        Message(Role.USER, (ToolResult("c1", "f", (Text("1"),)),)),
        Message(Role.USER, (ToolResult("c2", "f", (Text("2"),), True), Text("go on"))),
        Message(Role.ASSISTANT, (Text("ok"),)),
    )
    assert [content["role"] for content in said] == ["model", "user", "user", "model"]
    assert [part["functionResponse"]["response"] for part in said[1]["parts"]] == [
        {"output": "1"},
        {"error": "2"},
    ]
    assert said[2]["parts"] == [{"text": "go on"}]


def test_calls_of_other_models_are_marked_as_unchecked_from_gemini_3_on() -> None:
    losses = Losses()
    messages = (Message(Role.ASSISTANT, (call("c1", signature=FOREIGN), call("c2"))),)
    parts = write(*messages, losses=losses)[0]["parts"]
    assert [part.get("thoughtSignature") for part in parts] == [UNCHECKED, None]
    assert losses.features == {Feature.REASONING_SIGNATURE}
    assert "thoughtSignature" not in write(*messages, model="gemini-2.5-pro")[0]["parts"][0]


def test_reasoning_that_another_provider_sealed_is_left_out() -> None:
    losses = Losses()
    said = write(
        Message(Role.ASSISTANT, (Thinking("a", FOREIGN), Thinking("b", SEAL), Text("c"))),
        losses=losses,
    )
    assert said[0]["parts"] == [
        {"text": "b", "thought": True, "thoughtSignature": "QUJD"},
        {"text": "c"},
    ]
    assert losses.features == {Feature.REASONING_SIGNATURE}


def test_the_texts_of_a_result_stay_apart() -> None:
    (said,) = write(Message(Role.USER, (ToolResult("c", "f", (Text("1 of 2"), Text("2 of 2"))),)))
    assert said["parts"][0]["functionResponse"]["response"] == {"output": "1 of 2\n2 of 2"}


def test_who_speaks_again_goes_on_with_the_same_content() -> None:
    said = write(
        Message(Role.USER, (Text("I like tea."),)),
        Message(Role.USER, (Text("And you?"),)),
        Message(Role.ASSISTANT, (Text("I do not"),)),
        Message(Role.ASSISTANT, (Text(" drink."),)),
    )
    assert [content["role"] for content in said] == ["user", "model"]
    assert said[0]["parts"] == [{"text": "I like tea."}, {"text": "And you?"}]
    assert said[1]["parts"] == [{"text": "I do not"}, {"text": " drink."}]


def test_images_of_results_stand_within_them_from_gemini_3_on() -> None:
    messages = (Message(Role.USER, (ToolResult("c", "f", (Text("see"), PNG)),)),)
    (new,) = write(*messages)[0]["parts"]
    assert "inlineData" in new["functionResponse"]["parts"][0]
    older = write(*messages, model="gemini-2.5-flash")[0]["parts"]
    assert [next(iter(part)) for part in older] == ["functionResponse", "inlineData"]


def test_what_has_no_place_is_lost_and_said_so() -> None:
    losses = Losses()
    said = write(
        Message(Role.USER, (Text("a", CacheMark()), Audio(Inline("", "QUJD"))), name="Ann"),
        Message(Role.SYSTEM, (Text("be brief"),)),
        Message(Role.ASSISTANT, (Refusal("no"), ToolCall("c", "f", "{broken"))),
        Message(Role.ASSISTANT, ()),
        losses=losses,
    )
    assert [content["role"] for content in said] == ["user", "model"]
    assert said[0]["parts"][1]["inlineData"]["mimeType"] == "audio/wav"
    assert said[0]["parts"][2] == {"text": "be brief"}
    assert losses.features == {
        Feature.CACHE_MARKS,
        Feature.NAMES,
        Feature.SYSTEM_MIDWAY,
        Feature.REFUSAL,
        Feature.TOOLS,
    }


def test_an_image_that_a_model_drew_comes_back_with_its_seal() -> None:
    drawn = {"inlineData": {"mimeType": "image/png", "data": "QUJD"}, "thoughtSignature": "QUJD"}
    (image,) = read(drawn)
    assert image == Image(PNG.source, signature=SEAL)
    assert isinstance(image, Image)
    assert write(Message(Role.ASSISTANT, (image,)))[0]["parts"] == [drawn]


@pytest.mark.parametrize(
    ("model", "role", "seal"),
    [
        ("gemini-3-pro-image", Role.ASSISTANT, {"thoughtSignature": UNCHECKED}),
        ("gemini-2.5-flash-image", Role.ASSISTANT, {}),
        ("gemini-3-pro-image", Role.USER, {}),
    ],
)
def test_newer_models_want_a_seal_on_what_a_model_drew(
    model: str, role: Role, seal: dict[str, str]
) -> None:
    losses = Losses()
    image = Image(PNG.source, signature=FOREIGN if role is Role.ASSISTANT else None)
    written = write(Message(role, (image,)), model=model, losses=losses)
    blob = {"inlineData": {"mimeType": "image/png", "data": "QUJD"}}
    assert written[0]["parts"] == [{**blob, **seal}]
    assert losses.features == ({Feature.REASONING_SIGNATURE} if image.signature else set())
