"""The control plane's way to a ledger in PostgreSQL: a connection for each question."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from typing import Any, LiteralString, TypeAlias

import msgspec
import psycopg
from psycopg import sql

from gateway.ledger_place import LedgerPlace, shown
from gateway.ledger_tables import POSTGRES_IS_MADE, POSTGRES_LOCK, POSTGRES_TABLES

CONNECT_SECONDS = 2
ANSWER_SECONDS = 5.0
"""For all of what is asked at once."""
LOCK_MILLISECONDS = 1000

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]


class Database:
    """A connection, and the schema that `{0}` stands for in statements."""

    def __init__(self, connection: Connection, schema: str) -> None:
        self.connection = connection
        self._schema = schema

    def do(self, statement: LiteralString, *values: Any) -> psycopg.Cursor[tuple[Any, ...]]:
        composed = sql.SQL(statement).format(sql.Identifier(self._schema))
        return self.connection.execute(composed, values or None)

    def is_made(self) -> bool:
        """Whether it has all tables of a ledger."""
        return self.connection.execute(POSTGRES_IS_MADE, (self._schema,)).fetchone() is not None

    def make(self) -> None:
        """The tables, where some are missing."""
        if self.is_made():
            return
        with self.connection.transaction():
            self.connection.execute("SELECT pg_advisory_xact_lock(%s)", (POSTGRES_LOCK,))
            if not self.is_made():  # nobody else has meanwhile
                self.do(POSTGRES_TABLES)


@contextlib.contextmanager
def connected(place: LedgerPlace, failing: type[Exception]) -> Iterator[Database]:
    """What goes wrong within the block is raised as `failing`, and names no password."""
    is_late = threading.Event()
    try:
        with (
            psycopg.connect(
                place.url,
                user=place.username or None,
                password=place.password or None,
                autocommit=True,
                connect_timeout=CONNECT_SECONDS,
                prepare_threshold=None,
                application_name="dragoman",
            ) as connection,
            _cut_off(connection, is_late),
        ):
            connection.execute(
                f"SET idle_in_transaction_session_timeout = {LOCK_MILLISECONDS}; "
                f"SET lock_timeout = {LOCK_MILLISECONDS}"
            )
            yield Database(connection, place.name)
    except (psycopg.Error, OSError, msgspec.DecodeError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        if is_late.is_set():
            reason = f"no answer within {ANSWER_SECONDS} s"
        raise failing(f"ledger '{shown(place.url)}': {reason}") from error


@contextlib.contextmanager
def _cut_off(connection: Connection, is_late: threading.Event) -> Iterator[None]:
    """libpq waits for as long as nobody tells it that the other side is gone."""
    mine = socket.socket(fileno=os.dup(connection.fileno()))

    def cut() -> None:
        is_late.set()
        with contextlib.suppress(OSError):
            mine.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(ANSWER_SECONDS, cut)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        mine.close()
