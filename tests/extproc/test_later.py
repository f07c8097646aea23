"""What goes on when an answer has come."""

from __future__ import annotations

import asyncio

from extproc.later import later


async def soon(number: int) -> int:
    await asyncio.sleep(0)
    return number


def test_what_is_made_of_an_answer_is_given_at_once_or_waited_for() -> None:
    async def scene() -> None:
        assert await later(soon(1), lambda number: number + 1) == 2
        assert await later(soon(1), lambda number: soon(number + 1)) == 2

    asyncio.run(scene())
