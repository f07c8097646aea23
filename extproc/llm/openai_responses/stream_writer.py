"""Streams of the Responses API, written.

https://platform.openai.com/docs/api-reference/responses-streaming. Each item, and each part of it,
is announced, told in pieces, and repeated whole when it is done; the last event repeats everything.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from extproc.llm.answer import (
    CallDelta,
    CallStarted,
    Cited,
    Drawn,
    Ended,
    Failed,
    Finished,
    PartEnded,
    RefusalDelta,
    SpeechDelta,
    Started,
    Stop,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
)
from extproc.llm.dialect import Asked
from extproc.llm.openai_responses.drawing import DRAWN, drawn_item
from extproc.llm.openai_responses.errors import failure_object
from extproc.llm.openai_responses.open_items import (
    ITEM_ADDED,
    ITEM_DONE,
    Announcement,
    Members,
    OpenCall,
    OpenMessage,
    OpenThinking,
)
from extproc.llm.openai_responses.output import item_id, sealing_item
from extproc.llm.openai_responses.response_object import (
    name_of,
    response_object,
    settings,
    status_of,
)
from extproc.llm.openai_responses.sealed import on_call, on_text
from extproc.llm.openai_responses.tools import custom_names
from extproc.llm.request import Remote, ToolCall
from extproc.protocols import json_spans, sse
from gateway.usage import Usage

_encode = msgspec.json.encode


class ResponsesEncoding:
    """Events in, bytes out. Choices beyond the first are not told: this API has one."""

    __slots__ = (
        "_asked",
        "_before",
        "_calls",
        "_custom",
        "_has_refused",
        "_identity",
        "_items",
        "_message",
        "_number",
        "_said",
        "_stop",
        "_thinking",
    )

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._identity = ("", asked.model, asked.created)
        self._said: Members | None = None
        """What the response says of its request; None before the stream has started."""
        self._number = 0
        self._items: list[Members | None] = []
        """In their places; None where one is not whole."""
        self._message: OpenMessage | None = None
        self._thinking: OpenThinking | None = None
        self._calls: dict[int, OpenCall] = {}
        self._custom = custom_names(asked.document)
        self._before = 0
        """Characters of the texts of whole messages."""
        self._stop = Stop.END
        self._has_refused = False

    def feed(self, event: StreamEvent) -> bytes:
        if type(event) is TextDelta:  # as nearly all are
            return b"" if event.choice else self._text(event)
        if type(event) is CallDelta:
            return self._arguments(event)
        if type(event) is ThinkingDelta:
            return self._thought(event)
        return self._rest(event)

    def _rest(self, event: StreamEvent) -> bytes:
        match event:
            case Started():
                return self._started(event)
            case CallStarted():
                return self._call_started(event)
            case RefusalDelta():
                return self._refusal(event)
            case SpeechDelta():
                return self._speech(event)
            case Cited():
                return self._cited(event)
            case Drawn():
                return self._drawn(event)
            case PartEnded():
                return self._part_ended(event)
            case Finished():
                return self._finished(event)
            case Ended():
                return self._ended(event)
            case Failed():
                return self._failed(event)
            case TextDelta() | ThinkingDelta() | CallDelta():
                return b""  # told before

    def _announce(self, announcements: Iterable[Announcement]) -> bytes:
        frames: list[bytes] = []
        for kind, members in announcements:
            told = {"type": kind, "sequence_number": self._number, **members}
            self._number += 1
            frames.append(sse.encode(json_spans.encode(told), kind))
        return b"".join(frames)

    def _tail(self) -> bytes:
        """The end of an event that ends with its delta."""
        self._number += 1
        return b',"sequence_number":%d}\n\n' % (self._number - 1)

    def _response(
        self,
        status: str,
        incomplete: Members | None = None,
        usage: Usage | None = None,
        error: Members | None = None,
    ) -> Members:
        output = [item for item in self._items if item is not None]
        told = response_object(
            self._said or {}, self._identity, (status, incomplete), output, usage
        )
        return told if error is None else {**told, "error": error}

    def _started(self, event: Started) -> bytes:
        if self._said is not None:
            return b""
        asked = self._asked
        self._said = settings(asked)
        answer_id = name_of(event.answer_id, asked)
        self._identity = (answer_id, event.model or asked.model, asked.created)
        response: Members = {"response": self._response("in_progress")}
        return self._announce([("response.created", response), ("response.in_progress", response)])

    def _start(self) -> bytes:
        """What must be said before anything else, if it was not."""
        return self._started(Started("", "")) if self._said is None else b""

    def _place(self, prefix: str) -> tuple[str, int]:
        """The name and the place of a new item."""
        index = len(self._items)
        self._items.append(None)
        return item_id(prefix, self._identity[0].removeprefix("resp_"), index), index

    def _text(self, event: TextDelta) -> bytes:
        message = self._message
        said = b""
        if message is None or message.is_ended or message.is_refusal or not message.is_telling:
            said = self._begin_part(is_refusal=False)
            message = self._message
            assert message is not None
        if event.signature is not None:
            message.signature = event.signature
        if not event.text and not event.logprobs:
            return said
        logprobs = message.add(event.text, event.logprobs)
        number = self._number
        self._number = number + 1
        return b'%s%s%s,"logprobs":%s,"sequence_number":%d}\n\n' % (
            said,
            message.head,
            _encode(event.text),
            _encode(logprobs) if logprobs else b"[]",
            number,
        )

    def _begin_part(self, *, is_refusal: bool) -> bytes:
        said = self._start() + self._end_thinking()
        message = self._message
        if message is not None and message.signature is not None:  # it is of this text alone
            said += self._end_message()
            message = None
        if message is None:
            message = self._message = OpenMessage(*self._place("msg"), self._before)
            said += self._announce(message.begin())
        told = message.end_part() + message.begin_part(is_refusal=is_refusal)
        return said + self._announce(told)

    def _refusal(self, event: RefusalDelta) -> bytes:
        if event.choice:
            return b""
        message = self._message
        said = b""
        if message is None or message.is_ended or not (message.is_refusal and message.is_telling):
            said = self._begin_part(is_refusal=True)
            message = self._message
            assert message is not None
        self._has_refused = True
        message.add(event.text, ())
        return said + message.head + _encode(event.text) + self._tail()

    def _speech(self, event: SpeechDelta) -> bytes:
        """The words alone: this API does not speak."""
        if event.choice or not event.transcript:
            return b""
        return self._text(TextDelta(event.transcript))

    def _cited(self, event: Cited) -> bytes:
        """Of a text; where none is open, there is nothing that it could be about."""
        message = self._message
        if event.choice or message is None or message.is_refusal or not message.is_telling:
            return b""
        return self._announce(message.cite(event.citation))

    def _drawn(self, event: Drawn) -> bytes:
        """In one piece: nobody tells it before it is whole."""
        image = event.image
        if event.choice:
            return b""
        said = self._start() + self._end_message() + self._end_thinking()
        item = drawn_item(image)
        if item is not None:
            name, index = self._place("ig")
            opened = {"type": DRAWN, "status": "in_progress", "result": None, "id": name}
            place = {"item_id": name, "output_index": index}
            kinds = ("in_progress", "generating", "completed")
            said += self._announce([(ITEM_ADDED, {"output_index": index, "item": opened})])
            said += self._announce([(f"response.{DRAWN}.{kind}", {**place}) for kind in kinds])
            said += self._done(index, {"id": name, **item})
        elif isinstance(image.source, Remote):  # items hold images, not addresses
            said += self._text(TextDelta(image.source.url)) + self._end_message()
        return said if image.signature is None else said + self._seal(on_text(image.signature))

    def _thought(self, event: ThinkingDelta) -> bytes:
        if event.choice:
            return b""
        said = self._start() + self._end_message()
        thinking = self._thinking
        if thinking is not None and thinking.signature is not None:  # sealed: another begins
            said += self._end_thinking()
            thinking = None
        if thinking is None:
            thinking = self._thinking = OpenThinking(*self._place("rs"))
            said += self._announce(thinking.begin())
        if event.text:
            said += self._announce(thinking.add(event.text))
            said += thinking.head + _encode(event.text) + self._tail()
        if event.signature is not None:
            thinking.seal(event.signature, is_redacted=event.is_redacted)
        return said

    def _call_started(self, event: CallStarted) -> bytes:
        if event.choice:
            return b""
        said = self._start() + self._end_message() + self._end_thinking()
        if event.signature is not None:
            said += self._seal(on_call(event.signature))
        is_custom = event.name in self._custom
        name, index = self._place("ctc" if is_custom else "fc")
        call = OpenCall(name, index, ToolCall(event.call_id, event.name, ""), is_custom=is_custom)
        self._calls[event.number] = call
        return said + self._announce(call.begin())

    def _arguments(self, event: CallDelta) -> bytes:
        call = self._calls.get(event.number)
        if event.choice or call is None or not event.arguments:
            return b""
        call.add(event.arguments)
        if call.is_custom:
            return b""
        return call.head + _encode(event.arguments) + self._tail()

    def _part_ended(self, event: PartEnded) -> bytes:
        """Of a text, something may still be said; of several calls, it is not known which."""
        if event.choice:
            return b""
        if self._message is not None:
            self._message.is_ended = True
            return b""
        if self._thinking is not None:
            return self._end_thinking()
        return self._end_calls() if len(self._calls) == 1 else b""

    def _finished(self, event: Finished) -> bytes:
        if event.choice:
            return b""
        self._stop = event.stop
        return self._end_all()

    def _ended(self, event: Ended) -> bytes:
        said = self._start() + self._end_all()
        status, incomplete = status_of(self._stop, is_refusal=self._has_refused)
        response: Members = {"response": self._response(status, incomplete, event.usage)}
        return said + self._announce([(f"response.{status}", response)])

    def _failed(self, event: Failed) -> bytes:
        """What was not whole by then is not repeated.

        A response that never began is begun to fail: libraries expect nothing else at first.
        """
        said = self._start()
        response = self._response("failed", None, event.usage, failure_object(event.error))
        return said + self._announce([("response.failed", {"response": response})])

    def _end_all(self) -> bytes:
        return self._end_message() + self._end_thinking() + self._end_calls()

    def _end_message(self) -> bytes:
        message = self._message
        if message is None:
            return b""
        self._message = None
        said = self._announce(message.end_part())
        self._before = message.before
        said += self._done(message.index, message.item())
        if message.signature is not None:
            said += self._seal(on_text(message.signature))
        return said

    def _end_thinking(self) -> bytes:
        thinking = self._thinking
        if thinking is None:
            return b""
        self._thinking = None
        return self._announce(thinking.end()) + self._done(thinking.index, thinking.item())

    def _end_calls(self) -> bytes:
        said = b""
        for call in self._calls.values():
            said += self._announce(call.end()) + self._done(call.index, call.item())
        self._calls = {}
        return said

    def _seal(self, encrypted_content: str) -> bytes:
        """A reasoning item that holds the seal of something else."""
        name, index = self._place("rs")
        item = {"id": name, **sealing_item(encrypted_content)}
        said = self._announce([(ITEM_ADDED, {"output_index": index, "item": item})])
        return said + self._done(index, item)

    def _done(self, index: int, item: Members) -> bytes:
        self._items[index] = item
        return self._announce([(ITEM_DONE, {"output_index": index, "item": item})])
