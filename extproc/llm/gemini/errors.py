"""Gemini's errors: https://ai.google.dev/gemini-api/docs/troubleshooting and google.rpc.Status.

https://cloud.google.com/apis/design/errors: `{"error": {code, message, status, details}}`.
"""

from __future__ import annotations

from collections.abc import Mapping

from extproc.llm.answer import Fault, ProviderError
from extproc.llm.dialect import ErrorAnswer, Headers
from extproc.llm.lenient import objects
from extproc.protocols import json_spans
from extproc.protocols.json_spans import InvalidJson
from extproc.verdict import Deny

_DOMAIN = "dragoman"
_TYPE = "type.googleapis.com/google.rpc."
_CONTENT_TYPE: Headers = (("content-type", "application/json; charset=UTF-8"),)
_LONGEST_MESSAGE = 2000

_STATUS_NAMES: Mapping[int, str] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
    529: "UNAVAILABLE",
}
_FAULTS: Mapping[str, Fault] = {
    "INVALID_ARGUMENT": Fault.INVALID,
    "FAILED_PRECONDITION": Fault.INVALID,
    "OUT_OF_RANGE": Fault.INVALID,
    "UNAUTHENTICATED": Fault.AUTHENTICATION,
    "PERMISSION_DENIED": Fault.PERMISSION,
    "NOT_FOUND": Fault.NOT_FOUND,
    "RESOURCE_EXHAUSTED": Fault.RATE_LIMIT,
    "UNAVAILABLE": Fault.OVERLOADED,
    "DEADLINE_EXCEEDED": Fault.TIMEOUT,
    "CANCELLED": Fault.TIMEOUT,
    "INTERNAL": Fault.SERVER,
    "UNKNOWN": Fault.SERVER,
    "UNIMPLEMENTED": Fault.SERVER,
    "ABORTED": Fault.SERVER,
    "DATA_LOSS": Fault.SERVER,
}
_FAULTS_OF_STATUS: Mapping[int, Fault] = {
    401: Fault.AUTHENTICATION,
    403: Fault.PERMISSION,
    404: Fault.NOT_FOUND,
    408: Fault.TIMEOUT,
    413: Fault.TOO_LARGE,
    429: Fault.RATE_LIMIT,
    503: Fault.OVERLOADED,
    504: Fault.TIMEOUT,
    529: Fault.OVERLOADED,
}
_FAULTS_OF_REASON: Mapping[str, Fault] = {
    "API_KEY_INVALID": Fault.AUTHENTICATION,
    "API_KEY_EXPIRED": Fault.AUTHENTICATION,
    "ACCESS_TOKEN_EXPIRED": Fault.AUTHENTICATION,
    "BILLING_DISABLED": Fault.QUOTA,
    "RATE_LIMIT_EXCEEDED": Fault.RATE_LIMIT,
}
"""By `google.rpc.ErrorInfo.reason`, which says more than the status."""
_CODES: Mapping[Fault, str] = {
    Fault.INVALID: "INVALID_ARGUMENT",
    Fault.AUTHENTICATION: "UNAUTHENTICATED",
    Fault.PERMISSION: "PERMISSION_DENIED",
    Fault.NOT_FOUND: "NOT_FOUND",
    Fault.TOO_LARGE: "INVALID_ARGUMENT",
    Fault.CONTEXT_LENGTH: "INVALID_ARGUMENT",
    Fault.CONTENT_FILTER: "INVALID_ARGUMENT",
    Fault.RATE_LIMIT: "RESOURCE_EXHAUSTED",
    Fault.QUOTA: "RESOURCE_EXHAUSTED",
    Fault.OVERLOADED: "UNAVAILABLE",
    Fault.TIMEOUT: "DEADLINE_EXCEEDED",
    Fault.SERVER: "INTERNAL",
}


def decode_error(status: int, body: bytes) -> ProviderError:
    """What a provider answered instead. In streams without `alt=sse`, it comes in a list."""
    try:
        document = json_spans.decode_exactly(body)
    except (InvalidJson, UnicodeDecodeError):
        return _unread(status, body)
    if type(document) is list and document:
        document = document[0]
    error = document.get("error") if type(document) is dict else None
    if type(error) is not dict:
        return _unread(status, body)
    return read_error(status, error)


def read_error(status: int, error: Mapping[str, object]) -> ProviderError:
    """Of the object; its own code counts where the status is that of a stream that had begun."""
    code = error.get("code")
    if status < 400:
        status = code if type(code) is int and 400 <= code <= 599 else 500
    name = error.get("status")
    message = error.get("message")
    text = message if type(message) is str else ""
    return ProviderError(
        status,
        _fault(
            status, name if type(name) is str else "", text, tuple(objects(error.get("details")))
        ),
        text or f"the provider answered {status}",
        name if type(name) is str else "",
        _field(error),
    )


_STATUSES_OF_OTHERS: Mapping[int, int] = {424: 502, 529: 503}
"""What only Bedrock and Anthropic answer with."""


def encode_error(error: ProviderError) -> ErrorAnswer:
    return ErrorAnswer(_CONTENT_TYPE, json_spans.encode({"error": error_object(error)}))


def error_object(error: ProviderError) -> dict[str, object]:
    """What stands under `error`, also in the middle of a stream."""
    details: list[object] = [_info(error.fault.value)]
    if error.param:
        details.append(_violation(error.param, error.message))
    return {
        "code": _STATUSES_OF_OTHERS.get(error.status, error.status),
        "message": error.message,
        "status": _CODES[error.fault],
        "details": details,
    }


def encode_refusal(deny: Deny) -> ErrorAnswer:
    """A refusal of ours."""
    details: list[object] = [_info(deny.code)]
    if deny.param is not None:
        details.append(_violation(deny.param, deny.reason))
    for header, value in deny.headers:
        if header.lower() == "retry-after" and value.isdigit():
            details.append({"@type": f"{_TYPE}RetryInfo", "retryDelay": f"{value}s"})
    otherwise = "INVALID_ARGUMENT" if deny.status < 500 else "INTERNAL"
    name = _STATUS_NAMES.get(deny.status, otherwise)
    error = {"code": deny.status, "message": deny.reason, "status": name, "details": details}
    return ErrorAnswer(_CONTENT_TYPE, json_spans.encode({"error": error}))


def _info(code: str) -> dict[str, object]:
    return {"@type": f"{_TYPE}ErrorInfo", "reason": code.upper(), "domain": _DOMAIN}


def _violation(field: str, description: str) -> dict[str, object]:
    violations = [{"field": field, "description": description}]
    return {"@type": f"{_TYPE}BadRequest", "fieldViolations": violations}


def _unread(status: int, body: bytes) -> ProviderError:
    text = body[:_LONGEST_MESSAGE].decode("utf-8", "replace").strip()
    fault = _fault(status, "", "", ())
    return ProviderError(status, fault, text or f"the provider answered {status}")


def _fault(
    status: int, name: str, message: str, details: tuple[Mapping[str, object], ...]
) -> Fault:
    for detail in details:
        reason = detail.get("reason")
        if type(reason) is str and reason in _FAULTS_OF_REASON:
            return _FAULTS_OF_REASON[reason]
    fault = _FAULTS.get(name) or _FAULTS_OF_STATUS.get(status)
    if fault is None:
        fault = Fault.INVALID if status < 500 else Fault.SERVER
    lowered = message.lower()
    if fault is Fault.INVALID:
        if "token count" in lowered and "exceeds" in lowered:
            return Fault.CONTEXT_LENGTH
        if "payload size exceeds" in lowered or status == 413:
            return Fault.TOO_LARGE
        if "api key not valid" in lowered or "api key expired" in lowered:
            return Fault.AUTHENTICATION
    if fault is Fault.RATE_LIMIT and _is_spent(lowered, details):
        return Fault.QUOTA
    return fault


def _is_spent(message: str, details: tuple[Mapping[str, object], ...]) -> bool:
    """Whether waiting for minutes would not help; most messages name the quota in either case."""
    if "credits are depleted" in message or "spending cap" in message:
        return True
    quotas = [
        violation.get("quotaId")
        for detail in details
        for violation in objects(detail.get("violations"))
    ]
    return bool(quotas) and all(type(each) is str and "PerDay" in each for each in quotas)


def _field(error: Mapping[str, object]) -> str:
    for detail in objects(error.get("details")):
        for violation in objects(detail.get("fieldViolations")):
            field = violation.get("field")
            if type(field) is str:
                return field
    return ""
