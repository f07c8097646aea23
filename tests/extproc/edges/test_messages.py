"""gRPC messages, whole, cut and wrong."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
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
    data,
    message,
    messages_of,
    open_stream,
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
    assert [found for piece in pieces for found in assembler.feed(piece)] == bodies
    assert assembler.held_bytes == 0
