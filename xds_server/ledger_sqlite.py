"""The control plane's way to the ledger of one machine: a connection for each question."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

BUSY_SECONDS = 2.0
"""So long a question waits for who is writing."""


@contextlib.contextmanager
def reading(path: Path, failing: type[Exception]) -> Iterator[sqlite3.Connection | None]:
    """None: there is no ledger yet. What goes wrong within the block is raised as `failing`."""
    if not path.exists():
        yield None
        return
    with _opened(path, failing) as database:
        yield database


@contextlib.contextmanager
def changing(
    path: Path, failing: type[Exception], make: Callable[[sqlite3.Connection], None]
) -> Iterator[sqlite3.Connection]:
    """One transaction, in which `make` has made the tables that are missing."""
    with _opened(path, failing) as database:
        if database.execute("PRAGMA journal_mode").fetchone() != ("wal",):
            database.execute("PRAGMA journal_mode = WAL")
        database.execute("BEGIN IMMEDIATE")
        try:
            make(database)
            yield database
            database.execute("COMMIT")
        except BaseException:
            if database.in_transaction:
                database.execute("ROLLBACK")
            raise


@contextlib.contextmanager
def _opened(path: Path, failing: type[Exception]) -> Iterator[sqlite3.Connection]:
    try:
        opened = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
        with contextlib.closing(opened) as database:
            database.execute("PRAGMA synchronous = FULL")
            yield database
    except (sqlite3.Error, OSError, msgspec.DecodeError) as error:
        raise failing(f"ledger '{path}': {error}") from error
