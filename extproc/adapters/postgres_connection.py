"""A worker's connection to a PostgreSQL that has the ledger's tables."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, LiteralString, TypeAlias

import psycopg
from psycopg import sql

from extproc.ports import LedgerUnavailable
from gateway.ledger_place import LedgerPlace
from gateway.ledger_tables import POSTGRES_IS_MADE, POSTGRES_LOCK, POSTGRES_TABLES

LOCK_MILLISECONDS = 1000
"""For locks; and a worker that is cut off within a step holds its locks no longer than this."""
CONNECT_SECONDS = 2

Connection: TypeAlias = psycopg.AsyncConnection[tuple[Any, ...]]


class PostgresConnection:
    """Made when it is first used, and again after it broke; one user at a time, others wait."""

    def __init__(self, place: LedgerPlace) -> None:
        self._place = place
        self._connection: Connection | None = None
        self._turn = asyncio.Lock()
        self._statements: dict[str, sql.Composed] = {}

    async def rows(
        self, connection: Connection, statement: LiteralString, *values: Any
    ) -> list[tuple[Any, ...]]:
        """All that a statement gives; `{0}` in it is the schema."""
        return await (await self.do(connection, statement, *values)).fetchall()

    async def do(
        self, connection: Connection, statement: LiteralString, *values: Any
    ) -> psycopg.AsyncCursor[tuple[Any, ...]]:
        """Execute a statement; `{0}` in it is the schema."""
        composed = self._statements.get(statement)
        if composed is None:
            composed = sql.SQL(statement).format(sql.Identifier(self._place.name))
            self._statements[statement] = composed
        return await connection.execute(composed, values or None)

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Whatever happens within a step, it is done or not; its connection is not used again.

        Raises LedgerUnavailable.
        """
        async with self.alone() as connection, connection.transaction():
            yield connection

    @contextlib.asynccontextmanager
    async def alone(self) -> AsyncIterator[Connection]:
        """For one statement, which is a transaction by itself. As `transaction` in all else."""
        async with self._turn:
            try:
                yield self._connection or await self._connect()
            except BaseException as error:
                broken, self._connection = self._connection, None
                if broken is not None:
                    broken.pgconn.finish()
                if isinstance(error, psycopg.Error | OSError):
                    raise LedgerUnavailable(_reason(error)) from error
                raise

    def break_off(self) -> None:
        """Drop the connection as it is: to cancel a query would take another, and longer."""
        if self._connection is not None:
            self._connection.pgconn.finish()

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            await self._connection.close()

    async def _connect(self) -> Connection:
        connection: Connection = await psycopg.AsyncConnection.connect(
            self._place.url,
            user=self._place.username or None,
            password=self._place.password or None,
            autocommit=True,
            connect_timeout=CONNECT_SECONDS,
            prepare_threshold=None,  # a pooler between us may not know of prepared statements
            application_name="dragoman",
        )
        self._connection = connection
        await connection.execute(
            f"SET idle_in_transaction_session_timeout = {LOCK_MILLISECONDS}; "
            f"SET lock_timeout = {LOCK_MILLISECONDS}"
        )
        if not await self._is_made(connection):
            async with connection.transaction():
                await connection.execute("SELECT pg_advisory_xact_lock(%s)", (POSTGRES_LOCK,))
                if not await self._is_made(connection):  # nobody else has meanwhile
                    await self.do(connection, POSTGRES_TABLES)
        return connection

    async def _is_made(self, connection: Connection) -> bool:
        rows = await self.rows(connection, POSTGRES_IS_MADE, self._place.name)
        return bool(rows)


def _reason(error: BaseException) -> str:
    """One line; libpq's have several, and name no password."""
    return " ".join(str(error).split()) or type(error).__name__
