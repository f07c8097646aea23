"""What a session of OpenAI's realtime API says that it used, and what may be said to its client.

https://platform.openai.com/docs/api-reference/realtime-server-events; Azure and xAI have the same.
Most events are sound in pieces, which are many and large: they are told by how they begin.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from extproc.llm.counts import count, reported
from extproc.llm.lenient import mapping, string
from extproc.llm.openai_chat.errors import encode_refusal
from extproc.llm.others.usage import TRANSCRIPTIONS
from extproc.protocols import json_spans
from extproc.protocols.json_spans import InvalidJson
from extproc.verdict import Deny
from gateway.usage import Usage

LEAST_OUTPUT_TOKENS = 1024
"""Of speech: what a response is taken to say at least, as long as it has not said how much."""
_MILLISECONDS_PER_TOKEN = 100
"""Of sound that a model hears."""

_CREATED = b"response.created"
_DONE = b"response.done"
_TRANSCRIBED = b"conversation.item.input_audio_transcription.completed"
_SESSIONS = (
    b"session.created",
    b"session.updated",
    b"transcription_session.created",
    b"transcription_session.updated",
)
_READ = frozenset({_CREATED, _DONE, _TRANSCRIBED, *_SESSIONS})
_BEGINNINGS = (b'{"type":"', b'{"type": "')
"""Of events as servers write them."""


class Began(Struct, frozen=True):
    """The model begins a response."""


class Ended(Struct, frozen=True):
    """A response is over, whatever became of it."""

    usage: Usage | None
    """None: it does not say."""
    is_failure: bool


class Transcribed(Struct, frozen=True):
    """What the user said was heard by a model of its own."""

    usage: Usage


class Transcriber(Struct, frozen=True):
    """Which model that is; empty: none."""

    model: str


Told: TypeAlias = Began | Ended | Transcribed | Transcriber


def read(message: bytes, *, is_whole: bool = True) -> Told | None:
    """What an event tells that is to be known; None: nothing.

    A response whose end cannot be read has ended, and has not said what it used.
    """
    kind = _kind(message)
    if kind is not None and kind not in _READ:
        return None
    if kind is None and not any(each in message for each in _READ):
        return None
    if kind == _CREATED:
        return Began()
    try:
        event = json_spans.decode(message) if is_whole else {}
    except InvalidJson:
        event = {}
    if not event:
        return Ended(None, False) if kind == _DONE or (kind is None and _DONE in message) else None
    return _told(event)


def _kind(message: bytes) -> bytes | None:
    """The type of an event that begins with it; None: it begins otherwise."""
    for beginning in _BEGINNINGS:
        if message.startswith(beginning):
            start = len(beginning)
            end = message.find(b'"', start)
            return message[start:end] if end > 0 else None
    return None


def _told(event: Mapping[str, object]) -> Told | None:
    kind = string(event, "type").encode("utf-8", "replace")
    if kind == _CREATED:
        return Began()
    if kind == _DONE:
        response = mapping(event, "response")
        return Ended(usage_of(mapping(response, "usage")), response.get("status") == "failed")
    if kind == _TRANSCRIBED:
        heard = TRANSCRIPTIONS.usage_of(mapping(event, "usage"))
        return None if heard is None else Transcribed(heard)
    if kind in _SESSIONS:
        return Transcriber(_transcriber(mapping(event, "session")))
    return None


def usage_of(usage: Mapping[str, object]) -> Usage | None:
    """Of one response. Its cached sound and images are told apart, and count as cached alone."""
    read, written = count(usage, "input_tokens"), count(usage, "output_tokens")
    if not (read or written):
        return None
    heard = mapping(usage, "input_token_details")
    said = mapping(usage, "output_token_details")
    again = mapping(heard, "cached_tokens_details")
    return Usage(
        read,
        written,
        cached_input_tokens=count(heard, "cached_tokens"),
        audio_input_tokens=max(0, count(heard, "audio_tokens") - count(again, "audio_tokens")),
        image_input_tokens=max(0, count(heard, "image_tokens") - count(again, "image_tokens")),
        audio_output_tokens=count(said, "audio_tokens"),
        reported=reported(usage),
    )


def expected(last: Usage | None) -> Usage:
    """What the next response may take: as much as the last one, and not too little speech."""
    if last is None:
        last = Usage(0, 0)
    short = max(0, LEAST_OUTPUT_TOKENS - last.output_tokens)
    is_spoken = last.audio_output_tokens > 0 or not last.output_tokens
    return replace(
        last,
        output_tokens=last.output_tokens + short,
        audio_output_tokens=last.audio_output_tokens + (short if is_spoken else 0),
    )


def in_tokens(usage: Usage) -> Usage:
    """Sound that is told by its duration, for a model without a price for seconds."""
    tokens = ceil(usage.milliseconds / _MILLISECONDS_PER_TOKEN)
    return replace(
        usage,
        input_tokens=usage.input_tokens + tokens,
        audio_input_tokens=usage.audio_input_tokens + tokens,
        milliseconds=0,
    )


def error_event(deny: Deny) -> bytes:
    """The event by which a client is told why its session ends."""
    said = json_spans.decode(encode_refusal(deny).body)
    event_id = f"event_{deny.code}"
    return json_spans.encode({"type": "error", "event_id": event_id, **said})


def _transcriber(session: Mapping[str, object]) -> str:
    """As it stands in the session now, and as it stood in its preview."""
    heard = mapping(mapping(session, "audio"), "input")
    now = mapping(heard, "transcription")
    return string(now or mapping(session, "input_audio_transcription"), "model")
