"""Reading a ledger that a worker writes."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from xds_server.admin.ledger import read_counters

SCHEMA = """
CREATE TABLE counters (counter TEXT, window_start INTEGER, settled INTEGER);
CREATE TABLE leases (counter TEXT, window_start INTEGER, reserved INTEGER);
CREATE VIEW spending AS SELECT counter, window_start, settled,
  (SELECT COALESCE(SUM(reserved), 0) FROM leases WHERE leases.counter = counters.counter
   AND leases.window_start = counters.window_start) AS reserved FROM counters;
"""


def test_no_ledger_has_no_counters(tmp_path: Path) -> None:
    assert list(read_counters(tmp_path / "ledger.db")) == []


def test_a_ledger_that_is_being_made_has_no_counters(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").touch()
    assert list(read_counters(tmp_path / "ledger.db")) == []


def test_what_is_settled_and_reserved_is_told_while_somebody_writes(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.executescript(SCHEMA)
        writer.execute("INSERT INTO counters VALUES ('team|team=a', 86400, 70)")
        writer.executemany("INSERT INTO leases VALUES ('team|team=a', 86400, ?)", [(5,), (6,)])
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE counters SET settled = 99")
        assert read_counters(file) == [
            {
                "counter": "team|team=a",
                "window_start": 86400,
                "since": "1970-01-02T00:00:00+00:00",
                "settled": 70,
                "reserved": 11,
            }
        ]
