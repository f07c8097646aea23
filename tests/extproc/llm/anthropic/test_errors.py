from __future__ import annotations

import json
from pathlib import Path

import anthropic
import httpx2
import pytest

from extproc.llm.answer import Fault, ProviderError
from extproc.llm.anthropic.errors import (
    MAX_MESSAGE_CHARACTERS,
    decode_error,
    encode_error,
    encode_refusal,
    error_of,
)
from extproc.verdict import Deny

SAMPLES = sorted((Path(__file__).parents[3] / "translations/anthropic/errors").glob("*.json"))
FAULTS = {
    "400-content_filter": Fault.CONTENT_FILTER,
    "400-context_length": Fault.CONTEXT_LENGTH,
    "400-credit": Fault.QUOTA,
    "400-invalid_request": Fault.INVALID,
    "401-authentication": Fault.AUTHENTICATION,
    "402-billing": Fault.QUOTA,
    "403-permission": Fault.PERMISSION,
    "404-not_found": Fault.NOT_FOUND,
    "413-request_too_large": Fault.TOO_LARGE,
    "429-rate_limit": Fault.RATE_LIMIT,
    "500-server": Fault.SERVER,
    "504-timeout": Fault.TIMEOUT,
    "529-overloaded": Fault.OVERLOADED,
}


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_every_error_of_anthropics_is_known(path: Path) -> None:
    status = int(path.stem.split("-")[0])
    said = json.loads(path.read_text())["error"]
    assert decode_error(status, path.read_bytes()) == ProviderError(
        status, FAULTS[path.stem], said["message"], said["type"]
    )


def test_every_sample_is_looked_at() -> None:
    assert {path.stem for path in SAMPLES} == set(FAULTS)


@pytest.mark.parametrize("fault", Fault)
def test_what_kind_an_error_is_survives_a_round_trip(fault: Fault) -> None:
    body = encode_error(ProviderError(400, fault, "it is so")).body
    again = decode_error(400, body).fault
    lost = {Fault.CONTENT_FILTER: Fault.INVALID}
    assert again is lost.get(fault, fault)


@pytest.mark.parametrize(
    ("status", "raised"),
    [
        (400, anthropic.BadRequestError),
        (401, anthropic.AuthenticationError),
        (404, anthropic.NotFoundError),
        (429, anthropic.RateLimitError),
        (529, anthropic.InternalServerError),
    ],
)
def test_anthropics_library_raises_what_its_users_catch(
    status: int, raised: type[anthropic.APIStatusError]
) -> None:
    answer = encode_refusal(Deny(status, "some_code", "the reason"))

    def respond(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(status, headers=answer.headers, content=answer.body)

    with (
        httpx2.Client(transport=httpx2.MockTransport(respond)) as http,
        pytest.raises(raised, match="the reason") as caught,
    ):
        anthropic.Anthropic(api_key="k", http_client=http, max_retries=0).messages.create(
            model="m", max_tokens=1, messages=[{"role": "user", "content": "hi"}]
        )
    assert caught.value.status_code == status


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (402, "billing_error"),
        (413, "request_too_large"),
        (422, "invalid_request_error"),
        (500, "api_error"),
        (503, "api_error"),
        (504, "timeout_error"),
        (529, "overloaded_error"),
    ],
)
def test_a_refusal_has_the_type_of_its_status(status: int, kind: str) -> None:
    answer = encode_refusal(Deny(status, "some_code", "the reason", param="model"))
    assert json.loads(answer.body) == {
        "type": "error",
        "error": {"type": kind, "message": "the reason", "code": "some_code"},
    }
    assert answer.headers == (("content-type", "application/json"),)


@pytest.mark.parametrize(
    ("status", "body", "fault", "message"),
    [
        (502, b"<html>bad gateway</html>", Fault.SERVER, "the provider answered with status 502"),
        (503, b"", Fault.OVERLOADED, "the provider answered with status 503"),
        (418, b"[1]", Fault.INVALID, "the provider answered with status 418"),
        (429, b'{"message":"Too many requests"}', Fault.RATE_LIMIT, "Too many requests"),
        (403, b'{"error":{"code":403,"message":"no"}}', Fault.PERMISSION, "no"),
        (500, b'{"error":"broken"}', Fault.SERVER, "the provider answered with status 500"),
        (400, b'{"error":{"message":5}}', Fault.INVALID, "the provider answered with status 400"),
    ],
)
def test_errors_of_clouds_and_proxies_are_read_by_their_status(
    status: int, body: bytes, fault: Fault, message: str
) -> None:
    assert decode_error(status, body) == ProviderError(status, fault, message)


def test_an_error_in_a_stream_has_the_status_of_its_type() -> None:
    said = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    assert error_of(said) == ProviderError(529, Fault.OVERLOADED, "Overloaded", "overloaded_error")
    assert error_of({"type": "error"}).status == 500


def test_a_message_has_an_end() -> None:
    body = json.dumps({"error": {"message": "x" * 99_999}}).encode()
    assert len(decode_error(400, body).message) == MAX_MESSAGE_CHARACTERS


def test_clients_know_a_conversation_that_is_too_long_by_its_words() -> None:
    body = encode_error(ProviderError(400, Fault.CONTEXT_LENGTH, "maximum is 8192 tokens")).body
    assert json.loads(body)["error"]["message"] == "prompt is too long: maximum is 8192 tokens"
