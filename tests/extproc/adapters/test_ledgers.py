"""Which ledger a worker draws on, over changes of the configuration."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from extproc.adapters.ledgers import Ledgers
from extproc.adapters.sqlite_ledger import open_ledger
from extproc.ports import Booking, LedgerUnavailable, Spent
from gateway.ledger_place import LedgerPlace
from tests.kit.certificates import Authority
from tests.kit.ledger_suite import MONTH, ask, charge, hold
from tests.kit.remote_ledgers import opened, place_at
from tests.kit.servers import Server, free_port, redis

COUNTER = "b|team=a"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with redis(tmp_path_factory.mktemp("redis"), "--requirepass", "geheim") as running:
        yield running


def test_a_configuration_that_names_a_server_is_kept_there(tmp_path: Path, server: Server) -> None:
    async def scene() -> None:
        there = place_at(f"redis://127.0.0.1:{server.port}", "moved", password="geheim")
        local = await open_ledger(tmp_path / "ledger.db", worker="w")
        ledgers = Ledgers(local, "w", left_seconds=0.01)
        here = ledgers.at(LedgerPlace())
        before = await hold(here, charge(10))
        far = await asyncio.to_thread(ledgers.at, there)
        assert ledgers.at(there) is far
        (await hold(far, charge(20))).settle([20])
        before.settle([7])
        assert await here.spent(COUNTER, MONTH) == Spent(7, 0)
        assert await far.spent(COUNTER, MONTH) == Spent(20, 0)
        assert await ledgers.book_once("work", 1, [Booking(COUNTER, MONTH, 5)], MONTH)
        await ledgers.remember("work", "anna", MONTH)
        assert await ledgers.owner("work") == "anna"
        assert await far.spent(COUNTER, MONTH) == Spent(25, 0)
        ledgers.at(LedgerPlace())
        await asyncio.sleep(0.05)
        with pytest.raises(LedgerUnavailable, match="closed"):
            await far.flush()
        assert ledgers.at(LedgerPlace()) is local
        await ledgers.close()
        async with opened(there, "other") as other:
            assert await other.spent(COUNTER, MONTH) == Spent(25, 0)

    asyncio.run(scene())


def test_a_wrong_password_refuses_and_is_not_shown(
    tmp_path: Path, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene() -> None:
        there = place_at(f"redis://127.0.0.1:{server.port}", "wrong", password="falsch")
        ledgers = Ledgers(await open_ledger(tmp_path / "ledger.db", worker="w"), "w")
        ledger = ledgers.at(there)
        with pytest.raises(LedgerUnavailable) as raised:
            await ask(ledger, charge(1))
        assert "falsch" not in f"{raised.value} {there!r}"
        await ledgers.close()

    asyncio.run(scene())
    assert "falsch" not in caplog.text


def test_a_server_that_is_down_at_the_end_keeps_nobody(tmp_path: Path) -> None:
    async def scene() -> None:
        ledgers = Ledgers(await open_ledger(tmp_path / "ledger.db", worker="w"), "w")
        missed: list[None] = []
        ledgers.missed = lambda: missed.append(None)
        down = ledgers.at(place_at(f"redis://127.0.0.1:{free_port()}", "down"))
        with pytest.raises(LedgerUnavailable, match="ledger 'redis://127"):
            await ask(down, charge(1))
        assert missed
        async with asyncio.timeout(5):
            await ledgers.close()

    asyncio.run(scene())


def test_servers_are_reached_by_tls_and_must_prove_who_they_are(tmp_path: Path) -> None:
    authority = Authority()
    certificate, key = authority.server()
    for name, text in (("ca.pem", authority.pem), ("cert.pem", certificate), ("key.pem", key)):
        (tmp_path / name).write_text(text)
    port = free_port()
    options = ["--tls-port", str(port), "--tls-auth-clients", "no"]
    for name, file in (("ca-cert", "ca"), ("cert", "cert"), ("key", "key")):
        options += [f"--tls-{name}-file", str(tmp_path / f"{file}.pem")]

    async def scene() -> None:
        place = place_at(f"rediss://localhost:{port}?ssl_ca_certs={tmp_path}/ca.pem", "tls")
        async with opened(place, "w") as ledger:
            (await hold(ledger, charge(5))).settle([5])
            assert await ledger.spent(COUNTER, MONTH) == Spent(5, 0)
        ledgers = Ledgers(await open_ledger(tmp_path / "ledger.db", worker="w"), "w")
        unknown = ledgers.at(replace(place, url=f"rediss://localhost:{port}"))
        with pytest.raises(LedgerUnavailable, match="certificate verify failed"):
            await ask(unknown, charge(1))
        await ledgers.close()

    with redis(tmp_path / "server", *options):
        asyncio.run(scene())
