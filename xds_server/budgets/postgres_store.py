"""A ledger in PostgreSQL. docs/decisions/0016-ledger-servers.md has the layout."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import LiteralString

import psycopg

from gateway.ledger_place import LedgerPlace
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
from xds_server.ledger_postgres import Database, connected

_LAST = 2**63 - 1

_COUNTERS: LiteralString = """
SELECT counter, window_start, settled, reserved, topped_up FROM {0}.counters
"""
_IN_ORDER: LiteralString = 'ORDER BY counter COLLATE "C", window_start'
_ORDERED: LiteralString = _COUNTERS + _IN_ORDER
_OF_STARTS: LiteralString = _COUNTERS + "WHERE window_start = ANY(%s) " + _IN_ORDER
_MAKE = "INSERT INTO {0}.counters (counter, window_start) VALUES (%s, %s) ON CONFLICT DO NOTHING"
_LOCKED: LiteralString = _COUNTERS + "WHERE counter = %s AND window_start = %s FOR UPDATE"
_RAISE = """
UPDATE {0}.counters SET topped_up = topped_up + %s WHERE counter = %s AND window_start = %s
"""
_RESET = """
UPDATE {0}.counters SET settled = 0, reset_at = clock_timestamp()
WHERE counter = %s AND window_start = %s
"""
_CLAIM = """
INSERT INTO {0}.budget_alerts AS a (counter, window_start, permille, id, until)
VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (counter, window_start, permille) DO UPDATE SET until = excluded.until
WHERE a.until <= %s RETURNING id
"""
_SENT = """
UPDATE {0}.budget_alerts SET until = %s
WHERE counter = %s AND window_start = %s AND permille = %s AND id = %s
"""
_FORGET_ALERTS = "DELETE FROM {0}.budget_alerts WHERE counter = %s"
_FOUND = "SELECT seq, entry FROM {0}.budget_log WHERE request = %s"
_NOTE = "INSERT INTO {0}.budget_log (request, entry) VALUES (%s, %s) RETURNING seq"
_LOG = "SELECT seq, entry FROM {0}.budget_log WHERE seq < %s ORDER BY seq DESC LIMIT %s"


class PostgresBudgetStore:
    """A connection for each question. May be used from any thread."""

    def __init__(self, place: LedgerPlace) -> None:
        self._place = place

    def counters(self, starts: Collection[int] | None = None) -> Sequence[Stands]:
        query = _ORDERED if starts is None else _OF_STARTS
        values = () if starts is None else (list(starts),)
        with connected(self._place, BudgetsUnavailable) as database:
            try:
                rows = database.do(query, *values).fetchall()
            except psycopg.errors.UndefinedTable:
                return ()
            except psycopg.errors.UndefinedColumn:  # no worker that knows it was here yet
                rows = database.do(query.replace("topped_up", "0"), *values).fetchall()
            return [Stands(*row) for row in rows]

    def apply(self, asked: Asked) -> Done:
        with connected(self._place, BudgetsUnavailable) as database:
            database.make()
            try:
                return self._apply(database, asked)
            except psycopg.errors.UniqueViolation:  # by the same id, of another counter, just now
                return self._apply(database, asked)

    def log(self, before: int | None, limit: int) -> Sequence[Entry]:
        with connected(self._place, BudgetsUnavailable) as database:
            if not database.is_made():
                return ()
            values = (_LAST if before is None else before, limit)
            return [from_json(*row) for row in database.do(_LOG, *values).fetchall()]

    def claim(self, alert: Alert, id: str, now: int, until: int) -> str | None:
        with connected(self._place, BudgetsUnavailable) as database:
            database.make()
            row = database.do(_CLAIM, *alert, id, until, now).fetchone()
        return None if row is None else str(row[0])

    def sent(self, alert: Alert, id: str) -> None:
        with connected(self._place, BudgetsUnavailable) as database:
            database.do(_SENT, SENT, *alert, id)

    def _apply(self, database: Database, asked: Asked) -> Done:
        deed = asked.deed
        with database.connection.transaction():
            before = []
            for each in sorted(asked.counters):  # in the order in which workers lock them
                database.do(_MAKE, *each)
                (row,) = database.do(_LOCKED, *each).fetchall()
                before.append(Stands(*row))
            found = database.do(_FOUND, deed.request).fetchone()
            if found is not None:
                return repeated(found[0], found[1], deed)
            for stands in before:
                if stands.topped_up + deed.amount > asked.most:
                    raise too_much(stands)
                where = (stands.counter, stands.window_start)
                if deed.what == TOP_UP:
                    database.do(_RAISE, deed.amount, *where)
                else:
                    database.do(_RESET, *where)
            if deed.what == RESET:
                database.do(_FORGET_ALERTS, deed.counter)
            noted = database.do(_NOTE, deed.request, to_json(deed, before))
            ((seq,),) = noted.fetchall()
            return Done(Entry(seq, deed, tuple(before)), is_repeated=False)
