"""gRPC messages out of a stream's bytes, however they were cut.

https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md, "Length-Prefixed-Message"
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from extproc.edges.frames import Piece
from extproc.edges.service import Status

PREFIX_BYTES = 5


class MessageRefused(Exception):
    """The RPC must end with this status."""

    def __init__(self, status: Status, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Assembler:
    """Collects one message's pieces and joins them once, however large it is."""

    __slots__ = ("_limit_bytes", "_missing", "_pieces", "_prefix", "held_bytes")

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._prefix = b""
        self._pieces: list[Piece] = []
        self._missing = 0
        self.held_bytes = 0
        """Of the unfinished message, its prefix included."""

    def feed(self, pieces: Sequence[Piece], length: int) -> Iterator[bytes]:
        """The messages that these pieces, of that length together, complete; lazily, so that those
        before a bad one are seen.
        """
        first = pieces[0]
        if not self._prefix and len(first) >= PREFIX_BYTES:
            self._prefix = bytes(first[:PREFIX_BYTES])
            self.held_bytes += PREFIX_BYTES
            self._missing = self._announced()
            length -= PREFIX_BYTES
            pieces = (first[PREFIX_BYTES:], *pieces[1:])
        if len(self._prefix) < PREFIX_BYTES or length > self._missing:
            yield from self._cut(b"".join(pieces))
            return
        self._missing -= length
        if self._missing:
            self.held_bytes += length
            self._pieces.append(b"".join(pieces))  # so that nothing else is held by them
        else:
            self._pieces += pieces
            yield self._complete()

    def _cut(self, data: bytes) -> Iterator[bytes]:
        """The same of what ends within a prefix, or holds the end of a message and more."""
        position = 0
        size = len(data)
        while position < size:
            if len(self._prefix) < PREFIX_BYTES:
                taken = data[position : position + PREFIX_BYTES - len(self._prefix)]
                self._prefix += taken
                self.held_bytes += len(taken)
                position += len(taken)
                if len(self._prefix) < PREFIX_BYTES:
                    return
                self._missing = self._announced()
            piece = data[position : position + self._missing]
            position += len(piece)
            self._missing -= len(piece)
            self.held_bytes += len(piece)
            if piece:
                self._pieces.append(piece)
            if self._missing:
                return
            yield self._complete()

    def _announced(self) -> int:
        flag = self._prefix[0]
        if flag:
            status = Status.UNIMPLEMENTED if flag == 1 else Status.INTERNAL
            raise MessageRefused(
                status, f"message flag {flag}: only uncompressed messages are read"
            )
        length = int.from_bytes(self._prefix[1:], "big")
        if length > self._limit_bytes:
            reason = f"message of {length} bytes; the limit is {self._limit_bytes}"
            raise MessageRefused(Status.RESOURCE_EXHAUSTED, reason)
        return length

    def _complete(self) -> bytes:
        message = b"".join(self._pieces)
        self._pieces.clear()
        self._prefix = b""
        self.held_bytes = 0
        return message
