"""What workers of a machine know of sessions."""

from __future__ import annotations

import functools
import itertools
import multiprocessing
from pathlib import Path

from extproc.adapters import session_board
from extproc.adapters.session_board import MappedSessionBoard, name_of
from tests.kit.mcp_exchange import Board

IDLE = 60.0


def test_a_session_is_open_until_nobody_has_used_it_for_long(tmp_path: Path) -> None:
    board = MappedSessionBoard(tmp_path / "b")
    assert board.use("a", 100, IDLE)
    assert board.use("a", 160, IDLE)
    assert not board.use("a", 221, IDLE)
    assert board.use("b", 221, IDLE)
    assert not board.use("a", 221, IDLE)


def test_one_that_has_ended_stays_so_in_all_workers(tmp_path: Path) -> None:
    one, other = (MappedSessionBoard(tmp_path / "b") for _ in range(2))
    assert one.use("a", 100, IDLE)
    other.end("a", 101)
    assert not one.use("a", 101, IDLE)
    one.close()
    other.close()
    again = MappedSessionBoard(tmp_path / "b")
    assert not again.use("a", 102, IDLE)


def test_the_one_that_was_used_longest_ago_makes_way(tmp_path: Path) -> None:
    board = MappedSessionBoard(tmp_path / "b")
    same = _neighbours()
    for now, number in enumerate(same[:4], 100):
        assert board.use(number, now, IDLE)
    board.end(same[1], 101)
    assert board.use(same[4], 200, IDLE)  # in the place of the first
    assert not board.use(same[1], 200, IDLE)
    assert board.use(same[0], 201, IDLE)  # nothing is known of it


def test_what_others_know_is_noted(tmp_path: Path) -> None:
    board = MappedSessionBoard(tmp_path / "b")
    board.note(name_of("a"), 100, is_over=False)
    assert not board.use("a", 161, IDLE)
    board.note(name_of("a"), 150, is_over=False)
    assert board.use("a", 161, IDLE)
    board.note(name_of("a"), 120, is_over=False)
    assert board.use("a", 220, IDLE), "it was used later than others know"
    board.note(name_of("a"), 120, is_over=True)
    assert not board.use("a", 220, IDLE)
    board.note(name_of("a"), 230, is_over=False)
    assert not board.use("a", 231, IDLE), "what is over stays so"


def test_who_was_used_later_makes_no_way_for_what_others_know(tmp_path: Path) -> None:
    board = MappedSessionBoard(tmp_path / "b")
    same = _neighbours()
    for number in same[:4]:
        board.end(number, 200)
    board.note(name_of(same[4]), 100, is_over=True)
    assert not any(board.use(number, 201, IDLE) for number in same[:4])


@functools.cache
def _neighbours() -> tuple[str, ...]:
    """Five sessions for the same four places."""
    there = (f"{number}" for number in range(1_000_000))
    return tuple(itertools.islice((each for each in there if _bucket(each) == _bucket("0")), 5))


def _bucket(number: str) -> int:
    return session_board.name_of(number) % (session_board.ROWS // session_board._PLACES)


def _used(path: Path, number: str) -> None:
    board = MappedSessionBoard(path)
    for now in range(100, 20_000):
        board.use(number, now, 1e9)


def test_processes_that_write_at_once_leave_it_readable(tmp_path: Path) -> None:
    path = tmp_path / "b"
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_used, args=(path, f"{each}")) for each in range(4)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    board = MappedSessionBoard(path)
    assert all(board.use(f"{each}", 19_999, 10) for each in range(4))


def test_the_one_in_memory_does_the_same() -> None:
    board = Board()
    assert board.use("a", 100, IDLE)
    assert not board.use("a", 161, IDLE)
    board.end("b", 100)
    assert not board.use("b", 100, IDLE)
