"""Messages are read as what they mean, and refused where nobody could tell."""

from __future__ import annotations

import pytest

from extproc.llm.faults import Unfit
from extproc.llm.identifiers import call_id
from extproc.llm.losses import Feature
from extproc.llm.openai_chat.contents import Conversation
from extproc.llm.request import (
    Audio,
    CacheMark,
    Document,
    Image,
    Inline,
    Message,
    Refusal,
    Remote,
    Role,
    Signature,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Video,
)
from gateway.model import Dialect


def read(*messages: object) -> Conversation:
    conversation = Conversation()
    conversation.read(messages)
    return conversation


def parts(content: object) -> tuple[object, ...]:
    return read({"role": "user", "content": content}).messages[0].parts


def assistant(**fields: object) -> tuple[object, ...]:
    return read({"role": "assistant", **fields}).messages[0].parts


def call(name: str, identifier: str, **fields: object) -> dict[str, object]:
    function = {"name": name, "arguments": "{}"}
    return {"id": identifier, "type": "function", "function": function, **fields}


def refused(*messages: object) -> tuple[str, str | None]:
    with pytest.raises(Unfit) as raised:
        read(*messages)
    return raised.value.deny.code, raised.value.deny.param


@pytest.mark.parametrize("role", ["system", "developer"])
def test_the_operator_speaks_wherever_it_did(role: str) -> None:
    found = read(
        {"role": "user", "content": "a"}, {"role": role, "content": "b", "name": "ops"}
    ).messages
    assert found == [
        Message(Role.USER, (Text("a"),)),
        Message(Role.SYSTEM, (Text("b"),), "ops"),
    ]


@pytest.mark.parametrize(
    ("part", "found"),
    [
        ({"type": "text", "text": "a"}, Text("a")),
        ({"type": "input_text", "text": "a"}, Text("a")),
        ({"type": "refusal", "refusal": "no"}, Refusal("no")),
        (
            {"type": "image_url", "image_url": "https://a.example/"},
            Image(Remote("https://a.example/")),
        ),
        (
            {
                "type": "image_url",
                "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"},
            },
            Image(Inline("image/png", "AAAA"), "low"),
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
            Audio(Inline("audio/mp3", "AAAA")),
        ),
        (
            {"type": "audio_url", "audio_url": {"url": "https://a.example/"}},
            Audio(Remote("https://a.example/")),
        ),
        (
            {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}},
            Video(Inline("video/mp4", "AAAA")),
        ),
        (
            {"type": "file", "file": {"file_data": "AAAA", "filename": "x.pdf"}},
            Document(Inline("application/pdf", "AAAA"), "x.pdf"),
        ),
        (
            {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}},
            Text("a", CacheMark()),
        ),
    ],
)
def test_every_part_is_read(part: object, found: object) -> None:
    assert parts([part]) == (found,)


def test_a_mark_on_a_message_is_one_on_its_text() -> None:
    mark = {"type": "ephemeral", "ttl": "1h"}
    found = read({"role": "system", "content": "a", "cache_control": mark}).messages
    assert found == [Message(Role.SYSTEM, (Text("a", CacheMark("1h")),))]


def test_what_the_assistant_said_is_in_the_order_it_came_about() -> None:
    seal = {"google": {"thought_signature": "s"}}
    assert assistant(
        content="b",
        reasoning_content="a",
        refusal="c",
        tool_calls=[call("f", "1", extra_content=seal)],
        extra_content=seal,
    ) == (
        Thinking("a"),
        Text("b", signature=Signature("s", Dialect.OPENAI_CHAT)),
        Refusal("c"),
        ToolCall("1", "f", "{}", Signature("s", Dialect.OPENAI_CHAT)),
    )


def test_an_assistant_may_have_said_nothing() -> None:
    assert assistant(content=None) == assistant(content="") == assistant() == ()


def test_mistrals_reasoning_is_part_of_the_content() -> None:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    assert assistant(content=[thinking, {"type": "text", "text": "a"}]) == (
        Thinking("hm"),
        Text("a"),
    )


def test_results_in_a_row_are_one_message_and_bear_the_names_of_their_tools() -> None:
    found = read(
        {"role": "assistant", "tool_calls": [call("f", "1"), call("g", "2")]},
        {"role": "tool", "tool_call_id": "2", "content": "b"},
        {"role": "tool", "tool_call_id": "1", "content": [{"type": "text", "text": "a"}]},
        {"role": "tool", "tool_call_id": "3", "content": "", "name": "h"},
        {"role": "user", "content": "c"},
    ).messages
    assert found[1:] == [
        Message(
            Role.USER,
            (
                ToolResult("2", "g", (Text("b"),)),
                ToolResult("1", "f", (Text("a"),)),
                ToolResult("3", "h", ()),
            ),
        ),
        Message(Role.USER, (Text("c"),)),
    ]


def test_legacy_functions_are_calls_with_ids_of_our_own() -> None:
    function = {"name": "f", "arguments": '{"a":1}'}
    found = read(
        {"role": "assistant", "content": None, "function_call": function},
        {"role": "function", "name": "f", "content": "a"},
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": ""}},
        {"role": "function", "name": "f", "content": "b"},
    ).messages
    first, second = call_id("function_call", 0), call_id("function_call", 2)
    assert found == [
        Message(Role.ASSISTANT, (ToolCall(first, "f", '{"a":1}'),)),
        Message(Role.USER, (ToolResult(first, "f", (Text("a"),)),)),
        Message(Role.ASSISTANT, (ToolCall(second, "f", "{}"),)),
        Message(Role.USER, (ToolResult(second, "f", (Text("b"),)),)),
    ]


def test_custom_calls_and_kept_sound_are_said_beyond_the_canonical_form() -> None:
    custom = {"id": "1", "type": "custom", "custom": {"name": "f", "input": 'say "a"'}}
    conversation = read(
        {"role": "assistant", "tool_calls": [custom]}, {"role": "assistant", "audio": {"id": "a"}}
    )
    assert list(conversation.extras) == [Feature.CUSTOM_TOOLS, Feature.AUDIO_OUTPUT]
    assert conversation.messages[0].parts == (ToolCall("1", "f", '{"input":"say \\"a\\""}'),)


@pytest.mark.parametrize(
    ("message", "code", "param"),
    [
        (7, "invalid_type", "messages[0]"),
        ({"role": "poet", "content": "a"}, "unsupported_value", "messages[0].role"),
        ({"role": "user", "content": 7}, "invalid_type", "messages[0].content"),
        ({"role": "user", "content": [7]}, "invalid_type", "messages[0].content[0]"),
        ({"role": "user", "content": [{}]}, "unsupported_value", "messages[0].content[0].type"),
        (
            {"role": "user", "content": [{"type": "sonnet"}]},
            "unsupported_value",
            "messages[0].content[0].type",
        ),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": {}}]},
            "missing_required_parameter",
            "messages[0].content[0].image_url.url",
        ),
        (
            {"role": "user", "content": [{"type": "file", "file": {}}]},
            "missing_required_parameter",
            "messages[0].content[0].file.file_data",
        ),
        ({"role": "user", "content": "a", "name": 7}, "invalid_type", "messages[0].name"),
        (
            {"role": "tool", "content": "a"},
            "missing_required_parameter",
            "messages[0].tool_call_id",
        ),
        (
            {
                "role": "tool",
                "tool_call_id": "1",
                "content": [{"type": "input_audio", "input_audio": {"data": "AAAA"}}],
            },
            "unsupported_value",
            "messages[0].content",
        ),
        (
            {"role": "function", "name": "f", "content": "a"},
            "unsupported_value",
            "messages[0].name",
        ),
        (
            {"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]},
            "missing_required_parameter",
            "messages[0].tool_calls[0].id",
        ),
        (
            {"role": "assistant", "tool_calls": [{"id": "1", "function": {}}]},
            "missing_required_parameter",
            "messages[0].tool_calls[0].function.name",
        ),
    ],
)
def test_what_is_unfit_is_refused_by_its_name(message: object, code: str, param: str) -> None:
    assert refused(message) == (code, param)
