"""Topics that are not to be spoken of, by their words: whatever their case, their accents' spelling
and the space between them, and only as whole words.

Texts are compared folded: Unicode's compatible forms (NFKC) in folded case, without characters that
take no room (Unicode Standard Annex #15, and section 3.13 of the standard). One automaton looks for
all words together.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence

import re2

from extproc.policies.finding import Found
from extproc.policies.patterns import MAX_MEMORY_BYTES

_UNSEEN = frozenset("\u00ad\u200b\u200c\u200d\u2060\ufeff")
"""Soft hyphens, and joiners without width."""
_WITHOUT = dict.fromkeys(map(ord, _UNSEEN))
_LETTER = r"\pL\pM\pN_"
_SPACE = r"[\s\pZ]+"
_WITHOUT_SPACES = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x3400, 0x4DBF),  # Han
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)
"""Scripts in which nothing stands between words."""


class Keywords:
    """A `Finder` of words and phrases."""

    def __init__(self, words: Sequence[str]) -> None:
        options = re2.Options()
        options.log_errors = False
        options.max_mem = MAX_MEMORY_BYTES
        options.longest_match = True
        kinds: dict[tuple[bool, bool], list[str]] = {}
        for folded in sorted({" ".join(_folded(word).split()) for word in words} - {""}):
            border = _has_border(folded[0]), _has_border(folded[-1])
            kinds.setdefault(border, []).append(folded)
        self._searches = tuple(
            re2.compile(_pattern(kind, found), options) for kind, found in kinds.items()
        )

    def is_in(self, texts: Sequence[str]) -> bool:
        """Whether one of the words is in one of them."""
        return any(
            search.search(folded) is not None
            for folded in map(_folded, texts)
            for search in self._searches
        )

    def spans(self, text: str, start: int = 0) -> Iterator[Found]:
        """Where they are: of those that begin at one place, the longest."""
        folded, places = _placed(text)
        begin = (
            start
            if places is None
            else next((at for at, place in enumerate(places) if place[0] >= start), len(folded))
        )
        for search in self._searches:
            at = max(0, begin - 1)  # what stands before is a border, or is none
            while (match := search.search(folded, at)) is not None:
                first, end = match.span(1)
                if first >= begin:
                    if places is None:
                        yield Found(first, end)
                    else:
                        yield Found(places[first][0], places[end - 1][1])
                at = max(first + 1, end) if first >= begin else first + 1


def _pattern(border: tuple[bool, bool], words: Sequence[str]) -> str:
    """Group 1 is the word."""
    before = rf"(?:^|[^{_LETTER}])" if border[0] else ""
    after = rf"(?:$|[^{_LETTER}])" if border[1] else ""
    said = "|".join(_SPACE.join(map(re2.escape, word.split(" "))) for word in words)
    return f"{before}({said}){after}"


def _has_border(character: str) -> bool:
    """Whether a word that begins or ends with it ends where no letter follows."""
    if not (character.isalnum() or character == "_"):
        return False
    return not any(first <= ord(character) <= last for first, last in _WITHOUT_SPACES)


def _folded(text: str) -> str:
    return text.lower() if text.isascii() else _fold(text)


def _placed(text: str) -> tuple[str, Sequence[tuple[int, int]] | None]:
    """The folded text, and from where to where what each of its characters comes from stands in
    the text; None: at the same places."""
    if text.isascii():
        return text.lower(), None
    pieces, places = [], []
    for cluster in _clusters(text):
        piece = _fold(text[slice(*cluster)])
        pieces.append(piece)
        places += [cluster] * len(piece)
    return "".join(pieces), places


def _clusters(text: str) -> Iterator[tuple[int, int]]:
    """Letters with their marks; what takes no room belongs to what stands before it."""
    start = 0
    for place in range(1, len(text)):
        character = text[place]
        if character in _UNSEEN or unicodedata.combining(character):
            continue
        if character.isascii() or not _composes(text[start:place], character):
            yield start, place
            start = place
    if text:
        yield start, len(text)


def _composes(before: str, character: str) -> bool:
    """Whether it becomes one with what stands before it, as jamo do."""
    normal = unicodedata.normalize("NFKC", before + character)
    return normal != unicodedata.normalize("NFKC", before) + unicodedata.normalize(
        "NFKC", character
    )


def _fold(cluster: str) -> str:
    if cluster.isascii():
        return cluster.lower()
    folded = unicodedata.normalize("NFKC", cluster.translate(_WITHOUT)).casefold()
    return unicodedata.normalize("NFKC", folded)
