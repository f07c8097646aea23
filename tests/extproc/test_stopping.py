"""Work that runs until a signal, or until it fails."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable

import pytest

from extproc.stopping import until_stopped
from tests.kit.in_a_loop import in_a_loop


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@in_a_loop
async def test_a_signal_ends_the_work(number: signal.Signals) -> None:
    taken: list[int] = []

    async def run(take: Callable[[int], None]) -> None:
        take(1)
        os.kill(os.getpid(), number)
        await asyncio.Event().wait()

    async with asyncio.timeout(10):
        await until_stopped(run, taken.append)
    assert taken == [1]


@in_a_loop
async def test_what_the_work_fails_with_is_told() -> None:
    async def run(take: Callable[[int], None]) -> None:
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        await until_stopped(run, lambda _: None)
