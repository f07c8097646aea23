"""Names for what a dialect leaves without one, and another dialect must name."""

from __future__ import annotations

import hashlib


def call_id(seed: str, number: int) -> str:
    """The id of a tool call: unlike those of other answers, when the seed is unlike theirs."""
    return f"call_{hashlib.blake2b(f'{seed}/{number}'.encode(), digest_size=12).hexdigest()}"
