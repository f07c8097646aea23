"""A ledger in PostgreSQL. docs/decisions/0016-ledger-servers.md has the layout."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Sequence
from typing import Any, LiteralString, TypeAlias

import msgspec
import psycopg
from psycopg import sql

from gateway.ledger_place import LedgerPlace, shown
from gateway.ledger_tables import POSTGRES_IS_MADE, POSTGRES_LOCK, POSTGRES_TABLES
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

CONNECT_SECONDS = 2
LOCK_MILLISECONDS = 1000
_LAST = 2**63 - 1

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]

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
        with self._connected() as connection:
            try:
                rows = self._do(connection, query, *values).fetchall()
            except psycopg.errors.UndefinedTable:
                return ()
            except psycopg.errors.UndefinedColumn:  # no worker that knows it was here yet
                rows = self._do(connection, query.replace("topped_up", "0"), *values).fetchall()
            return [Stands(*row) for row in rows]

    def apply(self, asked: Asked) -> Done:
        with self._connected() as connection:
            self._make(connection)
            try:
                return self._apply(connection, asked)
            except psycopg.errors.UniqueViolation:  # by the same id, of another counter, just now
                return self._apply(connection, asked)

    def log(self, before: int | None, limit: int) -> Sequence[Entry]:
        with self._connected() as connection:
            if not self._is_made(connection):
                return ()
            values = (_LAST if before is None else before, limit)
            return [from_json(*row) for row in self._do(connection, _LOG, *values).fetchall()]

    def claim(self, alert: Alert, id: str, now: int, until: int) -> str | None:
        with self._connected() as connection:
            self._make(connection)
            row = self._do(connection, _CLAIM, *alert, id, until, now).fetchone()
        return None if row is None else str(row[0])

    def sent(self, alert: Alert, id: str) -> None:
        with self._connected() as connection:
            self._do(connection, _SENT, SENT, *alert, id)

    def _apply(self, connection: Connection, asked: Asked) -> Done:
        deed = asked.deed
        with connection.transaction():
            before = []
            for each in sorted(asked.counters):  # in the order in which workers lock them
                self._do(connection, _MAKE, *each)
                (row,) = self._do(connection, _LOCKED, *each).fetchall()
                before.append(Stands(*row))
            found = self._do(connection, _FOUND, deed.request).fetchone()
            if found is not None:
                return repeated(found[0], found[1], deed)
            for stands in before:
                if stands.topped_up + deed.amount > asked.most:
                    raise too_much(stands)
                where = (stands.counter, stands.window_start)
                if deed.what == TOP_UP:
                    self._do(connection, _RAISE, deed.amount, *where)
                else:
                    self._do(connection, _RESET, *where)
            if deed.what == RESET:
                self._do(connection, _FORGET_ALERTS, deed.counter)
            noted = self._do(connection, _NOTE, deed.request, to_json(deed, before))
            ((seq,),) = noted.fetchall()
            return Done(Entry(seq, deed, tuple(before)), is_repeated=False)

    def _is_made(self, connection: Connection) -> bool:
        found = connection.execute(POSTGRES_IS_MADE, (self._place.name,))
        return found.fetchone() is not None

    def _make(self, connection: Connection) -> None:
        if self._is_made(connection):
            return
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (POSTGRES_LOCK,))
            if not self._is_made(connection):  # nobody else has meanwhile
                self._do(connection, POSTGRES_TABLES)

    def _do(
        self, connection: Connection, statement: LiteralString, *values: Any
    ) -> psycopg.Cursor[tuple[Any, ...]]:
        composed = sql.SQL(statement).format(sql.Identifier(self._place.name))
        return connection.execute(composed, values or None)

    @contextlib.contextmanager
    def _connected(self) -> Iterator[Connection]:
        place = self._place
        try:
            with psycopg.connect(
                place.url,
                user=place.username or None,
                password=place.password or None,
                autocommit=True,
                connect_timeout=CONNECT_SECONDS,
                prepare_threshold=None,
                application_name="dragoman",
            ) as connection:
                connection.execute(
                    f"SET idle_in_transaction_session_timeout = {LOCK_MILLISECONDS}; "
                    f"SET lock_timeout = {LOCK_MILLISECONDS}"
                )
                yield connection
        except (psycopg.Error, OSError, msgspec.DecodeError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise BudgetsUnavailable(f"ledger '{shown(place.url)}': {reason}") from error
