"""A tally in memory."""

from __future__ import annotations

from collections import Counter


class Counted:
    """What was added."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str, str]] = Counter()

    def add(self, kind: str, name: str, verdict: str) -> None:
        self.counts[kind, name, verdict] += 1
