"""Calls that wait for a ledger's store."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from extproc.ports import Charge, Exhausted, Reservation


@dataclass(slots=True, eq=False)
class Waiter:
    """A call that could not be booked at once."""

    charges: Sequence[Charge]
    answer: asyncio.Future[Reservation | Exhausted]
    tries: int = 0

    def fail(self, error: BaseException) -> None:
        """Unless it has its answer, or has gone."""
        if not self.answer.done():
            self.answer.set_exception(error)


def give_up(answer: asyncio.Future[Reservation | Exhausted]) -> None:
    """The caller was cancelled in the moment between the answer and its arrival."""
    if answer.exception() is None:
        result = answer.result()
        if not isinstance(result, Exhausted):
            result.release()
