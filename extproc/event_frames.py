"""Events as they came, read and written again: server-sent events, and lines of JSON.

What nobody changes goes on as it is: with its id, and its comments, which keep connections open.
WHATWG HTML, "Server-sent events"; https://jsonlines.org.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from extproc.llm.dialect import UnreadableAnswer
from extproc.llm.frames import Frame

LARGEST_BYTES: Final = 32 << 20
"""Of one event."""
_BLANK: Final = re.compile(rb"(?>\r\n|\r|\n)(?>\r\n|\r|\n)")
"""What ends an event (WHATWG HTML, "Server-sent events")."""
_LONGEST_CUT: Final = 3
"""Of what ends one, without its last byte."""
_LINE: Final = re.compile(rb"\r\n|\r|\n")
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


class Kept(Frame, frozen=True):
    """An event, with what it was on the wire."""

    written: bytes = b""
    read: bytes = b""
    """Its data, as it came."""
    others: tuple[bytes, ...] = ()
    """The lines that are no data."""


class EventFrames:
    """Server-sent events. Comments stand aside: they need not wait for what is held back."""

    __slots__ = ("_comments", "_edge", "_is_begun", "_pending", "_size")

    def __init__(self) -> None:
        self._comments: list[bytes] = []
        self._is_begun = False
        self._pending: list[bytes] = []
        """Of what has not ended."""
        self._edge = b""
        """The end of it, where an empty line can have been cut."""
        self._size = 0

    def feed(self, data: bytes, *, is_end: bool) -> Sequence[Frame]:
        """The events that these bytes complete. Raises `UnreadableAnswer`."""
        self._pending.append(data)
        self._size += len(data)
        if self._size > LARGEST_BYTES:
            raise UnreadableAnswer(f"an event of more than {LARGEST_BYTES} bytes")
        edge = self._edge + data
        self._edge = edge[-_LONGEST_CUT:]
        if not is_end and _BLANK.search(edge) is None:
            return ()
        text = b"".join(self._pending)
        found: list[Frame] = []
        start = 0
        for each in _BLANK.finditer(text):
            self._add(found, text[start : each.end()])
            start = each.end()
        rest = text[start:]
        if is_end and rest:
            self._add(found, rest)
            rest = b""
        self._pending = [rest]
        self._edge = rest[-_LONGEST_CUT:]
        self._size = len(rest)
        return found

    def aside(self) -> bytes:
        """The comments that have come, to be said between events."""
        comments = b"".join(self._comments)
        self._comments.clear()
        return comments

    def said(self, frame: Frame) -> bytes:
        """The event on the wire."""
        if not isinstance(frame, Kept):
            raise TypeError("an event that was not read here")
        if frame.data == frame.read:
            return frame.written
        lines = [*frame.others, *(b"data: " + each for each in frame.data.split(b"\n"))]
        return b"\n".join(lines) + b"\n\n"

    def _add(self, found: list[Frame], block: bytes) -> None:
        event = self._event(block)
        if event.data or any(not line.startswith(b":") for line in event.others):
            found.append(event)
        else:
            self._comments.append(block)

    def _event(self, block: bytes) -> Kept:
        text = block if self._is_begun else block.removeprefix(_BYTE_ORDER_MARK)
        self._is_begun = True
        data: list[bytes] = []
        others: list[bytes] = []
        name = b""
        for line in _LINE.split(text):
            field, _, value = line.partition(b":")
            value = value.removeprefix(b" ")
            if field == b"data":
                data.append(value)
                continue
            if field == b"event":
                name = value
            if line:
                others.append(line)
        said = b"\n".join(data)
        return Kept(said, name.decode("utf-8", "replace"), (), block, said, tuple(others))


class LineFrames:
    """Lines, each of which is a document."""

    __slots__ = ("_pending", "_size")

    def __init__(self) -> None:
        self._pending: list[bytes] = []
        """Of the line that has not ended."""
        self._size = 0

    def feed(self, data: bytes, *, is_end: bool) -> Sequence[Frame]:
        """The lines that these bytes complete. Raises `UnreadableAnswer`."""
        self._pending.append(data)
        self._size += len(data)
        if self._size > LARGEST_BYTES:
            raise UnreadableAnswer(f"a line of more than {LARGEST_BYTES} bytes")
        if b"\n" not in data and not is_end:
            return ()
        *lines, rest = b"".join(self._pending).split(b"\n")
        lines = [each + b"\n" for each in lines]
        if is_end and rest:
            lines.append(rest)
            rest = b""
        self._pending = [rest]
        self._size = len(rest)
        return [_line(each) for each in lines]

    def aside(self) -> bytes:
        """Nothing stands between lines."""
        return b""

    def said(self, frame: Frame) -> bytes:
        """The line on the wire."""
        if not isinstance(frame, Kept):
            raise TypeError("a line that was not read here")
        return frame.written if frame.data == frame.read else frame.data + b"\n"


def _line(written: bytes) -> Kept:
    said = written.strip()
    return Kept(said, "", (), written, said)
