"""What a hub allows each server and each client."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Terms:
    """Of one server."""

    sessions: int = 100_000
    """At once."""
    idle_seconds: float = 1800.0
    """After so long without a request or a stream, a session is over."""
    requests: int = 1000
    """Of one session, that are not answered."""
    buffer_bytes: int = 1 << 20
    """Of each stream, kept to be said again."""
    message_bytes: int = 32 << 20
    """The largest that a server may say."""
    start_seconds: float = 60.0
    """From the start of a server to its answer to `initialize`; `npx` and `uvx` install first."""
