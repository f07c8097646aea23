"""Short texts that are found by words, ranked by BM25: what tools, agents and skills are about.

The index is made once for a list of them. Words are read without their endings, as English has
them, and names (`createIssue`, `create_issue`) have more than one.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TypeAlias

Weighted: TypeAlias = Iterable[tuple[object, float]]
"""The texts of one entry, and how much a word of each counts; what is no text has no words."""

_LONGEST_QUERY: Final = 1000
"""Characters; the rest is not read."""
_SATURATION: Final = 1.2
_LENGTH_WEIGHT: Final = 0.75
"""k1 and b of BM25, as they are mostly set."""
_WORD: Final = re.compile(r"[^\W_]+")
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_COMMON: Final = frozenset(
    {"a", "an", "and", "are", "as", "at", "be", "by", "can", "for", "from", "in", "into", "is"}
    | {"it", "of", "on", "or", "that", "the", "this", "to", "use", "with", "you"}
)
_ENDINGS: Final = (("ies", "y"), ("sses", "ss"), ("shes", "sh"), ("ches", "ch"), ("xes", "x"))
_SHORTEST_STEM: Final = 3


class Ranking:
    """The words of a list of entries."""

    __slots__ = ("_postings",)

    def __init__(self, entries: Iterable[Weighted]) -> None:
        read = _Words()
        words = [_weights(each, read) for each in entries]
        lengths = [sum(each.values()) for each in words]
        mean = sum(lengths) / len(lengths) if lengths else 0.0
        frequency = Counter(word for each in words for word in each)
        postings: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
        for position, weights in enumerate(words):
            norm = 1 - _LENGTH_WEIGHT + _LENGTH_WEIGHT * lengths[position] / (mean or 1.0)
            for word, weight in weights.items():
                rarity = _rarity(len(words), frequency[word])
                score = rarity * weight * (_SATURATION + 1) / (weight + _SATURATION * norm)
                postings[word].append((position, score))
        self._postings: Mapping[str, list[tuple[int, float]]] = dict(postings)

    def scores(self, query: str) -> dict[int, float]:
        """Of the entries that have a word of the query, by their position."""
        scores: defaultdict[int, float] = defaultdict(float)
        for word in dict.fromkeys(_Words().of(query[:_LONGEST_QUERY])):
            for position, score in self._of(word):
                scores[position] += score
        return dict(scores)

    def _of(self, word: str) -> Iterable[tuple[int, float]]:
        """Where a word stands; where it does not, the words that begin with it, at half."""
        known = self._postings.get(word)
        if known is not None or len(word) < _SHORTEST_STEM:
            return known or ()
        longer = (each for name, each in self._postings.items() if name.startswith(word))
        return ((position, score / 2) for each in longer for position, score in each)


def in_order(scores: Mapping[int, float]) -> list[int]:
    """The best first; of equals, in the order of the list."""
    return sorted(scores, key=lambda each: (-scores[each], each))


def _weights(texts: Weighted, read: _Words) -> dict[str, float]:
    """The words of an entry, and how much each counts."""
    weights: defaultdict[str, float] = defaultdict(float)
    for text, weight in texts:
        if isinstance(text, str):
            for word in read.of(text):
                weights[word] += weight
    return weights


def _rarity(everything: int, having: int) -> float:
    """How much a word says that so many have: idf of BM25, never below zero."""
    return math.log(1 + (everything - having + 0.5) / (having + 0.5))


class _Words:
    """Reads words; those that it has read before, at once."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, ...]] = {}

    def of(self, text: str) -> Iterator[str]:
        """Words, also of names: `createIssue` and `create_issue` have two."""
        known = self._known
        for word in _WORD.findall(text):
            found = known.get(word)
            if found is None:
                humps = map(str.lower, _HUMP.split(word))
                found = known[word] = tuple(_stem(each) for each in humps if each not in _COMMON)
            yield from found


def _stem(word: str) -> str:
    """A word without its ending, as far as English tells: `closes`, `closing`, `closed`."""
    word = _singular(word)
    for ending in ("ing", "ed", "e"):
        stem = word.removesuffix(ending)
        if stem != word and len(stem) >= _SHORTEST_STEM:
            is_doubled = ending != "e" and stem[-1] == stem[-2] and stem[-1] not in "lsz"
            return stem[:-1] if is_doubled else stem
    return word


def _singular(word: str) -> str:
    for ending, singular in _ENDINGS:
        if word.endswith(ending) and len(word) > len(ending) + 1:
            return word[: -len(ending)] + singular
    is_plural = word.endswith("s") and not word.endswith(("ss", "us", "is"))
    return word[:-1] if is_plural and len(word) > _SHORTEST_STEM else word
