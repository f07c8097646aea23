"""What is told of streams that nobody here has seen, whenever and wherever it is told."""

from __future__ import annotations

from extproc.cut_streams import MOST_LOOKS, MOST_WAITING, Mark, alone
from extproc.llm.stream_sizes import FIRST_LOOKS
from tests.kit.told_streams import Board, Stream, worker


def test_what_is_told_after_the_end_reaches_who_waits() -> None:
    streams, loop = worker()
    mark = streams.mark("a", "m")
    stream = Stream(streams, mark)
    streams.tell(mark.number, 123)
    assert stream.told == [123]
    loop.turn()
    assert stream.told == [123]
    assert not loop.due


def test_what_is_told_before_the_end_is_kept_for_it() -> None:
    streams, _ = worker()
    mark = streams.mark("a", "m")
    streams.tell(mark.number, 123)
    assert Stream(streams, mark).told == [123]


def test_what_another_worker_is_told_is_found_soon() -> None:
    board = Board()
    here, loop = worker(board)
    there, _ = worker(board, 99)
    mark = here.mark("a", "m")
    stream = Stream(here, mark)
    loop.turn()
    assert stream.told == []
    there.tell(mark.number, 7)
    loop.turn()
    assert stream.told == [7]
    assert not loop.due


def test_who_is_told_nothing_does_not_wait_for_ever() -> None:
    streams, loop = worker()
    stream = Stream(streams, streams.mark("a", "m"))
    for _ in range(MOST_LOOKS):
        assert stream.told == []
        loop.turn()
    assert stream.told == [None]
    assert not loop.due


def test_each_waits_its_own_time() -> None:
    streams, loop = worker()
    first = Stream(streams, streams.mark("a", "m"))
    loop.turn()
    second = Stream(streams, streams.mark("a", "m"))
    for _ in range(MOST_LOOKS - 1):
        loop.turn()
    assert (first.told, second.told) == ([None], [])
    loop.turn()
    assert second.told == [None]


def test_a_worker_that_ends_waits_for_nothing() -> None:
    streams, loop = worker()
    stream = Stream(streams, streams.mark("a", "m"))
    streams.give_up()
    assert stream.told == [None]
    loop.turn()
    assert stream.told == [None]


def test_what_is_told_twice_or_of_nobody_does_nothing() -> None:
    streams, loop = worker()
    mark = streams.mark("a", "m")
    stream = Stream(streams, mark)
    streams.tell(mark.number, 1)
    streams.tell(mark.number, 2)
    streams.tell(0, 3)
    loop.turn()
    assert stream.told == [1]


def test_so_many_wait_and_no_more() -> None:
    streams, _ = worker()
    waiting = [Stream(streams, Mark(number, False)) for number in range(MOST_WAITING)]
    assert Stream(streams, Mark(MOST_WAITING, False)).told == [None]
    assert not any(each.told for each in waiting)


def test_streams_have_numbers_of_their_own_that_go_around() -> None:
    streams, _ = worker(first=(1 << 64) - 1)
    numbers = [streams.mark("a", "m").number for _ in range(3)]
    assert numbers == [(1 << 64) - 1, 0, 1]


def test_the_first_streams_of_a_target_are_looked_at_in_any_case() -> None:
    streams, _ = worker()
    sampled = [streams.mark("a", "m").is_sampled for _ in range(FIRST_LOOKS + 1)]
    assert sampled == [True] * FIRST_LOOKS + [False]


def test_without_a_log_nobody_waits() -> None:
    streams = alone()
    assert Stream(streams, streams.mark("a", "m")).told == [None]
