"""A worker's configuration from real ADS servers: ours, and others' that a test plays."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import envoy_api
import pytest
import uvloop
from envoy_api.dial import Server
from envoy_api.discovery import Variant

from extproc import xds_source
from extproc.xds_source import Backoff, XdsSource
from gateway import names
from tests.kit.ads import SECONDS, serving
from tests.kit.management_server import managing
from tests.kit.offers import offer_of
from tests.kit.programs import Program, build, text
from tests.kit.publishing import release_of
from xds_server.audience import Kind
from xds_server.clients import Clients
from xds_server.release import configuration
from xds_server.rollout import PATIENCE, Rollout

BACKOFF = Backoff(first_seconds=0.02, last_seconds=0.1)


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


def worker_of(tasks: asyncio.TaskGroup, address: str, wait: float) -> Worker:
    backoff = Backoff(wait, wait)
    return Worker(tasks, XdsSource(Server(address), str(wait), build, backoff=backoff))


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
            source = XdsSource(Server(target), "worker-1", build, backoff=BACKOFF)
            worker = Worker(tasks, source)
            await scene(clients, worker)
            worker.stop()

    asyncio.run(run())


def test_a_configuration_is_built_and_acknowledged(tmp_path: Path) -> None:
    async def scene(clients: Clients, worker: Worker) -> None:
        clients.offer(Kind.WORKER, offer_of(configuration("v1", text("fast"))))
        assert await worker.next() == Program("v1", ("fast",))
        await until(clients, lambda: is_current(clients))
        (state,) = clients.states()
        assert (state.kind, state.node.id) == (Kind.WORKER, "worker-1")
        assert state.node.user_agent == "dragoman-extproc"
        clients.offer(Kind.WORKER, offer_of(configuration("v2", text("fast", "smart"))))
        assert await worker.next() == Program("v2", ("fast", "smart"))

    followed(tmp_path, scene)


def test_a_broken_configuration_is_rejected_with_its_problems(tmp_path: Path) -> None:
    async def scene(clients: Clients, worker: Worker) -> None:
        clients.offer(Kind.WORKER, offer_of(configuration("v1", text("fast"))))
        await worker.next()
        clients.offer(Kind.WORKER, offer_of(configuration("v2", text("fast") + "modles: {}\n")))
        await until(clients, lambda: "modles" in rejection(clients))
        assert "configuration v2:6" in rejection(clients)
        clients.offer(Kind.WORKER, offer_of(configuration("v3", text("new"))))
        assert await worker.next() == Program("v3", ("new",))
        await until(clients, lambda: is_current(clients))
        assert worker.programs.empty()

    followed(tmp_path, scene)


def test_what_is_refused_is_told_to_who_reads_the_workers_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def told() -> list[int]:
        return [each.levelno for each in caplog.records if each.name == xds_source.__name__]

    async def scene(clients: Clients, worker: Worker) -> None:
        clients.offer(Kind.WORKER, offer_of(configuration("v1", text("fast"))))
        await worker.next()
        await until(clients, lambda: is_current(clients))
        before = told()
        clients.offer(Kind.WORKER, offer_of(configuration("v2", "llm: 3")))
        await until(clients, lambda: bool(rejection(clients)))
        assert logging.ERROR not in before
        assert told() == [*before, logging.ERROR]

    followed(tmp_path, scene)


def test_going_back_to_what_serves_is_acknowledged_and_not_built_again(tmp_path: Path) -> None:
    async def scene(clients: Clients, worker: Worker) -> None:
        clients.offer(Kind.WORKER, offer_of(configuration("v1", text("fast"))))
        await worker.next()
        clients.offer(Kind.WORKER, offer_of(configuration("v2", "llm: 3")))
        await until(clients, lambda: bool(rejection(clients)))
        clients.offer(Kind.WORKER, offer_of(configuration("v1", text("fast"))))
        await until(clients, lambda: is_current(clients))
        assert worker.programs.empty()

    followed(tmp_path, scene)


def test_a_program_that_cannot_be_built_is_rejected(tmp_path: Path) -> None:
    async def scene(clients: Clients, worker: Worker) -> None:
        clients.offer(Kind.WORKER, offer_of(configuration("unbuildable", text("fast"))))
        await until(clients, lambda: "no such number" in rejection(clients))
        clients.offer(Kind.WORKER, offer_of(configuration("v2", text("fast"))))
        assert (await worker.next()).version == "v2"

    followed(tmp_path, scene)


def test_a_restarted_control_plane_is_found_and_sends_only_what_is_new(tmp_path: Path) -> None:
    async def run() -> None:
        address = f"unix:{tmp_path}/ads.sock"
        async with asyncio.TaskGroup() as tasks:
            source = XdsSource(Server(address), "worker-1", build, backoff=BACKOFF)
            worker = Worker(tasks, source)
            for version, is_new in (("v1", True), ("v1", False), ("v2", True)):
                clients = Clients()
                clients.offer(Kind.WORKER, offer_of(configuration(version, text("fast"))))
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
                Worker(
                    tasks, XdsSource(Server(address), str(wait), build, backoff=Backoff(wait, wait))
                )
                for wait in waits
            ]
            for models in ("fast", "smart"):
                clients = Clients()
                rollout = Rollout(clients, expected_workers=len(workers))
                async with serving(clients, address), asyncio.timeout(SECONDS):
                    assert await rollout.bring(release_of(clients, text(models))) == ()
                    assert clients.offered(Kind.ENVOY) is not None
                    have = [worker.programs.get_nowait().models for worker in workers]
                    assert have == [(models,)] * 2
            for worker in workers:
                worker.stop()

    asyncio.run(run())


def test_it_runs_on_uvloop_and_tcp() -> None:
    async def run() -> None:
        clients = Clients()
        clients.offer(Kind.WORKER, offer_of(configuration("v1", text("fast"))))
        async with serving(clients) as target, asyncio.TaskGroup() as tasks:
            worker = Worker(tasks, XdsSource(Server(target), "worker-1", build, backoff=BACKOFF))
            assert (await worker.next()).version == "v1"
            await until(clients, lambda: is_current(clients))
            worker.stop()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


def told(version: str, yaml: str) -> Any:
    return envoy_api.message("dragoman.v1.Configuration")(version=version, yaml=yaml)


@pytest.mark.parametrize("variant", list(Variant))
def test_any_management_server_can_drive_it(tmp_path: Path, variant: Variant) -> None:
    async def run() -> None:
        address = f"unix:{tmp_path}/ads.sock"
        async with managing(variant, address) as server, asyncio.TaskGroup() as tasks:
            worker = Worker(tasks, XdsSource(Server(address), "worker-1", build, backoff=BACKOFF))
            hello = await server.asked()
            assert (hello.node.id, hello.type_url) == ("worker-1", names.CONFIGURATION_TYPE)
            nonce = await server.send(names.CONFIGURATION_NAME, "41", told("a", text("fast")))
            assert await worker.next() == Program("a", ("fast",))
            accepted = await server.asked()
            assert accepted.response_nonce == nonce
            assert not accepted.HasField("error_detail")
            nonce = await server.send(names.CONFIGURATION_NAME, "42", told("b", "llm: 3"))
            rejected = await server.asked()
            assert rejected.response_nonce == nonce
            assert "configuration b:1" in rejected.error_detail.message
            await server.send(names.CONFIGURATION_NAME, "43", told("c", text("fast", "smart")))
            assert (await worker.next()).version == "c"
            assert worker.programs.empty()
            worker.stop()

    asyncio.run(run())


@pytest.mark.parametrize("variant", list(Variant))
def test_it_says_what_it_holds_when_it_comes_back(tmp_path: Path, variant: Variant) -> None:
    async def run() -> None:
        address = f"unix:{tmp_path}/ads.sock"
        async with asyncio.TaskGroup() as tasks:
            source = XdsSource(Server(address), "worker-1", build, variant=variant, backoff=BACKOFF)
            worker = Worker(tasks, source)
            async with managing(variant, address) as server:
                await server.asked()
                await server.send(names.CONFIGURATION_NAME, "41", told("a", text("fast")))
                await worker.next()
                await server.asked()
            async with managing(variant, address) as server:
                hello = await server.asked()
                if variant is Variant.DELTA:
                    assert dict(hello.initial_resource_versions) == {"dragoman": "41"}
                else:
                    assert (hello.version_info, hello.response_nonce) == ("41", "")
                await server.send(names.CONFIGURATION_NAME, "41", told("a", text("fast")))
                await server.asked()
                assert worker.programs.empty()
            worker.stop()

    asyncio.run(run())


def test_another_type_than_was_asked_for_is_rejected(tmp_path: Path) -> None:
    async def run() -> None:
        address = f"unix:{tmp_path}/ads.sock"
        cluster = envoy_api.message("envoy.config.cluster.v3.Cluster")(name="a")
        async with managing(Variant.DELTA, address) as server, asyncio.TaskGroup() as tasks:
            worker = Worker(tasks, XdsSource(Server(address), "worker-1", build, backoff=BACKOFF))
            await server.asked()
            await server.send(names.CONFIGURATION_NAME, "1", cluster)
            assert "Cluster" in (await server.asked()).error_detail.message
            worker.stop()

    asyncio.run(run())


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
    assert 2 * xds_source.BACKOFF.after(10_000, 0) < PATIENCE.worker_seconds
