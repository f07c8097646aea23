from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.mcp.streams import Upward
from extproc.mcp.upward import Origin
from extproc.protocols.sse import EventTooLarge, SseDecoder

JIRA = Origin("jira")
PING = b'{"jsonrpc":"2.0","id":5,"method":"ping"}'
PONG = b'{"jsonrpc":"2.0","id":5,"result":{}}'
OUTWARD = b'{"jsonrpc":"2.0","id":"jira/i:5","method":"ping"}'


def passed(*pieces: bytes, origin: Origin = JIRA) -> bytes:
    stream = Upward(origin)
    return b"".join(map(stream.feed, pieces)) + stream.end()


@pytest.mark.parametrize(
    ("stream", "outward"),
    [
        (b"data: %s\n\n" % PING, b"data: %s\n\n" % OUTWARD),
        (b"event: message\ndata: %s\n\n" % PING, b"event: message\ndata: %s\n\n" % OUTWARD),
        (b"data:%s\r\n\r\n" % PING, b"data: %s\r\n\r\n" % OUTWARD),
        (b"data: %s\r\r" % PING, b"data: %s\r\r" % OUTWARD),
        (b"id: 7\ndata: %s\n\n" % PONG, b"id: jira/7\ndata: %s\n\n" % PONG),
        (b"data: %s\nid:7\n\n" % PONG, b"data: %s\nid:jira/7\n\n" % PONG),
        (b"data: %s\nid: 7\n\n" % PING, b"data: %s\nid: jira/7\n\n" % OUTWARD),
        (b"id: 7\ndata: \n\n", b"id: jira/7\ndata: \n\n"),
        (b"id: 7\ndata\n\n", b"id: jira/7\ndata\n\n"),
        (b"id\ndata: %s\n\n" % PONG, b"id\ndata: %s\n\n" % PONG),
        (b"id: \n\n", b"id: \n\n"),
        (
            b'data: {"jsonrpc":"2.0",\ndata: "id":5,\ndata:"method":"ping"}\n\n',
            b'data: {"jsonrpc":"2.0",\ndata: "id":"jira/i:5",\ndata: "method":"ping"}\n\n',
        ),
        (b"data: %s" % PING, b"data: %s\n" % OUTWARD),
        (b"data: %s\n" % PING, b"data: %s\n" % OUTWARD),
        (b"\xef\xbb\xbfdata: %s\n\n" % PING, b"\xef\xbb\xbfdata: %s\n\n" % OUTWARD),
        (b"event: endpoint\ndata: /messages?id=5\n\n",) * 2,
        (b": hello\n\n",) * 2,
        (b"retry: 500\n\n",) * 2,
        (b"\n\n\r\n\r\r",) * 2,
        (b"unknown: x\ndata: %s\nx\n: y\n\n" % PONG,) * 2,
        (b"ids: 7\nidentity: 8\n data: 9\n\n",) * 2,
    ],
)
def test_events_name_their_server_and_everything_else_passes(stream: bytes, outward: bytes) -> None:
    assert passed(stream) == outward


def test_what_keeps_a_connection_alive_is_not_kept_back() -> None:
    stream = Upward(JIRA)
    assert stream.feed(b":\r\n") == b":\r\n"
    assert stream.feed(b"retry: 5\n") == b"retry: 5\n"
    assert stream.feed(b"id: 1\r") == b"id: jira/1\r"
    assert stream.feed(b"\n") == b"\n"


def test_an_event_passes_as_soon_as_it_ends() -> None:
    stream = Upward(JIRA)
    assert stream.feed(b"data: %s\r" % PING) == b""
    assert stream.feed(b"\n\r") == b"data: %s\r\n\r" % OUTWARD
    assert stream.feed(b"\n") == b"\n"


def test_a_message_that_cannot_be_read_is_left_out_and_counted() -> None:
    stream = Upward(JIRA)
    twice = b'{"jsonrpc":"2.0","id":1,"id":"github/i:5","method":"ping"}'
    assert stream.feed(b"id: 7\ndata: %s\n\ndata: %s\n\n" % (twice, PONG)) == (
        b"id: jira/7\n\ndata: %s\n\n" % PONG
    )
    assert stream.refused == 1


def test_a_log_that_the_client_does_not_want_is_left_out_and_nothing_is_wrong_with_it() -> None:
    stream = Upward(Origin("jira", log_level="error"))
    log = b'{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1}}'
    assert stream.feed(b"id: 7\ndata: %s\n\n" % log) == b"id: jira/7\n\n"
    assert stream.refused == 0


def test_each_message_of_a_batch_is_an_event() -> None:
    assert passed(b"event: message\ndata: [%s, %s]\nid: 7\n\n" % (PING, PONG)) == (
        b"event: message\ndata: %s\n\ndata: %s\nid: jira/7\n\n" % (OUTWARD, PONG)
    )


@pytest.mark.parametrize(
    "pieces",
    [[b"data: " + b"x" * 2000], [b"x" * 600] * 4, [b"data: %s\n" % (b"x" * 600)] * 4],
)
def test_an_event_that_does_not_end_is_refused(pieces: list[bytes]) -> None:
    stream = Upward(JIRA, largest_event_bytes=1000)
    with pytest.raises(EventTooLarge):
        b"".join(map(stream.feed, pieces))


def test_many_events_may_be_larger_than_one_may() -> None:
    stream = Upward(JIRA, largest_event_bytes=100)
    assert stream.feed(b"data: %s\n\n" % PONG * 100) == b"data: %s\n\n" % PONG * 100


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_a_long_line_is_read_once(end: bytes) -> None:
    """And not from each of its bytes on, which would take hours."""
    message = b'{"jsonrpc":"2.0","id":5,"result":"%s"}' % (b"x" * 1_000_000)
    begun = time.process_time()
    stream = Upward(JIRA)
    said = stream.feed(b"event: message%sdata: %s" % (end, message[:-1]))
    said += stream.feed(b"}" + end) + stream.feed(end) + stream.end()
    assert said == b"event: message%sdata: %s%s%s" % (end, message, end, end)
    assert time.process_time() - begun < 5


def test_an_event_id_that_is_no_text_is_none() -> None:
    assert passed(b"id: \xff\ndata: %s\n\n" % PONG) == b"id: \ndata: %s\n\n" % PONG


_events = st.lists(
    st.sampled_from(
        [
            b"data: " + PING,
            b"data:" + PONG,
            b"data: ",
            b"data",
            b'data: {"jsonrpc":"2.0",',
            b'data: "id":5,"method":"ping"}',
            b"data: garbage",
            b"id: 7",
            b"id:",
            b"event: message",
            b"event: other",
            b"retry: 5",
            b": comment",
            b"x",
            b"",
            b"",
        ]
    ),
    max_size=14,
)
_endings = st.sampled_from([b"\n", b"\r\n", b"\r"])


def written(lines: list[bytes], data: st.DataObject) -> bytes:
    return b"".join(line + data.draw(_endings) for line in lines)


@given(_events, st.data())
def test_cuts_do_not_matter(lines: list[bytes], data: st.DataObject) -> None:
    stream = written(lines, data)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)))))
    pieces = [
        stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)
    ]
    assert passed(*pieces) == passed(stream)
    assert passed(*(stream[each : each + 1] for each in range(len(stream)))) == passed(stream)


@given(_events, st.data())
def test_whoever_is_at_rest_can_be_another(lines: list[bytes], data: st.DataObject) -> None:
    stream = written([b"\xef\xbb\xbf:", *lines], data)
    reader, out, begun = Upward(JIRA), [], False
    for each in range(len(stream)):
        out.append(reader.feed(stream[each : each + 1]))
        begun = True
        if reader.is_at_rest:
            reader = Upward(JIRA, has_begun=begun)
    out.append(reader.end())
    assert b"".join(out) == passed(stream)


@pytest.mark.parametrize("said", [b"", b"data: 1\n", b"event: x\n", b": half", b": cut\r"])
def test_who_knows_something_is_not_at_rest(said: bytes) -> None:
    reader = Upward(JIRA)
    reader.feed(said)
    assert not reader.is_at_rest


@given(_events, st.data())
def test_a_reader_finds_the_same_events(lines: list[bytes], data: st.DataObject) -> None:
    def events(stream: bytes) -> list[tuple[str, bytes]]:
        decoder = SseDecoder()
        found = decoder.feed(stream) + decoder.end()
        return [(each.name, each.data) for each in found]

    stream = written(lines, data)
    expected = []
    for name, text in events(stream):
        try:
            message = json.loads(text)
        except ValueError:
            if not text.strip() or name not in ("", "message"):
                expected.append((name, text))
            continue
        is_request = "method" in message and name in ("", "message")
        expected.append((name, text.replace(b'"id":5', b'"id":"jira/i:5"') if is_request else text))
    assert events(passed(stream)) == expected
