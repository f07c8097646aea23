"""Forms with files: where their parts are, found strictly and without copying what is in them.

RFC 7578 and RFC 2046 §5.1 with what they leave open refused: preambles, epilogues, padding, bare
line ends before a boundary, folded or repeated headers, names that readers decode differently. Two
readers that disagree about a body are a policy bypass.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import count

from msgspec import Struct

from extproc.protocols import json_spans

MAX_PARTS = 256
"""Of requests to models."""
MAX_HEADER_BYTES = 8192
"""Of one part."""

_LINE_END = b"\r\n"
_RETURN = ord("\r")
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=?-][0-9A-Za-z'()+_,./:=?-]{0,69}")
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_HEADER = re.compile(rf"({_TOKEN}):(.*)")
_PARAMETER = re.compile(rf'[ \t]*;[ \t]*({_TOKEN})=(?:"((?:[^"\\]|\\.)*)"|({_TOKEN}|[^\s";]+))')
_CONTENT_TYPE = re.compile(rf"[ \t]*({_TOKEN}/{_TOKEN})")
_CONTROL = re.compile(r"[\0-\x08\n-\x1f\x7f-\x9f\u2028\u2029]")
"""Some readers end lines at more than one of them."""
_DISPOSITION = re.compile(r"form-data(?=[ \t;]|$)", re.IGNORECASE)
_READ_AS_THEY_ARE = frozenset({"7bit", "8bit", "binary"})
_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii"})
_CHARSET_FIELD = "_charset_"
"""RFC 7578 §4.6: a field that says what the others are encoded in."""


class BadMultipart(ValueError):
    """Not a form, or one that two readers could read differently."""


class Part(Struct, frozen=True):
    """A field or a file."""

    name: str
    """As it is written: browsers say `"` as `%22`, and some readers decode that."""
    filename: str | None
    """None: it is a field."""
    content_type: str
    """As it is written; empty: not said."""
    head: int
    """Where its headers begin; they end 4 bytes before what is in it."""
    start: int
    """Of what is in it, in the body."""
    end: int


def media_type(content_type: str) -> str:
    """`multipart/form-data` of a Content-Type, in lower case; empty: it is none."""
    found = _CONTENT_TYPE.match(content_type)
    return found[1].lower() if found else ""


def parts(body: bytes, content_type: str) -> tuple[Part, ...]:
    """The parts of a body of this Content-Type."""
    boundary = _parameters(content_type, len(media_type(content_type))).get("boundary", "")
    if not _BOUNDARY.fullmatch(boundary):
        raise BadMultipart("the content type has no boundary")
    if not body.startswith(b"--" + boundary.encode() + _LINE_END):
        raise BadMultipart("the body does not begin with its boundary")
    return parts_of(body)


def parts_of(body: bytes, most: int = MAX_PARTS) -> tuple[Part, ...]:
    """The parts of a body that begins with its boundary."""
    found: list[Part] = []
    for part in _parts(body, _delimiter(body)):
        if len(found) == most:
            raise BadMultipart(f"more than {most} parts")
        found.append(part)
    if not found:
        raise BadMultipart("a form without parts")
    return tuple(found)


def text(body: bytes, part: Part) -> str:
    """What a field says."""
    try:
        said = body[part.start : part.end].decode()
    except UnicodeDecodeError:
        raise BadMultipart(f"the field {part.name!r} is not utf-8") from None
    if part.name == _CHARSET_FIELD and said.lower() not in _CHARSETS:
        raise BadMultipart("only utf-8 is read")
    return said


def replace(body: bytes, values: Mapping[str, bytes]) -> bytes:
    """The body with these fields; one that is absent becomes the last part.

    The body must be one that `parts` accepted. A value is JSON: a string, or an array of strings
    for a field that is there as often.
    """
    delimiter = _delimiter(body)
    found = parts_of(body)
    left = {name: _texts(value) for name, value in values.items()}
    view = memoryview(body)
    pieces: list[bytes | memoryview] = []
    done = 0
    for part in found:
        if part.name in left and part.filename is None:
            new = left[part.name].pop(0).encode()
            if delimiter in new:
                raise BadMultipart(f"the new {part.name!r} has the boundary in it")
            pieces += (view[done : part.start], new)
            done = part.end
    end = found[-1].end
    pieces.append(view[done:end])
    names = {part.name for part in found}
    for name, texts in left.items():
        if name not in names:
            for new_text in texts:
                head = f'Content-Disposition: form-data; name="{name}"'.encode()
                new = new_text.encode()
                pieces += (_LINE_END, delimiter, _LINE_END, head, _LINE_END, _LINE_END, new)
    pieces.append(view[end:])
    return b"".join(pieces)


def has_boundary(body: bytes, new: str) -> bool:
    """Whether a new text would end its part."""
    return _delimiter(body) in new.encode()


def _texts(value: bytes) -> list[str]:
    said = json_spans.decode_exactly(value)
    return [str(each) for each in said] if type(said) is list else [str(said)]


def _delimiter(body: bytes) -> bytes:
    end = body.find(_LINE_END, 0, 75)
    if end < 0 or not body.startswith(b"--"):
        raise BadMultipart("the body does not begin with a boundary")
    return body[:end]


def _parts(body: bytes, delimiter: bytes) -> Iterator[Part]:
    position = len(delimiter)
    for number in count(1):
        following = body[position : position + 2]
        if following == b"--":
            if len(body) - position not in (2, 4) or not body.endswith((b"--", b"--\r\n")):
                raise BadMultipart("more data follow the last boundary")
            return
        if following != _LINE_END:
            raise BadMultipart("a line begins with the boundary and is longer")
        head_end = body.find(b"\r\n\r\n", position, position + MAX_HEADER_BYTES)
        if head_end < 0:
            raise BadMultipart(f"part {number}: headers that do not end, or are too large")
        try:
            at = _next(body, delimiter, head_end + 4)
            part = _part(body, position + 2, head_end, at - 2)
        except BadMultipart as error:
            raise BadMultipart(f"part {number}: {error}") from None
        yield part
        position = at + len(delimiter)


def _next(body: bytes, delimiter: bytes, start: int) -> int:
    """Where the next boundary line begins."""
    if body.startswith(delimiter, start):
        raise BadMultipart("it shares a line end with its headers")
    line_feed = body.find(b"\n" + delimiter, start)
    if line_feed < 0:
        raise BadMultipart("the last boundary is missing")
    end = line_feed + 1
    if line_feed == start or body[line_feed - 1] != _RETURN:
        raise BadMultipart("a boundary after a line end that is not CRLF")
    if body.find(b"\r" + delimiter, start, end) >= 0:
        raise BadMultipart("a boundary after a line end that is not CRLF")
    return end


def _part(body: bytes, head: int, head_end: int, end: int) -> Part:
    headers = _headers(body[head:head_end])
    encoding = headers.get("content-transfer-encoding", "binary").lower()
    if encoding not in _READ_AS_THEY_ARE:
        raise BadMultipart(f"the transfer encoding {encoding[:32]!r} is not read")
    disposition = headers.get("content-disposition", "")
    kind = _DISPOSITION.match(disposition)
    if kind is None:
        raise BadMultipart("it is not form-data")
    said = _parameters(disposition, kind.end())
    name = said.get("name", "")
    if not name or "name*" in said or "\\" in name or "=?" in name:
        raise BadMultipart("it has no name that all would read alike")
    content_type = headers.get("content-type", "")
    filename = said.get("filename", said.get("filename*"))
    if filename is None:
        _check_charset(content_type)
    return Part(name, filename, content_type, head, head_end + 4, end)


def _headers(head: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    try:
        lines = head.decode().split("\r\n")
    except UnicodeDecodeError:
        raise BadMultipart("its headers are not utf-8") from None
    for line in lines:
        found = _HEADER.fullmatch(line)
        if found is None or _CONTROL.search(line):
            raise BadMultipart("a line of its headers is none")
        name = found[1].lower()
        if name in headers:
            raise BadMultipart(f"two headers {name!r}")
        headers[name] = found[2].strip(" \t")
    return headers


def _check_charset(content_type: str) -> None:
    kind = media_type(content_type)
    if content_type and not kind:
        raise BadMultipart("its content type is none")
    charset = _parameters(content_type, len(kind)).get("charset", "utf-8") if kind else "utf-8"
    if charset.lower() not in _CHARSETS:
        raise BadMultipart("only utf-8 is read")


def _parameters(value: str, position: int) -> dict[str, str]:
    found: dict[str, str] = {}
    value = value.rstrip(" \t")
    while position < len(value):
        parameter = _PARAMETER.match(value, position)
        if parameter is None:
            raise BadMultipart("a header whose parameters cannot be read")
        name = parameter[1].lower()
        if name in found:
            raise BadMultipart(f"a header that says {name[:32]!r} twice")
        found[name] = parameter[2] if parameter[2] is not None else parameter[3]
        position = parameter.end()
    return found
