"""What changes in a request on its way to an agent; every other byte stays as the client wrote it.

In JSON, values are spliced. In protobuf, what is added at the end counts (`protobuf_fields`). Paths
of HTTP+JSON are written anew, so that the agent reads the ids that were read here.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import quote_plus, unquote_plus

import msgspec
from msgspec import Struct

from extproc.a2a import http_paths, protobuf_fields, spelling
from extproc.a2a.operations import Operation
from extproc.a2a.places import FIELDS, PLACES, Fields, Form, Names, Numbers, resource
from extproc.a2a.requests import A2aRequest
from extproc.protocols import json_spans
from gateway.a2a import Binding

_MOST_REMEMBERED = 1024
_PARAMS: Names = ("params",)
_OF_JSONRPC = ("pushNotificationConfig",)


class Edit(Struct, frozen=True):
    """What changes; None: nothing does."""

    tenant: str | None = None
    task_id: str | None = None
    context_id: str | None = None
    push_id: str | None = None
    push_url: str | None = None
    push_token: str | None = None
    reference_task_ids: tuple[str, ...] | None = None


class Carried(Struct, frozen=True):
    """What carries a request."""

    path: str
    """Behind the agent's; of HTTP+JSON alone."""
    query: str
    """Without its `?`."""
    body: bytes
    """Of gRPC: the message, without its prefix."""


def edited(request: A2aRequest, carried: Carried, edit: Edit) -> Carried:
    """The request with these changes. It must be the one that was read from what carries it.

    `ValueError`: its operation does not say that.
    """
    match request.binding:
        case Binding.JSONRPC:
            changes = {(*_PARAMS, *path): value for path, value in _changes(request, edit).items()}
            body = carried.body
            is_bare = changes and not request.document
            if is_bare and json_spans.value_at(body, _PARAMS) == b"null":
                body = json_spans.replace_at(body, {_PARAMS: b"{}"})
            if changes:
                body = json_spans.replace_at(body, changes)
            return Carried(carried.path, carried.query, body)
        case Binding.HTTP_JSON:
            return _edited_http(request, carried, edit)
        case Binding.GRPC:
            return Carried(
                carried.path, carried.query, _edited_message(request, carried.body, edit)
            )


def with_own_ids(request: A2aRequest, body: bytes, edit: Edit) -> bytes | None:
    """The body of a message of JSON whose ids change, and no more: they are found soonest by their
    names. None: it cannot be told so, or it is no such body."""
    said = request.message
    if said is None or request.binding is Binding.GRPC or request.form is Form.V0_3_PROTO:
        return None
    new: dict[str, bytes] = {}
    for name, value in (("taskId", edit.task_id), ("contextId", edit.context_id)):
        if value is not None:
            if type(said.get(name)) is not str:
                return None
            new[name] = msgspec.json.encode(value)
    if edit != Edit(task_id=edit.task_id, context_id=edit.context_id):
        return None
    return json_spans.replace_only(body, new)


def with_ids(request: A2aRequest, edit: Edit) -> A2aRequest:
    """A message as it reads with other ids."""
    message = dict(request.message or {})
    task_id, context_id, references = edit.task_id, edit.context_id, edit.reference_task_ids
    if task_id is not None:
        message["taskId"] = task_id
    if context_id is not None:
        message["contextId"] = context_id
    if references is not None:
        message["referenceTaskIds"] = list(references)
    return msgspec.structs.replace(
        request,
        document={**request.document, "message": message},
        message=message,
        task_id=request.task_id if task_id is None else task_id,
        context_id=request.context_id if context_id is None else context_id,
        reference_task_ids=request.reference_task_ids if references is None else references,
    )


def _said(edit: Edit) -> dict[str, str]:
    """The texts that change, by their names in the tables."""
    return {
        name: value
        for name in ("tenant", "task_id", "context_id", "push_id", "push_url", "push_token")
        if (value := getattr(edit, name)) is not None
    }


def _changes(request: A2aRequest, edit: Edit) -> dict[Names, bytes]:
    """Values in JSON, by their paths in the document."""
    places = PLACES[request.form][request.operation]
    changes: dict[Names, bytes] = {}
    for name, value in _said(edit).items():
        path: Names = getattr(places, name)
        if path:
            changes[path] = msgspec.json.encode(value)
        elif not places.resource or name not in ("task_id", "push_id"):
            raise ValueError(f"{request.operation} says no {name}")
    if places.resource and (edit.task_id is not None or edit.push_id is not None):
        changes[places.resource] = msgspec.json.encode(_resource(request, edit))
    if edit.reference_task_ids is not None:
        if not places.reference_task_ids:
            raise ValueError(f"{request.operation} says no other tasks")
        changes[places.reference_task_ids] = msgspec.json.encode(edit.reference_task_ids)
    return changes


def _resource(request: A2aRequest, edit: Edit) -> str:
    task_id = request.task_id if edit.task_id is None else edit.task_id
    push_id = request.push_id if edit.push_id is None else edit.push_id
    is_webhook = request.operation in (Operation.GET_PUSH, Operation.DELETE_PUSH)
    return resource(task_id, push_id if is_webhook else "")


# --- HTTP+JSON -----------------------------------------------------------------------------


def _edited_http(request: A2aRequest, carried: Carried, edit: Edit) -> Carried:
    path = http_paths.written(
        request.operation,
        request.revision,
        request.tenant if edit.tenant is None else edit.tenant,
        request.task_id if edit.task_id is None else edit.task_id,
        request.push_id if edit.push_id is None else edit.push_id,
    )
    changes = _changes(request, edit)
    query = _edited_query(carried.query, changes)
    body = carried.body
    if not body.strip():
        return Carried(path, query, body)
    places = PLACES[request.form][request.operation]
    in_path = {places.tenant, places.resource}
    if request.message is None:
        in_path.add(places.task_id)
    is_proto = request.form is Form.V0_3_PROTO
    kept: Mapping[Names, bytes] = changes
    if is_proto or not in_path.isdisjoint(changes):
        document = json_spans.decode(body)
        if is_proto:
            changes = _moved(changes, request, edit, document)
        kept = {
            spelling.as_written(document, place) if is_proto else place: value
            for place, value in changes.items()
            if place not in in_path or _has(document, place)
        }
    return Carried(path, query, json_spans.replace_at(body, kept) if kept else body)


def _has(document: Mapping[str, object], place: Names) -> bool:
    value: object = document
    for name in spelling.as_written(document, place):
        if not isinstance(value, dict) or value.get(name) is None:
            return False
        value = value[name]
    return True


def _moved(
    changes: Mapping[Names, bytes],
    request: A2aRequest,
    edit: Edit,
    document: Mapping[str, object],
) -> dict[Names, bytes]:
    """The same where the client has said a webhook: in one of two places of 0.3."""
    if request.message is not None:
        if not _has(document, ("configuration", *_OF_JSONRPC)):
            return dict(changes)
        return {
            ("configuration", *_OF_JSONRPC, path[-1])
            if path[:2] == ("configuration", "pushNotification")
            else path: value
            for path, value in changes.items()
        }
    if request.operation is not Operation.CREATE_PUSH:
        return dict(changes)
    is_bare = not _has(document, ("config",))
    outer: Names = () if is_bare else ("config",)
    moved = {
        path[1:] if is_bare and path[0] == "config" else path: value
        for path, value in changes.items()
    }
    if is_bare:
        moved.pop(("configId",), None)
    if edit.push_id is not None:
        moved[(*outer, *_OF_JSONRPC, "id")] = msgspec.json.encode(edit.push_id)
    if _has(document, (*outer, "name")):
        task_id = request.task_id if edit.task_id is None else edit.task_id
        push_id = request.push_id if edit.push_id is None else edit.push_id
        moved[(*outer, "name")] = msgspec.json.encode(resource(task_id, push_id))
    return moved


def _edited_query(query: str, changes: Mapping[Names, bytes]) -> str:
    """With those changes that it says; a context stands there alone."""
    if not query or not changes:
        return query
    pieces = []
    for piece in query.split("&"):
        name = unquote_plus(piece.partition("=")[0])
        value = changes.get((name,))
        if value is not None:
            text = msgspec.json.decode(value, type=str)
            piece = f"{quote_plus(name)}={quote_plus(text)}"
        pieces.append(piece)
    return "&".join(pieces)


# --- gRPC ----------------------------------------------------------------------------------


def tenant_behind(request: A2aRequest, tenant: str) -> bytes:
    """What another tenant takes alone: it is put behind the message."""
    return _tenant(FIELDS[request.revision][request.operation].tenant, tenant)


@lru_cache(_MOST_REMEMBERED)
def _tenant(field: Numbers, tenant: str) -> bytes:
    return protobuf_fields.text(field, tenant) if field else b""


def _edited_message(request: A2aRequest, message: bytes, edit: Edit) -> bytes:
    fields = FIELDS[request.revision][request.operation]
    references = edit.reference_task_ids
    if references is None:
        return message + _added(request, fields, edit)
    path = fields.reference_task_ids
    if not path:
        raise ValueError(f"{request.operation} says no other tasks")
    added = [protobuf_fields.text(path, each) for each in references]
    without = protobuf_fields.without(message, path)
    return b"".join((without, *added, _added(request, fields, edit)))


def _added(request: A2aRequest, fields: Fields, edit: Edit) -> bytes:
    """What is put behind the message."""
    pieces: list[bytes] = []
    for name, value in _said(edit).items():
        path: Numbers = getattr(fields, name)
        if path:
            pieces.append(protobuf_fields.text(path, value))
        elif not fields.resource or name not in ("task_id", "push_id"):
            raise ValueError(f"{request.operation} says no {name}")
    if fields.resource and (edit.task_id is not None or edit.push_id is not None):
        pieces.append(protobuf_fields.text(fields.resource, _resource(request, edit)))
        if request.operation is Operation.CREATE_PUSH:
            task_id = request.task_id if edit.task_id is None else edit.task_id
            push_id = request.push_id if edit.push_id is None else edit.push_id
            pieces.append(protobuf_fields.text((3, 1), resource(task_id, push_id)))
            pieces.append(protobuf_fields.text((3, 2, 1), push_id))
    return b"".join(pieces)
