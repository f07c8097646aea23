"""A child that runs while it is wanted."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable

from tests.kit.in_a_loop import in_a_loop, until
from xds_server.child import Command
from xds_server.occasional import Occasional

COMMAND = Command(
    "one", (sys.executable, "-I", "-S", "-c", "import time; time.sleep(60)"), os.environ
)


def is_running(one: Occasional) -> Callable[[], Awaitable[bool]]:
    async def ask() -> bool:
        return any(child.pid is not None for child in one.children)

    return ask


def is_gone(one: Occasional) -> Callable[[], Awaitable[bool]]:
    async def ask() -> bool:
        return one.children == ()

    return ask


@in_a_loop
async def test_it_is_started_and_stopped_as_often_as_it_is_wanted() -> None:
    one = Occasional(COMMAND, lambda name, line: None)
    keeping = asyncio.ensure_future(one.keep())
    await asyncio.sleep(0)
    assert one.children == ()
    pids = set()
    for _ in range(2):
        one.want(True)
        await until(is_running(one))
        pids.add(one.children[0].pid)
        one.want(False)
        await until(is_gone(one))
    assert len(pids) == 2
    one.want(True)
    await until(is_running(one))
    await one.stop(5.0)
    await asyncio.wait_for(keeping, 10)


@in_a_loop
async def test_one_that_was_never_wanted_is_stopped_as_well() -> None:
    one = Occasional(COMMAND, lambda name, line: None)
    keeping = asyncio.ensure_future(one.keep())
    await asyncio.sleep(0)
    await one.stop(5.0)
    await asyncio.wait_for(keeping, 10)
