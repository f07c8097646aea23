"""What goes on when an answer has come that was not there at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

_Answer = TypeVar("_Answer")
_Result = TypeVar("_Result")


async def later(
    asked: Awaitable[_Answer], then: Callable[[_Answer], _Result | Awaitable[_Result]]
) -> _Result:
    """What `then` makes of the answer, which may take a while itself."""
    made = then(await asked)
    return await made if isinstance(made, Awaitable) else made
