"""Servers that have no stream of what they say unasked: they answer a GET with 405, whatever the
session (MCP, "Streamable HTTP", "Listening for Messages from the Server")."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from extproc.mcp.views import Served

STATUS: Final = 405
SECONDS: Final = 300.0
"""So long they are not asked again: a server may be replaced by one that says more."""


class Silent:
    """Those that are known, for all of the hub."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}
        """By name."""

    def note(self, served: Served) -> None:
        """It has just said so."""
        self._until[served.name] = self._clock() + SECONDS

    def has(self, served: Served) -> bool:
        """Whether it need not be asked."""
        return self._clock() < self._until.get(served.name, 0.0)

    def forget(self) -> None:
        """Any of them may be another now."""
        self._until.clear()
