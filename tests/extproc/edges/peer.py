"""A client made of bytes: writes any frames, right or wrong, and reads what the machine answers."""

from __future__ import annotations

from dataclasses import dataclass

from hpack import Decoder, Encoder

from extproc.edges.frames import (
    ACK,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADER,
    HEADER_BYTES,
    HEADERS,
    ID_MASK,
    PREFACE,
    RST_STREAM,
    SETTING,
    SETTINGS,
    ErrorCode,
    Setting,
    frame,
    settings,
)
from extproc.edges.headers import SHRINK_TABLE
from extproc.edges.http2 import Connection
from extproc.edges.service import Limits, Methods
from tests.extproc.edges.services import ECHO, Journal, methods_of

Fields = list[tuple[str, str]]

START = PREFACE + settings(()) + frame(SETTINGS, ACK, 0)
WIDE = settings(((Setting.INITIAL_WINDOW_SIZE, (1 << 31) - 1),))


@dataclass(frozen=True)
class Frame:
    kind: int
    flags: int
    stream_id: int
    payload: bytes

    @property
    def word(self) -> int:
        return int.from_bytes(self.payload[:4], "big")


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Peer:
    """A connection to a fresh machine."""

    def __init__(
        self, *, limits: Limits | None = None, methods: Methods | None = None, start: bytes = START
    ) -> None:
        self.journal = Journal()
        self.clock = Clock()
        self.wakes = 0
        self.decoder = Decoder()
        self.machine = Connection(
            methods or methods_of(self.journal), limits or Limits(), self.clock, self._wake
        )
        self.greeting = self.take()
        self.machine.receive(start)
        self.start_answers = self.take()

    def _wake(self) -> None:
        self.wakes += 1

    def take(self) -> list[Frame]:
        return frames_of(self.take_bytes())

    def take_bytes(self) -> bytes:
        taken = []
        while data := self.machine.take():
            taken.append(data)
        return b"".join(taken)

    def say(self, *data: bytes) -> list[Frame]:
        self.machine.receive(b"".join(data))
        return self.take()

    def answer(self, *data: bytes) -> dict[str, str]:
        """The headers of the one HEADERS frame among the answers."""
        (headers,) = [frame for frame in self.say(*data) if frame.kind == HEADERS]
        return dict(self.decoder.decode(headers.payload))  # type: ignore[arg-type]


def frames_of(data: bytes) -> list[Frame]:
    frames = []
    position = 0
    while position < len(data):
        high, low, kind, flags, stream_id = HEADER.unpack_from(data, position)
        start = position + HEADER_BYTES
        position = start + (high << 16 | low)
        assert position <= len(data), "an incomplete frame"
        frames.append(Frame(kind, flags, stream_id & ID_MASK, data[start:position]))
    return frames


def fields(path: str = ECHO, **changed: str | None) -> Fields:
    """A gRPC request's headers; a None drops one, `_` stands for `-`, `pseudo_` for `:`."""
    named: dict[str, str | None] = {
        ":method": "POST",
        ":scheme": "http",
        ":path": path,
        ":authority": "edge",
        "te": "trailers",
        "content-type": "application/grpc",
    }
    for key, value in changed.items():
        named[key.replace("pseudo_", ":").replace("_", "-")] = value
    return [(key, value) for key, value in named.items() if value is not None]


def block(headers: Fields | None = None) -> bytes:
    """Encoded without any dynamic table, which is said first (RFC 7541 section 4.2)."""
    never_indexed = [(key, value, True) for key, value in headers or fields()]
    return SHRINK_TABLE + bytes(Encoder().encode(never_indexed))


def open_stream(stream_id: int, path: str = ECHO, flags: int = 0, **changed: str | None) -> bytes:
    return frame(HEADERS, END_HEADERS | flags, stream_id, block(fields(path, **changed)))


def message(body: bytes, flag: int = 0) -> bytes:
    return bytes((flag,)) + len(body).to_bytes(4, "big") + body


def data(stream_id: int, payload: bytes, flags: int = 0) -> bytes:
    return frame(DATA, flags, stream_id, payload)


def setting(key: int, value: int) -> bytes:
    return frame(SETTINGS, 0, 0, SETTING.pack(key, value))


def cut(payload: bytes, size: int = 16_384) -> list[bytes]:
    return [payload[start : start + size] for start in range(0, len(payload), size)]


def end(stream_id: int) -> bytes:
    return frame(DATA, END_STREAM, stream_id)


def connection_error(frames: list[Frame]) -> ErrorCode:
    """The code of the GOAWAY that must end the answers."""
    assert frames
    assert frames[-1].kind == GOAWAY
    return ErrorCode(int.from_bytes(frames[-1].payload[4:8], "big"))


def stream_errors(frames: list[Frame]) -> list[tuple[int, ErrorCode]]:
    return [(each.stream_id, ErrorCode(each.word)) for each in frames if each.kind == RST_STREAM]


def messages_of(frames: list[Frame], stream_id: int) -> list[bytes]:
    """The gRPC messages that a stream was sent."""
    payload = b"".join(
        each.payload for each in frames if each.kind == DATA and each.stream_id == stream_id
    )
    found = []
    while payload:
        assert payload[0] == 0
        size = int.from_bytes(payload[1:5], "big")
        assert len(payload) >= 5 + size
        found.append(payload[5 : 5 + size])
        payload = payload[5 + size :]
    return found
