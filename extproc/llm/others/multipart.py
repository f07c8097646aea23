"""Requests that bring files: forms, or JSON where an API takes both. Files are found, not read.

Images to edit or vary, recordings to transcribe or translate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from extproc.llm import faults
from extproc.llm.dialect import Call, Reading
from extproc.llm.others import kinds
from extproc.llm.others.kinds import Kind
from extproc.llm.others.reading import JsonReading, call_of
from extproc.llm.shapes import Attachment
from extproc.protocols import bodies, json_spans, multipart
from extproc.protocols.multipart import BadMultipart, Part
from extproc.rewording import Reworded, Rewording
from extproc.verdict import Deny

FORM = "multipart/form-data"
JSON = "application/json"

_COUNTS = frozenset({"n"})
_LONGEST_COUNT = 10
_FLAGS: Mapping[str, bool] = {"true": True, "false": False, "True": True, "False": False}
"""What OpenAI's libraries write."""


class MultipartReading(Reading, Protocol):
    """A `Reading` that has to know what its body is. Values are put into the body by
    `bodies.replace`, which knows forms."""

    def decode_typed(self, body: bytes, content_type: str, model: str) -> Call | Deny:
        """The request in a body of this Content-Type. `model` is what the path says, if it does."""


@dataclass(frozen=True, slots=True)
class FormReading(JsonReading):
    """Of one kind of request; `MultipartReading`."""

    def decode_typed(self, body: bytes, content_type: str, model: str) -> Call | Deny:
        try:
            kind = multipart.media_type(content_type)
            if kind == FORM:
                return self._form(body, multipart.parts(body, content_type), model)
        except BadMultipart as error:
            return _unreadable(error)
        if kind == JSON and not bodies.is_form(body):
            return JsonReading.decode(self, body, model, is_stream=False)
        return Deny(415, "unsupported_media_type", f"the content type must be {FORM} or {JSON}")

    def decode(self, body: bytes, model: str, *, is_stream: bool) -> Call | Deny:
        """A body that was accepted once, or is JSON."""
        if not bodies.is_form(body):
            return JsonReading.decode(self, body, model, is_stream=is_stream)
        try:
            return self._form(body, multipart.parts_of(body), model)
        except BadMultipart as error:
            return _unreadable(error)

    def reword(self, body: bytes, rewording: Rewording) -> Reworded | Deny:
        if not bodies.is_form(body):
            return JsonReading.reword(self, body, rewording)
        document: dict[str, object] = {}
        for part in multipart.parts_of(body):
            if part.filename is None:
                _add(document, part.name, multipart.text(body, part))
            else:
                rewording.fixed(part.filename)
                rewording.fixed(part.content_type)
                rewording.fixed(_unexpected(self.kind, body, part))
        reworded = JsonReading.reword(self, json_spans.encode(document), rewording)
        if isinstance(reworded, Deny):
            return reworded
        for name, value in reworded.values.items():
            if multipart.has_boundary(body, str(json_spans.decode_exactly(value))):
                return Deny(400, "invalid_form", f"the boundary is in {name}", param=name)
        return reworded

    def _form(self, body: bytes, parts: tuple[Part, ...], model: str) -> Call | Deny:
        document: dict[str, object] = {}
        for part in parts:
            fault = _name_fault(self.kind, part, document)
            if fault is not None:
                return fault
            value = _value(self.kind, body, part)
            if isinstance(value, Deny):
                return value
            _add(document, part.name, value)
        return call_of(self.kind, document, model, len(body))


def _add(document: dict[str, object], name: str, value: object) -> None:
    """A name that comes again is a list."""
    before = document.get(name)
    if name not in document:
        document[name] = value
    elif type(before) is list:
        before.append(value)
    else:
        document[name] = [before, value]


def _name_fault(kind: Kind, part: Part, before: Mapping[str, object]) -> Deny | None:
    """Readers of forms take `model[]`, `model[0]` or ` Model` for `model`, and one of two."""
    name = part.name
    if "%" in name:
        return Deny(400, "ambiguous_key", f"{name!r} could be read in two ways", param=name)
    folded = name.partition("[")[0].strip(" .").casefold()
    if folded not in kind.decided_on:
        return None
    if name != folded:
        return Deny(400, "ambiguous_key", f"{name!r} could be read as {folded!r}", param=name)
    if name in before:
        return Deny(400, "duplicate_key", f'duplicate field "{name}"', param=name)
    if part.filename is not None:
        return faults.wrong_value(name, "must be a field, not a file")
    return None


def _value(kind: Kind, body: bytes, part: Part) -> object:
    if part.filename is not None:
        size = part.end - part.start
        file = {"filename": part.filename, "content_type": part.content_type, "bytes": size}
        text = _unexpected(kind, body, part)
        return {**file, "text": text} if text else file
    said = multipart.text(body, part)
    if part.name == "stream":
        flag = _FLAGS.get(said)
        return faults.wrong_value("stream", "must be true or false") if flag is None else flag
    if part.name in _COUNTS:
        if not (said.isascii() and said.isdigit() and len(said) <= _LONGEST_COUNT):
            return faults.wrong_value(part.name, "must be an integer")
        return int(said)
    return said


def _unexpected(kind: Kind, body: bytes, part: Part) -> str:
    """What a file says that comes as a field which is none of files; empty: nothing in text."""
    if type(kind.shape.get(part.name)) is Attachment:
        return ""
    try:
        return body[part.start : part.end].decode()
    except UnicodeDecodeError:
        return ""


def _unreadable(error: BadMultipart) -> Deny:
    return Deny(400, "invalid_form", f"the body is not a valid form: {error}")


IMAGE_EDITS = FormReading(kinds.IMAGE_EDITS)
IMAGE_VARIATIONS = FormReading(kinds.IMAGE_VARIATIONS)
TRANSCRIPTIONS = FormReading(kinds.TRANSCRIPTIONS)
TRANSLATIONS = FormReading(kinds.TRANSLATIONS)
