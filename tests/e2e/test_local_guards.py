"""`examples/local-guards.yaml` through a real Envoy, as OpenAI's library sees it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from tests.e2e.conftest import EXAMPLES, Serve
from tests.kit import web
from tests.kit.recorder import Recorder
from tests.kit.stack import Stack, eventually

pytestmark = pytest.mark.envoy

TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}


@pytest.fixture(scope="module")
def provider() -> Iterator[Recorder]:
    with Recorder() as recorder:
        yield recorder


@pytest.fixture(scope="module")
def guarded(
    provider: Recorder, serve: Serve, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("local-guards")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("OPENAI_URL", f"http://127.0.0.1:{provider.port}/v1")
        with serve(EXAMPLES / "local-guards.yaml", folder / "state") as stack:
            yield stack


def answer(provider: Recorder, message: dict[str, Any], finish: str = "stop") -> None:
    """What the provider says, whole."""
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    told = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "usage": usage}
    provider.kind, provider.is_chunked = "application/json", False
    provider.answer = json.dumps({**told, "choices": [choice]}).encode()


def stream(provider: Recorder, *deltas: dict[str, Any]) -> None:
    """The same in pieces."""
    told = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    ends = [({}, "stop")]
    chunks = [
        {**told, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
        for delta, finish in [*((delta, None) for delta in deltas), *ends]
    ]
    events = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
    provider.kind = "text/event-stream"
    provider.answer = "".join([*events, "data: [DONE]\n\n"]).encode()
    provider.is_chunked = True


def client(stack: Stack) -> openai.OpenAI:
    once = httpx.Client(limits=httpx.Limits(max_keepalive_connections=0), timeout=20)
    url = f"{stack.url}/v1"
    return openai.OpenAI(base_url=url, api_key="none", max_retries=0, http_client=once)


def ask(stack: Stack, text: str = "hi", *, model: str = "gpt-5", **more: Any) -> Any:
    messages: Any = [{"role": "user", "content": text}]
    return client(stack).chat.completions.create(model=model, messages=messages, **more)


def streamed(stack: Stack, model: str, **more: Any) -> str:
    with ask(stack, model=model, stream=True, **more) as chunks:
        return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def test_words_are_refused_and_masked(guarded: Stack, provider: Recorder) -> None:
    answer(provider, {"content": "Acky is not Ackyx"})
    with pytest.raises(openai.BadRequestError) as refused:
        ask(guarded, "what of ＡＣＭＥ?")
    assert "we do not speak of others" in str(refused.value)
    assert refused.value.code == "content_policy_violation"
    provider.requests.clear()
    told = ask(guarded, "acmes are no rivals, acky is")
    assert json.loads(provider.last.body)["messages"][0]["content"] == (
        "acmes are no rivals, [redacted] is"
    )
    assert told.choices[0].message.content == "[redacted] is not Ackyx"


def test_words_are_masked_within_streams(guarded: Stack, provider: Recorder) -> None:
    stream(provider, *({"content": piece} for piece in ("I know A", "ck", "y, and Acky", "x")))
    assert streamed(guarded, "gpt-5") == "I know [redacted], and Ackyx"


def test_long_questions_are_refused(guarded: Stack, provider: Recorder) -> None:
    answer(provider, {"content": "yes"})
    ask(guarded, "x" * 4000)
    with pytest.raises(openai.BadRequestError) as refused:
        ask(guarded, "x" * 4001)
    assert refused.value.code == "text_too_long"


def test_long_answers_are_refused_and_cut(guarded: Stack, provider: Recorder) -> None:
    answer(provider, {"content": "x" * 200})
    assert ask(guarded, model="short").choices[0].message.content == "x" * 200
    answer(provider, {"content": "x" * 201})
    with pytest.raises(openai.BadRequestError) as refused:
        ask(guarded, model="short")
    assert refused.value.code == "text_too_long"
    stream(provider, *[{"content": "x" * 100}] * 3)
    with pytest.raises(openai.APIError, match="short-answers"):
        streamed(guarded, "short")


def test_an_answer_must_be_what_its_schema_wants(guarded: Stack, provider: Recorder) -> None:
    good, bad = '{"name": "ann", "age": 3}', '{"name": "ann", "age": -3}'
    answer(provider, {"content": good})
    assert ask(guarded, model="extractor").choices[0].message.content == good
    answer(provider, {"content": bad})
    with pytest.raises(openai.InternalServerError) as refused:
        ask(guarded, model="extractor")
    assert refused.value.status_code == 502
    assert "at '/age', 'minimum' does not hold (guard 'person')" in str(refused.value)
    stream(provider, {"content": good[:9]}, {"content": good[9:]})
    assert streamed(guarded, "extractor") == good
    stream(provider, {"content": bad[:9]}, {"content": bad[9:]})
    cut = pytest.raises(openai.APIError, match="guard 'person'")
    with ask(guarded, model="extractor", stream=True) as chunks, cut:
        next(chunks)  # nothing came before


def test_arguments_must_be_what_the_tool_takes(guarded: Stack, provider: Recorder) -> None:
    def call(name: str, arguments: str) -> None:
        function = {"name": name, "arguments": arguments}
        calls = [{"id": "1", "type": "function", "function": function}]
        answer(provider, {"content": None, "tool_calls": calls}, "tool_calls")

    call("weather", '{"city": "Oslo"}')
    told = ask(guarded, model="agent", tools=[TOOL])
    assert told.choices[0].message.tool_calls[0].function.arguments == '{"city": "Oslo"}'
    for name, arguments, why in (
        ("weather", '{"town": "Oslo"}', "'required' does not hold"),
        ("delete_all", "{}", "there is no tool 'delete_all'"),
    ):
        call(name, arguments)
        with pytest.raises(openai.InternalServerError, match=why):
            ask(guarded, model="agent", tools=[TOOL])


def test_what_they_refuse_is_counted(guarded: Stack, provider: Recorder) -> None:
    answer(provider, {"content": "no json"})
    with pytest.raises(openai.InternalServerError):
        ask(guarded, model="extractor")

    def metrics() -> str:
        return web.get(f"{guarded.admin_url}/metrics", timeout=5).text

    wanted = 'code="schema_violation",kind="guard",mode="enforce",name="person",verdict="deny"'
    eventually(lambda: wanted in metrics(), "it is counted")


def test_requests_must_have_their_form(guarded: Stack, provider: Recorder) -> None:
    answer(provider, {"content": '{"name": "ann"}'})
    ask(guarded, model="extractor", temperature=1)
    provider.requests.clear()
    with pytest.raises(openai.BadRequestError) as refused:
        ask(guarded, model="extractor", temperature=1.5)
    assert refused.value.code == "schema_violation"
    assert "at '/temperature', 'maximum' does not hold" in str(refused.value)
    assert provider.requests == []


def test_calls_that_a_conversation_tells_of_are_judged(guarded: Stack, provider: Recorder) -> None:
    answer(provider, {"content": "sun"})

    def said(arguments: str) -> Any:
        function = {"name": "weather", "arguments": arguments}
        messages: Any = [
            {"role": "user", "content": "what of the weather?"},
            {
                "role": "assistant",
                "tool_calls": [{"id": "c", "type": "function", "function": function}],
            },
            {"role": "tool", "tool_call_id": "c", "content": "sun"},
        ]
        tools: Any = [TOOL]
        create = client(guarded).chat.completions.create
        return create(model="agent", messages=messages, tools=tools)

    said('{"city": "Oslo"}')
    with pytest.raises(openai.BadRequestError) as refused:
        said('{"town": "Oslo"}')
    assert "the arguments of 'weather'" in str(refused.value)


def test_questions_of_too_many_tokens_are_refused(guarded: Stack, provider: Recorder) -> None:
    answer(provider, {"content": "yes"})
    ask(guarded, "the weather is fine in Oslo. " * 60, model="short")
    with pytest.raises(openai.BadRequestError) as refused:
        ask(guarded, "the weather is fine in Oslo. " * 90, model="short")
    assert refused.value.code == "text_too_long"


def test_legacy_completions_have_a_form_too(guarded: Stack, provider: Recorder) -> None:
    told = {"id": "c", "object": "text_completion", "created": 1, "model": "m"}

    def said(text: str) -> str:
        choice = {"index": 0, "text": text, "finish_reason": "stop", "logprobs": None}
        provider.kind, provider.is_chunked = "application/json", False
        provider.answer = json.dumps({**told, "choices": [choice]}).encode()
        found = client(guarded).completions.create(model="extractor", prompt="who?")
        return found.choices[0].text

    assert said('{"name": "ann"}') == '{"name": "ann"}'
    with pytest.raises(openai.InternalServerError) as refused:
        said("it is ann")
    assert refused.value.code == "schema_violation"
