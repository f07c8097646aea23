"""What callers have agreed to at MCP servers, for operators: whose it is, and its end. One file of
a machine, which its workers write. Tokens stay sealed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from msgspec import Struct

from gateway.mcp_consents import BUSY_SECONDS, FILE, TABLES
from xds_server.deeds import Deeds

_ALL = """
SELECT owner, who, server, since, expires FROM consents WHERE ended = 0 ORDER BY server, who, owner
"""
_END = """
UPDATE consents SET ended = 1, leased_until = 0 WHERE owner = ? AND server = ? AND ended = 0
"""


class ConsentsUnavailable(Exception):
    """The file cannot be read or written, or nothing may be changed now."""


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


class ConsentStore:
    """May be used from any thread; opens the file each time."""

    def __init__(self, state_dir: Path, deeds: Deeds, report: Callable[[str], None]) -> None:
        """`report` is told what was ended, for the log."""
        self._file = state_dir / FILE
        self._deeds, self._report = deeds, report

    def all(self) -> Sequence[Connection]:
        """By server and caller. Raises `ConsentsUnavailable`."""
        if not self._file.exists():
            return ()
        with self._opened() as connection:
            return [Connection(*row) for row in connection.execute(_ALL)]

    def end(self, server: str, named: str, who: str) -> Connection | str:
        """What is ended; text: why nothing is. `named`: the id, or what it begins with. Workers
        revoke it. Raises `ConsentsUnavailable`."""
        if self._deeds.is_blocked:
            raise ConsentsUnavailable("the audit log cannot be written at the moment")
        fitting = [each for each in self.all() if each.server == server]
        found = [each for each in fitting if named and each.id.startswith(named)]
        if len(found) != 1:
            several = "several callers of" if found else "nobody with"
            return f"the id {named!r} is that of {several} a connection to '{server}'"
        (one,) = found
        with self._opened() as connection:
            done = connection.execute(_END, (one.id, server)).rowcount
        if not done:
            return "it has ended meanwhile"
        told = {"who": who, "server": server, "caller": one.who, "id": one.id}
        self._deeds.note("mcp.disconnected", told)
        self._report(f"{who} has disconnected {one.who} from the MCP server '{server}'")
        return one

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
