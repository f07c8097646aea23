"""Values as text in URLs, headers, cookies and forms: every style of OpenAPI's parameters.

https://spec.openapis.org/oas/v3.1.1.html#style-values, RFC 6570. Where the specification says
nothing: null is left out, objects and arrays within others are JSON, and `deepObject` goes on:
`filter[a][b]=1`, `filter[a][]=1`. What a reader could not tell apart is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote

import jiter
from msgspec import Struct

from extproc.protocols import json_spans
from gateway.openapi.values import Style

RESERVED = ":/?@!$'()*,"
"""What `allowReserved` lets pass, without what separates members of a query for anybody."""
_DELIMITERS = {
    Style.SPACE_DELIMITED: " ",
    Style.PIPE_DELIMITED: "|",
    Style.TAB_DELIMITED: "\t",
}
_TRIPLE = re.compile(r"(%[0-9A-Fa-f]{2})")
_MAX_DEPTH = 32


class Unsayable(ValueError):
    """A value that the style, or the place, cannot say; says why."""


class Pair(Struct, frozen=True):
    """A member of a query, a cookie or a form, before it is encoded."""

    name: str
    texts: tuple[str, ...]
    delimiter: str = ""
    is_of_object: bool = False
    """The name is a key of the value, and not the parameter's."""


def text(value: object) -> str:
    """A scalar as it is said in a URL; what is none, as JSON."""
    if isinstance(value, str):
        return value
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, jiter.LosslessFloat):
        return bytes(value).decode()
    try:
        return json_spans.encode(value).decode()
    except UnicodeEncodeError:
        raise Unsayable("has characters that are none") from None


def pairs(name: str, value: object, style: Style, *, explode: bool) -> list[Pair]:
    """What stands in a query, a cookie or a form."""
    if value is None:
        return []
    if style is Style.DEEP_OBJECT and isinstance(value, dict | list):
        return list(_deep(name, value, 0))
    if isinstance(value, list):
        texts = tuple(text(each) for each in value if each is not None)
        if explode:
            return [Pair(name, (each,)) for each in texts]
    elif isinstance(value, dict):
        members = [(key, text(each)) for key, each in value.items() if each is not None]
        if explode:
            return [Pair(key, (each,), is_of_object=True) for key, each in members]
        texts = tuple(part for member in members for part in member)
    else:
        return [Pair(name, (text(value),))]
    delimiter = _DELIMITERS.get(style, ",")
    if delimiter != ",":
        _check_delimiter(texts, delimiter)
    return [Pair(name, texts, delimiter)] if texts else []


def encoded(text_: str, *, allows_reserved: bool = False) -> str:
    """Percent-encoded; of what is reserved, nothing or little passes."""
    try:
        if not allows_reserved:
            return quote(text_, safe="")
        parts = _TRIPLE.split(text_)
        return "".join(
            part if index % 2 else quote(part, safe=RESERVED) for index, part in enumerate(parts)
        )
    except UnicodeEncodeError:
        raise Unsayable("has characters that are none") from None


def of_query(pair: Pair, *, allows_reserved: bool = False) -> str:
    """`name=value`, percent-encoded. A comma that separates is not."""
    delimiter = "," if pair.delimiter == "," else encoded(pair.delimiter)
    values = (encoded(each, allows_reserved=allows_reserved) for each in pair.texts)
    return f"{encoded(pair.name)}={delimiter.join(values)}"


def in_path(name: str, value: object, style: Style, *, explode: bool) -> str:
    """What stands in the path, percent-encoded."""
    if style is Style.MATRIX:
        return "".join(_matrix(name, value, explode=explode))
    is_list = explode and style is Style.LABEL
    delimiter = _DELIMITERS.get(style, "." if is_list else ",")
    texts, keys = _texts(value)
    if delimiter not in ".,":
        _check_delimiter((*keys, *texts), delimiter)
    values = [_label(each) if is_list else encoded(each) for each in texts]
    if keys:
        names = [_label(each) if is_list else encoded(each) for each in keys]
        members = zip(names, values, strict=True)
        values = (
            [f"{key}={each}" for key, each in members]
            if explode
            else [part for member in members for part in member]
        )
    said = (delimiter if delimiter in ".," else encoded(delimiter)).join(values)
    return f".{said}" if style is Style.LABEL else said


def in_header(value: object, style: Style, *, explode: bool) -> str:
    """A header's value, which nobody decodes: what separates may not stand in it."""
    if not isinstance(value, list | dict):
        return header_text(text(value))
    delimiter = _DELIMITERS.get(style, ",")
    texts, keys = _texts(value)
    _check_delimiter((*keys, *texts), delimiter)
    if keys and explode:
        _check_delimiter(keys, "=")
        texts = tuple(f"{key}={each}" for key, each in zip(keys, texts, strict=True))
    elif keys:
        texts = tuple(part for member in zip(keys, texts, strict=True) for part in member)
    return header_text(delimiter.join(texts))


def header_text(value: str) -> str:
    """The text, when it can stand in a header."""
    if not value.isascii():
        raise Unsayable("stands in a header, where only ASCII can")
    if any(ord(each) < 32 or ord(each) == 127 for each in value.replace("\t", "")):
        raise Unsayable("stands in a header, where no line ends and control characters can")
    if value != value.strip(" \t"):
        raise Unsayable("stands in a header, where no space can be at the end")
    return value


def _texts(value: object) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The parts of a value, and their keys if it is an object."""
    if isinstance(value, list):
        return tuple(text(each) for each in value if each is not None), ()
    if isinstance(value, dict):
        members = {key: text(each) for key, each in value.items() if each is not None}
        return tuple(members.values()), tuple(members)
    return (text(value),), ()


def _matrix(name: str, value: object, *, explode: bool) -> Iterator[str]:
    said = encoded(name)
    texts, keys = _texts(value)
    values = [encoded(each) for each in texts]
    if not isinstance(value, list | dict):
        yield f";{said}={values[0]}" if values[0] else f";{said}"
    elif explode:
        names = [encoded(each) for each in keys] or [said] * len(values)
        yield from (f";{key}={each}" for key, each in zip(names, values, strict=True))
    elif values:
        if keys:
            members = zip((encoded(each) for each in keys), values, strict=True)
            values = [part for member in members for part in member]
        yield f";{said}={','.join(values)}"


def _label(value: str) -> str:
    """With dots, which separate, encoded."""
    return encoded(value).replace(".", "%2E")


def _deep(name: str, value: object, depth: int) -> Iterator[Pair]:
    """Lists of scalars repeat `name[]`; others are numbered, as nobody could join them again."""
    if depth > _MAX_DEPTH:
        raise Unsayable("is nested too deep")
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _deep(f"{name}[{key}]", each, depth + 1)
    elif isinstance(value, list):
        is_plain = not any(isinstance(each, dict | list) for each in value)
        for index, each in enumerate(value):
            yield from _deep(f"{name}[]" if is_plain else f"{name}[{index}]", each, depth + 1)
    elif value is not None:
        yield Pair(name, (text(value),))


def _check_delimiter(texts: tuple[str, ...], delimiter: str) -> None:
    if any(delimiter in each for each in texts):
        raise Unsayable(f"has {delimiter!r} in a part, which separates its parts")
