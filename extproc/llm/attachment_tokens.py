"""How many tokens images, sound and documents are, by the vendors' published rules.

OpenAI https://developers.openai.com/api/docs/guides/images-vision ·
Anthropic https://platform.claude.com/docs/en/build-with-claude/vision ·
Gemini https://ai.google.dev/gemini-api/docs/tokens
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, sqrt

from extproc.llm.image_size import Size
from extproc.llm.token_weights import Family

_UNKNOWN = Size(1024, 1024)
"""What an image is taken for whose size nobody says: one behind an address, for instance."""


@dataclass(frozen=True, slots=True)
class Tiles:
    """OpenAI: so much for an image, and so much for each square of 512 pixels."""

    base: int
    tile: int


@dataclass(frozen=True, slots=True)
class Patches:
    """OpenAI: so much for each square of 32 pixels, as many as the budget allows."""

    times: float
    budget: int = 1536


_OPENAI: tuple[tuple[str, Tiles | Patches], ...] = (
    # the first that a model's name contains
    ("gpt-4o-mini", Tiles(2833, 5667)),
    ("gpt-4.1-mini", Patches(1.62)),
    ("gpt-4.1-nano", Patches(2.46)),
    ("gpt-5-mini", Patches(1.62)),
    ("gpt-5-nano", Patches(2.46)),
    ("o4-mini", Patches(1.72)),
    ("gpt-4", Tiles(85, 170)),
    ("chatgpt-4o", Tiles(85, 170)),
    ("computer-use", Tiles(65, 129)),
    ("gpt-5-chat", Tiles(70, 140)),
    ("o1", Tiles(75, 150)),
    ("o3", Tiles(75, 150)),
)
_OPENAI_GPT_5 = ("gpt-5", "gpt-5-2025-08-07")
_OPENAI_OTHER = Patches(1.62)
"""Of models whose rule is not known here: the dearer of those of today's small models."""

_GEMINI_TILE = 258
_GEMINI_3_IMAGE = 1120
_GEMINI_AUDIO_PER_SECOND = 32
_OPENAI_AUDIO_PER_SECOND = 10
_CLAUDE_OLD_EDGE, _CLAUDE_OLD_MOST = 1568, 1600
_CLAUDE_EDGE, _CLAUDE_MOST = 2576, 4784
_PAGE = 3000
"""Of a document, text and picture: the upper end of what Anthropic says. Gemini's are cheaper."""
_GEMINI_PAGE = 258
_BYTES_PER_PAGE = 50_000
"""Of a PDF whose pages nobody counts."""


def image_tokens(model: str, family: Family, size: Size | None, *, is_low: bool = False) -> int:
    """Of one image. `is_low`: the client asks for little detail (OpenAI's `detail`)."""
    size = size or _UNKNOWN
    name = model.lower()
    match family:
        case Family.CLAUDE:
            return _by_area(size, _CLAUDE_EDGE, _CLAUDE_MOST)
        case Family.CLAUDE_OLD:
            return _by_area(size, _CLAUDE_OLD_EDGE, _CLAUDE_OLD_MOST)
        case Family.GEMINI:
            return _GEMINI_3_IMAGE if "gemini-3" in name or "gemini-4" in name else _tiled(size)
        case _:
            return _openai(name, size, is_low=is_low)


def audio_tokens(family: Family, seconds: float) -> int:
    """Of sound."""
    each = _GEMINI_AUDIO_PER_SECOND if family is Family.GEMINI else _OPENAI_AUDIO_PER_SECOND
    return ceil(seconds * each)


def document_tokens(family: Family, size_bytes: int) -> int:
    """Of a PDF, by its size: nobody has counted its pages."""
    pages = max(1, ceil(size_bytes / _BYTES_PER_PAGE))
    return pages * (_GEMINI_PAGE if family is Family.GEMINI else _PAGE)


def _by_area(size: Size, longest: int, most: int) -> int:
    """Anthropic: a token for 750 pixels, once the image is small enough."""
    shrink = min(1.0, longest / max(size))
    return min(most, ceil(size.width * shrink * size.height * shrink / 750))


def _tiled(size: Size) -> int:
    """Gemini before 3: small images are one tile, others cut into squares of two thirds of
    their shorter side, from 256 to 768 pixels."""
    if max(size) <= 384:
        return _GEMINI_TILE
    side = min(768, max(256, floor(min(size) / 1.5)))
    return _GEMINI_TILE * ceil(size.width / side) * ceil(size.height / side)


def _openai(name: str, size: Size, *, is_low: bool) -> int:
    rule = _openai_rule(name.rpartition("/")[2])
    if isinstance(rule, Patches):
        return ceil(min(_patches(size, rule.budget), rule.budget) * rule.times)
    if is_low:
        return rule.base
    shrink = min(1.0, 2048 / max(size))
    shrink *= min(1.0, 768 / (min(size) * shrink))
    across, down = (ceil(round(side * shrink, 3) / 512) for side in size)
    return rule.base + rule.tile * across * down


def _openai_rule(name: str) -> Tiles | Patches:
    if name in _OPENAI_GPT_5:
        return Tiles(70, 140)
    return next((rule for part, rule in _OPENAI if part in name), _OPENAI_OTHER)


def _patches(size: Size, budget: int) -> int:
    """Shrunk until whole squares of 32 pixels fit the budget."""
    across, down = ceil(size.width / 32), ceil(size.height / 32)
    if across * down <= budget:
        return across * down
    shrink = sqrt(32 * 32 * budget / (size.width * size.height))
    shrink *= min(_down(side * shrink / 32) for side in size)
    return ceil(round(size.width * shrink / 32, 3)) * ceil(round(size.height * shrink / 32, 3))


def _down(squares: float) -> float:
    """How much smaller whole squares are."""
    return floor(squares) / squares if squares >= 1 else 1.0
