"""The messages in one direction of a websocket, out of its bytes in any pieces; and frames to say.

RFC 6455 section 5. Texts are given as they are; binary messages and control frames are passed over.
Extensions are not understood: who reads must see to it that none is negotiated.
"""

from __future__ import annotations

from msgspec import Struct

_CONTINUATION, _TEXT, _BINARY, _CLOSE = 0, 1, 2, 8
_KNOWN = frozenset({_CONTINUATION, _TEXT, _BINARY, _CLOSE, 9, 10})
_FINAL, _RESERVED, _OPCODE = 0x80, 0x70, 0x0F
_MASKED, _LENGTH = 0x80, 0x7F
_IN_16_BITS, _IN_64_BITS = 126, 127
_LONGEST_CONTROL = 125
_LONGEST_HEADER = 14
_LONGEST_REASON = 123
"""In bytes, of why a websocket is closed."""


class BadFrame(ValueError):
    """It is no frame, or one of an extension."""


class Message(Struct, frozen=True):
    """A text that has ended."""

    data: bytes
    """Not looked at: it may be no UTF-8."""
    end: int
    """Where it ended, in the piece that was fed."""
    is_whole: bool = True
    """False: it was too long, and this is only its beginning."""


class _Frame(Struct, frozen=True):
    is_final: bool
    opcode: int
    size: int
    mask: bytes
    header: int
    """Its own length."""


class MessageDecoder:
    """One direction; keeps the beginning of the message that is under way, up to a bound."""

    __slots__ = ("_frame", "_head", "_kept", "_left", "_most_bytes", "_open", "_seen_bytes", "gap")

    def __init__(self, most_bytes: int) -> None:
        """No more than that is kept of a message."""
        self._most_bytes = most_bytes
        self._head = b""
        """Of a frame whose header is cut."""
        self._frame: _Frame | None = None
        """Whose payload is under way."""
        self._left = 0
        """Of that payload."""
        self._open = _CONTINUATION
        """The kind of the message that is under way; none: a frame must begin one."""
        self._kept: bytes | bytearray = b""
        self._seen_bytes = 0
        """Of the message that is under way."""
        self.gap: int | None = 0
        """The last place of the piece that was fed where another message may be put in between."""

    def feed(self, piece: bytes) -> list[Message]:
        """The texts that end in this piece; after BadFrame, the decoder is of no use but `gap`."""
        found: list[Message] = []
        at, size = 0, len(piece)
        self._mark(0)
        while True:
            if self._frame is None:
                at = self._begin(piece, at)
                if self._frame is None:
                    return found
            frame = self._frame
            taken = min(self._left, size - at)
            if taken and self._open == _TEXT and frame.opcode <= _TEXT:
                self._keep(piece, at, taken, frame)
            at += taken
            self._left -= taken
            if self._left:
                return found
            self._frame = None
            if frame.opcode < _CLOSE and frame.is_final:
                if self._open == _TEXT:
                    found.append(self._ended(at))
                self._open = _CONTINUATION
            self._mark(at)

    def _mark(self, at: int) -> None:
        if self._open == _CONTINUATION and self._frame is None and not self._head:
            self.gap = at
        elif at == 0:
            self.gap = None

    def _begin(self, piece: bytes, at: int) -> int:
        """Where the payload of the frame begins that begins here, if its header is whole."""
        if at == len(piece):
            return at
        before = len(self._head)
        head = self._head + piece[at : at + _LONGEST_HEADER - before]
        frame = _header(head)
        if frame is None:
            self._head = head
            return len(piece)
        if frame.opcode in (_TEXT, _BINARY):
            if self._open != _CONTINUATION:
                raise BadFrame("a message within another")
            self._open = frame.opcode
        elif frame.opcode == _CONTINUATION and self._open == _CONTINUATION:
            raise BadFrame("a continuation of nothing")
        self._head = b""
        self._frame, self._left = frame, frame.size
        return at + frame.header - before

    def _keep(self, piece: bytes, at: int, size: int, frame: _Frame) -> None:
        kept = min(size, self._most_bytes - self._seen_bytes)
        self._seen_bytes += size
        if kept <= 0:
            return
        data = piece[at : at + kept]
        if frame.mask:
            data = _unmasked(data, frame.mask, frame.size - self._left)
        if not self._kept:
            self._kept = data
        elif isinstance(self._kept, bytes):
            self._kept = bytearray(self._kept) + data
        else:
            self._kept += data

    def _ended(self, at: int) -> Message:
        message = Message(bytes(self._kept), at, self._seen_bytes <= self._most_bytes)
        self._kept, self._seen_bytes = b"", 0
        return message


def text(data: bytes) -> bytes:
    """The frame of a server's text."""
    size = len(data)
    if size < _IN_16_BITS:
        return bytes((_FINAL | _TEXT, size)) + data
    if size < 1 << 16:
        return bytes((_FINAL | _TEXT, _IN_16_BITS)) + size.to_bytes(2, "big") + data
    return bytes((_FINAL | _TEXT, _IN_64_BITS)) + size.to_bytes(8, "big") + data


def close(code: int, reason: str) -> bytes:
    """The frame by which a server closes."""
    said = reason.encode()[:_LONGEST_REASON].decode(errors="ignore").encode()
    return bytes((_FINAL | _CLOSE, 2 + len(said))) + code.to_bytes(2, "big") + said


def _header(head: bytes) -> _Frame | None:
    """None: it is cut."""
    first = head[0]
    opcode = first & _OPCODE
    if first & _RESERVED:
        raise BadFrame("a frame of an extension")
    if opcode not in _KNOWN:
        raise BadFrame(f"a frame of the unknown kind {opcode}")
    if len(head) < 2:
        return None
    size, end = head[1] & _LENGTH, 2
    if opcode >= _CLOSE and (size > _LONGEST_CONTROL or not first & _FINAL):
        raise BadFrame("a control frame that is long or in fragments")
    if size >= _IN_16_BITS:
        end += 2 if size == _IN_16_BITS else 8
        size = int.from_bytes(head[2:end], "big")
    is_masked = head[1] & _MASKED
    payload = end + 4 if is_masked else end
    if len(head) < payload:
        return None
    if size >> 63:
        raise BadFrame("a frame of more than 2^63 bytes")
    return _Frame(first & _FINAL != 0, opcode, size, head[end:payload], payload)


def _unmasked(data: bytes, mask: bytes, offset: int) -> bytes:
    """Section 5.3; the data begins at this place of the payload."""
    turn = offset % 4
    key = (mask[turn:] + mask[:turn]) * (len(data) // 4 + 1)
    size = len(data)
    mixed = int.from_bytes(data, "big") ^ int.from_bytes(key[:size], "big")
    return mixed.to_bytes(size, "big")
