"""Text in which `*` stands for anything: what scopes and names of models are written in."""

from __future__ import annotations

import re


def matches(pattern: str, value: str) -> bool:
    """Whether the pattern covers the value."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), value, re.DOTALL) is not None
