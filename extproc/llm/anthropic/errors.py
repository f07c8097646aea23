"""Anthropic's errors: https://docs.claude.com/en/api/errors.

`{"type": "error", "error": {"type", "message"}, "request_id"}`, whole or as the last event of a
stream.
"""

from __future__ import annotations

from collections.abc import Mapping

from extproc.llm.answer import Fault, ProviderError
from extproc.llm.dialect import ErrorAnswer
from extproc.protocols import json_spans
from extproc.protocols.json_spans import InvalidJson
from extproc.verdict import Deny

MAX_MESSAGE_CHARACTERS = 2000

_CONTENT_TYPE = (("content-type", "application/json"),)
_TYPES: Mapping[int, str] = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""By the status; others are `invalid_request_error` below 500, and `api_error`."""
_FAULTS: Mapping[str, Fault] = {
    "api_error": Fault.SERVER,
    "authentication_error": Fault.AUTHENTICATION,
    "billing_error": Fault.QUOTA,
    "conflict_error": Fault.INVALID,
    "invalid_request_error": Fault.INVALID,
    "not_found_error": Fault.NOT_FOUND,
    "overloaded_error": Fault.OVERLOADED,
    "permission_error": Fault.PERMISSION,
    "rate_limit_error": Fault.RATE_LIMIT,
    "request_too_large": Fault.TOO_LARGE,
    "timeout_error": Fault.TIMEOUT,
}
_STATUSES: Mapping[int, Fault] = {
    401: Fault.AUTHENTICATION,
    402: Fault.QUOTA,
    403: Fault.PERMISSION,
    404: Fault.NOT_FOUND,
    408: Fault.TIMEOUT,
    413: Fault.TOO_LARGE,
    429: Fault.RATE_LIMIT,
    503: Fault.OVERLOADED,
    504: Fault.TIMEOUT,
    529: Fault.OVERLOADED,
}
"""Of answers whose body says nothing that we know."""
_STATUS_OF: Mapping[str, int] = {
    "api_error": 500,
    "invalid_request_error": 400,
    **{kind: status for status, kind in _TYPES.items()},
}
"""Of errors that come in a stream, whose status was 200."""
_SAID = (
    ("prompt is too long", Fault.CONTEXT_LENGTH),
    ("exceed context limit", Fault.CONTEXT_LENGTH),
    ("content filtering policy", Fault.CONTENT_FILTER),
    ("credit balance is too low", Fault.QUOTA),
)
"""What only the message of an `invalid_request_error` tells."""
_TYPE_OF: Mapping[Fault, str] = {
    Fault.INVALID: "invalid_request_error",
    Fault.AUTHENTICATION: "authentication_error",
    Fault.PERMISSION: "permission_error",
    Fault.NOT_FOUND: "not_found_error",
    Fault.TOO_LARGE: "request_too_large",
    Fault.CONTEXT_LENGTH: "invalid_request_error",
    Fault.CONTENT_FILTER: "invalid_request_error",
    Fault.RATE_LIMIT: "rate_limit_error",
    Fault.QUOTA: "billing_error",
    Fault.OVERLOADED: "overloaded_error",
    Fault.TIMEOUT: "timeout_error",
    Fault.SERVER: "api_error",
}
_TOO_LONG = "prompt is too long"
"""As clients look for it, to compact the conversation and try again."""


def decode_error(status: int, body: bytes) -> ProviderError:
    """Of a status and whatever body came with it: Anthropic's, a cloud's, or none."""
    try:
        document: Mapping[str, object] = json_spans.decode(body)
    except InvalidJson:
        document = {}
    return error_of(document, status)


def error_of(document: Mapping[str, object], status: int | None = None) -> ProviderError:
    """Of an error's object; without a status, its type says one."""
    error = document.get("error")
    said: Mapping[str, object] = error if type(error) is dict else document
    kind = said.get("type")
    code = kind if type(kind) is str and kind != "error" else ""
    text = said.get("message")
    if status is None:
        status = _STATUS_OF.get(code, 500)
    fault = _FAULTS.get(code) or _STATUSES.get(status)
    if fault is None:
        fault = Fault.INVALID if status < 500 else Fault.SERVER
    if type(text) is not str or not text:
        return ProviderError(status, fault, f"the provider answered with status {status}", code)
    if fault is Fault.INVALID:
        lower = text.lower()
        fault = next((each for phrase, each in _SAID if phrase in lower), fault)
    return ProviderError(status, fault, text[:MAX_MESSAGE_CHARACTERS], code)


def encode_error(error: ProviderError) -> ErrorAnswer:
    return ErrorAnswer(_CONTENT_TYPE, json_spans.encode(document_of(error)))


def encode_refusal(deny: Deny) -> ErrorAnswer:
    """Of our own. The client's library chooses its exception by the status."""
    kind = _TYPES.get(deny.status)
    if kind is None:
        kind = "invalid_request_error" if deny.status < 500 else "api_error"
    error = {"type": kind, "message": deny.reason, "code": deny.code}
    return ErrorAnswer(_CONTENT_TYPE, json_spans.encode({"type": "error", "error": error}))


def document_of(error: ProviderError) -> dict[str, object]:
    """As a body, and as the data of a stream's `error` event."""
    message = error.message
    if error.fault is Fault.CONTEXT_LENGTH and _TOO_LONG not in message.lower():
        message = f"{_TOO_LONG}: {message}"
    return {"type": "error", "error": {"type": _TYPE_OF[error.fault], "message": message}}
