"""Texts of system prompts, and how long prompts are."""

from __future__ import annotations

BYTES_PER_TOKEN = 4
"""Of English prose. Where less is meant as more, nothing is lost but a mark."""
_BETWEEN = "\n\n"


def joined(*texts: str) -> str:
    """One text of several; those that are empty leave no trace."""
    return _BETWEEN.join(text for text in texts if text)
