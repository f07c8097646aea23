"""Golden files: what a test makes is compared with what was committed; `REWRITE=1` rewrites."""

from __future__ import annotations

import os
from pathlib import Path

GOLDEN = Path(__file__).parents[1] / "golden"


def matches(actual: str, path: Path) -> bool:
    """True when the file holds this text. Under `REWRITE=1` it is made to."""
    if os.environ.get("REWRITE") == "1":
        path.write_text(actual, encoding="utf-8")
    return path.exists() and path.read_text(encoding="utf-8") == actual


def is_shown(block: str, number: int, page: Path, actual: str) -> bool:
    """True when the block of this language with this number, counted from 0, of a page is this
    text. Under `REWRITE=1` it is made to.
    """
    fence = f"```{block}\n"
    parts = page.read_text(encoding="utf-8").split(fence)
    said, end, rest = parts[number + 1].partition("```")
    if os.environ.get("REWRITE") == "1":
        parts[number + 1] = actual + end + rest
        page.write_text(fence.join(parts), encoding="utf-8")
        return True
    return said == actual
