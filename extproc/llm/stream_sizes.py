"""How many tokens the bytes of a stream stand for, about; learned from those that told their usage.

What a stream repeats with every event differs by dialect, how many tokens an event holds by vendor
and model. So each target has an average of its own, and until it is known the dialect's.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from gateway.model import Dialect

BYTES_PER_TOKEN: Mapping[Dialect, int] = MappingProxyType(
    {
        Dialect.OPENAI_CHAT: 200,  # an event of 180 to 350 bytes for each token
        Dialect.OPENAI_RESPONSES: 250,  # the same, with longer names
        Dialect.ANTHROPIC: 30,  # 120 bytes around several tokens
        Dialect.GEMINI: 15,  # 300 bytes around tens of tokens
        Dialect.BEDROCK: 40,  # frames of 150 bytes around several tokens
    }
)
"""As the documented formats have it, and rather too few: so more is booked rather than less."""
FARTHEST = 8
"""So many times more or less than the dialect's is no measure: most of such a stream was thought
without being sent, or was no answer."""
FEWEST_TOKENS = 64
"""In shorter streams, beginning and end count for too much."""
REMEMBERED_TOKENS = 50_000
"""After so many, what was learned counts for half."""
FIRST_LOOKS = 8
"""So many streams of a target are looked at in any case."""
ONE_IN = 100
"""Then one in so many streams, of all targets."""
MOST_KEPT = 10_000
"""Clients choose the names of models behind a `*`, so they have no natural end."""


class _Seen:
    """Of one target."""

    __slots__ = ("looks", "sent_bytes", "tokens")

    def __init__(self) -> None:
        self.looks = 0
        self.sent_bytes = 0.0
        self.tokens = 0.0


class StreamSizes:
    """Of one worker; they outlive the program that they were seen under."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], _Seen] = {}
        self._passed = 0

    def is_due(self, provider: str, model: str) -> bool:
        """Whether to look at the next stream of a target, which costs a message."""
        seen = self._of(provider, model)
        if seen.looks < FIRST_LOOKS:
            seen.looks += 1
            return True
        self._passed += 1
        if self._passed < ONE_IN:
            return False
        self._passed = 0
        return True

    def observe(
        self, target: tuple[str, str], dialect: Dialect, sent_bytes: int, tokens: int
    ) -> None:
        """A stream that ended well: what was sent of it, and what its provider says it took."""
        usual_bytes = tokens * BYTES_PER_TOKEN[dialect]
        if tokens < FEWEST_TOKENS or not (
            usual_bytes <= sent_bytes * FARTHEST and sent_bytes <= usual_bytes * FARTHEST
        ):
            return
        seen = self._of(*target)
        seen.sent_bytes += sent_bytes
        seen.tokens += tokens
        if seen.tokens > REMEMBERED_TOKENS:
            seen.sent_bytes /= 2
            seen.tokens /= 2

    def tokens(self, target: tuple[str, str], dialect: Dialect, sent_bytes: int) -> int:
        """What so many bytes of a stream stand for; at least one."""
        seen = self._seen.get(target)
        if seen is None or not seen.tokens:
            return max(1, round(sent_bytes / BYTES_PER_TOKEN[dialect]))
        return max(1, round(sent_bytes * seen.tokens / seen.sent_bytes))

    def _of(self, provider: str, model: str) -> _Seen:
        seen = self._seen.get((provider, model))
        if seen is None:
            if len(self._seen) >= MOST_KEPT:
                self._seen.pop(next(iter(self._seen)))
            seen = self._seen[provider, model] = _Seen()
        return seen
