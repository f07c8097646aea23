"""Answers of operations: what `structuredContent` will be, and what is asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass

import msgspec

from gateway.openapi.bodies import is_json
from gateway.openapi.document import Document, Edition, Unreadable
from gateway.openapi.reading import Place, Tree
from gateway.openapi.schemas import Schema, Schemas

RESULT = "result"
"""MCP wants objects, so other answers are this property of one."""
LARGEST_BYTES = 32 << 10
"""Of their definitions."""

_SUCCESS = re.compile("2(?:[0-9][0-9]|XX)")
_MEDIA_TYPE = re.compile(r"[\w.+*!#$&^-]+/[\w.+*!#$&^-]+(?:\s*;\s*[\w-]+=[\w.-]+)*")


@dataclass(frozen=True, slots=True)
class Answers:
    """What is known of the answers of an operation that succeeded."""

    accept: str
    output_schema: str = ""
    """As JSON; empty: none."""
    is_wrapped: bool = False


def answers_of(
    document: Document, schemas: Schemas, node: Tree, place: Place, produces: list[str]
) -> Answers:
    """Of an operation's `responses`. Raises `Unreadable`."""
    responses = document.mapping(node, place)
    codes = [code for code in responses if _SUCCESS.fullmatch(str(code))]
    if not codes and "default" in responses:
        codes = ["default"]
    types: dict[str, None] = {}
    found: list[Schema] = []
    is_always = bool(codes)
    for code in codes:
        response, inner = document.followed(responses[code], (*place, code))
        described = document.mapping(response, inner)
        contents = _contents(document, described, inner, produces)
        types.update(dict.fromkeys(each for each, _, _ in contents))
        own = next((each for each in contents if is_json(each[0]) and each[1] is not None), None)
        if own is None:
            is_always = False
            continue
        schema = schemas.translated(own[1], own[2])
        if schema not in found:
            found.append(schema)
    accept = _accept(list(types))
    if not is_always or not found or found == [{}]:
        return Answers(accept)
    is_wrapped = not all(_is_object(schemas, each) for each in found)
    one = found[0] if len(found) == 1 else {"anyOf": found}
    output = _output(schemas, one, is_wrapped=is_wrapped)
    return Answers(accept, msgspec.json.encode(output).decode(), is_wrapped)


def _contents(
    document: Document, response: dict[str, Tree], place: Place, produces: list[str]
) -> list[tuple[str, Tree, Place]]:
    """Media types, their schemas (None: none is said), and where these are."""
    if document.edition is Edition.SWAGGER_2:
        if "schema" not in response:
            return []
        schema, inner = response["schema"], (*place, "schema")
        is_binary = isinstance(schema, dict) and schema.get("type") == "file"
        default = ["application/octet-stream"] if is_binary else ["application/json"]
        return [(each, schema, inner) for each in produces or default]
    content = document.mapping(response.get("content"), (*place, "content"))
    found: list[tuple[str, Tree, Place]] = []
    for media_type, media in content.items():
        at: Place = (*place, "content", media_type)
        try:
            schema = document.mapping(media, at).get("schema")
        except Unreadable:
            continue
        found.append((media_type, schema, (*at, "schema")))
    return found


def _accept(types: list[str]) -> str:
    """JSON first, since it becomes structured content; then what else there is."""
    legal = [each.strip() for each in types if _MEDIA_TYPE.fullmatch(each.strip())]
    json = [each for each in legal if is_json(each)]
    rest = [f"{each};q=0.9" if json else each for each in legal if each not in json]
    said = [each for each in (*json, *rest) if not each.startswith("*/*")]
    return ", ".join([*said, "*/*;q=0.1"]) if said else "application/json, */*;q=0.1"


def _output(schemas: Schemas, schema: Schema, *, is_wrapped: bool) -> Schema:
    if is_wrapped:
        schema = {"type": "object", "properties": {RESULT: schema}, "required": [RESULT]}
    elif schema.get("type") != "object":  # a reference, or several: MCP wants it said at the top
        schema = {"type": "object", **schema}
    return schemas.closed(schema, LARGEST_BYTES)


def _is_object(schemas: Schemas, schema: object, around: frozenset[str] = frozenset()) -> bool:
    """Whether all that a schema allows are objects; `around` are the references that led here."""
    if not isinstance(schema, dict):
        return False
    found = schemas.behind(schema)
    if found is not schema:
        name = schema["$ref"]
        return name not in around and _is_object(schemas, found, around | {name})
    said = schema.get("type")
    if said is not None:
        return bool(said == "object")
    for keyword in ("oneOf", "anyOf"):
        branches = schema.get(keyword)
        if isinstance(branches, list) and branches:
            return all(_is_object(schemas, each, around) for each in branches)
    branches = schema.get("allOf")
    if isinstance(branches, list) and any(_is_object(schemas, each, around) for each in branches):
        return True
    return "properties" in schema
