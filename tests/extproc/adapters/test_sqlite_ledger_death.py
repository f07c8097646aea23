"""Workers that write flat out are killed at once; what they had booked is there afterwards."""

from __future__ import annotations

import asyncio
import os
import selectors
import subprocess
import sys
from pathlib import Path

import pytest

from extproc.adapters.sqlite_ledger import open_ledger
from extproc.ports import Spent

WORKERS = 4
ROUNDS = 3


def start(path: Path, worker: str, limit: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.kit.ledger_worker", str(path), worker, str(limit)]
    root = Path(__file__).parents[3]
    return subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, bufsize=0)


def killed(processes: list[subprocess.Popen[bytes]], size: int) -> list[bytes]:
    """Everything that the workers said, killed as soon as all have said so much.

    All are read from at once: a worker with a full pipe would stand still.
    """
    said = {process: bytearray() for process in processes}
    with selectors.DefaultSelector() as selector:
        for process in processes:
            assert process.stdout is not None
            selector.register(process.stdout, selectors.EVENT_READ, process)
        while min(map(len, said.values())) < size:
            for key, _ in selector.select():
                piece = os.read(key.fd, 65536)
                assert piece, f"a worker ended by itself: {bytes(said[key.data][-200:])!r}"
                said[key.data] += piece
    for process in processes:
        process.kill()
    for process in processes:
        said[process] += process.communicate()[0]
    return [bytes(each) for each in said.values()]


def booked(said: bytes) -> tuple[int, int]:
    """The least and the most that a worker with this log may have booked."""
    total, pending = 0, 0
    for line in said.splitlines():
        if line.startswith(b"?"):
            pending = int(line[2:])
        else:
            total += pending if line == b"!" else 0
            pending = 0
    return total + min(0, pending), total + max(0, pending)


async def recovered(path: Path) -> Spent:
    ledger = await open_ledger(path, worker="heir")
    try:
        return await ledger.spent("shared", 0)
    finally:
        await ledger.close()


@pytest.mark.parametrize("limit", [10**12, 60_000])
def test_nothing_is_lost_and_nothing_overspent_when_all_are_killed(
    tmp_path: Path, limit: int
) -> None:
    path = tmp_path / "ledger.db"
    least = most = 0
    for each in range(ROUNDS):
        processes = [start(path, f"w{each}{worker}", limit) for worker in range(WORKERS)]
        for said in killed(processes, size=30_000):
            low, high = booked(said)
            least, most = least + low, most + high
        spent = asyncio.run(recovered(path))
        assert spent.reserved == 0
        assert least <= spent.settled <= most
        assert spent.settled <= limit
        least = most = spent.settled
