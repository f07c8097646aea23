"""Webhooks of clients in what is asked of agents: read, and another address in their place.

"Push Notifications": https://a2a-protocol.org/v1.0.0/specification/ §4.3, and §7.5 of 0.3.0. Agents
are told neither the client's address nor its credentials; clients are told their address again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec
from msgspec import Struct

from extproc.a2a import protobuf_fields, spelling
from extproc.a2a.operations import OPERATIONS, Operation
from extproc.a2a.places import FIELDS, Form, Names, Numbers
from extproc.a2a.requests import PUSHES, A2aRequest
from extproc.protocols import json_spans
from gateway.a2a import Binding, Revision

_CONFIG: Final = "pushNotificationConfig"
_AUTHENTICATION: Final = "authentication"
_SECRETS: Final = ("token", _AUTHENTICATION)
_AUTHENTICATION_FIELD: Final = {Revision.V1_0: 6, Revision.V0_3: 4}


class Webhook(Struct, frozen=True):
    """Where a client wants to be called, and how it knows who calls."""

    url: str
    token: str = ""
    """Sent in a header of its own."""
    schemes: tuple[str, ...] = ()
    """Of HTTP authentication, in the client's order."""
    credentials: str = ""


class Callback(Struct, frozen=True):
    """What an agent is told instead."""

    url: str
    token: str


class Unusable(ValueError):
    """A webhook that is none; says why."""


def place(request: A2aRequest) -> Names | None:
    """Where in its document a request says a webhook; None: it says none."""
    document = request.document
    if request.message is not None:
        said = document.get("configuration")
        if not isinstance(said, dict):
            return None
        name = next((each for each in PUSHES[request.form] if said.get(each) is not None), None)
        return None if name is None else ("configuration", name)
    if request.operation is not Operation.CREATE_PUSH:
        return None
    match request.form:
        case Form.V1_0:
            return ()
        case Form.V0_3:
            return (_CONFIG,)
        case Form.V0_3_PROTO:
            return ("config", _CONFIG) if "config" in document else (_CONFIG,)


def webhook(request: A2aRequest) -> Webhook | None:
    """What it says; None: it asks for no calls. Raises `Unusable`."""
    path = place(request)
    if path is None:
        return None
    value: object = request.document
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    if not isinstance(value, dict):
        raise Unusable("a webhook is an object")
    authentication = value.get(_AUTHENTICATION)
    said = {} if authentication is None else authentication
    if not isinstance(said, dict):
        raise Unusable("the authentication of a webhook is an object")
    schemes = said.get("schemes") if request.revision is Revision.V0_3 else [said.get("scheme")]
    found = [] if schemes is None else schemes
    if not isinstance(found, list):
        raise Unusable("the schemes of a webhook are a list")
    return Webhook(
        _text(value, "url"),
        _text(value, "token"),
        tuple(each for each in found if isinstance(each, str) and each),
        _text(said, "credentials"),
    )


def with_callback(request: A2aRequest, callback: Callback) -> A2aRequest:
    """The request with another webhook, to be said anew. It must say one."""
    path = place(request)
    assert path is not None
    document = _changed(request.document, path, callback)
    return msgspec.structs.replace(request, document=document)


def spliced(request: A2aRequest, body: bytes, callback: Callback) -> bytes:
    """The body with another webhook, and every other byte as it was: over gRPC of any request,
    without its prefix; in JSON of one with a message. It must say a webhook."""
    if request.binding is Binding.GRPC:
        return _in_message(request, body, callback)
    path = place(request)
    assert path
    if request.binding is Binding.JSONRPC:
        path = ("params", *path)
    elif request.form is Form.V0_3_PROTO:
        path = spelling.as_written(json_spans.decode(body), path)
    said = json_spans.value_at(body, path) or b"{}"
    changes = {"url": callback.url, "token": callback.token}
    written = {name: msgspec.json.encode(value) for name, value in changes.items()}
    without = json_spans.remove(said, {_AUTHENTICATION})
    return json_spans.replace_at(body, {path: json_spans.replace(without, written)})


def told(
    operation: Operation, result: object, own: Callable[[str], str | None]
) -> Mapping[str, object] | None:
    """What the client is told of its webhooks, in 1.0: their addresses, and no secret. `own` says
    the client's for the one that the agent was told; None: it is none of this client's. None: so
    is what was asked for."""
    document = result if isinstance(result, dict) else {}
    if operation is not Operation.LIST_PUSH:
        return _told(document, own)
    said = document.get("configs")
    configs = [_told(each, own) for each in said if isinstance(each, dict)] if said else []
    return {**document, "configs": [each for each in configs if each is not None]}


def is_told(operation: Operation) -> bool:
    """Whether the answer says webhooks."""
    return OPERATIONS[operation].is_about_push and operation is not Operation.DELETE_PUSH


def _told(
    config: Mapping[str, object], own: Callable[[str], str | None]
) -> dict[str, object] | None:
    said = config.get("url")
    url = own(said) if isinstance(said, str) else None
    if url is None:
        return None
    return {**{name: each for name, each in config.items() if name not in _SECRETS}, "url": url}


def _text(members: Mapping[str, object], name: str) -> str:
    value = members.get(name)
    if value is not None and not isinstance(value, str):
        raise Unusable(f"{name!r} of a webhook is a text")
    return value or ""


def _changed(document: Mapping[str, object], path: Names, callback: Callback) -> dict[str, object]:
    found = dict(document)
    if path:
        inner = found[path[0]]
        assert isinstance(inner, dict)
        found[path[0]] = _changed(inner, path[1:], callback)
        return found
    found.pop(_AUTHENTICATION, None)
    return {**found, "url": callback.url, "token": callback.token}


def _in_message(request: A2aRequest, message: bytes, callback: Callback) -> bytes:
    fields = FIELDS[request.revision][request.operation]
    authentication: Numbers = (*fields.push_url[:-1], _AUTHENTICATION_FIELD[request.revision])
    for each in (fields.push_url, fields.push_token, authentication):  # not even a byte is told
        message = protobuf_fields.without(message, each)
    url = protobuf_fields.text(fields.push_url, callback.url)
    return b"".join((message, url, protobuf_fields.text(fields.push_token, callback.token)))
