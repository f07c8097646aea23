"""How long the texts of a request are, all that one guard reads together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from extproc.policies.finding import Found

Measure: TypeAlias = Callable[[Sequence[str]], int]
"""How many tokens texts have, about."""


class TooLong:
    """A `Finder` of texts that have too many characters, or too many tokens."""

    def __init__(
        self, characters: int | None, tokens: int | None = None, measure: Measure | None = None
    ) -> None:
        """None: as many as there are. `measure` counts tokens."""
        self._characters = characters
        self._tokens = tokens
        self._measure = measure

    def is_in(self, texts: Sequence[str]) -> bool:
        """Whether they have together."""
        if self._characters is not None and sum(map(len, texts)) > self._characters:
            return True
        return self._has_too_many_tokens(texts)

    def spans(self, text: str, start: int = 0) -> Iterator[Found]:
        """What of one text is too much; of tokens, nobody knows which."""
        most = self._characters
        if most is not None and len(text) > max(most, start):
            yield Found(max(most, start), len(text))
        elif self._has_too_many_tokens([text]) and len(text) > start:
            yield Found(start, len(text))

    def _has_too_many_tokens(self, texts: Sequence[str]) -> bool:
        if self._tokens is None or self._measure is None:
            return False
        return self._measure(texts) > self._tokens
