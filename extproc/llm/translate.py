"""A conversation from a client's dialect to a provider's, and the answer back.

Requests are said anew, or changed by splices where the dialect stays. Answers come in pieces of any
size; a whole one is said at its end, a streamed one as it comes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Protocol

from msgspec import Struct

from extproc.llm.answer import (
    Answer,
    CallDelta,
    CallStarted,
    Candidate,
    Citation,
    Cited,
    Drawn,
    Ended,
    Finished,
    PartEnded,
    RefusalDelta,
    Speech,
    SpeechDelta,
    Started,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
)
from extproc.llm.dialect import Asked, Call, Codec, Encoding
from extproc.llm.losses import Losses
from extproc.llm.pieces import LARGEST_ANSWER_BYTES, Pieces
from extproc.llm.request import Image, Refusal, Text, Thinking, ToolCall
from extproc.llm.tool_names import NO_NAMES, Names, fitted, own_name, own_names
from extproc.protocols.encodings import BadEncoding, Decoder, TooLarge, UnknownEncoding
from extproc.verdict import Deny
from gateway.model import Lossiness
from gateway.secret_texts import redact
from gateway.usage import Usage

_JSON = "application/json"
LARGEST_KEPT_TEXT = 1 << 20
"""Characters of a stream, kept until its end for the case that it breaks; no model says more."""
LARGEST_ERROR_BYTES = 1 << 20
"""What is more says no more."""


class Translated(Struct, frozen=True):
    """A request in a provider's dialect."""

    body: bytes
    tool_names: Names
    """What stands in the place of the client's own."""


def request(
    call: Call, codecs: tuple[Codec, Codec], model: str, lossiness: Lossiness
) -> Translated | Deny:
    """What a provider is told. `codecs` are the client's and the provider's."""
    client, provider = codecs
    said = client.decode_request(call)
    if isinstance(said, Deny):
        return said
    losses = Losses()
    told, names = fitted(said.for_model(model), provider.tool_names)
    body = provider.encode_request(told, losses)
    return losses.refusal(lossiness, provider.name, client.called) or Translated(body, names)


_TEXTS: Mapping[type, str] = MappingProxyType(
    {TextDelta: "text", ThinkingDelta: "text", RefusalDelta: "text", CallDelta: "arguments"}
)
"""Events that a model has spent tokens on, and the member that says on what."""


class Translation(Protocol):
    """An answer on its way to a client of another dialect."""

    @property
    def usage(self) -> Usage | None:
        """What the provider has said of it so far."""

    @property
    def unfinished(self) -> Sequence[str] | None:
        """The texts of a stream that has not come to its end; None: it has, or is no stream."""

    def feed(self, data: bytes, *, is_end: bool) -> bytes:
        """What the client gets for a piece. Raises `UnreadableAnswer` when nothing may follow."""


class Whole:
    """An answer that comes whole, and is said at its end."""

    __slots__ = ("_pieces", "_provider", "_say", "usage")
    unfinished = None

    def __init__(self, provider: Codec, say: Callable[[Answer], bytes]) -> None:
        self._provider = provider
        self._say = say
        self._pieces = Pieces()
        self.usage: Usage | None = None

    def feed(self, data: bytes, *, is_end: bool) -> bytes:
        self._pieces.add(data)
        if not is_end:
            return b""
        answer = self._provider.decode_answer(self._pieces.take())
        self.usage = answer.usage
        return self._say(answer)


class Stream:
    """An answer that is said as it comes."""

    __slots__ = ("_decoding", "_encoding", "_left", "_names", "_texts")

    def __init__(self, provider: Codec, encoding: Encoding, names: Names = NO_NAMES) -> None:
        self._names = names
        self._decoding = provider.decoding()
        self._encoding = encoding
        self._texts: list[str] | None = []
        self._left = LARGEST_KEPT_TEXT

    @property
    def usage(self) -> Usage | None:
        return self._decoding.usage

    @property
    def unfinished(self) -> Sequence[str] | None:
        return self._texts

    def feed(self, data: bytes, *, is_end: bool) -> bytes:
        said = self._say(self._decoding.feed(data)) if data else b""
        return said + self._say(self._decoding.end()) if is_end else said

    def _say(self, events: Sequence[StreamEvent]) -> bytes:
        if self._names:
            events = [own_name(each, self._names) for each in events]
        for event in events:
            member = _TEXTS.get(type(event))
            if member is not None:
                self._keep(getattr(event, member))
            elif type(event) is Ended:
                self._texts = None
        return b"".join(map(self._encoding.feed, events))

    def _keep(self, text: str) -> None:
        if self._texts is not None and self._left > 0:
            self._texts.append(text)
            self._left -= len(text)


class Refused:
    """An error instead of an answer."""

    __slots__ = ("_client", "_pieces", "_provider", "_size", "_status", "usage")
    unfinished = None

    def __init__(self, codecs: tuple[Codec, Codec], status: int) -> None:
        """`codecs` are the client's and the provider's."""
        self._client, self._provider = codecs
        self._status = status
        self._pieces: list[bytes] = []
        self._size = 0
        self.usage: Usage | None = None

    def feed(self, data: bytes, *, is_end: bool) -> bytes:
        if self._size < LARGEST_ERROR_BYTES:
            self._pieces.append(data)
            self._size += len(data)
        if not is_end:
            return b""
        error = self._provider.decode_error(self._status, b"".join(self._pieces))
        error = replace(error, message=redact(error.message))  # some name the key that was wrong
        return self._client.encode_error(error).body


class Unpacked:
    """An answer that the provider has compressed, though nobody asked it to.

    What cannot be unpacked is missing, as if the answer had ended there.
    """

    __slots__ = ("_decoder", "_translation")

    def __init__(self, found: Translation, coding: str) -> None:
        self._translation = found
        self._decoder: Decoder | None = None
        """None: nothing can be read any more."""
        try:
            self._decoder = Decoder(coding, LARGEST_ANSWER_BYTES)
        except UnknownEncoding:
            return

    @property
    def usage(self) -> Usage | None:
        return self._translation.usage

    @property
    def unfinished(self) -> Sequence[str] | None:
        return self._translation.unfinished

    def feed(self, data: bytes, *, is_end: bool) -> bytes:
        plain = b""
        if self._decoder is not None:
            try:
                plain = self._decoder.feed(data)
                if is_end:
                    self._decoder.end()
            except (BadEncoding, TooLarge):
                self._decoder = None
        return self._translation.feed(plain, is_end=is_end)


def unpacked(found: Translation, coding: str) -> Translation:
    """The same of an answer with this content coding; empty: none."""
    return found if coding in ("", "identity") else Unpacked(found, coding)


def translation(
    codecs: tuple[Codec, Codec], asked: Asked, status: int, content_type: str, *, is_stream: bool
) -> tuple[Translation, str]:
    """How an answer is translated, and the content type that it then has.

    `is_stream`: the client asked for one. A provider that answers it whole is not held to it.
    """
    client, provider = codecs
    if not 200 <= status < 300:
        return Refused(codecs, status), _JSON
    names = asked.tool_names.get(provider.name, NO_NAMES)
    if not is_stream:
        return (
            Whole(provider, lambda answer: client.encode_answer(own_names(answer, names), asked)),
            _JSON,
        )
    encoding = client.encoding(asked)
    if content_type.partition(";")[0].strip().lower() == _JSON:
        return (
            Whole(provider, lambda answer: _streamed(own_names(answer, names), encoding)),
            client.stream_type,
        )
    return Stream(provider, encoding, names), client.stream_type


def _streamed(answer: Answer, encoding: Encoding) -> bytes:
    return b"".join(map(encoding.feed, events_of(answer)))


def events_of(answer: Answer) -> Iterator[StreamEvent]:
    """A whole answer as a stream would tell it."""
    yield Started(answer.answer_id, answer.model)
    for index, candidate in enumerate(answer.candidates):
        yield from _told(candidate, index)
    yield Ended(answer.usage)


def _told(candidate: Candidate, choice: int) -> Iterator[StreamEvent]:
    logprobs = candidate.logprobs or ()
    calls = 0
    for part in candidate.parts:
        match part:
            case Text():
                yield TextDelta(part.text, choice, logprobs, part.signature)
                logprobs = ()
            case Thinking():
                yield ThinkingDelta(part.text, part.signature, part.is_redacted, choice)
            case ToolCall():
                yield CallStarted(calls, part.call_id, part.name, part.signature, choice)
                yield CallDelta(calls, part.arguments, choice)
                calls += 1
            case Refusal():
                yield RefusalDelta(part.text, choice)
            case Speech():
                yield SpeechDelta(
                    part.data, part.transcript, part.audio_id, part.expires_at, choice
                )
            case Citation():
                yield Cited(part, choice)
                continue  # it belongs to the text before
            case Image():
                yield Drawn(part, choice)
        yield PartEnded(choice)
    yield Finished(candidate.stop, candidate.sequence, choice)
