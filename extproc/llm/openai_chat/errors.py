"""Errors of OpenAI's API and of servers like it, read and written.

https://platform.openai.com/docs/guides/error-codes. Others put the message elsewhere: Mistral and
older vLLM beside `object`, FastAPI in `detail`, Gemini's compatible API in an array.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from extproc.llm.answer import Fault, ProviderError
from extproc.llm.dialect import ErrorAnswer
from extproc.protocols import json_spans
from extproc.protocols.json_spans import InvalidJson
from extproc.verdict import OUT_OF_BUDGET, Deny

LONGEST_MESSAGE = 2000
"""In characters, of a message that is kept."""

HEADERS = (("content-type", "application/json"),)

_BY_CODE: Mapping[str, Fault] = MappingProxyType(
    {
        "authentication_error": Fault.AUTHENTICATION,
        "billing_hard_limit_reached": Fault.QUOTA,
        "content_filter": Fault.CONTENT_FILTER,
        "content_policy_violation": Fault.CONTENT_FILTER,
        "context_length_exceeded": Fault.CONTEXT_LENGTH,
        "deploymentnotfound": Fault.NOT_FOUND,
        "engine_overloaded": Fault.OVERLOADED,
        "insufficient_quota": Fault.QUOTA,
        "invalid_api_key": Fault.AUTHENTICATION,
        "invalid_authentication_error": Fault.AUTHENTICATION,
        "invalid_request_error": Fault.INVALID,
        "model_not_found": Fault.NOT_FOUND,
        "not_found_error": Fault.NOT_FOUND,
        "overloaded": Fault.OVERLOADED,
        "overloaded_error": Fault.OVERLOADED,
        "permission_error": Fault.PERMISSION,
        "rate_limit_error": Fault.RATE_LIMIT,
        "rate_limit_exceeded": Fault.RATE_LIMIT,
        "request_too_large": Fault.TOO_LARGE,
        "requests": Fault.RATE_LIMIT,
        "responsibleaipolicyviolation": Fault.CONTENT_FILTER,
        "server_error": Fault.SERVER,
        "service_unavailable_error": Fault.OVERLOADED,
        "timeout": Fault.TIMEOUT,
        "tokens": Fault.RATE_LIMIT,
    }
)
"""By the `code` or the `type`, in lower case."""
_BY_STATUS: Mapping[int, Fault] = MappingProxyType(
    {
        401: Fault.AUTHENTICATION,
        402: Fault.QUOTA,
        403: Fault.PERMISSION,
        404: Fault.NOT_FOUND,
        408: Fault.TIMEOUT,
        413: Fault.TOO_LARGE,
        429: Fault.RATE_LIMIT,
        498: Fault.OVERLOADED,  # Groq, of its flex tier
        503: Fault.OVERLOADED,
        504: Fault.TIMEOUT,
        529: Fault.OVERLOADED,
    }
)
_STATUSES: Mapping[Fault, int] = MappingProxyType(
    {
        Fault.INVALID: 400,
        Fault.AUTHENTICATION: 401,
        Fault.PERMISSION: 403,
        Fault.NOT_FOUND: 404,
        Fault.TOO_LARGE: 413,
        Fault.CONTEXT_LENGTH: 400,
        Fault.CONTENT_FILTER: 400,
        Fault.RATE_LIMIT: 429,
        Fault.QUOTA: 429,
        Fault.OVERLOADED: 503,
        Fault.TIMEOUT: 504,
        Fault.SERVER: 500,
    }
)
_WRITTEN: Mapping[Fault, tuple[str, str | None]] = MappingProxyType(
    {
        Fault.INVALID: ("invalid_request_error", None),
        Fault.AUTHENTICATION: ("authentication_error", "invalid_api_key"),
        Fault.PERMISSION: ("permission_error", None),
        Fault.NOT_FOUND: ("invalid_request_error", "model_not_found"),
        Fault.TOO_LARGE: ("invalid_request_error", "request_too_large"),
        Fault.CONTEXT_LENGTH: ("invalid_request_error", "context_length_exceeded"),
        Fault.CONTENT_FILTER: ("invalid_request_error", "content_filter"),
        Fault.RATE_LIMIT: ("rate_limit_error", "rate_limit_exceeded"),
        Fault.QUOTA: ("insufficient_quota", "insufficient_quota"),
        Fault.OVERLOADED: ("service_unavailable_error", "overloaded"),
        Fault.TIMEOUT: ("server_error", "timeout"),
        Fault.SERVER: ("server_error", None),
    }
)
"""Type and code of each."""
_REFUSED: Mapping[int, str] = MappingProxyType(
    {
        401: "authentication_error",
        403: "permission_error",
        429: "rate_limit_error",
        503: "service_unavailable_error",
    }
)
"""The type, by the status."""
_TOO_LONG = (
    "context length",
    "context_length",
    "context window",
    "maximum model length",
    "prompt is too long",
    "too many tokens",
)
"""What the messages say of servers that have no code for it."""
_LEAST_ERROR = 400


def encode_refusal(deny: Deny) -> ErrorAnswer:
    """The client's library chooses its exception by the status."""
    kind = "insufficient_quota" if deny.code == OUT_OF_BUDGET else _REFUSED.get(deny.status)
    if kind is None:
        kind = "invalid_request_error" if deny.status < 500 else "server_error"
    error = {"message": deny.reason, "type": kind, "param": deny.param, "code": deny.code}
    return ErrorAnswer(HEADERS, json_spans.encode({"error": error}))


def decode_error(status: int, body: bytes) -> ProviderError:
    """Of a status and whatever came with it."""
    found = _error_in(body)
    if found is None:
        text = body.decode("utf-8", "replace").strip()
        fault = _BY_STATUS.get(status) or _by_class(status)
        return ProviderError(status, fault, _shown(text) or f"status {status}")
    return error_of(found, status)


def error_of(error: Mapping[str, object], status: int = 0) -> ProviderError:
    """Of an error object; without a status (in a stream), that of the kind of error."""
    code, kind = _word(error.get("code")), _word(error.get("type"))
    message = _message(error)
    if not status and code.isdigit() and int(code) >= _LEAST_ERROR:  # OpenRouter, Gemini
        status = int(code)
    fault = _fault(status, code, kind, message)
    param = error.get("param")
    return ProviderError(
        status or _STATUSES[fault],
        fault,
        message or code or kind or f"status {status or _STATUSES[fault]}",
        "" if code.isdigit() else code,
        param if type(param) is str else "",
    )


def error_object(error: ProviderError) -> dict[str, object]:
    """The error as OpenAI writes it."""
    kind, code = _WRITTEN[error.fault]
    return {
        "message": error.message,
        "type": kind,
        "param": error.param or None,
        "code": code or error.code or None,
    }


def encode_error(error: ProviderError) -> ErrorAnswer:
    """The whole answer; the client's library chooses its exception by the status."""
    return ErrorAnswer(HEADERS, json_spans.encode({"error": error_object(error)}))


def _error_in(body: bytes) -> Mapping[str, object] | None:
    try:
        document = json_spans.decode_exactly(body)
    except InvalidJson:
        return None
    if type(document) is list and document:
        document = document[0]
    if type(document) is not dict:
        return None
    error = document.get("error")
    if type(error) is dict:
        inner = error.get("innererror")  # Azure's, which names its content filter
        if type(inner) is dict and type(inner.get("code")) is str:
            return {**error, "code": inner["code"]}
        return error
    if type(error) is str:
        return {**document, "message": document.get("message") or error}
    return document


def _fault(status: int, code: str, kind: str, message: str) -> Fault:
    fault = _BY_CODE.get(code.lower()) or _BY_CODE.get(kind.lower())
    if fault is None or fault is Fault.INVALID or fault is Fault.SERVER:
        lowered = message.lower()
        if status in (0, 400, 413, 422) and any(words in lowered for words in _TOO_LONG):
            return Fault.CONTEXT_LENGTH
        if status in _BY_STATUS:
            return _BY_STATUS[status]
    if fault is not None:
        return fault
    return _by_class(status)


def _by_class(status: int) -> Fault:
    return Fault.INVALID if _LEAST_ERROR <= status < 500 else Fault.SERVER


def _message(error: Mapping[str, object]) -> str:
    for name in ("message", "detail"):
        value = error.get(name)
        if type(value) is str:
            if value:
                return _shown(value)
        elif value:
            return _shown(json_spans.encode(value).decode())
    return ""


def _shown(text: str) -> str:
    return text[:LONGEST_MESSAGE]


def _word(value: object) -> str:
    """Codes are words, or numbers."""
    if type(value) is str:
        return value
    return "" if value is None or type(value) is bool else str(value)
