"""An HTTP/2 and gRPC server as a state machine: bytes in, services called, bytes out; no I/O.

The driver gives every chunk it reads to `receive`, then writes what `take` returns: the answers to
all messages of a chunk leave in one write.

RFC 9113; https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from extproc.edges.allowance import Allowance, MonotonicSeconds
from extproc.edges.calls import Outbox, ServerCall
from extproc.edges.frames import (
    ACK,
    CONTINUATION,
    DATA,
    DEFAULT_FRAME_BYTES,
    DEFAULT_TABLE_BYTES,
    DEFAULT_WINDOW,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADER,
    HEADER_BYTES,
    HEADERS,
    ID_MASK,
    LONG_READ_BYTES,
    MAX_FRAME_BYTES,
    MAX_WINDOW,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTING,
    SETTINGS,
    WINDOW_UPDATE,
    WITH_PRIORITY,
    WORD,
    ConnectionFailed,
    ErrorCode,
    Piece,
    Setting,
    StreamFailed,
    frame,
    frame_size,
    goaway,
    require_size,
    run,
    settings,
    unpadded,
    window_update,
)
from extproc.edges.headers import HeaderBlock, HeaderDecoder, check_trailers, response_error
from extproc.edges.messages import PREFIX_BYTES
from extproc.edges.service import Limits, Methods, Status

DRAIN_PING = b"dragoman"
SMALL_INCREMENT = 1_024  # smaller ones have a cheap frame answered with a dear one (data dribble)


class Connection:
    """One client's connection."""

    def __init__(
        self, methods: Methods, limits: Limits, clock: MonotonicSeconds, wake: Callable[[], None]
    ) -> None:
        self.outbox = Outbox(limits, wake, self._overfull)
        self.calls = self.outbox.calls
        self.is_ready = False
        """The client's preface and SETTINGS have come."""
        self._methods = methods
        self._limits = limits
        self._decoder = HeaderDecoder(limits)
        self._resets = Allowance(limits.resets_burst, limits.resets_per_second, clock)
        self._overhead = Allowance(limits.overhead_burst, limits.overhead_per_second, clock)
        self._rest = b""
        self._has_preface = False
        self._last_id = 0
        self._connection_window = max(limits.connection_window_bytes, DEFAULT_WINDOW + 1)
        self._receive_window = self._connection_window
        self._connection_floor = self._connection_window // 2
        self._stream_floor = limits.stream_window_bytes // 2
        self._whole_bytes = limits.message_bytes + PREFIX_BYTES
        self._initial_send_window = DEFAULT_WINDOW
        self._block: HeaderBlock | None = None
        self._is_failed = False
        self._is_leaving = False
        """No new streams: we drain, or the peer said GOAWAY."""
        self._is_draining = False
        self._readers = {
            HEADERS: self._on_headers,
            PRIORITY: self._on_priority,
            RST_STREAM: self._on_rst_stream,
            SETTINGS: self._on_settings,
            PUSH_PROMISE: self._on_push_promise,
            PING: self._on_ping,
            GOAWAY: self._on_goaway,
            WINDOW_UPDATE: self._on_window_update,
            CONTINUATION: self._on_continuation,
        }
        self.outbox.is_awake = True  # the driver takes the greeting
        self.outbox.pieces += (
            settings(
                (
                    (Setting.HEADER_TABLE_SIZE, 0),
                    (Setting.MAX_CONCURRENT_STREAMS, limits.concurrent_streams),
                    (Setting.INITIAL_WINDOW_SIZE, limits.stream_window_bytes),
                    (Setting.MAX_HEADER_LIST_SIZE, limits.header_bytes),
                )
            ),
            window_update(0, self._connection_window - DEFAULT_WINDOW),
        )

    @property
    def is_finished(self) -> bool:
        """Write what `take` still returns, then close."""
        return self._is_failed or (self._is_leaving and not self.calls)

    def take(self) -> bytes:
        return self.outbox.take()

    def receive(self, data: bytes) -> None:
        if self._is_failed:
            return
        self.outbox.is_awake = True
        try:
            start = 0
            if self._rest:
                data, start = self._complete_frame(data)
            if not self._has_preface:
                start = self._read_preface(data)
            self._rest = data[self._read_frames(data, start) :]
        except ConnectionFailed as failure:
            self._fail(failure.code, failure.reason)

    def _complete_frame(self, data: bytes) -> tuple[bytes, int]:
        """What is to be read, from where: much is not copied for the frame that it completes."""
        rest = self._rest
        if len(data) < LONG_READ_BYTES or not self._has_preface:
            return rest + data, 0
        left = frame_size(rest + data[:HEADER_BYTES]) - len(rest)
        self._rest = b""
        self._read_frames(rest + data[:left], 0)
        return data, len(data) if self._is_failed else left

    def lost(self) -> None:
        """The transport is gone."""
        self._is_failed = True
        self._close_calls()

    def drain(self) -> None:
        """Announce that no new streams are welcome; refuse them one round trip later."""
        if not self._is_draining and not self._is_failed:
            self._is_draining = True
            self.outbox.pieces += (
                goaway(ID_MASK, ErrorCode.NO_ERROR),
                frame(PING, 0, 0, DRAIN_PING),
            )
            self.outbox.notify()

    def _read_preface(self, data: bytes) -> int:
        if not PREFACE.startswith(data[: len(PREFACE)]):
            raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "not an HTTP/2 preface")
        if len(data) < len(PREFACE):
            return 0
        self._has_preface = True
        return len(PREFACE)

    def _read_frames(self, data: bytes, position: int) -> int:
        """How far the data was read; every complete frame."""
        if not self._has_preface:
            return 0
        size = len(data)
        unpack = HEADER.unpack_from
        while size - position >= HEADER_BYTES:
            high, low, kind, flags, stream_id = unpack(data, position)
            length = high << 16 | low
            if length > DEFAULT_FRAME_BYTES:
                raise ConnectionFailed(ErrorCode.FRAME_SIZE_ERROR, f"frame of {length} bytes")
            start = position + HEADER_BYTES
            position = start + length
            if position > size:
                return start - HEADER_BYTES
            if kind == DATA and self._block is None and self.is_ready:
                position = self._on_data(stream_id & ID_MASK, flags, data, start, position)
            else:
                self._read_other(kind, flags, stream_id & ID_MASK, data[start:position])
            if self._is_failed:
                return size
        return position

    def _read_other(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        if not self.is_ready:
            if kind != SETTINGS or flags & ACK:
                raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "SETTINGS must come first")
            self.is_ready = True
        if (kind == CONTINUATION) != (self._block is not None):
            reason = f"frame type {kind} inside or outside of a header block"
            raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, reason)
        reader = self._readers.get(kind)
        if reader is None:
            self._spend_overhead()
            return
        try:
            reader(flags, stream_id, payload)
        except StreamFailed as failure:
            self._reset(stream_id, failure.code)

    # DATA, the frame that matters

    def _on_data(self, stream_id: int, flags: int, data: bytes, start: int, end: int) -> int:
        """Read a frame, and behind a full one the rest of its run; where the next begins."""
        length, behind = end - start, end
        pieces: Sequence[Piece] = ()
        if length == DEFAULT_FRAME_BYTES and not flags:
            pieces, length, behind = run(data, start, end, stream_id)
        window = self._receive_window - length
        if window < self._connection_floor:
            # At half: so a read never takes the rest, and a negative window cannot be seen.
            self.outbox.pieces.append(window_update(0, self._connection_window - window))
            window = self._connection_window
        self._receive_window = window
        call = self.calls.get(stream_id)
        if call is None or call.is_half_closed:
            self._on_stray_data(stream_id, call)
            return behind
        window = call.receive_window - length
        if window < self._stream_floor:
            if window < 0:
                self._reset(stream_id, ErrorCode.FLOW_CONTROL_ERROR)
                return behind
            if not flags & END_STREAM:
                limit = self._limits.stream_window_bytes
                self.outbox.pieces.append(window_update(stream_id, limit - window))
                window = limit
        call.receive_window = window
        if flags & END_STREAM:
            call.is_half_closed = True
        if flags & PADDED:
            start, end = unpadded(data, start, end)
        if pieces:
            self._on_pieces(call, pieces, length)
        elif (
            PREFIX_BYTES <= end - start <= self._whole_bytes
            and not call.held_bytes
            and call.content_left is None
            and data[start] == 0
            and int.from_bytes(data[start + 1 : start + 5], "big") == end - start - PREFIX_BYTES
        ):
            if call.is_open:
                call.deliver(data[start + PREFIX_BYTES : end])
        elif end > start:
            self._on_pieces(call, (data[start:end],), end - start)
        elif not flags & END_STREAM:
            self._spend_overhead()
        if flags & END_STREAM:
            self._on_end_stream(call)
        return behind

    def _on_pieces(self, call: ServerCall, pieces: Sequence[Piece], length: int) -> None:
        """A message that does not fill its frame exactly."""
        if call.content_left is not None:
            call.content_left -= length
            if call.content_left < 0:
                call.content_left = None
                self._reset(call.id, ErrorCode.PROTOCOL_ERROR)
                return
        if call.is_open:
            call.receive(pieces, length)

    def _on_end_stream(self, call: ServerCall) -> None:
        if call.content_left:
            self._reset(call.id, ErrorCode.PROTOCOL_ERROR)
            return
        call.half_close()

    def _on_stray_data(self, stream_id: int, call: ServerCall | None) -> None:
        """DATA that no stream expects (RFC 9113 section 5.1)."""
        if call is None:
            self._refuse_idle(stream_id)
            if stream_id in self.outbox.reset_ids:
                return
        self._reset(stream_id, ErrorCode.STREAM_CLOSED)

    # Header blocks

    def _on_headers(self, flags: int, stream_id: int, payload: bytes) -> None:
        if not stream_id & 1:
            raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, f"HEADERS on stream {stream_id}")
        start, end = 0, len(payload)
        if flags & PADDED:
            start, end = unpadded(payload, start, end)
        if flags & WITH_PRIORITY:
            start += 5
            if start > end:
                raise ConnectionFailed(ErrorCode.FRAME_SIZE_ERROR, "HEADERS without its priority")
        fragment = payload[start:end]
        if flags & END_HEADERS:
            self._on_header_block(stream_id, fragment, bool(flags & END_STREAM))
        else:
            self._block = HeaderBlock(
                stream_id, bool(flags & END_STREAM), [fragment], len(fragment)
            )

    def _on_continuation(self, flags: int, stream_id: int, payload: bytes) -> None:
        block = self._block
        if block is None or block.stream_id != stream_id:
            raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "CONTINUATION of another stream")
        if not payload:
            self._spend_overhead()
        block.add(payload)
        if block.size > self._limits.header_bytes:
            raise ConnectionFailed(ErrorCode.ENHANCE_YOUR_CALM, "header block too large")
        if flags & END_HEADERS:
            self._block = None
            self._on_header_block(stream_id, b"".join(block.fragments), block.is_end_stream)

    def _on_header_block(self, stream_id: int, block: bytes, is_end_stream: bool) -> None:
        if stream_id > self._last_id:
            self._last_id = stream_id
            self._on_request(stream_id, block, is_end_stream)
            return
        fields = self._decoder.trailers(block)
        call = self.calls.get(stream_id)
        if call is None:
            if stream_id in self.outbox.reset_ids:
                return
            raise ConnectionFailed(ErrorCode.STREAM_CLOSED, f"HEADERS on closed {stream_id}")
        if call.is_half_closed:
            raise StreamFailed(ErrorCode.STREAM_CLOSED, "HEADERS after the end")
        if not is_end_stream:
            raise StreamFailed(ErrorCode.PROTOCOL_ERROR, "trailers that are not the end")
        check_trailers(fields)
        self._on_end_stream(call)

    def _on_request(self, stream_id: int, block: bytes, is_end_stream: bool) -> None:
        request = self._decoder.request(block)
        if self._is_leaving or len(self.calls) >= self._limits.concurrent_streams:
            raise StreamFailed(ErrorCode.REFUSED_STREAM, "no more streams")
        refusal = request.refusal
        factory = self._methods.get(request.path)
        if refusal is None and factory is None:
            refusal = response_error(Status.UNIMPLEMENTED, f"unknown method {request.path}")
        if refusal is not None or factory is None:
            self.outbox.headers(stream_id, refusal or b"", END_STREAM)
            if not is_end_stream:
                self._reset(stream_id, ErrorCode.NO_ERROR)
            return
        call = ServerCall(stream_id, self.outbox, self._initial_send_window, request.metadata)
        call.content_left = request.content_length
        self.calls[stream_id] = call
        call.start(factory)
        if is_end_stream:
            self._on_end_stream(call)

    # The other frames, by type

    def _on_priority(self, flags: int, stream_id: int, payload: bytes) -> None:
        if not stream_id:
            raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "PRIORITY on stream 0")
        self._spend_overhead()
        if len(payload) != 5:
            raise StreamFailed(ErrorCode.FRAME_SIZE_ERROR, "PRIORITY")

    def _on_rst_stream(self, flags: int, stream_id: int, payload: bytes) -> None:
        require_size(payload, 4, "RST_STREAM")
        self._refuse_idle(stream_id)
        call = self.calls.get(stream_id)
        if call is not None:
            if not call.is_answered:  # Envoy ends every call that it needs no longer by a reset
                self._spend_reset()
            call.close()

    def _on_settings(self, flags: int, stream_id: int, payload: bytes) -> None:
        if stream_id:
            raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "SETTINGS on a stream")
        if flags & ACK:
            require_size(payload, 0, "SETTINGS ACK")
            self._decoder.forbid_table()
            return
        if len(payload) % SETTING.size:
            raise ConnectionFailed(ErrorCode.FRAME_SIZE_ERROR, "SETTINGS")
        self._spend_overhead()
        for key, value in SETTING.iter_unpack(payload):
            self._apply(key, value)
        self.outbox.pieces.append(frame(SETTINGS, ACK, 0))

    def _apply(self, key: int, value: int) -> None:
        if key == Setting.INITIAL_WINDOW_SIZE:
            if value > MAX_WINDOW:
                raise ConnectionFailed(ErrorCode.FLOW_CONTROL_ERROR, "initial window too large")
            change = value - self._initial_send_window
            self._initial_send_window = value
            for call in tuple(self.calls.values()):
                self._widen(call, change)
        elif key == Setting.MAX_FRAME_SIZE:
            if not DEFAULT_FRAME_BYTES <= value <= MAX_FRAME_BYTES:
                raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, f"maximum frame size {value}")
            self.outbox.frame_bytes = value
        elif key == Setting.ENABLE_PUSH and value > 1:
            raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, f"enable push {value}")
        elif key == Setting.HEADER_TABLE_SIZE and value < DEFAULT_TABLE_BYTES:
            self.outbox.owes_table_size = True

    def _on_push_promise(self, flags: int, stream_id: int, payload: bytes) -> None:
        raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "PUSH_PROMISE from a client")

    def _on_ping(self, flags: int, stream_id: int, payload: bytes) -> None:
        if stream_id:
            raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "PING on a stream")
        require_size(payload, 8, "PING")
        self._spend_overhead()
        if not flags & ACK:
            self.outbox.pieces.append(frame(PING, ACK, 0, payload))
        elif payload == DRAIN_PING and self._is_draining and not self._is_leaving:
            self._leave()

    def _on_goaway(self, flags: int, stream_id: int, payload: bytes) -> None:
        if stream_id:
            raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "GOAWAY on a stream")
        if len(payload) < 8:
            raise ConnectionFailed(ErrorCode.FRAME_SIZE_ERROR, "GOAWAY")
        if not self._is_leaving:
            self._leave()

    def _on_window_update(self, flags: int, stream_id: int, payload: bytes) -> None:
        require_size(payload, 4, "WINDOW_UPDATE")
        increment = WORD.unpack(payload)[0] & ID_MASK
        outbox = self.outbox
        if increment < SMALL_INCREMENT and outbox.queued_bytes:
            self._spend_overhead()
        if stream_id:
            self._refuse_idle(stream_id)
            if not increment:
                raise StreamFailed(ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE of nothing")
            call = self.calls.get(stream_id)
            if call is not None and not self._widen(call, increment):
                raise StreamFailed(ErrorCode.FLOW_CONTROL_ERROR, "stream window overflow")
            return
        if not increment:
            raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE of nothing")
        outbox.window += increment
        if outbox.window > MAX_WINDOW:
            raise ConnectionFailed(ErrorCode.FLOW_CONTROL_ERROR, "connection window overflow")

    def _widen(self, call: ServerCall, change: int) -> bool:
        """False: more than a window can hold."""
        call.send_window += change
        if call.send_window > MAX_WINDOW:
            return False
        if call.send_window > 0 and call.has_queue:
            self.outbox.mark_ready(call)
        return True

    # Endings

    def _refuse_idle(self, stream_id: int) -> None:
        if stream_id > self._last_id or not stream_id & 1:
            raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, f"frame on idle stream {stream_id}")

    def _reset(self, stream_id: int, code: ErrorCode) -> None:
        """The peer made us reset: that counts as if it had done so itself."""
        self._spend_reset()
        call = self.calls.get(stream_id)
        if call is None:
            self.outbox.reset(stream_id, code)
        else:
            call.reset(code)

    def _spend_reset(self) -> None:
        if not self._resets.take():
            raise ConnectionFailed(ErrorCode.ENHANCE_YOUR_CALM, "too many resets")

    def _spend_overhead(self) -> None:
        if not self._overhead.take():
            raise ConnectionFailed(ErrorCode.ENHANCE_YOUR_CALM, "too many frames of no use")

    def _leave(self) -> None:
        self._is_leaving = True
        self.outbox.pieces.append(goaway(self._last_id, ErrorCode.NO_ERROR))
        self.outbox.notify()

    def _overfull(self) -> None:
        self._fail(ErrorCode.ENHANCE_YOUR_CALM, "answers are not read")

    def _fail(self, code: ErrorCode, reason: str) -> None:
        if self._is_failed:
            return
        self._is_failed = True
        self.outbox.pieces.append(goaway(self._last_id, code, reason))
        self.outbox.notify()
        self._close_calls()

    def _close_calls(self) -> None:
        for call in tuple(self.calls.values()):
            call.close()
