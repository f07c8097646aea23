"""Bodies that are forms: urlencoded, and multipart with files.

https://spec.openapis.org/oas/v3.1.1.html#encoding-object, RFC 7578; names are escaped as the HTML
standard says ("multipart/form-data encoding algorithm").
"""

from __future__ import annotations

import binascii
import hashlib
import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote, quote_plus

from msgspec import Struct

from extproc.mcp.openapi.styles import Unsayable, header_text, of_query, pairs, text
from extproc.protocols import json_spans
from gateway.openapi.values import Field

_JSON = "application/json"
_BYTES = "application/octet-stream"
_NOT_QUOTED = re.compile(r'[\x00-\x1f\x7f-\x9f\u2028\u2029"]')
"""The quote, and all at which some reader ends a line."""
_FOLDERS = re.compile(r"[/\\]")


class FormValue(Struct, frozen=True):
    """A property, and what it is."""

    field: Field
    value: object
    filename: str = ""


class _Part(Struct, frozen=True):
    name: str
    data: bytes
    media_type: str = ""
    filename: str | None = None


def urlencoded(values: list[FormValue]) -> bytes:
    """`application/x-www-form-urlencoded`."""
    members: list[str] = []
    for each in values:
        field = each.field
        if field.style is not None:
            found = pairs(field.name, each.value, field.style, explode=field.explode)
            members += (of_query(pair, allows_reserved=field.allows_reserved) for pair in found)
        else:
            members += (
                f"{_plus(field.name)}={_plus(said)}" for said in _said(each.value, field.media_type)
            )
    return "&".join(members).encode()


def multipart(values: list[FormValue]) -> tuple[bytes, str]:
    """`multipart/form-data`: the body, and its Content-Type. Equal forms are equal bytes."""
    written = [_written(part) for each in values for part in _parts(each)]
    digest = hashlib.sha256(b"".join(written))
    while any(digest.hexdigest()[:32].encode() in part for part in written):
        digest.update(b"\0")
    boundary = f"dragoman-{digest.hexdigest()[:32]}"
    line = f"--{boundary}".encode()
    body = b"".join(b"%b\r\n%b\r\n" % (line, part) for part in written)
    return b"%b%b--\r\n" % (body, line), f"multipart/form-data; boundary={boundary}"


def decoded_base64(value: object) -> bytes:
    """Bytes that an argument says."""
    if not isinstance(value, str):
        raise Unsayable("must be the base64 of bytes")
    try:
        return binascii.a2b_base64(value.encode(), strict_mode=True) if value else b""
    except (binascii.Error, UnicodeEncodeError):
        raise Unsayable("must be base64, of the standard alphabet and with padding") from None


def _said(value: object, media_type: str) -> Iterator[str]:
    """The texts of a property: one, or as many as a list has."""
    if isinstance(value, list) and media_type != _JSON:
        for each in value:
            if each is not None:
                yield text(each)
    elif value is not None:
        yield json_spans.encode(value).decode() if media_type == _JSON else text(value)


def _parts(each: FormValue) -> Iterator[_Part]:
    field = each.field
    if field.is_file:
        files = each.value if isinstance(each.value, list) else [each.value]
        for file in files:
            if file is not None:
                filename = _FOLDERS.sub("_", each.filename or field.name)
                yield _Part(field.name, decoded_base64(file), field.media_type or _BYTES, filename)
    elif field.style is not None:
        for pair in pairs(field.name, each.value, field.style, explode=field.explode):
            yield _Part(pair.name, pair.delimiter.join(pair.texts).encode())
    else:
        items = each.value if isinstance(each.value, list) else [each.value]
        is_whole = field.media_type == _JSON
        for item in [each.value] if is_whole else items:
            if item is None:
                continue
            default = _JSON if isinstance(item, dict | list) else ""
            said = json_spans.encode(item).decode() if is_whole else text(item)
            yield _Part(field.name, said.encode(), field.media_type or default)


def _written(part: _Part) -> bytes:
    head = f'Content-Disposition: form-data; name="{_quoted(part.name)}"'
    if part.filename is not None:
        head += f'; filename="{_quoted(part.filename)}"'
    if part.media_type:
        head += f"\r\nContent-Type: {header_text(part.media_type)}"
    return b"%b\r\n\r\n%b" % (head.encode(), part.data)


def _quoted(name: str) -> str:
    return _NOT_QUOTED.sub(lambda found: quote(found[0]), name)


def _plus(value: str) -> str:
    return quote_plus(value, safe="*")


def values_of(
    fields: tuple[Field, ...], content: Mapping[str, object], filenames: Mapping[str, str]
) -> list[FormValue]:
    """Properties by their names; those of which the document says nothing are sent plainly."""
    known = {each.name: each for each in fields}
    return [
        FormValue(known.get(name) or Field(name), value, filenames.get(name, ""))
        for name, value in content.items()
    ]
