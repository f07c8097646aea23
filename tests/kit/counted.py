"""A tally in memory."""

from __future__ import annotations

from collections import Counter

from extproc.ports import Verdicts
from gateway.model import Mode


class Counted:
    """What was added."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str, str]] = Counter()
        """Of policies in `audit`: kind, name, verdict."""
        self.enforced: Counter[tuple[str, str, str, str]] = Counter()
        """Of all others: kind, name, verdict, code."""

    def add(self, verdicts: Verdicts) -> None:
        kind, name, verdict, mode, code = verdicts
        if mode == Mode.AUDIT:
            self.counts[kind, name, verdict] += 1
        else:
            self.enforced[kind, name, verdict, code] += 1
