"""When a server that does not start may be tried again."""

from __future__ import annotations

from dataclasses import dataclass

FIRST_SECONDS = 0.5
LAST_SECONDS = 30.0


@dataclass(slots=True)
class Restarts:
    """Failures in a row, and how long they keep callers from trying again."""

    failures: int = 0
    reason: str = ""
    """Of the last."""
    _until: float = 0.0

    def failed(self, reason: str, now: float) -> None:
        """It did not come so far as to answer `initialize`."""
        self.failures += 1
        self.reason = reason
        delay = min(LAST_SECONDS, FIRST_SECONDS * 2.0 ** min(self.failures - 1, 16))
        self._until = now + delay

    def started(self) -> None:
        """It did."""
        self.failures, self.reason, self._until = 0, "", 0.0

    def refusal(self, now: float) -> str | None:
        """Why it is not tried now; None: it is. `now` in seconds of a steady clock."""
        if now >= self._until:
            return None
        return f"{self.reason}; tried again in {self._until - now:.1f} s"
