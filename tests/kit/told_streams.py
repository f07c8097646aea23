"""Streams that somebody is told of: a board and a loop in memory, and who waits."""

from __future__ import annotations

from collections.abc import Callable

from extproc.cut_streams import CutStreams, Mark


class Board:
    """Shared by the workers of a test."""

    def __init__(self) -> None:
        self.rows: dict[int, int] = {}

    def put(self, name: int, number: int) -> None:
        self.rows[name] = number

    def take(self, name: int) -> int | None:
        return self.rows.pop(name, None)


class Loop:
    """What is to be called later, whenever a test wants it."""

    def __init__(self) -> None:
        self.due: list[Callable[[], None]] = []

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        assert seconds > 0
        self.due.append(what)

    def turn(self) -> None:
        due, self.due = self.due, []
        for each in due:
            each()


class Stream:
    """Waits, and keeps what it is told."""

    def __init__(self, streams: CutStreams, mark: Mark) -> None:
        self.told: list[int | None] = []
        streams.wait(mark, self.told.append, lambda: self.told.append(None))


def worker(board: Board | None = None, first: int = 5) -> tuple[CutStreams, Loop]:
    loop = Loop()
    return CutStreams(board or Board(), loop.later, first), loop
