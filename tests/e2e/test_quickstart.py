"""A real OpenAI client, through a real Envoy, under the quickstart's policy."""

from __future__ import annotations

import socket
from typing import Any

import anthropic
import openai
import pytest
from google import genai
from google.genai import types
from pydantic import BaseModel

from tests.kit import web
from tests.kit.stack import KEY, Stack

pytestmark = pytest.mark.envoy

ASK = [{"role": "user", "content": "say hello"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


@pytest.fixture
def client(stack: Stack) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{stack.url}/v1", api_key=KEY, max_retries=0)


def test_a_chat_completion_is_answered(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="demo", messages=ASK)  # type: ignore[arg-type]
    assert answer.choices[0].message.content
    assert answer.usage is not None
    assert answer.usage.total_tokens > 0


def test_a_stream_arrives_in_pieces_and_ends_with_usage(client: openai.OpenAI) -> None:
    chunks = list(
        client.chat.completions.create(
            model="demo",
            messages=ASK,  # type: ignore[arg-type]
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text
    assert len(chunks) > 3
    assert chunks[-1].usage is not None


def test_tools_are_called_unary_and_streamed(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="demo",
        messages=ASK,  # type: ignore[arg-type]
        tools=[WEATHER],  # type: ignore[list-item]
        tool_choice="required",
    )
    calls = answer.choices[0].message.tool_calls
    assert calls is not None
    assert calls[0].function.name == "get_weather"  # type: ignore[union-attr]
    chunks = client.chat.completions.create(
        model="demo",
        messages=ASK,  # type: ignore[arg-type]
        tools=[WEATHER],  # type: ignore[list-item]
        tool_choice="required",
        stream=True,
    )
    names = [
        call.function.name
        for chunk in chunks
        if chunk.choices
        for call in chunk.choices[0].delta.tool_calls or ()
        if call.function is not None and call.function.name
    ]
    assert names == ["get_weather"]


class Person(BaseModel):
    name: str
    age: int


def test_answers_have_the_form_that_libraries_ask_for(client: openai.OpenAI, stack: Stack) -> None:
    ask: Any = ASK
    chat = client.chat.completions.parse(model="demo", messages=ask, response_format=Person)
    response = client.responses.parse(model="demo", input="say hello", text_format=Person)
    with anthropic.Anthropic(base_url=stack.url, api_key=KEY, max_retries=0) as claude:
        message = claude.messages.parse(
            model="demo", max_tokens=99, messages=ask, output_format=Person
        )
    options = types.HttpOptions(base_url=stack.url)
    with genai.Client(api_key=KEY, http_options=options) as gemini:
        wanted = types.GenerateContentConfig(
            response_mime_type="application/json", response_schema=Person
        )
        generated = gemini.models.generate_content(
            model="demo", contents="say hello", config=wanted
        )
    expected = Person(name="say hello", age=1)
    assert chat.choices[0].message.parsed == expected
    assert response.output_parsed == expected
    assert message.parsed_output == expected
    assert generated.parsed == expected


def test_embeddings_are_answered(client: openai.OpenAI) -> None:
    found = client.embeddings.create(model="demo", input=["a", "b"])
    assert [len(row.embedding) for row in found.data] == [256, 256]


def test_models_come_from_the_configuration(client: openai.OpenAI, stack: Stack) -> None:
    before = len(stack.seen("a")) + len(stack.seen("b"))
    assert {"demo", "demo-a", "demo-b"} <= {model.id for model in client.models.list()}
    assert client.models.retrieve("demo-b").id == "demo-b"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("no-such-model")
    assert len(stack.seen("a")) + len(stack.seen("b")) == before


def test_unknown_fields_reach_the_provider_untouched(stack: Stack) -> None:
    odd = {"x_vendor": {"deep": [1, 2.50, "é"]}, "seed": 12345678901234567890}
    assert stack.chat({"model": "demo-a", "messages": ASK, **odd}).status_code == 200
    body = stack.seen("a")[-1]["body"]
    assert {name: body[name] for name in odd} == odd


@pytest.mark.parametrize("size", [200_000, 900_000])
def test_a_large_prompt_reaches_the_provider_whole(stack: Stack, size: int) -> None:
    prompt = "word " * (size // 5)
    body = {"model": "demo", "messages": [{"role": "user", "content": prompt}]}
    assert stack.chat(body).status_code == 200
    seen = stack.seen("a")[-1]["body"]
    assert seen == {**body, "model": "demo-a"}


def test_headers_of_the_gateway_do_not_reach_the_provider(stack: Stack) -> None:
    sent = {"x-forwarded-for": "192.0.2.1", "cookie": "a=b", "x-dragoman-plan": "mine"}
    answer = stack.chat({"model": "demo-a", "messages": ASK}, headers=sent)
    assert answer.status_code == 200
    headers = stack.seen("a")[-1]["headers"]
    assert headers["authorization"] == "Bearer demo-provider-key-a"
    unwanted = ("x-forwarded-", "x-envoy-", "x-dragoman-", "x-request-id", "cookie", "via")
    assert [name for name in headers if name.startswith(unwanted)] == []


def test_a_social_security_number_is_blocked(client: openai.OpenAI, stack: Stack) -> None:
    before = len(stack.seen("a"))
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(
            model="demo-a", messages=[{"role": "user", "content": "my SSN is 123-45-6789"}]
        )
    assert refused.value.code == "content_policy_violation"
    assert "123-45-6789" not in str(refused.value)
    assert len(stack.seen("a")) == before


def test_an_address_is_masked_before_the_provider_sees_it(stack: Stack) -> None:
    ask = [{"role": "user", "content": "write to ann@example.com, please"}]
    assert stack.chat({"model": "demo-a", "messages": ask}).status_code == 200
    assert "ann@example.com" not in stack.seen("a")[-1]["body"]["messages"][0]["content"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b'{"model":"demo","messages":', 400, "invalid_json"),
        (b'{"model":"demo","model":"demo-a","messages":[]}', 400, "duplicate_key"),
        (b'{"messages":[{"role":"user","content":"x"}]}', 400, "missing_required_parameter"),
        (b'{"model":7,"messages":[]}', 400, "invalid_type"),
        (b'{"model":"nope","messages":[{"role":"user","content":"x"}]}', 404, "model_not_found"),
        (b"", 400, "invalid_json"),
    ],
)
def test_a_bad_body_is_refused_in_openais_words(
    stack: Stack, body: bytes, status: int, code: str
) -> None:
    answer = web.post(
        f"{stack.url}/v1/chat/completions",
        content=body,
        headers={"authorization": f"Bearer {KEY}", "content-type": "application/json"},
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_who_has_no_key_or_a_wrong_one_is_refused(stack: Stack) -> None:
    body = {"model": "demo", "messages": ASK}
    missing = stack.chat(body, key=None)
    wrong = stack.chat(body, key="wrong-key-7")
    assert (missing.status_code, wrong.status_code) == (401, 401)
    assert missing.json()["error"]["code"] == "missing_api_key"
    assert wrong.json()["error"]["code"] == "invalid_api_key"
    assert "wrong-key-7" not in wrong.text
    assert "wrong-key-7" not in stack.log.read_text()


def test_a_body_that_is_too_large_is_refused_in_openais_words(stack: Stack) -> None:
    ask = [{"role": "user", "content": "x" * (33 << 20)}]
    answer = stack.chat({"model": "demo", "messages": ask})
    assert answer.status_code == 413
    assert answer.json()["error"]["message"]


def test_paths_and_methods_that_are_not_served_say_so(stack: Stack) -> None:
    headers = {"authorization": f"Bearer {KEY}"}
    path = web.post(f"{stack.url}/v1/audio/dance", json={}, headers=headers)
    method = web.get(f"{stack.url}/v1/chat/completions", headers=headers)
    assert (path.status_code, path.json()["error"]["code"]) == (404, "unknown_url")
    assert (method.status_code, method.json()["error"]["code"]) == (405, "method_not_allowed")


def test_a_client_cannot_steer_envoy(stack: Stack) -> None:
    before = len(stack.seen("b"))
    steering = {
        "x-envoy-retry-on": "retriable-status-codes",
        "x-envoy-retriable-status-codes": "200",
        "x-envoy-max-retries": "5",
        "x-envoy-upstream-rq-timeout-ms": "1",
    }
    answer = stack.chat({"model": "demo", "messages": ASK}, headers=steering)
    assert answer.status_code == 200
    assert len(stack.seen("b")) == before


def test_garbage_is_answered(stack: Stack) -> None:
    with socket.create_connection(("127.0.0.1", stack.port), timeout=10) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"y" * 100_000 + b"\r\n\r\n")
        assert raw.recv(64).startswith(b"HTTP/1.1 431")


def test_a_path_outside_of_the_api_says_where_it_is(stack: Stack) -> None:
    answer = web.post(f"{stack.url}/chat/completions", json={})
    assert answer.status_code == 404
    assert "/v1/" in answer.json()["error"]["message"]


def test_envoy_knows_all_that_it_is_told(stack: Stack) -> None:
    """A field that it does not know it would only warn of, and go on without."""
    assert stack.envoy_stat("server.dynamic_unknown_fields") == 0
    assert stack.envoy_stat("listener_manager.lds.update_success") > 0
    for service in ("cluster_manager.cds", "listener_manager.lds"):
        assert stack.envoy_stat(f"{service}.update_rejected") == 0
