"""Why a request fails, and how each binding and revision of A2A says it.

Specification 1.0, "Error Code Mappings" and the "Error Handling" of each binding
(https://a2a-protocol.org/v1.0.0/specification/): a `google.rpc.Status` with an `ErrorInfo`, in JSON
or protobuf. Of 0.3 what its SDKs say: the name of the error's class before the message (gRPC), or
beside it (HTTP+JSON).

What has no code in A2A (who may not, or not now) has one of ours in JSON-RPC, and the status of
HTTP that everybody knows.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final, NamedTuple
from urllib.parse import quote_from_bytes

import msgspec
from msgspec import Struct

from extproc.a2a import protobuf_fields
from extproc.protocols import sse
from gateway.a2a import Binding, Revision

DOMAIN: Final = "a2a-protocol.org"
OWN_DOMAIN: Final = "dragoman"
"""Of what A2A has no code for."""
ERROR_INFO: Final = "type.googleapis.com/google.rpc.ErrorInfo"
NO_ID: Final = b"null"
DETAILS: Final = "grpc-status-details-bin"

_EMPTY: Final[Mapping[str, str]] = MappingProxyType({})
_JSON: Final = (("content-type", "application/json"),)
_PLAIN = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")
_LONGEST_MESSAGE = 2000


class Status(Enum):
    """Of gRPC: https://grpc.github.io/grpc/core/md_doc_statuscodes.html."""

    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    UNAUTHENTICATED = 16


class Saying(NamedTuple):
    """How an error is said."""

    code: int
    """Of JSON-RPC."""
    status: int
    """Of HTTP+JSON, in 1.0."""
    grpc: Status
    """In 1.0."""
    class_name: str
    """In 0.3."""
    v0_3_status: int
    """Of HTTP+JSON, in 0.3."""
    v0_3_grpc: Status
    is_http: bool = False
    """JSON-RPC has the status of HTTP, too; else it is 200."""


class ErrorKind(Enum):
    """What is wrong; the name is the `reason` of 1.0."""

    TASK_NOT_FOUND = Saying(
        -32001, 404, Status.NOT_FOUND, "TaskNotFoundError", 404, Status.NOT_FOUND
    )
    TASK_NOT_CANCELABLE = Saying(
        -32002,
        400,
        Status.FAILED_PRECONDITION,
        "TaskNotCancelableError",
        409,
        Status.UNIMPLEMENTED,
    )
    PUSH_NOTIFICATION_NOT_SUPPORTED = Saying(
        -32003,
        400,
        Status.FAILED_PRECONDITION,
        "PushNotificationNotSupportedError",
        501,
        Status.UNIMPLEMENTED,
    )
    UNSUPPORTED_OPERATION = Saying(
        -32004,
        400,
        Status.FAILED_PRECONDITION,
        "UnsupportedOperationError",
        501,
        Status.UNIMPLEMENTED,
    )
    CONTENT_TYPE_NOT_SUPPORTED = Saying(
        -32005,
        400,
        Status.INVALID_ARGUMENT,
        "ContentTypeNotSupportedError",
        415,
        Status.UNIMPLEMENTED,
    )
    INVALID_AGENT_RESPONSE = Saying(
        -32006, 500, Status.INTERNAL, "InvalidAgentResponseError", 502, Status.INTERNAL
    )
    EXTENDED_AGENT_CARD_NOT_CONFIGURED = Saying(
        -32007,
        400,
        Status.FAILED_PRECONDITION,
        "AuthenticatedExtendedCardNotConfiguredError",
        404,
        Status.NOT_FOUND,
    )
    EXTENSION_SUPPORT_REQUIRED = Saying(
        -32008,
        400,
        Status.FAILED_PRECONDITION,
        "ExtensionSupportRequiredError",
        400,
        Status.FAILED_PRECONDITION,
    )
    VERSION_NOT_SUPPORTED = Saying(
        -32009,
        400,
        Status.FAILED_PRECONDITION,
        "VersionNotSupportedError",
        400,
        Status.FAILED_PRECONDITION,
    )
    INVALID_PARAMS = Saying(
        -32602, 400, Status.INVALID_ARGUMENT, "InvalidParamsError", 422, Status.INVALID_ARGUMENT
    )
    INVALID_REQUEST = Saying(
        -32600, 400, Status.INVALID_ARGUMENT, "InvalidRequestError", 400, Status.INVALID_ARGUMENT
    )
    METHOD_NOT_FOUND = Saying(
        -32601, 404, Status.UNIMPLEMENTED, "MethodNotFoundError", 404, Status.UNIMPLEMENTED
    )
    PARSE_ERROR = Saying(
        -32700, 400, Status.INVALID_ARGUMENT, "JSONParseError", 400, Status.INVALID_ARGUMENT
    )
    INTERNAL_ERROR = Saying(-32603, 500, Status.INTERNAL, "InternalError", 500, Status.INTERNAL)
    # of the gateway: no binding has a code for them
    UNAUTHENTICATED = Saying(
        -32041,
        401,
        Status.UNAUTHENTICATED,
        "UnauthenticatedError",
        401,
        Status.UNAUTHENTICATED,
        is_http=True,
    )
    PERMISSION_DENIED = Saying(
        -32043,
        403,
        Status.PERMISSION_DENIED,
        "PermissionDeniedError",
        403,
        Status.PERMISSION_DENIED,
        is_http=True,
    )
    TOO_LARGE = Saying(
        -32045,
        413,
        Status.RESOURCE_EXHAUSTED,
        "RequestTooLargeError",
        413,
        Status.RESOURCE_EXHAUSTED,
        is_http=True,
    )
    RESOURCE_EXHAUSTED = Saying(
        -32049,
        429,
        Status.RESOURCE_EXHAUSTED,
        "ResourceExhaustedError",
        429,
        Status.RESOURCE_EXHAUSTED,
        is_http=True,
    )
    BAD_GATEWAY = Saying(
        -32052, 502, Status.UNAVAILABLE, "BadGatewayError", 502, Status.UNAVAILABLE, is_http=True
    )
    UNAVAILABLE = Saying(
        -32053, 503, Status.UNAVAILABLE, "UnavailableError", 503, Status.UNAVAILABLE, is_http=True
    )
    DEADLINE_EXCEEDED = Saying(
        -32054,
        504,
        Status.DEADLINE_EXCEEDED,
        "DeadlineExceededError",
        504,
        Status.DEADLINE_EXCEEDED,
        is_http=True,
    )


class Fault(Struct, frozen=True):
    """Why a request fails."""

    kind: ErrorKind
    message: str
    """For people; lower case, no full stop, when it is ours."""
    metadata: Mapping[str, str] = _EMPTY
    """More, for machines. Clients see it."""
    raw_id: bytes = NO_ID
    """Of JSON-RPC, where the request's could be read."""


class Said(NamedTuple):
    """An answer of HTTP."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


_V0_3_WORDS: Final = {
    ErrorKind.EXTENSION_SUPPORT_REQUIRED: ErrorKind.UNSUPPORTED_OPERATION,
    ErrorKind.VERSION_NOT_SUPPORTED: ErrorKind.UNSUPPORTED_OPERATION,
}
"""What 0.3 has no word for."""


def said(fault: Fault, binding: Binding, revision: Revision, raw_id: bytes = NO_ID) -> Said:
    """The whole answer to a request that fails before anything is answered."""
    saying = fault.kind.value
    match binding:
        case Binding.JSONRPC:
            status = saying.status if saying.is_http else 200
            return Said(status, _JSON, jsonrpc_body(fault, revision, raw_id))
        case Binding.HTTP_JSON:
            status = saying.status if revision is Revision.V1_0 else saying.v0_3_status
            return Said(status, _JSON, http_body(fault, revision))
        case Binding.GRPC:
            headers = (("content-type", "application/grpc"), *trailers(fault, revision))
            return Said(200, headers, b"")


def event(fault: Fault, binding: Binding, revision: Revision, raw_id: bytes = NO_ID) -> bytes:
    """The last event of a stream that fails; of gRPC, where `trailers` say it, none."""
    match binding:
        case Binding.JSONRPC:
            name = "error" if revision is Revision.V1_0 else ""
            return sse.encode(jsonrpc_body(fault, revision, raw_id), name)
        case Binding.HTTP_JSON:
            return sse.encode(http_body(fault, revision), "error")
        case Binding.GRPC:
            return b""


def jsonrpc_body(fault: Fault, revision: Revision, raw_id: bytes = NO_ID) -> bytes:
    """The id of the fault, where it has one, is the answer's."""
    kind = fault.kind if revision is Revision.V1_0 else _V0_3_WORDS.get(fault.kind, fault.kind)
    error: dict[str, object] = {"code": kind.value.code, "message": _message(fault)}
    if revision is Revision.V1_0:
        error["data"] = [_error_info(fault)]
    elif fault.metadata:
        error["data"] = dict(fault.metadata)
    written = raw_id if fault.raw_id == NO_ID else fault.raw_id
    return b'{"jsonrpc":"2.0","id":%s,"error":%s}' % (written, msgspec.json.encode(error))


def http_body(fault: Fault, revision: Revision) -> bytes:
    """Of HTTP+JSON."""
    saying = fault.kind.value
    if revision is Revision.V0_3:
        plain: dict[str, object] = {
            "message": _message(fault),
            "type": saying.class_name,
            "code": saying.code,
        }
        if fault.metadata:
            plain["data"] = dict(fault.metadata)
        return msgspec.json.encode(plain)
    error = {
        "code": saying.status,
        "status": saying.grpc.name,
        "message": _message(fault),
        "details": [_error_info(fault)],
    }
    return msgspec.json.encode({"error": error})


def trailers(fault: Fault, revision: Revision) -> tuple[tuple[str, str], ...]:
    """Of gRPC."""
    saying = fault.kind.value
    message = _message(fault)
    if revision is Revision.V0_3:
        return (
            ("grpc-status", str(saying.v0_3_grpc.value)),
            ("grpc-message", _escaped(f"{saying.class_name}: {message}")),
        )
    details = base64.b64encode(_status(fault, message)).rstrip(b"=").decode()
    return (
        ("grpc-status", str(saying.grpc.value)),
        ("grpc-message", _escaped(message)),
        (DETAILS, details),
    )


def _message(fault: Fault) -> str:
    return fault.message[:_LONGEST_MESSAGE]


def _domain(fault: Fault) -> str:
    return OWN_DOMAIN if fault.kind.value.is_http else DOMAIN


def _error_info(fault: Fault) -> dict[str, object]:
    return {
        "@type": ERROR_INFO,
        "reason": fault.kind.name,
        "domain": _domain(fault),
        "metadata": dict(fault.metadata),
    }


def _status(fault: Fault, message: str) -> bytes:
    """`google.rpc.Status` with a `google.rpc.ErrorInfo`, serialized."""
    add, text = protobuf_fields.delimited, protobuf_fields.text
    info = text((1,), fault.kind.name) + text((2,), _domain(fault))
    for key, value in fault.metadata.items():
        info += add(3, text((1,), key) + text((2,), value))
    detail = text((1,), ERROR_INFO) + add(2, info)
    code = protobuf_fields.number(1, fault.kind.value.grpc.value)
    return code + text((2,), message) + add(3, detail)


def _escaped(message: str) -> str:
    """As a header of gRPC: percent-encoded ("Responses" of its protocol over HTTP/2)."""
    return quote_from_bytes(message.encode("utf-8", "replace"), safe=_PLAIN)
