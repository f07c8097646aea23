"""How this worker found A2A agents when it looked last, which the control plane reads: a file,
written whole, a second later."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import msgspec

from extproc.ports import Later

logger = logging.getLogger(__name__)

WRITE_SECONDS = 1.0


class AgentLooks:
    """Of the worker of this name."""

    def __init__(self, folder: Path, worker: str, later: Later, now: Callable[[], float]) -> None:
        """`now`: seconds since 1970."""
        self._path = folder / f"{quote(worker, safe='')}.json"
        self._later, self._now = later, now
        self._is_due = False
        self._looks: dict[str, tuple[bool, float]] = {}

    def looked(self, place: str, is_well: bool, /) -> None:
        """An agent, or an instance of one, was asked for its card, and told one if it is well."""
        self._looks[place] = is_well, self._now()
        if not self._is_due:
            self._is_due = True
            self._later(WRITE_SECONDS, self._write)

    def _write(self) -> None:
        self._is_due = False
        rows = [(place, *look) for place, look in sorted(self._looks.items())]
        unfinished = self._path.with_suffix(".unfinished")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            unfinished.write_bytes(msgspec.json.encode(rows))
            unfinished.replace(self._path)
        except OSError as error:  # written after the next look
            logger.error("%s could not be written: %s", self._path, error.strerror)
