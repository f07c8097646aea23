"""What the demo says where it has to say JSON: one plausible value for a JSON Schema, and numbers
in the place of a text. Deterministic.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from math import sqrt

DIMENSIONS = 256
"""Of an embedding, where nobody asks for another number."""
_LONGEST_TEXT = 40
_DEEPEST = 12
"""Of schemas that refer to themselves."""
_FIRST = ("anyOf", "oneOf", "allOf")
_PLAIN: Mapping[str, object] = {"number": 1.5, "integer": 1, "boolean": True, "null": None}
_FORMATS: Mapping[str, str] = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "email": "demo@example.com",
    "time": "12:00:00Z",
    "uri": "https://example.com/demo",
    "uuid": "00000000-0000-4000-8000-000000000001",
}


def sample(schema: object, text: str) -> object:
    """A value that fits a schema; strings say `text`."""
    return _value(schema, text, schema, 0)


def _value(schema: object, text: str, whole: object, depth: int) -> object:
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return {} if schema is True else None
    reference = schema.get("$ref")
    if isinstance(reference, str):
        return _value(_referred(whole, reference), text, whole, depth + 1)
    if "const" in schema:
        return schema["const"]
    for name in ("enum", *_FIRST):
        choices = schema.get(name)
        if isinstance(choices, list) and choices:
            first = choices[0]
            return first if name == "enum" else _value(first, text, whole, depth + 1)
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = kind[0] if kind else "null"
    if kind == "object" or "properties" in schema:
        properties = schema.get("properties")
        known = properties if isinstance(properties, dict) else {}
        return {name: _value(each, text, whole, depth + 1) for name, each in known.items()}
    if kind == "array":
        fewest = schema.get("minItems")
        count = fewest if isinstance(fewest, int) else int(depth < _DEEPEST // 2)
        return [_value(schema.get("items"), text, whole, depth + 1)] * count
    if kind in _PLAIN:
        return _number(schema, _PLAIN[str(kind)])
    return _FORMATS.get(str(schema.get("format")), text[:_LONGEST_TEXT])


def _number(schema: Mapping[str, object], usual: object) -> object:
    """Within the bounds that are written."""
    if isinstance(usual, bool) or not isinstance(usual, int | float):
        return usual
    least, most = schema.get("minimum"), schema.get("maximum")
    if isinstance(least, int | float) and usual < least:
        return least
    return most if isinstance(most, int | float) and usual > most else usual


def _referred(whole: object, reference: str) -> object:
    """`#/$defs/Person`."""
    found = whole
    for name in reference.removeprefix("#").split("/")[1:]:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def embedding(text: str, dimensions: int) -> list[float]:
    """Of length 1; the same text is at the same place."""
    digests = (hashlib.sha256(f"{place}{text}".encode()).digest() for place in range(dimensions))
    numbers = [int.from_bytes(each[:4]) / 2**31 - 1 for each in digests]
    length = sqrt(sum(each * each for each in numbers)) or 1.0
    return [each / length for each in numbers]
