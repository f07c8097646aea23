from __future__ import annotations

import pytest

from extproc.llm.faults import Unfit
from extproc.llm.losses import Feature
from extproc.llm.openai_responses.items import messages_of
from extproc.llm.openai_responses.sealed import on_call, on_text
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
    Uploaded,
)
from gateway.model import Dialect

REFUSAL = {"type": "refusal", "refusal": "no"}
PDF = "data:application/pdf;base64,AA=="
SEAL = Signature("abc", Dialect.GEMINI)


def told(*items: dict[str, object]) -> tuple[list[Message], list[Feature]]:
    extras: dict[Feature, None] = {}
    return messages_of(list(items), extras), list(extras)


def user_parts(*parts: dict[str, object]) -> tuple[object, ...]:
    messages, extras = told({"role": "user", "content": list(parts)})
    assert extras == []
    (message,) = messages
    return message.parts


def test_one_turn_of_the_assistant_is_one_message() -> None:
    messages, extras = told(
        {"type": "message", "role": "developer", "content": "be brief"},
        {"role": "user", "content": [{"type": "input_text", "text": "go"}]},
        {"type": "reasoning", "summary": [], "encrypted_content": "gAAA"},
        {"role": "assistant", "content": [{"type": "output_text", "text": "well"}]},
        {"type": "function_call", "call_id": "c1", "name": "get", "arguments": '{"a":1}'},
        {"type": "function_call", "call_id": "c2", "name": "put", "arguments": ""},
        {"type": "function_call_output", "call_id": "c1", "output": "one"},
        {"type": "function_call_output", "call_id": "c2", "output": ""},
        {"role": "user", "content": "thanks"},
    )
    own = Signature("gAAA", Dialect.OPENAI_RESPONSES)
    assert messages == [
        Message(Role.SYSTEM, (Text("be brief"),)),
        Message(Role.USER, (Text("go"),)),
        Message(
            Role.ASSISTANT,
            (
                Thinking("", own, is_redacted=True),
                Text("well"),
                ToolCall("c1", "get", '{"a":1}'),
                ToolCall("c2", "put", "{}"),
            ),
        ),
        Message(Role.USER, (ToolResult("c1", "get", (Text("one"),)), ToolResult("c2", "put", ()))),
        Message(Role.USER, (Text("thanks"),)),
    ]
    assert extras == []


def test_attachments_are_read() -> None:
    assert user_parts(
        {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low"},
        {"type": "input_image", "image_url": "https://a.example/x.png"},
        {"type": "input_image", "file_id": "file-1"},
        {
            "type": "input_file",
            "filename": "a.pdf",
            "file_data": "data:application/pdf;base64,AA==",
        },
        {"type": "input_file", "file_url": "https://a.example/x.pdf"},
        {"type": "input_file", "file_id": "file-2"},
        {"type": "input_audio", "input_audio": {"format": "wav", "data": "AAAA"}},
    ) == (
        Image(Inline("image/png", "AAAA"), "low"),
        Image(Remote("https://a.example/x.png")),
        Image(Uploaded("file-1")),
        Document(Inline("application/pdf", "AA=="), "a.pdf"),
        Document(Remote("https://a.example/x.pdf")),
        Document(Uploaded("file-2")),
        Audio(Inline("audio/wav", "AAAA")),
    )


def test_cache_marks_are_read() -> None:
    mark = {"mode": "explicit"}
    (text,) = user_parts({"type": "input_text", "text": "a", "prompt_cache_breakpoint": mark})
    assert text == Text("a", CacheMark())


def test_refusals_are_read() -> None:
    messages, _ = told({"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]})
    assert messages == [Message(Role.ASSISTANT, (Refusal("no"),))]


def test_results_may_have_parts() -> None:
    output = [{"type": "input_text", "text": "a"}, {"type": "input_image", "file_id": "file-1"}]
    messages, _ = told({"type": "function_call_output", "call_id": "c", "output": output})
    result = ToolResult("c", "", (Text("a"), Image(Uploaded("file-1"))))
    assert messages == [Message(Role.USER, (result,))]


def test_calls_of_tools_for_text_are_calls_with_one_argument() -> None:
    messages, extras = told(
        {"type": "custom_tool_call", "call_id": "c", "name": "math", "input": 'say "4"'},
        {"type": "custom_tool_call_output", "call_id": "c", "output": "4"},
    )
    call = ToolCall("c", "math", '{"input":"say \\"4\\""}')
    assert messages == [
        Message(Role.ASSISTANT, (call,)),
        Message(Role.USER, (ToolResult("c", "math", (Text("4"),)),)),
    ]
    assert extras == []


def test_seals_find_the_call_or_the_text_that_they_are_on() -> None:
    messages, _ = told(
        {"role": "assistant", "content": "a"},
        {"type": "reasoning", "summary": [], "encrypted_content": on_text(SEAL)},
        {"type": "reasoning", "summary": [], "encrypted_content": on_call(SEAL)},
        {"type": "function_call", "call_id": "c1", "name": "get", "arguments": "{}"},
        {"type": "function_call", "call_id": "c2", "name": "get", "arguments": "{}"},
    )
    assert messages == [
        Message(
            Role.ASSISTANT,
            (
                Text("a", signature=SEAL),
                ToolCall("c1", "get", "{}", SEAL),
                ToolCall("c2", "get", "{}"),
            ),
        )
    ]


def test_a_seal_on_nothing_is_passed_over() -> None:
    messages, extras = told(
        {"type": "reasoning", "summary": [], "encrypted_content": on_text(SEAL)}
    )
    assert (messages, extras) == ([], [])


def test_reasoning_itself_is_more_than_its_summary() -> None:
    item = {
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "short"}],
        "content": [{"type": "reasoning_text", "text": "long"}],
    }
    messages, _ = told(item)
    assert messages == [Message(Role.ASSISTANT, (Thinking("long"),))]


@pytest.mark.parametrize(
    ("item", "feature"),
    [
        ({"id": "msg_1"}, Feature.STORED_STATE),
        ({"type": "item_reference", "id": "msg_1"}, Feature.STORED_STATE),
        ({"type": "compaction", "encrypted_content": "x"}, Feature.STORED_STATE),
        ({"type": "reasoning", "id": "rs_1", "summary": []}, Feature.REASONING_SIGNATURE),
        ({"type": "web_search_call", "id": "ws_1"}, Feature.PROVIDER_TOOLS),
        ({"type": "mcp_call", "id": "mcp_1"}, Feature.PROVIDER_TOOLS),
        ({"type": "configuration_update"}, Feature.OTHER),
    ],
)
def test_what_means_something_to_the_provider_alone_is_named(
    item: dict[str, object], feature: Feature
) -> None:
    assert told(item) == ([], [feature])


@pytest.mark.parametrize(
    ("item", "param"),
    [
        ({"type": "sonnet"}, "input[0].type"),
        ({"role": "poet", "content": "a"}, "input[0].role"),
        ({"role": "user"}, None),
        ({"role": "user", "content": [{"type": "verse"}]}, "input[0].content[0].type"),
        ({"role": "user", "content": [{"type": "input_text"}]}, "input[0].content[0].text"),
        (
            {"role": "user", "content": [{"type": "input_image"}]},
            "input[0].content[0].file_id",
        ),
        (
            {
                "role": "user",
                "content": [{"type": "input_audio", "input_audio": {"format": "ogg", "data": ""}}],
            },
            "input[0].content[0].input_audio.format",
        ),
        ({"type": "function_call", "name": "get"}, "input[0].call_id"),
        ({"type": "function_call", "name": "get", "call_id": ""}, "input[0].call_id"),
        (
            {
                "type": "function_call_output",
                "call_id": "c",
                "output": [{"type": "refusal", "refusal": "x"}],
            },
            "input[0].output[0].type",
        ),
    ],
)
def test_what_is_wrong_is_named(item: dict[str, object], param: str | None) -> None:
    if param is None:
        assert told(item) == ([Message(Role.USER, ())], [])
        return
    with pytest.raises(Unfit) as caught:
        told(item)
    assert caught.value.deny.param == param


def test_images_that_were_drawn_are_the_assistants_with_their_seal() -> None:
    drawn: dict[str, object] = {
        "type": "image_generation_call",
        "id": "ig_1",
        "status": "completed",
        "result": "AAAA",
        "output_format": "png",
    }
    messages, extras = told(
        {"role": "user", "content": "draw"},
        drawn,
        {"type": "reasoning", "summary": [], "encrypted_content": on_text(SEAL)},
    )
    assert messages[1:] == [
        Message(Role.ASSISTANT, (Image(Inline("image/png", "AAAA"), signature=SEAL),))
    ]
    assert extras == []
    assert told({**drawn, "result": None})[1] == [Feature.STORED_STATE]
    assert told({**drawn, "result": None, "status": "failed"})[1] == []
