"""JSON Schema as Gemini takes it, and its OpenAPI schemas as JSON Schema.

https://ai.google.dev/gemini-api/docs/structured-output#json_schema_support. Schemas are sent as
JSON Schema (`parametersJsonSchema`, `responseJsonSchema`), which says more than the older form:
`$ref`s are written out, since they may stand alone only and may not go round; what is known under
another keyword is said so. Keywords that do not bind Gemini's models are let stand.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeGuard

MAX_NODES = 2000
"""Of a schema that is written out. Beyond, its `$ref`s stay."""
MAX_RECURSION = 2
"""How often a schema is written out inside itself."""

_STRING_FORMATS = frozenset({"date", "date-time", "time"})
_NUMBER_FORMATS = frozenset({"float", "double", "int32", "int64"})
_FORMATS = _STRING_FORMATS | _NUMBER_FORMATS
_LISTS = ("anyOf", "prefixItems")
_SINGLES = ("items", "additionalProperties", "not")
_DROPPED = frozenset({"$schema", "$id", "$comment", "$anchor", "$defs", "definitions"})
_COUNTS = ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties")
_RENAMED = {
    "any_of": "anyOf",
    "additional_properties": "additionalProperties",
    "max_items": "maxItems",
    "max_length": "maxLength",
    "max_properties": "maxProperties",
    "min_items": "minItems",
    "min_length": "minLength",
    "min_properties": "minProperties",
    "property_ordering": "propertyOrdering",
    "defs": "$defs",
    "ref": "$ref",
}
"""Of the OpenAPI form: its other names → those of JSON Schema."""


def for_gemini(schema: Mapping[str, object]) -> Mapping[str, object]:
    """The schema in what Gemini documents of JSON Schema."""
    try:
        return _Writer(schema).write(schema, ())
    except _TooLarge:
        return schema


def from_openapi(schema: Mapping[str, object]) -> dict[str, object]:
    """`parameters` and `responseSchema`: types in capitals, `nullable`, counts as strings."""
    said: dict[str, object] = {}
    for key, value in schema.items():
        name = _RENAMED.get(key, key)
        if value is None or name == "nullable":
            continue
        if name == "type":
            if type(value) is str and value != "TYPE_UNSPECIFIED":
                said["type"] = value.lower()
        elif name in ("properties", "$defs") and type(value) is dict:
            said[name] = {each: _from_openapi(value[each]) for each in _ordered(value, schema)}
        elif name == "anyOf" and type(value) is list:
            said[name] = [_from_openapi(inner) for inner in value]
        elif name in ("items", "additionalProperties"):
            said[name] = _from_openapi(value)
        elif name in _COUNTS and type(value) is str and value.isdigit():
            said[name] = int(value)
        elif (name, value) == ("format", "enum") or name == "propertyOrdering":
            continue  # the order of properties says the latter
        elif name == "example":
            said["examples"] = [value]
        elif name == "$ref" and type(value) is str:
            said[name] = value.replace("#/defs/", "#/$defs/")
        else:
            said[name] = value
    return _nullable(said) if schema.get("nullable") is True else said


class _TooLarge(Exception):
    """A schema that is too large when it is written out."""


class _Writer:
    """Writes one schema out."""

    __slots__ = ("_nodes", "_root")

    def __init__(self, root: Mapping[str, object]) -> None:
        self._root = root
        self._nodes = 0

    def write(self, schema: Mapping[str, object], inside: tuple[str, ...]) -> dict[str, object]:
        """`inside` are the `$ref`s within which this stands."""
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise _TooLarge
        reference = schema.get("$ref")
        if type(reference) is str:
            return self._referred(schema, reference, inside)
        said: dict[str, object] = {}
        for key, value in schema.items():
            if key in _DROPPED:
                continue
            if key in ("properties", "patternProperties") and type(value) is dict:
                said[key] = {name: self._any(inner, inside) for name, inner in value.items()}
            elif key == "oneOf" and type(value) is list:  # which Gemini takes for anyOf
                said["anyOf"] = [self._any(inner, inside) for inner in value]
            elif key in _LISTS and type(value) is list:
                said[key] = [self._any(inner, inside) for inner in value]
            elif key in _SINGLES:
                said[key] = self._any(value, inside)
            elif key == "const":
                _say_constant(said, value)
            elif key == "format":
                if value in _FORMATS:
                    said[key] = value
            elif key == "allOf" and type(value) is list:
                for inner in value:
                    if type(inner) is dict:
                        _merge(said, self.write(inner, inside))
            else:
                said[key] = value
        return _without_lone_null(said)

    def _any(self, value: object, inside: tuple[str, ...]) -> object:
        return self.write(value, inside) if type(value) is dict else value

    def _referred(
        self, schema: Mapping[str, object], reference: str, inside: tuple[str, ...]
    ) -> dict[str, object]:
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        target = self._find(reference)
        if target is None:  # the provider will say so
            return {"$ref": reference}
        if inside.count(reference) >= MAX_RECURSION:
            kind = target.get("type")
            said: dict[str, object] = {} if kind is None else {"type": kind}
        else:
            said = self.write(target, (*inside, reference))
        if beside:
            said.update(self.write(beside, inside))
        return said

    def _find(self, reference: str) -> Mapping[str, object] | None:
        if reference != "#" and not reference.startswith("#/"):
            return None
        found: object = self._root
        for step in reference[2:].split("/") if len(reference) > 1 else ():
            if type(found) is not dict:
                return None
            found = found.get(step.replace("~1", "/").replace("~0", "~"))
        return found if type(found) is dict else None


def _from_openapi(value: object) -> object:
    return from_openapi(value) if type(value) is dict else value


def _ordered(named: Mapping[str, object], schema: Mapping[str, object]) -> list[str]:
    wanted = schema.get("propertyOrdering", schema.get("property_ordering"))
    first = [each for each in wanted if each in named] if _is_words(wanted) else []
    return list(dict.fromkeys((*first, *named)))


def _is_words(value: object) -> TypeGuard[list[str]]:
    return type(value) is list and all(type(each) is str for each in value)


def _nullable(said: dict[str, object]) -> dict[str, object]:
    kind = said.get("type")
    if type(kind) is str:
        said["type"] = [kind, "null"]
    elif type(options := said.get("anyOf")) is list:
        said["anyOf"] = [*options, {"type": "null"}]
    values = said.get("enum")
    if type(values) is list and None not in values:
        said["enum"] = [*values, None]
    return said


def _say_constant(said: dict[str, object], value: object) -> None:
    """An `enum` of one, which Gemini has for strings and numbers."""
    if type(value) is str:
        said.setdefault("type", "string")
        said["enum"] = [value]
    elif type(value) is bool:
        said.setdefault("type", "boolean")
    elif value is None:
        said.setdefault("type", "null")
    elif type(value) is int:
        said.setdefault("type", "integer")
        said["enum"] = [value]
    elif type(value) is float:
        said.setdefault("type", "number")
        said["enum"] = [value]


def _merge(said: dict[str, object], more: Mapping[str, object]) -> None:
    """Both must hold: properties of both, what is required by either."""
    for key, value in more.items():
        have = said.get(key)
        if key == "properties" and type(have) is dict and type(value) is dict:
            said[key] = {**have, **value}
        elif key == "required" and type(have) is list and type(value) is list:
            said[key] = have + [name for name in value if name not in have]
        else:
            said[key] = value


def _without_lone_null(said: dict[str, object]) -> dict[str, object]:
    """`anyOf` of one schema and null: the same schema, nullable."""
    options = said.get("anyOf")
    if type(options) is not list or {"type": "null"} not in options:
        return said
    others = [option for option in options if option != {"type": "null"}]
    if len(others) != 1 or type(others[0]) is not dict or type(others[0].get("type")) is not str:
        return said
    rest = {key: value for key, value in said.items() if key != "anyOf"}
    return _nullable({**others[0], **rest})
