"""Claude on Vertex AI and on Bedrock: Messages requests whose path says what the body does not.

https://docs.claude.com/en/api/claude-on-vertex-ai,
https://docs.claude.com/en/api/claude-on-amazon-bedrock. Bodies are changed by splices: all other
fields stay as they are written. Every body here is one that `json_spans.decode` has accepted.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from extproc.llm import faults
from extproc.llm.dialect import UnreadableAnswer
from extproc.protocols import json_spans, sse
from extproc.protocols.json_spans import InvalidJson
from extproc.verdict import Deny

VERTEX_VERSION: Final = "vertex-2023-10-16"
BEDROCK_VERSION: Final = "bedrock-2023-05-31"

VERSION: Final = "anthropic_version"
BETAS: Final = "anthropic_beta"
"""Of bodies; Anthropic has a header."""
COUNT_TOKENS: Final = "count-tokens"
"""What stands in a path of Vertex where else the model does, and counts tokens."""
_LONGEST_BETA = 128
_MOST_BETAS = 64


class Messages(Struct, frozen=True):
    """A request of a cloud's client, as one for Anthropic."""

    body: bytes
    version: str
    """What the body said of it, which Anthropic wants in the header `anthropic-version`."""
    betas: tuple[str, ...]
    """For the header `anthropic-beta`."""


def to_vertex(body: bytes) -> bytes:
    """For `:rawPredict` and `:streamRawPredict`; Vertex reads `stream` in the body as well."""
    return _with_version(json_spans.remove(body, ("model",)), VERTEX_VERSION)


def to_bedrock(body: bytes) -> bytes:
    """For `/invoke` and `/invoke-with-response-stream`."""
    return _with_version(json_spans.remove(body, ("model", "stream")), BEDROCK_VERSION)


def with_betas(body: bytes, betas: Sequence[str]) -> bytes:
    """The body with what a header says; a client that says it in the body, too, is believed."""
    if not betas or BETAS in json_spans.members(body):
        return body
    return json_spans.replace(body, {BETAS: json_spans.encode(betas)})


def betas_in(fields: Mapping[str, object]) -> tuple[str, ...]:
    """What a body says of betas, as far as a header could say it."""
    said = fields.get(BETAS)
    names = said if type(said) is list else ()
    return tuple([name for name in names[:_MOST_BETAS] if type(name) is str and _is_name(name)])


def _is_name(text: str) -> bool:
    is_plain = text.isascii() and text.isprintable() and "," not in text
    return is_plain and 0 < len(text) <= _LONGEST_BETA


def from_path(body: bytes, model: str, *, is_stream: bool) -> Messages | Deny:
    """Of a client of either, whose path names the model and says whether it is streamed."""
    try:
        document = json_spans.decode(body)
    except InvalidJson as error:
        return faults.unreadable(error)
    version, betas = document.get(VERSION), document.get(BETAS)
    if version is not None and type(version) is not str:
        return faults.wrong_type(str, version, VERSION)
    if "model" in document and document["model"] != model:
        return faults.wrong_value("model", "must be the one that the path names")
    names = betas if betas is not None else []
    if type(names) is not list:
        return faults.wrong_type(list, names, BETAS)
    for index, name in enumerate(names):
        if type(name) is not str:
            return faults.wrong_type(str, name, f"{BETAS}[{index}]")
        if not _is_name(name):
            return faults.wrong_value(f"{BETAS}[{index}]", "must be a name")
    if len(names) > _MOST_BETAS:
        return faults.wrong_value(BETAS, f"must be {_MOST_BETAS} at most")
    rest = json_spans.remove(body, (VERSION, BETAS))
    values = {"model": json_spans.encode(model)}
    if is_stream or "stream" in document:
        values["stream"] = b"true" if is_stream else b"false"
    return Messages(json_spans.replace(rest, values), version or "", tuple(names))


def counted_from_path(body: bytes) -> Messages | Deny:
    """Of a client of Vertex that wants tokens counted, and names the model in the body."""
    try:
        document = json_spans.decode(body)
    except InvalidJson as error:
        return faults.unreadable(error)
    version = document.get(VERSION)
    if version is not None and type(version) is not str:
        return faults.wrong_type(str, version, VERSION)
    return Messages(json_spans.remove(body, (VERSION, BETAS)), version or "", betas_in(document))


def event_of_chunk(payload: bytes) -> bytes:
    """The server-sent event that a `chunk` of Bedrock's stream holds; or `UnreadableAnswer`."""
    try:
        held = json_spans.decode(payload).get("bytes")
        data = base64.b64decode(held, validate=True) if type(held) is str else b""
        said = json_spans.decode(data)
    except (InvalidJson, binascii.Error) as error:
        raise UnreadableAnswer(str(error)) from None
    kind = said.get("type")
    name = kind if type(kind) is str and kind.isidentifier() else ""
    is_one_line = b"\n" not in data and b"\r" not in data
    return sse.encode(data if is_one_line else json_spans.encode(said), name)


def chunk_of_event(data: bytes) -> bytes:
    """What a `chunk` holds that says an event with this data."""
    held: Mapping[str, str] = {"bytes": base64.b64encode(data).decode()}
    return json_spans.encode(held)


def _with_version(body: bytes, version: str) -> bytes:
    """A client that says the version itself is believed."""
    if VERSION in json_spans.decode(body):
        return body
    return json_spans.replace(body, {VERSION: json_spans.encode(version)})
