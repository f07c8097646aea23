"""Long texts in which guards have found nothing: who converses sends all of it again each time.

A text that comes a second time is kept, and known the third time. It is compared whole, since two
that only look alike would be a way past the guards.
What one caller has sent is not looked up for another, who could else tell by the time that it takes
whether somebody had sent the same.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import TypeAlias

from gateway.model import TextScope

LONG = 2048
"""Of so many characters on: shorter ones are read sooner than looked up."""
MOST_BYTES = 16 << 20
"""Of texts that are kept."""
_MOST_MARKS = 1024
"""Of texts that came once; as many older ones are remembered."""

_SHOWN = 24
_Key: TypeAlias = tuple[object, TextScope | None, int, str, str, str]


def is_any_long(texts: Sequence[str]) -> bool:
    """Whether one of them is worth a look."""
    for text in texts:  # noqa: SIM110 (a generator takes longer)
        if len(text) >= LONG:
            return True
    return False


class CleanTexts:
    """Those that were read last, as many as there is room for."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._kept: OrderedDict[_Key, str] = OrderedDict()
        self._marks: set[int] = set()
        self._older: set[int] = set()

    def unknown(
        self, caller: object, texts: Sequence[str], scopes: Sequence[TextScope]
    ) -> tuple[Sequence[str], Sequence[TextScope]]:
        """Without those that this caller has sent before, and that stood at such a place."""
        left: list[str] = []
        places: list[TextScope] = []
        for place, text in enumerate(texts):
            scope = scopes[place] if scopes else None
            if len(text) < LONG or not self._knows(_key(caller, text, scope), text):
                left.append(text)
                if scope is not None:
                    places.append(scope)
        return left, places

    def keep(self, caller: object, texts: Sequence[str], scopes: Sequence[TextScope]) -> None:
        """In none of them anything was found."""
        for place, text in enumerate(texts):
            if len(text) < LONG:
                continue
            key = _key(caller, text, scopes[place] if scopes else None)
            if self._is_marked(hash(key)):
                self._forget(key)
                self._kept[key] = text
                self._bytes += text.__sizeof__()
        while self._bytes > self._most_bytes:
            self._forget(next(iter(self._kept)))

    def _is_marked(self, mark: int) -> bool:
        """Whether such a text has come before; else it is marked."""
        if mark in self._marks or mark in self._older:
            return True
        if len(self._marks) == _MOST_MARKS:
            self._marks, self._older = set(), self._marks
        self._marks.add(mark)
        return False

    def _knows(self, key: _Key, text: str) -> bool:
        if self._kept.get(key) != text:
            return False
        self._kept.move_to_end(key)
        return True

    def _forget(self, key: _Key) -> None:
        text = self._kept.pop(key, None)
        if text is not None:
            self._bytes -= text.__sizeof__()


def _key(caller: object, text: str, scope: TextScope | None) -> _Key:
    """Some of it, which costs the same for all: what has the same key takes its place."""
    size = len(text)
    middle = size // 2
    return caller, scope, size, text[:_SHOWN], text[middle : middle + _SHOWN], text[-_SHOWN:]
