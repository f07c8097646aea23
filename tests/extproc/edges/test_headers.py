"""Header blocks with and without the dynamic table."""

from __future__ import annotations

import pytest
from hpack import Encoder

from extproc.edges.frames import (
    ACK,
    CONTINUATION,
    END_HEADERS,
    HEADERS,
    PREFACE,
    SETTINGS,
    ErrorCode,
    Setting,
    frame,
)
from extproc.edges.frames import settings as settings_frame
from extproc.edges.service import Limits
from tests.extproc.edges.peer import (
    Peer,
    block,
    connection_error,
    data,
    fields,
    message,
    messages_of,
    open_stream,
    setting,
    stream_errors,
)
from tests.extproc.edges.services import EAGER, ECHO

MALFORMED = [
    ("no method", {"pseudo_method": None}),
    ("no path", {"pseudo_path": None}),
    ("an empty path", {"pseudo_path": ""}),
    ("no scheme", {"pseudo_scheme": None}),
    ("an unknown pseudo header", {"pseudo_status": "200"}),
    ("a connection header", {"connection": "close"}),
    ("a transfer encoding", {"transfer_encoding": "chunked"}),
    ("a te that is not trailers", {"te": "gzip"}),
    ("an upper-case name", {"X": "y"}),
    ("a line break in a value", {"x": "a\r\nb"}),
    ("a space around a value", {"x": " a"}),
    ("a space in a name", {"x y": "a"}),
    ("a content-length that is no number", {"content_length": "-1"}),
]


@pytest.mark.parametrize(
    "changed", [case[1] for case in MALFORMED], ids=[case[0] for case in MALFORMED]
)
def test_a_malformed_request_resets_its_stream(changed: dict[str, str | None]) -> None:
    peer = Peer()
    headers = block([(key, value) for key, value in fields(**changed)])
    frames = peer.say(frame(HEADERS, END_HEADERS, 1, headers))
    assert stream_errors(frames) == [(1, ErrorCode.PROTOCOL_ERROR)]
    assert peer.journal.rpcs == []


def test_a_pseudo_header_after_the_others_is_malformed() -> None:
    headers = [*fields(pseudo_path=None), (":path", ECHO)]
    frames = Peer().say(frame(HEADERS, END_HEADERS, 1, block(headers)))
    assert stream_errors(frames) == [(1, ErrorCode.PROTOCOL_ERROR)]


@pytest.mark.parametrize(
    ("changed", "answer"),
    [
        ({"pseudo_method": "GET"}, {":status": "405"}),
        ({"content_type": "application/json"}, {":status": "415"}),
        ({"content_type": None}, {":status": "415"}),
        ({"te": None}, {":status": "200", "grpc-status": "13"}),
        ({"pseudo_path": "/test.Service/Missing"}, {":status": "200", "grpc-status": "12"}),
    ],
)
def test_what_is_no_request_for_us_is_answered(
    changed: dict[str, str | None], answer: dict[str, str]
) -> None:
    peer = Peer()
    given_answer = peer.answer(open_stream(1, **changed))
    assert answer.items() <= given_answer.items()
    assert peer.journal.rpcs == []


@pytest.mark.parametrize("kind", ["application/grpc+proto", "application/grpc;charset=utf-8"])
def test_variants_of_the_content_type_are_grpc(kind: str) -> None:
    peer = Peer()
    peer.say(open_stream(1, content_type=kind))
    assert len(peer.journal.rpcs) == 1


def test_before_the_ack_the_dynamic_table_is_used() -> None:
    peer = Peer(start=PREFACE + settings_frame(()))
    encoder = Encoder()
    for stream_id in (1, 3, 5):
        sent = bytes(encoder.encode(fields(x_number=str(stream_id % 4))))
        peer.say(frame(HEADERS, END_HEADERS, stream_id, sent))
    assert [rpc.metadata["x-number"] for rpc in peer.journal.rpcs] == ["1", "3", "1"]
    encoder.header_table_size = 0
    shrunk = bytes(encoder.encode(fields(x_number="9")))
    peer.say(frame(SETTINGS, ACK, 0), frame(HEADERS, END_HEADERS, 7, shrunk))
    assert peer.journal.rpcs[3].metadata["x-number"] == "9"
    assert peer.say(frame(HEADERS, END_HEADERS, 9, b"\xbe")) != []
    assert peer.machine.is_finished


def test_a_table_that_was_not_shrunk_is_a_compression_error() -> None:
    sent = bytes(Encoder().encode(fields()))
    peer = Peer()
    answers = peer.say(frame(HEADERS, END_HEADERS, 1, sent))
    assert connection_error(answers) is ErrorCode.COMPRESSION_ERROR


def test_the_same_block_means_the_same_every_time() -> None:
    peer = Peer()
    for stream_id in range(1, 9, 2):
        peer.say(open_stream(stream_id, x_a="1"))
    assert [dict(rpc.metadata) for rpc in peer.journal.rpcs] == [
        {"te": "trailers", "content-type": "application/grpc", "x-a": "1"}
    ] * 4


def test_a_peer_that_shrinks_our_table_is_told_so_once() -> None:
    peer = Peer(start=PREFACE + setting(Setting.HEADER_TABLE_SIZE, 0) + frame(SETTINGS, ACK, 0))
    first, second = (
        [each.payload for each in peer.say(open_stream(sid, EAGER)) if each.kind == HEADERS]
        for sid in (1, 3)
    )
    assert first == [b"\x20" + second[0], second[1]]


def test_a_header_list_over_the_limit_is_refused() -> None:
    peer = Peer(limits=Limits(header_bytes=1_000))
    sent = frame(HEADERS, END_HEADERS, 1, block(fields(x="y" * 900)))
    assert peer.answer(sent) == {":status": "431"}
    assert messages_of(peer.say(open_stream(3), data(3, message(b"hi"))), 3) == [b"hi"]


def test_endless_continuations_are_refused() -> None:
    peer = Peer(limits=Limits(header_bytes=10_000))
    pieces = [frame(CONTINUATION, 0, 1, bytes(1_000)) for _ in range(11)]
    answers = peer.say(frame(HEADERS, 0, 1, block()), *pieces)
    assert connection_error(answers) is ErrorCode.ENHANCE_YOUR_CALM
