"""The one way to write a JSON value: the JSON Canonicalization Scheme.

https://www.rfc-editor.org/rfc/rfc8785. What is signed is these bytes, so whoever reads a document
and whoever wrote it get the same. Numbers are doubles, written as ECMAScript does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec

MOST_NESTED: Final = 128
"""Objects and arrays within each other."""

_MOST_WHOLE_DIGITS: Final = 21
_MOST_ZEROS: Final = 6
"""From ECMAScript's `Number::toString`: beyond these, numbers are written with an exponent."""


class NotCanonical(ValueError):
    """A value that two readers could read differently, so there is no one way to write it."""


def encode(value: object) -> bytes:
    """The canonical form, in UTF-8, of what a JSON decoder gave.

    `NotCanonical`: a number that is no double, text that is no Unicode, more nesting than
    `MOST_NESTED`, or what is no JSON.
    """
    pieces: list[bytes] = []
    _write(value, pieces, 0)
    return b"".join(pieces)


def _write(value: object, pieces: list[bytes], depth: int) -> None:
    match value:
        case str():
            pieces.append(_text(value))
        case None:
            pieces.append(b"null")
        case bool():
            pieces.append(b"true" if value else b"false")
        case int():
            pieces.append(_integer(value))
        case float():
            pieces.append(_number(value))
        case Mapping():
            _write_object(value, pieces, _deeper(depth))
        case list() | tuple():
            _write_array(value, pieces, _deeper(depth))
        case _:
            raise NotCanonical(f"not JSON: {type(value).__name__}")


def _write_object(members: Mapping[str, object], pieces: list[bytes], depth: int) -> None:
    before = b"{"
    for name in sorted(members, key=_code_units):
        pieces += (before, _text(name), b":")
        _write(members[name], pieces, depth)
        before = b","
    pieces.append(b"}" if members else b"{}")


def _write_array(items: Sequence[object], pieces: list[bytes], depth: int) -> None:
    before = b"["
    for each in items:
        pieces.append(before)
        _write(each, pieces, depth)
        before = b","
    pieces.append(b"]" if items else b"[]")


def _deeper(depth: int) -> int:
    if depth == MOST_NESTED:
        raise NotCanonical(f"nested more than {MOST_NESTED} deep")
    return depth + 1


def _code_units(name: str) -> bytes:
    """What members are sorted by: UTF-16, in which some characters have two units (§3.2.3)."""
    try:
        return name.encode("utf-16-be")
    except UnicodeEncodeError:
        raise NotCanonical("text that is no Unicode") from None


def _text(text: str) -> bytes:
    """msgspec escapes what RFC 8785 §3.2.2.2 says, and as it says."""
    try:
        return msgspec.json.encode(text)
    except UnicodeEncodeError:
        raise NotCanonical("text that is no Unicode") from None


def _integer(number: int) -> bytes:
    """Readers that know only doubles read it as one: it must be the same, or written the same."""
    try:
        double = float(number)
    except OverflowError:
        double = math.inf
    written = _number(double)
    if double != number and written != b"%d" % number:
        raise NotCanonical("a number with more digits than a double has")
    return written


def _number(number: float) -> bytes:
    """ECMA-262, `Number::toString`; the shortest digits that read the same are those of `repr`."""
    if not math.isfinite(number):
        raise NotCanonical("a number that is none in JSON")
    if number == 0:
        return b"0"
    _, whole, power = Decimal(repr(abs(number))).normalize().as_tuple()
    digits = "".join(map(str, whole))
    point = len(digits) + int(power)
    return (("-" if number < 0 else "") + _written(digits, point)).encode()


def _written(digits: str, point: int) -> str:
    """Digits, the first of which is not zero, with the decimal point behind `point` of them."""
    if len(digits) <= point <= _MOST_WHOLE_DIGITS:
        return digits.ljust(point, "0")
    if 0 < point <= _MOST_WHOLE_DIGITS:
        return f"{digits[:point]}.{digits[point:]}"
    if -_MOST_ZEROS < point <= 0:
        return f"0.{'0' * -point}{digits}"
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{digits[0]}{fraction}e{point - 1:+d}"
