"""Reads the ledger's counters, whose schema is in docs/decisions/0004-ledger.md."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

LEDGER_FILE = "ledger.db"
"""In the state directory."""
BUSY_SECONDS = 2.0

_COUNTERS = """
SELECT counter, window_start, settled, reserved FROM spending ORDER BY counter, window_start
"""


def read_counters(file: Path) -> Sequence[Mapping[str, object]]:
    """Every counter with each of its periods; none when nothing was ever booked."""
    if not file.exists():
        return ()
    address = f"{file.absolute().as_uri()}?mode=ro"
    with contextlib.closing(sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS)) as database:
        database.row_factory = sqlite3.Row
        try:
            rows = database.execute(_COUNTERS).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return ()  # a worker is just making them
            raise
    return [{**dict(row), "since": _iso(row["window_start"])} for row in rows]


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
