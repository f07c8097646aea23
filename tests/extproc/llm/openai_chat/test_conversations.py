"""Messages are written as OpenAI and the servers like it take them."""

from __future__ import annotations

import pytest

from extproc.llm.identifiers import call_id
from extproc.llm.losses import Feature, Losses
from extproc.llm.openai_chat.conversations import LONGEST_CALL_ID, MessageWriter
from extproc.llm.openai_chat.servers import OPENAI, Server
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
from gateway.model import Dialect

PNG = Image(Inline("image/png", "AAAA"))
PNG_PART = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
OWN = Signature("s", Dialect.OPENAI_CHAT)


def write(*messages: Message, server: Server = OPENAI) -> tuple[list[object], frozenset[Feature]]:
    losses = Losses()
    return [*MessageWriter(server, losses).write(messages)], losses.features


def said(role: Role, *parts: Part, server: Server = OPENAI) -> tuple[object, frozenset[Feature]]:
    messages, features = write(Message(role, parts), server=server)
    assert len(messages) == 1
    return messages[0], features


def test_one_text_is_a_string_and_several_are_parts() -> None:
    one, _ = said(Role.SYSTEM, Text("a"))
    assert one == {"role": "system", "content": "a"}
    several, _ = said(Role.USER, Text("a"), Text("b"))
    assert several == {
        "role": "user",
        "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
    }


@pytest.mark.parametrize(
    ("part", "written"),
    [
        (PNG, PNG_PART),
        (
            Image(Remote("https://a.example/"), "low"),
            {"type": "image_url", "image_url": {"url": "https://a.example/", "detail": "low"}},
        ),
        (
            Document(Inline("application/pdf", "AAAA")),
            {
                "type": "file",
                "file": {
                    "filename": "document.pdf",
                    "file_data": "data:application/pdf;base64,AAAA",
                },
            },
        ),
        (Document(Plain("a"), "notes"), {"type": "text", "text": "notes\n\na"}),
        (Document(Plain("a")), {"type": "text", "text": "a"}),
        (
            Audio(Inline("audio/mpeg", "AAAA")),
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
        ),
    ],
)
def test_attachments_are_parts(part: Part, written: object) -> None:
    message, losses = said(Role.USER, part)
    assert message == {"role": "user", "content": [written]}
    assert losses == frozenset()


@pytest.mark.parametrize(
    ("part", "feature"),
    [
        (Image(Uploaded("file-1")), Feature.UPLOADED_FILE),
        (Document(Uploaded("file-1")), Feature.UPLOADED_FILE),
        (Document(Remote("https://a.example/x.pdf")), Feature.DOCUMENT_URL),
        (Audio(Inline("audio/flac", "AAAA")), Feature.AUDIO_INPUT),
        (Audio(Remote("https://a.example/x.mp3")), Feature.AUDIO_INPUT),
        (Video(Remote("https://a.example/x.mp4")), Feature.VIDEO_INPUT),
    ],
)
def test_what_cannot_be_said_is_reported(part: Part, feature: Feature) -> None:
    message, losses = said(Role.USER, Text("a"), part)
    assert message == {"role": "user", "content": [{"type": "text", "text": "a"}]}
    assert losses == {feature}


def test_results_come_first_and_what_is_no_text_follows_them() -> None:
    document = Document(Plain("b"))
    messages, losses = write(
        Message(
            Role.USER,
            (
                Text("and?"),
                ToolResult("1", "f", (Text("a"), PNG)),
                ToolResult("2", "g", (document,)),
            ),
            "ann",
        )
    )
    assert messages == [
        {"role": "tool", "tool_call_id": "1", "content": "a"},
        {"role": "tool", "tool_call_id": "2", "content": ""},
        {
            "role": "user",
            "content": [PNG_PART, {"type": "text", "text": "b"}, {"type": "text", "text": "and?"}],
            "name": "ann",
        },
    ]
    assert losses == frozenset()


def test_that_a_tool_failed_is_lost() -> None:
    messages, losses = write(Message(Role.USER, (ToolResult("1", "f", (), is_error=True),)))
    assert messages == [{"role": "tool", "tool_call_id": "1", "content": ""}]
    assert losses == {Feature.TOOL_ERROR}


def test_an_assistant_that_only_calls_says_nothing_else() -> None:
    message, _ = said(Role.ASSISTANT, ToolCall("1", "f", "{}"))
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    assert message == {"role": "assistant", "content": None, "tool_calls": [call]}


def test_an_assistant_that_only_refused_did_so() -> None:
    assert said(Role.ASSISTANT, Refusal("no"))[0] == {
        "role": "assistant",
        "refusal": "no",
        "content": None,
    }
    assert said(Role.ASSISTANT, Text("a"), Refusal("no"))[0] == {
        "role": "assistant",
        "content": [{"type": "text", "text": "a"}, {"type": "refusal", "refusal": "no"}],
    }


@pytest.mark.parametrize(
    ("thinking", "feature"),
    [
        (Thinking("hm"), Feature.REASONING_TEXT),
        (Thinking("hm", OWN), Feature.REASONING_SIGNATURE),
        (Thinking("hm", Signature("s", Dialect.GEMINI)), Feature.REASONING_SIGNATURE),
    ],
)
def test_reasoning_is_not_played_back_to_openai(thinking: Thinking, feature: Feature) -> None:
    message, losses = said(Role.ASSISTANT, thinking)
    assert message == {"role": "assistant", "content": ""}
    assert losses == {feature}


def test_reasoning_is_played_back_to_servers_that_take_it() -> None:
    deepseek = Server(takes=frozenset({"reasoning_content"}))
    message, losses = said(Role.ASSISTANT, Thinking("hm"), Text("a"), server=deepseek)
    assert message == {"role": "assistant", "content": "a", "reasoning_content": "hm"}
    assert losses == frozenset()
    assert said(Role.ASSISTANT, Thinking("hm", OWN), server=deepseek)[1] == {
        Feature.REASONING_SIGNATURE
    }


def test_geminis_seals_go_to_its_compatible_api_alone() -> None:
    call = ToolCall("1", "f", "{}", OWN)
    foreign = ToolCall("1", "f", "{}", Signature("s", Dialect.GEMINI))
    gemini = Server(takes=frozenset({"extra_content"}))
    message, losses = said(Role.ASSISTANT, Text("a", signature=OWN), call, server=gemini)
    seal = {"google": {"thought_signature": "s"}}
    assert isinstance(message, dict)
    assert message["extra_content"] == message["tool_calls"][0]["extra_content"] == seal
    assert losses == frozenset()
    for lost, server in ((call, OPENAI), (foreign, gemini)):
        assert said(Role.ASSISTANT, lost, server=server)[1] == {Feature.REASONING_SIGNATURE}


@pytest.mark.parametrize(
    ("takes", "mark", "losses"),
    [
        ("cache_control", {"cache_control": {"type": "ephemeral", "ttl": "1h"}}, frozenset()),
        (
            "prompt_cache_breakpoint",
            {"prompt_cache_breakpoint": {"mode": "explicit"}},
            frozenset(),
        ),
        ("nothing", {}, {Feature.CACHE_MARKS}),
    ],
)
def test_cache_marks_are_written_as_the_server_takes_them(
    takes: str, mark: dict[str, object], losses: frozenset[Feature]
) -> None:
    server = Server(takes=frozenset({takes}))
    marked = Text("a", CacheMark("1h"))
    part = {"type": "text", "text": "a", **mark}
    assert said(Role.USER, marked, server=server) == ({"role": "user", "content": [part]}, losses)
    result = ToolResult("1", "f", (Text("a"),), cache=CacheMark("1h"))
    assert said(Role.USER, result, server=server) == (
        {"role": "tool", "tool_call_id": "1", "content": [part]},
        losses,
    )


@pytest.mark.parametrize(
    ("length", "identifier", "written"),
    [
        (None, "toolu_01A", "toolu_01A"),
        (None, "x" * (LONGEST_CALL_ID + 1), call_id("x" * (LONGEST_CALL_ID + 1), 0)),
        (9, "abcDEF123", "abcDEF123"),
        (9, "toolu_01A", call_id("toolu_01A", 0)[-9:]),
        (9, "call_1", call_id("call_1", 0)[-9:]),
    ],
)
def test_ids_of_calls_fit_the_server_and_each_other(
    length: int | None, identifier: str, written: str
) -> None:
    messages, _ = write(
        Message(Role.ASSISTANT, (ToolCall(identifier, "f", "{}"),)),
        Message(Role.USER, (ToolResult(identifier, "f", ()),)),
        server=Server(call_id_length=length),
    )
    call, result = messages
    assert isinstance(call, dict)
    assert isinstance(result, dict)
    assert call["tool_calls"][0]["id"] == result["tool_call_id"] == written


def test_a_name_that_openai_refuses_is_lost() -> None:
    messages, losses = write(Message(Role.USER, (Text("a"),), "Ann Lee"))
    assert messages == [{"role": "user", "content": "a"}]
    assert losses == {Feature.NAMES}


def test_what_stands_where_it_cannot_is_reported() -> None:
    message, losses = said(Role.USER, Text("a"), Thinking("hm"))
    assert message == {"role": "user", "content": [{"type": "text", "text": "a"}]}
    assert losses == {Feature.OTHER}
