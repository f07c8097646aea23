"""Errors as Bedrock says them: a name in a header, a message in the body.

https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html and the errors of
Converse. boto3 chooses its exception by the header `x-amzn-errortype`.
"""

from __future__ import annotations

from collections.abc import Mapping

from extproc.llm.answer import Fault, ProviderError
from extproc.llm.dialect import ErrorAnswer
from extproc.protocols import json_spans
from extproc.protocols.json_spans import InvalidJson
from extproc.verdict import OUT_OF_BUDGET, Deny

ERROR_TYPE_HEADER = "x-amzn-errortype"

_NAMES: Mapping[Fault, str] = {
    Fault.INVALID: "ValidationException",
    Fault.AUTHENTICATION: "UnrecognizedClientException",
    Fault.PERMISSION: "AccessDeniedException",
    Fault.NOT_FOUND: "ResourceNotFoundException",
    Fault.TOO_LARGE: "ValidationException",
    Fault.CONTEXT_LENGTH: "ValidationException",
    Fault.CONTENT_FILTER: "ValidationException",
    Fault.RATE_LIMIT: "ThrottlingException",
    Fault.QUOTA: "ServiceQuotaExceededException",
    Fault.OVERLOADED: "ServiceUnavailableException",
    Fault.TIMEOUT: "ModelTimeoutException",
    Fault.SERVER: "InternalServerException",
}
_STATUS_FAULTS: Mapping[int, Fault] = {
    400: Fault.INVALID,
    401: Fault.AUTHENTICATION,
    402: Fault.QUOTA,
    403: Fault.PERMISSION,
    404: Fault.NOT_FOUND,
    408: Fault.TIMEOUT,
    413: Fault.TOO_LARGE,
    424: Fault.SERVER,
    429: Fault.RATE_LIMIT,
    503: Fault.OVERLOADED,
    504: Fault.TIMEOUT,
    529: Fault.OVERLOADED,
}
_NAMED_FAULTS: Mapping[str, Fault] = {
    "accessdeniedexception": Fault.PERMISSION,
    "expiredtokenexception": Fault.AUTHENTICATION,
    "incompletesignature": Fault.AUTHENTICATION,
    "internalserverexception": Fault.SERVER,
    "invalidsignatureexception": Fault.AUTHENTICATION,
    "missingauthenticationtokenexception": Fault.AUTHENTICATION,
    "modelerrorexception": Fault.SERVER,
    "modelnotreadyexception": Fault.OVERLOADED,
    "modelstreamerrorexception": Fault.SERVER,
    "modeltimeoutexception": Fault.TIMEOUT,
    "resourcenotfoundexception": Fault.NOT_FOUND,
    "servicequotaexceededexception": Fault.QUOTA,
    "serviceunavailableexception": Fault.OVERLOADED,
    "throttlingexception": Fault.RATE_LIMIT,
    "unrecognizedclientexception": Fault.AUTHENTICATION,
    "validationexception": Fault.INVALID,
}
_FAULT_STATUSES: Mapping[Fault, int] = {
    Fault.INVALID: 400,
    Fault.AUTHENTICATION: 403,
    Fault.PERMISSION: 403,
    Fault.NOT_FOUND: 404,
    Fault.TIMEOUT: 408,
    Fault.QUOTA: 400,
    Fault.RATE_LIMIT: 429,
    Fault.OVERLOADED: 503,
}
"""Of exceptions in a stream, which come with no status; others are 500."""
_TOO_LONG = (
    "input is too long",
    "prompt is too long",
    "too many input tokens",
    "maximum context length",
    "context window",
    "context limit",
    "exceeds the maximum number of tokens",
    "input length and `max_tokens` exceed",
)
_UNSIGNED = ("security token", "signature", "unable to locate credentials", "api key")
_USED_UP = ("tokens per day", "quota")
_LONGEST_MESSAGE = 2000

_STREAM_NAMES: Mapping[Fault, str] = {
    Fault.RATE_LIMIT: "throttlingException",
    Fault.QUOTA: "throttlingException",
    Fault.OVERLOADED: "serviceUnavailableException",
    Fault.TIMEOUT: "modelStreamErrorException",
    Fault.SERVER: "internalServerException",
}


def decode_error(status: int, body: bytes) -> ProviderError:
    """Of an answer that is an error, JSON or not."""
    document: Mapping[str, object]
    try:
        document = json_spans.decode(body)
    except InvalidJson:
        document = {"message": body[:_LONGEST_MESSAGE].decode("utf-8", "replace").strip()}
    return _error(status, _name(document.get("__type") or document.get("code")), document)


def decode_exception(name: str, payload: bytes) -> ProviderError:
    """Of an exception in a stream, by its name."""
    try:
        document = json_spans.decode(payload)
    except InvalidJson:
        document = {}
    named = _NAMED_FAULTS.get(name.lower(), Fault.SERVER)
    status = document.get("originalStatusCode")
    if not isinstance(status, int):
        status = _FAULT_STATUSES.get(named, 500)
    return _error(status, name, document)


def encode_error(error: ProviderError) -> ErrorAnswer:
    """A provider's error for a client that speaks this dialect."""
    return _answer(_NAMES[error.fault], error.message)


def encode_refusal(deny: Deny) -> ErrorAnswer:
    """A refusal of ours."""
    if deny.code == OUT_OF_BUDGET:
        return _answer(_NAMES[Fault.QUOTA], deny.reason)
    fallback = Fault.INVALID if deny.status < 500 else Fault.SERVER
    return _answer(_NAMES[_STATUS_FAULTS.get(deny.status, fallback)], deny.reason)


def encode_exception(error: ProviderError) -> tuple[str, bytes]:
    """The name and the payload of an exception in a stream."""
    name = _STREAM_NAMES.get(error.fault, "validationException")
    return name, json_spans.encode({"message": error.message})


def _answer(name: str, message: str) -> ErrorAnswer:
    """The name is in the body, too: the headers of a translated error are gone before its body is
    read, and clients take the name from either.
    """
    headers = (("content-type", "application/json"), (ERROR_TYPE_HEADER, name))
    return ErrorAnswer(headers, json_spans.encode({"__type": name, "message": message}))


def _error(status: int, name: str, document: Mapping[str, object]) -> ProviderError:
    said = document.get("message", document.get("Message"))
    message = said[:_LONGEST_MESSAGE] if isinstance(said, str) and said else f"status {status}"
    return ProviderError(status, _fault(status, name, message.lower()), message, code=name)


def _fault(status: int, name: str, message: str) -> Fault:
    fallback = Fault.INVALID if status < 500 else Fault.SERVER
    fault = _NAMED_FAULTS.get(name.lower()) or _STATUS_FAULTS.get(status, fallback)
    if fault is Fault.INVALID and any(words in message for words in _TOO_LONG):
        return Fault.CONTEXT_LENGTH
    if fault is Fault.PERMISSION and any(words in message for words in _UNSIGNED):
        return Fault.AUTHENTICATION
    if fault is Fault.RATE_LIMIT and any(words in message for words in _USED_UP):
        return Fault.QUOTA
    return fault


def _name(value: object) -> str:
    """`com.amazon#ThrottlingException:http://…` is one of the forms of a name."""
    if not isinstance(value, str):
        return ""
    return value.partition(":")[0].rpartition("#")[2]
