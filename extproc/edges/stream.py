"""One stream of `extproc.edges.peer`: what is still to be sent, and the windows of both sides.

RFC 9113, sections 5 and 6.9.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final, Protocol, TypeAlias

from extproc.edges.frames import (
    DATA,
    DEFAULT_FRAME_BYTES,
    END_STREAM,
    ErrorCode,
    frame,
    rst_stream,
    window_update,
)

Fields: TypeAlias = Sequence[tuple[str, str]]

STREAM_WINDOW: Final = 65_535
"""What the peer may send of a stream before it is taken; there are thousands of them."""
CONGESTED_BYTES: Final = 1 << 16
"""Of what waits to be sent, more is too much."""


class Ear(Protocol):
    """Whoever is told what comes on a stream: after `broke`, or the end of an answer, nothing."""

    def headed(self, fields: Fields) -> None: ...
    def received(self, data: bytes) -> None:
        """A piece; the peer may send as many bytes more once `Stream.consumed` is told of it."""

    def ended(self) -> None: ...
    def broke(self, why: str, *, is_unseen: bool) -> None:
        """`is_unseen`: the peer has seen nothing of it; it can be asked again."""

    def relieved(self) -> None:
        """All that was written has been sent, after it was congested."""


class Outlet(Protocol):
    """The connection, as its streams see it."""

    send_window: int
    is_paused: bool

    def put(self, data: bytes) -> None: ...
    def put_head(self, stream: Stream, fields: Fields, flags: int) -> None: ...
    def queue_up(self, stream: Stream) -> None: ...
    def forget(self, stream: Stream) -> None: ...


class Stream:
    """A request and its answer. Small: most are idle, and there are thousands."""

    __slots__ = (
        "_outlet",
        "_owed",
        "_owes_relief",
        "_queue",
        "ear",
        "id",
        "is_ending",
        "is_queued_up",
        "is_remote_ended",
        "is_sent",
        "queued_bytes",
        "receive_window",
        "send_window",
    )

    def __init__(self, id: int, outlet: Outlet, send_window: int) -> None:
        self.id = id
        self.ear: Ear | None = None
        """None: nobody wants to hear more."""
        self._outlet = outlet
        self._queue: deque[bytes] | None = None
        self._owes_relief = False
        self.queued_bytes = 0
        self.send_window = send_window
        self.receive_window = STREAM_WINDOW
        self._owed = 0
        """Bytes that were taken, and that the peer was not told of."""
        self.is_ending = False
        """Nothing more is written."""
        self.is_sent = False
        """The end was sent."""
        self.is_remote_ended = False
        self.is_queued_up = False

    @property
    def is_congested(self) -> bool:
        """Who writes should wait until its ear is relieved."""
        return self.queued_bytes > CONGESTED_BYTES

    @property
    def is_open(self) -> bool:
        return self.ear is not None

    def head(self, fields: Fields, *, is_end: bool = False) -> None:
        """The header block of our side."""
        self._outlet.put_head(self, fields, END_STREAM if is_end else 0)
        if is_end:
            self.is_ending = True
            self._end_sent()

    def write(self, data: bytes) -> None:
        """What does not fit into the windows waits."""
        if not data or self.is_ending or self.ear is None:
            return
        if self._queue is None:
            self._queue = deque()
        self._queue.append(data)
        self.queued_bytes += len(data)
        self.pump()
        self._owes_relief = self._owes_relief or self.is_congested

    def end(self) -> None:
        """Behind what was written."""
        if self.is_ending or self.ear is None:
            return
        self.is_ending = True
        if not self.queued_bytes:
            self._outlet.put(frame(DATA, END_STREAM, self.id))
            self._end_sent()

    def consumed(self, size: int) -> None:
        """So many bytes were taken of what was received."""
        self._owed += size
        if self._owed > STREAM_WINDOW // 2 and not self.is_remote_ended and self.ear is not None:
            self._outlet.put(window_update(self.id, self._owed))
            self.receive_window += self._owed
            self._owed = 0

    def reset(self, code: ErrorCode = ErrorCode.CANCEL) -> None:
        """Nobody hears or says more."""
        if self.ear is None:
            return
        self.ear = None
        self._drop()
        if not (self.is_sent and self.is_remote_ended):
            self._outlet.put(rst_stream(self.id, code))
        self._outlet.forget(self)

    def pump(self) -> None:
        """Send what the windows let; the rest waits for its turn."""
        outlet = self._outlet
        while self.queued_bytes and not outlet.is_paused:
            if self.send_window <= 0:
                return
            if outlet.send_window <= 0:
                break
            self.send_frame()
        if self.queued_bytes:
            outlet.queue_up(self)

    def send_frame(self) -> None:
        """One of DATA."""
        assert self._queue is not None
        outlet = self._outlet
        size = min(self.send_window, outlet.send_window, DEFAULT_FRAME_BYTES)
        piece = self._queue.popleft()
        if len(piece) > size:
            self._queue.appendleft(piece[size:])
            piece = piece[:size]
        self.queued_bytes -= len(piece)
        self.send_window -= len(piece)
        outlet.send_window -= len(piece)
        is_last = self.is_ending and not self.queued_bytes
        outlet.put(frame(DATA, END_STREAM if is_last else 0, self.id, piece))
        if self.queued_bytes:
            return
        self._queue = None
        if is_last:
            self._end_sent()
        elif self._owes_relief and self.ear is not None:
            self._owes_relief = False
            self.ear.relieved()

    def remote_ended(self) -> None:
        """The peer has said all."""
        self.is_remote_ended = True
        if self.is_sent:
            self._close()

    def broke(self, why: str, *, is_unseen: bool = False) -> None:
        """By the peer, or with the connection."""
        ear = self.ear
        self._close()
        if ear is not None:
            ear.broke(why, is_unseen=is_unseen)

    def _end_sent(self) -> None:
        self.is_sent = True
        if self.is_remote_ended:
            self._close()

    def _close(self) -> None:
        self.ear = None
        self._drop()
        self._outlet.forget(self)

    def _drop(self) -> None:
        self._queue = None
        self.queued_bytes = 0
