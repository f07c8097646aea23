"""A conversation goes to a provider of another dialect, and its answer comes back."""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path
from typing import Any

import brotli
import pytest
from msgspec.structs import replace

from extproc.llm import translate
from extproc.llm.dialect import Asked, Call, UnreadableAnswer
from extproc.llm.dialects import SPEAKERS
from extproc.verdict import Deny
from gateway.model import Dialect, Lossiness
from tests.kit.sample_providers import SAMPLES, stream_of

ASKED = Asked("smart", "7e5c", 1_700_000_000)
CHAT, CLAUDE = SPEAKERS[Dialect.OPENAI_CHAT].codec, SPEAKERS[Dialect.ANTHROPIC].codec
CODECS = CHAT, CLAUDE


def call(**fields: Any) -> Call:
    body = {"model": "smart", "messages": [{"role": "user", "content": "hi"}], **fields}
    found = SPEAKERS[Dialect.OPENAI_CHAT].reading.decode(
        json.dumps(body).encode(), "", is_stream=False
    )
    assert isinstance(found, Call)
    return found


def answer(name: str) -> bytes:
    return (SAMPLES / "anthropic" / "answers" / f"{name}.json").read_bytes()


def test_a_request_asks_for_the_model_that_the_provider_knows() -> None:
    said = translate.request(call(), CODECS, "claude-opus", Lossiness.HINTS)
    assert isinstance(said, translate.Translated)
    assert json.loads(said.body)["model"] == "claude-opus"


@pytest.mark.parametrize(
    ("lossiness", "fields", "is_refused"),
    [
        (Lossiness.HINTS, {"seed": 7}, False),
        (Lossiness.NONE, {"seed": 7}, True),
        (Lossiness.HINTS, {"n": 2}, True),
        (Lossiness.ALL, {"n": 2}, False),
    ],
)
def test_what_may_be_lost_is_up_to_the_configuration(
    lossiness: Lossiness, fields: dict[str, Any], is_refused: bool
) -> None:
    said = translate.request(call(**fields), CODECS, "claude", lossiness)
    assert isinstance(said, Deny) is is_refused
    if isinstance(said, Deny):
        assert (said.status, said.code) == (400, "unsupported_parameter")
        assert said.param == next(iter(fields))


TOOL = {"type": "function", "function": {"name": "get.weather"}}


def test_a_tool_is_called_by_the_clients_name_whatever_its_provider_was_told() -> None:
    said = translate.request(call(tools=[TOOL]), CODECS, "claude", Lossiness.HINTS)
    assert isinstance(said, translate.Translated)
    assert json.loads(said.body)["tools"][0]["name"] == "get_weather"
    asked = replace(ASKED, tool_names={CLAUDE.name: said.tool_names})
    for is_stream, sent, kind in (
        (False, answer("tool_calls"), "application/json"),
        (True, answer("tool_calls"), "application/json"),
        (True, stream_of("anthropic", "tool_calls"), "text/event-stream"),
    ):
        found, _ = translate.translation(CODECS, asked, 200, kind, is_stream=is_stream)
        told = found.feed(sent, is_end=True).decode()
        assert '"name":"get.weather"' in told
        assert "get_weather" not in told


def test_a_whole_answer_is_said_at_its_end() -> None:
    found, kind = translate.translation(CODECS, ASKED, 200, "application/json", is_stream=False)
    sent = answer("text")
    assert found.feed(sent[:50], is_end=False) == b""
    said = json.loads(found.feed(sent[50:], is_end=True))
    assert kind == "application/json"
    assert said["object"] == "chat.completion"
    assert found.usage is not None
    assert found.usage.output_tokens == said["usage"]["completion_tokens"]


def test_a_stream_is_said_as_it_comes_and_counts_what_it_cost() -> None:
    found, kind = translate.translation(CODECS, ASKED, 200, "text/event-stream", is_stream=True)
    sent = stream_of("anthropic", "text")
    said = b"".join(found.feed(sent[i : i + 1], is_end=False) for i in range(len(sent)))
    said += found.feed(b"", is_end=True)
    assert kind == "text/event-stream"
    assert said.endswith(b"data: [DONE]\n\n")
    assert found.usage is not None


def test_a_provider_that_answers_a_stream_whole_is_told_as_a_stream() -> None:
    found, kind = translate.translation(CODECS, ASKED, 200, "application/json", is_stream=True)
    said = found.feed(answer("tool_calls"), is_end=True)
    assert kind == "text/event-stream"
    events = [json.loads(each[6:]) for each in said.split(b"\n\n") if each.startswith(b"data: {")]
    assert any(choice["delta"].get("tool_calls") for e in events for choice in e["choices"])
    assert said.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("name", [each.stem for each in (SAMPLES / "anthropic/errors").iterdir()])
def test_an_error_is_told_in_the_clients_dialect(name: str) -> None:
    status = int(name[:3])
    found, kind = translate.translation(CODECS, ASKED, status, "application/json", is_stream=True)
    said = found.feed((SAMPLES / "anthropic/errors" / f"{name}.json").read_bytes(), is_end=True)
    assert kind == "application/json"
    assert set(json.loads(said)["error"]) >= {"message", "type", "code"}
    assert found.usage is None


def test_a_providers_key_is_not_told_to_clients() -> None:
    found = translate.Refused(CODECS, 401)
    error = {"type": "authentication_error", "message": "no such key: sk-operators-own"}
    said = found.feed(json.dumps({"type": "error", "error": error}).encode(), is_end=True)
    assert json.loads(said)["error"]["message"] == "no such key: [redacted]"


def test_an_endless_error_is_read_no_further_than_it_says_anything() -> None:
    found = translate.Refused(CODECS, 500)
    for _ in range(3):
        assert found.feed(b"x" * translate.LARGEST_ERROR_BYTES, is_end=False) == b""
    assert b"error" in found.feed(b"", is_end=True)


def test_what_is_no_answer_is_not_made_one() -> None:
    found, _ = translate.translation(CODECS, ASKED, 200, "text/html", is_stream=False)
    with pytest.raises(UnreadableAnswer):
        found.feed(b"<html>", is_end=True)


def test_an_endless_answer_is_given_up() -> None:
    found, _ = translate.translation(CODECS, ASKED, 200, "application/json", is_stream=False)
    piece = bytes(1 << 20)
    for _ in range(translate.LARGEST_ANSWER_BYTES >> 20):
        found.feed(piece, is_end=False)
    with pytest.raises(UnreadableAnswer):
        found.feed(piece, is_end=False)


DIALECTS = [each.value for each in Dialect]


@pytest.mark.parametrize("client", DIALECTS)
@pytest.mark.parametrize("provider", DIALECTS)
@pytest.mark.parametrize("name", ["text", "tool_calls", "reasoning", "parallel_calls"])
def test_a_whole_answer_as_a_stream_is_the_answer(client: str, provider: str, name: str) -> None:
    """Whoever reads the stream that it becomes reads what the answer said."""
    codec = SPEAKERS[Dialect(provider)].codec
    sample = Path(SAMPLES, provider, "answers", f"{name}.json").read_bytes()
    whole = codec.decode_answer(sample)
    mine = SPEAKERS[Dialect(client)].codec
    encoding, decoding = mine.encoding(ASKED), mine.decoding()
    said = b"".join(map(encoding.feed, translate.events_of(whole)))
    events = [*decoding.feed(said), *decoding.end()]
    texts = "".join(getattr(e, "text", "") for e in events if type(e).__name__ == "TextDelta")
    expected = "".join(
        getattr(p, "text", "") for p in whole.candidates[0].parts if type(p).__name__ == "Text"
    )
    assert texts == expected
    calls = [e.name for e in events if type(e).__name__ == "CallStarted"]
    assert calls == [p.name for p in whole.candidates[0].parts if type(p).__name__ == "ToolCall"]
    assert type(events[-1]).__name__ == "Ended"


def packed(coding: str, data: bytes) -> bytes:
    match coding:
        case "gzip":
            return gzip.compress(data)
        case "br":
            return brotli.compress(data)
        case _:
            return zlib.compress(data)


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate"])
@pytest.mark.parametrize("is_stream", [True, False])
def test_what_a_provider_compresses_is_said_in_plain(coding: str, is_stream: bool) -> None:
    kind = "text/event-stream" if is_stream else "application/json"
    sent = stream_of("anthropic", "text") if is_stream else answer("text")

    def said(pieces: list[bytes], coding: str) -> bytes:
        found, _ = translate.translation(CODECS, ASKED, 200, kind, is_stream=is_stream)
        found = translate.unpacked(found, coding)
        heard = b"".join(found.feed(piece, is_end=False) for piece in pieces)
        heard += found.feed(b"", is_end=True)
        assert found.usage is not None
        return heard

    compressed = packed(coding, sent)
    cut = [compressed[i : i + 1] for i in range(len(compressed))]
    assert said(cut, coding) == said([sent], "") == said([sent], "identity")


@pytest.mark.parametrize(
    ("coding", "sent"),
    [
        ("gzip", b"this is no gzip"),
        ("gzip", gzip.compress(answer("text"))[:40]),
        ("of my own", answer("text")),
        ("gzip", gzip.compress(bytes(translate.LARGEST_ANSWER_BYTES + 1))),
    ],
    ids=["broken", "cut", "unknown", "bomb"],
)
def test_an_answer_that_cannot_be_unpacked_is_none(coding: str, sent: bytes) -> None:
    found, _ = translate.translation(CODECS, ASKED, 200, "application/json", is_stream=False)
    with pytest.raises(UnreadableAnswer):
        translate.unpacked(found, coding).feed(sent, is_end=True)


def test_a_stream_whose_compression_breaks_ends_with_an_error() -> None:
    found, _ = translate.translation(CODECS, ASKED, 200, "text/event-stream", is_stream=True)
    found = translate.unpacked(found, "gzip")
    squeeze = zlib.compressobj(wbits=31)
    sent = squeeze.compress(stream_of("anthropic", "text")[:600]) + squeeze.flush(zlib.Z_SYNC_FLUSH)
    said = found.feed(sent, is_end=False)
    assert b"chat.completion.chunk" in said
    said += found.feed(b"\xff\xff no deflate \xff", is_end=False) + found.feed(b"", is_end=True)
    assert b'"error"' in said


def test_an_error_is_unpacked_too() -> None:
    sent = (SAMPLES / "anthropic" / "errors" / "429-rate_limit.json").read_bytes()
    found, _ = translate.translation(CODECS, ASKED, 429, "application/json", is_stream=False)
    said = json.loads(translate.unpacked(found, "gzip").feed(gzip.compress(sent), is_end=True))
    assert said["error"]["message"] == json.loads(sent)["error"]["message"]
