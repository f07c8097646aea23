"""A mistake in what an operator wrote: a value, never an exception."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake, with where it stands and, where one can be guessed, what was meant."""

    path: str
    """Where in the document, dotted: `llm.models.fast.provider`."""
    message: str
    """What is wrong; lower case, naming the thing and the value."""
    line: int = 0
    """1-based line in `file`; 0 when it is unknown."""
    file: str = ""
    hint: str = ""
    """What to do about it: `did you mean 'openai'?`."""

    def __str__(self) -> str:
        line = f":{self.line}" if self.line else ""
        where = f"{self.file or '<config>'}{line}: " if self.file or self.line else ""
        path = f"{self.path}: " if self.path else ""
        hint = f" ({self.hint})" if self.hint else ""
        lines = map(str.strip, self.message.splitlines())  # a peer's words may have many
        return f"{where}{path}{' '.join(filter(None, lines))}{hint}"


def is_near(wrong: str, known: Iterable[str]) -> bool:
    """Whether one of these words may have been meant."""
    return bool(_close(wrong, sorted(known)))


def _close(wrong: str, words: list[str]) -> list[str]:
    return difflib.get_close_matches(wrong, words, n=1, cutoff=0.6)


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """A hint naming the closest known word, else all of them when they are few."""
    words = sorted(known)
    close = _close(wrong, words)
    if close:
        return f"did you mean '{close[0]}'?"
    return f"known: {', '.join(words)}" if 0 < len(words) <= 12 else ""
