"""Asks agents for their cards again and again, so that the list of them is fresh, and changes and
health are known before somebody wants one. Each worker does, at times of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from extproc.a2a.registry import Status
from extproc.a2a_serving.directory import Directory
from extproc.ports import Later

_FIRST_SECONDS: Final = 2.0
"""After which all are asked for the first time, or a second later: the way there is open then."""
_AGAIN_SECONDS: Final = 5.0
"""After which those are asked again that told no card."""
_JITTER: Final = 0.1
"""By which part of it a time may be shorter or longer."""


class Polling:
    """Of the program that is in force."""

    __slots__ = ("_choose", "_directory", "_later")

    def __init__(self, later: Later, choose: Callable[[], float]) -> None:
        """`choose` gives numbers in [0, 1)."""
        self._later, self._choose = later, choose
        self._directory: Directory | None = None

    def follow(self, directory: Directory | None) -> None:
        """Those of this one from now on, which goes on from what the one before has known; None:
        nobody."""
        before, self._directory = self._directory, directory
        if directory is None:
            return
        if before is not None:
            directory.adopt(before)
        for name in directory.places:
            self._plan(directory, name, _FIRST_SECONDS + self._choose())

    def _plan(self, directory: Directory, name: str, seconds: float) -> None:
        self._later(seconds, lambda: self._poll(directory, name))

    def _poll(self, directory: Directory, name: str) -> None:
        if directory is not self._directory:
            return
        seconds = directory.places[name].refresh_seconds
        if directory.health(name).status is not Status.HEALTHY:
            seconds = min(seconds, _AGAIN_SECONDS)
        directory.poll(name)
        self._plan(directory, name, seconds * (1 - _JITTER + 2 * _JITTER * self._choose()))
