"""Aspect ratios of images, as `16:9`, and the nearest of those that a model can draw."""

from __future__ import annotations

import math
from collections.abc import Iterable

_MOST_DIGITS = 6


def of_size(size: str) -> str:
    """Of `1536x1024`: `3:2`; empty: it is no size in pixels."""
    width, cross, height = size.partition("x")
    if not (cross and _is_count(width) and _is_count(height)):
        return ""
    divisor = math.gcd(int(width), int(height))
    return f"{int(width) // divisor}:{int(height) // divisor}"


def nearest(ratio: str, known: Iterable[str]) -> str:
    """Of those known, by how much wider or narrower they are; empty: it is no ratio."""
    wanted = _value(ratio)
    if wanted is None:
        return ""
    return min(known, key=lambda each: abs(math.log((_value(each) or 1.0) / wanted)))


def _value(ratio: str) -> float | None:
    width, _, height = ratio.partition(":")
    if not (_is_count(width) and _is_count(height)):
        return None
    return int(width) / int(height)


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS and int(text) > 0
