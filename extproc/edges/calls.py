"""The sending half of the HTTP/2 edge: one RPC's state, and what waits for the peer's windows.

Small answers to a peer that reads are written straight away; everything else queues per stream,
bounded, and leaves frame by frame in turn.
"""

from __future__ import annotations

import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence

from extproc.edges.frames import (
    DATA,
    DATA_AND_PREFIX,
    DEFAULT_FRAME_BYTES,
    DEFAULT_WINDOW,
    END_HEADERS,
    END_STREAM,
    HEADER,
    HEADERS,
    ErrorCode,
    Piece,
    frame,
    rst_stream,
)
from extproc.edges.headers import RESPONSE_OK, SHRINK_TABLE, TRAILERS_OK, trailers
from extproc.edges.messages import PREFIX_BYTES, Assembler, MessageRefused
from extproc.edges.service import Call, Limits, Status, Stream

logger = logging.getLogger(__name__)

RESPONSE_START = frame(HEADERS, END_HEADERS, 0, RESPONSE_OK)[:5]
TRAILERS_START = frame(HEADERS, END_HEADERS | END_STREAM, 0, TRAILERS_OK)[:5]
REMEMBERED_RESETS = 4_096
BATCH_BYTES = 256 << 10
"""Of queued data for one `take`, so that the transport can say stop."""


class Outbox:
    """What goes to the peer, and what must wait; owned by one connection."""

    __slots__ = (
        "calls",
        "frame_bytes",
        "held_bytes",
        "is_awake",
        "is_paused",
        "limits",
        "on_overfull",
        "owes_table_size",
        "pieces",
        "queued_bytes",
        "ready",
        "reset_ids",
        "wake",
        "window",
    )

    def __init__(
        self, limits: Limits, wake: Callable[[], None], on_overfull: Callable[[], None]
    ) -> None:
        self.limits = limits
        self.wake = wake
        self.on_overfull = on_overfull
        self.calls: dict[int, ServerCall] = {}
        self.pieces: list[bytes | memoryview] = []
        self.ready: deque[ServerCall] = deque()
        self.reset_ids: OrderedDict[int, None] = OrderedDict()
        """Reset by us lately: frames that the peer had already sent for them are no error."""
        self.window = DEFAULT_WINDOW
        self.frame_bytes = DEFAULT_FRAME_BYTES
        self.queued_bytes = 0
        self.held_bytes = 0
        """Of messages that are still incomplete."""
        self.is_paused = False
        """The transport asked us to stop; only control frames pass."""
        self.is_awake = False
        """Somebody will call `take` without being woken."""
        self.owes_table_size = False

    def take(self) -> bytes:
        """The next bytes for the transport; empty: nothing more for now."""
        if self.ready and not self.is_paused:
            self._pump()
        pieces = self.pieces
        if not pieces:
            self.is_awake = False
            return b""
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        return bytes(data)

    def headers(self, stream_id: int, block: bytes, flags: int) -> None:
        if self.owes_table_size:
            self.owes_table_size = False
            block = SHRINK_TABLE + block
        self.pieces.append(frame(HEADERS, END_HEADERS | flags, stream_id, block))
        self.notify()

    def reset(self, stream_id: int, code: ErrorCode) -> None:
        self.pieces.append(rst_stream(stream_id, code))
        self.reset_ids[stream_id] = None
        if len(self.reset_ids) > REMEMBERED_RESETS:
            self.reset_ids.popitem(last=False)
        self.notify()

    def notify(self) -> None:
        if not self.is_awake:
            self.is_awake = True
            self.wake()

    def _pump(self) -> None:
        ready = self.ready
        budget = BATCH_BYTES
        while ready and self.window > 0 and budget > 0:
            call = ready.popleft()
            call.is_ready = False
            budget -= call.send_queued_frame()
            if call.has_queue and call.send_window > 0:
                self.mark_ready(call)

    def mark_ready(self, call: ServerCall) -> None:
        if not call.is_ready:
            call.is_ready = True
            self.ready.append(call)


class ServerCall:
    """One RPC: the `Call` that its service holds, and the stream's state (RFC 9113 section 5)."""

    __slots__ = (
        "_assembler",
        "_is_closed",
        "_is_started",
        "_queue",
        "_queued_bytes",
        "_trailers",
        "content_left",
        "held_bytes",
        "id",
        "is_half_closed",
        "is_open",
        "is_ready",
        "metadata",
        "outbox",
        "receive_window",
        "send_window",
        "stream",
    )  # fmt: skip

    def __init__(
        self, stream_id: int, outbox: Outbox, send_window: int, metadata: Mapping[str, str]
    ) -> None:
        self.id = stream_id
        self.outbox = outbox
        self.metadata = metadata
        self.send_window = send_window
        self.receive_window = outbox.limits.stream_window_bytes
        self.stream: Stream | None = None
        self.held_bytes = 0
        """Of a message that is still incomplete."""
        self.content_left: int | None = None
        """Of the content-length that the client announced."""
        self.is_open = True
        self.is_half_closed = False
        """The client has ended its side."""
        self.is_ready = False
        self._is_started = False
        self._is_closed = False
        self._assembler: Assembler | None = None
        self._queue: deque[memoryview] | None = None
        self._queued_bytes = 0
        self._trailers: bytes | None = None

    def send(self, message: bytes) -> None:
        if not self.is_open:
            return
        outbox = self.outbox
        length = len(message)
        size = length + PREFIX_BYTES
        if size > self.send_window or size > outbox.window or self._queue or outbox.is_paused:
            self._enqueue(message)
            return
        if size > outbox.frame_bytes:
            self._send_in_frames(message)
            return
        self.send_window -= size
        outbox.window -= size
        if not self._is_started:
            self._start()
        head = DATA_AND_PREFIX.pack(size >> 16, size & 0xFFFF, DATA, 0, self.id, 0, length)
        outbox.pieces += (head, message)
        if not outbox.is_awake:
            outbox.notify()

    def _send_in_frames(self, message: bytes) -> None:
        """One that the windows have room for, at once, if it is not too long for one `take`."""
        outbox = self.outbox
        size = len(message) + PREFIX_BYTES
        if size > BATCH_BYTES or outbox.ready:
            self._enqueue(message)
            return
        self.send_window -= size
        outbox.window -= size
        if not self._is_started:
            self._start()
        most, pieces, pack, view = (
            outbox.frame_bytes,
            outbox.pieces,
            HEADER.pack,
            memoryview(message),
        )
        pieces += (
            DATA_AND_PREFIX.pack(most >> 16, most & 0xFFFF, DATA, 0, self.id, 0, len(message)),
            view[: most - PREFIX_BYTES],
        )
        for start in range(most - PREFIX_BYTES, len(message), most):
            length = min(most, len(message) - start)
            head = pack(length >> 16, length & 0xFFFF, DATA, 0, self.id)
            pieces += (head, view[start : start + length])
        outbox.notify()

    def end(self, status: int = 0, message: str = "") -> None:
        if not self.is_open:
            return
        self.is_open = False
        block = TRAILERS_OK if status == 0 and not message else trailers(status, message)
        if self._queue:
            self._trailers = block
        else:
            self._finish(block)

    def reset(self, code: ErrorCode) -> None:
        """End the RPC from our side without an answer."""
        self.outbox.reset(self.id, code)
        self.close()

    def close(self) -> None:
        """Forget the RPC, whatever ended it, and tell its service once."""
        if self._is_closed:
            return
        self._is_closed = True
        self.is_open = False
        outbox = self.outbox
        outbox.calls.pop(self.id, None)
        outbox.queued_bytes -= self._queued_bytes
        outbox.held_bytes -= self.held_bytes
        self.held_bytes = 0
        self._queued_bytes = 0
        self._queue = None
        self._trailers = None
        self._assembler = None
        self._tell_closed()

    def start(self, factory: Callable[[Call], Stream]) -> None:
        try:
            self.stream = factory(self)
        except Exception:
            self.fail()
            return
        if self._is_closed:
            self._tell_closed()

    def receive(self, pieces: Sequence[Piece], length: int) -> None:
        """Deliver the messages that these pieces, of that length together, complete."""
        outbox = self.outbox
        assembler = self._assembler
        if assembler is None:
            assembler = self._assembler = Assembler(outbox.limits.message_bytes)
        try:
            for message in assembler.feed(pieces, length):
                self.deliver(message)
                if not self.is_open:
                    return
        except MessageRefused as refused:
            self.end(refused.status, refused.reason)
            return
        outbox.held_bytes += assembler.held_bytes - self.held_bytes
        self.held_bytes = assembler.held_bytes
        if outbox.held_bytes > outbox.limits.held_bytes:
            self.end(Status.RESOURCE_EXHAUSTED, "too many incomplete messages")

    def deliver(self, message: bytes) -> None:
        try:
            self.stream.on_message(message)  # type: ignore[union-attr]
        except Exception:
            self.fail()

    def half_close(self) -> None:
        self.is_half_closed = True
        if not self.is_open:
            return
        if self.held_bytes:
            self.end(Status.INTERNAL, "the last message is incomplete")
            return
        try:
            self.stream.on_half_close()  # type: ignore[union-attr]
        except Exception:
            self.fail()

    def fail(self) -> None:
        """A bug in the service costs its RPC only."""
        logger.exception("a service failed")
        self.end(Status.INTERNAL, "internal error")

    @property
    def is_answered(self) -> bool:
        """Something was sent, so that the client has waited for us and not only opened."""
        return self._is_started

    @property
    def has_queue(self) -> bool:
        return bool(self._queue)

    def send_queued_frame(self) -> int:
        """One DATA frame as far as the windows allow, and the end if nothing else waits."""
        outbox = self.outbox
        queue = self._queue
        sent = 0
        if queue and self.send_window > 0:
            if not self._is_started:
                self._start()
            piece = queue[0][: min(self.send_window, outbox.window, outbox.frame_bytes)]
            sent = len(piece)
            if sent == len(queue[0]):
                queue.popleft()
            else:
                queue[0] = queue[0][sent:]
            self.send_window -= sent
            outbox.window -= sent
            self._queued_bytes -= sent
            outbox.queued_bytes -= sent
            outbox.pieces += (HEADER.pack(sent >> 16, sent & 0xFFFF, DATA, 0, self.id), piece)
        if not queue and self._trailers is not None:
            self._finish(self._trailers)
        return sent

    def _enqueue(self, message: bytes) -> None:
        outbox = self.outbox
        framed = b"\0" + len(message).to_bytes(4, "big") + message
        if self._queue is None:
            self._queue = deque()
        self._queue.append(memoryview(framed))
        self._queued_bytes += len(framed)
        outbox.queued_bytes += len(framed)
        if outbox.queued_bytes > outbox.limits.unsent_connection_bytes:
            outbox.on_overfull()
        elif self._queued_bytes > outbox.limits.unsent_stream_bytes:
            self.reset(ErrorCode.CANCEL)
        elif self.send_window > 0:
            outbox.mark_ready(self)
            outbox.notify()

    def _tell_closed(self) -> None:
        stream = self.stream
        if stream is not None:
            self.stream = None  # no cycle is left for the garbage collector
            try:
                stream.on_close()
            except Exception:
                logger.exception("a service failed in on_close")

    def _start(self) -> None:
        self._is_started = True
        outbox = self.outbox
        if outbox.owes_table_size:
            outbox.headers(self.id, RESPONSE_OK, 0)
        else:
            outbox.pieces.append(RESPONSE_START + self.id.to_bytes(4, "big") + RESPONSE_OK)

    def _finish(self, block: bytes) -> None:
        outbox = self.outbox
        if self._is_started and block is TRAILERS_OK and not outbox.owes_table_size:
            outbox.pieces.append(TRAILERS_START + self.id.to_bytes(4, "big") + TRAILERS_OK)
            outbox.notify()
        else:
            whole = block if self._is_started else RESPONSE_OK + block
            outbox.headers(self.id, whole, END_STREAM)
        if not self.is_half_closed:
            # The answer is complete; the client need not send the rest (RFC 9113 section 8.1).
            outbox.reset(self.id, ErrorCode.NO_ERROR)
        self.close()
