"""Numbers that workers leave for each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.adapters.board import ROWS, MappedBoard

WORDS = st.integers(0, (1 << 64) - 1)


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[MappedBoard, MappedBoard]]:
    """Of two workers."""
    with ExitStack() as closing:
        boards = MappedBoard(tmp_path / "board"), MappedBoard(tmp_path / "board")
        for each in boards:
            closing.callback(each.close)
        yield boards


def test_what_one_puts_another_takes_once(two: tuple[MappedBoard, MappedBoard]) -> None:
    here, there = two
    here.put(7, 1234)
    assert there.take(7) == 1234
    assert there.take(7) is None
    assert here.take(7) is None


def test_nothing_is_there_at_first_under_any_name(two: tuple[MappedBoard, MappedBoard]) -> None:
    assert [two[0].take(name) for name in range(ROWS)] == [None] * ROWS


def test_what_is_put_into_a_row_takes_the_place_of_what_was(
    two: tuple[MappedBoard, MappedBoard],
) -> None:
    here, there = two
    here.put(7, 1)
    here.put(7 + ROWS, 2)
    assert there.take(7) is None
    assert there.take(7 + ROWS) == 2


def test_a_row_that_two_put_at_once_is_neithers(tmp_path: Path) -> None:
    board = MappedBoard(tmp_path / "board")
    board.put(1, 10)
    board.close()
    path = tmp_path / "board"
    data = bytearray(path.read_bytes())
    row = 1 * 24
    data[row + 8 : row + 16] = (11).to_bytes(8, "little")  # another's number, under our name
    path.write_bytes(data)
    board = MappedBoard(path)
    assert board.take(1) is None
    board.close()


def test_a_board_is_for_its_owner_alone(tmp_path: Path) -> None:
    MappedBoard(tmp_path / "board").close()
    assert (tmp_path / "board").stat().st_mode & 0o777 == 0o600


@given(WORDS, WORDS)
def test_all_numbers_come_back(
    tmp_path_factory: pytest.TempPathFactory, name: int, number: int
) -> None:
    board = MappedBoard(tmp_path_factory.getbasetemp() / "shared-board")
    board.put(name, number)
    assert board.take(name) == number
    board.close()
