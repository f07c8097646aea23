"""An answer that is looked at when it is whole."""

from __future__ import annotations

from extproc.llm.dialect import UnreadableAnswer

LARGEST_ANSWER_BYTES = 64 << 20


class Pieces:
    """What has come of one answer, within a bound."""

    __slots__ = ("_largest", "_pieces", "_size")

    def __init__(self, largest: int = LARGEST_ANSWER_BYTES) -> None:
        self._largest = largest
        self._pieces: list[bytes] = []
        self._size = 0

    def add(self, data: bytes) -> None:
        """The next piece. Raises `UnreadableAnswer` when it is too much."""
        self._pieces.append(data)
        self._size += len(data)
        if self._size > self._largest:
            raise UnreadableAnswer(f"an answer of more than {self._largest} bytes")

    def take(self) -> bytes:
        """All of it, once."""
        whole = b"".join(self._pieces)
        self._pieces.clear()
        return whole
