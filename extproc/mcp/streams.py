"""A server's event stream on its way to the client of a federation.

Server-sent events (WHATWG HTML), of which messages and ids are changed to name their server:
`upward`. Everything else passes as it comes, line by line, so that comments which keep a connection
alive are not kept back; data wait until their event ends. Bounded memory: one event.
"""

from __future__ import annotations

import re
from typing import Final

from extproc.mcp import ids
from extproc.mcp.upward import Origin, upward
from extproc.protocols import json_spans
from extproc.protocols.sse import LARGEST_EVENT_BYTES, EventTooLarge

_LINE: Final = re.compile(rb"([^\r\n]*)(?>\r\n|\r|\n)")
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_MESSAGE: Final = frozenset({b"", b"message"})
"""Names of events that are messages."""
_FIELD: Final = re.compile(rb"(data|id|event)(?:: ?|$)")


class Upward:
    """Bytes of a server in, bytes for the client out; cuts do not matter."""

    __slots__ = (
        "_begun",
        "_follows_carriage_return",
        "_held",
        "_held_bytes",
        "_largest",
        "_name",
        "_origin",
        "_pending",
        "_pending_bytes",
        "refused",
    )

    def __init__(
        self,
        origin: Origin,
        largest_event_bytes: int = LARGEST_EVENT_BYTES,
        *,
        has_begun: bool = False,
    ) -> None:
        """`has_begun`: what is fed is no stream's beginning, but follows what another has read,
        which was at rest."""
        self._origin = origin
        self._largest = largest_event_bytes
        self._begun = has_begun
        self._pending: list[bytes] = []
        """Of a line that has not ended."""
        self._pending_bytes = 0
        self._held: list[tuple[bytes, bytes | None]] = []
        """Lines of the event, from its first with data on; and their data, of those that have."""
        self._held_bytes = 0
        self._name = b""
        """Of the event."""
        self._follows_carriage_return = False
        """The last byte was one, and has ended its line; a line feed may belong to it."""
        self.refused = 0
        """Messages that could not be read, and were left out."""

    @property
    def is_at_rest(self) -> bool:
        """Between two events: there is nothing to be known of what was fed."""
        is_waiting = self._pending or self._held or self._name or self._follows_carriage_return
        return self._begun and not is_waiting

    def feed(self, data: bytes) -> bytes:
        """What these bytes let pass. Raises `EventTooLarge`."""
        out: list[bytes] = []
        if self._follows_carriage_return and data:
            self._follows_carriage_return = False
            if data.startswith(b"\n"):
                data = data[1:]
                self._end_line(out)
        if b"\n" not in data and b"\r" not in data:
            self._wait(data)
            return b"".join(out)
        text = b"".join((*self._pending, data))
        self._pending.clear()
        self._pending_bytes = 0
        # what is behind the last line's end would be tried from each of its bytes on
        end = max(text.rfind(b"\n"), text.rfind(b"\r")) + 1
        for found in _LINE.finditer(text, 0, end):
            self._line(found[1], found[0][len(found[1]) :], out)
        self._follows_carriage_return = text.endswith(b"\r")
        self._wait(text[end:])
        return b"".join(out)

    def end(self) -> bytes:
        """No more bytes follow; what has not ended counts, since some leave it so."""
        out: list[bytes] = []
        if self._pending:
            line = b"".join(self._pending)
            self._pending.clear()
            self._line(line, b"", out)
        self._end_event(out)
        return b"".join(out)

    def _wait(self, data: bytes) -> None:
        if data:
            self._pending.append(data)
            self._pending_bytes += len(data)
            self._check()

    def _check(self) -> None:
        if self._pending_bytes + self._held_bytes > self._largest:
            raise EventTooLarge(f"an event of more than {self._largest} bytes")

    def _end_line(self, out: list[bytes]) -> None:
        """The second half of a line's end."""
        if self._held:
            line, data = self._held[-1]
            self._held[-1] = (line + b"\n", data)
        else:
            out.append(b"\n")

    def _line(self, line: bytes, ending: bytes, out: list[bytes]) -> None:
        if not self._begun:
            self._begun = True
            if line.startswith(_BYTE_ORDER_MARK):
                out.append(_BYTE_ORDER_MARK)
                line = line[len(_BYTE_ORDER_MARK) :]
        if not line:
            self._end_event(out)
            out.append(ending)
            return
        found = _FIELD.match(line)
        field = found[1] if found else b""
        value = line[found.end() :] if found else b""
        if field == b"id":
            line = line[: len(line) - len(value)] + _outward(self._origin.server, value)
        elif field == b"event":
            self._name = value
        if field == b"data":
            self._hold(line + ending, value)
        elif self._held:
            self._hold(line + ending, None)
        else:
            out.append(line + ending)

    def _hold(self, line: bytes, data: bytes | None) -> None:
        self._held.append((line, data))
        self._held_bytes += len(line)
        self._check()

    def _end_event(self, out: list[bytes]) -> None:
        held, name = self._held, self._name
        self._name = b""
        if not held:
            return
        self._held = []
        self._held_bytes = 0
        text = b"\n".join([data for _, data in held if data is not None])
        if not text.strip() or name not in _MESSAGE:
            out += [line for line, _ in held]
            return
        said = upward(self._origin, text)
        if said is None:
            self.refused += 1
        elif said == text and not said.startswith(b"["):
            out += [line for line, _ in held]
            return
        first = held[0][0]
        ending = first[len(first.rstrip(b"\r\n")) :] or b"\n"
        for position, each in enumerate(_single(said)):
            if position:
                out.append(ending)
            out += [b"data: " + piece + ending for piece in each.split(b"\n")]
        out += [line for line, data in held if data is None]


def _single(said: bytes | None) -> list[bytes]:
    """The messages of a batch, each an event of its own: newer clients know no batches."""
    if not said:
        return []
    return json_spans.items(said) if said.startswith(b"[") else [said]


def _outward(server: str, event_id: bytes) -> bytes:
    """The id of an event; one that cannot be told on is none."""
    try:
        return ids.outward_name(server, event_id.decode()).encode()
    except UnicodeDecodeError:
        return b""
