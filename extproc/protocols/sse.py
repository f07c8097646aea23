"""Server-sent events, read from bytes cut anywhere, and written.

WHATWG HTML, "Server-sent events": lines end in CR LF, LF or CR, an empty line ends an event. Bounded
memory: one event. `id` and `retry` are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

LARGEST_EVENT_BYTES = 32 << 20
"""Images come in events, too."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Event(NamedTuple):
    """One event: its name, empty where it has none, and its data."""

    name: str
    data: bytes


class EventTooLarge(Exception):
    """An event does not end."""


class SseDecoder:
    """Bytes in, events out."""

    __slots__ = ("_begun", "_largest", "_rest", "_skips_line_feed")

    def __init__(self, largest_event_bytes: int = LARGEST_EVENT_BYTES) -> None:
        self._rest = b""
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
        rest = self._rest + data if self._rest else data
        if not self._begun:
            if len(rest) < len(_BYTE_ORDER_MARK) and _BYTE_ORDER_MARK.startswith(rest):
                self._rest = rest
                return []
            rest = rest.removeprefix(_BYTE_ORDER_MARK)
            self._begun = True
        *blocks, self._rest = rest.split(b"\n\n")
        if len(self._rest) > self._largest:
            raise EventTooLarge(f"an event of more than {self._largest} bytes")
        return list(_events(blocks))

    def end(self) -> list[Event]:
        """No more bytes follow: an event that no empty line ends counts, since some leave it so."""
        rest, self._rest = self._rest, b""
        return list(_events([rest]))


def encode(data: bytes, name: str = "") -> bytes:
    """An event; the data must be one line, as compact JSON is."""
    if name:
        return b"event: %s\ndata: %s\n\n" % (name.encode(), data)
    return b"data: %s\n\n" % data


def _events(blocks: list[bytes]) -> Iterator[Event]:
    for block in blocks:
        if block.startswith(b"data: ") and b"\n" not in block:  # as nearly all are
            yield Event("", block[6:])
            continue
        name, data = "", []
        for line in block.split(b"\n"):
            field, _, value = line.partition(b":")
            if field == b"data":
                data.append(value.removeprefix(b" "))
            elif field == b"event":
                name = value.removeprefix(b" ").decode("utf-8", "replace")
        if data:
            yield Event(name, b"\n".join(data))
