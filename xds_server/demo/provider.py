"""One demo provider: its key, its switch, and what it has seen."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from xds_server.demo.model import Refusal
from xds_server.demo.wire import ERROR_TYPES, error

SEEN_LIMIT = 2000


class Mode(StrEnum):
    """How a provider behaves."""

    OK = "ok"
    TOO_MANY = "429"
    BROKEN = "500"
    OVERLOADED = "503"
    HANG = "hang"
    """Takes the request and never answers."""
    RESET = "reset"
    """Cuts the connection before answering."""
    SLOW = "slow"
    """Waits before each chunk of a stream, or before the answer."""
    DROP_MID_STREAM = "drop-mid-stream"
    """Cuts the connection after the first chunks."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: object
    """Decoded; None when it was not JSON."""
    mode: str


@dataclass(slots=True)
class Provider:
    """The state of one provider between requests."""

    name: str
    key: str
    models: tuple[str, ...]
    delay_seconds: float = 0.4
    mode: Mode = Mode.OK
    remaining: int | None = None
    """How many more requests the mode is for; None: until it is switched."""
    requests: int = 0
    seen: deque[Seen] = field(default_factory=lambda: deque(maxlen=SEEN_LIMIT))

    def switch(self, document: object) -> str | None:
        """Change the mode as `document` says, or return why it cannot be."""
        if not isinstance(document, Mapping):
            return "the body must be a JSON object"
        known = [mode.value for mode in Mode]
        if document.get("mode") not in known:
            return f"mode must be one of {', '.join(known)}"
        count, delay = document.get("count"), document.get("delay_seconds", self.delay_seconds)
        if count is not None and (not isinstance(count, int) or count < 1):
            return "count must be a positive integer"
        if not isinstance(delay, int | float) or delay < 0:
            return "delay_seconds must be a number that is not negative"
        self.mode, self.remaining, self.delay_seconds = Mode(document["mode"]), count, float(delay)
        return None

    def next_mode(self) -> Mode:
        """The mode for the request that comes now; counts it."""
        self.requests += 1
        mode = self.mode
        if self.remaining is not None:
            self.remaining -= 1
            if self.remaining == 0:
                self.mode, self.remaining = Mode.OK, None
        return mode

    def refuse_key(self, authorization: str) -> Refusal | None:
        """The 401 for a missing or wrong key."""
        if authorization == f"Bearer {self.key}":
            return None
        kind = "invalid_request_error"
        if not authorization.startswith("Bearer "):
            message = (
                "You didn't provide an API key. You need to provide your API key in an "
                "Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."
            )
            return Refusal(401, error(message, kind))
        given = authorization.removeprefix("Bearer ")
        hidden = f"{given[:4]}****{given[-4:]}" if len(given) > 12 else "****"
        message = f"Incorrect API key provided: {hidden}."
        return Refusal(401, error(message, kind, None, "invalid_api_key"))


def refusal_of(mode: Mode) -> Refusal | None:
    """The error answer that a mode stands for, if it stands for one."""
    match mode:
        case Mode.TOO_MANY:
            message = "Rate limit reached for requests. Please try again in 1s."
            return Refusal(429, error(message, ERROR_TYPES[429], None, "rate_limit_exceeded"))
        case Mode.BROKEN:
            message = "The server had an error while processing your request. Sorry about that!"
            return Refusal(500, error(message, ERROR_TYPES[500]))
        case Mode.OVERLOADED:
            message = "The engine is currently overloaded, please try again later"
            return Refusal(503, error(message, ERROR_TYPES[503]))
        case Mode.OK | Mode.HANG | Mode.RESET | Mode.SLOW | Mode.DROP_MID_STREAM:
            return None
