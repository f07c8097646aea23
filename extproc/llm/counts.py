"""Counts in what a provider says that an answer used; what cannot be one is passed over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeGuard

MOST_TOKENS = 2**31 - 1
"""The largest count that is believed."""


def count(counts: Mapping[str, object], name: str) -> int:
    """A number of tokens; 0 where none is told."""
    value = counts.get(name)
    return value if _is_count(value) else 0


def reported(document: Mapping[str, object]) -> tuple[tuple[str, int], ...]:
    """All counts under the provider's names; those within objects, with both names."""
    found: list[tuple[str, int]] = []
    for name, value in document.items():
        if _is_count(value):
            found.append((name, value))
        elif type(value) is dict:
            found += [
                (f"{name}.{each}", number) for each, number in value.items() if _is_count(number)
            ]
    return tuple(found)


def _is_count(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 <= value <= MOST_TOKENS
