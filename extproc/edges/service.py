"""What a gRPC service looks like to the edges, and what an edge looks like to `__main__`.

Both edges serve the same `Methods`; bytes in, bytes out: messages are decoded by the service.
Everything is called on the event loop's thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol, TypeAlias


class Status(IntEnum):
    """The gRPC status codes that an edge or its services answer with."""

    OK = 0
    CANCELLED = 1
    INVALID_ARGUMENT = 3
    NOT_FOUND = 5
    RESOURCE_EXHAUSTED = 8
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14


class Call(Protocol):
    """One RPC as the service drives it; once it is over, `send` and `end` do nothing."""

    @property
    def metadata(self) -> Mapping[str, str]:
        """The request's headers without the pseudo headers; repeated ones joined by a comma."""

    @property
    def is_open(self) -> bool:
        """The RPC was neither ended nor lost."""

    def send(self, message: bytes) -> None:
        """Send one gRPC message."""

    def end(self, status: int = 0, message: str = "") -> None:
        """End the RPC; `Stream.on_close` may be called before this returns."""


class Stream(Protocol):
    """The service's half of one RPC."""

    def on_message(self, message: bytes) -> None: ...

    def on_half_close(self) -> None:
        """The client has sent its last message."""

    def on_close(self) -> None:
        """The RPC is over: ended, reset or its connection lost. Called exactly once."""


Methods: TypeAlias = Mapping[str, Callable[[Call], Stream]]
"""By full path: `/package.Service/Method`."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a peer may cost us; the defaults suit Envoy on the same machine."""

    message_bytes: int = 64 << 20
    """A longer message ends its RPC with RESOURCE_EXHAUSTED."""
    held_bytes: int = 256 << 20
    """Of unfinished messages on one connection."""
    unsent_stream_bytes: int = 64 << 20
    """Of answers that one stream's peer does not read; then the stream is reset."""
    unsent_connection_bytes: int = 256 << 20
    """The same for all streams of a connection; then the connection is closed."""
    concurrent_streams: int = 10_000
    header_bytes: int = 64 << 10
    """Of one header list."""
    cached_header_blocks: int = 256
    stream_window_bytes: int = 4 << 20
    connection_window_bytes: int = 32 << 20
    resets_burst: int = 10_000
    """Streams that the peer resets unanswered, or makes us reset, at once (rapid reset)."""
    resets_per_second: int = 2_000
    overhead_burst: int = 10_000
    """Frames that carry nothing for a stream: PING, SETTINGS, PRIORITY, empty and unknown ones."""
    overhead_per_second: int = 1_000
    connections: int = 1_024
    handshake_seconds: float = 10.0
    """Until the client's preface and SETTINGS have come."""
    stalled_seconds: float = 30.0
    """For a peer that has stopped reading to go on."""
    closing_seconds: float = 5.0
    """For a closed connection's last bytes to leave."""


class Server(Protocol):
    """A running edge."""

    @property
    def address(self) -> str:
        """As a gRPC target: `127.0.0.1:4317` or `unix:/run/worker-0.sock`."""

    async def drain(self, timeout_seconds: float) -> None:
        """Accept nothing new, let running RPCs finish, then close; cut them at the timeout."""

    async def close(self) -> None:
        """Cut everything now."""
