"""A worker's configuration from a real file, and what becomes of a wrong one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from extproc.source import ConfigurationRefused, FileSource
from gateway.catalog import cost, price_of
from gateway.model import Gateway
from gateway.price import Price
from gateway.problem import Problem
from gateway.usage import Usage
from tests.kit.ads import SECONDS
from tests.kit.programs import Program, build, text


def test_only_the_first_problems_are_told() -> None:
    problems = tuple(Problem("a", f"wrong {number}") for number in range(7))
    assert str(ConfigurationRefused(problems)).endswith("a: wrong 4; and 2 more")


def test_a_file_is_read_again_when_it_is_saved_and_mistakes_change_nothing(tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    path.write_text(text("fast").replace("model: m", "model: '${MODEL}'"))

    async def run() -> None:
        programs: asyncio.Queue[Program] = asyncio.Queue()
        attempts: asyncio.Queue[str] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def build_but(gateway: Gateway, version: str) -> Program:
            name = gateway.models[0].name
            loop.call_soon_threadsafe(attempts.put_nowait, name)
            return build(gateway, "unbuildable" if name == "bad" else version)

        source = FileSource(path, {"MODEL": "m"}, build_but, interval_seconds=0.02)
        async with asyncio.TaskGroup() as tasks, asyncio.timeout(SECONDS):
            running = tasks.create_task(source.run(programs.put_nowait))
            first = await programs.get()
            path.write_text(text("bad"))
            assert [await attempts.get() for _ in range(2)] == ["fast", "bad"]
            new = tmp_path / "new"
            new.write_text(text("smart"))
            new.rename(path)
            second = await programs.get()
            running.cancel()
        assert (first.models, second.models) == (("fast",), ("smart",))
        assert first.version != second.version

    asyncio.run(run())


def test_a_file_of_prices_that_is_replaced_changes_what_calls_cost(tmp_path: Path) -> None:
    path, prices = tmp_path / "gateway.yaml", tmp_path / "prices.json"
    path.write_text(f"{text('fast')}  price_files: [prices.json]\n")
    prices.write_text('{"m": {"input": 1, "output": 1}}')

    async def run() -> list[int]:
        programs: asyncio.Queue[tuple[str, Price | None]] = asyncio.Queue()

        def build_prices(gateway: Gateway, version: str) -> tuple[str, Price | None]:
            return version, price_of(dict(gateway.prices), "p", "openai", "m")

        source = FileSource(path, {}, build_prices, interval_seconds=0.02)
        costs: list[int] = []
        versions: set[str] = set()
        async with asyncio.TaskGroup() as tasks, asyncio.timeout(SECONDS):
            running = tasks.create_task(source.run(programs.put_nowait))
            for dollars in (2, 3):
                version, price = await programs.get()
                assert price is not None
                versions.add(version)
                costs.append(cost(price, Usage(1_000_000, 0)))
                new = tmp_path / "new"
                row = f'{{"m": {{"input": {dollars}, "output": 1}}}}'
                new.write_text(f'{{"as_of": "2026-11-25", "prices": {row}}}')
                new.rename(prices)
            running.cancel()
        assert len(versions) == 2
        return costs

    assert asyncio.run(run()) == [1_000_000_000, 2_000_000_000]


def test_a_file_that_is_wrong_at_the_start_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    path.write_text("llm: 3")
    source = FileSource(path, {}, build)
    with pytest.raises(ConfigurationRefused, match=r"gateway\.yaml:1"):
        asyncio.run(source.run(lambda program: None))


def test_files_that_are_included_are_followed_too(tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    path.write_text("include: ['more/*.yaml']\nadmin: {}\n")
    (tmp_path / "more").mkdir()

    async def run() -> None:
        programs: asyncio.Queue[Program] = asyncio.Queue()
        source = FileSource(path, {}, build, interval_seconds=0.02)
        async with asyncio.TaskGroup() as tasks, asyncio.timeout(SECONDS):
            running = tasks.create_task(source.run(programs.put_nowait))
            seen = [(await programs.get()).models]
            (tmp_path / "more/a.yaml").write_text(text("fast"))
            seen.append((await programs.get()).models)
            (tmp_path / "more/a.yaml").write_text(text("smart"))
            seen.append((await programs.get()).models)
            running.cancel()
        assert seen == [(), ("fast",), ("smart",)]

    asyncio.run(run())
