"""The ledger of one machine, beside its workers. docs/decisions/0004-ledger.md has the schema."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from gateway.ledger_tables import SQLITE_VERSION, sqlite_tables
from xds_server.budgets.store import (
    RESET,
    SENT,
    TOP_UP,
    Alert,
    Asked,
    BudgetsUnavailable,
    Done,
    Entry,
    Stands,
    from_json,
    repeated,
    to_json,
    too_much,
)
from xds_server.ledger_sqlite import changing, reading

_LAST = 2**63 - 1

_COUNTERS = """
SELECT counter, window_start, settled,
  (SELECT COALESCE(SUM(reserved), 0) FROM leases
    WHERE leases.counter = counters.counter AND leases.window_start = counters.window_start),
  topped_up
FROM counters
"""
_ONE = f"{_COUNTERS} WHERE counter = ? AND window_start = ?"
_MAKE = "INSERT OR IGNORE INTO counters (counter, window_start, settled) VALUES (?, ?, 0)"
_RAISE = "UPDATE counters SET topped_up = topped_up + ? WHERE counter = ? AND window_start = ?"
_CLAIM = """
INSERT INTO budget_alerts (counter, window_start, permille, id, until) VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET until = excluded.until WHERE until <= ? RETURNING id
"""
_SENT = """
UPDATE budget_alerts SET until = ?
WHERE counter = ? AND window_start = ? AND permille = ? AND id = ?
"""
_RESET = "UPDATE counters SET settled = 0 WHERE counter = ? AND window_start = ?"


class SqliteBudgetStore:
    """May be used from any thread."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def counters(self, starts: Collection[int] | None = None) -> Sequence[Stands]:
        with self._reading() as database:
            columns = _columns(database)
            if database is None or not columns:
                return ()
            named = "" if starts is None else f"WHERE window_start IN {_places(starts)}"
            query = f"{_COUNTERS} {named} ORDER BY counter, window_start"
            if "topped_up" not in columns:  # no worker that knows it was here yet
                query = query.replace("topped_up", "0")
            values = () if starts is None else tuple(starts)
            return [Stands(*row) for row in database.execute(query, values)]

    def apply(self, asked: Asked) -> Done:
        deed = asked.deed
        with self._changing() as database:
            found = database.execute(
                "SELECT seq, entry FROM budget_log WHERE request = ?", (deed.request,)
            ).fetchone()
            if found is not None:
                return repeated(found[0], found[1], deed)
            before = []
            for each in asked.counters:
                database.execute(_MAKE, each)
                stands = Stands(*database.execute(_ONE, each).fetchone())
                if stands.topped_up + deed.amount > asked.most:
                    raise too_much(stands)
                before.append(stands)
                if deed.what == TOP_UP:
                    database.execute(_RAISE, (deed.amount, *each))
                else:
                    database.execute(_RESET, each)
            if deed.what == RESET:
                database.execute("DELETE FROM budget_alerts WHERE counter = ?", (deed.counter,))
            row = (deed.request, to_json(deed, before))
            noted = database.execute("INSERT INTO budget_log (request, entry) VALUES (?, ?)", row)
            return Done(Entry(noted.lastrowid or 0, deed, tuple(before)), is_repeated=False)

    def log(self, before: int | None, limit: int) -> Sequence[Entry]:
        with self._reading() as database:
            if database is None or "topped_up" not in _columns(database):
                return ()
            query = "SELECT seq, entry FROM budget_log WHERE seq < ? ORDER BY seq DESC LIMIT ?"
            values = (_LAST if before is None else before, limit)
            return [from_json(*row) for row in database.execute(query, values)]

    def claim(self, alert: Alert, id: str, now: int, until: int) -> str | None:
        with self._changing() as database:
            row = database.execute(_CLAIM, (*alert, id, until, now)).fetchone()
        return None if row is None else str(row[0])

    def sent(self, alert: Alert, id: str) -> None:
        with self._changing() as database:
            database.execute(_SENT, (SENT, *alert, id))

    def _changing(self) -> AbstractContextManager[sqlite3.Connection]:
        return changing(self._path, BudgetsUnavailable, self._make)

    def _reading(self) -> AbstractContextManager[sqlite3.Connection | None]:
        return reading(self._path, BudgetsUnavailable)

    def _make(self, database: sqlite3.Connection) -> None:
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version not in (0, SQLITE_VERSION):
            raise BudgetsUnavailable(
                f"ledger '{self._path}' has version {version}, this is {SQLITE_VERSION}"
            )
        for statement in sqlite_tables(version, _columns(database)):
            database.execute(statement)


def _columns(database: sqlite3.Connection | None) -> Collection[str]:
    """Of the counters; empty: there are none yet."""
    found = () if database is None else database.execute("PRAGMA table_info(counters)")
    return {str(row[1]) for row in found}


def _places(values: Collection[int]) -> str:
    return f"({', '.join('?' for _ in values)})"
