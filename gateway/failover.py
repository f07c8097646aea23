"""When the next target of a model is tried, within which bounds, and when one is set aside."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Cause(StrEnum):
    """Why the next target is tried."""

    RATE_LIMIT = "rate_limit"
    """429."""
    SERVER_ERROR = "server_error"
    """5xx, and the other statuses that vendors' own libraries ask again after."""
    TIMEOUT = "timeout"
    """Nothing is answered, or the connection breaks first."""
    CONNECT = "connect"
    """There is no connection."""
    CONTEXT_LENGTH = "context_length"
    """The prompt is longer than the model takes."""
    CONTENT_FILTER = "content_filter"
    """The provider's filter refuses the prompt."""


USUAL_CAUSES = frozenset(Cause) - {Cause.CONTENT_FILTER}
"""What one provider will not answer is not quietly put to the next."""


@dataclass(frozen=True, slots=True)
class HealthRules:
    """When a target is set aside."""

    failures: int = 3
    """In a row; 0: never."""
    cool_down_seconds: float = 10.0
    """The first time; twice as long each time that it fails again."""
    most_seconds: float = 300.0
    """Never longer, whatever the provider asks for."""


@dataclass(frozen=True, slots=True)
class Failover:
    """How a request goes through the targets of its model."""

    causes: frozenset[Cause] = USUAL_CAUSES
    attempts: int | None = None
    """At most so many targets; None: all."""
    seconds: float | None = None
    """Until an answer has to have begun, all tries together; None: as long as they take."""
    health: HealthRules = HealthRules()
