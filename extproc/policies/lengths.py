"""How long the texts of a request are, all that one guard reads together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from extproc.policies.finding import Found


class TooLong:
    """A `Finder` of texts that have too many characters."""

    def __init__(self, most: int) -> None:
        self._most = most

    def is_in(self, texts: Sequence[str]) -> bool:
        """Whether they have together."""
        return sum(map(len, texts)) > self._most

    def spans(self, text: str, start: int = 0) -> Iterator[Found]:
        """What of one text is too much."""
        if len(text) > max(self._most, start):
            yield Found(max(self._most, start), len(text))
