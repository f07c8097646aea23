"""The arguments of a tool: parameters and properties of the body side by side, where names allow.

Why: docs/decisions/0025-openapi-arguments.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from gateway.openapi.bodies import ReadBody, is_anything, property_field
from gateway.openapi.parameters import Read
from gateway.openapi.schemas import Schema, Schemas
from gateway.openapi.tool_names import argument_name, unique
from gateway.openapi.values import Body, BodyKind, Field, Parameter

BODY = "body"
_CONTENT_TYPE = "content_type"
_FILENAME = "filename"
_MOST_DEPENDENCIES = 200
_OF_PLAIN_OBJECTS = frozenset(
    (
        *("type", "properties", "required", "additionalProperties", "title", "description"),
        *("default", "deprecated", "examples", "allOf"),
    )
)
_FORMS = (BodyKind.FORM, BodyKind.MULTIPART)
_OBJECTS = (BodyKind.JSON, *_FORMS)


@dataclass(frozen=True, slots=True)
class Arguments:
    """What a tool takes, and where it goes."""

    parameters: tuple[Parameter, ...]
    body: Body | None
    input_schema: str
    """As JSON."""


@dataclass(slots=True)
class _Object:
    """An object's properties and which of them it must have."""

    properties: dict[str, Schema]
    required: dict[str, None]
    is_closed: bool
    """It says that it has no others."""


def arguments_of(
    schemas: Schemas, parameters: tuple[Read, ...], body: ReadBody | None
) -> Arguments:
    """Name the arguments, and say their schema."""
    parts = flat(schemas, body, {argument_name(each.name) for each in parameters})
    is_nested = body is not None and parts is None
    named = _named(parameters, is_nested=is_nested)
    properties: dict[str, Any] = {}
    required: list[str] = []
    for parameter, read in zip(named, parameters, strict=True):
        properties[parameter.argument] = read.schema
        if read.is_required and not read.default:
            required.append(parameter.argument)
    schema: Schema = {"type": "object", "properties": properties}
    sent = None
    if body is not None and parts is not None:
        sent = _side_by_side(body, parts, schema, required)
    elif body is not None:
        sent = _nested(schemas, body, schema, required)
    if required:
        schema["required"] = required
    schema["additionalProperties"] = False
    closed = schemas.closed(schema)
    return Arguments(named, sent, msgspec.json.encode(closed).decode())


def flat(schemas: Schemas, body: ReadBody | None, taken: set[str]) -> _Object | None:
    """The properties of a body that can stand beside parameters; None: it has an argument."""
    if body is None or body.kind not in _OBJECTS:
        return None
    found = _plain(schemas, body.schema)
    if found is None or not (found.properties or found.is_closed):
        return None
    arguments = {argument_name(name) for name in found.properties}
    if len(arguments) < len(found.properties) or arguments & taken:
        return None
    is_long = len(found.properties) * len(found.required) > _MOST_DEPENDENCIES
    return None if is_long and not body.is_required else found


def _plain(
    schemas: Schemas, schema: object, around: frozenset[str] = frozenset()
) -> _Object | None:
    """The properties of an object of which nothing else is said; None: more is. `around` are the
    references that led here."""
    if not isinstance(schema, dict) or schema.get("$ref") in around:
        return None
    around |= {schema["$ref"]} if "$ref" in schema else set()
    schema = schemas.behind(schema)
    if not schema.keys() <= _OF_PLAIN_OBJECTS or schema.get("type", "object") != "object":
        return None
    if schema.get("additionalProperties", False) is not False:
        return None
    properties = {name: _said(own) for name, own in schema.get("properties", {}).items()}
    required = dict.fromkeys(schema.get("required", ()))
    for each in schema.get("allOf", ()):
        inner = _plain(schemas, each, around)
        if inner is None:
            return None
        for name, own in inner.properties.items():
            if properties.setdefault(name, own) != own:
                return None
        required.update(inner.required)
    if not required.keys() <= properties.keys():
        return None
    return _Object(properties, required, schema.get("additionalProperties") is False)


def _said(schema: object) -> Schema:
    """Not as true or false."""
    if isinstance(schema, dict):
        return schema
    return {} if schema is True else {"not": {}}


def _named(parameters: tuple[Read, ...], *, is_nested: bool) -> tuple[Parameter, ...]:
    """One name in two places has the place behind it, as has one that is like the body's."""
    counts = Counter(argument_name(each.name) for each in parameters)
    taken = {BODY} if is_nested else set[str]()
    found = []
    for each in parameters:
        name = argument_name(each.name)
        if counts[name] > 1 or name in taken:
            name = argument_name(f"{each.name}_{each.location}")
        name = unique(name, taken)
        taken.add(name)
        found.append(
            Parameter(
                argument=name,
                name=each.name,
                location=each.location,
                style=each.style,
                explode=each.explode,
                allows_reserved=each.allows_reserved,
                media_type=each.media_type,
                is_required=each.is_required,
                default=each.default,
            )
        )
    return tuple(found)


def _side_by_side(body: ReadBody, parts: _Object, schema: Schema, required: list[str]) -> Body:
    properties = schema["properties"]
    fields: list[Field] = []
    names = {name: argument_name(name) for name in parts.properties}
    for name, own in parts.properties.items():
        field = property_field(body.kind, name, own, body.fields.get(name))
        properties[names[name]] = _of_file(own) if field.is_file else own
        fields.append(replace(field, argument=names[name]))
    fields = [_with_filename(each, parts.properties[each.name], properties) for each in fields]
    needed = [names[name] for name in parts.required]
    if body.is_required:
        required += needed
    elif needed:
        together = {name: [each for each in needed if each != name] for name in names.values()}
        schema["dependentRequired"] = {name: all_ for name, all_ in together.items() if all_}
    return Body(body.kind, body.media_type, body.is_required, fields=tuple(fields))


def _with_filename(field: Field, own: Schema, properties: dict[str, Any]) -> Field:
    """Many servers tell the kind of a file by its name."""
    name = f"{field.argument}_{_FILENAME}"
    if not field.is_file or own.get("type") == "array" or name in properties:
        return field
    said = f"The name of the file in {field.argument!r}, with its extension."
    properties[name] = {"type": "string", "description": said}
    return replace(field, filename_argument=name)


def _of_file(schema: Schema) -> Schema:
    """Of a part of which nothing was said: bytes."""
    if schema.get("type") == "array":
        return {**schema, "items": _of_file(schema.get("items", {}))}
    if is_anything(schema):
        return {**schema, "type": "string", "contentEncoding": "base64"}
    return schema


def _nested(schemas: Schemas, body: ReadBody, schema: Schema, required: list[str]) -> Body:
    told = {"description": body.description} if body.description else {}
    schema["properties"][BODY] = {**body.schema, **told}
    if body.is_required:
        required.append(BODY)
    argument = ""
    if body.media_types:
        argument = unique(_CONTENT_TYPE, schema["properties"])
        schema["properties"][argument] = {
            "type": "string",
            "enum": list(body.media_types),
            "description": f"What {BODY!r} is; {body.media_type} when nothing is said.",
        }
    return Body(
        body.kind,
        body.media_type,
        body.is_required,
        argument=BODY,
        fields=tuple(_fields(schemas, body)),
        media_types=body.media_types,
        media_type_argument=argument,
    )


def _fields(schemas: Schemas, body: ReadBody) -> Iterable[Field]:
    if body.kind not in _FORMS:
        return
    properties = schemas.behind(body.schema).get("properties", {})
    for name, own in properties.items():
        if isinstance(own, dict):
            yield property_field(body.kind, name, schemas.behind(own), body.fields.get(name))
