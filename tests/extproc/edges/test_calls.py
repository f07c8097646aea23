"""Flow control both ways, and answers that must wait."""

from __future__ import annotations

import pytest

from extproc.edges.calls import BATCH_BYTES
from extproc.edges.frames import (
    ACK,
    DATA,
    END_STREAM,
    PADDED,
    PING,
    PREFACE,
    SETTINGS,
    WINDOW_UPDATE,
    ErrorCode,
    Setting,
    frame,
    window_update,
)
from extproc.edges.service import Limits
from tests.extproc.edges.peer import (
    START,
    WIDE,
    Peer,
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
from tests.extproc.edges.services import LAST_WORD, REFUSE, SILENT


def test_our_windows_are_replenished() -> None:
    peer = Peer(limits=Limits(stream_window_bytes=100_000, connection_window_bytes=200_000))
    body = message(bytes(1_000_000))
    peer.say(open_stream(1, SILENT))
    granted = {0: 200_000, 1: 100_000}
    for piece in cut(body):
        for each in peer.say(data(1, piece)):
            assert each.kind == WINDOW_UPDATE
            granted[each.stream_id] += each.word
        granted = {key: value - len(piece) for key, value in granted.items()}
        assert min(granted.values()) > 16_384
    assert peer.journal.rpcs[0].messages == [bytes(1_000_000)]


def test_padding_counts_towards_the_windows() -> None:
    peer = Peer(limits=Limits(stream_window_bytes=1_000, connection_window_bytes=100_000))
    padded = data(1, b"\xff" + bytes(255), PADDED)
    updates = [each for each in peer.say(open_stream(1, SILENT), padded * 3) if each.stream_id == 1]
    assert [each.word for each in updates] == [512]


def test_a_peer_over_the_stream_window_is_reset() -> None:
    peer = Peer(limits=Limits(stream_window_bytes=1_000))
    frames = peer.say(open_stream(1, SILENT), data(1, message(bytes(2_000))))
    assert stream_errors(frames) == [(1, ErrorCode.FLOW_CONTROL_ERROR)]


def test_the_peers_windows_are_respected() -> None:
    peer = Peer()
    body = bytes(range(256)) * 800
    sent = peer.say(open_stream(1, LAST_WORD), *(data(1, piece) for piece in cut(message(body))))
    sent = peer.say(end(1))
    assert sum(len(each.payload) for each in sent if each.kind == DATA) == 65_535
    assert peer.say(window_update(1, 100_000)) == [], "the connection's window is still closed"
    sent += peer.say(window_update(0, 100_000))
    assert sum(len(each.payload) for each in sent if each.kind == DATA) == 165_535
    assert peer.journal.closed == 0
    sent += peer.say(window_update(0, 100_000), window_update(1, 100_000))
    assert messages_of(sent, 1) == [body]
    assert sent[-1].flags & END_STREAM
    assert peer.journal.closed == 1
    assert max(len(each.payload) for each in sent) <= 16_384


def test_the_peers_frame_size_is_used() -> None:
    start = PREFACE + setting(Setting.MAX_FRAME_SIZE, 30_000) + WIDE + frame(SETTINGS, ACK, 0)
    peer = Peer(start=start)
    pieces = [data(1, piece) for piece in cut(message(bytes(50_000)))]
    sent = [each for each in peer.say(open_stream(1), *pieces) if each.kind == DATA]
    assert [len(each.payload) for each in sent] == [30_000, 20_005]


@pytest.mark.parametrize("size", [16_379, 16_380, 32_763, 32_764, BATCH_BYTES - 5, BATCH_BYTES])
def test_long_answers_arrive_whole(size: int) -> None:
    peer = Peer()
    body = (bytes(range(251)) * (size // 251 + 1))[:size]
    sent = peer.say(window_update(0, 1 << 20), open_stream(1), window_update(1, 1 << 20))
    sent += peer.say(*(data(1, piece) for piece in cut(message(body))))
    sent += peer.say(data(1, message(b"behind it")), end(1))
    assert messages_of(sent, 1) == [body, b"behind it"]
    assert max(len(each.payload) for each in sent) <= 16_384


def test_a_changed_initial_window_applies_to_open_streams() -> None:
    peer = Peer(start=PREFACE + setting(Setting.INITIAL_WINDOW_SIZE, 10) + frame(SETTINGS, ACK, 0))
    sent = peer.say(open_stream(1), data(1, message(b"0123456789")))
    assert [len(each.payload) for each in sent if each.kind == DATA] == [10]
    assert peer.say(setting(Setting.INITIAL_WINDOW_SIZE, 5))[0].flags == ACK
    assert peer.say(window_update(1, 5)) == [], "the window was 5 below zero"
    (piece,) = (each for each in peer.say(setting(4, 10)) if each.kind == DATA)
    assert piece.payload == b"56789"


def test_waiting_streams_share_the_window() -> None:
    peer = Peer(start=START + WIDE)
    for stream_id in (1, 3):
        pieces = [data(stream_id, piece) for piece in cut(message(bytes(200_000)))]
        peer.say(open_stream(stream_id), *pieces)
    sent = peer.say(window_update(0, 16_384 * 4))
    order = [each.stream_id for each in sent if each.kind == DATA]
    assert order in ([1, 3, 1, 3], [3, 1, 3, 1])


def test_a_stream_that_is_not_read_is_reset_at_the_limit() -> None:
    peer = Peer(limits=Limits(unsent_stream_bytes=100_000))
    frames = peer.say(open_stream(1), *(data(1, message(bytes(16_000))) for _ in range(20)))
    assert stream_errors(frames)[0] == (1, ErrorCode.CANCEL)
    assert peer.journal.rpcs[0].events[-1] == "close"
    assert peer.journal.closed == 1
    assert peer.machine.outbox.queued_bytes == 0


def test_a_connection_that_is_not_read_is_closed_at_the_limit() -> None:
    peer = Peer(limits=Limits(unsent_connection_bytes=500_000))
    frames = [each for sid in range(1, 101, 2) for each in peer.say(_unread_echo(sid))]
    assert connection_error(frames) is ErrorCode.ENHANCE_YOUR_CALM
    assert peer.machine.is_finished
    assert peer.journal.closed == len(peer.journal.rpcs)


def _unread_echo(stream_id: int) -> bytes:
    return open_stream(stream_id) + data(stream_id, message(bytes(16_000))) * 2


def test_a_paused_transport_gets_no_more_data() -> None:
    peer = Peer(start=START + WIDE)
    peer.machine.outbox.is_paused = True
    sent = peer.say(open_stream(1), data(1, message(b"one")), frame(PING, 0, 0, bytes(8)), end(1))
    assert [each.kind for each in sent] == [PING]
    peer.machine.outbox.is_paused = False
    sent = peer.take()
    assert messages_of(sent, 1) == [b"one"]
    assert sent[-1].flags & END_STREAM


def test_an_answer_from_outside_wakes_the_driver_once() -> None:
    peer = Peer()
    peer.say(open_stream(1, SILENT))
    assert peer.wakes == 0
    call = peer.journal.rpcs[0].call
    call.send(b"one")
    call.send(b"two")
    call.end()
    assert peer.wakes == 1
    assert messages_of(peer.take(), 1) == [b"one", b"two"]


def test_after_the_end_nothing_is_sent() -> None:
    peer = Peer()
    answers = peer.say(open_stream(1, REFUSE), data(1, message(b"hi")))
    assert messages_of(answers, 1) == []
    assert peer.journal.rpcs[0].events == ["message", "close"]
