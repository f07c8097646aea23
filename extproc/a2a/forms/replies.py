"""What agents answer to one call, read into 1.0's words, and said to a client in its own."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from msgspec import structs

from extproc.a2a import agent_errors, grpc_frames
from extproc.a2a.errors import NO_ID, ErrorKind, Fault, Said
from extproc.a2a.forms import card_messages, protobuf
from extproc.a2a.forms.answered import result_down, result_up
from extproc.a2a.forms.calls import PACKAGES, Target
from extproc.a2a.forms.losses import Losses, Malformed
from extproc.a2a.forms.protobuf import BrokenMessage
from extproc.a2a.grpc_frames import BrokenFrame
from extproc.a2a.operations import Operation
from extproc.a2a.places import form
from extproc.protocols import json_spans
from extproc.protocols.json_spans import InvalidJson
from gateway.a2a import Binding, Revision

WENT_WELL: Final = (("grpc-status", "0"),)
"""Trailers of gRPC."""
_JSON: Final = (("content-type", "application/json"),)
_A2A_JSON: Final = (("content-type", "application/a2a+json"),)

RESULTS: Final[Mapping[Revision, Mapping[Operation, str]]] = MappingProxyType(
    {
        Revision.V1_0: {
            Operation.SEND: "SendMessageResponse",
            Operation.STREAM: "StreamResponse",
            Operation.GET_TASK: "Task",
            Operation.LIST_TASKS: "ListTasksResponse",
            Operation.CANCEL_TASK: "Task",
            Operation.SUBSCRIBE: "StreamResponse",
            Operation.CREATE_PUSH: "TaskPushNotificationConfig",
            Operation.GET_PUSH: "TaskPushNotificationConfig",
            Operation.LIST_PUSH: "ListTaskPushNotificationConfigsResponse",
            Operation.EXTENDED_CARD: "AgentCard",
        },
        Revision.V0_3: {
            Operation.SEND: "SendMessageResponse",
            Operation.STREAM: "StreamResponse",
            Operation.GET_TASK: "Task",
            Operation.CANCEL_TASK: "Task",
            Operation.SUBSCRIBE: "StreamResponse",
            Operation.CREATE_PUSH: "TaskPushNotificationConfig",
            Operation.GET_PUSH: "TaskPushNotificationConfig",
            Operation.LIST_PUSH: "ListTaskPushNotificationConfigResponse",
            Operation.EXTENDED_CARD: "AgentCard",
        },
    }
)
"""What gRPC answers with; what is not here, with nothing."""


def read(
    operation: Operation,
    target: Target,
    answer: Said,
    trailers: Mapping[str, str],
    losses: Losses,
) -> object | Fault:
    """The result of a call, in 1.0; or what went wrong, at the agent or with its answer.

    Trailers are gRPC's; where an answer has no body, they may be among the headers.
    """
    try:
        match target.binding:
            case Binding.JSONRPC:
                result = _jsonrpc(answer)
            case Binding.HTTP_JSON:
                result = _http(answer)
            case Binding.GRPC:
                result = _grpc(operation, target, answer, trailers)
        if isinstance(result, Fault):
            return result
        return result_up(operation, result, form(target.binding, target.revision), losses)
    except (Malformed, InvalidJson, BrokenMessage, BrokenFrame) as error:
        return broken(error)


def broken(error: ValueError) -> Fault:
    """An answer that cannot be read."""
    return Fault(ErrorKind.INVALID_AGENT_RESPONSE, f"the agent's answer cannot be read: {error}")


def written(
    operation: Operation, result: object, client: Target, losses: Losses, raw_id: bytes = NO_ID
) -> Said:
    """The answer to a client; of gRPC with `WENT_WELL` after it. Raises `Malformed`."""
    said = result_down(operation, result, form(client.binding, client.revision), losses)
    match client.binding:
        case Binding.JSONRPC:
            is_nothing = operation is Operation.DELETE_PUSH
            return Said(200, _JSON, envelope(None if is_nothing else said, raw_id))
        case Binding.HTTP_JSON:
            return Said(200, media_type(client.revision), json_spans.encode(said))
        case Binding.GRPC:
            message = encode(operation, client.revision, said, losses)
            headers = (("content-type", "application/grpc"),)
            return Said(200, headers, grpc_frames.frame(message))


def media_type(revision: Revision) -> tuple[tuple[str, str], ...]:
    """Of results over HTTP+JSON; errors are `application/json` (1.0 §11.1, §11.6)."""
    return _A2A_JSON if revision is Revision.V1_0 else _JSON


def envelope(result: object, raw_id: bytes) -> bytes:
    """The body of JSON-RPC."""
    return b'{"jsonrpc":"2.0","id":%s,"result":%s}' % (raw_id, json_spans.encode(result))


def encode(operation: Operation, revision: Revision, said: object, losses: Losses) -> bytes:
    """A message of gRPC."""
    name = RESULTS[revision].get(operation)
    if name is None:
        return b""
    if not isinstance(said, Mapping):
        raise Malformed(f"a {name} is an object")
    if operation is Operation.EXTENDED_CARD:
        return card_messages.to_message(said, revision, losses)
    return protobuf.encode(PACKAGES[revision] + name, said, losses)


def decode(operation: Operation, revision: Revision, message: bytes) -> object:
    """The document of a message of gRPC."""
    if operation is Operation.EXTENDED_CARD:
        return card_messages.from_message(message, revision)
    name = RESULTS[revision].get(operation)
    return {} if name is None else protobuf.decode(PACKAGES[revision] + name, message)


def result_of(document: object) -> object | Fault:
    """The result, or the error, of an envelope of JSON-RPC."""
    if not isinstance(document, dict) or ("result" in document) is ("error" in document):
        raise Malformed("an answer is a result or an error")
    if "error" in document:
        return agent_errors.read_jsonrpc(document["error"])
    result: object = document["result"]
    return result


def _jsonrpc(answer: Said) -> object | Fault:
    try:
        found = result_of(json_spans.decode_any(answer.body))
    except (InvalidJson, Malformed):
        if answer.status >= 300:
            return agent_errors.read_http(answer.status, answer.body)
        raise
    if isinstance(found, Fault) and found.kind is ErrorKind.INTERNAL_ERROR and answer.status >= 300:
        # of a proxy, or of Envoy: the status says more than a code that JSON-RPC has for all of it
        return structs.replace(found, kind=agent_errors.of_status(answer.status))
    return found


def _http(answer: Said) -> object | Fault:
    if answer.status >= 300:
        return agent_errors.read_http(answer.status, answer.body)
    return json_spans.decode_any(answer.body) if answer.body.strip() else {}


def _grpc(
    operation: Operation, target: Target, answer: Said, trailers: Mapping[str, str]
) -> object | Fault:
    headers = dict(answer.headers)
    if answer.status >= 300:
        return agent_errors.read_http(answer.status, answer.body)
    fault = agent_errors.read_grpc(headers if "grpc-status" in headers else trailers)
    if fault is not None:
        return fault
    message = grpc_frames.read_one(answer.body, headers)
    return decode(operation, target.revision, message)
