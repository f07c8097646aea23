"""Streams: what is kept of them, what is forgotten, and what is told again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.hub.streams import Lost, Stream, event, event_id, priming


def test_who_comes_back_gets_what_it_has_not_had() -> None:
    stream = Stream(3, 1000)
    for text in (b"a", b"b", b"c"):
        stream.add(text)
    assert stream.take() == [(0, b"a"), (1, b"b"), (2, b"c")]
    _, after = event_id(event(3, 0, b"a").split(b"\n")[1].removeprefix(b"id: ").decode())
    stream.reads_from = after
    assert stream.take() == [(1, b"b"), (2, b"c")]
    assert stream.take() == []


def test_a_stream_begins_anew_behind_its_priming_event() -> None:
    stream = Stream(4, 1000)
    stream.add(b"a")
    stream.take()
    number, stream.reads_from = event_id(priming(4).split(b"\n")[0].removeprefix(b"id: ").decode())
    assert number == 4
    assert stream.take() == [(0, b"a")]


@pytest.mark.parametrize("text", ["", "3", "3-", "-3", "a-1", "3--1", "3-1-2", "3- 1", "٣-١"])
def test_an_id_of_somebody_else_is_none_of_ours(text: str) -> None:
    with pytest.raises(ValueError, match="no event id of ours"):
        event_id(text)


def test_what_nobody_reads_is_forgotten_but_for_the_end() -> None:
    stream = Stream(1, 10)
    for number in range(5):
        stream.add(b"%d" % number * 4)
    stream.finish()
    with pytest.raises(Lost):
        stream.take()
    stream.reads_from = 3
    assert stream.take() == [(3, b"3333"), (4, b"4444")]


def test_one_message_may_be_larger_than_what_is_kept() -> None:
    stream = Stream(1, 10)
    stream.add(b"x" * 100)
    assert stream.take() == [(0, b"x" * 100)]


def test_what_is_not_read_yet_is_kept_for_its_reader_who_is_then_behind() -> None:
    woken: list[None] = []
    stream = Stream(1, 10, wake=lambda: woken.append(None))
    for _ in range(5):
        stream.add(b"aaaa")
    assert len(woken) == 5
    assert stream.is_congested
    assert len(stream.take()) == 5
    assert not stream.is_congested


@given(st.lists(st.integers(1, 50)), st.lists(st.integers(0, 10)))
def test_a_reader_gets_everything_once_and_in_order(sizes: list[int], pauses: list[int]) -> None:
    stream = Stream(1, 30, wake=lambda: None)
    read: list[tuple[int, bytes]] = []
    for number, size in enumerate(sizes):
        stream.add(b"x" * size)
        if number in pauses:
            read += stream.take()
    read += stream.take()
    assert read == [(number, b"x" * size) for number, size in enumerate(sizes)]
