"""How many tokens a text is, about: without a tokenizer, from what kinds of bytes it has.

Counted are letters, words, numbers, punctuation and, by the lead bytes of UTF-8, other scripts.
Of a long text, only windows of it are counted. How far off this is: `benchmarks/estimator.py`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from math import ceil
from operator import mul

from extproc.llm.token_weights import WEIGHTS, Family

_FEWEST_WINDOWS = 8
"""As many characters are counted whole."""
_MOST_WINDOWS = 24
_CHARACTERS_PER_WINDOW = 2048
"""One more window for so many."""
_WINDOW = 160
_WINDOW_BEYOND_ASCII = 80
"""Where each character may be four bytes."""

_MOST_JOINED = 1 << 20
"""Of so many characters, several texts are sooner joined than walked over."""

_FIXED = 2
"""How many tokens more than estimated the shortest text may be."""

_KINDS = (
    # up to this byte; the lead bytes of UTF-8 tell the script
    (0x08, b"."),
    (0x09, b" "),
    (0x0A, b"n"),
    (0x0C, b"."),
    (0x0D, b"n"),
    (0x1F, b"."),
    (0x20, b" "),
    (0x2F, b"."),
    (0x39, b"0"),
    (0x40, b"."),
    (0x5A, b"A"),
    (0x60, b"."),
    (0x7A, b"a"),
    (0x7F, b"."),
    (0xBF, b"-"),  # goes on
    (0xC3, b"L"),
    (0xCB, b"M"),
    (0xCF, b"G"),
    (0xD3, b"C"),
    (0xD7, b"H"),
    (0xDB, b"R"),
    (0xDF, b"S"),
    (0xE0, b"I"),
    (0xE1, b"V"),
    (0xE2, b"P"),
    (0xE3, b"J"),
    (0xE9, b"Z"),
    (0xED, b"K"),
    (0xEE, b"E"),
    (0xEF, b"F"),
    (0xFF, b"E"),
)
_KIND = b"".join(next(kind for last, kind in _KINDS if byte <= last) for byte in range(256))
# A bit for what a byte is, and for letters two more: one above that of a space and of a mark.
_SPACE, _MARK, _SMALL, _CAPITAL, _DIGIT, _LINE_END = (1 << place for place in (0, 2, 4, 5, 6, 7))
_LETTER = _SPACE << 1 | _MARK << 1
_BITS = {
    "a": _SMALL | _LETTER,
    "A": _CAPITAL | _LETTER,
    "0": _DIGIT,
    "n": _LINE_END,
    ".": _MARK,
    " ": _SPACE,
}
_BIT = bytes(_BITS.get(chr(kind), 0) for kind in _KIND)
_SPACES, _MARKS, _SMALLS, _CAPITALS, _DIGITS, _LINE_ENDS = (
    int.from_bytes(
        bytes((bit,)) * (_MOST_WINDOWS * max(_WINDOW, _WINDOW_BEYOND_ASCII * 4)), "little"
    )
    for bit in (_SPACE, _MARK, _SMALL, _CAPITAL, _DIGIT, _LINE_END)
)
_SCRIPTS = tuple(
    # the frequent first; which of the weights is of each
    (bytes((kind,)), b"LMGCHRSIVPJZKFE".index(kind))
    for kind in b"LZJRCPKIFMVEGHS"
)

_FAMILIES = (
    # the first that is found in the name of a model
    (re.compile(r"gpt-3\.5|gpt-4(?![.o0-9])|text-embedding|davinci|babbage"), Family.OPENAI_OLD),
    (re.compile(r"gpt|(?:^|[/.])o[1-9]|codex|whisper|tts-|dall-e|omni-mod"), Family.OPENAI),
    (
        re.compile(
            r"claude-(?:[1-3]|instant|(?:haiku|sonnet)-[34]|opus-(?:3|4(?:[-.][0-6]\b|-20|@|:|$)))"
        ),
        Family.CLAUDE_OLD,
    ),
    (re.compile(r"claude"), Family.CLAUDE),
    (re.compile(r"gemini|gemma|learnlm|imagen"), Family.GEMINI),
    (re.compile(r"mi[sx]tral|magistral|codestral|devstral|voxtral|pixtral"), Family.MISTRAL),
    (re.compile(r"deepseek"), Family.DEEPSEEK),
    (re.compile(r"llama"), Family.LLAMA),
    (re.compile(r"qwen|qwq"), Family.QWEN),
)


def family_of(model: str) -> Family:
    """By the name that a provider knows."""
    name = model.lower()
    for pattern, family in _FAMILIES:
        if pattern.search(name):
            return family
    return Family.OTHER


def expected(texts: Sequence[str], family: Family) -> int:
    """As many tokens as there should be, as often too few as too many."""
    return ceil(_tokens(texts, family))


def upper(texts: Sequence[str], family: Family) -> int:
    """More tokens than there hardly ever are: what budgets reserve."""
    tokens = _tokens(texts, family)
    return ceil(tokens * WEIGHTS[family].margin) + _FIXED if tokens else 0


def _tokens(texts: Sequence[str], family: Family) -> float:
    characters = sum(map(len, texts))
    if not characters:
        return 0.0
    size = _WINDOW if all(map(str.isascii, texts)) else _WINDOW_BEYOND_ASCII
    if characters <= _FEWEST_WINDOWS * size:
        return _weighed(texts[0] if len(texts) == 1 else "\n".join(texts), family)
    count = min(_MOST_WINDOWS, _FEWEST_WINDOWS + characters // _CHARACTERS_PER_WINDOW)
    step = characters // count
    if len(texts) == 1 or characters <= _MOST_JOINED:
        text = texts[0] if len(texts) == 1 else "".join(texts)
        starts = range(0, characters - size, step)
        sample = "".join([text[start : start + size] for start in starts])
    else:
        sample = _windows(texts, step, size)
    return _weighed(sample, family) * characters / len(sample)


def _windows(texts: Sequence[str], step: int, size: int) -> str:
    """Pieces of so many characters, at equal distances over all the texts."""
    ends = list(accumulate(map(len, texts)))
    pieces: list[str] = []
    for start in range(0, ends[-1], step):
        place = bisect_right(ends, start)
        inside = start - (ends[place - 1] if place else 0)
        missing = size
        while missing and place < len(texts):
            piece = texts[place][inside : inside + missing]
            pieces.append(piece)
            missing -= len(piece)
            place, inside = place + 1, 0
    return "".join(pieces)


def _weighed(text: str, family: Family) -> float:
    weights = WEIGHTS[family]
    data = text.encode("utf-8", "surrogatepass")
    # Bytes as one number, a bit for each kind: to find and count them takes no branch for each.
    # Behind a space a letter has the bit above, behind a small letter a capital, and a mark two.
    bits = int.from_bytes(data.translate(_BIT), "little")
    spaces, marks, digits = bits & _SPACES, bits & _MARKS, bits & _DIGITS
    next_above = bits >> 9
    capital, digit, mark = (bits & _CAPITALS).bit_count(), digits.bit_count(), marks.bit_count()
    line_end, space = (bits & _LINE_ENDS).bit_count(), spaces.bit_count()
    others = 0
    small = len(data) - capital - digit - line_end - mark - space
    if len(data) != len(text):
        small = (bits & _SMALLS).bit_count()
        others = len(text) - small - capital - digit - line_end - mark - space
    found = (
        small,
        capital,
        digit,
        line_end,
        mark,
        (spaces & next_above).bit_count(),
        (marks & next_above).bit_count(),
        (bits & next_above & _SMALLS).bit_count(),
        digit - (digits & digits >> 8).bit_count(),  # numbers
        (spaces & bits >> 10).bit_count(),
    )
    tokens: float = sum(map(mul, found, weights.ascii))
    kinds = data.translate(_KIND) if others else b""
    for kind, place in _SCRIPTS:
        if not others:
            break
        letters = kinds.count(kind)
        others -= letters
        tokens += letters * weights.scripts[place]
    return tokens
