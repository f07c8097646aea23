"""How many tokens a body is thought to have at most: what budgets reserve, and rules read.

Short bodies are not worth a close look: half of their bytes is more tokens than nearly all texts
have. Of longer ones the texts are looked at (`estimate.upper`), and the rest is taken for data.
"""

from __future__ import annotations

from collections.abc import Callable

from extproc.llm.estimate import family_of, upper
from extproc.verdict import Deny

SHORT_BYTES = 4096
BYTES_PER_TOKEN_OF_SHORT = 2
BYTES_PER_TOKEN_OF_DATA = 3


def body_tokens(size: int, texts: Callable[[], tuple[str, ...] | Deny], model: str) -> int:
    """Of so many bytes of a body, and what a model would read of it."""
    if size <= SHORT_BYTES:
        return -(-max(0, size) // BYTES_PER_TOKEN_OF_SHORT)
    found = texts()
    if isinstance(found, Deny):
        return -(-size // BYTES_PER_TOKEN_OF_SHORT)
    said = sum(len(text) if text.isascii() else len(text.encode()) for text in found)
    data = max(0, size - said)
    return upper(found, family_of(model)) - (-data // BYTES_PER_TOKEN_OF_DATA)
