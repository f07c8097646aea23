"""Where a client's limits stand, as it is told: in headers of the answer, as OpenAI has them, and
the IETF.

Envoy gets it as dynamic metadata, said by hand, since it is different each time.
https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from msgspec import Struct

from gateway import names


class Told(Struct, frozen=True):
    """Of one unit, the limit of which the smallest part is left."""

    unit: str
    """`requests` or `tokens`."""
    limit: int
    remaining: int
    reset_ns: int
    """Until all of it is there again."""
    policy: str = ""
    """What the IETF's headers call it; empty: they are not told."""
    seconds: int = 0
    """Of the period."""


def header_values(told: Sequence[Told]) -> list[tuple[str, str]]:
    """As headers."""
    prefix = names.RATE_LIMIT_PREFIX
    said = _of_ietf(told)
    return [
        *((header, said[value]) for header, value in names.IETF_RATE_LIMITS if said),
        *_of_openai(prefix, told),
    ]


def _of_ietf(told: Sequence[Told]) -> Mapping[str, str]:
    """https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/ §3 and §4."""
    if not told or not told[0].policy:
        return {}
    return {
        "policy": ", ".join(f'"{each.policy}";q={each.limit};w={each.seconds}' for each in told),
        "state": ", ".join(
            f'"{each.policy}";r={each.remaining};t={-(-each.reset_ns // 1_000_000_000)}'
            for each in told
        ),
    }


def _of_openai(prefix: str, told: Sequence[Told]) -> list[tuple[str, str]]:
    return [
        (f"{prefix}{name}-{each.unit}", value)
        for each in told
        for name, value in (
            ("limit", f"{each.limit}"),
            ("remaining", f"{each.remaining}"),
            ("reset", written(each.reset_ns)),
        )
    ]


def written(nanoseconds: int) -> str:
    """As OpenAI writes it: `6m0s`, `1.5s`, `20ms`; rounded up."""
    milliseconds = -(-nanoseconds // 1_000_000)
    if milliseconds < 1000:
        return f"{milliseconds}ms"
    seconds, milliseconds = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    rest = f"{seconds}.{milliseconds:03}".rstrip("0") if milliseconds else f"{seconds}"
    if hours:
        return f"{hours}h{minutes}m{rest}s"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


_METADATA = b"\x42"  # ProcessingResponse.dynamic_metadata = 8
_NAMESPACE = b"\x0a%c%b" % (len(names.LIMITS_NAMESPACE), names.LIMITS_NAMESPACE.encode())
_ENTRY = b"\x0a%c\x0a%c%b\x12%c\x1a%c%b"


def encode_told(told: Sequence[Told], low: str = "") -> bytes:
    """A response of nothing but dynamic metadata, which merges with what it is put behind.

    Struct.fields = 1: entries of key = 1, value = 2; Value.string_value = 3, struct_value = 5.
    Numbers and times are short, so the size of an entry is one byte. `low` is said of a budget.
    """
    entries = _text(names.LOW_BUDGET, low) if low else b""
    for each in told:
        before, between, left, again = _entries(each.unit, each.limit)
        value, reset = b"%d" % each.remaining, written(each.reset_ns).encode()
        size, length = len(value), len(reset)
        entries += before % (left + size, size + 2, size, value)
        entries += between % (again + length, length + 2, length, reset)
    if told and told[0].policy:
        for key, text in _of_ietf(told).items():
            entries += _text(key, text)
    struct = b"\x2a" + _size(len(entries)) + entries
    entry = _NAMESPACE + b"\x12" + _size(len(struct)) + struct
    fields = b"\x0a" + _size(len(entry)) + entry
    return _METADATA + _size(len(fields)) + fields


def _text(key: str, text: str) -> bytes:
    """An entry of any length."""
    value = text.encode()
    held = b"\x1a" + _size(len(value)) + value
    entry = b"\x0a%c%b\x12" % (len(key), key.encode()) + _size(len(held)) + held
    return b"\x0a" + _size(len(entry)) + entry


@lru_cache(1024)
def _entries(unit: str, limit: int) -> tuple[bytes, bytes, int, int]:
    """The entry of the limit, which is always the same, and the beginning of that of what remains;
    that of the reset; and the sizes of both without their values."""
    key, value = b"limit-%b" % unit.encode(), b"%d" % limit
    size = len(value)
    whole = _ENTRY % (len(key) + size + 6, len(key), key, size + 2, size, value)
    left, again = b"remaining-%b" % unit.encode(), b"reset-%b" % unit.encode()
    before = whole + b"\x0a%%c\x0a%c%b\x12%%c\x1a%%c%%b" % (len(left), left)
    between = b"\x0a%%c\x0a%c%b\x12%%c\x1a%%c%%b" % (len(again), again)
    return before, between, len(left) + 6, len(again) + 6


def _size(number: int) -> bytes:
    """A varint of at most 14 bits."""
    return bytes((number,)) if number < 128 else bytes((number & 127 | 128, number >> 7))
