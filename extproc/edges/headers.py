"""Header blocks: requests decoded, answers encoded.

Envoy sends the same block for almost every RPC. Once the peer has accepted a dynamic table of size
zero, a block means the same whenever it comes, so its bytes are the key of a small cache.

RFC 9113 section 8, RFC 7541, and gRPC's "Requests" and "Responses".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias
from urllib.parse import quote

from hpack import Encoder

from extproc.edges.fields import Field, FieldDecoder, HeadersTooLarge
from extproc.edges.frames import ConnectionFailed, ErrorCode, StreamFailed
from extproc.edges.service import Limits, Status

Fields: TypeAlias = Sequence[Field]

PSEUDO = frozenset((":method", ":scheme", ":path", ":authority"))
REQUIRED = (":method", ":scheme", ":path")

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
    """The requests of one connection, and the blocks that were seen before."""

    __slots__ = ("_cache", "_cache_size", "_fields")

    def __init__(self, limits: Limits) -> None:
        self._fields = FieldDecoder(limits.header_bytes)
        self._cache: dict[bytes, Request] = {}
        self._cache_size = limits.cached_header_blocks

    def forbid_table(self) -> None:
        """The peer has acknowledged SETTINGS_HEADER_TABLE_SIZE=0."""
        self._fields.forbid_table()

    def request(self, block: bytes) -> Request:
        """Raises StreamFailed if the request is malformed."""
        cached = self._cache.get(block)
        if cached is not None:
            return cached
        try:
            request = request_of(self._fields.decode(block))
        except HeadersTooLarge:
            request = Request("", MappingProxyType({}), None, http_refusal(431))
        if self._fields.is_stateless:
            if len(self._cache) >= self._cache_size:
                self._cache.clear()
            self._cache[block] = request
        return request

    def trailers(self, block: bytes) -> Fields:
        try:
            return self._fields.decode(block)
        except HeadersTooLarge:
            raise ConnectionFailed(ErrorCode.ENHANCE_YOUR_CALM, "trailers too large") from None


def check_trailers(fields: Fields) -> None:
    """Nobody reads a client's trailers, but malformed they must not be."""
    for field in fields:
        if field.name.startswith(":"):
            raise _malformed("pseudo header in trailers")
        if field.fault is not None:
            raise _malformed(field.fault)


def request_of(fields: Fields) -> Request:
    """Raises StreamFailed if the request is malformed (RFC 9113 section 8.1.1)."""
    pseudo: dict[str, str] = {}
    metadata: dict[str, str] = {}
    for field in fields:
        name = field.name
        if name.startswith(":"):
            if metadata or name in pseudo or name not in PSEUDO:
                raise _malformed(f"pseudo header {name!r} unknown, repeated or late")
            pseudo[name] = field.value
            continue
        if field.fault is not None:
            raise _malformed(field.fault)
        known = metadata.get(name)
        metadata[name] = field.value if known is None else f"{known},{field.value}"
    if not all(pseudo.get(name) for name in REQUIRED):
        raise _malformed("a pseudo header is missing")
    return Request(
        pseudo[":path"],
        MappingProxyType(metadata),
        _content_length(metadata.get("content-length")),
        _refusal(pseudo[":method"], metadata),
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


def _refusal(method: str, metadata: Mapping[str, str]) -> bytes | None:
    if method != "POST":
        return http_refusal(405)
    kind = metadata.get("content-type", "")
    if kind != "application/grpc" and not kind.startswith(
        ("application/grpc+", "application/grpc;")
    ):
        return http_refusal(415)
    if "te" not in metadata:
        return response_error(Status.INTERNAL, "te: trailers is missing")
    return None


def _content_length(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        raise _malformed("content-length is no number")
    return int(text)


def _malformed(reason: str) -> StreamFailed:
    return StreamFailed(ErrorCode.PROTOCOL_ERROR, reason)
