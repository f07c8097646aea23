"""Errors of the Responses API: refusals, and what a stream tells of a response that has failed.

https://platform.openai.com/docs/api-reference/responses-streaming/error. As answers of their own,
they have the form of all of OpenAI's APIs.
"""

from __future__ import annotations

from collections.abc import Mapping

from extproc.llm.answer import Fault, ProviderError
from extproc.llm.openai_chat.errors import error_of

_FAILED: Mapping[Fault, str] = {
    Fault.RATE_LIMIT: "rate_limit_exceeded",
    Fault.QUOTA: "rate_limit_exceeded",
    **dict.fromkeys(
        (Fault.INVALID, Fault.TOO_LARGE, Fault.CONTEXT_LENGTH, Fault.CONTENT_FILTER),
        "invalid_prompt",
    ),
}
_UNKNOWN: Mapping[str, object] = {"message": "the provider could not finish its answer"}


def decode_failure(told: object) -> ProviderError:
    """Of an `error` event, whose members may stand in an `error` of their own, or of the `error`
    of a response."""
    if type(told) is not dict:
        return error_of(_UNKNOWN)
    inner = told.get("error")
    error = inner if type(inner) is dict else told
    if error.get("type") == "error":  # of the event, and not of the error
        error = {**error, "type": None}
    return error_of(error if error.get("message") else {**error, **_UNKNOWN})


def failure_object(error: ProviderError) -> dict[str, object]:
    """The `error` of a response, which has few codes."""
    return {"code": _FAILED.get(error.fault, "server_error"), "message": error.message}
