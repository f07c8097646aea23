from __future__ import annotations

import pytest
from openai.types.responses import ResponseError

from extproc.llm.answer import Fault, ProviderError
from extproc.llm.openai_responses.codec import CODEC
from extproc.llm.openai_responses.errors import (
    decode_failure,
    failure_object,
)
from tests.kit import responses as kit

FAULTS = {
    "400-invalid": Fault.INVALID,
    "400-context_length": Fault.CONTEXT_LENGTH,
    "401-authentication": Fault.AUTHENTICATION,
    "403-permission": Fault.PERMISSION,
    "404-model": Fault.NOT_FOUND,
    "429-quota": Fault.QUOTA,
    "429-rate_limit": Fault.RATE_LIMIT,
    "500-server": Fault.SERVER,
    "503-overloaded": Fault.OVERLOADED,
}


@pytest.mark.parametrize(("name", "fault"), FAULTS.items())
def test_errors_of_the_provider_are_understood_and_said_again(name: str, fault: Fault) -> None:
    body = (kit.SAMPLES / "errors" / f"{name}.json").read_bytes()
    status = int(name[:3])
    error = CODEC.decode_error(status, body)
    assert (error.status, error.fault) == (status, fault)
    again = CODEC.decode_error(status, CODEC.encode_error(error).body)
    assert (again.fault, again.message, again.param) == (fault, error.message, error.param)


def test_a_failure_is_read_wherever_it_stands() -> None:
    failure = {"code": "rate_limit_exceeded", "message": "slower"}
    expected = ProviderError(429, Fault.RATE_LIMIT, "slower", "rate_limit_exceeded")
    assert decode_failure(failure) == expected
    assert decode_failure({"type": "error", **failure, "param": None}) == expected
    assert decode_failure({"type": "error", "error": failure}) == expected


@pytest.mark.parametrize("told", [None, {}, {"type": "error"}, "broken"])
def test_a_failure_without_a_word_is_the_servers(told: object) -> None:
    error = decode_failure(told)
    assert (error.status, error.fault) == (500, Fault.SERVER)
    assert error.message


@pytest.mark.parametrize("fault", Fault)
def test_a_failure_has_one_of_the_codes_of_a_response(fault: Fault) -> None:
    error = ProviderError(500, fault, "broken", "own_code")
    ResponseError.model_validate(failure_object(error), strict=True)


def test_a_failure_says_what_a_response_can() -> None:
    error = ProviderError(400, Fault.CONTEXT_LENGTH, "too long", "", "input")
    assert failure_object(error) == {"code": "invalid_prompt", "message": "too long"}
