"""The table of tools of MCP servers whose definitions are known, in the state directory: workers
write down what they see, operators approve it.
"""

from __future__ import annotations

from typing import Final

FILE: Final = "mcp-tools.db"
BUSY_SECONDS: Final = 2.0
TABLE: Final = """
CREATE TABLE IF NOT EXISTS tools (
    server TEXT NOT NULL,
    tool TEXT NOT NULL,
    known TEXT NOT NULL,
    known_text TEXT NOT NULL,
    seen TEXT NOT NULL,
    seen_text TEXT NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (server, tool)
) WITHOUT ROWID
"""
"""`known` is the digest of the definition that may be shown, empty: of none yet; `seen` of the one
that its server told last, `since` when, in seconds since 1970. The texts are the definitions, as
JSON."""
