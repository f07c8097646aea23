"""What of a request on a plain route is text, and the same request with other texts.

Its query and its body are said as one document of JSON, which guards read as they read any:
`{"query": [{"q": "a"}, …], "body": …}`. A body of JSON stands there as it came, a text as a string,
a form as the query does (WHATWG URL, "application/x-www-form-urlencoded"), one with files as
`route_parts` says it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import Final, NamedTuple, TypeAlias
from urllib.parse import quote, unquote_plus

from extproc import route_parts
from extproc.llm import texts as walk
from extproc.llm.shapes import FREE, Fields
from extproc.protocols import escapes, json_spans
from extproc.protocols.json_spans import DuplicateKey, InvalidJson, TooComplex, TooDeep
from extproc.protocols.multipart import BadMultipart
from extproc.rewording import Reworded, Rewording
from extproc.route_parts import Spoken
from extproc.verdict import By, Deny, PolicyKind

_QUERY: Final = "query"
_BODY: Final = "body"
SHAPE: Final[Fields] = {_QUERY: FREE, _BODY: FREE, "event": FREE}
"""Of a document: all that stands there is text."""
_FORM: Final = "application/x-www-form-urlencoded"
_MULTIPART: Final = "multipart/"
_TEXTS: Final = frozenset(
    f"application/{each}"
    for each in (
        *("graphql", "json5", "sql", "toml", "xml", "x-yaml", "yaml"),
        *("json-lines", "jsonl", "jsonlines", "ndjson", "stream+json", "x-jsonlines", "x-ndjson"),
    )
)
_CHARSETS: Final = frozenset({"", "us-ascii", "utf-8", "utf8"})
_DECLARED: Final = re.compile(r"[\ufeff\s]*<\?xml\b[^>]*?\bencoding\s*=\s*[\"']?([^\"'\s?>]*)")
_LIKE_ASCII: Final = re.compile(
    r"utf-?8|(us-)?ascii|iso-?8859-[0-9]+|latin-?[0-9]+|windows-125[0-9]"
)
"""Encodings in which all of ASCII is what it is in ours, and nothing else is."""


class Form(Enum):
    """How a body is read."""

    JSON = auto()
    TEXT = auto()
    FIELDS = auto()
    """A form, of names and values."""
    UNSAID = auto()
    """Nothing says it: as JSON if it is that, else as text, else not."""


class Parts(NamedTuple):
    """A form with files, read as its parts are."""

    delimiter: bytes
    """What stands between them."""


AnyForm: TypeAlias = Form | Parts


class Said(NamedTuple):
    """What a request says."""

    query: str
    """Without its `?`."""
    body: bytes
    """Without its content coding."""
    form: AnyForm | None
    """None: the body is not read."""


class Unreadable(ValueError):
    """What guards cannot read does not pass them."""


def form_of(content_type: str) -> AnyForm | None:
    """How bodies of a content type are read; None: they are not. `Unreadable`, where it depends on
    the reader what that is, or in a charset other than UTF-8."""
    kind, _, parameters = content_type.partition(";")
    kind = kind.strip().lower()
    if "," in content_type:
        raise Unreadable("there are several content types")
    if kind.startswith(_MULTIPART):
        return _parts(kind, content_type)
    found = _form(kind)
    for parameter in parameters.split(";") if found is not None else ():
        name, _, value = parameter.partition("=")
        if (
            name.strip().lower().rstrip("*") == "charset"
            and value.strip(' "').lower() not in _CHARSETS
        ):
            raise Unreadable(f"its charset is {value.strip()[:32]!r}, and not utf-8")
    return found


def _parts(kind: str, content_type: str) -> Parts:
    """Some read any `multipart/…` as a form."""
    if kind != f"{_MULTIPART}form-data":
        raise Unreadable(f"of bodies with parts, {_MULTIPART}form-data alone is read")
    try:
        return Parts(route_parts.delimiter_of(content_type))
    except BadMultipart as error:
        raise Unreadable(str(error)) from None


def _form(kind: str) -> Form | None:
    if not kind:
        return Form.UNSAID
    if kind in _TEXTS:
        return Form.TEXT
    if kind in ("application/json", "text/json") or kind.endswith("+json"):
        return Form.JSON
    if kind == _FORM:
        return Form.FIELDS
    is_text = kind.startswith("text/") or kind.endswith(("+xml", "+yaml"))
    return Form.TEXT if is_text else None


def document_of(said: Said) -> bytes:
    """The document that guards read. `Unreadable`."""
    members = []
    if said.query:
        members.append(b'"query":' + json_spans.encode(_pairs(said.query, "query")))
    body = _body(said)
    if body is not None:
        members.append(b'"body":' + body)
    return b"{%b}" % b",".join(members)


def _body(said: Said) -> bytes | None:
    if said.form is None or not said.body:
        return None
    if isinstance(said.form, Parts):
        try:
            return route_parts.document_of(said.body, said.form.delimiter, _part)
        except BadMultipart as error:
            raise Unreadable(str(error)) from None
    if said.form is Form.JSON:
        return _json(said.body)
    if said.form is Form.FIELDS:
        return json_spans.encode(_pairs(_decoded(said.body), "form"))
    if said.form is Form.TEXT:
        return json_spans.encode(_undeclared(_decoded(said.body)))
    found = _found(said.body)
    if found is Form.TEXT:
        return json_spans.encode(_undeclared(said.body.decode()))
    return said.body if found is Form.JSON else None


def _found(body: bytes) -> Form | None:
    """How a body is read that nothing is said of."""
    try:
        json_spans.decode_any(body)
        return Form.JSON
    except (DuplicateKey, TooComplex, TooDeep) as error:
        raise Unreadable(str(error)) from None
    except (InvalidJson, UnicodeDecodeError):
        pass
    try:
        body.decode()
        return Form.TEXT
    except UnicodeDecodeError:
        return None


def _part(spoken: Spoken, content: bytes) -> bytes | None:
    try:
        return _body(Said("", content, _form_of_part(spoken, content)))
    except Unreadable as error:
        raise Unreadable(spoken.fault(str(error))) from None


def _new_part(spoken: Spoken, content: bytes, old: bytes, new: bytes) -> bytes:
    return _new_body(Said("", content, _form_of_part(spoken, content)), old, new)


def _form_of_part(spoken: Spoken, content: bytes) -> Form | None:
    """As of a body of its type. What is no file is text at least."""
    content_type = spoken.part.content_type
    if not content_type and not spoken.is_file:
        return Form.TEXT
    found = form_of(content_type)
    if found is None and not spoken.is_file:
        found = form_of(f"text/plain;{content_type.partition(';')[2]}")
    assert not isinstance(found, Parts), "parts have none of their own"
    return _found(content) if found is Form.UNSAID else found


def _json(body: bytes) -> bytes:
    """Alone, so that nothing in it ends the member that it becomes."""
    try:
        json_spans.decode_any(body)
    except (InvalidJson, UnicodeDecodeError) as error:
        raise Unreadable(str(error)) from None
    return body


def _decoded(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise Unreadable("the body is not utf-8") from None


def _undeclared(text: str) -> str:
    """A text that is no XML which says that it is to be read in another way."""
    found = _DECLARED.match(text)
    if found is not None and not _LIKE_ASCII.fullmatch(found[1].lower()):
        raise Unreadable(f"its XML says the encoding {found[1][:32]!r}")
    return text


def _pairs(text: str, what: str) -> list[dict[str, str]]:
    """Each member of a query, or a form, as an object: a name may come twice."""
    try:
        return [
            {unquote_plus(name, errors="strict"): unquote_plus(value, errors="strict")}
            for name, _, value in (each.partition("=") for each in text.split("&"))
        ]
    except UnicodeDecodeError:
        raise Unreadable(f"the {what} is not utf-8") from None


def said_in(document: Mapping[str, object]) -> tuple[str, ...]:
    """All that a decoded document says, in order; then what it says in escapes. Raises
    `InvalidJson`."""
    found = walk.texts(document, SHAPE)
    together = "".join(found)
    if "&" not in together and "\\" not in together:  # as in nearly all
        return found
    return (*found, *escapes.others(found))


def texts_of(document: bytes) -> tuple[str, ...] | Deny:
    """The same of one that is not decoded yet."""
    try:
        found = walk.texts(json_spans.decode(document), SHAPE)
    except InvalidJson as error:
        return unreadable(str(error))
    if not escapes.may_have_others(document):
        return found
    return (*found, *escapes.others(found))


def reword(document: bytes, rewording: Rewording) -> Reworded | Deny:
    """The document with other texts. What they say in escapes is not changed."""
    try:
        found = walk.reword(document, SHAPE, rewording)
    except InvalidJson as error:
        return unreadable(str(error))
    return with_escapes(document, found, rewording)


def with_escapes(document: bytes, found: Reworded, rewording: Rewording) -> Reworded:
    """The same, with what its texts say in escapes."""
    if not escapes.may_have_others(document):
        return found
    others = escapes.others(found.texts)
    for each in others:
        rewording.fixed(each)
    return Reworded(found.values, (*found.texts, *others))


def said_by(before: bytes, after: bytes, said: Said) -> Said:
    """What the request says now: `before` is its document, `after` the one with other texts. What
    has not changed stays as it was written. `Unreadable`, where that could not be read again."""
    old, new = json_spans.members(before), json_spans.members(after)
    query, body = said.query, said.body
    if new.get(_QUERY) != old.get(_QUERY):
        query = _joined(query, old[_QUERY], new[_QUERY])
    if new.get(_BODY) != old.get(_BODY):
        body = _new_body(said, old[_BODY], new[_BODY])
    return Said(query, body, said.form)


def _new_body(said: Said, old: bytes, new: bytes) -> bytes:
    if isinstance(said.form, Parts):
        try:
            return route_parts.replaced(said.body, said.form.delimiter, (old, new), _new_part)
        except BadMultipart as error:
            raise Unreadable(str(error)) from None
    if said.form is Form.FIELDS:
        return _joined(said.body.decode(), old, new).encode()
    text = json_spans.decode_any(new)
    is_json = said.form is Form.JSON or (said.form is Form.UNSAID and old == said.body.strip())
    return text.encode() if isinstance(text, str) and not is_json else new


def _joined(text: str, old: bytes, new: bytes) -> str:
    """The members, where a value has changed with another one."""
    found = []
    for member, before, after in zip(text.split("&"), _objects(old), _objects(new), strict=True):
        ((_, was),), ((_, value),) = before.items(), after.items()
        name = member.partition("=")[0]
        found.append(member if value == was else f"{name}={quote(value, safe='')}")
    return "&".join(found)


def _objects(array: bytes) -> Sequence[Mapping[str, str]]:
    found = json_spans.decode_any(array)
    assert isinstance(found, list), "only texts in it have changed"
    return found


def unreadable(why: str) -> Deny:
    """The request is refused, since nobody has read it."""
    reason = f"guards cannot read the request: {why}"
    return Deny(400, "unreadable_request", reason, by=By(PolicyKind.REQUEST))
