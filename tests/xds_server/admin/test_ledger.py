"""Reading a ledger that a worker writes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from pathlib import Path

import pytest

from extproc.adapters.sqlite_ledger import open_ledger
from extproc.ports import Charge, Exhausted, Ledger, Reservation
from gateway.ledger_place import LedgerPlace
from tests.kit.remote_ledgers import opened, place_at
from tests.kit.servers import free_port, postgres, redis, redis_cluster
from xds_server.admin.ledger import LedgerUnreadable, read_counters

HERE = LedgerPlace()


def test_no_ledger_has_no_counters(tmp_path: Path) -> None:
    assert list(read_counters(tmp_path / "ledger.db", HERE)) == []


def test_a_ledger_that_is_being_made_has_no_counters(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").touch()
    assert list(read_counters(tmp_path / "ledger.db", HERE)) == []


def test_what_a_worker_has_settled_and_reserved_is_told(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"

    async def scenario() -> None:
        ledger = await open_ledger(file, worker="one")
        try:
            (await reserved(ledger, 30)).settle([70])
            await reserved(ledger, 11)
            await ledger.flush()
            assert read_counters(file, HERE) == [
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


@pytest.mark.parametrize("kind", ["redis", "cluster", "postgres"])
def test_what_machines_have_told_a_server_is_read_there(kind: str, tmp_path: Path) -> None:
    start = {"redis": redis, "cluster": redis_cluster, "postgres": postgres}[kind]
    scheme = {"redis": "redis", "cluster": "redis+cluster", "postgres": "postgresql"}[kind]
    database = "/ledger" if kind == "postgres" else ""

    async def scenario(place: LedgerPlace) -> None:
        async with opened(place, "one") as ledger:
            (await reserved(ledger, 30)).settle([70])
            held = await reserved(ledger, 11)
            await ledger.flush()
            found = await asyncio.to_thread(read_counters, tmp_path, place)
            assert [dict(each) for each in found] == [
                {
                    "counter": "team|team=a",
                    "window_start": 86400,
                    "since": "1970-01-02T00:00:00+00:00",
                    "settled": 70,
                    "reserved": 11,
                }
            ]
            held.release()

    with start(tmp_path / "server") as server:
        place = place_at(f"{scheme}://127.0.0.1:{server.port}{database}", "mine")
        assert list(read_counters(tmp_path, place)) == []
        asyncio.run(scenario(place))


@pytest.mark.parametrize("scheme", ["redis", "postgresql"])
def test_a_server_that_is_down_is_said_to_be(scheme: str, tmp_path: Path) -> None:
    place = place_at(f"{scheme}://127.0.0.1:{free_port()}/0", "mine", password="geheim")
    with pytest.raises(LedgerUnreadable, match=f"ledger '{scheme}://127.0.0.1") as raised:
        read_counters(tmp_path, place)
    assert "geheim" not in str(raised.value)
