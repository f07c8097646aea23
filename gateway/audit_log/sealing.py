"""Seals of records, which who has no key cannot make: HMAC-SHA256 (RFC 2104), at the end of a line.

The seal is over the line as it would be without it, so also over whose record it is, its number and
the digest of the line before. `sealed_by` names the key.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

SHORTEST_KEY = 32
"""Characters: 16 bytes in hexadecimal digits."""
SEALED_BY = "sealed_by"
_BEFORE, _AFTER = b',"seal":"', b'"}'
_ID_CHARACTERS = 16
_DIGITS = 64


@dataclass(frozen=True, slots=True)
class SealingKey:
    """One key."""

    secret: bytes = field(repr=False)
    id: str = field(init=False)
    """What it is called: nothing of it can be found from that, if it is random."""

    def __post_init__(self) -> None:
        named = hmac.digest(self.secret, b"dragoman audit key", "sha256")
        object.__setattr__(self, "id", named.hex()[:_ID_CHARACTERS])

    def sealed(self, line: bytes) -> bytes:
        """A line, which is an object of JSON and has no end, with its seal."""
        return line[:-1] + _BEFORE + self.seal(b"record", line).encode() + _AFTER

    def seal(self, kind: bytes, data: bytes) -> str:
        """Seals of one kind stand for nothing of another."""
        return hmac.digest(self.secret, kind + b"\n" + data, "sha256").hex()


def key_of(text: str) -> SealingKey | None:
    """As it is written down, without what is around it; None: it is too short."""
    text = text.strip()
    return SealingKey(text.encode()) if len(text) >= SHORTEST_KEY else None


def by_id(keys: Iterable[SealingKey]) -> Mapping[str, SealingKey]:
    """As records name them."""
    return {key.id: key for key in keys}


def is_right(line: bytes, key: SealingKey) -> bool:
    """Whether a line without its end has the seal of this key."""
    rest, before, seal = line.rpartition(_BEFORE)
    if not before or len(seal) != _DIGITS + len(_AFTER) or not seal.endswith(_AFTER):
        return False
    made = key.seal(b"record", rest + b"}")
    return hmac.compare_digest(made.encode(), seal[: -len(_AFTER)])


def digest(line: bytes) -> str:
    """Of a line without its end, sealed or not: SHA-256."""
    return sha256(line).hexdigest()
