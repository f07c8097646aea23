"""Parameters of operations, as either specification has them.

https://spec.openapis.org/oas/v3.1.1.html#parameter-object,
https://swagger.io/specification/v2/#parameter-object
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.openapi.document import Document, Edition, Unreadable
from gateway.openapi.reading import Place, Tree
from gateway.openapi.schemas import Schema, Schemas
from gateway.openapi.values import Location, Style

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_STYLES: Mapping[Location, tuple[Style, ...]] = {  # the first is the default
    Location.PATH: (Style.SIMPLE, Style.MATRIX, Style.LABEL),
    Location.QUERY: (
        *(Style.FORM, Style.SPACE_DELIMITED, Style.PIPE_DELIMITED),
        Style.DEEP_OBJECT,
    ),
    Location.HEADER: (Style.SIMPLE,),
    Location.COOKIE: (Style.FORM, Style.COOKIE),
}
_COLLECTIONS: Mapping[str, Style] = {
    "ssv": Style.SPACE_DELIMITED,
    "tsv": Style.TAB_DELIMITED,
    "pipes": Style.PIPE_DELIMITED,
}
_NO_HEADERS_OF_PARAMETERS = frozenset(
    {"accept", "content-type", "authorization", "content-length", "host", "transfer-encoding"}
)
"""OpenAPI says of the first three that such parameters are ignored; the others are ours to say."""
_NOT_TO_BE_SET = re.compile(
    r"cookie|connection|expect|forwarded|keep-alive|te|trailer|upgrade|via|"
    r"proxy-.*|x-forwarded-.*|x-envoy-.*|x-dragoman-.*|mcp-.*"
)
"""Who sets them changes how a request is routed, or who seems to be asking."""
_OF_SCHEMA = ("type", "format", "items", "default", "enum", "pattern", "multipleOf")
_OF_SCHEMA_BOUNDS = (
    *("maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum"),
    *("maxLength", "minLength", "maxItems", "minItems", "uniqueItems"),
)


@dataclass(frozen=True, slots=True)
class Read:
    """A parameter before its argument has a name."""

    name: str
    location: Location
    style: Style
    explode: bool
    allows_reserved: bool
    media_type: str
    is_required: bool
    default: str
    """JSON; empty: none."""
    schema: Schema


def parameters_of(
    document: Document,
    schemas: Schemas,
    listed: list[tuple[Tree, Place]],
    hidden: frozenset[tuple[str, str]],
) -> tuple[Read, ...]:
    """Those in the path, the query, headers and cookies; later ones replace earlier ones.

    `hidden` are the locations and names that the API's keys have.
    """
    found: dict[tuple[str, str], Read] = {}
    for written, place in listed:
        try:
            node, inner = document.followed(written, place)
            if not isinstance(node, dict):
                document.wrong(inner, "a parameter must be an object")
                continue
            key = _key(document, node, inner)
            if key is None or key in hidden:
                continue
            found[key] = _parameter(document, schemas, node, inner)
        except Unreadable:
            continue
    return tuple(each for each in found.values() if _may_be_set(document, each, listed))


def _key(document: Document, node: dict[str, Tree], place: Place) -> tuple[str, str] | None:
    """Location and name; None: it is no parameter, but of a body, or nothing to be filled in."""
    location, name = node.get("in"), node.get("name")
    if document.edition is Edition.SWAGGER_2 and location in ("body", "formData"):
        return None
    if not isinstance(name, str) or not name:
        document.wrong(place, "a parameter needs a name")
        return None
    if not isinstance(location, str) or location not in set(Location):
        hint = f"one of {', '.join(Location)}"
        document.wrong((*place, "in"), f"{name!r} is in {location!r}, which is not supported", hint)
        return None
    if location == Location.HEADER:
        if name.lower() in _NO_HEADERS_OF_PARAMETERS:
            return None
        if not _TOKEN.fullmatch(name):
            document.wrong((*place, "name"), f"{name!r} is no name of a header")
            return None
        return location, name.lower()
    return location, name


def _may_be_set(document: Document, read: Read, listed: list[tuple[Tree, Place]]) -> bool:
    if read.location is not Location.HEADER or not _NOT_TO_BE_SET.fullmatch(read.name.lower()):
        return True
    if read.is_required and listed:
        message = f"the header {read.name!r} is the gateway's own, and cannot be an argument"
        document.wrong(listed[0][1][:-1], message, "exclude the operation")
    return False


def _parameter(document: Document, schemas: Schemas, node: dict[str, Tree], place: Place) -> Read:
    location = Location(node["in"])
    media_type, inner, inner_place = "", node.get("schema", {}), (*place, "schema")
    if document.edition is Edition.SWAGGER_2:
        inner = {
            name: node[name]
            for name in (*_OF_SCHEMA, *_OF_SCHEMA_BOUNDS, "x-nullable")
            if name in node
        }
        inner_place = place
        style, explode = _collection(document, node, location, place)
    else:
        style, explode = _style(document, node, location, place)
        content = document.mapping(node.get("content"), (*place, "content"))
        if content:
            media_type, described = next(iter(content.items()))
            inner_place = (*place, "content", media_type, "schema")
            inner = document.mapping(described, inner_place[:-1]).get("schema", {})
    schema = schemas.translated(inner, inner_place)
    is_required = location is Location.PATH or node.get("required") is True
    default = _default(schemas.behind(schema))
    for name in ("description", "deprecated", "example"):
        if node.get(name):
            schema = {**schema, **_told(name, node[name])}
    return Read(
        name=node["name"],
        location=location,
        style=style,
        explode=explode,
        allows_reserved=location is Location.QUERY and node.get("allowReserved") is True,
        media_type=media_type,
        is_required=is_required,
        default=default if is_required else "",
        schema=schema,
    )


def _told(name: str, value: Any) -> Schema:
    return {"examples": [value]} if name == "example" else {name: value}


def _default(schema: Schema) -> str:
    return msgspec.json.encode(schema["default"]).decode() if "default" in schema else ""


def _style(
    document: Document, node: dict[str, Tree], location: Location, place: Place
) -> tuple[Style, bool]:
    known = _STYLES[location]
    said = node.get("style", known[0])
    if said not in known:
        hint = f"one of {', '.join(known)}"
        document.wrong((*place, "style"), f"{said!r} is no style of a {location} parameter", hint)
        return known[0], False
    style = Style(said)
    explode = node.get("explode")
    return style, explode if isinstance(explode, bool) else style in (Style.FORM, Style.COOKIE)


def _collection(
    document: Document, node: dict[str, Tree], location: Location, place: Place
) -> tuple[Style, bool]:
    """Swagger's `collectionFormat`."""
    said = node.get("collectionFormat", "csv")
    plain = _STYLES[location][0]
    if said == "csv" or (said == "multi" and location is Location.QUERY):
        return plain, said == "multi"
    if said in _COLLECTIONS:
        return _COLLECTIONS[said], False
    where = (*place, "collectionFormat")
    document.wrong(where, f"{said!r} is no format of a {location} parameter")
    return plain, False
