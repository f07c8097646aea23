"""What one client may take, so that nobody hurts the others. Numbers and counters, no I/O.

A connection: 100 streams at once, closed after 60 s without any, 10 s to shake hands.
All of us: 10,000 connections and 10,000 streams, of which one node may have 1,000: an Envoy that
does not use the aggregated service opens one for each cluster, route configuration and secret.
Of one host, 2,000 streams may be waited for to say anything.
A stream: 10 s for its first request, requests of at most 4 MiB, 1,000 of them at once and then 100
a second (who sends more is read later), 60 s to take what was written. One response of each type
is unanswered at a time, and one is being written, twice in memory: 256 KiB of differences, but for
a single resource that is larger, or a whole set. That is all that a stream holds, with a node of
64 KiB, the request that is being read, and 40 MiB of names of at most 1,024 characters.
All streams together write 64 MiB at once; what a client has not taken within a second stays
written, and does not count any more, so that others have their turn. Serialized resources are kept
for all streams together, 32 MiB of them and 32 MiB of lists of them.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

CONNECTIONS = 10_000
STREAMS_PER_CONNECTION = 100
STREAMS_PER_NODE = 1_000
STREAMS = 10_000
SILENT_STREAMS_PER_HOST = 2_000
REQUEST_BYTES = 4 << 20
REQUESTS_AT_ONCE = 1_000
REQUESTS_PER_SECOND = 100.0
FIRST_REQUEST_SECONDS = 10.0
WRITE_SECONDS = 60.0
HANDSHAKE_SECONDS = 10.0
IDLE_CONNECTION_SECONDS = 60.0
NODE_BYTES = 64 << 10
NAME_LENGTH = 1_024
KEPT_BYTES = 32 << 20
OUTGOING_BYTES = 64 << 20
OUTGOING_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds of a server; those above unless a test says otherwise."""

    streams: int = STREAMS
    streams_per_node: int = STREAMS_PER_NODE
    silent_streams_per_host: int = SILENT_STREAMS_PER_HOST
    first_request_seconds: float = FIRST_REQUEST_SECONDS
    write_seconds: float = WRITE_SECONDS
    requests_at_once: int = REQUESTS_AT_ONCE
    requests_per_second: float = REQUESTS_PER_SECOND
    outgoing_bytes: int = OUTGOING_BYTES
    outgoing_seconds: float = OUTGOING_SECONDS


BOUNDS = Bounds()


@dataclass(slots=True)
class Pace:
    """How fast the requests of one stream are read: a burst, then so many a second."""

    at_once: float
    per_second: float
    _left: float = field(init=False)
    _since: float | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._left = self.at_once

    def wait_seconds(self, now: float) -> float:
        """Take one; how long to wait before it is handled."""
        passed = 0.0 if self._since is None else max(now - self._since, 0.0)
        self._since = now
        self._left = min(self._left + passed * self.per_second, self.at_once) - 1
        return max(-self._left / self.per_second, 0.0)


@dataclass(slots=True)
class Seats:
    """How many streams there are, of which nodes, and who has not said anything yet."""

    bounds: Bounds
    _taken: int = 0
    _silent: dict[str, int] = field(default_factory=dict)
    _by_node: dict[str, int] = field(default_factory=dict)

    def enter(self, peer: str) -> bool:
        """A stream has begun; whether there is room for it. Who entered speaks, and leaves."""
        if self._taken >= self.bounds.streams:
            return False
        if not _take(self._silent, host_of(peer), self.bounds.silent_streams_per_host):
            return False
        self._taken += 1
        return True

    def spoke(self, peer: str) -> None:
        """It has made its first request, or will not."""
        _give_back(self._silent, host_of(peer))

    def leave(self) -> None:
        self._taken -= 1

    def sit(self, node_id: str) -> bool:
        """A stream has said whose it is; whether there is room for it. Who sat stands up."""
        return _take(self._by_node, node_id, self.bounds.streams_per_node)

    def stand_up(self, node_id: str) -> None:
        _give_back(self._by_node, node_id)


def _take(counts: dict[str, int], key: str, limit: int) -> bool:
    taken = counts.get(key, 0)
    if taken >= limit:
        return False
    counts[key] = taken + 1
    return True


def _give_back(counts: dict[str, int], key: str) -> None:
    left = counts.pop(key) - 1
    if left:
        counts[key] = left


def host_of(peer: str) -> str:
    """Of a peer as gRPC names it, `ipv4:10.0.0.1:4711`: without the port."""
    return peer.rpartition(":")[0] or peer


@dataclass(slots=True)
class Hush:
    """Which complaints are worth a line in the log: the first of a host, then one a minute."""

    seconds: float = 60.0
    hosts: int = 1_000
    """How many are remembered; the oldest are forgotten."""
    _said: OrderedDict[str, float] = field(default_factory=OrderedDict)

    def may_say(self, peer: str, now: float) -> bool:
        host = host_of(peer)
        said = self._said.get(host)
        if said is not None and now - said < self.seconds:
            return False
        self._said[host] = now
        self._said.move_to_end(host)
        if len(self._said) > self.hosts:
            self._said.popitem(last=False)
        return True
