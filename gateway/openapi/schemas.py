"""Schemas of a document as JSON Schema 2020-12 that stands alone: references lead into `$defs`.

https://spec.openapis.org/oas/v3.0.4.html#schema-object and https://swagger.io/specification/v2:
`nullable`, `example`, `exclusiveMinimum: true`, discriminators and files are said in JSON Schema's
words. Requests know nothing of what is `readOnly`, answers of what is `writeOnly`.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, TypeAlias

import msgspec

from gateway.json_schemas import InvalidSchema
from gateway.json_schemas import Schema as CompiledSchema
from gateway.openapi.document import Document, Edition, Unreadable
from gateway.openapi.reading import Place, Tree

Schema: TypeAlias = dict[str, Any]
"""JSON Schema 2020-12."""

DEFINITIONS = "#/$defs/"
LARGEST_BYTES = 128 << 10
"""Of all definitions that one schema needs."""

_ONE = ("additionalProperties", "not", "if", "then", "else", "contains", "propertyNames")
_ONE_MORE = ("items", "unevaluatedItems", "unevaluatedProperties", "contentSchema")
_SOME = ("allOf", "anyOf", "oneOf", "prefixItems")
_NAMED = ("properties", "patternProperties", "dependentSchemas")
_APPLICATORS = frozenset((*_ONE, *_ONE_MORE, *_SOME, *_NAMED, "$ref", "discriminator"))
_ANNOTATIONS = ("title", "description", "default", "deprecated", "example", "examples", "nullable")
_SAYING_NOTHING = frozenset(("$ref", *_ANNOTATIONS))
_KEPT = frozenset(
    (
        *("type", "enum", "const", "format", "title", "description", "default", "deprecated"),
        *("multipleOf", "maximum", "minimum", "exclusiveMaximum", "exclusiveMinimum"),
        *("maxLength", "minLength", "maxItems", "minItems", "uniqueItems"),
        *("maxProperties", "minProperties", "required", "dependentRequired"),
        *("maxContains", "minContains", "contentEncoding", "contentMediaType", "examples"),
    )
)
_TYPES = frozenset({"null", "boolean", "object", "array", "number", "integer", "string"})
_UNSUPPORTED = ("$dynamicRef", "$recursiveRef")
_ILLEGAL = re.compile(r"[^A-Za-z0-9_.-]+")


class Direction(Enum):
    """Who says what a schema is about."""

    REQUEST = "readOnly"
    ANSWER = "writeOnly"
    """The value is the mark of properties that are left out."""


class Schemas:
    """Translates each schema once."""

    def __init__(self, document: Document, direction: Direction) -> None:
        self._document = document
        self._direction = direction
        self._names: dict[Place, str] = {}
        self._definitions: dict[str, Schema | bool] = {}
        self._measures: dict[str, tuple[list[str], int]] = {}
        self._patterns: dict[str, bool] = {}

    def translated(self, node: Tree, place: Place) -> Schema:
        """A schema, which may refer to definitions."""
        found = self._schema(node, place)
        if isinstance(found, bool):
            return {} if found else {"not": {}}
        return found

    def behind(self, schema: Schema) -> Schema:
        """What a translated schema refers to, when it says nothing else of it; or itself."""
        while "$ref" in schema and schema.keys() <= _SAYING_NOTHING:
            found = self._definitions[schema["$ref"].removeprefix(DEFINITIONS)]
            if isinstance(found, bool):
                return {}
            schema = found
        return schema

    def closed(self, schema: Schema, limit_bytes: int = LARGEST_BYTES) -> Schema:
        """The same with the definitions that it needs, nearest first; past the limit they allow
        anything, since schemas are read by models, which pay for each byte."""
        needed: dict[str, Schema | bool] = {}
        waiting = deque(sorted(_references(schema)))
        size = 0
        while waiting:
            name = waiting.popleft()
            if name in needed or name not in self._definitions:
                continue
            used, own_size = self._measured(name)
            size += own_size
            if size > limit_bytes:
                needed[name] = {}
                continue
            needed[name] = self._definitions[name]
            waiting += used
        if not needed:
            return schema
        return {**schema, "$defs": {name: needed[name] for name in sorted(needed)}}

    def _measured(self, name: str) -> tuple[list[str], int]:
        """What a definition refers to, and its size in bytes."""
        if name not in self._measures:
            own = self._definitions[name]
            used = sorted(set(_references(own)))
            self._measures[name] = used, len(msgspec.json.encode(own))
        return self._measures[name]

    def _schema(self, node: Tree, place: Place) -> Schema | bool:
        if isinstance(node, bool):
            return node
        if not isinstance(node, dict):
            self._document.wrong(place, "a schema must be an object")
            return {}
        for name in _UNSUPPORTED:
            if name in node:
                self._document.wrong((*place, name), f"{name} is not supported")
        if isinstance(node.get("$ref"), str):
            return self._referring(node, place)
        return _nullable(node, self._own(node, place))

    def _referring(self, node: dict[str, Tree], place: Place) -> Schema | bool:
        try:
            target, found_place = self._document.followed({"$ref": node["$ref"]}, place)
        except Unreadable:
            return {}
        is_whole = self._document.edition is Edition.OPENAPI_3_1
        beside = {
            name: value
            for name, value in node.items()
            if name != "$ref" and (is_whole or name in _ANNOTATIONS)
        }
        own = self._own(beside, place) if beside else {}
        if isinstance(target, dict) and _APPLICATORS.isdisjoint(target):
            leaf = _nullable(target, self._own(target, found_place))
            if leaf.keys().isdisjoint(own.keys() - set(_ANNOTATIONS)):
                return _nullable(node, {**leaf, **own})
            return _nullable(node, {"allOf": [leaf], **own})
        return _nullable(node, {"$ref": DEFINITIONS + self._name(target, found_place), **own})

    def _name(self, target: Tree, place: Place) -> str:
        """The name of a definition, which is translated when it is first asked for."""
        if place not in self._names:
            last = _ILLEGAL.sub("_", str(place[-1])) if place else "document"
            name, number = last, 1
            while name in self._definitions:
                number += 1
                name = f"{last}_{number}"
            self._names[place] = name
            self._definitions[name] = {}  # it may refer to itself
            self._definitions[name] = self._schema(target, place)
        return self._names[place]

    def _own(self, node: dict[str, Tree], place: Place) -> Schema:
        found: Schema = {name: node[name] for name in node if name in _KEPT}
        self._check_type(found, place)
        _bound(node, found, "Minimum", "minimum")
        _bound(node, found, "Maximum", "maximum")
        self._keep_pattern(node, found)
        _files(node, found)
        _examples(node, found)
        for name in (*_ONE, *_ONE_MORE):
            if name in node and not (name == "items" and isinstance(node[name], list)):
                found[name] = self._schema(node[name], (*place, name))
        for name in _SOME:
            if name in node:
                found[name] = self._list(node[name], (*place, name))
        if isinstance(node.get("items"), list):  # draft 4's tuples
            found["prefixItems"] = self._list(node["items"], (*place, "items"))
        for name in _NAMED:
            if name in node:
                found[name] = self._properties(node[name], (*place, name))
        self._leave_out(node, found, place)
        if "discriminator" in node and isinstance(node["discriminator"], dict):
            self._discriminate(node, found, place)
        return found

    def _check_type(self, found: Schema, place: Place) -> None:
        said = found.get("type")
        for each in said if isinstance(said, list) else [] if said is None else [said]:
            if each == "file" and self._document.edition is Edition.SWAGGER_2:
                continue
            if not isinstance(each, str) or each not in _TYPES:
                self._document.wrong((*place, "type"), f"no type {each!r} is known to JSON Schema")
                found.pop("type", None)
        required = found.get("required")
        if isinstance(required, list):
            found["required"] = [each for each in required if isinstance(each, str)]
        else:  # draft 3's, of properties
            found.pop("required", None)

    def _keep_pattern(self, node: dict[str, Tree], found: Schema) -> None:
        """A pattern that takes more than linear time is told the model, but not checked."""
        pattern = node.get("pattern")
        if not isinstance(pattern, str):
            return
        if pattern not in self._patterns:
            try:
                CompiledSchema({"pattern": pattern})
                self._patterns[pattern] = True
            except InvalidSchema:
                self._patterns[pattern] = False
        if self._patterns[pattern]:
            found["pattern"] = pattern
        else:
            said = found.get("description", "")
            found["description"] = f"{said}\n\nPattern: {pattern}".strip()

    def _list(self, node: Tree, place: Place) -> list[Schema | bool]:
        if not isinstance(node, list):
            self._document.wrong(place, "must be a list of schemas")
            return []
        return [self._schema(each, (*place, index)) for index, each in enumerate(node)]

    def _properties(self, node: Tree, place: Place) -> dict[str, Schema | bool]:
        if not isinstance(node, dict):
            self._document.wrong(place, "must be an object of schemas")
            return {}
        return {name: self._schema(each, (*place, name)) for name, each in node.items()}

    def _leave_out(self, node: dict[str, Tree], found: Schema, place: Place) -> None:
        properties = node.get("properties")
        if not isinstance(properties, dict):
            return
        gone = {name for name, each in properties.items() if self._is_marked(each, place)}
        if gone:
            kept = found["properties"].items()
            found["properties"] = {name: each for name, each in kept if name not in gone}
            required = [name for name in found.get("required", ()) if name not in gone]
            found.pop("required", None)
            if required:
                found["required"] = required

    def _is_marked(self, node: Tree, place: Place) -> bool:
        if isinstance(node, dict) and node.get(self._direction.value) is True:
            return True
        try:
            target, _ = self._document.followed(node, place)
        except Unreadable:
            return False
        return isinstance(target, dict) and target.get(self._direction.value) is True

    def _discriminate(self, node: dict[str, Tree], found: Schema, place: Place) -> None:
        """Each branch says its value, so that no other fits by chance. Only where it is mapped:
        else the names of schemas are the values, and the branches mostly say so themselves."""
        property_name = node["discriminator"].get("propertyName")
        mapping = node["discriminator"].get("mapping")
        if not isinstance(property_name, str) or not isinstance(mapping, dict):
            return
        values: dict[str, list[str]] = {}
        for value, target in mapping.items():
            text = str(target)
            is_name = not text.startswith("#") and "/" not in text
            values.setdefault(f"#/components/schemas/{text}" if is_name else text, []).append(value)
        for keyword in ("oneOf", "anyOf"):
            for index, branch in enumerate(node.get(keyword) or ()):
                own = values.get(branch.get("$ref", "")) if isinstance(branch, dict) else None
                said = found[keyword][index] if own else None
                if isinstance(said, dict) and "$ref" in said:
                    said["properties"] = {property_name: {"enum": own}}
                    said["required"] = [property_name]


def is_file(schema: Mapping[str, Any]) -> bool:
    """Whether a translated schema is of bytes, told as base64."""
    return schema.get("contentEncoding") == "base64" and schema.get("format") != "byte"


def _bound(node: dict[str, Tree], found: Schema, suffix: str, inclusive: str) -> None:
    """Draft 4 has `exclusiveMinimum: true` beside `minimum`."""
    name = f"exclusive{suffix}"
    if isinstance(node.get(name), bool):
        del found[name]
        if node[name] and inclusive in found:
            found[name] = found.pop(inclusive)


def _files(node: dict[str, Tree], found: Schema) -> None:
    if found.get("type") == "file":
        found.update(type="string", contentEncoding="base64")
    if found.get("type") != "string":
        return
    if found.get("format") == "binary":
        del found["format"]
        found["contentEncoding"] = "base64"
    elif found.get("format") == "byte":
        found["contentEncoding"] = "base64"
    kind = str(node.get("contentMediaType", ""))
    is_text = kind.startswith("text/") or kind.endswith(("json", "xml"))
    if kind and not is_text and "contentEncoding" not in found:
        found["contentEncoding"] = "base64"


def _examples(node: dict[str, Tree], found: Schema) -> None:
    if not isinstance(found.get("examples", []), list):
        del found["examples"]
    if "example" in node and "examples" not in found:
        found["examples"] = [node["example"]]


def _nullable(node: dict[str, Tree], found: Schema) -> Schema:
    """Said by 3.0, by Swagger's `x-nullable`, and by many documents that call themselves 3.1."""
    if node.get("nullable") is not True and node.get("x-nullable") is not True:
        return found
    said = found.get("type")
    if said is None:
        if not {"$ref", "allOf", "anyOf", "oneOf"}.intersection(found):
            return found  # anything may be null
        told = {name: found[name] for name in _ANNOTATIONS if name in found}
        rest = {name: value for name, value in found.items() if name not in told}
        return {"anyOf": [rest, {"type": "null"}], **told}
    types = said if isinstance(said, list) else [said]
    if "null" not in types:
        found = {**found, "type": [*types, "null"]}
    if isinstance(found.get("enum"), list) and None not in found["enum"]:
        found = {**found, "enum": [*found["enum"], None]}
    return found


def _references(schema: object) -> Iterator[str]:
    """Names of the definitions that a schema refers to."""
    waiting = [schema]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            target = each.get("$ref")
            if isinstance(target, str) and target.startswith(DEFINITIONS):
                yield target.removeprefix(DEFINITIONS)
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each
