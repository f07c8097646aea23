"""Runs a process's work until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import TypeVar

Built = TypeVar("Built")


async def until_stopped(
    run: Callable[[Callable[[Built], None]], Awaitable[None]],
    take: Callable[[Built], None],
) -> None:
    """Until SIGTERM or SIGINT. By itself the work only ever ends by an exception, which is ours."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    work = asyncio.ensure_future(run(take))
    work.add_done_callback(lambda _: stopped.set())
    await stopped.wait()
    if work.done():
        work.result()
    work.cancel()
