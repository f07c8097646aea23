"""The tables of what callers have agreed to, in the state directory: workers write them, operators
look at them, and end what they like.
"""

from __future__ import annotations

from typing import Final

FILE: Final = "mcp-consents.db"
BUSY_SECONDS: Final = 2.0
TABLES: Final = (
    """
CREATE TABLE IF NOT EXISTS consents (
    owner TEXT NOT NULL,
    server TEXT NOT NULL,
    who TEXT NOT NULL,
    sealed BLOB NOT NULL,
    version INTEGER NOT NULL,
    since INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    leased_until REAL NOT NULL,
    ended INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (owner, server)
) WITHOUT ROWID
""",
    """
CREATE TABLE IF NOT EXISTS flows (
    name TEXT PRIMARY KEY,
    sealed BLOB NOT NULL,
    until INTEGER NOT NULL
) WITHOUT ROWID
""",
    """
CREATE TABLE IF NOT EXISTS clients (
    name TEXT PRIMARY KEY,
    sealed BLOB NOT NULL
) WITHOUT ROWID
""",
)
"""`owner` is a digest of what makes a caller the same, `who` says so to people; `sealed` are the
tokens, encrypted. `version` grows with each change of them. Who renews them has them leased. What
somebody has ended is gone once a worker has told the authorization server. Of flows, of links
that were used, and of logins of people, there is the name, a digest, and until when they matter.
Clients are those as which the gateway has registered itself."""
