"""Header blocks: requests decoded, answers encoded.

Envoy sends the same block for almost every RPC. Once the peer has accepted a dynamic table of size
zero, a block means the same whenever it comes, so its bytes are the key of a small cache.

RFC 9113 section 8, RFC 7541, and gRPC's "Requests" and "Responses".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import quote

from hpack import Decoder, Encoder
from hpack.exceptions import HPACKError, OversizedHeaderListError

from extproc.edges.frames import ConnectionFailed, ErrorCode, StreamFailed
from extproc.edges.service import Limits, Status

Fields = Sequence[tuple[bytes, bytes]]

PSEUDO = frozenset((b":method", b":scheme", b":path", b":authority"))
REQUIRED = (b":method", b":scheme", b":path")
HOP_BY_HOP = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade")
)
UPPER_CASE = frozenset(range(ord("A"), ord("Z") + 1))
FORBIDDEN_IN_VALUES = (b"\0", b"\r", b"\n")

# Static table and literals only, so that no dynamic table need exist (RFC 7541 section 6.2.2).
RESPONSE_OK = b"\x88\x0f\x10\x10application/grpc"
TRAILERS_OK = b"\x00\x0bgrpc-status\x010"
SHRINK_TABLE = b"\x20"
"""Owed to a peer that allows a smaller dynamic table than the default (RFC 7541 section 4.2)."""


@dataclass(frozen=True, slots=True)
class Request:
    """One decoded header block."""

    path: str
    metadata: Mapping[str, str]
    content_length: int | None
    refusal: bytes | None
    """The header block of the whole answer when this is no gRPC request."""


@dataclass(slots=True)
class HeaderBlock:
    """A header block that CONTINUATION frames go on with."""

    stream_id: int
    is_end_stream: bool
    fragments: list[bytes]
    size: int

    def add(self, fragment: bytes) -> None:
        self.fragments.append(fragment)
        self.size += len(fragment)


class HeaderDecoder:
    """The connection's HPACK state, and the blocks that were seen before."""

    __slots__ = ("_cache", "_cache_size", "_decoder")

    def __init__(self, limits: Limits) -> None:
        self._decoder = Decoder(max_header_list_size=limits.header_bytes)
        self._cache: dict[bytes, Request] = {}
        self._cache_size = limits.cached_header_blocks

    def forbid_table(self) -> None:
        """The peer has acknowledged SETTINGS_HEADER_TABLE_SIZE=0."""
        self._decoder.max_allowed_table_size = 0

    def request(self, block: bytes) -> Request:
        cached = self._cache.get(block)
        if cached is not None:
            return cached
        try:
            request = request_of(self._fields(block))
        except OversizedHeaderListError:
            if not self._is_stateless:
                raise _undecodable(ErrorCode.ENHANCE_YOUR_CALM, "header list too large") from None
            request = Request("", MappingProxyType({}), None, http_refusal(431))
        if self._is_stateless:
            if len(self._cache) >= self._cache_size:
                self._cache.clear()
            self._cache[block] = request
        return request

    def trailers(self, block: bytes) -> Fields:
        try:
            return self._fields(block)
        except OversizedHeaderListError:
            raise _undecodable(ErrorCode.ENHANCE_YOUR_CALM, "trailers too large") from None

    @property
    def _is_stateless(self) -> bool:
        decoder = self._decoder
        return decoder.max_allowed_table_size == 0 and decoder.header_table_size == 0

    def _fields(self, block: bytes) -> Fields:
        try:
            return [(bytes(name), bytes(value)) for name, value in self._raw(block)]
        except OversizedHeaderListError:
            raise
        except HPACKError as error:
            raise _undecodable(ErrorCode.COMPRESSION_ERROR, str(error)) from error

    def _raw(self, block: bytes) -> Sequence[tuple[bytes, bytes]]:
        try:
            return list(self._decoder.decode(block, raw=True))
        except IndexError as error:  # how hpack reports a block that is cut off
            raise HPACKError("truncated header block") from error


def check_trailers(fields: Fields) -> None:
    """Nobody reads a client's trailers, but malformed they must not be."""
    for name, value in fields:
        if name.startswith(b":"):
            raise _malformed("pseudo header in trailers")
        _check_field(name, value)


def request_of(fields: Fields) -> Request:
    """Raises StreamFailed if the request is malformed (RFC 9113 section 8.1.1)."""
    pseudo: dict[bytes, bytes] = {}
    metadata: dict[str, str] = {}
    for name, value in fields:
        if name.startswith(b":"):
            if metadata or name in pseudo or name not in PSEUDO:
                raise _malformed(f"pseudo header {name!r} unknown, repeated or late")
            pseudo[name] = value
            continue
        _check_field(name, value)
        key = name.decode("latin-1")
        text = value.decode("latin-1")
        metadata[key] = f"{metadata[key]},{text}" if key in metadata else text
    if not all(pseudo.get(name) for name in REQUIRED):
        raise _malformed("a pseudo header is missing")
    return Request(
        pseudo[b":path"].decode("latin-1"),
        MappingProxyType(metadata),
        _content_length(metadata.get("content-length")),
        _refusal(pseudo[b":method"], metadata),
    )


def response_error(status: int, message: str) -> bytes:
    """Headers and trailers in one: nothing was sent before."""
    return RESPONSE_OK + trailers(status, message)


def trailers(status: int, message: str) -> bytes:
    if status == Status.OK and not message:
        return TRAILERS_OK
    fields = [(b"grpc-status", str(int(status)).encode(), True)]
    if message:
        text = quote(message[:1024], safe=" !\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~")
        fields.append((b"grpc-message", text.encode("ascii"), True))
    return bytes(Encoder().encode(fields, huffman=False))


def http_refusal(status: int) -> bytes:
    return bytes(Encoder().encode([(b":status", str(status).encode(), True)], huffman=False))


def _refusal(method: bytes, metadata: Mapping[str, str]) -> bytes | None:
    if method != b"POST":
        return http_refusal(405)
    kind = metadata.get("content-type", "")
    if kind != "application/grpc" and not kind.startswith(
        ("application/grpc+", "application/grpc;")
    ):
        return http_refusal(415)
    if "te" not in metadata:
        return response_error(Status.INTERNAL, "te: trailers is missing")
    return None


def _check_field(name: bytes, value: bytes) -> None:
    if not name or name in HOP_BY_HOP or not UPPER_CASE.isdisjoint(name):
        raise _malformed(f"header {name!r} not allowed")
    if min(name) <= 0x20 or max(name) >= 0x7F or b":" in name:
        raise _malformed(f"header name {name!r} not allowed")
    if any(octet in value for octet in FORBIDDEN_IN_VALUES) or value != value.strip(b" \t"):
        raise _malformed(f"value of header {name!r} not allowed")
    if name == b"te" and value != b"trailers":
        raise _malformed("te other than trailers")


def _content_length(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        raise _malformed("content-length is no number")
    return int(text)


def _malformed(reason: str) -> StreamFailed:
    return StreamFailed(ErrorCode.PROTOCOL_ERROR, reason)


def _undecodable(code: ErrorCode, reason: str) -> ConnectionFailed:
    return ConnectionFailed(code, reason)
