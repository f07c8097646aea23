"""Tests that await: each has an event loop of its own."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ParamSpec

from extproc.ports import LedgerUnavailable

Arguments = ParamSpec("Arguments")

SCENE_SECONDS = 60
PATIENCE_SECONDS = 20.0
"""Another process on a busy machine takes its time."""


def in_a_loop(
    test: Callable[Arguments, Coroutine[Any, Any, None]],
) -> Callable[Arguments, None]:
    """The test, run to its end."""

    @functools.wraps(test)
    def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


def play(scene: Coroutine[Any, Any, None]) -> None:
    """A scene, in a loop of its own, for a while at most."""

    async def main() -> None:
        async with asyncio.timeout(SCENE_SECONDS):
            await scene

    asyncio.run(main())


async def until(question: Callable[[], Awaitable[bool]], seconds: float = PATIENCE_SECONDS) -> None:
    """Ask again until it is so; a ledger that is away is asked again, too."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                if await question():
                    return
            except LedgerUnavailable:
                pass
            await asyncio.sleep(0.02)
