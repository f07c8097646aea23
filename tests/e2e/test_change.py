"""Saving the YAML applies it at once, cuts nothing, and a broken file changes nothing."""

from __future__ import annotations

import asyncio
import time

import httpx
import pytest

from tests.kit import web
from tests.kit.stack import KEY, Stack, eventually

pytestmark = pytest.mark.envoy

STREAMS = 200
ASK = {"model": "demo-a", "messages": [{"role": "user", "content": "count slowly"}], "stream": True}
MODELS = "  models:\n"


def models(stack: Stack) -> set[str]:
    answer = web.get(f"{stack.url}/v1/models", headers={"authorization": f"Bearer {KEY}"})
    return {model["id"] for model in answer.json()["data"]}


def add_model(stack: Stack, name: str) -> None:
    text = stack.config.read_text()
    assert MODELS in text
    stack.config.write_text(text.replace(MODELS, f"{MODELS}    {name}: demo-b/demo-b\n"))


def test_a_saved_file_is_in_force_within_a_second(fresh: Stack) -> None:
    add_model(fresh, "new-model")
    start = time.monotonic()
    eventually(lambda: "new-model" in models(fresh), "the new model is served", seconds=5)
    assert time.monotonic() - start < 1


def test_running_streams_see_no_cut(fresh: Stack) -> None:
    fresh.switch("a", "slow")

    async def stream(client: httpx.AsyncClient) -> str:
        url = f"{fresh.url}/v1/chat/completions"
        async with client.stream("POST", url, json=ASK) as answer:
            assert answer.status_code == 200
            return "".join([part async for part in answer.aiter_text()])

    async def change() -> None:
        await asyncio.sleep(0.5)  # in the middle of the streams: the point of this test
        for name in ("one", "two"):
            await asyncio.to_thread(add_model, fresh, name)
            await asyncio.to_thread(
                eventually, lambda name=name: name in models(fresh), f"model {name}"
            )

    async def main() -> list[str]:
        limits = httpx.Limits(max_connections=STREAMS)
        headers = {"authorization": f"Bearer {KEY}"}
        async with httpx.AsyncClient(limits=limits, headers=headers, timeout=60) as client:
            change_task = asyncio.ensure_future(change())
            answers = await asyncio.gather(*[stream(client) for _ in range(STREAMS)])
            assert change_task.done(), "the change must fall inside the streams"
            await change_task
            return answers

    answers = asyncio.run(main())
    assert [answer[-60:] for answer in answers if not answer.rstrip().endswith("[DONE]")] == []


def test_a_broken_file_changes_nothing_and_is_reported_with_its_lines(fresh: Stack) -> None:
    good = fresh.config.read_text()
    before = fresh.status()["version"]
    fresh.config.write_text(good.replace("provider-key-a", "provider-key-a", 1) + "\nmodles: {}\n")
    eventually(lambda: bool(fresh.status()["problems"]), "the problem is reported")
    line = good.count("\n") + 2
    assert any(f":{line}:" in str(problem) for problem in fresh.status()["problems"])
    assert fresh.status()["version"] == before
    assert fresh.chat({"model": "demo", "messages": ASK["messages"]}).status_code == 200
    fresh.config.write_text(good)
    eventually(lambda: not fresh.status()["problems"], "the problem is gone")
