"""What callers have agreed to at MCP servers, as workers write it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from extproc.adapters.sqlite_consents import SqliteConsents
from extproc.ports import Agreement

SINCE = 1_700_000_000


def agreed(folder: Path, *rows: tuple[str, str, str, int]) -> None:
    """Owner, server, who, and until when the token is good."""
    store = SqliteConsents(folder, lambda: SINCE)
    for owner, server, who, expires in rows:
        asyncio.run(store.keep(Agreement(owner, server, who, b"sealed", expires)))
    store.close()
