"""The demo over HTTP, with the real OpenAI library where it matters."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import openai
import pytest

from xds_server.demo.app import demo_serving
from xds_server.http_edge import listening_socket

HELLO: Any = [{"role": "user", "content": "Hello"}]
CHAT = {"model": "demo-a", "messages": HELLO}
KEY_A = {"authorization": "Bearer demo-provider-key-a"}


@asynccontextmanager
async def demo() -> AsyncIterator[httpx.AsyncClient]:
    listener = listening_socket("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with (
        demo_serving(listener),
        httpx.AsyncClient(base_url=url, timeout=5, trust_env=False) as client,
    ):
        yield client


def run(scenario: Callable[[httpx.AsyncClient], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with asyncio.timeout(20), demo() as client:
            await scenario(client)

    asyncio.run(whole())


def sdk(client: httpx.AsyncClient, provider: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(
        base_url=f"{client.base_url}/{provider}/v1",
        api_key=f"demo-provider-key-{provider}",
        max_retries=0,
        timeout=5,
    )


def test_the_openai_library_gets_an_answer_and_a_stream() -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        async with sdk(client, "b") as library:
            whole = await library.chat.completions.create(model="demo-b", messages=HELLO)
            assert "Provider b" in (whole.choices[0].message.content or "")
            stream = await library.chat.completions.create(
                model="demo-b",
                messages=HELLO,
                stream=True,
                stream_options={"include_usage": True},
            )
            parts = [part async for part in stream]
            said = "".join(part.choices[0].delta.content or "" for part in parts if part.choices)
            assert said == whole.choices[0].message.content
            assert parts[-1].usage == whole.usage

    run(scenario)


def test_the_openai_library_gets_embeddings() -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        async with sdk(client, "a") as library:
            found = await library.embeddings.create(model="demo-a", input=["a", "b"], dimensions=8)
            assert [len(row.embedding) for row in found.data] == [8, 8]
            floats = await library.embeddings.create(
                model="demo-a", input="a", dimensions=8, encoding_format="float"
            )
            assert floats.data[0].embedding == pytest.approx(found.data[0].embedding)
            assert found.usage.total_tokens == 2
            with pytest.raises(openai.NotFoundError):
                await library.embeddings.create(model="gpt-0", input="a")

    run(scenario)


def test_the_openai_library_reads_the_errors() -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        async with sdk(client, "a") as library:
            with pytest.raises(openai.NotFoundError):
                await library.chat.completions.create(model="none", messages=HELLO)
            with pytest.raises(openai.AuthenticationError):
                await library.with_options(api_key="wrong").models.list()
            names = [model.id async for model in library.models.list()]
            assert names == ["demo-a"]
            await client.post("/a/switch", json={"mode": "429", "count": 1})
            with pytest.raises(openai.RateLimitError) as caught:
                await library.chat.completions.create(model="demo-a", messages=HELLO)
            assert caught.value.response.headers["retry-after"] == "1"

    run(scenario)


def test_one_provider_fails_and_the_other_does_not() -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        await client.post("/a/switch", json={"mode": "500"})
        key_b = {"authorization": "Bearer demo-provider-key-b"}
        first = await client.post("/a/v1/chat/completions", json=CHAT, headers=KEY_A)
        chat_b = CHAT | {"model": "demo-b"}
        second = await client.post("/b/v1/chat/completions", json=chat_b, headers=key_b)
        assert (first.status_code, second.status_code) == (500, 200)

    run(scenario)


def test_a_reset_cuts_the_connection() -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        await client.post("/a/switch", json={"mode": "reset", "count": 1})
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            await client.post("/a/v1/chat/completions", json=CHAT, headers=KEY_A)
        answer = await client.post("/a/v1/chat/completions", json=CHAT, headers=KEY_A)
        assert answer.status_code == 200

    run(scenario)


def test_a_hanging_provider_never_answers() -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        await client.post("/a/switch", json={"mode": "hang", "count": 1})
        with pytest.raises(httpx.ReadTimeout):
            await client.post("/a/v1/chat/completions", json=CHAT, headers=KEY_A, timeout=0.3)

    run(scenario)


def test_a_dropped_stream_has_a_beginning_and_no_end() -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        switch = {"mode": "drop-mid-stream", "count": 1, "delay_seconds": 0.05}
        await client.post("/a/switch", json=switch)
        seen = bytearray()

        async def read_all() -> None:
            stream = CHAT | {"stream": True}
            path = "/a/v1/chat/completions"
            async with client.stream("POST", path, json=stream, headers=KEY_A) as answer:
                async for piece in answer.aiter_raw():
                    seen.extend(piece)

        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            await read_all()
        assert seen.startswith(b"data: ")
        assert b"[DONE]" not in seen

    run(scenario)


def test_a_slow_provider_takes_its_time() -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        await client.post("/a/switch", json={"mode": "slow", "count": 1, "delay_seconds": 0.05})
        answer = await client.post("/a/v1/chat/completions", json=CHAT, headers=KEY_A)
        assert answer.elapsed.total_seconds() >= 0.05

    run(scenario)


def test_what_a_provider_received_can_be_seen_and_forgotten() -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        await client.post("/a/v1/chat/completions", json=CHAT, headers=KEY_A | {"x-trace": "7"})
        (seen,) = (await client.get("/a/seen")).json()
        assert (seen["method"], seen["path"]) == ("POST", "/a/v1/chat/completions")
        assert seen["headers"]["x-trace"] == "7"
        assert seen["body"] == CHAT
        assert (await client.get("/b/seen")).json() == []
        assert (await client.delete("/a/seen")).json() == []

    run(scenario)


def test_unknown_places_and_switches_are_refused() -> None:
    async def scenario(client: httpx.AsyncClient) -> None:
        nowhere = await client.post("/a/v1/nothing", headers=KEY_A)
        assert nowhere.status_code == 404
        assert nowhere.json()["error"]["type"] == "invalid_request_error"
        assert (await client.post("/a/switch", content=b"{")).status_code == 400
        assert (await client.get("/healthz")).json() == {"status": "ok"}

    run(scenario)
