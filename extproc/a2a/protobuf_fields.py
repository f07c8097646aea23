"""Fields of protobuf's wire format, without descriptors: enough to say errors and to add fields.

https://protobuf.dev/programming-guides/encoding/. Of a scalar that is said twice the last counts,
and a message that is said twice is merged ("Last One Wins"): so what is added at the end replaces,
and every other byte stays as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

_VARINT, _DELIMITED = 0, 2
_LONGEST_VARINT: Final = 10


Tree: TypeAlias = "Mapping[int, Tree | Callable[[str], str]]"
"""Of the numbers of fields: what is in them, or what becomes of their text."""


class BrokenMessage(ValueError):
    """It is not protobuf."""


def varint(value: int) -> bytes:
    """A number that is not negative."""
    said = bytearray()
    while value > 0x7F:
        said.append(value & 0x7F | 0x80)
        value >>= 7
    said.append(value)
    return bytes(said)


def number(field: int, value: int) -> bytes:
    """A field that is a number, an enumeration or a truth value."""
    return varint(field << 3 | _VARINT) + varint(value)


def delimited(field: int, value: bytes) -> bytes:
    """A field that is a message, bytes or a text."""
    return varint(field << 3 | _DELIMITED) + varint(len(value)) + value


def text(path: Sequence[int], value: str) -> bytes:
    """A text in a message in a message: what is added to a message to say it."""
    said = value.encode()
    for field in reversed(path):
        said = delimited(field, said)
    return said


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a message, in their order. Raises `BrokenMessage`."""
    position = 0
    while position < len(message):
        tag, position = _varint_at(message, position)
        length, content = _extent(message, tag & 7, position)
        position = content + length
        if position > len(message):
            raise BrokenMessage("it ends too early")
        if tag & 7 == _VARINT:
            yield tag >> 3, _varint_at(message, content)[0]
        else:
            yield tag >> 3, message[content:position]


def without(message: bytes, path: Sequence[int]) -> bytes:
    """The message without a field, however often it is there: a repeated one cannot be replaced by
    what is added. Raises `BrokenMessage`."""
    pieces: list[bytes] = []
    position = 0
    while position < len(message):
        start = position
        tag, after = _varint_at(message, position)
        length, content = _extent(message, tag & 7, after)
        position = content + length
        if position > len(message):
            raise BrokenMessage("it ends too early")
        if tag >> 3 != path[0]:
            pieces.append(message[start:position])
        elif len(path) > 1 and tag & 7 == _DELIMITED:
            pieces.append(delimited(path[0], without(message[content:position], path[1:])))
    return b"".join(pieces)


def mapped(message: bytes, tree: Tree) -> bytes:
    """The message with those texts changed, wherever they are said. Raises `BrokenMessage`."""
    pieces: list[bytes] = []
    position = done = 0
    while position < len(message):
        start = position
        tag, after = _varint_at(message, position)
        length, content = _extent(message, tag & 7, after)
        position = content + length
        if position > len(message):
            raise BrokenMessage("it ends too early")
        below = tree.get(tag >> 3)
        if below is None or tag & 7 != _DELIMITED:
            continue
        value = message[content:position]
        new = _changed(value, below) if callable(below) else mapped(value, below)
        if new != value:
            pieces += (message[done:start], delimited(tag >> 3, new))
            done = position
    pieces.append(message[done:])
    return b"".join(pieces)


def _changed(value: bytes, change: Callable[[str], str]) -> bytes:
    try:
        return change(value.decode()).encode()
    except UnicodeDecodeError:
        raise BrokenMessage("a text is not UTF-8") from None


def _extent(message: bytes, wire_type: int, position: int) -> tuple[int, int]:
    """How long a value is, and where it begins."""
    match wire_type:
        case 0:
            return _varint_at(message, position)[1] - position, position
        case 1:
            return 8, position
        case 2:
            return _varint_at(message, position)
        case 5:
            return 4, position
        case other:
            raise BrokenMessage(f"wire type {other}")


def _varint_at(message: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(_LONGEST_VARINT):
        if position >= len(message):
            raise BrokenMessage("it ends too early")
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << 7 * shift
        if byte < 0x80:
            return value, position
    raise BrokenMessage("a number is too long")
