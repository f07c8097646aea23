"""The tables of a ledger, which workers and the control plane make where they are missing.

What each is for: docs/decisions/0004-ledger.md, 0016-ledger-servers.md,
0032-mcp-of-several-machines.md.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import LiteralString

SQLITE_VERSION = 1
"""The file's `user_version`; another when those who know the one before would book wrongly."""

_SQLITE_FIRST = (
    """CREATE TABLE counters (
      counter TEXT NOT NULL, window_start INTEGER NOT NULL, settled INTEGER NOT NULL,
      topped_up INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (counter, window_start)
    ) WITHOUT ROWID""",
    "CREATE TABLE workers (worker TEXT PRIMARY KEY, cells TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE leases (
      counter TEXT NOT NULL, window_start INTEGER NOT NULL, worker TEXT NOT NULL,
      slot INTEGER NOT NULL, applied INTEGER NOT NULL, ceiling INTEGER NOT NULL,
      reserved INTEGER NOT NULL, PRIMARY KEY (counter, window_start, worker, slot)
    ) WITHOUT ROWID""",
    """CREATE VIEW spending AS
      SELECT counter, window_start, settled,
        (SELECT COALESCE(SUM(reserved), 0) FROM leases
          WHERE leases.counter = counters.counter AND leases.window_start = counters.window_start
        ) AS reserved
      FROM counters""",
    f"PRAGMA user_version = {SQLITE_VERSION}",
)

_SQLITE_ADDED = (
    """CREATE TABLE IF NOT EXISTS works (
      name TEXT PRIMARY KEY, owner TEXT, extent INTEGER, since INTEGER NOT NULL
    ) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS booked (
      name TEXT NOT NULL, counter TEXT NOT NULL, amount INTEGER NOT NULL,
      PRIMARY KEY (name, counter)
    ) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS works_by_age ON works (since)",
    """CREATE TABLE IF NOT EXISTS budget_log (
      seq INTEGER PRIMARY KEY AUTOINCREMENT, request TEXT NOT NULL UNIQUE, entry TEXT NOT NULL
    )""",
    """CREATE TABLE IF NOT EXISTS budget_alerts (
      counter TEXT NOT NULL, window_start INTEGER NOT NULL, permille INTEGER NOT NULL,
      id TEXT NOT NULL, until INTEGER NOT NULL, PRIMARY KEY (counter, window_start, permille)
    ) WITHOUT ROWID""",
)
"""Not in the first version, which ledgers keep that were made before it: whoever does not know
these loses nothing by it. Nor does who does not know of `topped_up`."""


def sqlite_tables(version: int, columns: Collection[str]) -> Iterator[str]:
    """What makes a file of this `user_version`, whose `counters` has these columns, whole."""
    if version == 0:
        yield from _SQLITE_FIRST
    elif "topped_up" not in columns:
        yield "ALTER TABLE counters ADD COLUMN topped_up INTEGER NOT NULL DEFAULT 0"
    yield from _SQLITE_ADDED


POSTGRES_LOCK = 0x647261676F6D616E
"""Who makes the tables holds this advisory lock."""
POSTGRES_IS_MADE = "SELECT FROM pg_tables WHERE schemaname = %s AND tablename = 'mcp_clients'"
"""A row, where the table that was added last is in that schema. `to_regclass` is no way to ask: who
asks again after waiting for the lock is told what was so before."""

POSTGRES_TABLES: LiteralString = """
CREATE SCHEMA IF NOT EXISTS {0};
CREATE TABLE IF NOT EXISTS {0}.counters (
  counter text NOT NULL, window_start bigint NOT NULL, settled bigint NOT NULL DEFAULT 0,
  leased bigint NOT NULL DEFAULT 0, reserved bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (counter, window_start)
);
ALTER TABLE {0}.counters ADD COLUMN IF NOT EXISTS topped_up bigint NOT NULL DEFAULT 0;
ALTER TABLE {0}.counters ADD COLUMN IF NOT EXISTS reset_at timestamptz;
CREATE TABLE IF NOT EXISTS {0}.workers (
  worker text PRIMARY KEY, expires timestamptz NOT NULL, buried timestamptz
);
CREATE TABLE IF NOT EXISTS {0}.leases (
  worker text NOT NULL, slot bigint NOT NULL, counter text NOT NULL, window_start bigint NOT NULL,
  applied bigint NOT NULL, ceiling bigint NOT NULL, reserved bigint NOT NULL,
  PRIMARY KEY (worker, slot)
);
ALTER TABLE {0}.leases ADD COLUMN IF NOT EXISTS buried_at timestamptz;
CREATE TABLE IF NOT EXISTS {0}.works (
  name text PRIMARY KEY, owner text, extent bigint, since bigint NOT NULL
);
CREATE INDEX IF NOT EXISTS works_by_age ON {0}.works (since);
CREATE TABLE IF NOT EXISTS {0}.booked (
  name text NOT NULL, counter text NOT NULL, amount bigint NOT NULL, PRIMARY KEY (name, counter)
);
CREATE TABLE IF NOT EXISTS {0}.budget_log (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, request text NOT NULL UNIQUE,
  entry text NOT NULL
);
CREATE TABLE IF NOT EXISTS {0}.budget_alerts (
  counter text NOT NULL, window_start bigint NOT NULL, permille bigint NOT NULL,
  id text NOT NULL, until bigint NOT NULL, PRIMARY KEY (counter, window_start, permille)
);
CREATE TABLE IF NOT EXISTS {0}.virtual_keys (
  id text PRIMARY KEY, name text COLLATE "C" NOT NULL UNIQUE, record text NOT NULL
);
CREATE TABLE IF NOT EXISTS {0}.key_uses (id text PRIMARY KEY, last_used bigint NOT NULL);
CREATE TABLE IF NOT EXISTS {0}.key_log (
  seq bigint PRIMARY KEY, mark text NOT NULL, at bigint NOT NULL, who text NOT NULL,
  what text NOT NULL, details text NOT NULL, id text NOT NULL, name text NOT NULL
);
CREATE TABLE IF NOT EXISTS {0}.key_changes (
  "only" boolean PRIMARY KEY DEFAULT true CHECK ("only"), last bigint NOT NULL, mark text NOT NULL
);
INSERT INTO {0}.key_changes (last, mark) VALUES (0, '') ON CONFLICT DO NOTHING;
CREATE UNLOGGED TABLE IF NOT EXISTS {0}.limit_rates (
  name text PRIMARY KEY, state text NOT NULL DEFAULT '', free_at bigint NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS limit_rates_by_age ON {0}.limit_rates (free_at);
CREATE UNLOGGED TABLE IF NOT EXISTS {0}.limit_workers (
  worker text PRIMARY KEY, until timestamptz NOT NULL
);
CREATE TABLE IF NOT EXISTS {0}.mcp_sessions (
  name bigint PRIMARY KEY, changed bigint NOT NULL, is_over boolean NOT NULL DEFAULT false
);
CREATE INDEX IF NOT EXISTS mcp_sessions_by_change ON {0}.mcp_sessions (is_over, changed);
CREATE TABLE IF NOT EXISTS {0}.mcp_tools (
  server text NOT NULL, tool text NOT NULL, known text NOT NULL, known_text text NOT NULL,
  changed bigint NOT NULL, PRIMARY KEY (server, tool)
);
CREATE INDEX IF NOT EXISTS mcp_tools_by_change ON {0}.mcp_tools (changed);
CREATE TABLE IF NOT EXISTS {0}.mcp_consents (
  owner text NOT NULL, server text NOT NULL, who text NOT NULL, sealed bytea NOT NULL,
  version bigint NOT NULL, since bigint NOT NULL, expires bigint NOT NULL,
  leased_until double precision NOT NULL DEFAULT 0, ended boolean NOT NULL DEFAULT false,
  PRIMARY KEY (owner, server)
);
CREATE TABLE IF NOT EXISTS {0}.mcp_flows (
  name text PRIMARY KEY, sealed bytea NOT NULL, until bigint NOT NULL
);
CREATE INDEX IF NOT EXISTS mcp_flows_by_age ON {0}.mcp_flows (until);
CREATE TABLE IF NOT EXISTS {0}.mcp_clients (name text PRIMARY KEY, sealed bytea NOT NULL);
"""
"""`counters.leased` is the sum of `ceiling - applied` over its leases, `reserved` of theirs.
`key_changes` says which row of `key_log` is the last."""
