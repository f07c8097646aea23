"""One end of an HTTP/2 connection, client or server: bytes in, streams told, bytes out; no I/O.

For one peer that we trust, Envoy, and thousands of streams that say little: the hub of MCP. The
edge that Envoy calls for each request (`extproc.edges.http2`) knows gRPC alone, and is faster.

RFC 9113.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from extproc.edges.fields import Field, FieldDecoder, HeadersTooLarge
from extproc.edges.frames import (
    ACK,
    CONTINUATION,
    DATA,
    DEFAULT_FRAME_BYTES,
    DEFAULT_WINDOW,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADER,
    HEADER_BYTES,
    HEADERS,
    ID_MASK,
    MAX_WINDOW,
    PADDED,
    PING,
    PREFACE,
    PUSH_PROMISE,
    RST_STREAM,
    SETTING,
    SETTINGS,
    WINDOW_UPDATE,
    WITH_PRIORITY,
    WORD,
    ConnectionFailed,
    ErrorCode,
    Setting,
    frame,
    goaway,
    require_size,
    rst_stream,
    settings,
    unpadded,
    window_update,
)
from extproc.edges.headers import SHRINK_TABLE
from extproc.edges.stream import STREAM_WINDOW, Ear, Fields, Stream

CONNECTION_WINDOW: Final = 16 << 20
MOST_STREAMS: Final = 1_000
"""Of one connection; Envoy opens another for more."""
HEADER_LIST_BYTES: Final = 256 << 10
_NEVER_INDEXED: Final = b"\x10"
_UNKNOWN_MOST: Final = MOST_STREAMS
_MARK: Final = 0x7F

Accept: TypeAlias = Callable[[Stream], Ear]


class Peer:
    """The state of a connection."""

    def __init__(self, wake: Callable[[], None], accept: Accept | None = None) -> None:
        """`wake`: there is something to take; `accept` tells who hears a request, at a server."""
        self.streams: dict[int, Stream] = {}
        self.send_window = DEFAULT_WINDOW
        self.is_paused = False
        """The transport takes no more data."""
        self.is_leaving = False
        """There will be no new streams."""
        self._is_failed = False
        self._accept = accept
        self._wake = wake
        self._is_awake = True  # the driver takes the greeting
        self._pieces: list[bytes] = []
        self._waiting: deque[Stream] = deque()
        self._rest = b""
        self._preface = b"" if accept is None else PREFACE
        """What is still to come of it."""
        self._decoder = FieldDecoder(HEADER_LIST_BYTES)
        self._block: tuple[int, int, bytearray] | None = None
        """A header block that goes on: its stream, flags, and bytes."""
        self._receive_window = CONNECTION_WINDOW
        self._initial_send_window = DEFAULT_WINDOW
        self._most_streams = _UNKNOWN_MOST
        self._owes_table_size = True
        self._last_id = -1 if accept is None else 0
        """The last stream that was opened."""
        self._readers: dict[int, Callable[[int, int, bytes], None]] = {
            DATA: self._on_data,
            HEADERS: self._on_headers,
            RST_STREAM: self._on_reset,
            SETTINGS: self._on_settings,
            PUSH_PROMISE: self._on_push_promise,
            PING: self._on_ping,
            GOAWAY: self._on_goaway,
            WINDOW_UPDATE: self._on_window_update,
            CONTINUATION: self._on_continuation,
        }
        self._greet()

    def _greet(self) -> None:
        said = [
            (Setting.HEADER_TABLE_SIZE, 0),
            (Setting.MAX_CONCURRENT_STREAMS, MOST_STREAMS),
            (Setting.INITIAL_WINDOW_SIZE, STREAM_WINDOW),
            (Setting.MAX_HEADER_LIST_SIZE, HEADER_LIST_BYTES),
        ]
        if self._accept is None:
            self._pieces.append(PREFACE)
            said[1] = (Setting.ENABLE_PUSH, 0)
        self._pieces.append(settings(tuple(said)))
        self._pieces.append(window_update(0, CONNECTION_WINDOW - DEFAULT_WINDOW))

    # What the owner does

    @property
    def room(self) -> int:
        """How many more streams a client may open."""
        return 0 if self.is_leaving else self._most_streams - len(self.streams)

    @property
    def is_finished(self) -> bool:
        """Write what `take` still returns, then close."""
        return self._is_failed or (self.is_leaving and not self.streams)

    def open(self, fields: Fields, body: bytes, ear: Ear) -> Stream:
        """A request; there has to be room for it."""
        self._last_id += 2
        stream = Stream(self._last_id, self, self._initial_send_window)
        stream.ear = ear
        self.streams[stream.id] = stream
        stream.head(fields, is_end=not body)
        stream.write(body)
        stream.end()
        return stream

    def take(self) -> bytes:
        """The next bytes for the transport."""
        data = b"".join(self._pieces)
        self._pieces.clear()
        self._is_awake = False
        return data

    def resume(self) -> None:
        """The transport takes data again."""
        self.is_paused = False
        self._pump()

    def leave(self) -> None:
        """No new streams; those that there are go on."""
        if not self.is_leaving:
            self.is_leaving = True
            self.put(goaway(max(self._last_id, 0), ErrorCode.NO_ERROR))

    def lost(self, why: str) -> None:
        """The transport is gone."""
        self._is_failed = self.is_leaving = True
        for stream in tuple(self.streams.values()):
            stream.broke(why)

    # What streams do

    def put(self, data: bytes) -> None:
        self._pieces.append(data)
        if not self._is_awake:
            self._is_awake = True
            self._wake()

    def put_head(self, stream: Stream, fields: Fields, flags: int) -> None:
        block = encoded(fields)
        if self._owes_table_size:
            self._owes_table_size = False
            block = SHRINK_TABLE + block
        kind, start = HEADERS, 0
        while len(block) - start > DEFAULT_FRAME_BYTES:
            self.put(frame(kind, flags, stream.id, block[start : start + DEFAULT_FRAME_BYTES]))
            kind, flags, start = CONTINUATION, 0, start + DEFAULT_FRAME_BYTES
        self.put(frame(kind, flags | END_HEADERS, stream.id, block[start:]))

    def queue_up(self, stream: Stream) -> None:
        if not stream.is_queued_up:
            stream.is_queued_up = True
            self._waiting.append(stream)

    def forget(self, stream: Stream) -> None:
        self.streams.pop(stream.id, None)

    def _pump(self) -> None:
        waiting = self._waiting
        while waiting and self.send_window > 0 and not self.is_paused:
            stream = waiting.popleft()
            stream.is_queued_up = False
            if stream.queued_bytes and stream.send_window > 0:
                stream.send_frame()
                if stream.queued_bytes and stream.send_window > 0:
                    self.queue_up(stream)

    # What the peer says

    def receive(self, data: bytes) -> None:
        """Bytes of the transport, cut anywhere; then `take`."""
        if self._is_failed:
            return
        self._is_awake = True  # the driver takes what there is
        try:
            self._read(data)
        except ConnectionFailed as failure:
            self.put(goaway(max(self._last_id, 0), failure.code, failure.reason))
            self.lost(f"HTTP/2: {failure.reason}")

    def _read(self, data: bytes) -> None:
        if self._preface:
            size = min(len(self._preface), len(data))
            if data[:size] != self._preface[:size]:
                raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "not an HTTP/2 preface")
            self._preface, data = self._preface[size:], data[size:]
        data = self._rest + data
        position, size = 0, len(data)
        while size - position >= HEADER_BYTES:
            high, low, kind, flags, stream_id = HEADER.unpack_from(data, position)
            length = high << 16 | low
            if length > DEFAULT_FRAME_BYTES:
                raise ConnectionFailed(ErrorCode.FRAME_SIZE_ERROR, f"frame of {length} bytes")
            start = position + HEADER_BYTES
            if start + length > size:
                break
            position = start + length
            self._on_frame(kind, flags, stream_id & ID_MASK, data[start:position])
        self._rest = data[position:]

    def _on_frame(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        if (kind == CONTINUATION) != (self._block is not None):
            raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "a header block that is broken up")
        reader = self._readers.get(kind)  # of others, nothing need be known
        if reader is not None:
            reader(flags, stream_id, payload)

    def _on_data(self, flags: int, stream_id: int, payload: bytes) -> None:
        length = len(payload)
        self._receive_window -= length
        if self._receive_window < CONNECTION_WINDOW // 2:
            self.put(window_update(0, CONNECTION_WINDOW - self._receive_window))
            self._receive_window = CONNECTION_WINDOW
        stream = self._known(stream_id)
        if stream is None or stream.ear is None:
            return
        stream.receive_window -= length
        if stream.receive_window < 0 or stream.is_remote_ended:
            self._refuse(stream, ErrorCode.FLOW_CONTROL_ERROR)
            return
        if flags & PADDED:
            start, end = unpadded(payload, 0, length)
            payload = payload[start:end]
            stream.consumed(length - len(payload))
        if payload:
            stream.ear.received(payload)
        if flags & END_STREAM:
            self._ended(stream)

    def _on_headers(self, flags: int, stream_id: int, payload: bytes) -> None:
        start, end = 0, len(payload)
        if flags & PADDED:
            start, end = unpadded(payload, start, end)
        if flags & WITH_PRIORITY:
            start += 5
        self._block = (stream_id, flags, bytearray(payload[start:end]))
        if flags & END_HEADERS:
            self._on_block()

    def _on_continuation(self, flags: int, stream_id: int, payload: bytes) -> None:
        assert self._block is not None
        if self._block[0] != stream_id:
            raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "CONTINUATION of another stream")
        block = self._block[2]
        block += payload
        if len(block) > HEADER_LIST_BYTES:
            raise ConnectionFailed(ErrorCode.ENHANCE_YOUR_CALM, "a header block too large")
        if flags & END_HEADERS:
            self._on_block()

    def _on_block(self) -> None:
        assert self._block is not None
        stream_id, flags, block = self._block
        self._block = None
        try:
            fields = self._decoder.decode(bytes(block))
        except HeadersTooLarge:
            raise ConnectionFailed(ErrorCode.ENHANCE_YOUR_CALM, "too large headers") from None
        is_new = self._accept is not None and stream_id > self._last_id
        stream = self._accepted(stream_id) if is_new else self._known(stream_id)
        if stream is None or stream.ear is None:
            return
        if is_malformed(fields):
            self._refuse(stream, ErrorCode.PROTOCOL_ERROR)
            return
        said = [(each.name, each.value) for each in fields]
        is_informational = said[:1] and said[0][0] == ":status" and said[0][1].startswith("1")
        if said[:1] and said[0][0].startswith(":") and not is_informational:
            stream.ear.headed(said)
        if flags & END_STREAM:
            self._ended(stream)

    def _ended(self, stream: Stream) -> None:
        """The peer has said all; of an answer that came before its request was sent, the rest of
        the request is not wanted (RFC 9113 section 8.1)."""
        ear = stream.ear
        stream.remote_ended()
        if self._accept is None and not stream.is_sent:
            stream.reset(ErrorCode.NO_ERROR)
        if ear is not None:
            ear.ended()

    def _accepted(self, stream_id: int) -> Stream | None:
        if not stream_id & 1:
            raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, f"a request on stream {stream_id}")
        self._last_id = stream_id
        if self.is_leaving or len(self.streams) >= MOST_STREAMS or self._accept is None:
            self.put(rst_stream(stream_id, ErrorCode.REFUSED_STREAM))
            return None
        stream = self.streams[stream_id] = Stream(stream_id, self, self._initial_send_window)
        stream.ear = self._accept(stream)
        return stream

    def _known(self, stream_id: int) -> Stream | None:
        """None: it is over; what was on its way then is nothing."""
        if stream_id > self._last_id or not stream_id & 1:
            raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, f"idle stream {stream_id}")
        return self.streams.get(stream_id)

    def _refuse(self, stream: Stream, code: ErrorCode) -> None:
        self.put(rst_stream(stream.id, code))
        stream.broke(f"HTTP/2: {code.name}")

    def _on_reset(self, flags: int, stream_id: int, payload: bytes) -> None:
        require_size(payload, 4, "RST_STREAM")
        stream = self._known(stream_id)
        if stream is not None:
            code = WORD.unpack(payload)[0]
            stream.broke(f"reset, {code}", is_unseen=code == ErrorCode.REFUSED_STREAM)

    def _on_settings(self, flags: int, stream_id: int, payload: bytes) -> None:
        if flags & ACK:
            self._decoder.forbid_table()
            return
        if len(payload) % SETTING.size:
            raise ConnectionFailed(ErrorCode.FRAME_SIZE_ERROR, "SETTINGS")
        for key, value in SETTING.iter_unpack(payload):
            if key == Setting.INITIAL_WINDOW_SIZE:
                self._widen_all(value)
            elif key == Setting.MAX_CONCURRENT_STREAMS:
                self._most_streams = value
            elif key == Setting.HEADER_TABLE_SIZE:
                self._owes_table_size = True
        self.put(frame(SETTINGS, ACK, 0))

    def _widen_all(self, window: int) -> None:
        if window > MAX_WINDOW:
            raise ConnectionFailed(ErrorCode.FLOW_CONTROL_ERROR, "initial window too large")
        change = window - self._initial_send_window
        self._initial_send_window = window
        for stream in tuple(self.streams.values()):
            stream.send_window += change
            stream.pump()

    def _on_push_promise(self, flags: int, stream_id: int, payload: bytes) -> None:
        raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "PUSH_PROMISE was not allowed")

    def _on_ping(self, flags: int, stream_id: int, payload: bytes) -> None:
        require_size(payload, 8, "PING")
        if not flags & ACK:
            self.put(frame(PING, ACK, 0, payload))

    def _on_goaway(self, flags: int, stream_id: int, payload: bytes) -> None:
        if len(payload) < 8:
            raise ConnectionFailed(ErrorCode.FRAME_SIZE_ERROR, "GOAWAY")
        self.is_leaving = True
        last = WORD.unpack_from(payload)[0] & ID_MASK
        if self._accept is None:
            for stream in tuple(self.streams.values()):
                if stream.id > last:
                    stream.broke("the connection is closed", is_unseen=True)

    def _on_window_update(self, flags: int, stream_id: int, payload: bytes) -> None:
        require_size(payload, 4, "WINDOW_UPDATE")
        increment = WORD.unpack(payload)[0] & ID_MASK
        if not stream_id:
            self.send_window += increment
            if self.send_window > MAX_WINDOW:
                raise ConnectionFailed(ErrorCode.FLOW_CONTROL_ERROR, "a window too large")
            self._pump()
            return
        stream = self._known(stream_id)
        if stream is not None:
            stream.send_window += increment
            stream.pump()


def is_malformed(fields: list[Field]) -> bool:
    """RFC 9113, section 8.1.1, as far as it concerns us: what HTTP/1.1 could not say either."""
    return any(each.fault is not None for each in fields)


def encoded(fields: Fields) -> bytes:
    """A header block without tables: literals that are never indexed (RFC 7541 section 6.2.3)."""
    return b"".join(_literals(fields))


def _literals(fields: Fields) -> Iterator[bytes]:
    for name, value in fields:
        yield _NEVER_INDEXED
        for text in (name.encode("latin-1"), value.encode("latin-1")):
            yield _length(len(text))
            yield text


def _length(size: int) -> bytes:
    """An integer with a prefix of seven bits (RFC 7541 section 5.1)."""
    if size < _MARK:
        return bytes((size,))
    said, size = bytearray((_MARK,)), size - _MARK
    while size >= 0x80:
        said.append(size & _MARK | 0x80)
        size >>= 7
    said.append(size)
    return bytes(said)
