"""Reading a ledger that a worker writes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from pathlib import Path

from extproc.adapters.sqlite_ledger import open_ledger
from extproc.ports import Charge, Exhausted, Ledger, Reservation
from xds_server.admin.ledger import read_counters


def test_no_ledger_has_no_counters(tmp_path: Path) -> None:
    assert list(read_counters(tmp_path / "ledger.db")) == []


def test_a_ledger_that_is_being_made_has_no_counters(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").touch()
    assert list(read_counters(tmp_path / "ledger.db")) == []


def test_what_a_worker_has_settled_and_reserved_is_told(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"

    async def scenario() -> None:
        ledger = await open_ledger(file, worker="one")
        try:
            (await reserved(ledger, 30)).settle([70])
            await reserved(ledger, 11)
            await ledger.flush()
            assert read_counters(file) == [
                {
                    "counter": "team|team=a",
                    "window_start": 86400,
                    "since": "1970-01-02T00:00:00+00:00",
                    "settled": 70,
                    "reserved": 11,
                }
            ]
        finally:
            await ledger.close()

    asyncio.run(scenario())


async def reserved(ledger: Ledger, estimate: int) -> Reservation:
    taken = ledger.reserve([Charge("team|team=a", 86400, 1000, estimate)])
    reservation = await taken if isinstance(taken, Awaitable) else taken
    assert not isinstance(reservation, Exhausted)
    return reservation
