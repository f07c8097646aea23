"""gRPC messages, whole, cut and wrong."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.edges.frames import (
    END_STREAM,
    ErrorCode,
    rst_stream,
)
from extproc.edges.messages import Assembler
from extproc.edges.service import Limits
from tests.extproc.edges.peer import (
    Peer,
    connection_error,
    cut,
    data,
    message,
    messages_of,
    open_stream,
    stream_errors,
)
from tests.extproc.edges.services import SILENT


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (data(1, message(b"zipped", flag=1)), "12"),
        (data(1, message(b"?", flag=7)), "13"),
        (data(1, b"\0\xff\xff\xff\xff"), "8"),
        (data(1, message(b"cut off")[:-1], END_STREAM), "13"),
        (data(1, b"\0\0", END_STREAM), "13"),
    ],
)
def test_a_bad_message_ends_its_rpc(sent: bytes, status: str) -> None:
    peer = Peer()
    peer.say(open_stream(1, SILENT))
    assert peer.answer(sent)["grpc-status"] == status
    assert peer.journal.rpcs[0].events == ["close"]


def test_messages_before_a_bad_one_are_delivered() -> None:
    peer = Peer()
    peer.say(open_stream(1, SILENT), data(1, message(b"good") + message(b"bad", flag=1)))
    assert peer.journal.rpcs[0].messages == [b"good"]


def test_incomplete_messages_are_bounded_per_connection() -> None:
    peer = Peer(limits=Limits(held_bytes=20_000))
    started = message(bytes(16_000))[:15_000]
    peer.say(open_stream(1, SILENT), open_stream(3, SILENT), data(1, started))
    assert peer.answer(data(3, started))["grpc-status"] == "8"
    assert messages_of(peer.say(open_stream(5), data(5, message(b"hi"))), 5) == [b"hi"]
    peer.say(rst_stream(1, ErrorCode.CANCEL), open_stream(7, SILENT), data(7, started))
    assert len(peer.machine.calls) == 2, "what a lost stream held is free again"


@given(st.lists(st.binary(max_size=50), max_size=8), st.lists(st.integers(0, 500), max_size=20))
def test_cuts_do_not_matter(bodies: list[bytes], cuts: list[int]) -> None:
    sent = b"".join(message(body) for body in bodies)
    edges = [0, *sorted(min(cut, len(sent)) for cut in cuts), len(sent)]
    assembler = Assembler(limit_bytes=50)
    pieces = (sent[start:stop] for start, stop in itertools.pairwise(edges))
    assert [found for each in pieces for found in assembler.feed((each,), len(each))] == bodies
    assert assembler.held_bytes == 0


@given(
    st.lists(st.binary(max_size=50), max_size=8),
    st.lists(st.integers(0, 500), max_size=20),
    st.integers(1, 5),
)
def test_nor_how_many_pieces_come_at_once(
    bodies: list[bytes], cuts: list[int], together: int
) -> None:
    sent = memoryview(b"".join(message(body) for body in bodies))
    edges = [0, *sorted(min(cut, len(sent)) for cut in cuts), len(sent)]
    pieces = [sent[start:stop] for start, stop in itertools.pairwise(edges)]
    assembler, found = Assembler(limit_bytes=50), []
    for first in range(0, len(pieces), together):
        some = pieces[first : first + together]
        found += assembler.feed(some, sum(map(len, some)))
    assert found == bodies
    assert assembler.held_bytes == 0


def test_an_incomplete_message_keeps_nothing_but_itself() -> None:
    chunk = bytearray(message(bytes(100))[:50] + bytes(10_000))
    assembler = Assembler(limit_bytes=100)
    assert not list(assembler.feed((memoryview(chunk)[:50],), 50))
    assert assembler.held_bytes == 50
    chunk.clear()  # as nobody looks at it any more


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from((1, 3)), st.integers(0, 80_000)), min_size=1, max_size=4),
    st.lists(st.sampled_from((1, 3)), max_size=24),
    st.lists(st.integers(0, 320_100), max_size=6),
)
def test_long_messages_are_read_however_frames_and_reads_cut_them(
    sizes: list[tuple[int, int]], order: list[int], cuts: list[int]
) -> None:
    said = {1: b"", 3: b""}
    for stream_id, size in sizes:
        said[stream_id] += message(bytes((size % 251,)) * size)
    left = {each: [data(each, piece) for piece in cut(said[each])] for each in said}
    taken = [left[each].pop(0) for each in order if left[each]]
    sent = b"".join((*taken, *left[1], *left[3]))
    edges = [0, *sorted(min(place, len(sent)) for place in cuts), len(sent)]
    peer = Peer(limits=Limits(stream_window_bytes=400_000))
    peer.say(open_stream(1, SILENT), open_stream(3, SILENT))
    answers = [
        each for start, stop in itertools.pairwise(edges) for each in peer.say(sent[start:stop])
    ]
    for rpc, stream_id in zip(peer.journal.rpcs, (1, 3), strict=True):
        assert b"".join(map(message, rpc.messages)) == said[stream_id]
        credit = sum(each.word for each in answers if each.stream_id == stream_id)
        window = peer.machine.calls[stream_id].receive_window
        assert window == 400_000 - len(said[stream_id]) + credit
    assert peer.machine.outbox.held_bytes == 0


def test_more_than_the_window_admits_is_refused_in_a_run_of_frames_too() -> None:
    peer = Peer(limits=Limits(stream_window_bytes=40_000))
    sent = b"".join(data(1, piece) for piece in cut(message(bytes(60_000))))
    assert stream_errors(peer.say(open_stream(1, SILENT), sent)) == [
        (1, ErrorCode.FLOW_CONTROL_ERROR)
    ]


def test_empty_frames_behind_a_full_one_are_counted() -> None:
    peer = Peer(limits=Limits(overhead_burst=100))
    started = data(1, message(bytes(60_000))[:16_384])
    answers = peer.say(open_stream(1, SILENT), started + data(1, b"") * 101)
    assert connection_error(answers) is ErrorCode.ENHANCE_YOUR_CALM
