"""JSON Schemas: compiled once, asked about texts. Nothing is fetched, patterns take linear time.

Specification: https://json-schema.org/draft/2020-12; other drafts where `$schema` names them.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, NoReturn

import jsonschema_rs
import msgspec

LARGEST_SCHEMA_BYTES = 1 << 20
_LONGEST_PLACE = 120
_LONGEST_FAULT = 300


class InvalidSchema(Exception):
    """It is no JSON Schema, or needs what is elsewhere; says why."""


class Schema:
    """One schema. Equal texts have equal outcomes, so whoever asks often may keep them."""

    __slots__ = ("_validator",)

    def __init__(self, document: Mapping[str, Any] | bool) -> None:
        """Raises `InvalidSchema`."""
        try:
            self._validator = jsonschema_rs.validator_for(
                document if isinstance(document, bool) else dict(document),
                pattern_options=jsonschema_rs.RegexOptions(),  # no backtracking
                retriever=_nowhere,
            )
        except (jsonschema_rs.ValidationError, ValueError, RecursionError) as error:
            said = getattr(error, "message", str(error))
            raise InvalidSchema(said.splitlines()[0] if said else "it cannot be read") from None

    @classmethod
    def of(cls, text: str) -> Schema:
        """Of a schema as JSON. Raises `InvalidSchema`."""
        try:
            document = msgspec.json.decode(text)
        except msgspec.DecodeError as error:
            raise InvalidSchema(str(error)) from None
        return cls(document)

    def fault(self, text: str) -> str | None:
        """What is wrong with a text, without anything that it says but names; None: it is JSON that
        the schema allows."""
        try:
            value = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
            return "it is not JSON"
        return self.fault_of(value)

    def fault_of(self, value: object) -> str | None:
        """The same of a value."""
        if self._validator.is_valid(value):
            return None
        for error in self._validator.iter_errors(value):
            place = "".join(f"/{part}" for part in error.instance_path)[:_LONGEST_PLACE]
            keyword = str(error.schema_path[-1]) if error.schema_path else "false"
            return f"at '{place or '/'}', {keyword!r} does not hold"
        return "it does not hold"

    def faults(self, text: str, most: int) -> tuple[str, ...]:
        """What is wrong with a text, in words that may repeat it, so for nobody but who said it."""
        try:
            value = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
            return ("it is not JSON",)
        if self._validator.is_valid(value):
            return ()
        found = []
        for error in itertools.islice(self._validator.iter_errors(value), most):
            place = "".join(f"/{part}" for part in error.instance_path)[:_LONGEST_PLACE]
            said = " ".join(error.message.split())
            cut = said if len(said) <= _LONGEST_FAULT else f"{said[:_LONGEST_FAULT]}…"
            found.append(f"at '{place}': {cut}" if place else cut)
        return tuple(found)


def _nowhere(uri: str) -> NoReturn:
    raise ValueError(f"nothing is fetched, so '{uri}' must stand in the schema")
