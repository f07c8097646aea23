"""Errors, as Bedrock says them and as boto3 reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from extproc.llm.answer import Fault, ProviderError
from extproc.llm.bedrock.errors import (
    decode_error,
    decode_exception,
    encode_error,
    encode_exception,
    encode_refusal,
)
from extproc.llm.dialect import ErrorAnswer
from extproc.verdict import Deny
from tests.kit import bedrock

SAMPLES = sorted((bedrock.SAMPLES / "errors").glob("*.json"))
FAULTS = {
    "400-context_length": Fault.CONTEXT_LENGTH,
    "400-validation": Fault.INVALID,
    "403-access_denied": Fault.PERMISSION,
    "403-signature": Fault.AUTHENTICATION,
    "404-not_found": Fault.NOT_FOUND,
    "408-model_timeout": Fault.TIMEOUT,
    "424-model_error": Fault.SERVER,
    "429-throttling": Fault.RATE_LIMIT,
    "429-tokens_per_day": Fault.QUOTA,
    "500-internal_server": Fault.SERVER,
    "503-service_unavailable": Fault.OVERLOADED,
}


def read(answer: ErrorAnswer, status: int) -> tuple[str, str]:
    """The code and the message that boto3 raises."""
    parsed = bedrock.read_answer(answer.body, status, dict(answer.headers))
    return parsed["Error"]["Code"], parsed["Error"]["Message"]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_what_is_wrong_is_known_by_status_and_message(path: Path) -> None:
    status = int(path.stem[:3])
    error = decode_error(status, path.read_bytes())
    assert (error.status, error.fault) == (status, FAULTS[path.stem])
    assert len(error.message) > 20


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (
            b'{"__type":"com.amazon#ThrottlingException:x","Message":"m"}',
            "ThrottlingException",
            "m",
        ),
        (b'{"__type":"ThrottlingException"}', "ThrottlingException", "status 400"),
        (b"<html>bad gateway</html>", "", "<html>bad gateway</html>"),
        (b"", "", "status 400"),
        (b"\xff", "", "\ufffd"),
        (b'{"message":7}', "", "status 400"),
    ],
)
def test_names_and_messages_in_any_form(body: bytes, code: str, message: str) -> None:
    error = decode_error(400, body)
    assert (error.code, error.message) == (code, message)
    assert error.fault is (Fault.RATE_LIMIT if code else Fault.INVALID)


def test_a_name_tells_more_than_a_status() -> None:
    body = b'{"__type":"ModelNotReadyException","message":"m"}'
    assert decode_error(429, body).fault is Fault.OVERLOADED


@pytest.mark.parametrize("fault", Fault)
def test_boto3_raises_by_the_name(fault: Fault) -> None:
    code, message = read(encode_error(ProviderError(400, fault, "it is so")), 400)
    assert code.endswith("Exception")
    assert message == "it is so"


@pytest.mark.parametrize(
    ("status", "code", "name"),
    [
        (400, "invalid_value", "ValidationException"),
        (401, "invalid_api_key", "UnrecognizedClientException"),
        (403, "denied", "AccessDeniedException"),
        (404, "model_not_found", "ResourceNotFoundException"),
        (413, "too_large", "ValidationException"),
        (418, "teapot", "ValidationException"),
        (429, "rate_limited", "ThrottlingException"),
        (429, "budget_exhausted", "ServiceQuotaExceededException"),
        (500, "bug", "InternalServerException"),
        (502, "unreadable", "InternalServerException"),
        (503, "overloaded", "ServiceUnavailableException"),
        (504, "late", "ModelTimeoutException"),
    ],
)
def test_refusals_of_ours(status: int, code: str, name: str) -> None:
    answer = encode_refusal(Deny(status, code, "no"))
    assert read(answer, status) == (name, "no")
    assert ("content-type", "application/json") in answer.headers


@pytest.mark.parametrize(
    ("name", "fault", "status"),
    [
        ("throttlingException", Fault.RATE_LIMIT, 429),
        ("validationException", Fault.INVALID, 400),
        ("serviceUnavailableException", Fault.OVERLOADED, 503),
        ("internalServerException", Fault.SERVER, 500),
        ("modelStreamErrorException", Fault.SERVER, 500),
        ("", Fault.SERVER, 500),
    ],
)
def test_exceptions_in_a_stream(name: str, fault: Fault, status: int) -> None:
    error = decode_exception(name, b'{"message":"m"}')
    assert error == ProviderError(status, fault, "m", name)


def test_an_exception_tells_the_status_of_the_model() -> None:
    payload = b'{"message":"m","originalStatusCode":429}'
    assert decode_exception("modelStreamErrorException", payload).status == 429
    assert decode_exception("modelStreamErrorException", b"?").message == "status 500"


@pytest.mark.parametrize("fault", Fault)
def test_exceptions_come_back_as_what_they_were(fault: Fault) -> None:
    name, payload = encode_exception(ProviderError(400, fault, "m"))
    again = decode_exception(name, payload)
    assert again.message == "m"
    if fault in (Fault.INVALID, Fault.RATE_LIMIT, Fault.OVERLOADED, Fault.SERVER):
        assert again.fault is fault


def test_the_name_can_be_read_where_its_header_was_too_late() -> None:
    for fault in Fault:
        body = encode_error(ProviderError(400, fault, "it is so")).body
        assert bedrock.read_answer(body, 400)["Error"]["Code"].endswith("Exception")
