"""What functions of ours do in rules. Pure, and linear in what they are given, sorting aside.

`ValueError` makes an expression err. Its reason is fixed: what was given may be somebody's secret.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, TypeAlias

import re2

MOST_ITEMS = 10_000
"""Of a list or map that a function is given: as many as a macro may visit."""
_DEPTH = 64
_LARGEST = 2**63 - 1
_REMEMBERED = 1000

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network


def _few(items: Sequence[Any]) -> Sequence[Any]:
    if len(items) > MOST_ITEMS:
        raise ValueError(f"more than {MOST_ITEMS} items")
    return items


def distinct(items: list[Any]) -> list[Any]:
    """Maps and lists are told apart by what they say."""
    found: dict[object, Any] = {}
    for item in _few(items):
        found.setdefault(_identity(item), item)
    return list(found.values())


def _identity(item: object) -> object:
    """Equal where CEL says so: numbers across types, but no bool is a number."""
    if isinstance(item, bool):
        return ("bool", item)
    if isinstance(item, list):
        return ("list", *map(_identity, item))
    if isinstance(item, dict):
        return ("map", frozenset((_identity(k), _identity(v)) for k, v in item.items()))
    return bytes(item) if isinstance(item, bytearray) else item


def sort(items: list[Any]) -> list[Any]:
    _alike(items)
    return sorted(items)


def _alike(items: Sequence[Any]) -> Sequence[Any]:
    """Those that have an order among them."""
    kinds = {float if type(each) is int else type(each) for each in _few(items)}
    if len(kinds) > 1 or not kinds <= {bool, float, str, bytearray}:
        raise ValueError("only numbers, strings, bytes or bools among themselves have an order")
    if kinds == {float} and any(math.isnan(each) for each in items):
        raise ValueError("not a number: NaN has no place in an order")
    return items


def flatten(items: list[Any], depth: int = 1) -> list[Any]:
    if not 0 <= depth <= _DEPTH:
        raise ValueError(f"the depth must be 0 to {_DEPTH}")
    flat: list[Any] = []
    for item in items:
        flat.extend(flatten(item, depth - 1) if depth and isinstance(item, list) else (item,))
    return list(_few(flat))


def part(items: list[Any], start: int, end: int) -> list[Any]:
    if not 0 <= start <= end <= len(items):
        raise ValueError("the slice reaches beyond the list")
    return items[start:end]


def total(items: list[Any]) -> int | float:
    if any(isinstance(each, bool) or not isinstance(each, int | float) for each in _few(items)):
        raise ValueError("only numbers have a sum")
    found: int | float = sum(items)
    if isinstance(found, int) and abs(found) > _LARGEST:
        raise ValueError("the sum overflows")
    return found


def least(items: list[Any]) -> Any:
    if not items:
        raise ValueError("an empty list has no least item")
    return min(_alike(items))


def greatest(items: list[Any]) -> Any:
    if not items:
        raise ValueError("an empty list has no greatest item")
    return max(_alike(items))


def keys(mapping: dict[Any, Any]) -> list[Any]:
    return sort(list(mapping))


def values(mapping: dict[Any, Any]) -> list[Any]:
    return [mapping[key] for key in keys(mapping)]


def merge(mapping: dict[Any, Any], other: dict[Any, Any]) -> dict[Any, Any]:
    _few([*mapping, *other])
    return {**mapping, **other}


@lru_cache(_REMEMBERED)
def compiled(pattern: str) -> Any:
    """ValueError: RE2 does not know it."""
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error:
        raise ValueError("invalid regular expression") from None


def _whole_or_group(found: Any) -> str:
    groups = found.re.groups
    if groups > 1:
        raise ValueError("more than one group: which is wanted is not clear")
    return str(found.group(groups) or "")


def extract(text: str, pattern: str) -> str:
    found = compiled(pattern).search(text)
    if found is None:
        raise ValueError("nothing matches")
    return _whole_or_group(found)


def extract_all(text: str, pattern: str) -> list[str]:
    found = []
    for each in compiled(pattern).finditer(text):
        found.append(_whole_or_group(each))
        _few(found)
    return found


def replace(text: str, pattern: str, rewriting: str) -> str:
    try:
        return str(compiled(pattern).sub(rewriting, text))
    except (re2.error, IndexError):
        raise ValueError("the rewriting names a group that the pattern does not have") from None


@lru_cache(_REMEMBERED)
def address(text: str) -> Address:
    """An IPv4 address within IPv6 (`::ffff:10.0.0.1`) is that one. ValueError: it is none."""
    try:
        found = ip_address(text)
    except ValueError:
        raise ValueError("not an IP address") from None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return found if mapped is None else mapped


@lru_cache(_REMEMBERED)
def network(text: str) -> Network:
    """ValueError: it is no CIDR block, or has bits beside its prefix."""
    if "/" not in text:
        raise ValueError("not a CIDR block, as 10.0.0.0/8 is")
    try:
        return ip_network(text)
    except ValueError:
        raise ValueError("not a CIDR block, as 10.0.0.0/8 is") from None


def test_of(check: Callable[[str], object]) -> Callable[[str], bool]:
    def holds(text: str) -> bool:
        try:
            check(text)
        except ValueError:
            return False
        return True

    return holds


def contains_block(outer: str, inner: str) -> bool:
    one, other = network(outer), network(inner)
    if isinstance(one, IPv4Network):
        return isinstance(other, IPv4Network) and other.subnet_of(one)
    return isinstance(other, IPv6Network) and other.subnet_of(one)


def decode_json(text: str) -> object:
    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        members = dict(pairs)
        if len(members) != len(pairs):
            raise ValueError("not JSON that can be read in one way: a key stands twice")
        return members

    def refuse(_: str) -> object:
        raise ValueError("not JSON")

    try:
        found = json.loads(text, object_pairs_hook=unique, parse_constant=refuse, parse_int=_number)
        return _bounded(found, _DEPTH)
    except json.JSONDecodeError:
        raise ValueError("not JSON") from None
    except RecursionError:
        raise ValueError("nested too deep") from None


def _number(digits: str) -> int | float:
    """What CEL's int does not hold becomes a double, as all of JSON's numbers are."""
    found = int(digits) if len(digits) < 20 else float(digits)
    return found if abs(found) <= _LARGEST else float(found)


def _bounded(value: object, depth: int) -> object:
    if isinstance(value, dict | list):
        if not depth:
            raise ValueError("nested too deep")
        for each in value.values() if isinstance(value, dict) else value:
            _bounded(each, depth - 1)
    return value


def encode_json(value: object) -> str:
    try:
        return json.dumps(
            value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True
        )
    except (TypeError, ValueError, RecursionError):
        raise ValueError("not a value that JSON has") from None


def _bytes(value: str | bytearray) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)


def digest(name: str) -> Callable[[str | bytearray], str]:
    return lambda value: hashlib.new(name, _bytes(value)).hexdigest()


def keyed_digest(key: str | bytearray, value: str | bytearray) -> str:
    return hmac.new(_bytes(key), _bytes(value), "sha256").hexdigest()


def equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def checked(call: Callable[..., object]) -> Callable[..., object]:
    """The library would end a text that it is given at NUL."""

    def guarded(*given: Any) -> object:
        result = call(*given)
        if _has_nul(result):
            raise ValueError("a text with a NUL")
        return result

    return guarded


def _has_nul(value: object) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_has_nul(each) for item in value.items() for each in item)
    return isinstance(value, list | tuple) and any(map(_has_nul, value))
