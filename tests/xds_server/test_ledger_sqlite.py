"""Connections to a ledger of this machine: whole changes, or none."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from xds_server import ledger_sqlite
from xds_server.ledger_sqlite import changing, reading


class Unavailable(Exception):
    """What the caller calls it."""


def make(database: sqlite3.Connection) -> None:
    database.execute("CREATE TABLE IF NOT EXISTS said (word TEXT)")


def words(path: Path) -> list[str]:
    with reading(path, Unavailable) as database:
        assert database is not None
        return [word for (word,) in database.execute("SELECT word FROM said")]


def test_where_nobody_wrote_there_is_nothing_to_read(tmp_path: Path) -> None:
    with reading(tmp_path / "ledger.db", Unavailable) as database:
        assert database is None
    assert not (tmp_path / "ledger.db").exists()


def test_a_change_is_there_for_the_next_reader(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    for word in ("one", "two"):
        with changing(path, Unavailable, make) as database:
            database.execute("INSERT INTO said VALUES (?)", (word,))
    assert words(path) == ["one", "two"]


def test_a_change_that_is_given_up_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with changing(path, Unavailable, make):
        pass

    def give_up() -> None:
        with changing(path, Unavailable, make) as database:
            database.execute("INSERT INTO said VALUES ('half')")
            raise KeyError

    with pytest.raises(KeyError):
        give_up()
    assert words(path) == []


def test_what_goes_wrong_has_the_callers_name_and_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(b"no database" * 100)
    with pytest.raises(Unavailable, match=f"ledger '{path}': "):
        words(path)
    path.unlink()
    monkeypatch.setattr(ledger_sqlite, "BUSY_SECONDS", 0.05)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="locked"), changing(path, Unavailable, make):
            pass
