"""One child process, with real small commands."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from xds_server.child import LAST_DELAY_SECONDS, Child, Command, delay_after

FOREVER = "echo started; exec sleep 60"


@dataclass(slots=True)
class Screen:
    """Keeps what is shown, and lets a test wait for it."""

    lines: asyncio.Queue[tuple[str, str]] = field(default_factory=asyncio.Queue)

    def __call__(self, name: str, line: str) -> None:
        self.lines.put_nowait((name, line))

    async def until(self, wanted: str) -> tuple[str, str]:
        while True:
            name, line = await self.lines.get()
            if wanted in line:
                return name, line


@asynccontextmanager
async def kept(script: str, *, shown: str = "") -> AsyncIterator[tuple[Child, Screen]]:
    screen = Screen()
    command = Command("child", ("sh", "-c", script), os.environ, lambda line: shown in line)
    child = Child(command, screen)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(child.keep())
        yield child, screen
        await child.stop(2)


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await scenario()

    asyncio.run(bounded())


def test_lines_come_with_the_name_of_the_process() -> None:
    async def scenario() -> None:
        async with kept("echo one; echo two >&2; exec sleep 60") as (_, screen):
            assert await screen.until("one") == ("child", "one")
            assert await screen.until("two") == ("child", "two")

    run(scenario)


def test_what_looks_like_a_secret_is_not_shown() -> None:
    async def scenario() -> None:
        async with kept("echo refused: sk-12345678, by Envoy; exec sleep 60") as (_, screen):
            _, line = await screen.until("refused")
            assert line == "refused: [redacted], by Envoy"

    run(scenario)


def test_a_killed_child_is_started_again() -> None:
    async def scenario() -> None:
        async with kept(FOREVER) as (child, screen):
            await screen.until("started")
            first = child.pid
            assert first is not None
            os.kill(first, signal.SIGKILL)
            await screen.until("signal SIGKILL")
            await screen.until("started")
            assert child.pid not in (None, first)
            assert child.restarts == 1

    run(scenario)


def test_a_child_that_ends_by_itself_says_how() -> None:
    async def scenario() -> None:
        async with kept("exit 3") as (_, screen):
            await screen.until("status 3")
            await screen.until("status 3")

    run(scenario)


def test_a_stopped_child_is_gone_and_stays_away() -> None:
    async def scenario() -> None:
        async with kept(FOREVER) as (child, screen):
            await screen.until("started")
            await child.stop(2)
            assert (child.pid, child.restarts) == (None, 0)

    run(scenario)


def test_a_child_that_does_not_listen_is_killed() -> None:
    async def scenario() -> None:
        async with kept("trap '' TERM; echo started; sleep 60 & wait; wait") as (child, screen):
            await screen.until("started")
            pid = child.pid
            assert pid is not None
            group = os.getpgid(pid)
            await child.stop(0.2)
            assert child.pid is None
            os.killpg(group, signal.SIGKILL)  # the shell's own sleep

    run(scenario)


def test_a_child_is_stopped_while_it_waits_to_be_restarted() -> None:
    async def scenario() -> None:
        async with kept("exit 1") as (child, screen):
            for _ in range(4):
                await screen.until("status 1")
            await child.stop(1)

    run(scenario)


def test_lines_that_are_not_wanted_are_not_shown() -> None:
    async def scenario() -> None:
        async with kept("echo noise; echo signal; exec sleep 60", shown="signal") as (_, screen):
            assert await screen.lines.get() == ("child", "signal")

    run(scenario)


def test_a_line_without_end_does_not_stop_the_child() -> None:
    script = f"{sys.executable} -c \"print('x' * 300000)\"; echo after; exec sleep 60"

    async def scenario() -> None:
        async with kept(script) as (_, screen):
            await screen.until("after")

    run(scenario)


def test_delays_double_up_to_a_limit() -> None:
    delays = [delay_after(failures) for failures in range(1, 40)]
    assert delays[:3] == [0.05, 0.1, 0.2]
    assert delays[-1] == LAST_DELAY_SECONDS
    assert delays == sorted(delays)


def test_a_child_that_is_stopped_while_it_starts_does_not_run() -> None:
    async def scenario() -> None:
        screen = Screen()
        child = Child(Command("child", ("sh", "-c", FOREVER), os.environ), screen)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(child.keep())
            await asyncio.sleep(0)  # lets it begin
            await child.stop(2)
        assert child.pid is None
        assert screen.lines.empty()

    run(scenario)
