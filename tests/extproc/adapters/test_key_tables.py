"""What a worker reads of the keys in the database; the rest is in the suite of the stores."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from extproc.adapters.key_tables import KeyTables, Reading
from extproc.keys import KeysUnavailable
from tests.kit.key_store_suite import DEED, virtual_key
from xds_server.keys.store import SqliteKeyStore


def test_a_database_without_keys_has_none(tmp_path: Path) -> None:
    tables = KeyTables(tmp_path / "ledger.db", 0.1)
    assert tables.read(["a"], 0) == Reading(0, (), {})
    SqliteKeyStore(tmp_path / "ledger.db").add([virtual_key(1)], DEED)
    assert tables.read([], 0).changed == [virtual_key(1).id]


def test_keys_are_read_while_somebody_writes(tmp_path: Path) -> None:
    key = virtual_key(1)
    SqliteKeyStore(tmp_path / "ledger.db").add([key], DEED)
    tables = KeyTables(tmp_path / "ledger.db", 0.01)
    with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert tables.read([key.id], 0).keys == {key.id: key}
        with pytest.raises(KeysUnavailable, match="locked"):
            tables.note_uses([key.id], 1)
        other.execute("ROLLBACK")
    tables.note_uses([key.id], 1)


def test_more_is_asked_than_fits_a_question(tmp_path: Path) -> None:
    keys = [virtual_key(n) for n in range(1203)]
    SqliteKeyStore(tmp_path / "ledger.db").add(keys, DEED)
    tables = KeyTables(tmp_path / "ledger.db", 0.1)
    ids = [key.id for key in keys]
    assert tables.read(ids, 0).keys == dict(zip(ids, keys, strict=True))
    tables.note_uses(ids, 5)
    last = SqliteKeyStore(tmp_path / "ledger.db").page("key-01201", 1)
    assert last[0].last_used == 5


def test_a_key_that_cannot_be_read_is_not_taken_for_absent(tmp_path: Path) -> None:
    key = virtual_key(1)
    SqliteKeyStore(tmp_path / "ledger.db").add([key], DEED)
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as database, database:
        database.execute("UPDATE virtual_keys SET record = replace(record, '\"name\"', '\"nom\"')")
    tables = KeyTables(tmp_path / "ledger.db", 0.1)
    with pytest.raises(KeysUnavailable, match="nom"):
        tables.read([key.id], 0)
    assert tables.read([], 0).last == 1


def test_what_is_no_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"no database" * 1000)
    with pytest.raises(KeysUnavailable, match="not a database"):
        KeyTables(tmp_path / "ledger.db", 0.1).read([], 0)
