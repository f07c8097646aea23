"""What operators ask and change of MCP servers, over HTTP: tools that wait for approval, and what
callers have agreed to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from starlette.routing import Route

from gateway.ledger_place import LedgerPlace
from gateway.mcp_consents import FILE
from xds_server.admin.mcp_consents import mcp_consent_routes
from xds_server.admin.mcp_tools import mcp_tool_routes
from xds_server.consents.desk import ConsentStore
from xds_server.consents.places import rows_at
from xds_server.consents.rows import ConsentRows
from xds_server.deeds import Deeds
from xds_server.tool_pins import ToolPinStore


def mcp_routes(
    state_dir: Path,
    place: Callable[[], LedgerPlace],
    deeds: Deeds,
    report: Callable[[str], None],
    token: str,
) -> Sequence[Route]:
    """The routes of a machine; `place`: of the ledger in force; `report` is told what was done, for
    the log."""

    def rows() -> ConsentRows:
        return rows_at(state_dir / FILE, place())

    return (
        *mcp_tool_routes(ToolPinStore(state_dir, deeds, report), token),
        *mcp_consent_routes(ConsentStore(rows, deeds, report), token),
    )
