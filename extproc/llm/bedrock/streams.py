"""ConverseStream: its events read from event-stream messages, and written.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStreamOutput.html:
`messageStart`, then blocks (`contentBlockStart` for tool calls alone, `contentBlockDelta`,
`contentBlockStop`), `messageStop`, `metadata`; or an exception.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from extproc.llm import identifiers
from extproc.llm.answer import (
    ENDED_EARLY,
    CallDelta,
    CallStarted,
    Cited,
    Drawn,
    Ended,
    Failed,
    Fault,
    Finished,
    PartEnded,
    ProviderError,
    RefusalDelta,
    SpeechDelta,
    Started,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
)
from extproc.llm.bedrock import sealed
from extproc.llm.bedrock.answers import (
    UNMEASURED,
    citation_of,
    encode_citation,
    image_block,
    image_of,
    placed,
    response_fields,
    stop_of,
    stop_sequence_of,
)
from extproc.llm.bedrock.errors import decode_exception, encode_exception
from extproc.llm.bedrock.turns import call_id, tool_name
from extproc.llm.bedrock.usage import (
    USAGE_MEMBER,
    encode_tier,
    encode_usage,
    tier_of,
    usage_of,
)
from extproc.llm.bedrock.words import STOP_REASONS
from extproc.llm.dialect import Asked
from extproc.llm.lenient import mapping, string
from extproc.llm.request import Image, Inline, Signature, Thinking
from extproc.protocols import event_stream, json_spans
from extproc.protocols.event_stream import BrokenMessage, Message, MessageDecoder
from extproc.protocols.json_spans import InvalidJson
from gateway.model import Dialect
from gateway.usage import Usage

_EVENT_TYPES = (
    "messageStart",
    "contentBlockStart",
    "contentBlockDelta",
    "contentBlockStop",
    "messageStop",
    "metadata",
)


def _event_headers(name: str) -> bytes:
    headers = {
        ":event-type": name,
        ":content-type": "application/json",
        ":message-type": "event",
    }
    return event_stream.encode_headers(event_stream.texts(headers))


_HEADERS: Mapping[str, bytes] = {name: _event_headers(name) for name in _EVENT_TYPES}
_DELTA = _HEADERS["contentBlockDelta"]


class BedrockDecoding:
    """`Decoding` of a ConverseStream."""

    __slots__ = (
        "_begun",
        "_block",
        "_calls",
        "_format",
        "_frames",
        "_is_finished",
        "_is_over",
        "_told",
        "_usage",
    )

    def __init__(self) -> None:
        self._frames = MessageDecoder()
        self._block = 0
        """Index of the block that is told, which began after so many characters of text."""
        self._begun = self._told = 0
        self._calls: dict[int, int] = {}
        """Index of the block → number of the call."""
        self._format = ""
        """Of the image that is told."""
        self._usage: Usage | None = None
        self._is_finished = False
        self._is_over = False

    @property
    def usage(self) -> Usage | None:
        return self._usage

    def feed(self, data: bytes) -> Sequence[StreamEvent]:
        if self._is_over:
            return ()
        events: list[StreamEvent] = []
        try:
            for message in self._frames.feed(data):
                self._message(message, events)
                if self._is_over:
                    break
        except (BrokenMessage, InvalidJson) as error:
            events.append(self._broken(f"unreadable stream: {error}"))
        return events

    def end(self) -> Sequence[StreamEvent]:
        if self._is_over:
            return ()
        if self._is_finished and self._frames.is_between_messages:
            self._is_over = True
            return (Ended(self._usage),)
        return (self._broken(ENDED_EARLY),)

    def _broken(self, reason: str) -> Failed:
        self._is_over = True
        return Failed(ProviderError(502, Fault.SERVER, reason), self._usage)

    def _message(self, message: Message, events: list[StreamEvent]) -> None:
        kind = message.text(":message-type")
        if kind == "exception":
            self._is_over = True
            name = message.text(":exception-type")
            events.append(Failed(decode_exception(name, message.payload), self._usage))
        elif kind == "error":
            self._is_over = True
            reason = message.text(":error-message") or "the stream failed"
            code = message.text(":error-code")
            error = ProviderError(500, Fault.SERVER, reason, code=code)
            events.append(Failed(error, self._usage))
        elif kind == "event":
            self._event(message.text(":event-type"), json_spans.decode(message.payload), events)

    def _event(self, name: str, document: Mapping[str, object], events: list[StreamEvent]) -> None:
        match name:
            case "contentBlockDelta":
                self._delta(document, events)
            case "contentBlockStart":
                self._start(document, events)
            case "contentBlockStop":
                events.append(PartEnded())
            case "messageStart":
                events.append(Started("", ""))
            case "messageStop":
                self._is_finished = True
                events.append(Finished(stop_of(document), stop_sequence_of(document)))
            case "metadata":
                self._usage = usage_of(mapping(document, USAGE_MEMBER), tier_of(document))
                if self._is_finished:
                    self._is_over = True
                    events.append(Ended(self._usage))

    def _start(self, document: Mapping[str, object], events: list[StreamEvent]) -> None:
        start = mapping(document, "start")
        if "image" in start:
            self._format = string(mapping(start, "image"), "format")
        call = mapping(start, "toolUse")
        if not call or call.get("type"):  # no call, or a tool that the provider runs itself
            return
        number = len(self._calls)
        self._calls[_index(document)] = number
        name = string(call, "name")
        given = string(call, "toolUseId") or identifiers.call_id(name, number)
        events.append(CallStarted(number, given, name))

    def _delta(self, document: Mapping[str, object], events: list[StreamEvent]) -> None:
        delta = document.get("delta")
        if not isinstance(delta, dict):
            return
        index = _index(document)
        if index != self._block:
            self._block, self._begun = index, self._told
        text = delta.get("text")
        if isinstance(text, str):
            self._told += len(text)
            events.append(TextDelta(text))
            return
        for name, value in delta.items():
            if not isinstance(value, dict):
                continue
            if name == "toolUse":
                number = self._calls.get(index)
                if number is not None:
                    events.append(CallDelta(number, string(value, "input")))
            elif name == "reasoningContent":
                events += _thinking(value)
            elif name == "citation":
                citation = placed(citation_of(value), self._begun, self._told)
                events.append(Cited(citation))
            elif name == "image":
                image = image_of({"format": self._format, **value})
                if image is not None:
                    events.append(Drawn(image))


def _thinking(value: Mapping[str, object]) -> list[StreamEvent]:
    text, signature, redacted = (
        string(value, name) for name in ("text", "signature", "redactedContent")
    )
    if redacted:
        return [ThinkingDelta("", Signature(redacted, Dialect.BEDROCK), is_redacted=True)]
    if not text and not signature:
        return []
    seal = Signature(signature, Dialect.BEDROCK) if signature else None
    return [ThinkingDelta(text, seal)]


class _Waiting:
    """A call that begins while another is told."""

    __slots__ = ("arguments", "started")

    def __init__(self, started: CallStarted) -> None:
        self.started = started
        self.arguments: list[str] = []


class BedrockEncoding:
    """`Encoding` of a ConverseStream.

    Clients read one block after the other. So calls that are told in turns wait: the first is told
    as it comes, the others when it is known to be whole.
    """

    __slots__ = ("_asked", "_call", "_index", "_kind", "_waiting")

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._index = 0
        """Of the block that is open, or of the next."""
        self._kind = ""
        """Of the block that is open; empty: none."""
        self._call = -1
        """The number of the call that is open."""
        self._waiting: dict[int, _Waiting] = {}

    def feed(self, event: StreamEvent) -> bytes:
        match event:
            case Failed():
                return exception(event.error)
            case Started():
                return _frame("messageStart", {"role": "assistant"})
            case Ended():
                return self._ended(event)
            case _ if event.choice != 0:
                return b""
            case TextDelta() | RefusalDelta():
                return self._text(event)
            case CallDelta():
                return self._call_delta(event)
            case ThinkingDelta():
                return self._thinking(event)
            case CallStarted():
                return self._call_started(event)
            case SpeechDelta():
                text = event.transcript
                return self._open("text") + self._delta({"text": text}) if text else b""
            case Cited():
                return self._open("text") + self._delta(
                    {"citation": encode_citation(event.citation)}
                )
            case Drawn():
                return self._image(event.image)
            case PartEnded():
                return b"" if self._waiting else self._close()
            case Finished():
                return self._close() + self._finished(event)

    def _text(self, event: TextDelta | RefusalDelta) -> bytes:
        written = self._open("text")
        if event.text:
            written += self._delta({"text": event.text})
        if isinstance(event, TextDelta) and event.signature is not None:
            written += self._seal(sealed.OF_TEXT, event.signature)
        return written

    def _thinking(self, event: ThinkingDelta) -> bytes:
        part = Thinking(event.text, event.signature, event.is_redacted)
        if event.is_redacted:
            written = self._close() + self._open("redacted")
            delta = {"reasoningContent": sealed.thinking_block(part)}
            return written + self._delta(delta) + self._close()
        written = self._open("thinking")
        if event.text:
            written += self._delta({"reasoningContent": {"text": event.text}})
        if event.signature is not None:
            shown = sealed.shown(event.signature)
            written += self._delta({"reasoningContent": {"signature": shown}}) + self._close()
        return written

    def _seal(self, prefix: str, signature: Signature) -> bytes:
        """A block of its own."""
        written = self._close() + self._open("thinking")
        shown = {"signature": prefix + sealed.shown(signature)}
        return written + self._delta({"reasoningContent": shown}) + self._close()

    def _image(self, image: Image) -> bytes:
        """A block of its own."""
        if not isinstance(image.source, Inline):
            return b""
        block = image_block(image.source)
        start = {"image": {"format": block["format"]}}
        written = self._close() + self._open("image")
        written += _frame("contentBlockStart", {"start": start, "contentBlockIndex": self._index})
        return written + self._delta({"image": {"source": block["source"]}}) + self._close()

    def _call_started(self, event: CallStarted) -> bytes:
        if self._kind == "call":
            self._waiting[event.number] = _Waiting(event)
            return b""
        written = b""
        if event.signature is not None:
            written += self._seal(sealed.OF_CALL, event.signature)
        written += self._open("call")
        self._call = event.number
        start = {"toolUseId": call_id(event.call_id), "name": tool_name(event.name)}
        return written + _frame(
            "contentBlockStart",
            {"start": {"toolUse": start}, "contentBlockIndex": self._index},
        )

    def _call_delta(self, event: CallDelta) -> bytes:
        waiting = self._waiting.get(event.number)
        if waiting is not None:
            waiting.arguments.append(event.arguments)
            return b""
        if event.number != self._call or not event.arguments:
            return b""
        return self._delta({"toolUse": {"input": event.arguments}})

    def _open(self, kind: str) -> bytes:
        """Ends another block, and the calls that wait behind it."""
        if self._kind == kind:
            return b""
        written = self._close()
        self._kind = kind
        return written

    def _close(self) -> bytes:
        if not self._kind:
            return b""
        stop = _frame("contentBlockStop", {"contentBlockIndex": self._index})
        self._kind, self._call = "", -1
        self._index += 1
        waiting, self._waiting = self._waiting, {}
        written = [stop]
        for each in waiting.values():
            written.append(self._call_started(each.started))
            arguments = "".join(each.arguments)
            written.append(self._call_delta(CallDelta(each.started.number, arguments)))
            written.append(self._close())
        return b"".join(written)

    def _delta(self, delta: Mapping[str, object]) -> bytes:
        document = {"contentBlockIndex": self._index, "delta": delta}
        return event_stream.encode_with(_DELTA, json_spans.encode(document))

    def _finished(self, event: Finished) -> bytes:
        document: dict[str, object] = {"stopReason": STOP_REASONS[event.stop]}
        document.update(response_fields(event.sequence, self._asked))
        return _frame("messageStop", document)

    def _ended(self, event: Ended) -> bytes:
        document: dict[str, object] = {"usage": encode_usage(event.usage), "metrics": UNMEASURED}
        document.update(encode_tier(event.usage))
        return _frame("metadata", document)


def _frame(name: str, document: Mapping[str, object]) -> bytes:
    return event_stream.encode_with(_HEADERS[name], json_spans.encode(document))


def exception(error: ProviderError) -> bytes:
    """What ends a stream that fails."""
    name, payload = encode_exception(error)
    headers = {
        ":exception-type": name,
        ":content-type": "application/json",
        ":message-type": "exception",
    }
    return event_stream.encode(Message(event_stream.texts(headers), payload))


def _index(document: Mapping[str, object]) -> int:
    """Of the content block that an event is about."""
    index = document.get("contentBlockIndex")
    return index if type(index) is int else 0
