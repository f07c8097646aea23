"""The two names that Gemini's API takes for each field, made one: protobuf's JSON mapping.

https://protobuf.dev/programming-guides/json: `systemInstruction` is also read as
`system_instruction`. Google's front end takes a lone object where a list of objects is meant, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from extproc.llm.shapes import Attachment, Fields, Messages, Parts, Rule


class SpelledTwice(ValueError):
    """An object that says one field under both of its names, which may differ."""

    def __init__(self, name: str, other: str) -> None:
        super().__init__(f"{name!r} and {other!r} are the same field")
        self.name = other


@dataclass(frozen=True, slots=True)
class Known:
    """The fields of an object, and those of the objects below it."""

    camel: Mapping[str, str]
    """Names with underscores → the names that we use."""
    below: Mapping[str, Known]
    repeated: frozenset[str]
    """Those that are lists of objects."""
    all: frozenset[str]
    """The names that we use."""
    folded: Mapping[str, str]
    """As a reader without regard to case takes them → the names that we use."""


def known(fields: Fields, repeated: frozenset[str]) -> Known:
    """What a shape says of names. Fields below what is free, or not read, are nobody's names."""
    camel = {_snake(name): name for name in fields if _snake(name) != name}
    below = {
        name: known(rule, repeated)
        for name, rule in fields.items()
        if isinstance(rule, Mapping) and rule
    }
    folded = {name.casefold(): name for name in fields}
    return Known(camel, below, repeated & frozenset(fields), frozenset(fields), folded)


def both(fields: Fields) -> Fields:
    """The shape with both names of each field."""
    named: dict[str, Rule] = {}
    for name, rule in fields.items():
        named[name] = named[_snake(name)] = both(rule) if isinstance(rule, Mapping) else rule
    for kind in (Parts, Messages, Attachment):
        if isinstance(fields, kind):
            return kind(named)
    return named


def canonical(value: Mapping[str, object], names: Known) -> Mapping[str, object]:
    """The object with the names that we use; itself where it has them. Raises `SpelledTwice`."""
    result: dict[str, object] | None = None
    for key, item in value.items():
        name = names.camel.get(key, key)
        if name is not key and name in value:
            raise SpelledTwice(name, key)
        new = item
        below = names.below.get(name)
        if below is not None:
            if type(item) is list:
                new = _each(item, below)
            elif type(item) is dict:
                inner = canonical(item, below)
                new = [inner] if name in names.repeated else inner
        if new is not item or name is not key:
            if result is None:
                result = dict(value)
            del result[key]
            result[name] = new
    return value if result is None else result


def _each(items: list[object], names: Known) -> list[object]:
    after = items
    for index, item in enumerate(items):
        if type(item) is dict:
            new = canonical(item, names)
            if new is not item:
                if after is items:
                    after = list(items)
                after[index] = new
    return after


def _snake(name: str) -> str:
    return "".join([f"_{letter.lower()}" if letter.isupper() else letter for letter in name])
