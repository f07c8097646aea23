"""HTTP as the hub needs it: a request with its body, and a reply that may stream."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

JSON = "application/json"
EVENT_STREAM = "text/event-stream"


@dataclass(frozen=True, slots=True)
class Request:
    """One request, whole."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    """Lower-case names; of those that come twice, the last."""
    body: bytes = b""


class Sink(Protocol):
    """Where a source pours."""

    @property
    def is_congested(self) -> bool:
        """The source should wait until it is relieved."""

    def write(self, data: bytes) -> None: ...
    def end(self) -> None: ...


class Source(Protocol):
    """A body that is said as it comes, without a task that waits for it."""

    def opened(self, sink: Sink) -> None:
        """From now on, it may be written."""

    def relieved(self) -> None:
        """The sink is congested no more."""

    def closed(self) -> None:
        """The client has gone."""


@dataclass(frozen=True, slots=True)
class Reply:
    """Its answer."""

    status: int
    body: bytes | AsyncIterator[bytes] | Source = b""
    """Pieces are sent as they come. An iterator is closed when the client has gone."""
    headers: Mapping[str, str] = field(default_factory=dict)


class Site(Protocol):
    """What answers."""

    async def answer(self, request: Request) -> Reply: ...


def json(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """A reply of JSON."""
    return Reply(status, body, {"content-type": JSON, **(headers or {})})


def events(body: AsyncIterator[bytes] | Source, headers: Mapping[str, str] | None = None) -> Reply:
    """A reply that is an event stream; nobody on its way shall keep it back."""
    kept = {"content-type": EVENT_STREAM, "cache-control": "no-store", "x-accel-buffering": "no"}
    return Reply(200, body, {**kept, **(headers or {})})
