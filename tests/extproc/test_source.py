"""A worker's source of configuration, against a real ADS server and a real file."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvloop

from extproc import source
from extproc.source import (
    Backoff,
    ConfigurationRefused,
    FileSource,
    XdsSource,
    channel_target,
)
from gateway.model import Gateway
from gateway.problem import Problem
from tests.kit.ads import SECONDS, serving
from xds_server.audience import Kind
from xds_server.clients import Clients
from xds_server.publisher import Publisher
from xds_server.release import configuration
from xds_server.rollout import PATIENCE
from xds_server.snapshot import Snapshot, snapshot_of

BACKOFF = Backoff(first_seconds=0.02, last_seconds=0.1)


@dataclass(frozen=True, slots=True)
class Program:
    """What the tests build."""

    version: str
    models: tuple[str, ...]


def build(gateway: Gateway, version: str) -> Program:
    if version == "unbuildable":
        raise ZeroDivisionError("no such number")
    return Program(version, tuple(model.name for model in gateway.models))


def text(*models: str) -> str:
    lines = "".join(f"    {model}: {{provider: p, model: m}}\n" for model in models)
    provider = "{type: openai, url: 'http://127.0.0.1:9/v1'}"
    return f"llm:\n  providers:\n    p: {provider}\n  models:\n{lines}"


def compiled(gateway: Gateway) -> Snapshot:
    return snapshot_of(())


class Worker:
    """A source that runs, and the programs that it has given."""

    def __init__(self, tasks: asyncio.TaskGroup, source: XdsSource[Program]) -> None:
        self.programs: asyncio.Queue[Program] = asyncio.Queue()
        self._task = tasks.create_task(source.run(self.programs.put_nowait))

    async def next(self) -> Program:
        async with asyncio.timeout(SECONDS):
            return await self.programs.get()

    def stop(self) -> None:
        self._task.cancel()


async def until(clients: Clients, claim: Callable[[], bool]) -> None:
    assert await clients.wait_until(claim, SECONDS), clients.states()


def rejection(clients: Clients) -> str:
    states = [each for state in clients.states() for each in state.types]
    return states[0].rejection if states else ""


def is_current(clients: Clients) -> bool:
    return [state.is_current for state in clients.states()] == [True]


def followed(
    tmp_path: Path,
    scene: Callable[[Clients, Worker], Awaitable[None]],
) -> None:
    async def run() -> None:
        clients = Clients()
        target = f"unix:{tmp_path}/ads.sock"
        async with serving(clients, target), asyncio.TaskGroup() as tasks:
            source = XdsSource(target, "worker-1", build, backoff=BACKOFF)
            worker = Worker(tasks, source)
            await scene(clients, worker)
            worker.stop()

    asyncio.run(run())


def test_a_configuration_is_built_and_acknowledged(tmp_path: Path) -> None:
    async def scene(clients: Clients, worker: Worker) -> None:
        clients.offer(Kind.WORKER, configuration("v1", text("fast")))
        assert await worker.next() == Program("v1", ("fast",))
        await until(clients, lambda: is_current(clients))
        (state,) = clients.states()
        assert (state.kind, state.node.id) == (Kind.WORKER, "worker-1")
        assert state.node.user_agent == "dragoman-extproc"
        clients.offer(Kind.WORKER, configuration("v2", text("fast", "smart")))
        assert await worker.next() == Program("v2", ("fast", "smart"))

    followed(tmp_path, scene)


def test_a_broken_configuration_is_rejected_with_its_problems(tmp_path: Path) -> None:
    async def scene(clients: Clients, worker: Worker) -> None:
        clients.offer(Kind.WORKER, configuration("v1", text("fast")))
        await worker.next()
        clients.offer(Kind.WORKER, configuration("v2", text("fast") + "modles: {}\n"))
        await until(clients, lambda: "modles" in rejection(clients))
        assert "configuration v2:6" in rejection(clients)
        clients.offer(Kind.WORKER, configuration("v3", text("new")))
        assert await worker.next() == Program("v3", ("new",))
        await until(clients, lambda: is_current(clients))
        assert worker.programs.empty()

    followed(tmp_path, scene)


def test_going_back_to_what_serves_is_acknowledged_and_not_built_again(tmp_path: Path) -> None:
    async def scene(clients: Clients, worker: Worker) -> None:
        clients.offer(Kind.WORKER, configuration("v1", text("fast")))
        await worker.next()
        clients.offer(Kind.WORKER, configuration("v2", "llm: 3"))
        await until(clients, lambda: bool(rejection(clients)))
        clients.offer(Kind.WORKER, configuration("v1", text("fast")))
        await until(clients, lambda: is_current(clients))
        assert worker.programs.empty()

    followed(tmp_path, scene)


def test_a_program_that_cannot_be_built_is_rejected(tmp_path: Path) -> None:
    async def scene(clients: Clients, worker: Worker) -> None:
        clients.offer(Kind.WORKER, configuration("unbuildable", text("fast")))
        await until(clients, lambda: "no such number" in rejection(clients))
        clients.offer(Kind.WORKER, configuration("v2", text("fast")))
        assert (await worker.next()).version == "v2"

    followed(tmp_path, scene)


def test_a_restarted_control_plane_is_found_and_sends_only_what_is_new(tmp_path: Path) -> None:
    async def run() -> None:
        address = f"unix:{tmp_path}/ads.sock"
        async with asyncio.TaskGroup() as tasks:
            source = XdsSource(address, "worker-1", build, backoff=BACKOFF)
            worker = Worker(tasks, source)
            for version, is_new in (("v1", True), ("v1", False), ("v2", True)):
                clients = Clients()
                clients.offer(Kind.WORKER, configuration(version, text("fast")))
                async with serving(clients, address):
                    if is_new:
                        assert (await worker.next()).version == version
                    await until(clients, lambda clients=clients: is_current(clients))
                    assert worker.programs.empty()
            worker.stop()

    asyncio.run(run())


def test_a_restarted_control_plane_tells_envoy_when_every_worker_is_back(tmp_path: Path) -> None:
    async def run() -> None:
        address = f"unix:{tmp_path}/ads.sock"
        waits = (0.02, 0.6)  # seconds until each of the two is back
        async with asyncio.TaskGroup() as tasks:
            workers = [
                Worker(tasks, XdsSource(address, str(wait), build, backoff=Backoff(wait, wait)))
                for wait in waits
            ]
            for models in ("fast", "smart"):
                clients = Clients()
                publisher = Publisher(
                    clients,
                    tmp_path / "gateway.yaml",
                    {},
                    compiled,
                    expected_workers=len(workers),
                )
                async with serving(clients, address), asyncio.timeout(SECONDS):
                    assert await publisher.apply(text(models)) == ()
                    assert clients.offered(Kind.ENVOY) is not None
                    have = [worker.programs.get_nowait().models for worker in workers]
                    assert have == [(models,)] * 2
            for worker in workers:
                worker.stop()

    asyncio.run(run())


def test_it_runs_on_uvloop_and_tcp() -> None:
    async def run() -> None:
        clients = Clients()
        clients.offer(Kind.WORKER, configuration("v1", text("fast")))
        async with serving(clients) as target, asyncio.TaskGroup() as tasks:
            worker = Worker(tasks, XdsSource(target, "worker-1", build, backoff=BACKOFF))
            assert (await worker.next()).version == "v1"
            await until(clients, lambda: is_current(clients))
            worker.stop()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


@pytest.mark.parametrize(
    ("address", "target"),
    [
        ("xds:18000", "dns:///xds:18000"),  # else gRPC's own xDS client would be asked
        ("dns:18000", "dns:///dns:18000"),
        ("127.0.0.1:18000", "dns:///127.0.0.1:18000"),
        ("[::1]:18000", "dns:///[::1]:18000"),
        ("unix:/run/xds.sock", "unix:/run/xds.sock"),
    ],
)
def test_no_name_of_a_host_is_taken_for_a_scheme(address: str, target: str) -> None:
    assert channel_target(address) == target


def test_the_wait_doubles_up_to_its_end_and_is_spread() -> None:
    backoff = Backoff(first_seconds=0.1, last_seconds=5)
    assert [backoff.after(failures, 0) for failures in (1, 2, 3, 9, 10_000)] == [
        0.1,
        0.2,
        0.4,
        5,
        5,
    ]
    assert backoff.after(3, 0.5) == pytest.approx(0.3)


def test_a_worker_is_back_before_the_control_plane_goes_on_without_it() -> None:
    assert 2 * source.BACKOFF.after(10_000, 0) < PATIENCE.worker_seconds


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


def test_a_file_that_is_wrong_at_the_start_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    path.write_text("llm: 3")
    source = FileSource(path, {}, build)
    with pytest.raises(ConfigurationRefused, match=r"gateway\.yaml:1"):
        asyncio.run(source.run(lambda program: None))
