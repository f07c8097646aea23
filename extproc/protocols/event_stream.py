"""AWS event streams (`vnd.amazon.eventstream`), read from bytes cut anywhere, and written.

https://smithy.io/2.0/aws/amazon-eventstream.html. A message is a prelude of two lengths and their
CRC32, headers, a payload, and the CRC32 of all before it. Bounded memory: one message.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias
from uuid import UUID
from zlib import crc32

LARGEST_HEADERS_BYTES = 128 << 10
LARGEST_PAYLOAD_BYTES = 24 << 20
CONTENT_TYPE = "application/vnd.amazon.eventstream"

_PRELUDE = struct.Struct("!III")
_LENGTHS = struct.Struct("!II")
_CRC = struct.Struct("!I")
_LENGTH = struct.Struct("!H")
_OVERHEAD = _PRELUDE.size + _CRC.size
_LONGEST_NAME = 255
_LONGEST_VALUE = 0xFFFF
_MOST_REMEMBERED = 32
"""Sets of headers. A stream has a few, each of which comes again and again."""
_LONGEST_REMEMBERED = 1024
"""Bytes of a set."""


class Kind(IntEnum):
    """The type of a header's value, as it is numbered on the wire."""

    TRUE = 0
    FALSE = 1
    BYTE = 2
    SHORT = 3
    INTEGER = 4
    LONG = 5
    BYTES = 6
    STRING = 7
    TIMESTAMP = 8
    """Milliseconds since 1970, signed."""
    UUID = 9


Value: TypeAlias = bool | int | bytes | str | UUID

_NUMBERS: Mapping[int, struct.Struct] = {
    Kind.BYTE: struct.Struct("!b"),
    Kind.SHORT: struct.Struct("!h"),
    Kind.INTEGER: struct.Struct("!i"),
    Kind.LONG: struct.Struct("!q"),
    Kind.TIMESTAMP: struct.Struct("!q"),
}
_UUID_BYTES = 16


class BrokenMessage(Exception):
    """Bytes that are no message: a wrong checksum, lengths that cannot be, an unknown type."""


@dataclass(frozen=True, slots=True)
class Header:
    kind: Kind
    value: Value


@dataclass(frozen=True, slots=True)
class Message:
    headers: Mapping[str, Header]
    payload: bytes

    def text(self, name: str) -> str:
        """The value of a header that is a string; empty when there is none."""
        header = self.headers.get(name)
        return header.value if header is not None and isinstance(header.value, str) else ""


class MessageDecoder:
    """Bytes in, messages out. After `BrokenMessage`, nothing more can be read."""

    __slots__ = ("_known", "_needed", "_rest")

    def __init__(self) -> None:
        self._rest = bytearray()
        self._needed = _PRELUDE.size
        """Until so many bytes are there, nothing can be said."""
        self._known: dict[bytes, Mapping[str, Header]] = {}

    @property
    def is_between_messages(self) -> bool:
        """No part of a message is waiting for the rest of it."""
        return not self._rest

    def feed(self, data: bytes) -> list[Message]:
        """The messages that these bytes complete."""
        rest = self._rest
        rest += data
        if len(rest) < self._needed:
            return []
        found: list[Message] = []
        start = 0
        while True:
            available = len(rest) - start
            if available < _PRELUDE.size:
                self._needed = _PRELUDE.size
                break
            total, headers = _lengths(rest, start)
            if available < total:
                self._needed = total
                break
            found.append(self._message(bytes(rest[start : start + total]), headers))
            start += total
        del rest[:start]
        return found

    def _message(self, whole: bytes, headers_size: int) -> Message:
        end = len(whole) - _CRC.size
        if crc32(whole[:end]) != _CRC.unpack_from(whole, end)[0]:
            raise BrokenMessage("a message with a wrong checksum")
        payload_start = _PRELUDE.size + headers_size
        block = whole[_PRELUDE.size : payload_start]
        headers = self._known.get(block)
        if headers is None:
            headers = _decode_headers(block)
            if len(self._known) < _MOST_REMEMBERED and headers_size <= _LONGEST_REMEMBERED:
                self._known[block] = headers
        return Message(headers, whole[payload_start:end])


def encode(message: Message) -> bytes:
    """The message on the wire."""
    return encode_with(encode_headers(message.headers), message.payload)


def encode_with(headers: bytes, payload: bytes) -> bytes:
    """The message of headers that are already written, and a payload."""
    if len(headers) > LARGEST_HEADERS_BYTES or len(payload) > LARGEST_PAYLOAD_BYTES:
        raise ValueError("headers or a payload beyond what a message may have")
    lengths = _LENGTHS.pack(_OVERHEAD + len(headers) + len(payload), len(headers))
    body = b"".join((lengths, _CRC.pack(crc32(lengths)), headers, payload))
    return body + _CRC.pack(crc32(body))


def encode_headers(headers: Mapping[str, Header]) -> bytes:
    """The headers on the wire. Raises `ValueError` for what does not fit."""
    pieces: list[bytes] = []
    for name, header in headers.items():
        encoded = name.encode()
        if not 0 < len(encoded) <= _LONGEST_NAME:
            raise ValueError(f"a header's name must have 1 to {_LONGEST_NAME} bytes: {name!r}")
        pieces += (bytes((len(encoded),)), encoded, bytes((header.kind,)), _encode_value(header))
    return b"".join(pieces)


def texts(headers: Mapping[str, str]) -> dict[str, Header]:
    """Headers that are all strings."""
    return {name: Header(Kind.STRING, value) for name, value in headers.items()}


def _lengths(data: bytearray, start: int) -> tuple[int, int]:
    """Of the message that begins there, whole, and of its headers; both are possible."""
    total, headers, checksum = _PRELUDE.unpack_from(data, start)
    if crc32(data[start : start + _LENGTHS.size]) != checksum:
        raise BrokenMessage("a prelude with a wrong checksum")
    payload = total - headers - _OVERHEAD
    if not 0 <= payload <= LARGEST_PAYLOAD_BYTES or headers > LARGEST_HEADERS_BYTES:
        raise BrokenMessage(f"a message of {total} bytes with {headers} bytes of headers")
    return total, headers


def _decode_headers(block: bytes) -> dict[str, Header]:
    headers: dict[str, Header] = {}
    position = 0
    try:
        while position < len(block):
            name_start = position + 1
            position = name_start + block[position]
            name = block[name_start:position].decode()
            kind = Kind(block[position])
            value, position = _decode_value(kind, block, position + 1)
            if not name or name in headers:
                raise BrokenMessage(f"a header without a name, or twice: {name!r}")
            headers[name] = Header(kind, value)
    except (IndexError, struct.error):
        raise BrokenMessage("headers that end too early") from None
    except ValueError:  # of the decoding of UTF-8, too
        raise BrokenMessage("a header of an unknown type, or not in UTF-8") from None
    return headers


def _decode_value(kind: Kind, block: bytes, position: int) -> tuple[Value, int]:
    """A value, and where the next header begins."""
    if kind is Kind.STRING or kind is Kind.BYTES:
        start = position + _LENGTH.size
        end = start + _LENGTH.unpack_from(block, position)[0]
        raw = block[start:end]
        if end > len(block):
            raise IndexError
        return raw.decode() if kind is Kind.STRING else raw, end
    if kind is Kind.UUID:
        end = position + _UUID_BYTES
        if end > len(block):
            raise IndexError
        return UUID(bytes=block[position:end]), end
    number = _NUMBERS.get(kind)
    if number is None:
        return kind is Kind.TRUE, position
    value: int = number.unpack_from(block, position)[0]
    return value, position + number.size


def _encode_value(header: Header) -> bytes:
    kind, value = header.kind, header.value
    number = _NUMBERS.get(kind)
    if number is not None and isinstance(value, int):
        try:
            return number.pack(value)
        except struct.error as error:
            raise ValueError(f"{value} does not fit: {error}") from None
    if (kind is Kind.TRUE and value is True) or (kind is Kind.FALSE and value is False):
        return b""
    if kind is Kind.UUID and isinstance(value, UUID):
        return value.bytes
    raw: bytes | None = None
    if kind is Kind.STRING and isinstance(value, str):
        raw = value.encode()
    elif kind is Kind.BYTES and isinstance(value, bytes):
        raw = value
    if raw is not None:
        if len(raw) > _LONGEST_VALUE:
            raise ValueError(f"a header's value must have at most {_LONGEST_VALUE} bytes")
        return _LENGTH.pack(len(raw)) + raw
    raise ValueError(f"a header of type {kind.name} cannot be {type(value).__name__}")
