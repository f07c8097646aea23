"""JSON bodies that are read once, strictly, and changed by splicing: what is not named stays.

RFC 8259 with what it leaves open refused: duplicate keys at any depth, byte order marks,
lone surrogates, nesting beyond 200, more values than anybody needs. Two readers that disagree about
a body are a policy bypass.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Literal, TypeAlias

import jiter
import msgspec

MAX_SEPARATORS = 500_000
"""The most `,`, `[` and `{` outside strings: a value costs up to 30 times its bytes in memory."""

Path: TypeAlias = tuple[str, ...]
"""Names of members, from the outermost."""

_HERE: Path = ()
_NOWHERE = (0, 0)
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_items = msgspec.json.Decoder(list[msgspec.Raw])
_DUPLICATE = 'Detected duplicate key "'
_TOO_DEEP = "recursion limit exceeded"
_LONGEST_NAME = 64
_QUOTES_PER_SEPARATOR = 4
"""At most, in valid JSON: a name and a string."""
_WHITESPACE = frozenset(b" \t\n\r")
_TWO = 2
_MEMBER = re.compile(rb'\s*"([A-Za-z_]+)"\s*:\s*"')
"""The beginning of a member of an object that is a string."""
_ESCAPED = re.compile(rb"\\u00[2-7]")
"""What a letter of a name can be written as."""
_BACKSLASH = ord("\\")
_OPENING_BRACE = ord("{")
_SQUARE = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(each for each in range(256) if each not in b"[]{}")


class InvalidJson(ValueError):
    """Not a JSON object, or one that two readers could read differently."""


class DuplicateKey(InvalidJson):
    """An object, at whatever depth, that says a key twice (escaped or not)."""

    def __init__(self, name: str) -> None:
        super().__init__(f'duplicate key "{name}"')
        self.name = name
        """Escaped where it must be, and cut where it is long."""


class TooDeep(InvalidJson):
    """Nested beyond what is read."""


class TooComplex(InvalidJson):
    """More values than are read."""


def decode(body: bytes) -> dict[str, object]:
    """The object that the body holds; numbers are `int`, of up to 4300 digits, and `float`."""
    document = _parse(body, "float")
    if type(document) is not dict:
        raise InvalidJson("expected an object")
    return document


def decode_any(text: bytes) -> object:
    """The same, of any value."""
    return _parse(text, "float")


def decode_exactly(text: bytes) -> object:
    """Like `decode`, of any value; `encode` gives back its numbers as they were written."""
    return _parse(text, "lossless-float")


def encode(value: object) -> bytes:
    """Compact JSON of what `decode` or `decode_exactly` gave, or of a part of it."""
    return msgspec.json.encode(value, enc_hook=_as_written)


def is_deeper(body: bytes, depth: int) -> bool:
    """Whether objects and arrays are nested deeper than that. The body must be JSON."""
    if body.count(b"{") + body.count(b"[") <= depth:
        return False
    bare = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    brackets = b"".join(bare.split(b'"')[::2]).translate(_SQUARE, _NO_BRACKETS)
    for _ in range(depth):  # each round takes away the innermost
        if not brackets:
            return False
        brackets = brackets.replace(b"[]", b"")
    return bool(brackets)


def count_separators(text: bytes) -> int:
    """How many `,`, `[` and `{` are outside strings: about the number of values.

    Rather too many of invalid JSON.
    """
    bare = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    quotes = bare.count(b'"')
    if quotes > _QUOTES_PER_SEPARATOR * (MAX_SEPARATORS + 1):
        return quotes // _QUOTES_PER_SEPARATOR
    return _separators(b"".join(bare.split(b'"')[::2]))


def replace(body: bytes, values: Mapping[str, bytes]) -> bytes:
    """The body with these top-level values; absent keys are put before the closing brace.

    The body must be one that `decode` accepted, the values must be JSON.
    """
    if len(values) == 1:
        ((name, new),) = values.items()
        return replace_string(body, name, new)
    return _replaced(body, values)


def replace_string(body: bytes, name: str, new: bytes) -> bytes:
    """The same of one value, which is found soonest where it is a string."""
    span = _outer_string(body, name)
    if span is None:
        return _replaced(body, {name: new})
    return b"".join((body[: span[0]], new, memoryview(body)[span[1] :]))


def replace_at(body: bytes, values: Mapping[Path, bytes]) -> bytes:
    """The body with these values at these paths; what a path leads through is made where absent.

    The body must be one that `decode` accepted, the values must be JSON. `ValueError`: a path leads
    through what is no object.
    """
    if len(values) == 1:
        ((at, new_value),) = values.items()
        span = _inner_string(body, *at) if len(at) == _TWO else None
        if span is not None:
            return b"".join((body[: span[0]], new_value, body[span[1] :]))
    if not body.lstrip().startswith(b"{"):
        raise ValueError("not an object")
    inner: dict[str, dict[Path, bytes]] = {}
    for path, value in values.items():
        inner.setdefault(path[0], {})[path[1:]] = value
    spans = _spans(body, inner)
    new: dict[str, bytes] = {}
    for name, below in inner.items():
        if _HERE in below:
            new[name] = below[_HERE]
        else:
            start, end = spans.get(name, _NOWHERE)
            new[name] = replace_at(body[start:end] or b"{}", below)
    return _spliced(body, spans, new)


def replace_only(body: bytes, strings: Mapping[str, bytes]) -> bytes | None:
    """The body with these values in the place of strings that members of these names are, wherever
    they stand; None: it cannot be told without reading the body which members those are.

    The body must be one that `decode` accepted, the names letters, and such members must be there.
    """
    if b"\\" in body and b"\\u00" in body and _ESCAPED.search(body) is not None:
        return None  # it could be a name
    found: list[tuple[int, int, bytes]] = []
    for name, value in strings.items():
        quoted = b'"%b"' % name.encode()
        place = body.find(quoted)
        behind = place + len(quoted)
        if place < 0 or body.find(quoted, behind) >= 0:
            return None
        start = body.index(b'"', behind)
        found.append((start, _key_end(body, start), value))
    found.sort(reverse=True)
    for start, end, value in found:
        body = b"".join((body[:start], value, body[end:]))
    return body


def value_at(body: bytes, path: Path) -> bytes | None:
    """The value at a path, as it is written; None: there is none.

    The body must be one that `decode` accepted.
    """
    body = body.lstrip()
    for name in path:
        if not body.startswith(b"{"):
            return None
        raw = _members.decode(body).get(name)
        if raw is None:
            return None
        body = bytes(raw)
    return body


def _replaced(body: bytes, values: Mapping[str, bytes]) -> bytes:
    return _spliced(body, _spans(body, values), values)


def _spliced(
    body: bytes, spans: Mapping[str, tuple[int, int]], values: Mapping[str, bytes]
) -> bytes:
    pieces: list[bytes] = []
    done = 0
    for key, (start, end) in spans.items():  # in the order of the body
        pieces += (body[done:start], values[key])
        done = end
    if len(spans) < len(values):
        brace = body.rindex(b"}")
        pieces.append(body[done:brace])
        separator = b"" if _is_empty(body, brace) else b","
        for key, value in values.items():
            if key not in spans:
                pieces += (separator, msgspec.json.encode(key), b":", value)
                separator = b","
        done = brace
    pieces.append(body[done:])
    return b"".join(pieces)


def remove(body: bytes, keys: Collection[str]) -> bytes:
    """The body without these top-level keys; the others stay as they are written.

    The body must be one that `decode` accepted.
    """
    kept: list[bytes] = []
    opening = body.index(b"{") + 1
    is_changed = False
    before = opening
    for key, (_, end) in _spans(body, None).items():
        if key in keys:
            is_changed = True
        else:
            kept.append(body[before:end])
        before = body.find(b",", end) + 1 or end
    if not is_changed:
        return body
    return body[:opening] + b",".join(kept) + body[body.rindex(b"}") :]


def members(body: bytes) -> dict[str, bytes]:
    """The members of an object, as they are written. It must be one that `decode` accepted."""
    return {key: bytes(raw) for key, raw in _members.decode(body).items()}


def items(array: bytes) -> list[bytes]:
    """The items of an array, as they are written. It must be part of what `decode` accepted."""
    return [bytes(raw) for raw in _items.decode(array)]


def array(items: Iterable[bytes]) -> bytes:
    """The array of such items."""
    return b"[%s]" % b",".join(items)


def _parse(text: bytes, float_mode: Literal["float", "lossless-float"]) -> object:
    if (
        len(text) > MAX_SEPARATORS
        and _separators(text) > MAX_SEPARATORS
        and count_separators(text) > MAX_SEPARATORS
    ):
        raise TooComplex(f"more than {MAX_SEPARATORS} values")
    try:
        value: object = jiter.from_json(
            text,
            catch_duplicate_keys=True,
            cache_mode="keys",
            allow_inf_nan=False,
            float_mode=float_mode,
        )
    except ValueError as error:
        raise _reason(error) from None
    return value


def _separators(text: bytes) -> int:
    return text.count(b",") + text.count(b"[") + text.count(b"{")


def _spans(body: bytes, keys: Collection[str] | None) -> dict[str, tuple[int, int]]:
    """Spans of the values of those keys that are there, or of all, in the order of the body.

    The decoder gives keys in that order, and every value's exact length; so only the few bytes
    between the values are looked at.
    """
    found: dict[str, tuple[int, int]] = {}
    position = body.index(b"{")
    for key, raw in _members.decode(body).items():
        position = body.index(b":", _key_end(body, body.index(b'"', position))) + 1
        while body[position] in _WHITESPACE:
            position += 1
        end = position + len(memoryview(raw))
        if keys is None or key in keys:
            found[key] = (position, end)
            if keys is not None and len(found) == len(keys):
                break
        position = end
    return found


def _outer_string(body: bytes, key: str) -> tuple[int, int] | None:
    """The span of a top-level string, where it can be told without reading the body; else None.

    Before the first bracket within an object, and behind the last, all names are the object's own.
    A name in quotes, the first of which is not escaped, is no part of a longer string.
    """
    if not key.isidentifier():  # it could be another name with escapes
        return None
    quoted = f'"{key}"'.encode()
    place = body.find(quoted, 1, body.find(b"{", body.index(b"{") + 1))
    if place < 0 or body.find(b"[", 1, place) >= 0:
        closing = body.rindex(b"}")
        inner = max(body.rfind(b"]", 0, closing), body.rfind(b"}", 0, closing))
        place = body.find(quoted, max(inner, 1), closing)
        if place < 0:
            return None
    if body[place - 1] == _BACKSLASH:
        return None
    colon = place + len(quoted)
    start = body.find(b'"', colon)
    if body[colon:start].strip() != b":":  # it is a value, or its value is no string
        return None
    end = body.index(b'"', start + 1)
    return None if body[end - 1] == _BACKSLASH else (start, end + 1)


def _inner_string(body: bytes, outer: str, inner: str) -> tuple[int, int] | None:
    """The span of a string that is the first member of an object, which is one of the outermost's,
    where it can be told without reading the body; else None.

    No bracket stands before that object, so it is the outermost's own. A name in quotes that are
    not escaped is no part of a longer string, since what stood between two would be no JSON.
    """
    place = body.find(b"{", body.find(b"{") + 1)
    if place < 0 or body.find(b"[", 0, place) >= 0:
        return None
    before = body[:place].rstrip()
    quoted = f'"{outer}"'.encode()
    name = before[:-1].rstrip()
    if not (before.endswith(b":") and name.endswith(quoted)):
        return None
    if name[-len(quoted) - 1 : -len(quoted)] == b"\\":
        return None
    found = _MEMBER.match(body, place + 1)
    if found is None or found[1] != inner.encode():
        return None
    end = body.index(b'"', found.end())
    return None if body[end - 1] == _BACKSLASH else (found.end() - 1, end + 1)


def _key_end(body: bytes, start: int) -> int:
    """Behind the closing quote of the string that opens at `start`."""
    end = body.index(b'"', start + 1)
    while body[end - 1] == _BACKSLASH and _is_escaped(body, end):
        end = body.index(b'"', end + 1)
    return end + 1


def _is_escaped(body: bytes, position: int) -> bool:
    """True when an odd number of backslashes stands before the position."""
    before = position
    while body[before - 1] == _BACKSLASH:
        before -= 1
    return (position - before) % 2 == 1


def _is_empty(body: bytes, brace: int) -> bool:
    """True when the object that closes at `brace` has no members."""
    last = brace - 1
    while body[last] in _WHITESPACE:
        last -= 1
    return body[last] == _OPENING_BRACE


def _as_written(number: object) -> object:
    if isinstance(number, jiter.LosslessFloat):
        return msgspec.Raw(bytes(number))
    raise TypeError(f"not JSON: {type(number).__name__}")


def _reason(error: ValueError) -> InvalidJson:
    message = str(error)
    if message.startswith(_DUPLICATE):
        name = message[len(_DUPLICATE) : message.rindex('" at line ')]
        return DuplicateKey(name[:_LONGEST_NAME])
    return TooDeep(message) if message.startswith(_TOO_DEEP) else InvalidJson(message)
