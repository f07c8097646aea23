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


@dataclass(frozen=True, slots=True)
class Reply:
    """Its answer."""

    status: int
    body: bytes | AsyncIterator[bytes] = b""
    """Pieces are sent as they come. The iterator is closed when the client has gone."""
    headers: Mapping[str, str] = field(default_factory=dict)


class Site(Protocol):
    """What answers."""

    async def answer(self, request: Request) -> Reply: ...


def json(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """A reply of JSON."""
    return Reply(status, body, {"content-type": JSON, **(headers or {})})


def events(body: AsyncIterator[bytes], headers: Mapping[str, str] | None = None) -> Reply:
    """A reply that is an event stream; nobody on its way shall keep it back."""
    kept = {"content-type": EVENT_STREAM, "cache-control": "no-store", "x-accel-buffering": "no"}
    return Reply(200, body, {**kept, **(headers or {})})
