"""Answers that must come in time: who gives none is left, and not waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from extproc.ports import LedgerUnavailable

_Result = TypeVar("_Result")


async def in_time(
    asked: Coroutine[Any, Any, _Result], seconds: float, break_off: Callable[[], None]
) -> _Result:
    """LedgerUnavailable where it takes longer. Then, and when nobody waits any more, `break_off`
    lets go of the connection: drivers take their time to cancel what they wait for."""
    task = asyncio.ensure_future(asked)
    try:
        await asyncio.wait((task,), timeout=seconds)
        if task.done():
            return task.result()
        raise LedgerUnavailable(f"no answer in {seconds:g} s")
    finally:
        if not task.done():
            break_off()
            task.cancel()
            await asyncio.wait((task,))
