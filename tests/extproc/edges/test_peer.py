"""Both ends of a connection, each against `h2`, which others wrote, and against each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes
from hypothesis import given
from hypothesis import strategies as st

from extproc.edges.frames import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PREFACE,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    WORD,
    frame,
    goaway,
)
from extproc.edges.peer import CONNECTION_WINDOW, HEADER_LIST_BYTES, MOST_STREAMS, Peer, encoded
from extproc.edges.stream import Fields, Stream

GET: Fields = ((":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/x"))
POST: Fields = ((":method", "POST"), *GET[1:])
OK: Fields = ((":status", "200"), ("content-type", "text/event-stream"))


@dataclass
class Heard:
    """What a stream told."""

    heads: list[dict[str, str]] = field(default_factory=list)
    data: bytes = b""
    is_ended: bool = False
    broken: list[tuple[str, bool]] = field(default_factory=list)
    relieved_times: int = 0
    stream: Stream | None = None
    consumes: bool = True

    def headed(self, fields: Fields) -> None:
        self.heads.append(dict(fields))

    def received(self, data: bytes) -> None:
        self.data += data
        if self.stream is not None and self.consumes:
            self.stream.consumed(len(data))

    def ended(self) -> None:
        self.is_ended = True

    def broke(self, why: str, *, is_unseen: bool) -> None:
        self.broken.append((why, is_unseen))

    def relieved(self) -> None:
        self.relieved_times += 1


def nobody() -> None:
    """Drivers are not needed."""


class Served:
    """A server of ours: what came to it."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.peer = Peer(nobody, self._accept)

    def _accept(self, stream: Stream) -> Heard:
        self.heard.append(Heard(stream=stream))
        return self.heard[-1]


def talk(one: Peer, other: Peer) -> None:
    """Until neither has anything to say."""
    said = True
    while said:
        said = False
        for speaks, hears in ((one, other), (other, one)):
            if data := speaks.take():
                hears.receive(data)
                said = True


def asked(client: Peer, fields: Fields = GET, body: bytes = b"") -> Heard:
    heard = Heard()
    heard.stream = client.open(fields, body, heard)
    return heard


def pair() -> tuple[Peer, Served]:
    client, served = Peer(nobody), Served()
    talk(client, served.peer)
    return client, served


# Against h2


def h2_client() -> H2Connection:
    made = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
    made.initiate_connection()
    return made


@given(st.integers(1, 5000), st.binary(max_size=200), st.integers(0, 90_000))
def test_our_server_understands_h2_however_bytes_are_cut(cut: int, name: bytes, size: int) -> None:
    served, client = Served(), h2_client()
    client.receive_data(served.peer.take())
    client.send_headers(1, [*POST, ("x-a", name.hex())])
    left = bytes(size)
    data = b""
    while left:
        room = min(client.local_flow_control_window(1), 16_384)
        client.send_data(1, left[:room])
        left = left[room:]
        data += client.data_to_send()
        if not room:
            data = deliver(served, client, data, cut)
    client.end_stream(1)
    deliver(served, client, data + client.data_to_send(), cut)
    (heard,) = served.heard
    assert heard.heads == [{**dict(POST), "x-a": name.hex()}]
    assert (heard.data, heard.is_ended) == (bytes(size), True)


def deliver(served: Served, client: H2Connection, data: bytes, cut: int) -> bytes:
    for start in range(0, len(data), cut):
        served.peer.receive(data[start : start + cut])
    client.receive_data(served.peer.take())
    return b""


@given(st.integers(1, 5000), st.integers(0, 200_000), st.integers(0, 70_000))
def test_our_client_understands_h2_and_its_windows(cut: int, size: int, window: int) -> None:
    client = Peer(nobody)
    server = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
    server.initiate_connection()
    server.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: window})
    server.receive_data(client.take())
    client.receive(server.data_to_send())
    server.receive_data(client.take())
    heard = asked(client, POST, bytes(size))
    got, is_ended = 0, False
    while not is_ended:
        data = client.take()
        assert data or window, "nothing moves"
        events = server.receive_data(data)
        got += sum(len(each.data) for each in events if isinstance(each, DataReceived))
        is_ended = any(isinstance(each, StreamEnded) for each in events)
        heads = [each.headers for each in events if isinstance(each, RequestReceived)]
        assert all(dict(each) == dict(POST) for each in heads)
        if not is_ended:
            server.increment_flow_control_window(20_000)
            if 1 in server.streams:
                server.increment_flow_control_window(20_000, 1)
        said = server.data_to_send()
        for start in range(0, len(said), cut):
            client.receive(said[start : start + cut])
    assert got == size
    server.send_headers(1, OK)
    server.send_data(1, b"one", end_stream=True)
    client.receive(server.data_to_send())
    assert (heard.heads, heard.data, heard.is_ended) == ([dict(OK)], b"one", True)
    assert not client.streams


def test_h2_takes_our_resets() -> None:
    client = Peer(nobody)
    server = H2Connection(H2Configuration(client_side=False))
    server.initiate_connection()
    heard = asked(client)
    assert heard.stream is not None
    heard.stream.reset()
    events = server.receive_data(client.take())
    assert [each.stream_id for each in events if isinstance(each, StreamReset)] == [1]
    assert not client.streams


# Against each other


def test_requests_and_answers_pass_each_other() -> None:
    client, served = pair()
    one, two = asked(client), asked(client, POST, b"body")
    talk(client, served.peer)
    first, second = served.heard
    assert (first.is_ended, second.is_ended, second.data) == (True, True, b"body")
    assert second.stream is not None
    assert first.stream is not None
    second.stream.head(OK)
    second.stream.write(b"two")
    second.stream.end()
    first.stream.head(OK)
    first.stream.write(b"one")
    talk(client, served.peer)
    assert (two.data, two.is_ended, one.data, one.is_ended) == (b"two", True, b"one", False)
    assert list(client.streams) == list(served.peer.streams) == [1]


def test_headers_larger_than_a_frame_pass() -> None:
    client, served = pair()
    large = ("x-large", "x" * 50_000)
    heard = asked(client, (*GET, large))
    talk(client, served.peer)
    assert served.heard[0].heads == [dict((*GET, large))]
    assert served.heard[0].stream is not None
    served.heard[0].stream.head((*OK, large), is_end=True)
    talk(client, served.peer)
    assert (heard.heads, heard.is_ended) == ([dict((*OK, large))], True)


def test_who_does_not_take_is_sent_one_window_and_then_the_rest() -> None:
    client, served = pair()
    heard = asked(client)
    heard.consumes = False
    talk(client, served.peer)
    stream = served.heard[0].stream
    assert stream is not None
    stream.head(OK)
    for _ in range(20):
        stream.write(b"x" * 10_000)
    talk(client, served.peer)
    assert (len(heard.data), stream.is_congested) == (65_535, True)
    assert served.heard[0].relieved_times == 0
    assert heard.stream is not None
    while len(heard.data) < 200_000:
        heard.stream.consumed(60_000)
        talk(client, served.peer)
    assert (len(heard.data), stream.is_congested) == (200_000, False)
    assert served.heard[0].relieved_times == 1


def test_a_transport_that_is_full_gets_no_data_until_it_is_not() -> None:
    client, served = pair()
    heard = asked(client)
    talk(client, served.peer)
    stream = served.heard[0].stream
    assert stream is not None
    served.peer.is_paused = True
    stream.head(OK)
    stream.write(b"one")
    talk(client, served.peer)
    assert (heard.heads, heard.data) == ([dict(OK)], b"")
    served.peer.resume()
    talk(client, served.peer)
    assert heard.data == b"one"


def test_many_streams_share_the_window_of_their_connection() -> None:
    client, served = pair()
    heard = [asked(client) for _ in range(300)]
    talk(client, served.peer)
    for each in served.heard:
        assert each.stream is not None
        each.stream.head(OK)
        each.stream.write(b"x" * 60_000)
        each.stream.end()
    talk(client, served.peer)
    assert CONNECTION_WINDOW < 300 * 60_000
    assert {(len(each.data), each.is_ended) for each in heard} == {(60_000, True)}


def test_an_answer_before_the_end_of_its_request_ends_that_too() -> None:
    client, served = pair()
    heard = asked(client, POST, bytes(500_000))
    served.peer.receive(client.take())
    stream = served.heard[0].stream
    served.heard[0].consumes = False
    assert stream is not None
    stream.head(((":status", "413"),), is_end=True)
    client.receive(served.peer.take())
    assert (heard.heads, heard.is_ended, heard.broken) == ([{":status": "413"}], True, [])
    talk(client, served.peer)
    assert not client.streams
    assert not served.peer.streams


def test_informational_answers_and_trailers_are_passed_over() -> None:
    client, served = pair()
    heard = asked(client)
    talk(client, served.peer)
    stream = served.heard[0].stream
    assert stream is not None
    stream.head(((":status", "103"),))
    stream.head(OK)
    stream.head((("x-checksum", "1"),), is_end=True)
    talk(client, served.peer)
    assert (heard.heads, heard.is_ended) == ([dict(OK)], True)


def test_who_goes_away_is_told_of() -> None:
    client, served = pair()
    heard = asked(client)
    talk(client, served.peer)
    assert heard.stream is not None
    heard.stream.reset()
    talk(client, served.peer)
    assert served.heard[0].broken == [("reset, 8", False)]
    assert not served.peer.streams
    assert heard.broken == []


def test_a_connection_that_is_lost_breaks_all_its_streams() -> None:
    client, served = pair()
    heard = [asked(client), asked(client)]
    client.lost("gone")
    assert [each.broken for each in heard] == [[("gone", False)]] * 2
    assert (client.room, client.is_finished) == (0, True)
    client.receive(served.peer.take())  # nobody hears it


def test_a_server_that_leaves_ends_what_is_under_way_and_takes_nothing_new() -> None:
    client, served = pair()
    heard = asked(client)
    talk(client, served.peer)
    served.peer.leave()
    late = asked(client)
    talk(client, served.peer)
    assert late.broken == [("the connection is closed", True)]
    assert (client.room, served.peer.is_finished, heard.broken) == (0, False, [])
    assert served.heard[0].stream is not None
    served.heard[0].stream.head(OK, is_end=True)
    talk(client, served.peer)
    assert heard.is_ended
    assert served.peer.is_finished
    assert client.is_finished


def test_more_streams_than_are_allowed_can_be_asked_for_again_elsewhere() -> None:
    client, served = pair()
    heard = [asked(client) for _ in range(MOST_STREAMS)]
    assert client.room == 0
    late = asked(client)  # it would have to wait
    talk(client, served.peer)
    assert late.broken == [("reset, 7", True)]
    assert not any(each.broken for each in heard)


# What a peer may not say


def raw_server() -> Served:
    served = Served()
    served.peer.receive(PREFACE + frame(SETTINGS, 0, 0))
    served.peer.take()
    return served


BLOCK = encoded(GET)
REQUEST = frame(HEADERS, END_HEADERS, 1, BLOCK)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (frame(DATA, 0, 1, b"x"), b"idle stream 1"),
        (frame(HEADERS, END_HEADERS, 2, BLOCK), b"a request on stream 2"),
        (frame(HEADERS, 0, 1, BLOCK) + frame(PING, 0, 0, bytes(8)), b"broken up"),
        (frame(HEADERS, 0, 1, BLOCK) + frame(CONTINUATION, 0, 3, b""), b"of another stream"),
        (frame(CONTINUATION, 0, 1, b""), b"broken up"),
        (frame(PUSH_PROMISE, 0, 1, bytes(4)), b"PUSH_PROMISE"),
        (frame(HEADERS, END_HEADERS, 1, b"\xff\xff\xff"), b"header block"),
        (frame(DATA, 0, 1, bytes(20_000)), b"frame of 20000 bytes"),
        (frame(SETTINGS, 0, 0, bytes(5)), b"SETTINGS"),
        (frame(GOAWAY, 0, 0, bytes(5)), b"GOAWAY"),
        (frame(PING, 0, 0, bytes(5)), b"PING"),
        (frame(WINDOW_UPDATE, 0, 0, WORD.pack(0x7FFFFFFF)), b"a window too large"),
        (frame(SETTINGS, 0, 0, b"\0\4\x80\0\0\0"), b"initial window too large"),
    ],
)
def test_a_peer_that_breaks_the_rules_is_told_why_and_left(said: bytes, reason: bytes) -> None:
    served = raw_server()
    served.peer.receive(said)
    assert reason in served.peer.take()
    assert served.peer.is_finished


def test_what_does_not_begin_as_http_2_is_left() -> None:
    served = Served()
    served.peer.receive(b"GET / HTTP/1.1\r\n\r\n")
    assert b"not an HTTP/2 preface" in served.peer.take()


def test_a_header_block_without_end_is_not_kept() -> None:
    served = raw_server()
    served.peer.receive(frame(HEADERS, 0, 1, BLOCK))
    for _ in range(HEADER_LIST_BYTES // 10_000 + 1):
        served.peer.receive(frame(CONTINUATION, 0, 1, bytes(10_000)))
    assert b"too large" in served.peer.take()


@pytest.mark.parametrize("fields", [(*GET, ("X-A", "1")), (*GET, ("connection", "close"))])
def test_a_malformed_request_is_reset_and_others_go_on(fields: Fields) -> None:
    served = raw_server()
    served.peer.receive(frame(HEADERS, END_HEADERS, 1, encoded(fields)))
    served.peer.receive(frame(HEADERS, END_HEADERS | END_STREAM, 3, BLOCK))
    assert frame(RST_STREAM, 0, 1, WORD.pack(1)) in served.peer.take()
    assert served.heard[0].broken
    assert served.heard[1].is_ended


def test_who_sends_more_than_the_window_of_a_stream_is_reset() -> None:
    served = raw_server()
    served.peer.receive(REQUEST)
    served.heard[0].consumes = False
    for _ in range(5):
        served.peer.receive(frame(DATA, 0, 1, bytes(16_000)))
    assert served.heard[0].broken == [("HTTP/2: FLOW_CONTROL_ERROR", False)]


def test_padding_is_taken_off_and_counted() -> None:
    served = raw_server()
    served.peer.receive(REQUEST)
    for _ in range(20):
        served.peer.receive(frame(DATA, PADDED, 1, b"\xc8ab" + bytes(200)))
    served.peer.receive(frame(DATA, PADDED | END_STREAM, 1, b"\1ab\0"))
    assert (served.heard[0].data, served.heard[0].is_ended) == (b"ab" * 21, True)


def test_what_comes_for_a_stream_that_is_over_is_nothing() -> None:
    served = raw_server()
    served.peer.receive(REQUEST + frame(RST_STREAM, 0, 1, WORD.pack(8)))
    served.peer.receive(frame(DATA, 0, 1, b"x") + frame(WINDOW_UPDATE, 0, 1, WORD.pack(5)))
    assert not served.peer.is_finished
    assert served.heard[0].data == b""


def test_pings_are_answered() -> None:
    served = raw_server()
    served.peer.receive(frame(PING, 0, 0, b"12345678"))
    assert frame(PING, 1, 0, b"12345678") == served.peer.take()


def test_a_goaway_of_a_client_lets_its_requests_end() -> None:
    served = raw_server()
    served.peer.receive(REQUEST + goaway(0, 0))  # type: ignore[arg-type]
    assert not served.heard[0].broken
    assert not served.peer.is_finished


def test_who_is_woken_takes_what_there_is() -> None:
    woken: list[Callable[[], None]] = []
    client = Peer(lambda: woken.append(nobody))
    client.take()
    asked(client)
    asked(client)
    assert len(woken) == 1


def test_h2_refuses_what_we_refuse() -> None:
    """The oracle agrees that names in capitals are malformed."""
    server = H2Connection(H2Configuration(client_side=False))
    server.initiate_connection()
    server.receive_data(PREFACE + frame(SETTINGS, 0, 0))
    with pytest.raises(ProtocolError):
        server.receive_data(frame(HEADERS, END_HEADERS, 1, encoded((*GET, ("X-A", "1")))))
