"""What went wrong at an agent, read from its answer in any binding and revision of A2A.

What cannot be read is a fault, too. Field violations (`google.rpc.BadRequest`) are not kept: the
message says them.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import unquote_to_bytes

from extproc.a2a import protobuf_fields
from extproc.a2a.errors import DETAILS, ERROR_INFO, ErrorKind, Fault, Status
from extproc.a2a.protobuf_fields import BrokenMessage
from extproc.protocols import json_spans
from extproc.protocols.json_spans import InvalidJson

_EMPTY: Final[Mapping[str, str]] = MappingProxyType({})
_BY_CODE: Final = {kind.value.code: kind for kind in ErrorKind}
_BY_REASON: Final = {
    **{kind.name: kind for kind in ErrorKind},
    "UNAUTHENTICATED": ErrorKind.UNAUTHENTICATED,
}
_BY_CLASS: Final = {
    **{kind.value.class_name: kind for kind in ErrorKind},
    "ExtendedAgentCardNotConfiguredError": ErrorKind.EXTENDED_AGENT_CARD_NOT_CONFIGURED,
}
_BY_HTTP: Final = {
    401: ErrorKind.UNAUTHENTICATED,
    403: ErrorKind.PERMISSION_DENIED,
    404: ErrorKind.TASK_NOT_FOUND,
    405: ErrorKind.METHOD_NOT_FOUND,
    409: ErrorKind.TASK_NOT_CANCELABLE,
    413: ErrorKind.TOO_LARGE,
    415: ErrorKind.CONTENT_TYPE_NOT_SUPPORTED,
    422: ErrorKind.INVALID_PARAMS,
    429: ErrorKind.RESOURCE_EXHAUSTED,
    501: ErrorKind.UNSUPPORTED_OPERATION,
    502: ErrorKind.BAD_GATEWAY,
    503: ErrorKind.UNAVAILABLE,
    504: ErrorKind.DEADLINE_EXCEEDED,
}
"""Where nothing but the status says what it is."""
_BY_GRPC: Final = {
    Status.INVALID_ARGUMENT: ErrorKind.INVALID_PARAMS,
    Status.DEADLINE_EXCEEDED: ErrorKind.DEADLINE_EXCEEDED,
    Status.NOT_FOUND: ErrorKind.TASK_NOT_FOUND,
    Status.PERMISSION_DENIED: ErrorKind.PERMISSION_DENIED,
    Status.RESOURCE_EXHAUSTED: ErrorKind.RESOURCE_EXHAUSTED,
    Status.FAILED_PRECONDITION: ErrorKind.UNSUPPORTED_OPERATION,
    Status.UNIMPLEMENTED: ErrorKind.UNSUPPORTED_OPERATION,
    Status.UNAVAILABLE: ErrorKind.UNAVAILABLE,
    Status.UNAUTHENTICATED: ErrorKind.UNAUTHENTICATED,
}


def of_status(status: int) -> ErrorKind:
    """What a status of HTTP says by itself: what policies refuse with, and what proxies answer."""
    known = _BY_HTTP.get(status)
    if known is not None:
        return known
    return ErrorKind.INVALID_REQUEST if 400 <= status < 500 else ErrorKind.INTERNAL_ERROR


def read_jsonrpc(error: object) -> Fault:
    """The member `error` of an answer, decoded."""
    if not isinstance(error, dict):
        return Fault(ErrorKind.INVALID_AGENT_RESPONSE, "the agent's error is no object")
    message = _text(error.get("message"))
    data = error.get("data")
    reason, metadata = _read_details(data)
    if reason is None and isinstance(data, dict):
        metadata = _texts(data)
    code = error.get("code")
    kind = reason or (_BY_CODE.get(code) if isinstance(code, int) else None)
    return Fault(kind or ErrorKind.INTERNAL_ERROR, message, metadata)


def read_http(status: int, body: bytes) -> Fault:
    """The answer of an agent, or of a proxy before it, whose status is an error's."""
    try:
        document = json_spans.decode(body)
    except InvalidJson:
        return Fault(of_status(status), f"the agent answered with the status {status}")
    error = document.get("error")
    if isinstance(error, dict):
        reason, metadata = _read_details(error.get("details"))
        return Fault(reason or of_status(status), _text(error.get("message")), metadata)
    name, code, data = document.get("type"), document.get("code"), document.get("data")
    kind = _BY_CLASS.get(name) if isinstance(name, str) else None
    if kind is None and isinstance(code, int):
        kind = _BY_CODE.get(code)
    message = _text(document.get("message") or document.get("detail"))
    metadata = _texts(data) if isinstance(data, dict) else _EMPTY
    return Fault(
        kind or of_status(status),
        message or f"the agent answered with the status {status}",
        metadata,
    )


def read_grpc(trailers: Mapping[str, str]) -> Fault | None:
    """The trailers of a call; None: it went well. Without a status, it broke off."""
    number = trailers.get("grpc-status", "")
    if number == "0":
        return None
    message = unquote_to_bytes(trailers.get("grpc-message", "")).decode("utf-8", "replace")
    if not number.isascii() or not number.isdigit():
        return Fault(ErrorKind.BAD_GATEWAY, message or "the agent's answer has no status")
    kind, metadata = _read_status(trailers.get(DETAILS, ""))
    if kind is not None:
        return Fault(kind, message, metadata)
    name, colon, rest = message.partition(": ")
    named = _BY_CLASS.get(name) if colon else None
    if named is not None:
        return Fault(named, rest)
    try:
        known = _BY_GRPC.get(Status(int(number)))
    except ValueError:
        known = None
    return Fault(known or ErrorKind.INTERNAL_ERROR, message)


def _read_details(details: object) -> tuple[ErrorKind | None, Mapping[str, str]]:
    """Of an `ErrorInfo` in JSON."""
    for each in details if isinstance(details, list) else ():
        if not isinstance(each, dict) or each.get("@type") != ERROR_INFO:
            continue
        reason, metadata = each.get("reason"), each.get("metadata")
        kind = _BY_REASON.get(reason) if isinstance(reason, str) else None
        return kind, _texts(metadata) if isinstance(metadata, dict) else _EMPTY
    return None, _EMPTY


def _read_status(header: str) -> tuple[ErrorKind | None, Mapping[str, str]]:
    """Of an `ErrorInfo` in a serialized `google.rpc.Status`, which may be broken."""
    try:
        padded = header + "=" * (-len(header) % 4)
        for field, detail in protobuf_fields.fields(base64.b64decode(padded, validate=True)):
            if field != 3 or not isinstance(detail, bytes):
                continue
            found = dict(protobuf_fields.fields(detail))
            info = found.get(2, b"")
            if found.get(1) == ERROR_INFO.encode() and isinstance(info, bytes):
                return _read_info(info)
    except (binascii.Error, BrokenMessage, ValueError):
        return None, _EMPTY
    return None, _EMPTY


def _read_info(info: bytes) -> tuple[ErrorKind | None, Mapping[str, str]]:
    reason, metadata = "", {}
    for field, value in protobuf_fields.fields(info):
        if not isinstance(value, bytes):
            continue
        if field == 1:
            reason = value.decode("utf-8", "replace")
        elif field == 3:
            entry = dict(protobuf_fields.fields(value))
            key, said = entry.get(1, b""), entry.get(2, b"")
            if isinstance(key, bytes) and isinstance(said, bytes):
                metadata[key.decode("utf-8", "replace")] = said.decode("utf-8", "replace")
    return _BY_REASON.get(reason), metadata


def _texts(members: Mapping[str, object]) -> dict[str, str]:
    return {
        key: value if isinstance(value, str) else json_spans.encode(value).decode()
        for key, value in members.items()
    }


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
