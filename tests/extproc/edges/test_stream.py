"""One stream, without a connection; how two ends understand each other is in `test_peer.py`."""

from __future__ import annotations

from extproc.edges.frames import DATA, END_STREAM, RST_STREAM, WORD, frame, window_update
from extproc.edges.stream import STREAM_WINDOW, Fields, Stream


class Outlet:
    """Notes what is sent."""

    def __init__(self) -> None:
        self.send_window = 1 << 20
        self.is_paused = False
        self.sent: list[bytes] = []
        self.waiting: list[int] = []
        self.forgotten: list[int] = []

    def put(self, data: bytes) -> None:
        self.sent.append(data)

    def put_head(self, stream: Stream, fields: Fields, flags: int) -> None:
        self.sent.append(b"head %d" % flags)

    def queue_up(self, stream: Stream) -> None:
        self.waiting.append(stream.id)

    def forget(self, stream: Stream) -> None:
        self.forgotten.append(stream.id)


class Ear:
    """Counts how often it is relieved."""

    def __init__(self) -> None:
        self.relieved_times = 0

    def headed(self, fields: Fields) -> None: ...
    def received(self, data: bytes) -> None: ...
    def ended(self) -> None: ...
    def broke(self, why: str, *, is_unseen: bool) -> None: ...
    def relieved(self) -> None:
        self.relieved_times += 1


def made(window: int = 65_535) -> tuple[Stream, Outlet, Ear]:
    outlet, ear = Outlet(), Ear()
    stream = Stream(1, outlet, window)
    stream.ear = ear
    return stream, outlet, ear


def test_the_last_piece_ends_the_stream() -> None:
    stream, outlet, _ = made(window=3)
    stream.head(())
    stream.write(b"abcdef")
    stream.end()
    stream.send_window += 3
    stream.pump()
    assert outlet.sent == [
        b"head 0",
        frame(DATA, 0, 1, b"abc"),
        frame(DATA, END_STREAM, 1, b"def"),
    ]
    assert outlet.forgotten == []  # the other side has not ended
    stream.remote_ended()
    assert outlet.forgotten == [1]


def test_an_end_that_has_nothing_to_wait_for_is_said_at_once() -> None:
    stream, outlet, _ = made()
    stream.end()
    stream.end()
    stream.write(b"late")
    assert outlet.sent == [frame(DATA, END_STREAM, 1)]


def test_who_writes_too_much_is_told_when_it_is_gone() -> None:
    stream, outlet, ear = made(window=0)
    stream.write(b"x" * 60_000)
    assert not stream.is_congested
    stream.write(b"x" * 10_000)
    assert stream.is_congested
    stream.send_window = 1 << 20
    stream.pump()
    assert (stream.is_congested, ear.relieved_times) == (False, 1)
    stream.write(b"little")
    assert ear.relieved_times == 1
    assert sum(map(len, outlet.sent)) > 70_000


def test_a_window_is_given_back_by_halves() -> None:
    stream, outlet, _ = made()
    stream.consumed(STREAM_WINDOW // 2)
    assert outlet.sent == []
    stream.consumed(1)
    assert outlet.sent == [window_update(1, STREAM_WINDOW // 2 + 1)]


def test_after_a_reset_nothing_is_said_or_heard() -> None:
    stream, outlet, _ = made()
    stream.reset()
    stream.reset()
    stream.write(b"late")
    stream.end()
    stream.consumed(STREAM_WINDOW)
    assert outlet.sent == [frame(RST_STREAM, 0, 1, WORD.pack(8))]
    assert (outlet.forgotten, stream.is_open) == ([1], False)


def test_what_the_connection_has_no_room_for_waits_its_turn() -> None:
    stream, outlet, _ = made()
    outlet.send_window = 2
    stream.write(b"abc")
    assert (outlet.sent, outlet.waiting) == ([frame(DATA, 0, 1, b"ab")], [1])
