"""What the schema refused, in our own words, and where in the document it is."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Literal, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from gateway.config.block import Block
from gateway.config.finding import Finding, Path
from gateway.config.kinds import fields, is_union, items, plain, values
from gateway.config.merging import Merged
from gateway.config.schema import Config
from gateway.problem import did_you_mean

_WORDS: Mapping[str, str] = {
    "missing": "is required",
    "string_type": "must be text",
    "dict_type": "must be a block of keys and values",
    "model_type": "must be a block of keys and values",
    "model_attributes_type": "must be a block of keys and values",
    "mapping_type": "must be a block of keys and values",
    "tuple_type": "must be a list",
    "too_short": "must not be empty",
    "union_tag_not_found": "is required",
}
_LONGEST = 60
_SECRETS = (("key",), ("token",))


def worded(error: ValidationError, value: object, document: Merged) -> list[Finding]:
    """Every error of the schema. `value` is what was validated: the paths lead into it."""
    return [
        _finding(each, located(each, value), document)
        for each in error.errors(include_url=False, include_input=False)
    ]


def located(error: ErrorDetails, value: object) -> Path:
    """The path of an error, without the tags that the schema puts between."""
    path: Path = ()
    for part in error["loc"]:
        found = _inside_value(value, part)
        if found is not None:
            value = found[0]
            path = (*path, part)
    if error["type"] == "missing":
        return (*path, error["loc"][-1])
    return (*path, "type") if error["type"] == "union_tag_not_found" else path


def _inside_value(value: object, part: int | str) -> tuple[object] | None:
    if isinstance(value, dict) and part in value:
        return (value[part],)
    if isinstance(value, list) and isinstance(part, int) and part < len(value):
        return (value[part],)
    return None


def _finding(error: ErrorDetails, path: Path, document: Merged) -> Finding:
    context = error.get("ctx", {})
    shown = _shown(path, document)
    match error["type"]:
        case "refused":
            tail = shown if context["is_shown"] else ""
            return Finding(path, f"{context['message']}{tail}", context["hint"])
        case "extra_forbidden":
            known = _known_keys(error["loc"][:-1])
            return Finding(path, f"unknown key '{path[-1]}'", did_you_mean(str(path[-1]), known))
        case "literal_error" | "enum" | "union_tag_invalid":
            words = _choices(error["loc"], error["type"])
            at = (*path, "type") if error["type"] == "union_tag_invalid" else path
            guess = did_you_mean(document.text(at) or "", words)
            hint = guess if guess.startswith("did you mean") else ""
            return Finding(at, f"must be one of {', '.join(words)}{_shown(at, document)}", hint)
        case "string_type" if document.text(path) is not None:
            return Finding(path, "must be text", "put it in quotes")
    return Finding(path, _WORDS.get(error["type"], error["msg"].lower()))


def _shown(path: Path, document: Merged) -> str:
    """What was written, unless it is a secret: before variables are replaced, and cut short."""
    text = document.text(path)
    is_secret = path[-1:] in _SECRETS and path[-2:-1] != ("for",)
    if text is None or is_secret:
        return ""
    line = " ".join(text.split())
    return f", not '{line if len(line) <= _LONGEST else line[:_LONGEST] + '…'}'"


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    kind = _type_at(location)
    if isinstance(kind, type) and issubclass(kind, Block):
        return [field.alias or name for name, field in kind.model_fields.items()]
    return []


def _choices(location: tuple[int | str, ...], error: str) -> list[str]:
    kind = _type_at(location)
    if error == "union_tag_invalid":
        return [tag for block in get_args(kind) for tag in _tags(block)]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return [str(each.value) for each in kind]
    return [str(each) for each in get_args(kind)]


def _type_at(location: tuple[int | str, ...]) -> object:
    """The annotation at a place of the schema, tags of unions included in the way."""
    kind: object = Config
    for part in location:
        kind = _inside(plain(kind), part)
    return plain(kind)


def _inside(kind: object, part: int | str) -> object:
    found = fields(kind)
    if part in found:
        return found[str(part)]
    if is_union(kind):
        return next((block for block in get_args(kind) if part in _tags(block)), None)
    return items(kind) or values(kind)


def _tags(block: object) -> list[str]:
    if isinstance(block, type) and issubclass(block, Block) and "type" in block.model_fields:
        kind = block.model_fields["type"].annotation
        return list(get_args(kind)) if get_origin(kind) is Literal else []
    return []
