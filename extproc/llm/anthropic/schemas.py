"""JSON Schema as Anthropic takes it for structured outputs.

https://docs.claude.com/en/docs/build-with-claude/structured-outputs: objects are closed, and bounds
of numbers, strings and arrays are not taken. They are said in the description instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from extproc.llm.strict_schemas import is_object
from extproc.protocols import json_spans

_NOT_TAKEN: Final = frozenset(
    {
        "exclusiveMaximum",
        "exclusiveMinimum",
        "maxItems",
        "maxLength",
        "maxProperties",
        "maximum",
        "minLength",
        "minProperties",
        "minimum",
        "multipleOf",
        "uniqueItems",
    }
)
_SCHEMAS: Final = frozenset({"items", "additionalProperties", "not"})
_NAMED: Final = frozenset({"properties", "$defs", "definitions"})
_LISTED: Final = frozenset({"anyOf", "allOf", "oneOf", "prefixItems"})


def closed(schema: Mapping[str, object]) -> dict[str, object]:
    """The same schema, in the form that is taken."""
    taken: dict[str, object] = {}
    said: dict[str, object] = {}
    for key, value in schema.items():
        if key in _NOT_TAKEN or (key == "minItems" and value not in (0, 1)):
            said[key] = value
        elif key in _SCHEMAS and type(value) is dict:
            taken[key] = closed(value)
        elif key in _NAMED and type(value) is dict:
            taken[key] = {name: _closed(each) for name, each in value.items()}
        elif key in _LISTED and type(value) is list:
            taken["anyOf" if key == "oneOf" else key] = [_closed(each) for each in value]
        else:
            taken[key] = value
    if "properties" in taken or is_object(taken.get("type")):
        taken.setdefault("additionalProperties", False)
    if said:
        rules = json_spans.encode(said).decode()
        description = taken.get("description")
        taken["description"] = f"{description}\n{rules}" if description else rules
    return taken


def _closed(schema: object) -> object:
    return closed(schema) if type(schema) is dict else schema
