"""Virtual keys in the ledger's SQLite database."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from extproc.adapters.key_tables import KeyTables
from extproc.adapters.sqlite_ledger import open_ledger
from tests.kit.key_store_suite import DEED, KeyStoreSuite, Read, virtual_key
from xds_server.keys.store import KeysUnavailable, SqliteKeyStore


class TestSqliteKeyStore(KeyStoreSuite):
    """The contract."""

    def opened(self, directory: Path) -> SqliteKeyStore:
        return SqliteKeyStore(directory / "ledger.db")

    def read(self, directory: Path) -> Read:
        tables = KeyTables(directory / "ledger.db", 1.0)

        def read(ids: Sequence[str], since: int) -> tuple[int, Sequence[str], dict[str, object]]:
            reading = tables.read(ids, since)
            return reading.last, reading.changed, dict(reading.keys)

        return read  # type: ignore[return-value]

    def use(self, directory: Path, ids: Sequence[str], at: int) -> None:
        tables = KeyTables(directory / "ledger.db", 1.0)
        tables.note_uses(ids, at)
        tables.close()


def test_the_ledger_and_the_keys_share_a_file_whoever_makes_it(tmp_path: Path) -> None:
    async def ledger() -> None:
        opened = await open_ledger(tmp_path / "ledger.db", worker="w")
        await opened.close()

    store = SqliteKeyStore(tmp_path / "ledger.db")
    store.add([virtual_key(1)], DEED)
    asyncio.run(ledger())
    store.add([virtual_key(2)], DEED)
    asyncio.run(ledger())
    assert len(store.page("", 5)) == 2


def test_looking_makes_no_file(tmp_path: Path) -> None:
    SqliteKeyStore(tmp_path / "ledger.db").page("", 5)
    assert list(tmp_path.iterdir()) == []


def test_a_file_without_keys_has_none(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as database:
        database.execute("CREATE TABLE counters (counter TEXT)")
    assert SqliteKeyStore(tmp_path / "ledger.db").find("a") is None


def test_what_cannot_be_read_is_said_and_nothing_is_taken_for_absent(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    store = SqliteKeyStore(file)
    store.add([virtual_key(1)], DEED)
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("UPDATE virtual_keys SET record = '{\"unknown\": 1}'")
    with pytest.raises(KeysUnavailable, match=r"ledger\.db"):
        store.find("key-00001")
    file.write_bytes(b"no database" * 1000)
    with pytest.raises(KeysUnavailable, match="not a database"):
        store.add([virtual_key(2)], DEED)
