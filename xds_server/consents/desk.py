"""What callers have agreed to at MCP servers, for operators: whose it is, and its end. Tokens stay
sealed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xds_server.consents.rows import Connection, ConsentRows, ConsentsUnavailable
from xds_server.deeds import Deeds


class ConsentStore:
    """May be used from any thread."""

    def __init__(
        self, rows: Callable[[], ConsentRows], deeds: Deeds, report: Callable[[str], None]
    ) -> None:
        """`rows`: of the ledger in force; `report` is told what was ended, for the log."""
        self._rows = rows
        self._deeds, self._report = deeds, report

    def all(self) -> Sequence[Connection]:
        """By server and caller. Raises `ConsentsUnavailable`."""
        return self._rows().all()

    def end(self, server: str, named: str, who: str) -> Connection | str:
        """What is ended; text: why nothing is. `named`: the id, or what it begins with. Workers
        revoke it. Raises `ConsentsUnavailable`."""
        if self._deeds.is_blocked:
            raise ConsentsUnavailable("the audit log cannot be written at the moment")
        rows = self._rows()
        fitting = [each for each in rows.all() if each.server == server]
        found = [each for each in fitting if named and each.id.startswith(named)]
        if len(found) != 1:
            several = "several callers of" if found else "nobody with"
            return f"the id {named!r} is that of {several} a connection to '{server}'"
        (one,) = found
        if not rows.end(one.id, server):
            return "it has ended meanwhile"
        told = {"who": who, "server": server, "caller": one.who, "id": one.id}
        self._deeds.note("mcp.disconnected", told)
        self._report(f"{who} has disconnected {one.who} from the MCP server '{server}'")
        return one
