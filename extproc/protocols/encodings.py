"""Content codings of bodies, decoded as they come and within a bound: gzip, deflate, br, zstd.

RFC 9110 §8.4 (also stacked: `gzip, br`), RFC 1952, RFC 1950 and 1951, RFC 7932, RFC 8878 with the
window of RFC 9659. Beside what is read, memory holds what came out, at most the limit and an
eighth, and a constant for each coding.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from io import BytesIO
from typing import Protocol

import brotli

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MAX_CODINGS = 3
"""In a stack."""

_STEP_BYTES = 1 << 16
"""The most that comes out of a coding at once."""
_SLICE_BYTES = 1 << 14
"""The most that goes in at once: what is not read yet is copied at each step."""
_LARGEST_ZSTD_WINDOW_LOG = 23
"""8 MiB, RFC 9659."""
_GZIP_WRAPPER = 16 + zlib.MAX_WBITS
_ZLIB_HEADER_BYTES = 2
_LONGEST_SHOWN = 32


class BadEncoding(ValueError):
    """The data are not what their coding says, or end too early."""


class TooLarge(ValueError):
    """More would come out than may."""


class UnknownEncoding(ValueError):
    """A coding that is not read, or too many of them."""


class Decoder:
    """Told the bytes of a body in any pieces, gives what they stand for."""

    __slots__ = ("_stages",)

    def __init__(self, encoding: str, limit_bytes: int) -> None:
        """`encoding` is the value of a Content-Encoding header; empty: none."""
        self._stages = tuple(_Stage(each(), limit_bytes) for each in reversed(_codings(encoding)))
        if not self._stages:
            self._stages = (_Stage(_Identity(), limit_bytes),)

    def feed(self, data: bytes) -> bytes:
        """What more bytes add."""
        pieces: Iterable[bytes | memoryview] = _slices(data)
        for stage in self._stages:
            pieces = stage.through(pieces)
        out = BytesIO()
        for piece in pieces:
            out.write(piece)
        return out.getvalue()

    def end(self) -> None:
        """No more bytes follow: `BadEncoding` unless the body was whole."""
        for stage in self._stages:
            if not stage.coding.is_whole:
                raise BadEncoding("the data end too early")


class _Coding(Protocol):
    @property
    def is_whole(self) -> bool:
        """The data may end here."""

    def read(self, data: bytes | memoryview) -> Iterator[bytes | memoryview]:
        """What they stand for, in steps; all that can be said by now."""


class _Stage:
    """A coding, and how much has come out of it."""

    __slots__ = ("_left", "coding")

    def __init__(self, coding: _Coding, limit_bytes: int) -> None:
        self.coding = coding
        self._left = limit_bytes

    def through(self, pieces: Iterable[bytes | memoryview]) -> Iterator[bytes | memoryview]:
        for data in pieces:
            for piece in self.coding.read(data):
                self._left -= len(piece)
                if self._left < 0:
                    raise TooLarge("the decoded body is larger than may be")
                if piece:
                    yield piece


class _Identity:
    is_whole = True

    def read(self, data: bytes | memoryview) -> Iterator[bytes | memoryview]:
        yield data


class _Gzip:
    """Members, one after the other."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP_WRAPPER)

    @property
    def is_whole(self) -> bool:
        return self._member.eof

    def read(self, data: bytes | memoryview) -> Iterator[bytes]:
        while data:
            if self._member.eof:
                self._member = zlib.decompressobj(_GZIP_WRAPPER)
            yield from _inflated(self._member, data)
            data = self._member.unused_data if self._member.eof else b""


class _Deflate:
    """With the wrapper that the specification asks for, or without it, as many senders have it."""

    def __init__(self) -> None:
        self._start = b""
        self._stream: zlib._Decompress | None = None

    @property
    def is_whole(self) -> bool:
        return self._stream is not None and self._stream.eof

    def read(self, data: bytes | memoryview) -> Iterator[bytes]:
        if self._stream is None:
            data = self._start + data
            if len(data) < _ZLIB_HEADER_BYTES:
                self._start = data
                return
            has_header = data[0] & 0x0F == zlib.DEFLATED and (data[0] << 8 | data[1]) % 31 == 0
            self._stream = zlib.decompressobj(zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS)
        elif self._stream.eof and data:
            raise BadEncoding("more data follow the end")
        yield from _inflated(self._stream, data)
        if self._stream.unused_data:
            raise BadEncoding("more data follow the end")


class _Brotli:
    def __init__(self) -> None:
        self._stream = brotli.Decompressor()

    @property
    def is_whole(self) -> bool:
        return bool(self._stream.is_finished())

    def read(self, data: bytes | memoryview) -> Iterator[bytes]:
        if self._stream.is_finished():
            raise BadEncoding("more data follow the end")
        try:
            yield self._stream.process(data, output_buffer_limit=_STEP_BYTES)
            while not self._stream.can_accept_more_data():
                yield self._stream.process(b"", output_buffer_limit=_STEP_BYTES)
        except brotli.error as error:
            raise BadEncoding(f"no brotli data: {error}") from None


class _Zstd:
    """Frames, one after the other."""

    def __init__(self) -> None:
        self._frame = _zstd_frame()

    @property
    def is_whole(self) -> bool:
        return self._frame.eof

    def read(self, data: bytes | memoryview) -> Iterator[bytes]:
        try:
            while data:
                if self._frame.eof:
                    self._frame = _zstd_frame()
                yield self._frame.decompress(data, _STEP_BYTES)
                while not self._frame.eof and not self._frame.needs_input:
                    yield self._frame.decompress(b"", _STEP_BYTES)
                data = self._frame.unused_data if self._frame.eof else b""
        except zstd.ZstdError as error:
            raise BadEncoding(f"no zstd data: {error}") from None


_CODINGS: Mapping[str, Callable[[], _Coding]] = {
    "gzip": _Gzip,
    "x-gzip": _Gzip,
    "deflate": _Deflate,
    "br": _Brotli,
    "zstd": _Zstd,
}


def _codings(encoding: str) -> list[Callable[[], _Coding]]:
    """In the order in which they were applied."""
    names = [each.strip(" \t").lower() for each in encoding.split(",")]
    applied = [each for each in names if each not in ("", "identity")]
    for name in applied:
        if name not in _CODINGS:
            raise UnknownEncoding(f"no content coding {name[:_LONGEST_SHOWN]!r} is read here")
    if len(applied) > MAX_CODINGS:
        raise UnknownEncoding(f"more than {MAX_CODINGS} content codings")
    return [_CODINGS[name] for name in applied]


def _slices(data: bytes) -> Iterator[bytes | memoryview]:
    if len(data) <= _SLICE_BYTES:
        if data:
            yield data
        return
    view = memoryview(data)
    for start in range(0, len(data), _SLICE_BYTES):
        yield view[start : start + _SLICE_BYTES]


def _inflated(stream: zlib._Decompress, data: bytes | memoryview) -> Iterator[bytes]:
    """What the data add, up to the end of the stream, which may come before theirs."""
    try:
        while True:
            piece = stream.decompress(data, _STEP_BYTES)
            yield piece
            data = stream.unconsumed_tail
            if stream.eof or (not data and len(piece) < _STEP_BYTES):
                return
    except zlib.error as error:
        raise BadEncoding(f"no deflated data: {error}") from None


def _zstd_frame() -> zstd.ZstdDecompressor:
    options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: _LARGEST_ZSTD_WINDOW_LOG}
    return zstd.ZstdDecompressor(options=options)
