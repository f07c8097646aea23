"""Ids and texts in requests and answers of A2A, changed wherever they stand, in every form.

Ids: so that a task that a client names says where it is. Texts: those of parts, for guards. What is
in metadata and data is not looked at. JSON keeps its numbers as they were written, protobuf every
other byte; of event streams, what is no event is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from msgspec import Struct

from extproc.a2a import grpc_frames, protobuf_fields
from extproc.a2a.grpc_frames import FrameDecoder
from extproc.a2a.operations import Operation
from extproc.a2a.places import read_resource, resource
from extproc.a2a.protobuf_fields import Tree
from extproc.protocols import json_spans, sse
from extproc.protocols.sse import Event, SseDecoder
from gateway.a2a import Binding, Revision

Change: TypeAlias = Callable[[str], str]
Document: TypeAlias = Mapping[str, object]


def same(text: str) -> str:
    """No change."""
    return text


class Substitution(Struct, frozen=True):
    """What becomes of each; called in the same order whenever a document is the same."""

    task_id: Change = same
    context_id: Change = same
    text: Change = same


# --- JSON ----------------------------------------------------------------------------------


def in_message(message: object, changes: Substitution) -> object:
    """A message of any form; what is none stays."""
    if not isinstance(message, dict):
        return message
    said = _with_ids(message, changes)
    references = said.get("referenceTaskIds")
    if isinstance(references, list):
        said["referenceTaskIds"] = [
            changes.task_id(each) if isinstance(each, str) else each for each in references
        ]
    for name in ("parts", "content"):
        if name in said:
            said[name] = _parts(said[name], changes)
    return said


def in_result(operation: Operation, result: object, changes: Substitution) -> object:
    """A result, or an event of a stream, of any form; what is none stays."""
    if isinstance(result, list):  # webhooks, in JSON-RPC of 0.3
        return [in_result(Operation.GET_PUSH, each, changes) for each in result]
    if not isinstance(result, dict):
        return result
    match operation:
        case Operation.GET_TASK | Operation.CANCEL_TASK:
            return _task(result, changes)
        case Operation.LIST_TASKS:
            return _each(result, "tasks", lambda each: _task(each, changes))
        case Operation.CREATE_PUSH | Operation.GET_PUSH:
            return _webhook(result, changes)
        case Operation.LIST_PUSH:
            return _each(result, "configs", lambda each: _webhook(each, changes))
        case Operation.SEND | Operation.STREAM | Operation.SUBSCRIBE:
            return in_event(result, changes)
        case Operation.DELETE_PUSH | Operation.EXTENDED_CARD:
            return result


def in_event(event: object, changes: Substitution) -> object:
    """A task, a message or an update; also what agents call webhooks with."""
    if not isinstance(event, dict):
        return event
    match event.get("kind"):
        case "task":
            return _task(event, changes)
        case "message":
            return in_message(event, changes)
        case "status-update" | "artifact-update":
            return _update(event, changes)
    found = dict(event)
    for name, change in _PAYLOADS.items():
        if name in found:
            found[name] = change(found[name], changes)
    return found


def _task(task: object, changes: Substitution) -> object:
    if not isinstance(task, dict):
        return task
    said = _with_ids(task, changes)
    if isinstance(said.get("id"), str):
        said["id"] = changes.task_id(str(said["id"]))
    said = _each(said, "artifacts", lambda each: _artifact(each, changes))
    said = _each(said, "history", lambda each: in_message(each, changes))
    return _with_status(said, changes)


def _update(update: object, changes: Substitution) -> object:
    if not isinstance(update, dict):
        return update
    said = _with_ids(update, changes)
    if "artifact" in said:
        said["artifact"] = _artifact(said["artifact"], changes)
    return _with_status(said, changes)


_PAYLOADS: Final[Mapping[str, Callable[[object, Substitution], object]]] = MappingProxyType(
    {"task": _task, "message": in_message, "statusUpdate": _update, "artifactUpdate": _update}
)


def _with_status(said: dict[str, object], changes: Substitution) -> dict[str, object]:
    status = said.get("status")
    if isinstance(status, dict) and "message" in status:
        said["status"] = {**status, "message": in_message(status["message"], changes)}
    return said


def _artifact(artifact: object, changes: Substitution) -> object:
    if not isinstance(artifact, dict) or "parts" not in artifact:
        return artifact
    return {**artifact, "parts": _parts(artifact["parts"], changes)}


def _parts(parts: object, changes: Substitution) -> object:
    if not isinstance(parts, list):
        return parts
    return [
        {**each, "text": changes.text(each["text"])}
        if isinstance(each, dict) and isinstance(each.get("text"), str)
        else each
        for each in parts
    ]


def _webhook(webhook: object, changes: Substitution) -> object:
    """Protobuf of 0.3 names it."""
    if not isinstance(webhook, dict):
        return webhook
    said = _with_ids(webhook, changes)
    name = said.get("name")
    if isinstance(name, str):
        said["name"] = _renamed(name, changes)
    return said


def _renamed(name: str, changes: Substitution) -> str:
    task_id, push_id = read_resource(name)
    return resource(changes.task_id(task_id), push_id) if task_id else name


def _with_ids(document: Document, changes: Substitution) -> dict[str, object]:
    said = dict(document)
    for name, change in (("taskId", changes.task_id), ("contextId", changes.context_id)):
        value = said.get(name)
        if isinstance(value, str) and value:
            said[name] = change(value)
    return said


def _each(said: Document, name: str, change: Callable[[object], object]) -> dict[str, object]:
    found = dict(said)
    items = found.get(name)
    if isinstance(items, list):
        found[name] = [change(each) for each in items]
    return found


# --- protobuf ------------------------------------------------------------------------------


def in_protobuf(
    operation: Operation, revision: Revision, message: bytes, changes: Substitution
) -> bytes:
    """An answer, or an event, of gRPC. Raises `protobuf_fields.BrokenMessage`."""
    return protobuf_fields.mapped(message, _answer_tree(operation, revision, changes))


def in_protobuf_message(revision: Revision, request: bytes, changes: Substitution) -> bytes:
    """The message of a request of SEND or STREAM, over gRPC. Raises the same."""
    field = 2 if revision is Revision.V1_0 else 1
    return protobuf_fields.mapped(request, {field: _message_tree(changes)})


def _message_tree(changes: Substitution) -> Tree:
    return {
        2: _said(changes.context_id),
        3: _said(changes.task_id),
        5: {1: changes.text},
        8: changes.task_id,
    }


def _said(change: Change) -> Change:
    """Empty ids are none."""
    return lambda text: change(text) if text else text


def _answer_tree(operation: Operation, revision: Revision, changes: Substitution) -> Tree:
    """The numbers of the fields of both revisions are alike, but of artifacts and webhooks."""
    is_new = revision is Revision.V1_0
    task_id, context_id = _said(changes.task_id), _said(changes.context_id)
    message = _message_tree(changes)
    artifact: Tree = {4 if is_new else 5: {1: changes.text}}
    task: Tree = {1: task_id, 2: context_id, 3: {2: message}, 4: artifact, 5: message}
    webhook: Tree = {3: task_id} if is_new else {1: lambda name: _renamed(name, changes)}
    match operation:
        case Operation.GET_TASK | Operation.CANCEL_TASK:
            return task
        case Operation.LIST_TASKS:
            return {1: task}
        case Operation.CREATE_PUSH | Operation.GET_PUSH:
            return webhook
        case Operation.LIST_PUSH:
            return {1: webhook}
        case Operation.SEND:
            return {1: task, 2: message}
        case Operation.STREAM | Operation.SUBSCRIBE:
            status: Tree = {1: task_id, 2: context_id, 3: {2: message}}
            update: Tree = {1: task_id, 2: context_id, 3: artifact}
            return {1: task, 2: message, 3: status, 4: update}
        case Operation.DELETE_PUSH | Operation.EXTENDED_CARD:
            return {}


# --- whole answers, and streams ------------------------------------------------------------


def in_body(
    operation: Operation, binding: Binding, revision: Revision, body: bytes, changes: Substitution
) -> bytes:
    """The body of an answer. Raises `InvalidJson`, `BrokenFrame`, `BrokenMessage`."""
    if binding is Binding.GRPC:
        stream = StreamSubstitution(operation, binding, revision, changes)
        return stream.feed(body) + stream.end()
    if not body.strip():
        return body
    return _in_json(operation, binding, body, changes)


def in_notification(body: bytes, changes: Substitution) -> bytes:
    """What an agent calls a webhook with; in 0.3 a task, whose kind some leave out. Raises
    `InvalidJson`."""
    document = json_spans.decode_exactly(body)
    is_bare = isinstance(document, dict) and not {"kind", *_PAYLOADS} & document.keys()
    changed = _task(document, changes) if is_bare else in_event(document, changes)
    return json_spans.encode(changed)


def _in_json(operation: Operation, binding: Binding, body: bytes, changes: Substitution) -> bytes:
    document = json_spans.decode_exactly(body)
    if binding is not Binding.JSONRPC:
        return json_spans.encode(in_result(operation, document, changes))
    if not isinstance(document, dict) or "result" not in document:
        return body  # an error
    result = in_result(operation, document["result"], changes)
    return json_spans.encode({**document, "result": result})


class StreamSubstitution:
    """The same of a stream, as its bytes come."""

    __slots__ = ("_binding", "_changes", "_frames", "_operation", "_revision", "_sse")

    def __init__(
        self,
        operation: Operation,
        binding: Binding,
        revision: Revision,
        changes: Substitution,
        grpc_encoding: str = "",
    ) -> None:
        self._operation = operation
        self._binding = binding
        self._revision = revision
        self._changes = changes
        self._frames = FrameDecoder(grpc_encoding)
        self._sse = SseDecoder()

    def feed(self, data: bytes) -> bytes:
        """What these bytes add. Raises as `in_body` does, and `EventTooLarge`."""
        if self._binding is Binding.GRPC:
            return b"".join(map(self._message, self._frames.feed(data)))
        return b"".join(map(self._event, self._sse.feed(data)))

    def end(self) -> bytes:
        """What the end adds."""
        if self._binding is Binding.GRPC:
            self._frames.end()
            return b""
        return b"".join(map(self._event, self._sse.end()))

    def _message(self, message: bytes) -> bytes:
        changed = in_protobuf(self._operation, self._revision, message, self._changes)
        return grpc_frames.frame(changed)

    def _event(self, event: Event) -> bytes:
        data = event.data
        if event.name != "error":
            data = _in_json(self._operation, self._binding, data, self._changes)
        elif b"\n" in data:
            data = json_spans.encode(json_spans.decode_exactly(data))
        return sse.encode(data, event.name)
