"""What calls cost is booked, once, whatever happens to the processes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.e2e.conftest import Serve
from tests.kit import web
from tests.kit.stack import KEY, Stack, eventually, free_ports, running

pytestmark = pytest.mark.envoy

ASK = [{"role": "user", "content": "say hello"}]
TIGHT = """
gateways: {{default: {{port: "${{DRAGOMAN_PORT}}"}}}}
identity: {{api_keys: {{keys: [{{name: demo, key: dragoman-demo, team: demo}}]}}}}
llm:
  providers:
    demo-a:
      type: openai
      url: "http://127.0.0.1:${{DRAGOMAN_DEMO_PORT}}/a/v1"
      key: demo-provider-key-a
    demo-b:
      type: openai
      url: "http://127.0.0.1:${{DRAGOMAN_DEMO_PORT}}/b/v1"
      key: demo-provider-key-b
  models:
    demo-a: demo-a/demo-a
    free: demo-a/no-price
    both: {{failover: [demo-a/demo-a, demo-b/demo-b]}}
  prices: {{demo-a: {{input: 1, output: 2}}, demo-b: {{input: 3, output: 6}}}}
  failover: {{health: {{failures: 0}}}} # a provider that failed in one test is asked in the next
budgets:
  - {{name: tight, for: {{key: "*"}}, limit: {limit}, per: {per}}}
"""


def spent(stack: Stack, budget: str) -> tuple[int, int]:
    """Settled and reserved of the only counter of a budget."""
    rows = [row for name, row in stack.budgets().items() if name.startswith(budget)]
    return (rows[0]["settled"], rows[0]["reserved"]) if rows else (0, 0)


def config(tmp_path: Path, limit: str, per: str = "day") -> Path:
    file = tmp_path / "gateway.yaml"
    file.write_text(TIGHT.format(limit=limit, per=per))
    return file


def test_prices_are_replaced_while_calls_are_served(serve: Serve, tmp_path: Path) -> None:
    """The file of prices alone is written anew; a broken one changes nothing."""
    file, prices = config(tmp_path, "5 USD"), tmp_path / "prices.json"
    text = file.read_text()
    own = "  prices: {demo-a: {input: 1, output: 2}, demo-b: {input: 3, output: 6}}\n"
    assert own in text
    file.write_text(text.replace(own, "  price_files: [prices.json]\n"))

    def price(input_price: int, output_price: int) -> None:
        row = {"input": input_price, "output": output_price}
        new = tmp_path / "prices.new"
        new.write_text(json.dumps({"demo-a": row, "demo-b": row}))
        new.replace(prices)

    price(1, 2)
    with serve(file, tmp_path / "state") as stack:

        def costs(each_input: int, each_output: int) -> bool:
            """Of the next call."""
            before = spent(stack, "tight")[0]
            usage = stack.chat({"model": "demo-a", "messages": ASK}).json()["usage"]
            eventually(lambda: spent(stack, "tight")[0] > before, "booked")
            booked = spent(stack, "tight")[0] - before
            read, written = usage["prompt_tokens"], usage["completion_tokens"]
            assert booked in [read * at * 1000 + written * 2 * at * 1000 for at in (1, 10)]
            return bool(booked == read * each_input * 1000 + written * each_output * 1000)

        processes = (stack.workers(), stack.envoys())
        assert costs(1, 2)
        price(10, 20)
        eventually(lambda: costs(10, 20), "the new prices count", seconds=10)
        prices.write_text("{")
        assert costs(10, 20)
        assert (stack.workers(), stack.envoys()) == processes


def cost(usage: dict[str, int]) -> int:
    return usage["prompt_tokens"] * 1000 + usage["completion_tokens"] * 2000


@dataclass(frozen=True, slots=True)
class Till:
    """A gateway for several tests, and what was spent there before one of them."""

    stack: Stack
    before: tuple[int, int]

    def spent(self) -> tuple[int, int]:
        """Settled and reserved, since then."""
        settled, reserved = spent(self.stack, "tight")
        return settled - self.before[0], reserved - self.before[1]


@pytest.fixture(scope="module")
def gateway(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("money")
    with serve(config(folder, "5 USD"), folder / "state") as stack:
        yield stack


@pytest.fixture
def till(gateway: Stack) -> Till:
    for provider in ("a", "b"):
        gateway.switch(provider, "ok")
    eventually(lambda: spent(gateway, "tight")[1] == 0, "nothing is under way")
    return Till(gateway, spent(gateway, "tight"))


def test_a_call_costs_what_the_provider_reports_streamed_or_not(till: Till) -> None:
    answer = till.stack.chat({"model": "demo-a", "messages": ASK}).json()
    expected = cost(answer["usage"])
    eventually(lambda: till.spent() == (expected, 0), "the unary call is booked")
    streamed = till.stack.chat({"model": "demo-a", "messages": ASK, "stream": True})
    assert streamed.status_code == 200
    eventually(lambda: till.spent() == (2 * expected, 0), "the streamed call is booked")


def test_a_call_costs_what_the_provider_that_answered_asks(till: Till) -> None:
    till.stack.switch("a", "429")
    for is_stream in (False, True):
        body = {"model": "both", "messages": ASK, "stream": is_stream}
        answer = till.stack.chat(body)
        assert answer.status_code == 200
        if not is_stream:
            expected = 3 * cost(answer.json()["usage"])
    eventually(lambda: till.spent() == (2 * expected, 0), "the second's price")


def test_a_refusal_is_not_shown_to_any_provider(serve: Serve, tmp_path: Path) -> None:
    with serve(config(tmp_path, "10 tokens"), tmp_path / "state") as stack:
        answer = stack.chat({"model": "demo-a", "messages": ASK, "max_tokens": 100})
        assert (answer.status_code, answer.json()["error"]["code"]) == (429, "budget_exhausted")
        assert stack.seen("a") == []


def test_refused_and_failed_calls_cost_nothing(till: Till) -> None:
    till.stack.switch("a", "500")
    assert till.stack.chat({"model": "demo-a", "messages": ASK}).status_code == 500
    eventually(lambda: till.spent() == (0, 0), "the failed call is released")


@pytest.mark.parametrize("is_stream", [False, True])
def test_a_call_that_is_given_up_before_its_answer_costs_its_estimate(
    till: Till, is_stream: bool
) -> None:
    till.stack.switch("a", "hang")
    body = {"model": "demo-a", "messages": ASK, "stream": is_stream, "max_tokens": 100}
    headers = {"authorization": f"Bearer {KEY}"}
    url = f"{till.stack.url}/v1/chat/completions"
    with pytest.raises(httpx.ReadTimeout):
        web.post(url, json=body, headers=headers, timeout=0.5)
    eventually(
        lambda: till.spent()[0] >= 100 * 2000 and till.spent()[1] == 0,
        "the aborted call is booked",
    )


def test_a_model_without_a_price_is_refused_under_a_money_budget(till: Till) -> None:
    answer = till.stack.chat({"model": "free", "messages": ASK})
    assert answer.json()["error"]["code"] == "unpriced_model"
    assert answer.status_code == 403


def test_concurrent_calls_do_not_overspend_a_hard_limit(
    serve_widely: Serve, tmp_path: Path
) -> None:
    limit = 3000
    with serve_widely(config(tmp_path, f"{limit} tokens"), tmp_path / "state") as stack:
        body = {"model": "demo-a", "messages": ASK, "max_tokens": 100}

        async def main() -> list[httpx.Response]:
            headers = {"authorization": f"Bearer {KEY}"}
            limits = httpx.Limits(max_connections=50)
            async with httpx.AsyncClient(headers=headers, limits=limits, timeout=30) as client:
                url = f"{stack.url}/v1/chat/completions"
                return await asyncio.gather(*[client.post(url, json=body) for _ in range(200)])

        answers = asyncio.run(main())
        statuses = {answer.status_code for answer in answers}
        assert statuses == {200, 429}
        used = sum(
            answer.json()["usage"]["total_tokens"] for answer in answers if answer.is_success
        )
        assert used <= limit
        refused = next(answer for answer in answers if answer.status_code == 429)
        error = refused.json()["error"]
        assert error["code"] == "budget_exhausted"
        assert "tight" in error["message"]
        assert str(limit) in error["message"].replace(",", "")
        assert "resets" in error["message"]
        assert int(refused.headers["retry-after"]) > 0


def test_counters_survive_the_death_of_every_process(tmp_path: Path) -> None:
    file, state, ports = config(tmp_path, "5 USD"), tmp_path / "state", free_ports(4)

    async def flood(stack: Stack, answers: list[dict[str, int]]) -> None:
        headers = {"authorization": f"Bearer {KEY}"}
        body = {"model": "demo-a", "messages": ASK, "max_tokens": 50}
        enough = asyncio.Event()
        async with httpx.AsyncClient(headers=headers, timeout=30) as client:

            async def one() -> None:
                while True:
                    try:
                        answer = await client.post(f"{stack.url}/v1/chat/completions", json=body)
                    except httpx.TransportError:
                        return
                    if answer.is_success:
                        answers.append(answer.json()["usage"])
                    if len(answers) >= 300:
                        enough.set()

            async def kill() -> None:
                async with asyncio.timeout(60):
                    await enough.wait()
                await asyncio.to_thread(stack.kill)

            await asyncio.gather(kill(), *[one() for _ in range(16)])

    answers: list[dict[str, int]] = []
    with running(file, state, ports=ports) as stack:
        asyncio.run(flood(stack, answers))
    known = sum(cost(usage) for usage in answers)
    with running(file, state, ports=ports) as stack:
        assert stack.chat({"model": "demo-a", "messages": ASK}).status_code == 200
        settled, reserved = spent(stack, "tight")
        in_flight = 16 * (100 * 1000 + 50 * 2000)  # at the most: what sixteen calls may reserve
        assert known <= settled + reserved <= known + 2 * in_flight
