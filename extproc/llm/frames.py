"""The events of streams as their bytes frame them, read and written again, whatever they say."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from extproc.llm.dialect import UnreadableAnswer
from extproc.protocols import event_stream, json_spans, sse
from extproc.protocols.event_stream import BrokenMessage, Header, Message, MessageDecoder
from extproc.protocols.json_spans import InvalidJson
from extproc.protocols.sse import EventTooLarge, SseDecoder

LARGEST_ITEM_BYTES = 32 << 20


class Frame(Struct, frozen=True):
    """One event."""

    data: bytes
    """What it says, in JSON nearly always."""
    name: str = ""
    headers: tuple[tuple[str, Header], ...] = ()


class Frames(Protocol):
    """Reads and writes one stream."""

    def feed(self, data: bytes, *, is_end: bool) -> Sequence[Frame]:
        """The events that these bytes complete. Raises `UnreadableAnswer`."""

    def said(self, frame: Frame) -> bytes:
        """The event on the wire."""


class SseFrames:
    """Server-sent events."""

    __slots__ = ("_decoder",)

    def __init__(self) -> None:
        self._decoder = SseDecoder()

    def feed(self, data: bytes, *, is_end: bool) -> Sequence[Frame]:
        try:
            events = self._decoder.feed(data)
            if is_end:
                events = events + self._decoder.end()
        except EventTooLarge as error:
            raise UnreadableAnswer(str(error)) from None
        return [Frame(event.data, event.name) for event in events]

    def said(self, frame: Frame) -> bytes:
        data = frame.data
        if b"\n" in data:
            data = data.replace(b"\n", b"\ndata: ")
        return sse.encode(data, frame.name)


class MessageFrames:
    """AWS events."""

    __slots__ = ("_decoder",)

    def __init__(self) -> None:
        self._decoder = MessageDecoder()

    def feed(self, data: bytes, *, is_end: bool) -> Sequence[Frame]:
        try:
            return [self._read(message) for message in self._decoder.feed(data)]
        except BrokenMessage as error:
            raise UnreadableAnswer(str(error)) from None

    def said(self, frame: Frame) -> bytes:
        return event_stream.encode(Message(dict(frame.headers), frame.data))

    def _read(self, message: Message) -> Frame:
        return Frame(message.payload, message.text(":event-type"), tuple(message.headers.items()))


class ChunkFrames(MessageFrames):
    """The events of a model's own stream within AWS events: InvokeModelWithResponseStream."""

    __slots__ = ()

    def said(self, frame: Frame) -> bytes:
        if frame.name != "chunk":
            return super().said(frame)
        held = {"bytes": base64.b64encode(frame.data).decode()}
        return super().said(replace(frame, data=json_spans.encode(held)))

    def _read(self, message: Message) -> Frame:
        frame = super()._read(message)
        if frame.name != "chunk":
            return frame
        try:
            held = json_spans.decode(frame.data).get("bytes")
            data = base64.b64decode(held, validate=True) if isinstance(held, str) else b""
        except (InvalidJson, binascii.Error) as error:
            raise UnreadableAnswer(str(error)) from None
        return replace(frame, data=data)


class ArrayFrames:
    """The items of one JSON array: Gemini's streams without `alt=sse`."""

    __slots__ = ("_depth", "_is_begun", "_is_escaped", "_is_inside", "_item")

    def __init__(self) -> None:
        self._item = bytearray()
        self._depth = 0
        self._is_inside = False
        """In a string."""
        self._is_escaped = False
        self._is_begun = False

    def feed(self, data: bytes, *, is_end: bool) -> Sequence[Frame]:
        found: list[Frame] = []
        for byte in data:
            if not self._depth:
                if byte == 0x7B:  # {
                    self._depth = 1
                    self._item.append(byte)
                elif byte not in b"[], \t\r\n":
                    raise UnreadableAnswer("an array with something else than objects in it")
                continue
            self._item.append(byte)
            if self._is_escaped:
                self._is_escaped = False
            elif self._is_inside:
                self._is_escaped = byte == 0x5C
                self._is_inside = byte != 0x22
            elif byte == 0x22:
                self._is_inside = True
            elif byte in b"{[":
                self._depth += 1
            elif byte in b"}]":
                self._depth -= 1
                if not self._depth:
                    found.append(Frame(bytes(self._item)))
                    self._item.clear()
        if len(self._item) > LARGEST_ITEM_BYTES:
            raise UnreadableAnswer(f"an item of more than {LARGEST_ITEM_BYTES} bytes")
        if is_end:
            if self._depth:
                raise UnreadableAnswer("an array that ends in the midst of an item")
            found.append(Frame(b""))
        return found

    def said(self, frame: Frame) -> bytes:
        if not frame.data:
            return b"]" if self._is_begun else b"[]"
        before = b",\n" if self._is_begun else b"["
        self._is_begun = True
        return before + frame.data
