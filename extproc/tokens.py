"""What stands for the values that a provider may not see, within one exchange: `<EMAIL_1>`.

The same value is the same token, and tokens are numbered as values appear: a conversation that is
sent again with more at its end says the same up to there. Nothing of it outlives the exchange.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

LONGEST_TOKEN = 32
"""Characters: the longest kind, its number, and what is around them."""
_TOKEN = re.compile(r"<[A-Z][A-Z0-9_]{1,22}_[0-9]{1,6}>")


class Tokens:
    """Values and their tokens, both ways."""

    __slots__ = ("_counts", "_taken", "_tokens", "_values")

    def __init__(self, texts: Iterable[str] = ()) -> None:
        """`texts`: what the client says; tokens that it says itself are not given out."""
        self._taken = {token for text in texts if "<" in text for token in _TOKEN.findall(text)}
        self._tokens: dict[tuple[str, str], str] = {}
        self._values: dict[str, str] = {}
        self._counts: dict[str, int] = {}

    @property
    def is_any(self) -> bool:
        """Some value has one."""
        return bool(self._values)

    def token(self, kind: str, value: str) -> str:
        """What stands for this value."""
        token = self._tokens.get((kind, value))
        if token is None:
            token = self._next(kind.upper())
            self._tokens[kind, value] = token
            self._values[token] = value
        return token

    def value(self, token: str) -> str:
        """What it stands for; the token itself, if it is none of ours."""
        return self._values.get(token, token)

    def places(self, text: str, start: int = 0) -> Iterator[tuple[int, int]]:
        """Where our tokens stand."""
        for match in _TOKEN.finditer(text, start):
            if match.group() in self._values:
                yield match.span()

    def _next(self, name: str) -> str:
        while True:
            count = self._counts[name] = self._counts.get(name, 0) + 1
            token = f"<{name}_{count}>"
            if token not in self._taken:
                return token
