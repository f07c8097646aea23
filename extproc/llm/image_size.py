"""How large an image is, from the first bytes of a PNG, JPEG, GIF or WebP.

PNG https://www.w3.org/TR/png-3/#11IHDR · JPEG ITU-T T.81 §B.2.2 · GIF89a §18 ·
WebP RFC 9649 §2.5–2.7
"""

from __future__ import annotations

import base64
import binascii
from typing import NamedTuple

_FIRST_BASE64 = 64
"""Enough for all formats but JPEG, whose size stands behind its metadata."""
_MOST_BASE64 = 128 * 1024


class Size(NamedTuple):
    """In pixels."""

    width: int
    height: int


def size_of_base64(text: str) -> Size | None:
    """The size of an image in base64, of which no more is decoded than needed; None: unknown."""
    start = _decoded(text[:_FIRST_BASE64])
    found = size_of(start)
    if found is None and start[:2] == b"\xff\xd8":
        found = size_of(_decoded(text[:_MOST_BASE64]))
    return found


def size_of(data: bytes) -> Size | None:
    """The size of an image, of which the beginning is enough; None: unknown."""
    if data[:8] == b"\x89PNG\r\n\x1a\n" and data[12:16] == b"IHDR" and len(data) >= 24:
        return _known(int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big"))
    if data[:6] in (b"GIF87a", b"GIF89a") and len(data) >= 10:
        return _known(int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little"))
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP" and len(data) >= 30:
        return _webp(data)
    if data[:2] == b"\xff\xd8":
        return _jpeg(data)
    return None


def _known(width: int, height: int) -> Size | None:
    return Size(width, height) if width and height else None


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text[: len(text) // 4 * 4])
    except (binascii.Error, ValueError):  # ValueError: not ASCII
        return b""


def _webp(data: bytes) -> Size | None:
    match data[12:16]:
        case b"VP8 ":
            if data[23:26] != b"\x9d\x01\x2a":
                return None
            width = int.from_bytes(data[26:28], "little") & 0x3FFF
            return _known(width, int.from_bytes(data[28:30], "little") & 0x3FFF)
        case b"VP8L":
            if data[20] != 0x2F:
                return None
            bits = int.from_bytes(data[21:25], "little")
            return Size((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
        case b"VP8X":
            width = int.from_bytes(data[24:27], "little")
            return Size(width + 1, int.from_bytes(data[27:30], "little") + 1)
        case _:
            return None


def _jpeg(data: bytes) -> Size | None:
    """Walks the segments up to the frame header."""
    place = 2
    while place + 9 <= len(data):
        if data[place] != 0xFF:
            return None
        marker = data[place + 1]
        if marker == 0xFF:  # a byte that fills
            place += 1
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height = int.from_bytes(data[place + 5 : place + 7], "big")
            return _known(int.from_bytes(data[place + 7 : place + 9], "big"), height)
        elif marker == 0x01 or 0xD0 <= marker <= 0xD7:  # without a length
            place += 2
        else:
            length = int.from_bytes(data[place + 2 : place + 4], "big")
            if length < 2:
                return None
            place += 2 + length
    return None
