"""Claude's stream, read: https://docs.claude.com/en/docs/build-with-claude/streaming.

`message_start`, then blocks one after the other, `message_delta`, `message_stop`; `ping` anywhere,
`error` instead of what would come. Events of kinds that are not known are passed over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from extproc.llm.answer import (
    ENDED_EARLY,
    CallDelta,
    CallStarted,
    Cited,
    Ended,
    Failed,
    Fault,
    Finished,
    PartEnded,
    ProviderError,
    RefusalDelta,
    Started,
    Stop,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
)
from extproc.llm.anthropic.answers import (
    arguments_of,
    citation_of,
    refusal_of,
    seal_of,
    stop_of,
    text_of,
)
from extproc.llm.anthropic.errors import error_of
from extproc.llm.anthropic.usage import merged, usage_of
from extproc.protocols import json_spans
from extproc.protocols.json_spans import InvalidJson
from extproc.protocols.sse import Event, EventTooLarge, SseDecoder
from gateway.usage import Usage

_BAD_GATEWAY = 502


class MessagesDecoding:
    """Of one stream."""

    __slots__ = (
        "_calls",
        "_cited",
        "_counts",
        "_has_started",
        "_is_over",
        "_length",
        "_sequence",
        "_sse",
        "_started_at",
        "_stop",
        "_told",
    )

    def __init__(self) -> None:
        self._sse = SseDecoder()
        self._counts: dict[str, object] = {}
        self._told: dict[int, int | None] = {}
        """Blocks that are being told, by their index: the number of a call, None for others."""
        self._calls = 0
        self._length = 0
        """Of all text so far, in characters, and where the block began that is being told."""
        self._started_at = 0
        self._cited: list[object] = []
        """In the block that is being told."""
        self._stop: Stop | None = None
        self._sequence = ""
        self._has_started = False
        self._is_over = False

    @property
    def usage(self) -> Usage | None:
        return usage_of(self._counts)

    def feed(self, data: bytes) -> Sequence[StreamEvent]:
        if self._is_over:
            return ()
        found: list[StreamEvent] = []
        try:
            self._read(self._sse.feed(data), found)
        except EventTooLarge as error:
            found.append(self._broken(str(error)))
        except InvalidJson as error:
            found.append(self._broken(f"an event that is not JSON: {error}"))
        return found

    def end(self) -> Sequence[StreamEvent]:
        if self._is_over:
            return ()
        found: list[StreamEvent] = []
        with suppress(InvalidJson):  # cut in the midst of an event
            self._read(self._sse.end(), found)
        if not self._is_over:
            found.append(self._broken(ENDED_EARLY))
        return found

    def _read(self, events: Sequence[Event], found: list[StreamEvent]) -> None:
        for event in events:
            self._event(json_spans.decode(event.data), found)
            if self._is_over:
                break

    def _event(self, said: dict[str, object], found: list[StreamEvent]) -> None:
        match said.get("type"):
            case "content_block_delta":
                delta = said.get("delta")
                if type(delta) is dict:
                    self._delta(_index(said), delta, found)
            case "content_block_start":
                block = said.get("content_block")
                if type(block) is dict:
                    self._block(_index(said), block, found)
            case "content_block_stop":
                self._end_of_block(_index(said), found)
            case "message_start":
                self._start(said.get("message"), found)
            case "message_delta":
                self._ending(said, found)
            case "message_stop":
                self._is_over = True
                stop = self._stop
                if stop is None:
                    stop = Stop.TOOL_CALLS if self._calls else Stop.END
                found += (Finished(stop, self._sequence), Ended(self.usage))
            case "error":
                self._is_over = True
                found.append(Failed(error_of(said), self.usage))
            case _:
                pass

    def _start(self, message: object, found: list[StreamEvent]) -> None:
        if type(message) is not dict or self._has_started:
            return
        self._has_started = True
        self._count(message)
        found.append(Started(text_of(message, "id"), text_of(message, "model"), self.usage))

    def _block(self, index: int, block: dict[str, object], found: list[StreamEvent]) -> None:
        match block.get("type"):
            case "text":
                self._told[index] = None
                self._started_at = self._length
                self._text(text_of(block, "text"), found)
                citations = block.get("citations")
                self._cited += citations if type(citations) is list else []
            case "thinking":
                self._told[index] = None
                text, seal = text_of(block, "thinking"), seal_of(text_of(block, "signature"))
                if text or seal is not None:
                    found.append(ThinkingDelta(text, seal))
            case "redacted_thinking":
                self._told[index] = None
                seal = seal_of(text_of(block, "data"))
                found.append(ThinkingDelta("", seal, is_redacted=True))
            case "tool_use":
                number = self._calls
                self._told[index] = number
                self._calls += 1
                found.append(CallStarted(number, text_of(block, "id"), text_of(block, "name")))
                if block.get("input"):  # some tell all of it at once
                    found.append(CallDelta(number, arguments_of(block)))

    def _delta(self, index: int, delta: dict[str, object], found: list[StreamEvent]) -> None:
        match delta.get("type"):
            case "text_delta":
                self._text(text_of(delta, "text"), found)
            case "input_json_delta":
                number = self._told.get(index)
                arguments = text_of(delta, "partial_json")
                if number is not None and arguments:  # else a tool of the provider's own
                    found.append(CallDelta(number, arguments))
            case "thinking_delta":
                text = text_of(delta, "thinking")
                if text:
                    found.append(ThinkingDelta(text))
            case "signature_delta":
                seal = seal_of(text_of(delta, "signature"))
                if seal is not None:
                    found.append(ThinkingDelta("", seal))
            case "citations_delta":
                self._cited.append(delta.get("citation"))

    def _text(self, text: str, found: list[StreamEvent]) -> None:
        if text:
            self._length += len(text)
            found.append(TextDelta(text))

    def _end_of_block(self, index: int, found: list[StreamEvent]) -> None:
        """Citations may come before their text; they are told after it."""
        if index not in self._told:
            return
        del self._told[index]
        for cited in self._cited:
            citation = citation_of(cited, self._started_at, self._length)
            if citation is not None:
                found.append(Cited(citation))
        self._cited.clear()
        found.append(PartEnded())

    def _ending(self, said: dict[str, object], found: list[StreamEvent]) -> None:
        self._count(said)
        delta = said.get("delta")
        if type(delta) is not dict or delta.get("stop_reason") is None:
            return
        self._stop = stop_of(delta, has_calls=self._calls > 0)
        self._sequence = text_of(delta, "stop_sequence")
        refusal = refusal_of(delta)
        if self._stop is Stop.REFUSAL and refusal:
            found.append(RefusalDelta(refusal))

    def _count(self, holder: Mapping[str, object]) -> None:
        usage = holder.get("usage")
        if type(usage) is dict:
            self._counts = merged(self._counts, usage)

    def _broken(self, why: str) -> Failed:
        self._is_over = True
        return Failed(ProviderError(_BAD_GATEWAY, Fault.SERVER, why), self.usage)


def _index(said: Mapping[str, object]) -> int:
    """Of a block."""
    index = said.get("index")
    return index if type(index) is int else -1
