"""An event stream by Envoy's inner listener; what it is told by is in `test_joined.py`."""

from __future__ import annotations

import asyncio

from extproc.hub.driver import WayOut
from extproc.hub.far_stream import status_of


def test_where_nobody_is_there_is_no_status() -> None:
    assert asyncio.run(status_of(WayOut("unix:/nowhere/at/all"), "service/mcp/a", "/mcp", 0.5)) == 0
