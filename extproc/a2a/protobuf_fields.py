"""Fields of protobuf's wire format, without descriptors: enough to say errors and to add fields.

https://protobuf.dev/programming-guides/encoding/. Of a scalar that is said twice the last counts,
and a message that is said twice is merged ("Last One Wins"): so what is added at the end replaces,
and every other byte stays as it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

_VARINT, _DELIMITED = 0, 2
_LONGEST_VARINT: Final = 10


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
        match tag & 7:
            case 0:
                value, position = _varint_at(message, position)
                yield tag >> 3, value
                continue
            case 1:
                length = 8
            case 2:
                length, position = _varint_at(message, position)
            case 5:
                length = 4
            case other:
                raise BrokenMessage(f"wire type {other}")
        end = position + length
        if end > len(message):
            raise BrokenMessage("it ends too early")
        yield tag >> 3, message[position:end]
        position = end


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
