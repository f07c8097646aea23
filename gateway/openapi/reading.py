"""Text → a tree of plain values. JSON, or YAML by its core schema: keys are texts, dates too.

A tree is no larger and no deeper than it is written: aliases that unfold to billions are refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec
import yaml

MAX_DEPTH = 200
MAX_VALUES = 4_000_000

Tree: TypeAlias = Any
"""None, bool, int, float, str, list, or dict with texts as keys."""
Place: TypeAlias = tuple[str | int, ...]
"""Keys and positions, from the top of the document."""

_TAG = "tag:yaml.org,2002:"
_SCALARS = (
    ("null", re.compile("^(?:~|null|Null|NULL|)$"), ("", *"~nN")),
    ("bool", re.compile("^(?:true|True|TRUE|false|False|FALSE)$"), tuple("tTfF")),
    ("merge", re.compile("^<<$"), ("<",)),
    ("int", re.compile("^[-+]?(?:0|[1-9][0-9]*)$"), tuple("-+0123456789")),
    (
        "float",
        re.compile(r"^[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$"),
        tuple("-+.0123456789"),
    ),
)
"""Tags of YAML's core schema, what they look like, and how that begins."""


class NotADocument(Exception):
    """The text cannot be read."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


def read(text: str) -> Tree:
    """The values of a text. Raises `NotADocument`."""
    if text.lstrip("\ufeff \t\r\n").startswith(("{", "[")):
        try:
            return msgspec.json.decode(text.lstrip("\ufeff"))
        except (msgspec.DecodeError, RecursionError):
            pass  # YAML has braces, too, and says the line
    try:
        return _Plain().value(yaml.load(text, Loader=_Loader), 0)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark is not None else 0
        raise NotADocument(f"neither JSON nor YAML: {error.problem or error}", line) from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        message = str(error).splitlines()[0] if str(error) else "nested too deep"
        raise NotADocument(f"neither JSON nor YAML: {message}") from None


def line_of(text: str, place: Place) -> int:
    """The line of a place, or of the nearest around it; 0: the text cannot be read.

    It reads the text once more, so it is for mistakes.
    """
    try:
        node = yaml.compose(text, Loader=_Loader)
    except (yaml.YAMLError, RecursionError):
        return 0
    line = 0
    for part in place:
        found = _inside(node, part)
        if found is None:
            break
        line, node = found
    return line + 1


def pointer(place: Sequence[str | int]) -> str:
    """As a fragment of a URL, RFC 6901 §6: `#/paths/~1pets/get`."""
    parts = (str(part).replace("~", "~0").replace("/", "~1") for part in place)
    return "#" + "".join(f"/{part}" for part in parts)


def _inside(node: yaml.Node | None, part: str | int) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value == str(part):
                return key.start_mark.line, value
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        item = node.value[part]
        return item.start_mark.line, item
    return None


class _Loader(yaml.CSafeLoader):
    """YAML 1.2's core schema: `on`, `1:30` and dates are texts."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - as the base class has it
        sign: [(_TAG + tag, pattern) for tag, pattern, signs in _SCALARS if sign in signs]
        for sign in ("", *"tTfF~nN<-+.0123456789")
    }


class _Plain:
    """One walk that counts."""

    def __init__(self) -> None:
        self.values = 0

    def value(self, value: Any, depth: int) -> Tree:
        self.values += 1
        if depth > MAX_DEPTH:
            raise NotADocument(f"nested more than {MAX_DEPTH} deep")
        if self.values > MAX_VALUES:
            raise NotADocument(f"more than {MAX_VALUES} values once its aliases are followed")
        if isinstance(value, dict):
            return {_key(name): self.value(inner, depth + 1) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.value(inner, depth + 1) for inner in value]
        if isinstance(value, float) and not math.isfinite(value):
            return str(value)
        return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _key(name: object) -> str:
    if isinstance(name, bool):
        return "true" if name else "false"
    return "null" if name is None else str(name)
