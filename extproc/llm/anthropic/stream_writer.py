"""A stream said as Claude's: https://docs.claude.com/en/docs/build-with-claude/streaming.

Blocks follow each other. A call that begins while another is being told waits until that one is
whole, which its arguments show.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

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
from extproc.llm.anthropic import sealed
from extproc.llm.anthropic.answers import ending_of, message_of, said_citation
from extproc.llm.anthropic.errors import document_of
from extproc.llm.anthropic.usage import usage_object
from extproc.llm.dialect import Asked
from extproc.llm.request import Signature
from extproc.protocols import json_spans, sse
from extproc.protocols.json_spans import InvalidJson
from gateway.usage import Usage

_TEXT: Final = "text"
_THINKING: Final = "thinking"
_CALL: Final = "call"


class MessagesEncoding:
    """Of one stream, of the first of the choices."""

    __slots__ = (
        "_arguments",
        "_asked",
        "_ending",
        "_has_started",
        "_has_text",
        "_index",
        "_is_over",
        "_kind",
        "_number",
        "_refusal",
        "_waiting",
    )

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._has_started = False
        self._is_over = False
        self._index = -1
        """Of the block that was begun last."""
        self._kind = ""
        """Of the block that is being told; empty: none is."""
        self._number = -1
        """Of the call that is being told."""
        self._arguments: list[str] = []
        """Of that call."""
        self._waiting: dict[int, tuple[CallStarted, list[str]]] = {}
        self._refusal: list[str] = []
        self._has_text = False
        self._ending: Finished | None = None

    def feed(self, event: StreamEvent) -> bytes:
        if self._is_over:
            return b""
        if isinstance(event, TextDelta):
            return self._text(event) if event.choice == 0 else b""
        match event:
            case Started(answer_id, model, usage):
                return self._start(answer_id, model, usage)
            case Ended(usage):
                return self._end(usage)
            case Failed(error):
                self._is_over = True
                return sse.encode(json_spans.encode(document_of(error)), "error")
            case _ if event.choice != 0:
                return b""
            case ThinkingDelta():
                return self._thinking(event)
            case CallStarted():
                return self._call(event)
            case CallDelta(number, arguments):
                return self._more_of_call(number, arguments)
            case RefusalDelta(text):
                self._refusal.append(text)
                return b"" if self._has_text else self._said(text)
            case SpeechDelta():
                return self._said(event.transcript)
            case Cited(citation):
                if self._kind != _TEXT:
                    return b""
                return self._delta({"type": "citations_delta", "citation": said_citation(citation)})
            case Drawn():  # Claude does not draw: there is no block for it
                return b""
            case PartEnded():
                return self._close()
            case Finished():
                self._ending = event
                return self._close_all()

    def _start(self, answer_id: str, model: str, usage: Usage | None) -> bytes:
        if self._has_started:
            return b""
        self._has_started = True
        message = message_of(answer_id, model, self._asked)
        message |= {"content": [], "stop_reason": None, "stop_sequence": None}
        message["usage"] = usage_object(usage)
        return _event("message_start", {"type": "message_start", "message": message})

    def _end(self, usage: Usage | None) -> bytes:
        self._is_over = True
        stop, sequence = Stop.END, ""
        if self._ending is not None:
            stop, sequence = self._ending.stop, self._ending.sequence
        said = self._begun() + self._close_all()
        delta = {
            "type": "message_delta",
            "delta": ending_of(stop, sequence, "".join(self._refusal)),
            "usage": usage_object(usage),
        }
        return (
            said + _event("message_delta", delta) + _event("message_stop", {"type": "message_stop"})
        )

    def _text(self, event: TextDelta) -> bytes:
        said = self._said(event.text)
        self._has_text = True
        if event.signature is not None:
            said += self._close_all() + self._whole(sealed.text_seal(event.signature))
        return said

    def _said(self, text: str) -> bytes:
        if not text:
            return b""
        before = b""
        if self._kind != _TEXT:
            before = self._close_all() + self._open(_TEXT, {"type": "text", "text": ""})
        return before + self._delta({"type": "text_delta", "text": text})

    def _thinking(self, event: ThinkingDelta) -> bytes:
        signature = event.signature
        if event.is_redacted:
            if signature is None:
                return b""
            block = {"type": "redacted_thinking", "data": sealed.shown(signature)}
            return self._close_all() + self._whole(block)
        said = b""
        if self._kind != _THINKING:
            if not event.text and signature is None:
                return b""
            said = self._close_all() + self._open(_THINKING, _empty_thinking())
        if event.text:
            said += self._delta({"type": "thinking_delta", "thinking": event.text})
        if signature is not None:  # it seals the part that it ends
            said += self._sign(sealed.shown(signature)) + self._close()
        return said

    def _call(self, event: CallStarted) -> bytes:
        if self._kind == _CALL and not self._is_call_whole():
            self._waiting[event.number] = (event, [])
            return b""
        return self._close() + self._open_call(event, "")

    def _more_of_call(self, number: int, arguments: str) -> bytes:
        if number in self._waiting:
            self._waiting[number][1].append(arguments)
            return b""
        if self._kind != _CALL or number != self._number or not arguments:
            return b""
        self._arguments.append(arguments)
        said = self._delta({"type": "input_json_delta", "partial_json": arguments})
        while self._waiting and self._is_call_whole():
            said += self._close() + self._next_call()
        return said

    def _next_call(self) -> bytes:
        event, arguments = self._waiting.pop(next(iter(self._waiting)))
        return self._open_call(event, "".join(arguments))

    def _open_call(self, event: CallStarted, arguments: str) -> bytes:
        said = b"" if event.signature is None else self._seal_of_call(event.signature)
        block = {"type": "tool_use", "id": event.call_id, "name": event.name, "input": {}}
        said += self._open(_CALL, block)
        self._number = event.number
        self._arguments = []
        if arguments:
            self._arguments.append(arguments)
            said += self._delta({"type": "input_json_delta", "partial_json": arguments})
        return said

    def _seal_of_call(self, signature: Signature) -> bytes:
        value = str(sealed.call_seal(signature)["signature"])
        return self._open(_THINKING, _empty_thinking()) + self._sign(value) + self._close()

    def _is_call_whole(self) -> bool:
        try:
            json_spans.decode("".join(self._arguments).encode())
        except InvalidJson:
            return False
        return True

    def _sign(self, value: str) -> bytes:
        return self._delta({"type": "signature_delta", "signature": value})

    def _whole(self, block: Mapping[str, object]) -> bytes:
        """A block without deltas."""
        return self._open(_THINKING, block) + self._close()

    def _open(self, kind: str, block: Mapping[str, object]) -> bytes:
        self._kind = kind
        said = self._begun()
        self._index += 1
        start = {"type": "content_block_start", "index": self._index, "content_block": block}
        return said + _event("content_block_start", start)

    def _begun(self) -> bytes:
        return b"" if self._has_started else self._start("", "", None)

    def _delta(self, delta: Mapping[str, object]) -> bytes:
        return _event(
            "content_block_delta",
            {"type": "content_block_delta", "index": self._index, "delta": delta},
        )

    def _close(self) -> bytes:
        if not self._kind:
            return b""
        self._kind = ""
        return _event("content_block_stop", {"type": "content_block_stop", "index": self._index})

    def _close_all(self) -> bytes:
        """Also what waits for a call that is not whole and will not be."""
        said = self._close()
        while self._waiting:
            said += self._next_call() + self._close()
        return said


def _empty_thinking() -> dict[str, object]:
    return {"type": "thinking", "thinking": "", "signature": ""}


def _event(name: str, said: Mapping[str, object]) -> bytes:
    return sse.encode(json_spans.encode(said), name)
