"""What libraries do on their own: they try again, give up, go away, count and list."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import anthropic
import boto3
import httpx
import httpx2
import openai
import pytest
from botocore.config import Config
from botocore.exceptions import ReadTimeoutError
from google import genai
from google.genai import types
from openai.types.responses import Response

from tests.kit.dialects import Dialects, most
from tests.kit.envoy import NEWEST
from tests.kit.peers import PEERS, Peer, Settings
from tests.kit.provider_rules import CLIENT_KEY
from tests.kit.sample_providers import Fail, Gzip, Hang, Pause, Slow
from tests.kit.stack import eventually

pytestmark = pytest.mark.envoy

NAMES = list(PEERS)
SOME_PAIRS = [
    (client, provider)
    for number, client in enumerate(NAMES)
    for provider in (client, NAMES[(number + 2) % len(NAMES)])
]
"""Each library, at its own provider and at another."""
TOO_OFTEN = {
    "chat": "429-rate_limit",
    "responses": "429-rate_limit",
    "anthropic": "429-rate_limit",
    "gemini": "429-rate_limit",
    "bedrock": "429-throttling",
}
GAVE_UP = (
    openai.APITimeoutError,
    anthropic.APITimeoutError,
    httpx.ReadTimeout,
    httpx2.ReadTimeout,
    ReadTimeoutError,
)

every_client = pytest.mark.parametrize("client", PEERS)
every_provider = pytest.mark.parametrize("provider", PEERS)
some_pairs = pytest.mark.parametrize(("client", "provider"), SOME_PAIRS)
by_the_newest = pytest.mark.parametrize("all_dialects", [NEWEST], indirect=True)
either_way = pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])


@contextmanager
def peer(here: Dialects, client: str, **settings: object) -> Iterator[Peer]:
    """One more of a library, set up otherwise."""
    made = PEERS[client](Settings(here.stack.url, CLIENT_KEY, **settings))  # type: ignore[arg-type]
    try:
        yield made
    finally:
        made.close()


@by_the_newest
@some_pairs
def test_a_library_that_tries_again_gets_its_answer(
    here: Dialects, client: str, provider: str
) -> None:
    soon = (("retry-after-ms", "1"), ("retry-after", "0"))
    here.providers.script.extend([Fail(TOO_OFTEN[provider], soon)] * 2)
    with peer(here, client, retries=2) as trying:
        heard = trying.ask(f"{provider}-text", is_stream=True)
    assert heard.text == here.at_home[provider].ask("text", is_stream=True).text
    assert len(here.providers.asked) == 3


@by_the_newest
@some_pairs
def test_who_gives_up_is_given_up_for(here: Dialects, client: str, provider: str) -> None:
    here.providers.script.append(Hang())
    before = here.providers.abandoned
    with peer(here, client, timeout=0.2) as hurried, pytest.raises(GAVE_UP):
        hurried.ask(f"{provider}-text", is_stream=False)
    eventually(lambda: here.providers.abandoned == before + 1, "the provider is told")
    eventually(lambda: here.reserved() == 0, "nothing is left reserved")


@some_pairs
def test_who_goes_away_midway_stops_the_provider_and_pays(
    here: Dialects, client: str, provider: str
) -> None:
    here.providers.script.append(Pause(most(provider)))
    before, paid = here.providers.abandoned, here.settled()
    with peer(here, client) as leaving:
        pieces = leaving.pieces(f"{provider}-text")
        assert next(iter(pieces))
        pieces.close()
    eventually(lambda: here.providers.abandoned == before + 1, "the provider is told")
    eventually(lambda: here.settled() > paid, "what was sent is paid")
    eventually(lambda: here.reserved() == 0, "nothing is left reserved")


@every_client
def test_calls_cost_what_their_providers_say(here: Dialects, client: str) -> None:
    expected = here.settled()
    for provider in PEERS:
        for is_stream in (False, True):
            put_in, _, put_out = (
                here.peers[client].ask(f"{provider}-text", is_stream=is_stream).tokens
            )
            expected += put_in + put_out
    eventually(lambda: (here.settled(), here.reserved()) == (expected, 0), "they are booked")


@by_the_newest
@some_pairs
def test_a_slow_stream_is_heard_whole(here: Dialects, client: str, provider: str) -> None:
    here.providers.script.append(Slow(0.002))
    heard = here.peers[client].ask(f"{provider}-parallel_calls", is_stream=True)
    said = here.at_home[provider].ask("parallel_calls", is_stream=True)
    assert (heard.text, heard.asked_for) == (said.text, said.asked_for)


@pytest.mark.parametrize("client", ["chat", "responses", "anthropic", "gemini"])
@either_way
def test_an_answer_that_comes_compressed_is_passed_as_it_is(
    here: Dialects, client: str, is_stream: bool
) -> None:
    here.providers.script.append(Gzip())
    heard = here.peers[client].ask(f"{client}-text", is_stream=is_stream)
    assert heard.text == here.at_home[client].ask("text", is_stream=is_stream).text


@pytest.mark.parametrize("version", ["v1", "v1beta"])
@every_provider
def test_every_version_of_googles_api_is_served(
    here: Dialects, provider: str, version: str
) -> None:
    with peer(here, "gemini", version=version) as google:
        heard = google.ask(f"{provider}-text", is_stream=False)
    assert heard.text == here.at_home[provider].ask("text", is_stream=False).text


@every_provider
def test_a_request_that_is_signed_for_aws_needs_another_header_for_its_key(
    here: Dialects, provider: str
) -> None:
    client = boto3.client(
        "bedrock-runtime",
        endpoint_url=here.stack.url,
        region_name="us-east-1",
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="secret",
        config=Config(retries={"total_max_attempts": 1}),
    )
    client.meta.events.register(
        "before-call.bedrock-runtime",
        lambda params, **_: params["headers"].update({"x-api-key": CLIENT_KEY}),
    )
    answer = client.converse(
        modelId=f"{provider}-text", messages=[{"role": "user", "content": [{"text": "hi"}]}]
    )
    client.close()
    said = here.at_home[provider].ask("text", is_stream=False)
    assert answer["output"]["message"]["content"] == [{"text": said.text}]


@pytest.mark.parametrize("provider", ["chat", "bedrock"])
def test_tokens_are_counted_for_providers_that_cannot(here: Dialects, provider: str) -> None:
    model, text = f"{provider}-text", "How many tokens are these? " * 20
    chat = here.peers["responses"].client  # type: ignore[attr-defined]
    claude = here.peers["anthropic"].client  # type: ignore[attr-defined]
    google = here.peers["gemini"].client  # type: ignore[attr-defined]
    counts = (
        chat.responses.input_tokens.count(model=model, input=text).input_tokens,
        claude.messages.count_tokens(
            model=model, messages=[{"role": "user", "content": text}]
        ).input_tokens,
        google.models.count_tokens(model=model, contents=text).total_tokens,
    )
    assert here.providers.asked == []
    assert all(100 <= count <= 160 for count in counts), counts


def test_every_library_can_list_the_models(here: Dialects) -> None:
    listed = {
        "chat": [each.id for each in here.peers["chat"].client.models.list()],  # type: ignore[attr-defined]
        "anthropic": [
            each.id
            for each in here.peers["anthropic"].client.models.list()  # type: ignore[attr-defined]
        ],
        "gemini": [
            each.name.removeprefix("models/")
            for each in google_models(here.peers["gemini"].client)  # type: ignore[attr-defined]
        ],
    }
    assert all("listed" in names for names in listed.values()), listed


def google_models(client: genai.Client) -> list[types.Model]:
    return list(client.models.list())


@by_the_newest
def test_whoever_draws_each_library_gets_the_image(here: Dialects) -> None:
    url, key = here.stack.url, CLIENT_KEY
    name = "image_output"
    google = genai.Client(api_key=key, http_options=types.HttpOptions(base_url=url))
    config = types.GenerateContentConfig(response_modalities=["TEXT", "IMAGE"])
    drawn: set[bytes] = set()
    with google, openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0) as client:
        for provider in ("responses", "chat"):
            model, asked = f"{provider}-{name}", "draw"
            answer = google.models.generate_content(model=model, contents=asked, config=config)
            drawn |= {part.inline_data.data for part in answer.parts or () if part.inline_data}
            pieces = google.models.generate_content_stream(
                model=model, contents=asked, config=config
            )
            blobs = [part.inline_data for piece in pieces for part in piece.parts or ()]
            drawn |= {blob.data for blob in blobs if blob and blob.data}
        draw: dict[str, Any] = {
            "model": f"gemini-{name}",
            "tools": [{"type": "image_generation"}],
        }
        for whole in (client.responses.create(input="draw", **draw), streamed(client, draw)):
            results = [each.result for each in whole.output if hasattr(each, "result")]
            drawn |= {base64.b64decode(each) for each in results if each}
            said: list[Any] = [{"role": "user", "content": "draw"}, *whole.output]
            client.responses.create(input=[*said, {"role": "user", "content": "more"}], **draw)
            parts = here.providers.last.body["contents"][1]["parts"]
            assert "inlineData" in parts[-1]  # what was drawn goes back to who drew it
        told = client.chat.completions.create(
            model=f"gemini-{name}",
            messages=[{"role": "user", "content": "draw"}],
            extra_body={"modalities": ["image", "text"]},
        )
        images = (told.choices[0].message.model_extra or {})["images"]
        drawn.add(base64.b64decode(images[0]["image_url"]["url"].partition(",")[2]))
        with pytest.raises(openai.BadRequestError, match="an answer with images"):
            client.responses.create(input="draw", **{**draw, "model": f"anthropic-{name}"})
    (image,) = drawn
    assert image.startswith(b"\x89PNG")


def streamed(client: openai.OpenAI, draw: dict[str, Any]) -> Response:
    with client.responses.stream(input="draw", **draw) as events:
        return events.get_final_response()
