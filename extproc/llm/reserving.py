"""How many tokens a body is thought to have at most: what budgets reserve, and rules read.

Short bodies are not worth a close look: half of their bytes is more tokens than nearly all texts
have. Of longer ones the texts are looked at (`estimate.upper`), and the rest is taken for data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from extproc.llm.dialect import Call
from extproc.llm.estimate import family_of, upper
from extproc.verdict import Deny

Texts: TypeAlias = Callable[[Mapping[str, object]], "tuple[str, ...] | Deny"]
"""Finds what a model would read."""

SHORT_BYTES = 4096
BYTES_PER_TOKEN_OF_SHORT = 2
BYTES_PER_TOKEN_OF_DATA = 3


def body_tokens(size: int, texts: Texts, call: Call) -> int:
    """Of so many bytes of a body, and what a model would read of it."""
    if size <= SHORT_BYTES:
        return -(-max(0, size) // BYTES_PER_TOKEN_OF_SHORT)
    found = texts(call.document) if call.texts is None else call.texts
    if isinstance(found, Deny):
        return -(-size // BYTES_PER_TOKEN_OF_SHORT)
    said = sum(len(text) if text.isascii() else len(text.encode()) for text in found)
    data = max(0, size - said)
    return upper(found, family_of(call.model)) - (-data // BYTES_PER_TOKEN_OF_DATA)


def is_unbounded(call: Call) -> bool:
    """Whether nothing bounds what is answered later, when nobody reads its usage."""
    return call.max_output_tokens is None and is_detached(call)


def is_detached(call: Call | None) -> bool:
    """Whether it is answered also when nobody listens."""
    return call is not None and call.document.get("background") is True
