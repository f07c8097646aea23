"""A process that writes to the ledger flat out, and says on stdout what it does.

Before each step a line `? delta`, after it a line `!`: whoever reads them knows what is booked,
up to the one step that death may have caught in the middle. `x` says that the budget is exhausted.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path

from extproc.adapters.sqlite_ledger import open_ledger
from extproc.ports import Charge, Exhausted, Reservation

IN_FLIGHT = 5


def step(delta: int, work: Callable[[], None]) -> None:
    os.write(1, b"? %d\n" % delta)
    work()
    os.write(1, b"!\n")


async def main(path: Path, worker: str, limit: int) -> None:
    """Runs until it is killed."""
    ledger = await open_ledger(path, worker=worker, flush_seconds=0.002)
    dice = random.Random(worker)
    held: deque[tuple[Reservation, int]] = deque()
    while True:
        estimate = dice.randint(1, 50)
        charge = Charge("shared", 0, limit, estimate)
        os.write(1, b"? %d\n" % estimate)
        answer = ledger.reserve([charge])
        if isinstance(answer, Awaitable):
            answer = await answer
        if isinstance(answer, Exhausted):
            os.write(1, b"x\n")
        else:
            os.write(1, b"!\n")
            held.append((answer, estimate))
        if len(held) > IN_FLIGHT:
            reservation, estimate = held.popleft()
            if dice.random() < 0.2:
                step(-estimate, reservation.release)
            else:
                amount = dice.randint(0, estimate)
                step(amount - estimate, lambda r=reservation, a=amount: r.settle([a]))
        await asyncio.sleep(0)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
