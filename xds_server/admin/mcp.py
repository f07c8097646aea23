"""What operators ask and change of MCP servers, over HTTP: tools that wait for approval, and what
callers have agreed to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from starlette.routing import Route

from xds_server.admin.mcp_consents import mcp_consent_routes
from xds_server.admin.mcp_tools import mcp_tool_routes
from xds_server.deeds import Deeds
from xds_server.mcp_consents import ConsentStore
from xds_server.tool_pins import ToolPinStore


def mcp_routes(
    state_dir: Path, deeds: Deeds, report: Callable[[str], None], token: str
) -> Sequence[Route]:
    """The routes of a machine; `report` is told what was done, for the log."""
    return (
        *mcp_tool_routes(ToolPinStore(state_dir, deeds, report), token),
        *mcp_consent_routes(ConsentStore(state_dir, deeds, report), token),
    )
