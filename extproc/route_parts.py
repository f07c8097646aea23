"""Forms with files on plain routes: what they say as JSON, and the same form with other texts.

RFC 7578 with what its readers differ in refused, more than `multipart` does: whatever a backend
reads a form with, it finds the texts that guards have read. A part is `[{NAME: VALUE}, …]`; behind
it stand its file names, and as names of an object, which cannot be changed, what else it says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple, TypeAlias
from urllib.parse import quote, unquote

from extproc.protocols import json_spans, multipart
from extproc.protocols.escapes import without_references
from extproc.protocols.multipart import BadMultipart, Part

MOST_PARTS: Final = 1000

_MARKS: Final = r"!#$&+.^_`|~0-9A-Za-z-"
"""Of tokens, without `'` and `%`: to some readers, these quote and escape."""
_UTF_8: Final = r'[ \t]*;[ \t]*charset=(?:utf-?8|"utf-?8")'
_CONTENT_TYPE: Final = re.compile(
    rf"multipart/form-data(?:{_UTF_8})?[ \t]*;[ \t]*"
    rf"""boundary=(?:"([0-9A-Za-z'()+_./:=?-]{{1,70}})"|([0-9A-Za-z+_.-]{{1,70}}))"""
    rf"(?:{_UTF_8})?[ \t]*",
    re.IGNORECASE | re.ASCII,
)
_FORM_DATA: Final = " form-data"
_PARAMETER: Final = re.compile(
    rf"; (?:(name|filename)=(\"[^\"]*\"|[{_MARKS}]+)"
    rf"|(filename\*)=((?i:utf-8)'[A-Za-z-]*'(?:%[0-9A-Fa-f]{{2}}|[{_MARKS}])*))",
    re.ASCII,
)
"""With the spaces that all write, and some look for."""
_TYPE: Final = re.compile(rf"[{_MARKS}]+/[{_MARKS}]+[ \t]*(?:;.*)?", re.ASCII)
_ESCAPE: Final = re.compile(r"\\(.)")
_QUOTE: Final = '"'
_ESCAPED_QUOTE: Final = '\\"'
"""To some readers the end of a text, to others not."""
_ENCODED_WORD: Final = "=?"
"""RFC 2047."""
_NOT_QUOTED: Final = {each: f"%{each:02X}" for each in (*range(32), 0x22, 0x5C, 0x7F)}
"""As browsers write them; WHATWG HTML, "multipart/form-data encoding algorithm"."""
_CHARSET_FIELD: Final = "_charset_"
"""RFC 7578 §4.6: a field that says what the others are encoded in."""
_UTF_8_NAMES: Final = frozenset({"utf-8", "utf8", "us-ascii"})
_AS_IT_IS: Final = frozenset({"", "identity"})


class File(NamedTuple):
    """A file name, where it stands in the body: with its quotes, if it has any."""

    start: int
    end: int
    said: str
    is_extended: bool
    """`filename*`, RFC 8187."""


class Spoken(NamedTuple):
    """A part, and what its headers say."""

    part: Part
    is_file: bool
    """To all readers: it has a file name that is not empty. What is none is read, whatever its type
    is, since that is what readers of forms do."""
    files: tuple[File, ...]
    fixed: tuple[str, ...]
    """What else its headers say."""
    length: tuple[int, int] | None
    """Where its `content-length` stands."""

    def fault(self, why: str) -> str:
        return f"the part {self.part.name[:64]!r}: {why}"


Read: TypeAlias = Callable[[Spoken, bytes], bytes | None]
"""What a part says, in JSON; None: it is not read."""
Write: TypeAlias = Callable[[Spoken, bytes, bytes, bytes], bytes]
"""A part that says something else now: what was in it, and the JSON of it before and after."""


def delimiter_of(content_type: str) -> bytes:
    """What stands between the parts of a form."""
    if "boundary" not in content_type.lower():
        raise BadMultipart("the content type has no boundary")
    found = _CONTENT_TYPE.fullmatch(content_type)
    if found is None:
        raise BadMultipart("the content type must say one boundary, plainly, and nothing else")
    return b"--" + (found[1] or found[2]).encode()


def document_of(body: bytes, delimiter: bytes, read: Read) -> bytes:
    """What a form says: an array of its parts."""
    return json_spans.array(_told(each, body, read) for each in _spoken(body, delimiter))


def _told(spoken: Spoken, body: bytes, read: Read) -> bytes:
    part = spoken.part
    value = read(spoken, body[part.start : part.end])
    items = [b"{%b:%b}" % (json_spans.encode(part.name), b"null" if value is None else value)]
    items += [json_spans.encode(file.said) for file in spoken.files]
    if spoken.fixed:
        items.append(json_spans.encode(dict.fromkeys(spoken.fixed)))
    return json_spans.array(items)


def replaced(body: bytes, delimiter: bytes, told: tuple[bytes, bytes], write: Write) -> bytes:
    """The form where other texts are said. `told`: what it says, before and after."""
    before, after = map(json_spans.items, told)
    pieces: list[bytes] = []
    done = 0
    for spoken, old, new in zip(_spoken(body, delimiter), before, after, strict=True):
        if old == new:
            continue
        for start, end, written in _changes(spoken, body, (old, new), write):
            if delimiter in written:
                raise BadMultipart(spoken.fault("its new text has the boundary in it"))
            pieces += (body[done:start], written)
            done = end
    pieces.append(body[done:])
    return b"".join(pieces)


def _changes(
    spoken: Spoken, body: bytes, told: tuple[bytes, bytes], write: Write
) -> Iterator[tuple[int, int, bytes]]:
    """What is to be written where, in order."""
    part = spoken.part
    old, new = ([json_spans.encode(each) for each in _decoded(items)] for items in told)
    changes = [
        (file.start, file.end, _written(file, after))
        for file, before, after in zip(spoken.files, old[1:], new[1:], strict=False)
        if before != after
    ]
    if old[0] != new[0]:
        ((was,), (now,)) = (json_spans.members(each[0]).values() for each in (old, new))
        content = write(spoken, body[part.start : part.end], was, now)
        if spoken.length is not None:
            changes.append((*spoken.length, b"%d" % len(content)))
        changes.append((part.start, part.end, content))
    return iter(sorted(changes))


def _decoded(items: bytes) -> list[object]:
    found = json_spans.decode_exactly(items)
    assert isinstance(found, list), "only texts in it have changed"
    return found


def _written(file: File, said: bytes) -> bytes:
    """A file name, as its header has it."""
    name = str(json_spans.decode_exactly(said))
    if file.is_extended:
        return f"UTF-8''{quote(name, safe='')}".encode()
    return f'"{name.translate(_NOT_QUOTED)}"'.encode()


def _spoken(body: bytes, delimiter: bytes) -> Iterator[Spoken]:
    if body.startswith(delimiter + b"\r\n"):
        parts = multipart.parts_of(body, MOST_PARTS)
        if body.count(delimiter) != len(parts) + 1:  # to Django, each is one
            raise BadMultipart("the boundary is within a line, too")
        for part in parts:
            try:
                yield _heard(body, part)
            except BadMultipart as error:
                raise BadMultipart(f"the part {part.name[:64]!r}: {error}") from None
    elif body not in (delimiter + b"--", delimiter + b"--\r\n"):  # a form without parts
        raise BadMultipart("the body does not begin with its boundary")


def _heard(body: bytes, part: Part) -> Spoken:
    files: tuple[File, ...] = ()
    fixed: list[str] = []
    length = None
    at = part.head
    for line in body[part.head : part.start - 4].split(b"\r\n"):
        name, _, value = line.decode().partition(":")
        said = value.strip(" \t")
        match name.lower():
            case "content-disposition":
                files = _files(value, at + len(name) + 1)
            case "content-length":
                length = _length(said, part, at + len(name) + 1 + value.index(said))
            case "content-transfer-encoding":
                pass  # it is one of those that change nothing
            case "content-encoding":
                if said.lower() not in _AS_IT_IS:
                    raise BadMultipart(f"its content coding {said[:32]!r} is not read")
            case "content-type":
                _check_type(said)
                fixed.append(said)
            case _:
                fixed += (name, said)
        at += len(line) + 2
    if part.name.strip().lower() == _CHARSET_FIELD:
        said = body[part.start : part.end].decode(errors="replace")
        if said.lower() not in _UTF_8_NAMES:
            raise BadMultipart("only utf-8 is read")
    is_file = any(file.said.strip() for file in files if not file.is_extended)
    fixed += [other for file in files for other in _other_readings(file)]
    if "%" in part.name:
        fixed.append(unquote(part.name))
    return Spoken(part, is_file, files, tuple(filter(None, fixed)), length)


def _length(said: str, part: Part, start: int) -> tuple[int, int]:
    if said != str(part.end - part.start):
        raise BadMultipart("its content-length is not its length")
    return start, start + len(said)


def _check_type(content_type: str) -> None:
    if content_type and not _TYPE.fullmatch(content_type):
        raise BadMultipart("its content type is none")
    kind, _, parameters = content_type.lower().partition(";")
    if kind.startswith("multipart/"):
        raise BadMultipart("it has parts of its own")
    if "*" in parameters:  # RFC 2231: a charset in another guise
        raise BadMultipart("its content type has a parameter that some do not read")


def _files(disposition: str, start: int) -> tuple[File, ...]:
    """The file names that a header says. It must be one that `multipart` has read."""
    if not disposition.startswith(_FORM_DATA):
        raise BadMultipart("not all read its content-disposition alike")
    found = []
    at = len(_FORM_DATA)
    while at < len(disposition):
        parameter = _PARAMETER.match(disposition, at)
        if parameter is None or _ESCAPED_QUOTE in parameter[0]:
            raise BadMultipart("not all read its content-disposition alike")
        at = parameter.end()
        is_extended = parameter[1] is None
        if is_extended or parameter[1] == "filename":
            first, last = parameter.span(4 if is_extended else 2)
            written = disposition[first:last]
            said = _extended(written) if is_extended else written.strip(_QUOTE)
            if _ENCODED_WORD in said:
                raise BadMultipart("its file name is encoded as in mails")
            begin = start + len(disposition[:first].encode())
            found.append(File(begin, begin + len(written.encode()), said, is_extended))
    return tuple(found)


def _extended(value: str) -> str:
    try:
        return unquote(value.split("'", 2)[2], errors="strict")
    except UnicodeDecodeError:
        raise BadMultipart("its file name is not utf-8") from None


def _other_readings(file: File) -> list[str]:
    """What some readers make of a file name: without backslashes, percent-decoded, or as HTML."""
    if file.is_extended:
        return []
    bare = _ESCAPE.sub(r"\1", file.said)
    readings = (without_references(file.said), bare, unquote(file.said), unquote(bare))
    return [each for each in dict.fromkeys(readings) if each != file.said]
