"""What callers have agreed to at MCP servers, as rows; and those of a file of this machine."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from gateway.mcp_consents import BUSY_SECONDS, TABLES

_ALL = """
SELECT owner, who, server, since, expires FROM consents WHERE ended = 0 ORDER BY server, who, owner
"""
_END = """
UPDATE consents SET ended = 1, leased_until = 0 WHERE owner = ? AND server = ? AND ended = 0
"""


class ConsentsUnavailable(Exception):
    """They cannot be read or written, or nothing may be changed now."""


class Connection(Struct, frozen=True):
    """A caller, and a server that is used for them."""

    id: str
    """A digest of what makes a caller the same."""
    who: str
    server: str
    since: int
    """Seconds since 1970."""
    expires: int
    """Of the access token, which is renewed; 0: it does not say."""


class ConsentRows(Protocol):
    """Raises `ConsentsUnavailable`."""

    def all(self) -> Sequence[Connection]:
        """By server and caller, those that have not ended."""

    def end(self, owner: str, server: str) -> bool:
        """Whether it had not ended; workers revoke it."""


class SqliteConsentRows:
    """Opens the file each time. May be used from any thread."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def all(self) -> Sequence[Connection]:
        if not self._file.exists():
            return ()
        with self._opened() as connection:
            return [Connection(*row) for row in connection.execute(_ALL)]

    def end(self, owner: str, server: str) -> bool:
        with self._opened() as connection:
            return connection.execute(_END, (owner, server)).rowcount > 0

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self._file, timeout=BUSY_SECONDS)) as connection:
                for table in TABLES:
                    connection.execute(table)
                with connection:
                    yield connection
        except sqlite3.Error as error:
            raise ConsentsUnavailable(f"'{self._file}': {error}") from error
