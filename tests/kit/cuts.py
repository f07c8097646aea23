"""Bytes in pieces."""

from __future__ import annotations

import itertools
from collections.abc import Iterable


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    """The data, cut at these places, of which any number will do."""
    ends = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[start:end] for start, end in itertools.pairwise(ends)]
