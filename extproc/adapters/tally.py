"""Counts of one worker, which the control plane reads: a file, written whole, a second later."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import msgspec

from extproc.ports import Later, Verdicts

logger = logging.getLogger(__name__)

WRITE_SECONDS = 1.0
MOST_ROWS = 2000
"""Of one worker. What is new beyond counts as `OTHERS`, by its kind, verdict, mode and code."""
OTHERS = "(others)"
_Rows = list[tuple[str, str, str, str, str, int]]


class FileTally:
    """Goes on from what the worker of this name wrote before. What it counted in the last second
    is lost when it is killed."""

    def __init__(self, folder: Path, worker: str, later: Later) -> None:
        self._path = folder / f"{quote(worker, safe='')}.json"
        self._later = later
        self._is_due = False
        self._counts: Counter[Verdicts] = Counter(_read(self._path))

    def add(self, verdicts: Verdicts) -> None:
        """One more."""
        counts = self._counts
        if len(counts) >= MOST_ROWS and verdicts not in counts:
            verdicts = verdicts._replace(name=OTHERS)
        counts[verdicts] += 1
        if not self._is_due:
            self._is_due = True
            self._later(WRITE_SECONDS, self.write)

    def write(self) -> None:
        """Now, if anything was counted since the last time."""
        if not self._is_due:
            return
        self._is_due = False
        rows: _Rows = [(*each, count) for each, count in sorted(self._counts.items())]
        unfinished = self._path.with_suffix(".unfinished")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            unfinished.write_bytes(msgspec.json.encode(rows))
            unfinished.replace(self._path)
        except OSError as error:  # kept in memory, and written with what is counted next
            logger.error("%s could not be written: %s", self._path, error.strerror)


def _read(path: Path) -> Mapping[Verdicts, int]:
    try:
        rows = msgspec.json.decode(path.read_bytes(), type=_Rows)
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.DecodeError) as error:
        logger.error("%s cannot be read, counting from zero: %s", path, error)
        return {}
    return {Verdicts(*row[:-1]): row[-1] for row in rows}
