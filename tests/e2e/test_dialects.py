"""Every library asks every provider, and hears what the provider's own library would hear."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import openai
import pytest

from tests.kit.dialects import Dialects, has
from tests.kit.envoy import NEWEST, OLDEST
from tests.kit.peers import DIALECTS, PEERS, STOPS, Heard
from tests.kit.provider_rules import CLIENT_KEY
from tests.kit.spoken import Line, spoken

pytestmark = pytest.mark.envoy

SAMPLES = (
    "text", "tool_calls", "parallel_calls", "reasoning", "max_tokens", "stop_sequence",
    "content_filter", "cached",
)  # fmt: skip
ON_THE_OLDEST = ("text", "parallel_calls", "reasoning")
CASES = [
    pytest.param(
        version, provider, name, is_stream,
        id=f"{version}-{provider}-{name}{'-streamed' * is_stream}",
    )
    for version, names in ((NEWEST, SAMPLES), (OLDEST, ON_THE_OLDEST))
    for provider in PEERS
    for name in names
    for is_stream in (False, True)
    if has(provider, name, is_stream=is_stream)
]  # fmt: skip
PLAYED_BACK = [case for case in CASES if case.values[2] in ("parallel_calls", "reasoning")]
FIELDS = ("all_dialects", "provider", "name", "is_stream")
every_client = pytest.mark.parametrize("client", PEERS)


def words(text: str) -> str:
    """Paragraphs of thoughts may be joined in any way."""
    return re.sub(r"\s+", " ", text).strip()


@every_client
@pytest.mark.parametrize(FIELDS, CASES, indirect=["all_dialects"])
def test_what_is_heard_is_what_the_provider_said(
    here: Dialects, client: str, provider: str, name: str, is_stream: bool
) -> None:
    heard = here.peers[client].ask(f"{provider}-{name}", is_stream=is_stream)
    said = here.at_home[provider].ask(name, is_stream=is_stream)
    assert (here.providers.last.model, here.providers.last.is_stream) == (name, is_stream)
    assert heard.text == said.text
    assert heard.asked_for == said.asked_for
    assert words(heard.thoughts) == words(said.thoughts)
    assert STOPS[client][heard.stop] == STOPS[provider][said.stop]
    assert heard.tokens == said.tokens


@every_client
@pytest.mark.parametrize(FIELDS, PLAYED_BACK, indirect=["all_dialects"])
def test_what_is_played_back_reaches_the_provider_as_it_said_it(
    here: Dialects, client: str, provider: str, name: str, is_stream: bool
) -> None:
    dialect = DIALECTS[provider]
    heard = here.peers[client].ask(f"{provider}-{name}", is_stream=is_stream)
    here.peers[client].ask(f"{provider}-text", is_stream=is_stream, after=heard)
    said = here.at_home[provider].ask(name, is_stream=is_stream)
    here.at_home[provider].ask("text", is_stream=is_stream, after=said)
    assert told(here.providers.last.body, dialect) == told(here.plain.last.body, dialect)


def told(body: dict[str, object], dialect: str) -> list[Line]:
    return spoken(dialect, body)


def test_the_rules_for_providers_take_what_their_own_libraries_send(here: Dialects) -> None:
    for provider, peer in here.at_home.items():
        for name in ("text", "parallel_calls", "reasoning"):
            heard: Heard = peer.ask(name, is_stream=False)
            peer.ask("text", is_stream=True, after=heard)
            about_bodies = [
                fault
                for asked in here.plain.asked
                for fault in asked.faults
                if not fault.startswith(("header", "foreign"))
            ]
            assert about_bodies == [], provider


@every_client
@pytest.mark.parametrize("provider", PEERS)
def test_what_another_provider_sealed_is_not_played_back_to_the_clients_own(
    here: Dialects, client: str, provider: str
) -> None:
    for is_stream in (False, True):
        heard = here.peers[client].ask(f"{provider}-reasoning", is_stream=is_stream)
        here.peers[client].ask(f"{client}-text", is_stream=is_stream, after=heard)
        told = json.dumps(here.providers.last.body)
        assert "dragoman:" not in told
        assert base64.b64encode(b"dragoman:").decode()[:11] not in told


@pytest.mark.parametrize("provider", [each for each in PEERS if each != "chat"])
@pytest.mark.parametrize("is_stream", [False, True])
def test_tools_are_called_by_the_clients_names(
    here: Dialects, provider: str, is_stream: bool
) -> None:
    tools: Any = [{"type": "function", "function": {"name": "get/weather"}}]
    hello: Any = [{"role": "user", "content": "hi"}]
    with openai.OpenAI(base_url=f"{here.stack.url}/v1", api_key=CLIENT_KEY) as client:
        model = f"{provider}-tool_calls"
        if is_stream:
            with client.chat.completions.stream(model=model, messages=hello, tools=tools) as said:
                answer: Any = said.get_final_completion()
        else:
            answer = client.chat.completions.create(model=model, messages=hello, tools=tools)
    [call] = answer.choices[0].message.tool_calls
    assert call.function.name == "get/weather"
    assert "get/weather" not in json.dumps(here.providers.last.body)
