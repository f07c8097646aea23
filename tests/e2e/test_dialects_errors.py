"""What goes wrong at a provider is raised by every library as its own API's error."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import anthropic
import httpx
import httpx2
import openai
import pytest
import urllib3
from botocore.exceptions import ClientError, EventStreamError
from google.genai import errors as google

from tests.kit.dialects import Dialects, most
from tests.kit.envoy import NEWEST, OLDEST
from tests.kit.peers import DIALECTS, PEERS, Broken, Responses
from tests.kit.sample_providers import SAMPLES, Cut, End, stream_of

pytestmark = pytest.mark.envoy

ERRORS = {  # asked too often, asked wrongly, too much to do
    "chat": ("429-rate_limit", "400-invalid", "503-overloaded"),
    "responses": ("429-rate_limit", "400-invalid", "503-overloaded"),
    "anthropic": ("429-rate_limit", "400-invalid_request", "529-overloaded"),
    "gemini": ("429-rate_limit", "400-invalid_argument", "503-unavailable"),
    "bedrock": ("429-throttling", "400-validation", "503-service_unavailable"),
}
RAISED: Mapping[str, tuple[tuple[type[Exception], str], ...]] = {  # for the same three
    "chat": (
        (openai.RateLimitError, "rate_limit_exceeded"),
        (openai.BadRequestError, "invalid_request_error"),
        (openai.InternalServerError, "service_unavailable_error"),
    ),
    "responses": (
        (openai.RateLimitError, "rate_limit_exceeded"),
        (openai.BadRequestError, "invalid_request_error"),
        (openai.InternalServerError, "service_unavailable_error"),
    ),
    "anthropic": (
        (anthropic.RateLimitError, "rate_limit_error"),
        (anthropic.BadRequestError, "invalid_request_error"),
        (anthropic.APIStatusError, "overloaded_error"),
    ),
    "gemini": (
        (google.ClientError, "RESOURCE_EXHAUSTED"),
        (google.ClientError, "INVALID_ARGUMENT"),
        (google.ServerError, "UNAVAILABLE"),
    ),
    "bedrock": (
        (ClientError, "ThrottlingException"),
        (ClientError, "ValidationException"),
        (ClientError, "ServiceUnavailableException"),
    ),
}
TOO_LONG = {  # how each client knows that its prompt is too long
    "chat": "context_length_exceeded",
    "responses": "context_length_exceeded",
    "anthropic": "prompt is too long",
    "gemini": "INVALID_ARGUMENT",
    "bedrock": "ValidationException",
}
BROKEN_MIDWAY = {
    "chat": "error",
    "responses": "failed",
    "anthropic": "overloaded",
    "gemini": "error_midway",
    "bedrock": "throttled",
}
SAID_MIDWAY = {
    "chat": "The server had an error while processing your request.",
    "responses": "The model had a problem while it processed your request.",
    "anthropic": "Overloaded",
    "gemini": "The model is overloaded. Please try again later.",
    "bedrock": "Too many requests, please wait before trying again.",
}
IN_A_STREAM: Mapping[str, type[Exception]] = {
    "chat": openai.APIError,
    "responses": Broken,
    "anthropic": anthropic.APIStatusError,
    "gemini": google.APIError,
    "bedrock": EventStreamError,
}
LOST_CONNECTION = (
    openai.APIConnectionError,
    anthropic.APIConnectionError,
    httpx.TransportError,
    httpx2.TransportError,
    urllib3.exceptions.HTTPError,
)

every_client = pytest.mark.parametrize("client", PEERS)
every_provider = pytest.mark.parametrize("provider", PEERS)


def told(error: Any) -> tuple[int, str, str]:
    """What a library shows of an error: the status, the message, and all words beside it."""
    if isinstance(error, ClientError):
        said = error.response
        status = said["ResponseMetadata"]["HTTPStatusCode"]
        return status, said["Error"]["Message"], said["Error"]["Code"]
    if isinstance(error, google.APIError):
        return error.code, error.message or "", error.status or ""
    if isinstance(error, anthropic.APIStatusError):
        said = error.body["error"]  # type: ignore[index]
        return error.status_code, said["message"], f"{said['type']} {said['message']}"
    assert isinstance(error, openai.APIStatusError)
    said = error.body
    return error.status_code, said["message"], f"{said['code']} {said['type']}"  # type: ignore[index]


def message_of(provider: str, name: str) -> str:
    """What a sample says to people."""
    said = json.loads((SAMPLES / DIALECTS[provider] / "errors" / f"{name}.json").read_bytes())
    return str(said.get("error", said)["message"])


@every_client
@every_provider
@pytest.mark.parametrize("kind", range(3), ids=["too often", "wrongly", "overloaded"])
@pytest.mark.parametrize(
    ("all_dialects", "is_stream"),
    [(NEWEST, False), (NEWEST, True), (OLDEST, True)],
    indirect=["all_dialects"],
)
def test_an_error_is_raised_as_the_clients_own(
    here: Dialects, client: str, provider: str, kind: int, is_stream: bool
) -> None:
    name = ERRORS[provider][kind]
    error_class, word = RAISED[client][kind]
    with pytest.raises(error_class) as raised:
        here.peers[client].ask(f"{provider}-{name}", is_stream=is_stream)
    status, message, words = told(raised.value)
    theirs = int(name[:3])
    assert status == (503 if theirs == 529 and client != provider else theirs)
    assert message == message_of(provider, name)
    assert word in words


@every_client
@every_provider
def test_a_prompt_that_is_too_long_is_known_as_such(
    here: Dialects, client: str, provider: str
) -> None:
    with pytest.raises(RAISED[client][1][0]) as raised:
        here.peers[client].ask(f"{provider}-400-context_length", is_stream=False)
    status, message, words = told(raised.value)
    assert status == 400
    assert message.endswith(message_of(provider, "400-context_length"))
    assert TOO_LONG[client] in words


@every_client
@every_provider
def test_an_error_in_the_middle_of_a_stream_is_raised_too(
    here: Dialects, client: str, provider: str
) -> None:
    with pytest.raises(IN_A_STREAM[client], match=SAID_MIDWAY[provider]):
        here.peers[client].ask(f"{provider}-{BROKEN_MIDWAY[provider]}", is_stream=True)


@pytest.mark.parametrize(
    ("client", "provider"), [(left, right) for left in PEERS for right in PEERS if left != right]
)
def test_a_stream_that_ends_before_its_end_is_no_whole_answer(
    here: Dialects, client: str, provider: str
) -> None:
    here.providers.script.append(End(half(provider)))
    with pytest.raises(IN_A_STREAM[client]):
        here.peers[client].ask(f"{provider}-text", is_stream=True)


@pytest.mark.parametrize("provider", [each for each in PEERS if each != "responses"])
def test_a_stream_that_ends_before_it_began_is_a_response_that_failed(
    here: Dialects, provider: str
) -> None:
    here.providers.script.append(End(1))
    peer = here.peers["responses"]
    assert isinstance(peer, Responses)
    with peer.client.responses.stream(model=f"{provider}-text", input="hello") as stream:
        kinds = [event.type for event in stream]
    assert kinds == ["response.created", "response.in_progress", "response.failed"]


@every_client
@every_provider
def test_a_connection_that_breaks_is_no_whole_answer(
    here: Dialects, client: str, provider: str
) -> None:
    here.providers.script.append(Cut(most(provider)))
    with closing(here.peers[client].pieces(f"{provider}-text")) as stream:
        pieces = iter(stream)
        assert next(pieces)
        here.providers.heard.set()
        with pytest.raises((*LOST_CONNECTION, IN_A_STREAM[client])):
            list(pieces)


def half(provider: str) -> int:
    return len(stream_of(DIALECTS[provider], "text")) // 2
