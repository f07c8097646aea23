"""Anthropic's betas, and which of them a provider is asked for.

https://docs.claude.com/en/api/beta-headers. Clouds that serve Claude take some, by names that are
their own in one case, and refuse a request that names another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TypeAlias

Betas: TypeAlias = tuple[str, ...]
"""Names; of those that a provider takes also beginnings, with a `*` behind them."""

ALL: Betas = ("*",)
"""Whatever a client asks for."""

CALLED_BY_CLOUDS: Mapping[str, str] = MappingProxyType(
    {"advanced-tool-use-2025-11-20": "tool-search-tool-2025-10-19"}
)
"""What Anthropic calls so, where a provider takes it by the other name alone."""


def named(header: str) -> Betas:
    """Those of a header, or of several that were joined."""
    return tuple([name for each in header.split(",") if (name := each.strip())])


def taken(betas: Iterable[str], takes: Iterable[str]) -> Betas:
    """Those of them that a provider takes, as it calls them."""
    known = tuple(takes)
    found: dict[str, None] = {}
    for name in betas:
        for each in (name, CALLED_BY_CLOUDS.get(name, name)):
            if any(_is(each, pattern) for pattern in known):
                found[each] = None
                break
    return tuple(found)


def _is(name: str, pattern: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern
