"""What is sent to an agent, in any binding and revision, for what is asked in 1.0's words."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import quote_plus

from msgspec import Struct

from extproc.a2a import grpc_frames, http_paths
from extproc.a2a.forms import protobuf
from extproc.a2a.forms.asked import request_down
from extproc.a2a.forms.losses import Losses, Malformed
from extproc.a2a.operations import OPERATIONS, Operation, grpc_path
from extproc.a2a.places import MESSAGES, form
from extproc.a2a.requests import EXTENSIONS, VERSION
from extproc.protocols import json_spans
from gateway.a2a import Binding, Revision

PACKAGES: Final[Mapping[Revision, str]] = MappingProxyType(
    {Revision.V0_3: protobuf.V0_3, Revision.V1_0: protobuf.V1_0}
)
_JSON: Final = ("content-type", "application/json")
_EVENTS: Final = ("accept", "text/event-stream")
_GRPC: Final = (("content-type", "application/grpc"), ("te", "trailers"))
_IN_PATH: Final = frozenset({"tenant", "id", "taskId", "name", "parent"})


class Call(Struct, frozen=True):
    """A request of HTTP; paths are behind the agent's, but those of gRPC."""

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Target(Struct, frozen=True):
    """How an agent is spoken to."""

    binding: Binding
    revision: Revision


def call(
    operation: Operation,
    document: Mapping[str, object],
    target: Target,
    losses: Losses,
    *,
    extensions: tuple[str, ...] = (),
    raw_id: bytes = b"1",
) -> Call:
    """The request. `Malformed`: the document, or the operation, cannot be said so."""
    binding, revision = target.binding, target.revision
    names = OPERATIONS[operation].names.get(revision)
    if names is None:
        raise Malformed(f"A2A {revision} has no {operation}")
    said = request_down(operation, document, form(binding, revision), losses)
    headers = _headers(revision, extensions, is_stream=OPERATIONS[operation].is_stream)
    match binding:
        case Binding.JSONRPC:
            body = b'{"jsonrpc":"2.0","id":%s,"method":%s,"params":%s}' % (
                raw_id,
                json_spans.encode(names.jsonrpc),
                json_spans.encode(said),
            )
            return Call("POST", "", "", (_JSON, *headers), body)
        case Binding.HTTP_JSON:
            return _http(operation, said, document, target, headers)
        case Binding.GRPC:
            message = protobuf.encode(
                PACKAGES[revision] + MESSAGES[revision][operation], said, losses
            )
            version = tuple(each for each in headers if each != _EVENTS)
            path = grpc_path(operation, revision)
            return Call("POST", path, "", (*_GRPC, *version), grpc_frames.frame(message))


def _http(
    operation: Operation,
    said: Mapping[str, object],
    document: Mapping[str, object],
    target: Target,
    headers: tuple[tuple[str, str], ...],
) -> Call:
    row = OPERATIONS[operation]
    task_id = document.get("taskId" if row.is_about_push else "id")
    try:
        path = http_paths.written(
            operation,
            target.revision,
            str(document.get("tenant") or ""),
            str(task_id or ""),
            str(document.get("id") or "") if row.is_about_push else "",
        )
    except ValueError as error:
        raise Malformed(str(error)) from error
    method = row.names[target.revision].http_methods[0]
    if method == "POST" and operation is not Operation.SUBSCRIBE:
        return Call(method, path, "", (_JSON, *headers), json_spans.encode(said))
    pairs = [
        f"{quote_plus(name)}={quote_plus(_written(value))}"
        for name, value in said.items()
        if name not in _IN_PATH and value is not None
    ]
    return Call(method, path, "&".join(pairs), headers, b"")


def _written(value: object) -> str:
    """As a query says it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _headers(
    revision: Revision, extensions: tuple[str, ...], *, is_stream: bool
) -> tuple[tuple[str, str], ...]:
    headers = [(VERSION, str(revision))]
    if is_stream:
        headers.append(_EVENTS)
    if extensions:
        name = EXTENSIONS[0] if revision is Revision.V1_0 else EXTENSIONS[1]
        headers.append((name, ", ".join(extensions)))
    return tuple(headers)
