"""Bodies of requests: of the media types that an operation takes, the one that is sent.

https://spec.openapis.org/oas/v3.1.1.html#media-type-object and #encoding-object
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.openapi.document import Document, Edition, Unreadable
from gateway.openapi.reading import Place, Tree
from gateway.openapi.schemas import Schema, Schemas, is_file
from gateway.openapi.values import BodyKind, Field, Style

_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"
_MULTIPART = "multipart/form-data"
_BYTES = "application/octet-stream"
_BASE64: Schema = {"type": "string", "contentEncoding": "base64"}
_QUERY_STYLES = (Style.FORM, Style.SPACE_DELIMITED, Style.PIPE_DELIMITED, Style.DEEP_OBJECT)
_COLLECTIONS: Mapping[str, tuple[Style, bool]] = {
    "csv": (Style.FORM, False),
    "multi": (Style.FORM, True),
    "ssv": (Style.SPACE_DELIMITED, False),
    "tsv": (Style.TAB_DELIMITED, False),
    "pipes": (Style.PIPE_DELIMITED, False),
}


@dataclass(frozen=True, slots=True)
class ReadBody:
    """A body before its arguments have names."""

    kind: BodyKind
    media_type: str
    is_required: bool
    schema: Schema
    """Of all of it."""
    description: str = ""
    fields: Mapping[str, Field] = field(default_factory=dict)
    """What is said of properties of forms, by their names."""
    media_types: tuple[str, ...] = ()


def kind_of(media_type: str) -> BodyKind | None:
    """How such a body is written; None: it is a range of types."""
    kind = media_type.partition(";")[0].strip().lower()
    if kind == _FORM:
        return BodyKind.FORM
    if kind.startswith("multipart/"):
        return BodyKind.MULTIPART if kind == _MULTIPART else BodyKind.BINARY
    if is_json(kind):
        return BodyKind.JSON
    if kind.startswith("text/") or kind.endswith(("/xml", "+xml", "/yaml", "+yaml", "/x-ndjson")):
        return BodyKind.TEXT
    return None if kind in ("*/*", "application/*") else BodyKind.BINARY


def is_json(media_type: str) -> bool:
    """`application/json`, or another by its suffix (RFC 6839)."""
    kind = media_type.partition(";")[0].strip().lower()
    return kind == _JSON or kind.endswith("+json") or kind == "text/json"


def body_of(document: Document, schemas: Schemas, node: Tree, place: Place) -> ReadBody | None:
    """Of an operation's `requestBody`. Raises `Unreadable`."""
    request, inner = document.followed(node, place)
    described = document.mapping(request, inner)
    content = document.mapping(described.get("content"), (*inner, "content"))
    if not content:
        return None
    media_type, kind = _chosen(document, content, (*inner, "content"))
    at: Place = (*inner, "content", media_type)
    media = document.mapping(content[media_type], at)
    schema = schemas.translated(media.get("schema", {}), (*at, "schema"))
    if kind is BodyKind.BINARY or kind is BodyKind.TEXT:
        schema = _of_all(kind, media_type)
    fields: Mapping[str, Field] = {}
    if kind in (BodyKind.FORM, BodyKind.MULTIPART):
        encodings = document.mapping(media.get("encoding"), (*at, "encoding"))
        fields = {
            name: _encoding(document, name, kind, each, (*at, "encoding", name))
            for name, each in encodings.items()
        }
    said = described.get("description")
    return ReadBody(
        kind=kind,
        media_type=_concrete(media_type, kind),
        is_required=described.get("required") is True,
        schema=schema,
        description=said if isinstance(said, str) else "",
        fields=fields,
        media_types=_alternatives(content, kind),
    )


def body_of_swagger(
    document: Document,
    schemas: Schemas,
    listed: list[tuple[Tree, Place]],
    consumes: list[str],
) -> ReadBody | None:
    """Of the parameters that are `in: body` and `in: formData`. Raises `Unreadable`."""
    parts: dict[str, tuple[dict[str, Tree], Place]] = {}
    for written, place in listed:
        node, inner = document.followed(written, place)
        if not isinstance(node, dict):
            continue
        if node.get("in") == "body":
            return _swagger_body(schemas, node, inner, consumes)
        if node.get("in") == "formData" and isinstance(node.get("name"), str):
            parts[node["name"]] = node, inner
    if not parts:
        return None
    has_files = any(node.get("type") == "file" for node, _ in parts.values())
    kinds = [kind_of(each) for each in consumes]
    is_multipart = has_files or (BodyKind.MULTIPART in kinds and BodyKind.FORM not in kinds)
    properties = {}
    for name, (node, place) in parts.items():
        own = {key: value for key, value in node.items() if key not in ("in", "name", "required")}
        properties[name] = schemas.translated(own, place)
    required = [name for name, (node, _) in parts.items() if node.get("required") is True]
    schema: Schema = {"type": "object", "properties": properties}
    if required:
        schema["required"] = required
    fields = {name: _swagger_field(document, name, *each) for name, each in parts.items()}
    return ReadBody(
        kind=BodyKind.MULTIPART if is_multipart else BodyKind.FORM,
        media_type=_MULTIPART if is_multipart else _FORM,
        is_required=bool(required),
        schema=schema,
        fields=fields,
    )


def property_field(kind: BodyKind, name: str, schema: Schema, said: Field | None) -> Field:
    """How one property of a form is sent, once its schema is known."""
    found = said or Field(name)
    if kind is not BodyKind.MULTIPART:
        return found
    inner = schema.get("items", {}) if schema.get("type") == "array" else schema
    is_bytes = isinstance(inner, dict) and (is_file(inner) or is_anything(inner))
    if not is_bytes or found.style is not None:
        return found
    own = str(inner.get("contentMediaType", "")) if isinstance(inner, dict) else ""
    return Field(name, media_type=found.media_type or own, is_file=True)


def is_anything(schema: Schema) -> bool:
    """Whether a schema of a part says nothing, which stands for bytes."""
    return schema.keys() <= {"title", "description", "deprecated", "examples"}


def _chosen(document: Document, content: dict[str, Tree], place: Place) -> tuple[str, BodyKind]:
    """JSON, since it says most; then forms; with files, if there are some."""
    kinds = {media_type: kind_of(media_type) for media_type in content}
    for wanted in (BodyKind.JSON, None, BodyKind.FORM, BodyKind.MULTIPART):
        for media_type, kind in kinds.items():
            if kind is not wanted:
                continue
            if kind is None:
                media = document.mapping(content[media_type], (*place, media_type))
                return media_type, BodyKind.JSON if media.get("schema") else BodyKind.BINARY
            if kind is BodyKind.FORM and _MULTIPART in content:
                continue  # who takes both takes files
            return media_type, kind
    media_type, kind = next(iter(kinds.items()))
    return media_type, kind or BodyKind.BINARY


def _concrete(media_type: str, kind: BodyKind) -> str:
    if "*" not in media_type:
        return media_type.strip()
    default = {BodyKind.JSON: _JSON, BodyKind.TEXT: "text/plain"}
    return default.get(kind, _BYTES)


def _alternatives(content: dict[str, Tree], kind: BodyKind) -> tuple[str, ...]:
    if kind not in (BodyKind.BINARY, BodyKind.TEXT):
        return ()
    same = [each for each in content if "*" not in each and kind_of(each) is kind]
    return tuple(same) if len(same) > 1 else ()


def _of_all(kind: BodyKind, media_type: str) -> Schema:
    if kind is BodyKind.TEXT:
        return {"type": "string", "contentMediaType": _concrete(media_type, kind)}
    return dict(_BASE64)


def _encoding(document: Document, name: str, kind: BodyKind, node: Tree, place: Place) -> Field:
    try:
        said = document.mapping(node, place)
    except Unreadable:
        return Field(name)
    styled = {"style", "explode", "allowReserved"} & said.keys()
    is_styled = bool(styled) and (kind is BodyKind.FORM or document.edition is Edition.OPENAPI_3_1)
    written = said.get("contentType")
    media_type = _first_type(written) if isinstance(written, str) else ""
    if not is_styled:
        return Field(name, media_type=media_type)
    style = said.get("style", Style.FORM)
    if style not in _QUERY_STYLES:
        hint = f"one of {', '.join(_QUERY_STYLES)}"
        document.wrong((*place, "style"), f"{style!r} is no style of a field", hint)
        return Field(name)
    explode = said.get("explode")
    return Field(
        name,
        style=Style(style),
        explode=explode if isinstance(explode, bool) else style == Style.FORM,
        allows_reserved=said.get("allowReserved") is True,
    )


def _first_type(said: str) -> str:
    types = [each.strip() for each in said.split(",")]
    return next((each for each in types if each and "*" not in each), "")


def _swagger_body(
    schemas: Schemas, node: dict[str, Tree], place: Place, consumes: list[str]
) -> ReadBody:
    schema = schemas.translated(node.get("schema", {}), (*place, "schema"))
    kinds = {each: kind_of(each) for each in consumes}
    media_type = next((each for each, kind in kinds.items() if kind is BodyKind.JSON), "")
    if not media_type and schemas.behind(schema).get("type") == "string" and consumes:
        media_type = consumes[0]
    kind = kind_of(media_type or _JSON) or BodyKind.JSON
    if kind is BodyKind.BINARY or kind is BodyKind.TEXT:
        schema = _of_all(kind, media_type)
    said = node.get("description")
    return ReadBody(
        kind=kind,
        media_type=_concrete(media_type or _JSON, kind),
        is_required=node.get("required") is True,
        schema=schema,
        description=said if isinstance(said, str) else "",
    )


def _swagger_field(document: Document, name: str, node: dict[str, Tree], place: Place) -> Field:
    if node.get("type") != "array":
        return Field(name)
    said = node.get("collectionFormat", "csv")
    if said not in _COLLECTIONS:
        document.wrong((*place, "collectionFormat"), f"{said!r} is no format of a list")
        return Field(name)
    style, explode = _COLLECTIONS[said]
    return Field(name, style=style, explode=explode)
