"""What a model would read of a request, and how to reword it, in any dialect that lists its shape.

Everything is read but what the shape lists as structure: a guard must not be passed by a
vendor's extension. Names that the dialect does not have are read like texts, numbers as they are
spelled. A string that holds JSON with escapes (arguments, results of tools) is read twice: as it
stands, and what it says. Text parts in a row are read one by one, and as the one text that they
are to a model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

from extproc.llm.attached import decoded, text_of
from extproc.llm.faults import unreadable
from extproc.llm.image_size import size_of_base64
from extproc.llm.shapes import (
    FREE,
    Attachment,
    ByType,
    Fields,
    Messages,
    Parts,
    Rule,
    Unread,
    of_type,
)
from extproc.llm.standing import SCOPES_OF_FIELDS, scope_of
from extproc.protocols import json_spans
from extproc.protocols.json_spans import MAX_SEPARATORS, InvalidJson, TooComplex, TooDeep
from extproc.rewording import Placed, Reworded, Rewording
from extproc.verdict import Deny
from gateway.model import TextScope

MAX_EMBEDDED = 3
"""Levels of JSON in strings of JSON."""
MAX_DEPTH = 200
"""Of objects and arrays, those in strings included."""

_ALL = Unread.ALL
_STRING = Unread.STRING
_FILE = Unread.FILE
_TWICE = Unread.FILE_TWICE
_DATA_URL = Unread.DATA_URL
_IMAGE = Unread.IMAGE
_LONGEST_ID = 512
_LARGEST_SPELLED_OUT = 1e22
"""From here on, not every integer is a float."""

_MAY_OPEN_JSON = frozenset("{[ \t\r\n")


def texts(document: Mapping[str, object], shape: Fields) -> tuple[str, ...]:
    """All that a model would read, in order.

    `TooDeep` or `TooComplex` when JSON in strings is.
    """
    found: list[str] = []
    _Walk(found.append).members(document, shape)
    return tuple(found)


def reword(
    body: bytes, shape: Fields, rewording: Rewording, scope: TextScope = TextScope.USER
) -> Reworded:
    """The body with its texts changed. Numbers stay as they were written, or become strings.
    `scope` is where what stands that says nothing of it.

    Strings that hold JSON are read in any case, so that they still do when they are changed.
    """
    document = json_spans.decode_exactly(body)
    if type(document) is not dict:
        raise InvalidJson("expected an object")
    if isinstance(rewording, Placed):
        new = _Standing(rewording.fixed, rewording, scope).members(document, shape)
    else:
        new = _Walk(rewording.fixed, rewording).members(document, shape)
    changed = {key: json_spans.encode(new[key]) for key in new if new[key] is not document[key]}
    return Reworded(changed, texts(new, shape))


def read_texts(document: Mapping[str, object], shape: Fields) -> tuple[str, ...] | Deny:
    """As `texts`; what cannot be read is refused."""
    try:
        return texts(document, shape)
    except InvalidJson as error:
        return unreadable(error)


def reworded(body: bytes, shape: Fields, rewording: Rewording) -> Reworded | Deny:
    """As `reword`; what cannot be read is refused."""
    try:
        return reword(body, shape, rewording)
    except InvalidJson as error:
        return unreadable(error)


class _Walk:
    """Goes through a request once. Whatever did not change stays the same object."""

    __slots__ = ("_depth", "_embedded_bytes", "_keep", "_level", "_rewording", "_separators")

    def __init__(self, keep: Callable[[str], None], rewording: Rewording | None = None) -> None:
        """`keep` is told of texts that stay: all, when there is no rewording."""
        self._keep = keep
        self._rewording = rewording
        self._depth = 0
        self._level = 0
        self._embedded_bytes = 0
        self._separators = 0

    def members(self, value: Mapping[str, object], fields: Fields) -> Mapping[str, object]:
        """An object, of which these fields are known."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _nested()
        if type(fields) is ByType:
            fields = of_type(value, fields)
        keep = self._keep
        known = fields.get
        changed: dict[str, object] | None = None
        for key, item in value.items():
            rule = known(key)
            if rule is _ALL:
                continue
            if rule is None:
                keep(key)
                rule = FREE
            if type(item) is str:
                if type(rule) is frozenset:
                    if item in rule:
                        continue
                elif rule is not FREE and _is_data(item, rule):
                    if rule is not _STRING:
                        self._attached(item, is_twice=rule is _TWICE)
                    continue
                new: object = self._text(item)
            else:
                new = self._value(item, rule if isinstance(rule, dict) else FREE)
            if new is not item:
                if changed is None:
                    changed = dict(value)
                changed[key] = new
        self._depth -= 1
        return value if changed is None else changed

    def _items(self, items: list[object], fields: Fields) -> list[object]:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _nested()
        after = items
        rewording = self._rewording
        if type(fields) is Parts:
            if rewording is None:
                self._read_parts(items, fields)
            else:
                after = self._parts(items, fields, rewording)
        elif type(fields) is Messages and rewording is None:
            self._read_messages(items, fields)
        else:
            after = self._each(items, fields)
        self._depth -= 1
        return after

    def _each(self, items: list[object], fields: Fields) -> list[object]:
        after = items
        for index, item in enumerate(items):
            new = self._value(item, fields)
            if new is not item:
                if after is items:
                    after = list(items)
                after[index] = new
        return after

    def _read_messages(self, messages: list[object], fields: Messages) -> None:
        rule = fields["role"]
        roles = rule if isinstance(rule, frozenset) else frozenset[str]()
        keep = self._keep
        for message in messages:
            if (  # as nearly all are
                type(message) is dict
                and len(message) == 2
                and type(text := message.get("content")) is str
                and type(role := message.get("role")) is str
                and role in roles
            ):
                keep(text)
                if "\\" in text and text[0] in _MAY_OPEN_JSON:
                    self.says(text)
            else:
                self._value(message, fields)

    def _read_parts(self, parts: list[object], fields: Parts) -> None:
        row: list[str] = []
        for part in parts:
            if (  # as nearly all are
                type(part) is dict
                and len(part) == 2
                and type(text := part.get("text")) is str
                and part.get("type") == "text"
            ):
                self._text(text)
                row.append(text)
            else:
                self._value(part, fields)
        if len(row) < len(parts):
            for run in _runs(parts):
                self._text("".join([part[3] for part in run]))
        elif len(row) > 1:
            self._text("".join(row))

    def _parts(self, parts: list[object], fields: Parts, rewording: Rewording) -> list[object]:
        new = self._each(_across(parts, rewording), fields)
        for run in _runs(new):  # they are reworded; what they say together in JSON is not
            _Walk(self._keep).says("".join([part[3] for part in run]))
        return new

    def _value(self, value: object, fields: Fields) -> object:
        if type(value) is dict:
            return self.members(value, fields)
        if type(value) is list:
            return self._items(value, fields)
        if type(value) is str:
            return self._text(value)
        return value if value is None or type(value) is bool else self._number(value)

    def says(self, text: str) -> None:
        """Reads what a text says in JSON, and not the text itself."""
        value = self._embedded(text)
        if value is not None:
            self._inside(value)

    def _text(self, text: str) -> str:
        rewording = self._rewording
        if rewording is None:
            self._keep(text)
            if "\\" in text and text[0] in _MAY_OPEN_JSON:
                self.says(text)
            return text
        new = text
        value = self._embedded(text)
        if value is not None:
            said = self._inside(value)
            if said is not value:
                new = json_spans.encode(said).decode()
        new = rewording.text(new)
        return text if new == text else new

    def _attached(self, file: str, *, is_twice: bool = False) -> None:
        """Of a file, what is text is read; it cannot be reworded."""
        text = text_of(file)
        if text:
            self._keep(text)
            inner = decoded(text) if is_twice else None
            if inner:
                self._keep(inner)

    def _number(self, number: object) -> object:
        spelled = _spelled(number)
        if self._rewording is None:
            self._keep(spelled)
            return number
        new = self._rewording.text(spelled)
        return number if new == spelled else new

    def _inside(self, value: object) -> object:
        self._level += 1
        new = self._value(value, FREE)
        self._level -= 1
        return new

    def _embedded(self, text: str) -> object:
        """The object or array that a text spells in JSON; else None.

        Without escapes, reading that would say no more than the text itself does.
        """
        is_escaped = "\\" in text
        is_read = is_escaped or (self._rewording is not None and self._level < MAX_EMBEDDED)
        if not is_read or text[:1] not in _MAY_OPEN_JSON:
            return None
        encoded = text.encode()
        self._count(encoded)
        try:
            value = json_spans.decode_exactly(encoded)
        except (TooComplex, TooDeep):
            raise
        except InvalidJson:
            return None
        if type(value) is not dict and type(value) is not list:
            return None
        if self._level == MAX_EMBEDDED:
            raise TooDeep(f"more than {MAX_EMBEDDED} levels of JSON in strings of JSON")
        return value

    def _count(self, embedded: bytes) -> None:
        """Many strings may not say together what the body may not."""
        self._embedded_bytes += len(embedded)
        if self._embedded_bytes > MAX_SEPARATORS:
            self._separators += json_spans.count_separators(embedded)
            if self._separators > MAX_SEPARATORS:
                raise TooComplex(f"more than {MAX_SEPARATORS} values in JSON in strings")


class _Standing(_Walk):
    """Says of every text where it stands. What is free stands where it is, whatever it names."""

    __slots__ = ("_at", "_scope")

    def __init__(self, keep: Callable[[str], None], rewording: Placed, scope: TextScope) -> None:
        super().__init__(keep, rewording)
        self._at = rewording.at
        self._scope = scope
        self._at(self._scope)

    def members(self, value: Mapping[str, object], fields: Fields) -> Mapping[str, object]:
        if fields is FREE:
            return super().members(value, fields)
        if type(fields) is ByType:
            fields = of_type(value, fields)
        outside = self._scope
        inside = scope_of(value, outside)
        changed: dict[str, object] | None = None
        for key, item in value.items():
            self._go(SCOPES_OF_FIELDS.get(key, inside))
            new = super().members({key: item}, fields)[key]
            if new is not item:
                changed = dict(value) if changed is None else changed
                changed[key] = new
        self._go(outside)
        return value if changed is None else changed

    def _go(self, scope: TextScope) -> None:
        if scope is not self._scope:
            self._scope = scope
            self._at(scope)


_TextPart: TypeAlias = "tuple[int, Mapping[str, object], str, str]"
"""Its place, the part, the name of the field that holds the text, and the text."""


def _runs(parts: Sequence[object]) -> Iterator[list[_TextPart]]:
    """The text parts that follow each other, where there are several."""
    run: list[_TextPart] = []
    for index, part in enumerate(parts):
        if type(part) is dict:
            name = "text" if "text" in part else "refusal"
            text = part.get(name)
            if type(text) is str:
                run.append((index, part, name, text))
                continue
        if len(run) > 1:
            yield run
        run = []
    if len(run) > 1:
        yield run


def _across(parts: list[object], rewording: Rewording) -> list[object]:
    """The parts, with what only several of them together say reworded."""
    after = parts
    for run in _runs(parts):
        new = rewording.across([part[3] for part in run])
        for (index, part, name, old), text in zip(run, new, strict=True):
            if text != old:
                if after is parts:
                    after = list(parts)
                after[index] = {**part, name: text}
    return after


def _is_data(text: str, rule: Rule) -> bool:
    if rule is _STRING:
        return _has_no_words(text)
    if rule is _FILE or rule is _TWICE:
        return True
    if rule is _IMAGE:
        return _has_no_words(text) and size_of_base64(text) is not None
    return (rule is _DATA_URL or type(rule) is Attachment) and text[:5].lower() == "data:"


def _has_no_words(text: str) -> bool:
    """Neither an id nor base64 has spaces, or other scripts; some models are shown ids."""
    if not text.isascii() or " " in text:
        return False
    return len(text) > _LONGEST_ID or text.isprintable()  # base64 may come in lines


def _nested() -> TooDeep:
    return TooDeep(f"nesting beyond {MAX_DEPTH}, with JSON in strings")


def _spelled(number: object) -> str:
    """As its digits: 4111111111111111.0 and 4.111111111111111e15 are a card's too."""
    if type(number) is int:
        return str(number)
    value = float(number)  # type: ignore[arg-type]
    if value.is_integer() and abs(value) < _LARGEST_SPELLED_OUT:
        return str(int(value))
    return repr(value)
