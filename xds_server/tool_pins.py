"""The tools of MCP servers whose definitions are known, for operators: which wait for somebody's
approval, and the approval. One file of a machine, which its workers write.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from msgspec import Struct

from gateway.mcp_pins import BUSY_SECONDS, FILE, TABLE
from xds_server.deeds import Deeds

_ALL = "SELECT server, tool, known, known_text, seen, seen_text, since FROM tools"
_APPROVE = """
UPDATE tools SET known = seen, known_text = seen_text
WHERE server = ? AND tool = ? AND seen = ?
"""


class PinsUnavailable(Exception):
    """The file cannot be read or written, or nothing may be changed now."""


class Pinned(Struct, frozen=True):
    """One tool."""

    server: str
    tool: str
    known: str
    """The digest that it may have; empty: none yet."""
    known_text: str
    seen: str
    """That its server told last."""
    seen_text: str
    since: int
    """When it did first, in seconds since 1970."""

    @property
    def state(self) -> str:
        """`known`, `new`, or `changed`."""
        if self.known == self.seen:
            return "known"
        return "changed" if self.known else "new"


class ToolPinStore:
    """May be used from any thread; opens the file each time."""

    def __init__(self, state_dir: Path, deeds: Deeds, report: Callable[[str], None]) -> None:
        """`report` is told what was approved, for the log."""
        self._file = state_dir / FILE
        self._deeds, self._report = deeds, report

    def all(self) -> Sequence[Pinned]:
        """By server and tool. Raises `PinsUnavailable`."""
        if not self._file.exists():
            return ()
        with self._opened() as connection:
            return [Pinned(*row) for row in connection.execute(f"{_ALL} ORDER BY server, tool")]

    def approve(self, server: str, tool: str, digest: str, who: str) -> Pinned | str:
        """What is approved; text: why nothing is. `digest` is that of the definition that somebody
        has looked at, or what it begins with; empty: whatever it is. Raises `PinsUnavailable`."""
        if self._deeds.is_blocked:
            raise PinsUnavailable("the audit log cannot be written at the moment")
        known = {(each.server, each.tool): each for each in self.all()}
        found = known.get((server, tool))
        if found is None:
            return f"the tool '{tool}' of '{server}' was never listed"
        if not found.seen.startswith(digest):
            return f"the definition is another by now: {found.seen}"
        if found.state == "known":
            return f"the tool '{tool}' of '{server}' is approved already"
        with self._opened() as connection:
            done = connection.execute(_APPROVE, (server, tool, found.seen)).rowcount
        if not done:
            return "the definition has changed meanwhile"
        told = {"who": who, "server": server, "tool": tool, "digest": found.seen}
        self._deeds.note("mcp.tool_approved", told)
        self._report(f"{who} has approved the tool '{tool}' of the MCP server '{server}'")
        return found

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self._file, timeout=BUSY_SECONDS)) as connection:
                connection.execute(TABLE)
                with connection:
                    yield connection
        except sqlite3.Error as error:
            raise PinsUnavailable(f"'{self._file}': {error}") from error
