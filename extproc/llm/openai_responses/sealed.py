"""Seals in items of the Responses API: reasoning items, whose encrypted content holds them.

https://platform.openai.com/docs/guides/reasoning#encrypted-reasoning-items. Gemini seals tool calls
and texts as well, which have no place for a seal here: a reasoning item with nothing else holds it,
before the call or behind the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto

from msgspec import Struct

from extproc.llm.request import Signature, Thinking
from extproc.llm.seals import played_back, shown
from gateway.model import Dialect

BETWEEN_PARTS = "\n\n"
"""Of a summary, which has headed paragraphs."""

_ON_CALL = "dragoman-call:"
_ON_TEXT = "dragoman-text:"


class Sealed(Enum):
    """What a seal is on."""

    REASONING = auto()
    NEXT_CALL = auto()
    LAST_TEXT = auto()
    """Or the last image."""


class Seal(Struct, frozen=True):
    """The encrypted content of an item."""

    sealed: Sealed
    signature: Signature


def read_seal(encrypted: str) -> Seal:
    """What a client plays back."""
    for sealed, mark in ((Sealed.NEXT_CALL, _ON_CALL), (Sealed.LAST_TEXT, _ON_TEXT)):
        if encrypted.startswith(mark):
            own = encrypted.removeprefix(mark)
            return Seal(sealed, played_back(own, Dialect.OPENAI_RESPONSES))
    return Seal(Sealed.REASONING, played_back(encrypted, Dialect.OPENAI_RESPONSES))


def on_call(signature: Signature) -> str:
    """The encrypted content of an item that stands before a call, and seals it."""
    return _ON_CALL + shown(signature, Dialect.OPENAI_RESPONSES)


def on_text(signature: Signature) -> str:
    """The encrypted content of an item that stands behind a text, and seals it."""
    return _ON_TEXT + shown(signature, Dialect.OPENAI_RESPONSES)


def thinking_of(texts: Sequence[str], signature: Signature | None) -> Thinking | None:
    """The reasoning of an item with these parts; without any, what is sealed is the reasoning."""
    if not texts and signature is None:
        return None
    return Thinking(BETWEEN_PARTS.join(texts), signature, is_redacted=not texts)


def summary_of(thinking: Thinking) -> list[dict[str, object]]:
    """The summary of an item."""
    if thinking.is_redacted:
        return []
    return [{"type": "summary_text", "text": thinking.text}]


def encrypted(thinking: Thinking) -> str | None:
    """The encrypted content of an item."""
    if thinking.signature is None:
        return None
    return shown(thinking.signature, Dialect.OPENAI_RESPONSES)
