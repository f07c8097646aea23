"""Bedrock as botocore knows it: its model of the API judges what we write, and reads it."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import yaml
from botocore.eventstream import EventStream
from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape
from botocore.parsers import EventStreamJSONParser, create_parser
from botocore.serialize import create_serializer
from botocore.validate import ParamValidator

from extproc.protocols import event_stream
from extproc.protocols.event_stream import Message

SAMPLES = Path(__file__).parents[1] / "translations" / "bedrock"
CONVERSE = "Converse"
CONVERSE_STREAM = "ConverseStream"


@cache
def service() -> ServiceModel:
    return botocore.session.get_session().get_service_model("bedrock-runtime")


def faults(body: bytes, operation: str = CONVERSE) -> str:
    """What botocore has against a request; empty when it would send just this."""
    model = service().operation_model(operation)
    document = json.loads(body)
    shape = model.input_shape
    params = {"modelId": "some.model-v1:0", **as_params(document, shape)}
    report = ParamValidator().validate(params, shape).generate_report()
    patterns = "; ".join(unmatched(document, shape))
    if report or patterns:
        return f"{report}{patterns}"
    sent = json.loads(serialized(params, model))
    return "" if sent == document else f"sent {sent} instead of {document}"


def serialized(params: Mapping[str, Any], model: OperationModel) -> bytes:
    """The body that botocore makes of parameters."""
    return create_serializer("rest-json").serialize_to_request(params, model)["body"]


def as_params(value: Any, shape: Shape) -> Any:
    """A document as it would be given to boto3: blobs as bytes."""
    if getattr(shape, "is_document_type", False):
        return value
    if isinstance(shape, StructureShape):
        known = shape.members
        return {
            name: as_params(each, known[name]) if name in known else each
            for name, each in value.items()
        }
    if isinstance(shape, ListShape):
        return [as_params(each, shape.member) for each in value]
    if isinstance(shape, MapShape):
        return {key: as_params(each, shape.value) for key, each in value.items()}
    return base64.b64decode(value, validate=True) if shape.type_name == "blob" else value


def unmatched(value: Any, shape: Shape, where: str = "") -> Iterator[str]:
    """Strings that do not fit their pattern or enumeration: botocore leaves them to the service."""
    if getattr(shape, "is_document_type", False):
        return
    if isinstance(shape, StructureShape):
        for name, each in value.items():
            if name in shape.members:
                yield from unmatched(each, shape.members[name], f"{where}.{name}")
    elif isinstance(shape, ListShape):
        for index, each in enumerate(value):
            yield from unmatched(each, shape.member, f"{where}[{index}]")
    elif isinstance(shape, MapShape):
        for key, each in value.items():
            yield from unmatched(key, shape.key, f"{where}.{key}")
            yield from unmatched(each, shape.value, f"{where}.{key}")
    elif shape.type_name == "string":
        pattern = shape.metadata.get("pattern")
        if pattern and not re.fullmatch(pattern, value):
            yield f"{where}: {value!r} does not match {pattern}"
        if shape.metadata.get("enum") and value not in shape.metadata["enum"]:
            yield f"{where}: {value!r} is not one of {shape.metadata['enum']}"
        if len(value) > shape.metadata.get("max", len(value)):
            yield f"{where}: {len(value)} characters"
    elif shape.type_name == "float":
        low, high = shape.metadata.get("min", value), shape.metadata.get("max", value)
        if not low <= value <= high:
            yield f"{where}: {value} is not between {low} and {high}"


def read_answer(
    body: bytes, status: int = 200, headers: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """What boto3 makes of an answer of Converse, or of an error."""
    model = service().operation_model(CONVERSE)
    response = {"body": body, "headers": dict(headers or {}), "status_code": status}
    parsed: dict[str, Any] = create_parser("rest-json").parse(response, model.output_shape)
    return parsed


class _Raw:
    """A response whose body is there."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def stream(self) -> Iterator[bytes]:
        yield self._data

    def close(self) -> None:
        """Nothing is open."""


def read_stream(data: bytes) -> list[dict[str, Any]]:
    """The events that boto3 gives for a ConverseStream; raises `EventStreamError`."""
    model = service().operation_model(CONVERSE_STREAM)
    shape = model.get_event_stream_output()
    return list(EventStream(_Raw(data), shape, EventStreamJSONParser(), CONVERSE_STREAM))


def frame(name: str, document: object, kind: str = "event") -> bytes:
    """One message, as Bedrock sends it."""
    headers = {
        f":{kind}-type": name,
        ":content-type": "application/json",
        ":message-type": kind,
    }
    payload = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    return event_stream.encode(Message(event_stream.texts(headers), payload))


def stream_of(source: str) -> bytes:
    """A stream that is written down in YAML: `- messageStart: {role: assistant}`."""
    frames: list[bytes] = []
    for entry in yaml.safe_load(source):
        ((name, document),) = entry.items()
        kind = "exception" if name.endswith("Exception") else "event"
        frames.append(frame(name, document, kind))
    return b"".join(frames)


def sample_streams() -> Iterator[tuple[Path, bytes]]:
    """Every stream among the samples, from its YAML."""
    for path in sorted((SAMPLES / "streams").glob("*.yaml")):
        yield path, stream_of(path.read_text(encoding="utf-8"))


def encoded(stream: bytes) -> str:
    """As it is kept beside its YAML: base64, in lines."""
    return base64.encodebytes(stream).decode()


def mutations(document: Any, junk: tuple[object, ...]) -> Iterator[Any]:
    """The document with each of its values, in turn, replaced by each of these or left out."""
    yield from junk
    if isinstance(document, dict):
        for key, value in document.items():
            yield {name: each for name, each in document.items() if name != key}
            for mutated in mutations(value, junk):
                yield {**document, key: mutated}
    elif isinstance(document, list):
        for index, value in enumerate(document):
            for mutated in mutations(value, junk):
                yield [*document[:index], mutated, *document[index + 1 :]]
