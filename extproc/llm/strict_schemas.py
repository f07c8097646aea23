"""Which JSON Schemas OpenAI takes as strict ones.

https://platform.openai.com/docs/guides/structured-outputs#supported-schemas: an object at the top,
every object closed, and all properties of each required. Others' strict schemas may have optional
properties; OpenAI refuses the request for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def is_strict(schema: Mapping[str, object] | None) -> bool:
    """Whether it is one. No schema is: there is nothing to get wrong."""
    return schema is None or (schema.get("type") == "object" and _fits(schema))


def _fits(schema: object) -> bool:
    if type(schema) is not dict:
        return schema is not True  # which allows anything
    properties = schema.get("properties")
    named = properties if type(properties) is dict else {}
    if named or is_object(schema.get("type")):
        required = schema.get("required")
        listed = required if type(required) is list else []
        if schema.get("additionalProperties") is not False or not all(
            name in listed for name in named
        ):
            return False
    return all(map(_fits, _within(schema, named)))


def _within(schema: Mapping[str, object], named: Mapping[str, object]) -> Iterable[object]:
    yield from named.values()
    for key in ("$defs", "definitions"):
        kept = schema.get(key)
        yield from kept.values() if type(kept) is dict else ()
    options = schema.get("anyOf")
    yield from options if type(options) is list else ()
    if "items" in schema:
        yield schema["items"]


def is_object(kind: object) -> bool:
    """Whether this `type` lets a value be one."""
    return kind == "object" or (type(kind) is list and "object" in kind)
