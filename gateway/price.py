"""What a model costs: integers alone, so that no sum is inexact."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs in nanodollars: per million tokens, unless said otherwise.

    None: the part of the input or output costs what the whole does.
    """

    input: int
    output: int
    cached_input: int
    cache_write: int
    cache_write_1h: int | None = None
    """Kept for an hour. None: `cache_write`."""
    reasoning: int | None = None
    audio_input: int | None = None
    image_input: int | None = None
    audio_output: int | None = None
    image_output: int | None = None
    characters: int = 0
    """Per million characters that are spoken."""
    image: int = 0
    """Per image made, of a kind that `images` does not name."""
    images: tuple[tuple[str, int], ...] = ()
    """Per image made, by size or by quality and size: `1024x1024`, `hd/1024x1792`."""
    second: int = 0
    """Per second of sound, heard or spoken."""
    search: int = 0
    """Per search."""
    request: int = 0
    """Per call."""
    above: tuple[tuple[int, Price], ...] = ()
    """What calls cost whole whose input has more tokens than that; by size, ascending. What these
    say of larger inputs or service tiers does not count."""
    service_tiers: tuple[tuple[str, Price], ...] = ()
    """What calls cost that are served as `flex`, `priority`, `batch`; their own `above` counts."""
