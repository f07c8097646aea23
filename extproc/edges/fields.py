"""Header blocks to fields: by `hpack`, and with a memory once there is no dynamic table.

Without a table a field's bytes always mean the same. Blocks that differ in one field, a trace id
say, then cost the decoding of that field instead of ten.

RFC 7541, sections 5 and 6.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hpack import Decoder
from hpack.exceptions import HPACKError

from extproc.edges.frames import ConnectionFailed, ErrorCode

ENTRY_OVERHEAD_BYTES = 32
MAX_INTEGER_BYTES = 5
CACHED_FIELDS = 512
CACHED_BYTES = 1_024
"""Of one field; what is longer is hardly said twice."""
BOMB_FACTOR = 4
HOP_BY_HOP = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade")
)
UPPER_CASE = frozenset(range(ord("A"), ord("Z") + 1))
FORBIDDEN_IN_VALUES = (b"\0", b"\r", b"\n")


@dataclass(frozen=True, slots=True)
class Field:
    """One header, decoded and judged."""

    name: str
    value: str
    fault: str | None
    """Why a request with it is malformed (RFC 9113 section 8.2)."""


class HeadersTooLarge(Exception):
    """The header list is over the limit."""


class FieldDecoder:
    """One connection's HPACK state."""

    __slots__ = ("_cache", "_decoder", "_limit_bytes")

    def __init__(self, limit_bytes: int) -> None:
        # hpack cannot go on after its own limit, we can after ours: a list that is just too large
        # costs its stream, a bomb of table references the connection.
        self._decoder = Decoder(max_header_list_size=limit_bytes * BOMB_FACTOR)
        self._limit_bytes = limit_bytes
        self._cache: dict[bytes, tuple[Field, ...]] = {}

    def forbid_table(self) -> None:
        """The peer has acknowledged SETTINGS_HEADER_TABLE_SIZE=0."""
        self._decoder.max_allowed_table_size = 0

    @property
    def is_stateless(self) -> bool:
        decoder = self._decoder
        return decoder.max_allowed_table_size == 0 and decoder.header_table_size == 0

    def decode(self, block: bytes) -> list[Field]:
        """Raises ConnectionFailed when the block cannot be decoded."""
        try:
            fields = self._remembered(block) if self.is_stateless else list(self._decoded(block))
        except (HPACKError, IndexError) as error:  # hpack's IndexError: a block that is cut off
            reason = f"header block: {error}"
            raise ConnectionFailed(ErrorCode.COMPRESSION_ERROR, reason) from error
        size = sum(len(field.name) + len(field.value) for field in fields)
        if size + ENTRY_OVERHEAD_BYTES * len(fields) > self._limit_bytes:
            raise HeadersTooLarge
        return fields

    def _decoded(self, block: bytes) -> Iterator[Field]:
        for name, value in self._decoder.decode(block, raw=True):
            yield judged(bytes(name), bytes(value))

    def _remembered(self, block: bytes) -> list[Field]:
        fields: list[Field] = []
        cache = self._cache
        for encoded in split(block):
            known = cache.get(encoded)
            if known is None:
                known = tuple(self._decoded(encoded))
                if len(cache) >= CACHED_FIELDS:
                    cache.clear()
                if len(encoded) <= CACHED_BYTES:
                    cache[encoded] = known
            if not known and fields:
                raise HPACKError("a table size update after a field")
            fields += known
        return fields


def split(block: bytes) -> Iterator[bytes]:
    """Each field's, or size update's, bytes; IndexError if the last one is cut off."""
    position = 0
    while position < len(block):
        start = position
        first = block[start]
        if first & 0x80:
            position = _after_integer(block, start, 0x7F)
        elif first & 0xE0 == 0x20:
            position = _after_integer(block, start, 0x1F)
        else:
            mask = 0x3F if first & 0x40 else 0x0F
            position = _after_integer(block, start, mask)
            if not first & mask:
                position = _after_string(block, position)
            position = _after_string(block, position)
        if position > len(block):
            raise IndexError("cut off")
        yield block[start:position]


def judged(name: bytes, value: bytes) -> Field:
    is_pseudo = name.startswith(b":")
    fault = None if is_pseudo else _fault(name, value)
    return Field(name.decode("latin-1"), value.decode("latin-1"), fault)


def _fault(name: bytes, value: bytes) -> str | None:
    if not name or name in HOP_BY_HOP or not UPPER_CASE.isdisjoint(name):
        return f"header {name!r} not allowed"
    if min(name) <= 0x20 or max(name) >= 0x7F or b":" in name:
        return f"header name {name!r} not allowed"
    if any(octet in value for octet in FORBIDDEN_IN_VALUES) or value != value.strip(b" \t"):
        return f"value of header {name!r} not allowed"
    if name == b"te" and value != b"trailers":
        return "te other than trailers"
    return None


def _after_integer(block: bytes, position: int, mask: int) -> int:
    if block[position] & mask != mask:
        return position + 1
    for end in range(position + 1, position + 1 + MAX_INTEGER_BYTES):
        if not block[end] & 0x80:
            return end + 1
    raise HPACKError("an integer that is too long")


def _after_string(block: bytes, position: int) -> int:
    length = block[position] & 0x7F
    end = _after_integer(block, position, 0x7F)
    if length == 0x7F:
        for shift, octet in enumerate(block[position + 1 : end]):
            length += (octet & 0x7F) << (7 * shift)
    return end + length
