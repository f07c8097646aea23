"""The SQLite side of the ledger: what is settled, and who has leased how much of the rest.

At all times, for every counter: settled + what all leases may still book <= limit, but for calls
that cost more than was estimated. The schema is described in docs/decisions/0004-ledger.md.
"""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from extproc.adapters.cells import CellFile, OrphanedCells, open_orphan
from extproc.adapters.grants import fair_share, fitting, grant
from extproc.adapters.lease import MOST_PER_CALL
from extproc.adapters.reports import Report, Standing
from extproc.ports import REMEMBERED_SECONDS, Booking, LedgerUnavailable, Spent
from gateway.ledger_tables import SQLITE_VERSION, sqlite_tables

_RETRY_SECONDS = 0.005

_STANDING = """
SELECT COALESCE((SELECT settled FROM counters WHERE counter = ?1 AND window_start = ?2), 0),
  COALESCE((SELECT topped_up FROM counters WHERE counter = ?1 AND window_start = ?2), 0),
  COALESCE(SUM(CASE WHEN worker = ?3 AND slot = ?4 THEN applied END), 0),
  COALESCE(SUM(CASE WHEN worker <> ?3 OR slot <> ?4 THEN ceiling - applied END), 0),
  COALESCE(SUM(CASE WHEN worker <> ?3 OR slot <> ?4 THEN reserved END), 0)
FROM leases WHERE counter = ?1 AND window_start = ?2
"""

_SPENT = """
SELECT settled, (SELECT COALESCE(SUM(reserved), 0) FROM leases
  WHERE leases.counter = counters.counter AND leases.window_start = counters.window_start
), topped_up FROM counters WHERE counter = ? AND window_start = ?
"""

_BOOK = """
INSERT INTO counters (counter, window_start, settled) VALUES (?, ?, ?)
ON CONFLICT DO UPDATE SET settled = settled + excluded.settled
"""

_LEASE = """
INSERT INTO leases (counter, window_start, worker, slot, applied, ceiling, reserved)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET applied = excluded.applied, ceiling = excluded.ceiling,
  reserved = excluded.reserved
"""


_END = """
DELETE FROM leases WHERE counter = ? AND window_start = ? AND worker = ? AND slot = ?
"""


_REMEMBER = """
INSERT INTO works (name, owner, since) VALUES (?, ?, ?)
ON CONFLICT DO UPDATE SET owner = COALESCE(owner, excluded.owner)
"""

_EXTEND = """
INSERT INTO works (name, extent, since) VALUES (?1, ?2, ?3)
ON CONFLICT DO UPDATE SET extent = ?2, since = ?3
"""

_BOOK_WORK = """
INSERT INTO booked (name, counter, amount) VALUES (?, ?, ?)
ON CONFLICT DO UPDATE SET amount = excluded.amount
"""


class LedgerStore:
    """One worker's connection and its cells. Used from one thread at a time; it may block."""

    def __init__(self, path: Path, worker: str, busy_seconds: float) -> None:
        self._path = path
        with _telling(path):
            self._database = sqlite3.connect(
                path, timeout=busy_seconds, isolation_level=None, check_same_thread=False
            )
            try:
                self._switch_to_wal(time.monotonic() + busy_seconds)
                self._prepare()
                self.recover()
                self.worker, self.cells = self._register(worker)
            except BaseException:
                self._database.close()
                raise

    def visit(self, reports: Sequence[Report], is_recovering: bool) -> list[Standing]:
        """Take all reports down and answer them, in one transaction."""
        with _telling(self._path):
            if is_recovering:
                self.recover()
            with self._transaction():
                workers = self._count_workers()
                return [self._take_down(report, workers) for report in reports]

    def leave(self, reports: Sequence[Report]) -> None:
        """Book everything, give everything back, and be forgotten."""
        with _telling(self._path):
            with self._transaction():
                workers = self._count_workers()
                for report in reports:
                    self._take_down(report, workers)
                self._database.execute("DELETE FROM leases WHERE worker = ?", (self.worker,))
                self._database.execute("DELETE FROM workers WHERE worker = ?", (self.worker,))
            self.cells.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the files. Without `leave` before it, this is how a killed worker ends."""
        self._database.close()
        self.cells.close()

    def spent(self, counter: str, window_start: int) -> Spent:
        """Where the counter stands, as far as the workers have told."""
        with _telling(self._path):
            row = self._database.execute(_SPENT, (counter, window_start)).fetchone()
        return Spent(*row) if row else Spent(0, 0)

    def counters(self) -> list[tuple[str, int]]:
        """Every counter with each of its periods, in order."""
        with _telling(self._path):
            return self._database.execute(
                "SELECT counter, window_start FROM counters ORDER BY counter, window_start"
            ).fetchall()

    def remember(self, name: str, owner: str, now: int) -> None:
        """Keep who asked for work of this name; the first counts."""
        with _telling(self._path), self._transaction():
            self._forget(now)
            self._database.execute(_REMEMBER, (name, owner, now))

    def owner(self, name: str) -> str | None:
        """Who asked for it, if that is known."""
        with _telling(self._path):
            row = self._database.execute(
                "SELECT owner FROM works WHERE name = ?", (name,)
            ).fetchone()
        return row[0] if row else None

    def book_once(self, name: str, extent: int, bookings: Sequence[Booking], now: int) -> bool:
        """Book what is new of the work, in one transaction; whether anything was."""
        with _telling(self._path), self._transaction():
            self._forget(now)
            row = self._database.execute(
                "SELECT extent FROM works WHERE name = ?", (name,)
            ).fetchone()
            known = row[0] if row else None
            if known is not None and known >= extent:
                return False
            self._database.execute(_EXTEND, (name, extent, now))
            before = dict(
                self._database.execute(
                    "SELECT counter, amount FROM booked WHERE name = ?", (name,)
                ).fetchall()
            )
            for counter, window_start, amount in bookings:
                if known is None or counter in before:
                    told = max(before.get(counter, 0), min(amount, MOST_PER_CALL))
                    added = told - before.get(counter, 0)
                    self._database.execute(_BOOK_WORK, (name, counter, told))
                    if added:
                        self._database.execute(_BOOK, (counter, window_start, added))
        return True

    def _forget(self, now: int) -> None:
        """Work of long ago: nobody can ask for it any more."""
        oldest = now - REMEMBERED_SECONDS
        self._database.execute(
            "DELETE FROM booked WHERE name IN (SELECT name FROM works WHERE since < ?)", (oldest,)
        )
        self._database.execute("DELETE FROM works WHERE since < ?", (oldest,))

    def recover(self) -> None:
        """Book what dead workers have left, and give back the rest of their leases."""
        dead = self._database.execute("SELECT worker, cells FROM workers").fetchall()
        for worker, name in dead:
            path = self._path.with_name(name)
            try:
                orphan = open_orphan(path)
            except FileNotFoundError:
                self._bury(worker, None)
                continue
            if orphan is None:
                continue
            try:
                self._bury(worker, orphan)
                path.unlink(missing_ok=True)
            finally:
                orphan.close()
        self._remove_strays()

    def _switch_to_wal(self, deadline: float) -> None:
        """SQLite itself does not wait for this when several workers make the file at once."""
        while True:
            try:
                self._database.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(_RETRY_SECONDS)
            else:
                return

    def _prepare(self) -> None:
        self._database.execute("PRAGMA synchronous = NORMAL")
        with self._transaction():
            (version,) = self._database.execute("PRAGMA user_version").fetchone()
            if version not in (0, SQLITE_VERSION):
                raise LedgerUnavailable(
                    f"ledger '{self._path}' has version {version}, this is {SQLITE_VERSION}"
                )
            columns = {row[1] for row in self._database.execute("PRAGMA table_info(counters)")}
            for statement in sqlite_tables(version, columns):
                self._database.execute(statement)

    def _register(self, worker: str) -> tuple[str, CellFile]:
        while True:
            token = secrets.token_hex(4)
            try:
                cells = CellFile(self._path.with_name(f"{self._path.name}-cells-{token}"))
            except (FileExistsError, BlockingIOError):
                continue
            if cells.is_in_place:
                break
            cells.close()
        identity = f"{worker}-{token}"
        try:
            self._database.execute(
                "INSERT INTO workers (worker, cells) VALUES (?, ?)", (identity, cells.path.name)
            )
        except BaseException:
            cells.path.unlink(missing_ok=True)
            cells.close()
            raise
        return identity, cells

    def _count_workers(self) -> int:
        rows = self._database.execute("SELECT worker FROM workers").fetchall()
        if (self.worker,) not in rows:
            raise LedgerUnavailable(f"worker '{self.worker}' was taken for dead: no cells")
        return len(rows)

    def _take_down(self, report: Report, workers: int) -> Standing:
        where = (report.counter, report.window_start)
        lease = (*where, self.worker, report.slot)
        row = self._database.execute(_STANDING, lease).fetchone()
        settled, topped_up, applied, elsewhere, reserved_elsewhere = row
        self._database.execute(_BOOK, (*where, report.settled - applied))
        settled += report.settled - applied
        ceiling = max(report.ceiling, report.booked)
        remaining = report.limit + topped_up - settled - elsewhere - (ceiling - report.settled)
        share = fair_share(remaining, workers)
        needed = fitting(report.needs, remaining + ceiling - report.booked)
        ceiling += grant(remaining, needed, report.wish - (ceiling - report.booked), share)
        reserved = report.booked - report.settled + needed
        if report.is_last:
            self._database.execute(_END, lease)
        else:
            self._database.execute(_LEASE, (*lease, report.settled, ceiling, reserved))
        return Standing(
            ceiling=ceiling,
            booked_besides=settled - report.settled + reserved_elsewhere,
            idle_elsewhere=elsewhere - reserved_elsewhere,
            share=share,
            topped_up=topped_up,
        )

    def _bury(self, worker: str, cells: OrphanedCells | None) -> None:
        """Book a dead worker's calls: the settled ones exactly, those in flight as estimated.

        Where the cells cannot be believed, all that it had leased counts as spent.
        """
        with self._transaction():
            rows = self._database.execute(
                "SELECT counter, window_start, slot, applied, ceiling FROM leases WHERE worker = ?",
                (worker,),
            ).fetchall()
            for counter, window_start, slot, applied, ceiling in rows:
                booked = cells.value(slot) if cells else None
                if booked is None or booked < applied:
                    booked = ceiling
                elif cells and not cells.is_of_this_boot:
                    booked = max(booked, ceiling)
                self._database.execute(_BOOK, (counter, window_start, booked - applied))
            self._database.execute("DELETE FROM leases WHERE worker = ?", (worker,))
            self._database.execute("DELETE FROM workers WHERE worker = ?", (worker,))

    def _remove_strays(self) -> None:
        """Cell files of workers that died before they were known, or after they were buried."""
        known = {name for (name,) in self._database.execute("SELECT cells FROM workers").fetchall()}
        for path in self._path.parent.glob(f"{self._path.name}-cells-*"):
            with contextlib.suppress(FileNotFoundError):
                orphan = open_orphan(path) if path.name not in known else None
                if orphan is not None:
                    if not self._is_known(path.name):
                        path.unlink()
                    orphan.close()

    def _is_known(self, cells: str) -> bool:
        """Asked again under the lock: a worker may have registered, and died, since we looked."""
        row = self._database.execute("SELECT 1 FROM workers WHERE cells = ?", (cells,)).fetchone()
        return row is not None

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise


@contextlib.contextmanager
def _telling(path: Path) -> Iterator[None]:
    """Whatever keeps the store from answering has one name for those who ask."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise LedgerUnavailable(f"ledger '{path}': {error}") from error
