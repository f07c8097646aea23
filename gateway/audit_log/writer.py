"""Writes a chain in a thread, so that nobody waits for a disk."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

from gateway.audit_log.files import ChainFiles
from gateway.audit_log.terms import AuditTerms

logger = logging.getLogger(__name__)

GATHER_SECONDS = 0.01
"""For so long, records are gathered before they are written together."""
RETRY_SECONDS = 1.0
"""After which writing is tried again."""
MOST_WAITING = 100_000
"""Records in memory, while they cannot be written; further ones are counted and lost."""
MOST_AT_ONCE = 5_000
CLOSE_SECONDS = 5.0

Record: TypeAlias = Mapping[str, object]
Open: TypeAlias = Callable[[], ChainFiles]


class ChainWriter:
    """A chain in files. `put` may be called from any thread, and never blocks."""

    def __init__(
        self, folder: Path, writer: str, terms: AuditTerms, clock: Callable[[], float] = time.time
    ) -> None:
        self._open: Open = lambda: ChainFiles(
            folder, writer, self._terms.largest_bytes, self._terms.key
        )
        self._where = folder
        self._terms = terms
        self._clock = clock
        self._files: ChainFiles | None = None
        self._waiting: deque[tuple[float, Record]] = deque()
        self._lost = self._told_lost = 0
        self._wake = threading.Event()
        self._is_closing = False
        self.is_failing = False
        """It cannot be written at the moment."""
        self._thread = threading.Thread(target=self._run, name=f"audit log {writer}", daemon=True)
        self._thread.start()

    @property
    def is_blocked(self) -> bool:
        """Nothing may happen that would have to be written down."""
        return self.is_failing and self._terms.is_strict

    def follow(self, terms: AuditTerms) -> None:
        """What holds from now on; the place is the same."""
        self._terms = terms

    def put(self, record: Record) -> None:
        """Write it down soon, without what is empty."""
        if len(self._waiting) >= MOST_WAITING:
            self._lost += 1
            return
        self._waiting.append((self._clock(), record))
        if not self._wake.is_set():
            self._wake.set()

    def close(self) -> None:
        """Write what is left, and go."""
        self._is_closing = True
        self._wake.set()
        self._thread.join(CLOSE_SECONDS)
        if self._waiting:
            logger.error("%d records of the audit log are lost", len(self._waiting))

    def _run(self) -> None:
        self._try()  # a place that cannot be written is known before the first request
        while not self._is_closing:
            self._wake.wait()
            if not self._is_closing:
                time.sleep(GATHER_SECONDS)
            self._wake.clear()
            while self._try() and self._waiting:
                pass
            if self.is_failing and not self._is_closing:
                time.sleep(RETRY_SECONDS)
                self._wake.set()
        while self._try() and self._waiting:
            pass
        if self._files is not None:
            self._files.close()

    def _try(self) -> bool:
        try:
            self._write()
        except OSError as error:
            if not self.is_failing:
                what = "requests are refused" if self._terms.is_strict else "requests go on"
                logger.error(
                    "the audit log in '%s' cannot be written: %s; %s", self._where, error, what
                )
            self.is_failing = True
            return False
        if self.is_failing:
            self.is_failing = False
            logger.warning("the audit log in '%s' can be written again", self._where)
        return True

    def _write(self) -> None:
        if self._files is None:
            self._files = self._open()
            self._put_first(self._files)
        files, waiting = self._files, self._waiting
        count = min(len(waiting), MOST_AT_ONCE)
        records = [_timed(*waiting[place]) for place in range(count)]
        lost = self._lost - self._told_lost
        if lost:
            records.append(_timed(self._clock(), {"event": "log.lost", "records": lost}))
        if records:
            files.largest_bytes, files.key = self._terms.largest_bytes, self._terms.key
            files.append(records, str(records[0]["time"])[:10] if self._terms.is_daily else "")
            self._told_lost += lost
            for _ in range(count):
                waiting.popleft()
            files.mark()

    def _put_first(self, files: ChainFiles) -> None:
        """What was found is the first thing that is written."""
        found = files.recovered
        if not found.link.seq:
            first: dict[str, Any] = {"event": "log.begin"}
        else:
            first = {
                "event": "log.resume",
                **({"lost_bytes": found.lost_bytes} if found.lost_bytes else {}),
                **({"is_broken": True} if found.is_broken else {}),
            }
        self._waiting.appendleft((self._clock(), first))


def _timed(seconds: float, record: Record) -> Record:
    moment = datetime.fromtimestamp(seconds, UTC)
    said = {name: value for name, value in record.items() if value != ""}
    return {"time": f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z", **said}
