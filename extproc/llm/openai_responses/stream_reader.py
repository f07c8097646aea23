"""Streams of the Responses API, read.

https://platform.openai.com/docs/api-reference/responses-streaming. Items are known by their place
in the output. What comes whole and not in pieces is told when its item is done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType

import msgspec

from extproc.llm.answer import (
    ENDED_EARLY,
    AnswerPart,
    CallDelta,
    CallStarted,
    Citation,
    Cited,
    Drawn,
    Ended,
    Failed,
    Fault,
    Finished,
    PartEnded,
    ProviderError,
    RefusalDelta,
    Started,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
)
from extproc.llm.identifiers import call_id
from extproc.llm.openai_responses.answers import (
    citation_of,
    listed,
    logprobs_of,
    read_output,
    stop_of,
    word,
)
from extproc.llm.openai_responses.errors import decode_failure
from extproc.llm.openai_responses.items import CUSTOM_INPUT
from extproc.llm.openai_responses.sealed import BETWEEN_PARTS
from extproc.llm.openai_responses.usage import usage_in
from extproc.llm.request import Image, Refusal, Signature, Text, Thinking, ToolCall
from extproc.llm.seals import played_back
from extproc.protocols import json_spans
from extproc.protocols.json_spans import InvalidJson
from extproc.protocols.sse import Event, EventTooLarge, SseDecoder
from gateway.model import Dialect
from gateway.usage import Usage

_BROKEN_STATUS = 502
_DONE = b"[DONE]"
_CUSTOM_OPEN = f'{{"{CUSTOM_INPUT}":"'
_CUSTOM_CLOSE = '"}'
_CALLS = ("function_call", "custom_tool_call")


class _Call:
    """A call that is being told."""

    __slots__ = ("has_arguments", "is_custom", "number")

    def __init__(self, number: int, *, is_custom: bool) -> None:
        self.number = number
        self.is_custom = is_custom
        self.has_arguments = False


class ResponsesDecoding:
    """Bytes in, events out."""

    __slots__ = (
        "_annotations",
        "_before",
        "_calls",
        "_characters",
        "_events",
        "_has_started",
        "_is_open",
        "_is_over",
        "_is_refusal",
        "_last_call",
        "_sse",
        "_text",
        "_thought",
        "_told",
        "usage",
    )

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self._events = SseDecoder()
        self._has_started = False
        self._is_over = False
        self._told: set[int] = set()
        """The places of the items of which something was told."""
        self._calls: dict[int, _Call] = {}
        self._last_call: _Call | None = None
        """Of which something was told last."""
        self._text: tuple[object, object] | None = None
        """The place of the text that is being told: of its item, and in it."""
        self._is_open = False
        """A part of a message has not ended."""
        self._before = 0
        """Characters of the texts before this one."""
        self._characters = 0
        self._annotations = 0
        """Of this text, that were told."""
        self._thought: tuple[int, str, object] | None = None
        """The place of the reasoning that is being told, of which kind it is, and which part."""
        self._is_refusal = False

    def feed(self, data: bytes) -> Sequence[StreamEvent]:
        if self._is_over:
            return ()
        told: list[StreamEvent] = []
        try:
            self._read(self._events.feed(data), told)
        except EventTooLarge as error:
            self._break(str(error), told)
        except InvalidJson as error:
            self._break(f"an event is not valid JSON: {error}", told)
        return told

    def end(self) -> Sequence[StreamEvent]:
        if self._is_over:
            return ()
        told: list[StreamEvent] = []
        with suppress(InvalidJson):  # cut in the midst of an event
            self._read(self._events.end(), told)
        if not self._is_over:
            self._break(ENDED_EARLY, told)
        return told

    def _read(self, events: Sequence[Event], told: list[StreamEvent]) -> None:
        for event in events:
            self._event(event.data, told)
            if self._is_over:
                break

    def _event(self, data: bytes, told: list[StreamEvent]) -> None:
        if data == _DONE:
            return
        event = json_spans.decode(data)
        kind = event.get("type")
        if kind == "response.output_text.delta":  # as nearly all are
            self._text_delta(event, told)
            return
        read = _READERS.get(kind) if type(kind) is str else None
        if read is not None:
            read(self, event, told)

    def _break(self, message: str, told: list[StreamEvent]) -> None:
        self._fail(ProviderError(_BROKEN_STATUS, Fault.SERVER, message), told)

    def _fail(self, error: ProviderError, told: list[StreamEvent]) -> None:
        self._is_over = True
        told.append(Failed(error, self.usage))

    def _start(self, event: Mapping[str, object], told: list[StreamEvent]) -> None:
        if not self._has_started:
            self._has_started = True
            response = _response(event)
            told.append(Started(word(response, "id"), word(response, "model")))

    def _text_delta(self, event: Mapping[str, object], told: list[StreamEvent]) -> None:
        place = (event.get("output_index"), event.get("content_index"))
        if place != self._text:
            self._new_text(place, told)
        text = event.get("delta")
        if type(text) is not str:
            return
        self._characters += len(text)
        logprobs = event.get("logprobs")
        told.append(TextDelta(text, 0, tuple(logprobs_of(logprobs)) if logprobs else ()))

    def _new_text(self, place: tuple[object, object], told: list[StreamEvent]) -> None:
        self._start({}, told)
        self._end_part(told)
        self._text = place
        self._told.add(_index(place[0]))
        self._before += self._characters
        self._characters = self._annotations = 0
        self._is_open = True

    def _end_part(self, told: list[StreamEvent]) -> None:
        if self._is_open:
            self._is_open = False
            told.append(PartEnded())

    def _annotation(self, event: Mapping[str, object], told: list[StreamEvent]) -> None:
        place = (event.get("output_index"), event.get("content_index"))
        annotation = event.get("annotation")
        if place == self._text and type(annotation) is dict:
            self._annotations += 1
            self._cite(annotation, told)

    def _cite(self, annotation: Mapping[str, object], told: list[StreamEvent]) -> None:
        citation = citation_of(annotation, self._before)
        if citation is not None:
            told.append(Cited(citation))

    def _part_done(self, event: Mapping[str, object], told: list[StreamEvent]) -> None:
        """Some tell the annotations only here."""
        place = (event.get("output_index"), event.get("content_index"))
        part = event.get("part")
        if place == self._text and type(part) is dict:
            for annotation in listed(part, "annotations")[self._annotations :]:
                self._annotations += 1
                self._cite(annotation, told)
        self._end_part(told)

    def _refusal_delta(self, event: Mapping[str, object], told: list[StreamEvent]) -> None:
        self._start({}, told)
        self._told.add(_index(event.get("output_index")))
        self._is_refusal = self._is_open = True
        told.append(RefusalDelta(word(event, "delta")))

    def _summary_delta(self, event: Mapping[str, object], told: list[StreamEvent]) -> None:
        self._thinking(event, "summary", event.get("summary_index"), told)

    def _reasoning_delta(self, event: Mapping[str, object], told: list[StreamEvent]) -> None:
        self._thinking(event, "content", event.get("content_index"), told)

    def _thinking(
        self, event: Mapping[str, object], kind: str, part: object, told: list[StreamEvent]
    ) -> None:
        """Of an item that tells its reasoning and a summary, what comes first is told."""
        place = _index(event.get("output_index"))
        thought = self._thought
        text = word(event, "delta")
        if thought is None or thought[0] != place:
            self._start({}, told)
            self._told.add(place)
        elif thought[1] != kind:
            return
        elif thought[2] != part:
            text = BETWEEN_PARTS + text
        self._thought = (place, kind, part)
        told.append(ThinkingDelta(text))

    def _item_added(self, event: Mapping[str, object], told: list[StreamEvent]) -> None:
        item = event.get("item")
        if type(item) is not dict or item.get("type") not in _CALLS:
            return
        self._start({}, told)
        place = _index(event.get("output_index"))
        number = len(self._calls)
        is_custom = item["type"] == "custom_tool_call"
        call = self._calls[place] = _Call(number, is_custom=is_custom)
        self._told.add(place)
        self._last_call = call
        identifier = word(item, "call_id") or word(item, "id") or call_id("", number)
        told.append(CallStarted(number, identifier, word(item, "name")))
        self._more(call, word(item, "input" if is_custom else "arguments"), told)

    def _arguments_delta(self, event: Mapping[str, object], told: list[StreamEvent]) -> None:
        call = self._calls.get(_index(event.get("output_index")))
        if call is not None:
            self._more(call, word(event, "delta"), told)

    def _more(self, call: _Call, text: str, told: list[StreamEvent]) -> None:
        if not text:
            return
        if call.is_custom:
            text = msgspec.json.encode(text)[1:-1].decode()
            if not call.has_arguments:
                text = _CUSTOM_OPEN + text
        call.has_arguments = True
        self._last_call = call
        told.append(CallDelta(call.number, text))

    def _item_done(self, event: Mapping[str, object], told: list[StreamEvent]) -> None:
        item = event.get("item")
        if type(item) is not dict:
            return
        place = _index(event.get("output_index"))
        call = self._calls.get(place)
        if call is not None:
            self._call_done(call, item, told)
        elif item.get("type") == "reasoning" and place in self._told:
            self._reasoning_done(item, told)
        elif place not in self._told:
            self._told.add(place)
            self._tell([item], told)
        else:
            self._end_part(told)

    def _call_done(self, call: _Call, item: Mapping[str, object], told: list[StreamEvent]) -> None:
        if not call.has_arguments:
            whole = word(item, "input" if call.is_custom else "arguments")
            self._more(call, whole, told)
        if call.is_custom:
            end = _CUSTOM_CLOSE if call.has_arguments else _CUSTOM_OPEN + _CUSTOM_CLOSE
            told.append(CallDelta(call.number, end))
        elif not call.has_arguments:
            told.append(CallDelta(call.number, "{}"))
        if call is self._last_call:  # else another is being told
            told.append(PartEnded())

    def _reasoning_done(self, item: Mapping[str, object], told: list[StreamEvent]) -> None:
        encrypted = word(item, "encrypted_content")
        if encrypted:
            told.append(ThinkingDelta("", _sealed(encrypted)))
        self._thought = None
        told.append(PartEnded())

    def _tell(self, items: list[object], told: list[StreamEvent]) -> None:
        """Items that came whole."""
        self._start({}, told)
        self._end_part(told)
        self._before += self._characters
        parts, logprobs = read_output(items, "")
        rest = tuple(logprobs)
        texts = 0
        for part in parts:
            match part:
                case Text(text):
                    told.append(TextDelta(text, 0, rest))
                    rest = ()
                    texts += len(text)
                case Citation():
                    moved = part.start + self._before, part.end + self._before
                    placed = moved if part.end else (0, 0)
                    told.append(Cited(Citation(part.url, part.title, *placed)))
                    continue
                case _:
                    self._tell_part(part, told)
            told.append(PartEnded())
        self._text = None
        self._characters = texts

    def _tell_part(self, part: AnswerPart, told: list[StreamEvent]) -> None:
        match part:
            case Refusal(text):
                self._is_refusal = True
                told.append(RefusalDelta(text))
            case Thinking(text, signature, is_redacted):
                told.append(ThinkingDelta(text, signature, is_redacted))
            case Image():
                told.append(Drawn(part))
            case ToolCall():
                number = len(self._calls)
                self._calls[-2 - number] = _Call(number, is_custom=False)  # needs no place
                told.append(CallStarted(number, part.call_id, part.name))
                told.append(CallDelta(number, part.arguments))
            case _:
                pass

    def _whole(self, event: Mapping[str, object], told: list[StreamEvent]) -> None:
        response = _response(event)
        self.usage = usage_in(response)
        self._start(event, told)
        output = response.get("output")
        if not self._told and type(output) is list:
            self._tell(output, told)
        self._end_part(told)
        stop = stop_of(response, has_calls=bool(self._calls), is_refusal=self._is_refusal)
        self._is_over = True
        told += (Finished(stop), Ended(self.usage))

    def _failed(self, event: Mapping[str, object], told: list[StreamEvent]) -> None:
        response = _response(event)
        self.usage = usage_in(response) or self.usage
        self._fail(decode_failure(response.get("error")), told)

    def _error(self, event: Mapping[str, object], told: list[StreamEvent]) -> None:
        self._fail(decode_failure(event), told)


_Reader = Callable[[ResponsesDecoding, Mapping[str, object], list[StreamEvent]], None]
_READERS: Mapping[str, _Reader] = MappingProxyType(
    {
        "response.created": ResponsesDecoding._start,
        "response.queued": ResponsesDecoding._start,
        "response.in_progress": ResponsesDecoding._start,
        "response.output_item.added": ResponsesDecoding._item_added,
        "response.output_item.done": ResponsesDecoding._item_done,
        "response.content_part.done": ResponsesDecoding._part_done,
        "response.output_text.annotation.added": ResponsesDecoding._annotation,
        "response.refusal.delta": ResponsesDecoding._refusal_delta,
        "response.function_call_arguments.delta": ResponsesDecoding._arguments_delta,
        "response.custom_tool_call_input.delta": ResponsesDecoding._arguments_delta,
        "response.reasoning_summary_text.delta": ResponsesDecoding._summary_delta,
        "response.reasoning_text.delta": ResponsesDecoding._reasoning_delta,
        "response.completed": ResponsesDecoding._whole,
        "response.incomplete": ResponsesDecoding._whole,
        "response.failed": ResponsesDecoding._failed,
        "response.cancelled": ResponsesDecoding._failed,
        "error": ResponsesDecoding._error,
    }
)
"""What is read of each type of event; others say nothing that is not said elsewhere."""


def _index(value: object) -> int:
    """A place in the output; -1 when it is none."""
    return value if type(value) is int else -1


def _response(event: Mapping[str, object]) -> Mapping[str, object]:
    response = event.get("response")
    return response if type(response) is dict else {}


def _sealed(encrypted: str) -> Signature:
    return played_back(encrypted, Dialect.OPENAI_RESPONSES)
