"""The frames of HTTP/2 as numbers and bytes, and the two ways in which a peer can be wrong.

RFC 9113, sections 4, 6 and 7.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from struct import Struct
from typing import TypeAlias

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

HEADER_BYTES = 9
HEADER = Struct(">BHBBI")  # length as 8 + 16 bits, type, flags, stream
DATA_AND_PREFIX = Struct(">BHBBIBI")  # a frame's header, then gRPC's flag and message length
WORD = Struct(">I")
SETTING = Struct(">HI")
ERROR = Struct(">II")

ID_MASK = 0x7FFFFFFF
MAX_WINDOW = 0x7FFFFFFF
DEFAULT_WINDOW = 65_535
DEFAULT_FRAME_BYTES = 16_384
LONG_READ_BYTES = 2 * (HEADER_BYTES + DEFAULT_FRAME_BYTES)
"""More than the frame that it may complete."""
MAX_FRAME_BYTES = (1 << 24) - 1
DEFAULT_TABLE_BYTES = 4_096

# Plain integers, not enums: they are compared for every frame.
DATA = 0
HEADERS = 1
PRIORITY = 2
RST_STREAM = 3
SETTINGS = 4
PUSH_PROMISE = 5
PING = 6
GOAWAY = 7
WINDOW_UPDATE = 8
CONTINUATION = 9

END_STREAM = 0x1
ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8
WITH_PRIORITY = 0x20

Piece: TypeAlias = bytes | memoryview
"""Of what streams carry."""


class Setting(IntEnum):
    HEADER_TABLE_SIZE = 1
    ENABLE_PUSH = 2
    MAX_CONCURRENT_STREAMS = 3
    INITIAL_WINDOW_SIZE = 4
    MAX_FRAME_SIZE = 5
    MAX_HEADER_LIST_SIZE = 6


class ErrorCode(IntEnum):
    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    SETTINGS_TIMEOUT = 4
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    CONNECT_ERROR = 10
    ENHANCE_YOUR_CALM = 11
    INADEQUATE_SECURITY = 12
    HTTP_1_1_REQUIRED = 13


class ConnectionFailed(Exception):
    """The peer broke the connection's rules: GOAWAY, and no stream survives."""

    def __init__(self, code: ErrorCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class StreamFailed(Exception):
    """The peer broke one stream's rules: RST_STREAM, and the others go on."""

    def __init__(self, code: ErrorCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def frame(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    length = len(payload)
    return HEADER.pack(length >> 16, length & 0xFFFF, kind, flags, stream_id) + payload


def frame_size(head: bytes) -> int:
    """Of the frame that begins with these bytes, nine at least."""
    return HEADER_BYTES + int.from_bytes(head[:3], "big")


def run(data: bytes, start: int, end: int, stream_id: int) -> tuple[Sequence[Piece], int, int]:
    """A full DATA frame, and those behind it that are of its stream and have no flags, up to one
    that is not full: their payloads, the length of all, and where the next frame begins.
    """
    alike = HEADER.pack(0, DEFAULT_FRAME_BYTES, DATA, 0, stream_id)
    full = HEADER_BYTES + DEFAULT_FRAME_BYTES
    view = memoryview(data)
    pieces = [view[start:end]]
    for position in range(end, len(data) - full + 1, full):
        if not data.startswith(alike, position):
            break
        pieces.append(view[position + HEADER_BYTES : position + full])
    position = end + (len(pieces) - 1) * full
    length = len(pieces) * DEFAULT_FRAME_BYTES
    if data.startswith(alike[3:], position + 3):
        size = frame_size(data[position : position + 3])
        if HEADER_BYTES < size < full and position + size <= len(data):
            pieces.append(view[position + HEADER_BYTES : position + size])
            length += size - HEADER_BYTES
            position += size
    return pieces, length, position


def settings(values: tuple[tuple[Setting, int], ...]) -> bytes:
    return frame(SETTINGS, 0, 0, b"".join(SETTING.pack(*value) for value in values))


def window_update(stream_id: int, increment: int) -> bytes:
    return frame(WINDOW_UPDATE, 0, stream_id, WORD.pack(increment))


def rst_stream(stream_id: int, code: ErrorCode) -> bytes:
    return frame(RST_STREAM, 0, stream_id, WORD.pack(code))


def goaway(last_stream_id: int, code: ErrorCode, reason: str = "") -> bytes:
    return frame(GOAWAY, 0, 0, ERROR.pack(last_stream_id, code) + reason.encode())


def unpadded(data: bytes, start: int, end: int) -> tuple[int, int]:
    if start == end:
        raise ConnectionFailed(ErrorCode.FRAME_SIZE_ERROR, "padded frame without its pad length")
    padding = data[start]
    if padding > end - start - 1:
        raise ConnectionFailed(ErrorCode.PROTOCOL_ERROR, "padding longer than its frame")
    return start + 1, end - padding


def require_size(payload: bytes, size: int, name: str) -> None:
    if len(payload) != size:
        raise ConnectionFailed(ErrorCode.FRAME_SIZE_ERROR, f"{name} of {len(payload)} bytes")
