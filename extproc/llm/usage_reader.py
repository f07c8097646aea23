"""The usage in a provider's answer, whole or streamed, read while the answer passes.

Bounded memory: of a stream one event, of a JSON answer its usage alone, or all of it where the
usage may be anywhere and it is not large. What cannot be read has no usage. OpenAI's chat streams
are read by hand, of which most events are passed over unread; those of other dialects by the
dialect's own decoder.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from extproc.llm.answer import Ended, Failed, StreamEvent
from extproc.llm.dialect import Decoding
from extproc.llm.openai_chat.usage import TIER_MEMBER, USAGE_MEMBER, usage_in, usage_of
from extproc.protocols import json_spans
from extproc.protocols.encodings import BadEncoding, Decoder, TooLarge, UnknownEncoding
from extproc.protocols.json_spans import InvalidJson
from gateway.usage import Usage

LARGEST_EVENT_BYTES = 1 << 20
LARGEST_USAGE_BYTES = 1 << 16
LARGEST_UNPACKED_BYTES = 64 << 20
"""Of an answer that the provider has compressed."""

_NAME = b'"%s"' % USAGE_MEMBER.encode()
_LONGEST_NAME = 32
_TOO_LARGE = b"(too large)"

_LINE_END = re.compile(rb"\r\n|\n|\r")
_STRING = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
"""What is left of a string, up to its quote, or to a backslash that is the last byte there is."""
_OUTSIDE = re.compile(rb'["{}\[\],:]')
_INSIDE = re.compile(rb'(?:[^"{}\[\]]++|"[^"\\]*+(?:\\.[^"\\]*+)*+")*+["{}\[\]]', re.DOTALL)
"""To the next bracket within a member, over whole strings; or to a string that is cut."""
_BLANK = b" \t\r\n"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LONGEST_START = 1024
"""Of blanks before an answer; more of them are not kept."""


@dataclass(frozen=True, slots=True)
class Told:
    """Where a dialect's answers tell their usage."""

    member: str
    """The top-level member of a JSON answer that holds it."""
    usage_of: Callable[[Mapping[str, object]], Usage | None]
    """Reads that member's object."""
    decoding: Callable[[], Decoding] | None = None
    """Reads a stream; None: as one of OpenAI's chat completions."""
    tier_member: str = ""
    """The top-level member that names the service tier, where it is not in the usage."""
    others: tuple[str, ...] = ()
    """Members that hold it where `member` does not."""
    of_whole: Callable[[Mapping[str, object]], Usage | None] | None = None
    """Reads an answer that is not large; for those that tell it in other ways, too."""
    of_headers: Callable[[Iterable[tuple[str, str]]], Usage | None] | None = None
    """Reads the headers of an answer."""
    besides: tuple[str, ...] = ()
    """The top-level members that tell what was used beside it."""
    with_besides: Callable[[Usage | None, Mapping[str, object]], Usage | None] | None = None
    """The usage with what these tell."""


OPENAI_CHAT = Told(USAGE_MEMBER, usage_of, tier_member=TIER_MEMBER)


class UsageReader:
    """Told the bytes of an answer in any pieces, knows what the provider says that it took."""

    __slots__ = ("_decoder", "_is_unreadable", "_reader", "_start", "_told", "sent_bytes")

    def __init__(self, told: Told = OPENAI_CHAT, coding: str = "") -> None:
        """`coding` is the answer's, if the provider has compressed it."""
        self._told = told
        self.sent_bytes = 0
        """Of the answer, without its coding."""
        self._start = b""
        self._reader: _Stream | _Decoded | _Document | _Whole | None = None
        self._decoder: Decoder | None = None
        self._is_unreadable = False
        if coding not in ("", "identity"):
            try:
                self._decoder = Decoder(coding, LARGEST_UNPACKED_BYTES)
            except UnknownEncoding:
                self._is_unreadable = True

    @property
    def usage(self) -> Usage | None:
        """What was said last."""
        return None if self._reader is None else self._reader.usage

    @property
    def is_stream(self) -> bool:
        """What was sent is one, as far as it was read."""
        return isinstance(self._reader, _Stream | _Decoded)

    @property
    def is_cut(self) -> bool:
        """It is a stream, and what was sent of it goes on where its usage does not."""
        reader = self._reader
        return isinstance(reader, _Stream | _Decoded) and not reader.is_whole

    @property
    def is_over(self) -> bool:
        """Nothing that follows can change it."""
        return self._is_unreadable or (self._reader is not None and self._reader.is_over)

    def feed(self, data: bytes) -> None:
        """The next bytes."""
        if self._is_unreadable:
            return
        if self._decoder is not None:
            try:
                data = self._decoder.feed(data)
            except (BadEncoding, TooLarge):
                self._is_unreadable = True
                return
        self.sent_bytes += len(data)
        if self._reader is None:
            data = self._begun(data)
        if self._reader is not None:
            self._reader.feed(data)

    def end(self) -> None:
        """No more bytes follow."""
        if self._is_unreadable:
            return
        if self._reader is None:
            self._reader = self._stream()
            self._reader.feed(self._start)
        self._reader.end()

    def _begun(self, data: bytes) -> bytes:
        """Chooses by the first byte: no line of a stream that says anything begins with `{`."""
        start = self._start + data
        if len(start) < len(_BYTE_ORDER_MARK) and _BYTE_ORDER_MARK.startswith(start):
            self._start = start
            return b""
        bare = start.removeprefix(_BYTE_ORDER_MARK).lstrip(_BLANK)
        if not bare:
            self._start = start if len(start) < _LONGEST_START else b""
            return b""
        self._start = b""
        if bare.startswith(b"{"):
            whole = self._told.of_whole
            self._reader = _Document(self._told) if whole is None else _Whole(self._told, whole)
            return bare
        self._reader = self._stream()
        return bare if self._told.decoding is None else start

    def _stream(self) -> _Stream | _Decoded:
        decoding = self._told.decoding
        return _Stream() if decoding is None else _Decoded(decoding())


class _Decoded:
    """A stream of a dialect that is read by its decoder."""

    __slots__ = ("_decoding", "is_over", "is_whole")

    def __init__(self, decoding: Decoding) -> None:
        self._decoding = decoding
        self.is_over = False
        self.is_whole = False

    @property
    def usage(self) -> Usage | None:
        return self._decoding.usage

    def feed(self, data: bytes) -> None:
        if not self.is_over:
            self._look(self._decoding.feed(data))

    def end(self) -> None:
        if not self.is_over:
            self._look(self._decoding.end())
        self.is_over = True

    def _look(self, events: Sequence[StreamEvent]) -> None:
        self.is_whole = bool(events) and isinstance(events[-1], Ended)
        self.is_over = self.is_whole or (bool(events) and isinstance(events[-1], Failed))


class _Stream:
    """Events, each of one or more lines of data."""

    __slots__ = ("_data", "_pieces", "_size", "is_over", "is_whole", "usage")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        """Of the line that has not ended."""
        self._data: list[bytes] = []
        self._size = 0
        """Of what is kept."""
        self.usage: Usage | None = None
        self.is_over = False
        self.is_whole = False
        """Its last event was the end, or told the usage."""

    def feed(self, data: bytes) -> None:
        if self.is_over or not data:
            return
        self._pieces.append(data)
        self._size += len(data)
        if self._is_line_open(data):
            if self._size > LARGEST_EVENT_BYTES:
                self._drop()
            return
        *lines, rest = _LINE_END.split(b"".join(self._pieces))
        if not rest and data.endswith(b"\r"):  # a line feed may follow, and is not a line then
            rest = lines.pop() + b"\r"
        for line in lines:
            if not self.is_over:
                self._line(line)
        self._pieces = [rest] if rest else []
        self._size = len(rest) + sum(map(len, self._data))
        if self._size > LARGEST_EVENT_BYTES:
            self._drop()

    def end(self) -> None:
        """An event that no empty line ends is none, but some providers leave the last one so."""
        if not self.is_over:
            self._line(b"".join(self._pieces).rstrip(b"\r"))
            self._line(b"")
        self.is_over = True

    def _is_line_open(self, data: bytes) -> bool:
        if len(self._pieces) > 1 and self._pieces[-2].endswith(b"\r"):
            return False
        return _LINE_END.search(data) is None

    def _drop(self) -> None:
        """Too large an event: nothing of it is read, as if the rest were a comment."""
        self._pieces, self._data, self._size = [b":"], [_TOO_LARGE], LARGEST_EVENT_BYTES

    def _line(self, line: bytes) -> None:
        if not line:
            if self._data and self._data[0] is not _TOO_LARGE:
                self._event(b"\n".join(self._data))
            self._data = []
        elif line.startswith(b"data:"):
            self._data.append(line[6:] if line[5:6] == b" " else line[5:])

    def _event(self, data: bytes) -> None:
        if data == b"[DONE]":
            self.is_over = self.is_whole = True
            return
        told = _usage_in(data) if _NAME in data else None
        self.usage = told or self.usage
        self.is_whole = told is not None


class _Document:
    """One JSON object. Of its members only those that tell are kept, until they are read."""

    __slots__ = (
        "_beside",
        "_besides",
        "_depth",
        "_is_escaped",
        "_is_name",
        "_is_string",
        "_kept",
        "_members",
        "_name",
        "_tier",
        "_told",
        "_used",
        "is_over",
    )

    def __init__(self, told: Told) -> None:
        self._told = told
        self._members = frozenset(
            b'"%s"' % name.encode()
            for name in (told.member, *told.others, told.tier_member, *told.besides)
            if name
        )
        self._besides = {b'"%s"' % name.encode(): name for name in told.besides}
        self._beside: dict[str, object] = {}
        self._depth = 0
        self._is_string = False
        self._is_escaped = False
        self._is_name = False
        """A string that begins now, or is open, is the name of a member of the object."""
        self._name = b""
        """Of the member that is read, with its quotes; its beginning, if it is long."""
        self._kept: bytearray | None = None
        """The value, so far, of a member that tells."""
        self._used: Usage | None = None
        self._tier = ""
        self.is_over = False

    @property
    def usage(self) -> Usage | None:
        used, with_besides = self._used, self._told.with_besides
        used = replace(used, service_tier=self._tier) if used and self._tier else used
        return with_besides(used, self._beside) if with_besides and self._beside else used

    def feed(self, data: bytes) -> None:
        position = kept_from = 0
        while not self.is_over and position < len(data):
            if self._is_string:
                position = self._string(data, position)
                continue
            found = (_INSIDE.match if self._depth > 1 else _OUTSIDE.search)(data, position)
            if found is None:
                break
            position = found.end()
            character = data[position - 1 : position]
            if self._depth == 1 and character in b",}" and self._kept is not None:
                self._kept += data[kept_from : position - 1]
                self._read(bytes(self._kept))
                self._kept = None
            self._structure(character)
            if self._depth == 1 and character == b":" and self._name in self._members:
                self._kept, kept_from = bytearray(), position
        if self._kept is not None:
            self._kept += data[kept_from:]
            if len(self._kept) > LARGEST_USAGE_BYTES:
                self._kept = None

    def end(self) -> None:
        self.is_over = True

    def _read(self, value: bytes) -> None:
        """The value of the member that was named last."""
        try:
            told = json_spans.decode_exactly(value)
        except InvalidJson:
            return
        beside = self._besides.get(bytes(self._name))
        if beside is not None:
            self._beside[beside] = told
        elif type(told) is str:
            self._tier = told
        elif type(told) is dict:
            self._used = self._told.usage_of(told) or self._used

    def _string(self, data: bytes, position: int) -> int:
        """Reads on in a string, to its quote or to the end of the data; where to go on."""
        if self._is_escaped:
            self._is_escaped = False
            return position + 1
        found = _STRING.match(data, position)
        end = position if found is None else found.end()
        last = data[end : end + 1]  # a quote, a backslash, or nothing
        if self._is_name and len(self._name) < _LONGEST_NAME:
            self._name += data[position : min(end, position + _LONGEST_NAME)] + last
        self._is_escaped = last == b"\\"
        self._is_string = last != b'"'
        return end + len(last)

    def _structure(self, character: bytes) -> None:
        if character == b'"':
            self._is_string = True
            if self._is_name:
                self._name = character
        elif character in b"{[":
            self._depth += 1
            self._is_name = self._depth == 1
        elif character in b"}]":
            self._depth -= 1
            self.is_over = self._depth == 0
        elif self._depth == 1:
            self._is_name = character == b","


class _Whole:
    """One JSON object whose usage may be anywhere; of a large one, only members that tell."""

    __slots__ = ("_document", "_kept", "_of_whole", "_used")

    def __init__(
        self, told: Told, of_whole: Callable[[Mapping[str, object]], Usage | None]
    ) -> None:
        self._document = _Document(told)
        self._of_whole = of_whole
        self._kept: bytearray | None = bytearray()
        self._used: Usage | None = None

    @property
    def usage(self) -> Usage | None:
        return self._used or self._document.usage

    @property
    def is_over(self) -> bool:
        return self._document.is_over

    def feed(self, data: bytes) -> None:
        if self.is_over:
            return
        self._document.feed(data)
        if self._kept is None:
            return
        self._kept += data
        if len(self._kept) > LARGEST_EVENT_BYTES:
            self._kept = None
        elif self.is_over:
            self._read(bytes(self._kept))

    def end(self) -> None:
        self._document.end()

    def _read(self, data: bytes) -> None:
        try:
            self._used = self._of_whole(json_spans.decode(data))
        except InvalidJson:
            return


def _usage_in(event: bytes) -> Usage | None:
    """Of a chunk of OpenAI's."""
    try:
        return usage_in(json_spans.decode(event))
    except InvalidJson:
        return None
