"""Server-sent events, read from bytes cut anywhere, and written.

WHATWG HTML, "Server-sent events": lines end in CR LF, LF or CR, an empty line ends an event.
Bounded memory: one event. `id` and `retry` are passed over.
"""

from __future__ import annotations

from msgspec import Struct

LARGEST_EVENT_BYTES = 32 << 20
"""Images come in events, too."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Event(Struct, frozen=True):
    """One event: its name, empty where it has none, and its data."""

    name: str
    data: bytes


class EventTooLarge(Exception):
    """An event does not end."""


class SseDecoder:
    """Bytes in, events out."""

    __slots__ = ("_begun", "_largest", "_pieces", "_size", "_skips_line_feed")

    def __init__(self, largest_event_bytes: int = LARGEST_EVENT_BYTES) -> None:
        self._pieces: list[bytes] = []
        """Of the event that has not ended; lines end in LF."""
        self._size = 0
        """Of the pieces."""
        self._begun = False
        self._skips_line_feed = False
        """The last byte was a CR, which has ended its line; a LF may belong to it."""
        self._largest = largest_event_bytes

    def feed(self, data: bytes) -> list[Event]:
        """The events that these bytes complete. Raises `EventTooLarge`."""
        if self._skips_line_feed and data:
            self._skips_line_feed = False
            if data.startswith(b"\n"):
                data = data[1:]
        if b"\r" in data:
            self._skips_line_feed = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if not self._begun:
            data = self._beginning(data)
        if not data:
            return []
        pieces = self._pieces
        if pieces:
            ends_here = data.startswith(b"\n") and pieces[-1].endswith(b"\n")
            if not ends_here and b"\n\n" not in data:
                self._keep(data)
                return []
            pieces.append(data)
            data = b"".join(pieces)
            pieces.clear()
            self._size = 0
        blocks = data.split(b"\n\n")
        rest = blocks.pop()
        if rest:
            self._keep(rest)
        return _events(blocks)

    def end(self) -> list[Event]:
        """No more bytes follow: an event that no empty line ends counts, since some leave it so."""
        rest = b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        return _events([rest])

    def _beginning(self, data: bytes) -> bytes:
        """The first bytes, without a byte order mark; empty until it is known whether it is one."""
        start = b"".join(self._pieces) + data
        self._pieces.clear()
        if len(start) < len(_BYTE_ORDER_MARK) and _BYTE_ORDER_MARK.startswith(start):
            if start:
                self._pieces.append(start)
            return b""
        self._begun = True
        return start.removeprefix(_BYTE_ORDER_MARK)

    def _keep(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > self._largest:
            raise EventTooLarge(f"an event of more than {self._largest} bytes")
        self._pieces.append(data)


def encode(data: bytes, name: str = "") -> bytes:
    """An event; the data must be one line, as compact JSON is."""
    if name:
        return b"event: %s\ndata: %s\n\n" % (name.encode(), data)
    return b"data: %s\n\n" % data


def _events(blocks: list[bytes]) -> list[Event]:
    found: list[Event] = []
    for block in blocks:
        if block.startswith(b"data: ") and b"\n" not in block:  # as nearly all are
            found.append(Event("", block[6:]))
        elif block:
            event = _event(block)
            if event is not None:
                found.append(event)
    return found


def _event(block: bytes) -> Event | None:
    name, data = "", []
    for line in block.split(b"\n"):
        if line.startswith(b"data: "):
            data.append(line[6:])
            continue
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value.removeprefix(b" ").decode("utf-8", "replace")
    if not data:
        return None
    return Event(name, data[0] if len(data) == 1 else b"\n".join(data))
