"""Every frame type is handled or refused as RFC 9113 says."""

from __future__ import annotations

import gc
import itertools
import weakref

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.edges.frames import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    ID_MASK,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTING,
    SETTINGS,
    WINDOW_UPDATE,
    WITH_PRIORITY,
    ErrorCode,
    Setting,
    frame,
    goaway,
    rst_stream,
    window_update,
)
from extproc.edges.frames import settings as settings_frame
from extproc.edges.service import Call, Limits
from tests.extproc.edges.peer import (
    Peer,
    block,
    connection_error,
    cut,
    data,
    end,
    message,
    messages_of,
    open_stream,
    setting,
    stream_errors,
)
from tests.extproc.edges.services import EAGER, ECHO, LAST_WORD, REFUSE, SILENT, Echo, Journal

HUGE = (1 << 31) - 1
ACK_ON_STREAM = frame(SETTINGS, ACK, 1)


CONNECTION_ERRORS = [
    ("DATA on stream 0", data(0, b"x"), ErrorCode.PROTOCOL_ERROR),
    ("DATA on an idle stream", data(5, b"x"), ErrorCode.PROTOCOL_ERROR),
    ("DATA with too much padding", data(1, b"\x09abc", PADDED), ErrorCode.PROTOCOL_ERROR),
    ("padded DATA of no bytes", data(1, b"", PADDED), ErrorCode.FRAME_SIZE_ERROR),
    ("DATA over the frame size", data(1, bytes(16_385)), ErrorCode.FRAME_SIZE_ERROR),
    ("HEADERS on stream 0", open_stream(0), ErrorCode.PROTOCOL_ERROR),
    ("HEADERS on an even stream", open_stream(4), ErrorCode.PROTOCOL_ERROR),
    (
        "HEADERS with too much padding",
        frame(HEADERS, END_HEADERS | PADDED, 3, b"\xff" + block()),
        ErrorCode.PROTOCOL_ERROR,
    ),
    (
        "HEADERS without room for the priority",
        frame(HEADERS, END_HEADERS | WITH_PRIORITY, 3, b"\0\0"),
        ErrorCode.FRAME_SIZE_ERROR,
    ),
    (
        "an undecodable header block",
        frame(HEADERS, END_HEADERS, 3, b"\xff\xff\xff\xff\xff\xff\xff"),
        ErrorCode.COMPRESSION_ERROR,
    ),
    (
        "a reference into the forbidden dynamic table",
        frame(HEADERS, END_HEADERS, 3, b"\xbe"),
        ErrorCode.COMPRESSION_ERROR,
    ),
    (
        "a header block that is cut off",
        frame(HEADERS, END_HEADERS, 3, block()[:-3]),
        ErrorCode.COMPRESSION_ERROR,
    ),
    ("PRIORITY on stream 0", frame(PRIORITY, 0, 0, bytes(5)), ErrorCode.PROTOCOL_ERROR),
    ("RST_STREAM on stream 0", rst_stream(0, ErrorCode.CANCEL), ErrorCode.PROTOCOL_ERROR),
    ("RST_STREAM on an idle stream", rst_stream(5, ErrorCode.CANCEL), ErrorCode.PROTOCOL_ERROR),
    ("RST_STREAM of three bytes", frame(RST_STREAM, 0, 1, bytes(3)), ErrorCode.FRAME_SIZE_ERROR),
    ("SETTINGS on a stream", frame(SETTINGS, 0, 1), ErrorCode.PROTOCOL_ERROR),
    ("a SETTINGS ACK on a stream", ACK_ON_STREAM, ErrorCode.PROTOCOL_ERROR),
    ("SETTINGS of five bytes", frame(SETTINGS, 0, 0, bytes(5)), ErrorCode.FRAME_SIZE_ERROR),
    ("a SETTINGS ACK with bytes", frame(SETTINGS, ACK, 0, bytes(6)), ErrorCode.FRAME_SIZE_ERROR),
    ("ENABLE_PUSH of 2", setting(2, 2), ErrorCode.PROTOCOL_ERROR),
    ("a window over 2^31-1", setting(4, 1 << 31), ErrorCode.FLOW_CONTROL_ERROR),
    ("a frame size under the minimum", setting(5, 16_383), ErrorCode.PROTOCOL_ERROR),
    ("a frame size over the maximum", setting(5, 1 << 24), ErrorCode.PROTOCOL_ERROR),
    ("PUSH_PROMISE", frame(PUSH_PROMISE, END_HEADERS, 1, bytes(8)), ErrorCode.PROTOCOL_ERROR),
    ("PING on a stream", frame(PING, 0, 1, bytes(8)), ErrorCode.PROTOCOL_ERROR),
    ("PING of seven bytes", frame(PING, 0, 0, bytes(7)), ErrorCode.FRAME_SIZE_ERROR),
    ("GOAWAY on a stream", frame(GOAWAY, 0, 1, bytes(8)), ErrorCode.PROTOCOL_ERROR),
    ("GOAWAY of seven bytes", frame(GOAWAY, 0, 0, bytes(7)), ErrorCode.FRAME_SIZE_ERROR),
    ("WINDOW_UPDATE of nothing", window_update(0, 0), ErrorCode.PROTOCOL_ERROR),
    (
        "WINDOW_UPDATE of three bytes",
        frame(WINDOW_UPDATE, 0, 0, bytes(3)),
        ErrorCode.FRAME_SIZE_ERROR,
    ),
    ("WINDOW_UPDATE on an idle stream", window_update(5, 1), ErrorCode.PROTOCOL_ERROR),
    ("a connection window overflow", window_update(0, HUGE), ErrorCode.FLOW_CONTROL_ERROR),
    (
        "CONTINUATION without HEADERS",
        frame(CONTINUATION, END_HEADERS, 1),
        ErrorCode.PROTOCOL_ERROR,
    ),
    (
        "CONTINUATION of another stream",
        frame(HEADERS, 0, 3, block()) + frame(CONTINUATION, END_HEADERS, 5),
        ErrorCode.PROTOCOL_ERROR,
    ),
    (
        "DATA inside of a header block",
        frame(HEADERS, 0, 3, block()) + data(1, b"x"),
        ErrorCode.PROTOCOL_ERROR,
    ),
    (
        "an unknown frame inside of a header block",
        frame(HEADERS, 0, 3, block()) + frame(0xBE, 0, 3),
        ErrorCode.PROTOCOL_ERROR,
    ),
    (
        "HEADERS on a closed stream",
        end(1) + open_stream(1),
        ErrorCode.STREAM_CLOSED,
    ),
]

STREAM_ERRORS = [
    ("DATA after the end", end(1) + data(1, b"x"), ErrorCode.STREAM_CLOSED),
    ("trailers after the end", end(1) + open_stream(1, flags=END_STREAM), ErrorCode.STREAM_CLOSED),
    ("PRIORITY of four bytes", frame(PRIORITY, 0, 1, bytes(4)), ErrorCode.FRAME_SIZE_ERROR),
    ("WINDOW_UPDATE of nothing", window_update(1, 0), ErrorCode.PROTOCOL_ERROR),
    ("a stream window overflow", window_update(1, HUGE), ErrorCode.FLOW_CONTROL_ERROR),
    (
        "trailers with pseudo headers",
        open_stream(1, flags=END_STREAM),
        ErrorCode.PROTOCOL_ERROR,
    ),
    (
        "trailers that are not the end",
        frame(HEADERS, END_HEADERS, 1, block([("x", "y")])),
        ErrorCode.PROTOCOL_ERROR,
    ),
]


@pytest.mark.parametrize(
    ("sent", "code"),
    [case[1:] for case in CONNECTION_ERRORS],
    ids=[c[0] for c in CONNECTION_ERRORS],
)
def test_a_connection_error_says_goaway_and_ends_all(sent: bytes, code: ErrorCode) -> None:
    peer = Peer()
    # It ends at the half-close, so that stream 1 can be closed.
    peer.say(open_stream(1, LAST_WORD))
    assert connection_error(peer.say(sent)) is code
    assert peer.machine.is_finished
    assert peer.journal.rpcs[0].events[-1] == "close"
    assert peer.journal.closed == len(peer.journal.rpcs)
    assert peer.say(frame(PING, 0, 0, bytes(8))) == []


@pytest.mark.parametrize(
    ("sent", "code"), [case[1:] for case in STREAM_ERRORS], ids=[case[0] for case in STREAM_ERRORS]
)
def test_a_stream_error_resets_that_stream_only(sent: bytes, code: ErrorCode) -> None:
    peer = Peer()
    peer.say(open_stream(1, SILENT))
    assert stream_errors(peer.say(sent)) == [(1, code)]
    assert peer.journal.rpcs[0].events[-1] == "close"
    assert messages_of(peer.say(open_stream(3), data(3, message(b"next"))), 3) == [b"next"]


@pytest.mark.parametrize(
    "start", [b"GET / HTTP/1.1\r\n\r\n", PREFACE[:-1] + b"x", PREFACE + frame(PING, 0, 0, bytes(8))]
)
def test_a_wrong_start_is_a_protocol_error(start: bytes) -> None:
    peer = Peer(start=start)
    assert connection_error(peer.start_answers) is ErrorCode.PROTOCOL_ERROR


def test_the_first_settings_must_not_be_an_ack() -> None:
    peer = Peer(start=PREFACE + frame(SETTINGS, ACK, 0))
    assert connection_error(peer.start_answers) is ErrorCode.PROTOCOL_ERROR


def test_the_greeting_forbids_a_dynamic_table_and_opens_the_windows() -> None:
    limits = Limits(stream_window_bytes=1 << 20, connection_window_bytes=2 << 20)
    sent, window = Peer(limits=limits).greeting
    values = dict(SETTING.iter_unpack(sent.payload))
    assert values[Setting.HEADER_TABLE_SIZE] == 0
    assert values[Setting.INITIAL_WINDOW_SIZE] == 1 << 20
    assert window.word == (2 << 20) - 65_535


def test_settings_and_pings_are_acknowledged() -> None:
    peer = Peer()
    answers = peer.say(settings_frame(()), frame(PING, 0, 0, b"12345678"))
    assert [(each.kind, each.flags, each.payload) for each in answers] == [
        (SETTINGS, ACK, b""),
        (PING, ACK, b"12345678"),
    ]
    assert peer.say(frame(PING, ACK, 0, bytes(8))) == []


def test_what_need_not_be_understood_is_ignored() -> None:
    peer = Peer()
    ignored = frame(0xBE, 0xFF, 7, b"?") + frame(PRIORITY, 0, 9, bytes(5)) + setting(0x99, 7)
    answers = peer.say(ignored, open_stream(1), data(1, message(b"hi")))
    assert messages_of(answers, 1) == [b"hi"]


def test_padding_priority_and_continuation_are_understood() -> None:
    peer = Peer()
    encoded = block()
    first = b"\x04" + bytes(5) + encoded[:10] + bytes(4)
    answers = peer.say(
        frame(HEADERS, PADDED | WITH_PRIORITY, 1, first),
        frame(CONTINUATION, 0, 1, encoded[10:20]),
        frame(CONTINUATION, END_HEADERS, 1, encoded[20:]),
        data(1, b"\x07" + message(b"padded") + bytes(7), PADDED),
        data(1, b"\x02\0\0", PADDED | END_STREAM),
    )
    assert messages_of(answers, 1) == [b"padded"]
    assert peer.journal.rpcs[0].events == ["message", "half close", "close"]


def test_the_reserved_bit_of_a_stream_id_is_ignored() -> None:
    peer = Peer()
    answers = peer.say(open_stream(1 | 1 << 31), data(1 | 1 << 31, message(b"hi")))
    assert messages_of(answers, 1) == [b"hi"]


def test_trailers_are_a_half_close() -> None:
    peer = Peer()
    trailers = frame(HEADERS, END_HEADERS | END_STREAM, 1, block([("x-checksum", "1")]))
    peer.say(open_stream(1), data(1, message(b"hi")), trailers)
    assert peer.journal.rpcs[0].events == ["message", "half close", "close"]


def test_an_rpc_is_answered_with_headers_messages_and_trailers() -> None:
    peer = Peer()
    answers = peer.say(open_stream(1), data(1, message(b"hi"), END_STREAM))
    head, body, tail = answers
    assert dict(peer.decoder.decode(head.payload)) == {  # type: ignore[arg-type]
        ":status": "200",
        "content-type": "application/grpc",
    }
    assert body.payload == message(b"hi")
    assert dict(peer.decoder.decode(tail.payload)) == {"grpc-status": "0"}  # type: ignore[arg-type]
    assert (head.flags, body.flags, tail.flags) == (END_HEADERS, 0, END_HEADERS | END_STREAM)


def test_an_answer_to_the_last_message_is_no_early_end() -> None:
    peer = Peer()
    sent = open_stream(1, REFUSE) + data(1, message(b"whole request"), END_STREAM)
    assert stream_errors(peer.say(sent)) == []
    assert peer.journal.rpcs[0].events == ["message", "close"]


def test_an_early_end_tells_the_client_to_stop() -> None:
    peer = Peer()
    answers = peer.say(open_stream(1, EAGER))
    assert stream_errors(answers) == [(1, ErrorCode.NO_ERROR)]
    in_flight = data(1, message(b"was on its way")) + end(1)
    assert peer.say(in_flight) == []
    assert peer.journal.rpcs[0].events == ["close"]


@pytest.mark.parametrize("announced", ["7", "9"])
def test_a_wrong_content_length_resets_the_stream(announced: str) -> None:
    peer = Peer()
    sent = open_stream(1, SILENT, content_length=announced) + data(1, message(b"abc"), END_STREAM)
    assert stream_errors(peer.say(sent)) == [(1, ErrorCode.PROTOCOL_ERROR)]


def test_the_right_content_length_passes() -> None:
    peer = Peer()
    sent = open_stream(1, content_length="8") + data(1, message(b"abc"), END_STREAM)
    assert messages_of(peer.say(sent), 1) == [b"abc"]


# Endings


def test_a_reset_closes_its_stream_once() -> None:
    peer = Peer()
    peer.say(open_stream(1, SILENT), rst_stream(1, ErrorCode.CANCEL))
    assert peer.journal.rpcs[0].events == ["close"]
    assert peer.say(rst_stream(1, ErrorCode.CANCEL), window_update(1, 5)) == []
    assert stream_errors(peer.say(data(1, b"x"))) == [(1, ErrorCode.STREAM_CLOSED)]
    peer.machine.lost()
    assert peer.journal.rpcs[0].events == ["close"]


def test_a_lost_connection_closes_every_stream() -> None:
    peer = Peer()
    peer.say(open_stream(1, SILENT), open_stream(3, SILENT))
    peer.machine.lost()
    assert [rpc.events for rpc in peer.journal.rpcs] == [["close"], ["close"]]


def test_goaway_in_the_middle_lets_running_streams_finish() -> None:
    peer = Peer()
    peer.say(open_stream(1), data(1, message(b"one")))
    (answer,) = peer.say(goaway(0, ErrorCode.NO_ERROR))
    assert answer.kind == GOAWAY
    assert not peer.machine.is_finished
    assert messages_of(peer.say(data(1, message(b"two"))), 1) == [b"two"]
    assert stream_errors(peer.say(open_stream(3))) == [(3, ErrorCode.REFUSED_STREAM)]
    peer.say(end(1))
    assert peer.machine.is_finished
    assert peer.journal.rpcs[0].events == ["message", "message", "half close", "close"]


def test_draining_takes_one_round_trip_before_it_refuses() -> None:
    peer = Peer()
    peer.say(open_stream(1))
    peer.machine.drain()
    assert peer.wakes == 1
    announced, ping = peer.take()
    assert (announced.kind, announced.word) == (GOAWAY, ID_MASK)
    assert messages_of(peer.say(open_stream(3), data(3, message(b"in flight"))), 3) != []
    (final,) = peer.say(frame(PING, ACK, 0, ping.payload))
    assert (final.kind, final.word) == (GOAWAY, 3)
    assert stream_errors(peer.say(open_stream(5))) == [(5, ErrorCode.REFUSED_STREAM)]
    peer.say(end(1), end(3))
    assert peer.machine.is_finished


def test_too_many_streams_are_refused_and_the_others_live() -> None:
    peer = Peer(limits=Limits(concurrent_streams=2))
    frames = peer.say(open_stream(1), open_stream(3), open_stream(5), data(3, message(b"hi")))
    assert stream_errors(frames) == [(5, ErrorCode.REFUSED_STREAM)]
    assert messages_of(frames, 3) == [b"hi"]


def test_a_finished_rpc_leaves_nothing_to_the_garbage_collector() -> None:
    alive: list[weakref.ref[Echo]] = []

    def factory(call: Call) -> Echo:
        service = Echo(call, Journal())
        alive.append(weakref.ref(service))
        return service

    peer = Peer(methods={ECHO: factory})
    gc.disable()
    try:
        peer.say(open_stream(1), data(1, message(b"hi")))
        assert alive[0]() is not None
        peer.say(end(1))
        assert alive[0]() is None
    finally:
        gc.enable()


FLOODS = [
    ("pings", frame(PING, 0, 0, bytes(8))),
    ("settings", settings_frame(())),
    ("priorities", frame(PRIORITY, 0, 1, bytes(5))),
    ("unknown frames", frame(0xBE, 0, 0)),
    ("empty data", data(1, b"")),
    ("padding only", data(1, b"\x01\0", PADDED)),
]


@pytest.mark.parametrize("flood", [case[1] for case in FLOODS], ids=[case[0] for case in FLOODS])
def test_a_flood_ends_the_connection(flood: bytes) -> None:
    peer = Peer(limits=Limits(overhead_burst=100, overhead_per_second=10))
    answers = peer.say(open_stream(1, SILENT), flood * 99)
    assert not peer.machine.is_finished
    peer.clock.now += 1
    peer.say(flood * 10)
    assert not peer.machine.is_finished, "the allowance grows with time"
    answers = peer.say(flood * 2)
    assert connection_error(answers) is ErrorCode.ENHANCE_YOUR_CALM


def test_rapid_resets_end_the_connection() -> None:
    peer = Peer(limits=Limits(resets_burst=50, resets_per_second=1))
    answers = [
        each
        for sid in range(1, 105, 2)
        for each in peer.say(open_stream(sid), rst_stream(sid, ErrorCode.CANCEL))
    ]
    assert connection_error(answers) is ErrorCode.ENHANCE_YOUR_CALM
    assert peer.journal.closed == len(peer.journal.rpcs) == 51


def test_resets_of_answered_calls_are_the_way_of_envoy_and_cost_nothing() -> None:
    peer = Peer(limits=Limits(resets_burst=50, resets_per_second=1))
    for sid in range(1, 405, 2):
        answers = peer.say(open_stream(sid), data(sid, message(b"x")))
        assert messages_of(answers, sid) == [b"x"]
        assert peer.say(rst_stream(sid, ErrorCode.NO_ERROR)) == []
    assert peer.journal.closed == len(peer.journal.rpcs) == 202


def test_resets_that_the_peer_makes_us_send_count_as_its_own() -> None:
    peer = Peer(limits=Limits(resets_burst=50, resets_per_second=1))
    answers = [
        each
        for sid in range(1, 105, 2)
        for each in peer.say(open_stream(sid), window_update(sid, 0))
    ]
    assert connection_error(answers) is ErrorCode.ENHANCE_YOUR_CALM


def test_a_dribble_of_window_ends_the_connection() -> None:
    limits = Limits(overhead_burst=100, overhead_per_second=1)
    peer = Peer(limits=limits, start=PREFACE + setting(4, 0) + frame(SETTINGS, ACK, 0))
    peer.say(open_stream(1), data(1, message(bytes(1_000))))
    answers = peer.say(window_update(1, 1) * 101)
    assert connection_error(answers) is ErrorCode.ENHANCE_YOUR_CALM


# Cuts

RECORDED = b"".join(
    (
        PREFACE,
        settings_frame(((Setting.INITIAL_WINDOW_SIZE, 1 << 20),)),
        frame(SETTINGS, ACK, 0),
        window_update(0, 1 << 20),
        open_stream(1),
        data(1, message(b"one") + message(b"two")[:3]),
        frame(HEADERS, PADDED, 3, b"\x03" + block()[:20] + bytes(3)),
        frame(CONTINUATION, END_HEADERS, 3, block()[20:]),
        data(1, message(b"two")[3:6]),
        data(3, b"\x05" + message(b"padded") + bytes(5), PADDED),
        frame(PING, 0, 0, b"12345678"),
        data(1, message(b"two")[6:], END_STREAM),
        open_stream(5, REFUSE),
        data(5, message(b"?"), END_STREAM),
        open_stream(7, LAST_WORD),
        *(data(7, piece) for piece in cut(message(bytes(40_000)), 9_000)),
        open_stream(9, "/test.Service/Missing"),
        open_stream(11, SILENT),
        rst_stream(11, ErrorCode.CANCEL),
        end(7),
        goaway(0, ErrorCode.NO_ERROR),
        data(3, message(b"last"), END_STREAM),
    )
)


def replay(pieces: list[bytes]) -> object:
    """What each stream was sent and each service saw; streams may interleave as they like."""
    peer = Peer(start=b"")
    sent = []
    for piece in pieces:
        sent += peer.say(piece)
    assert peer.machine.is_finished
    streams = {each.stream_id for each in sent}
    others = [each for each in sent if each.kind != DATA]
    return (
        {stream_id: messages_of(sent, stream_id) for stream_id in streams},
        {stream_id: [e for e in others if e.stream_id == stream_id] for stream_id in streams},
        [(rpc.events, rpc.messages) for rpc in peer.journal.rpcs],
    )


@settings(deadline=None, max_examples=200)
@given(st.lists(st.integers(0, len(RECORDED)), max_size=40))
def test_cuts_do_not_matter(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(RECORDED)]
    pieces = [RECORDED[start:stop] for start, stop in itertools.pairwise(edges)]
    assert replay(pieces) == replay([RECORDED])


def test_not_even_single_bytes_matter() -> None:
    assert replay([bytes((octet,)) for octet in RECORDED]) == replay([RECORDED])


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=200), st.integers(0, len(RECORDED)), st.integers(0, 30))
def test_garbage_never_escapes_the_machine(garbage: bytes, position: int, dropped: int) -> None:
    peer = Peer(start=b"")
    peer.say(RECORDED[:position] + garbage + RECORDED[position + dropped :])
    peer.machine.lost()
    assert peer.journal.closed == len(peer.journal.rpcs)
    assert all(rpc.events.count("close") == 1 for rpc in peer.journal.rpcs)
    assert peer.machine.outbox.queued_bytes == peer.machine.outbox.held_bytes == 0
