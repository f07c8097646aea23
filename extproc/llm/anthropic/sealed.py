"""Thinking blocks, and the seals of other providers that ride in them.

https://docs.claude.com/en/docs/build-with-claude/extended-thinking. A client plays all thinking
blocks back as they came. So what Gemini seals beside thinking, calls and texts, is shown as a
thinking block of its own: before the call, after the text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from extproc.llm import seals
from extproc.llm.request import Signature, Thinking
from gateway.model import Dialect

_OF_CALL = "dragoman-call:"
_OF_TEXT = "dragoman-text:"


@dataclass(frozen=True, slots=True)
class CallSeal:
    """Of the tool call that follows."""

    signature: Signature


@dataclass(frozen=True, slots=True)
class TextSeal:
    """Of the text before."""

    signature: Signature


def shown(signature: Signature) -> str:
    return seals.shown(signature, Dialect.ANTHROPIC)


def call_seal(signature: Signature) -> dict[str, object]:
    """The block before a call."""
    return {"type": "thinking", "thinking": "", "signature": _OF_CALL + shown(signature)}


def text_seal(signature: Signature) -> dict[str, object]:
    """The block after a text."""
    return {"type": "redacted_thinking", "data": _OF_TEXT + shown(signature)}


def thinking_block(part: Thinking) -> dict[str, object]:
    """As a client is shown it."""
    value = "" if part.signature is None else shown(part.signature)
    if part.is_redacted:
        return {"type": "redacted_thinking", "data": value}
    return {"type": "thinking", "thinking": part.text, "signature": value}


def played_back(block: Mapping[str, object]) -> Thinking | CallSeal | TextSeal | None:
    """Of a `thinking` or `redacted_thinking` block; None where it says nothing."""
    if block.get("type") == "redacted_thinking":
        data = block.get("data")
        if type(data) is not str or not data:
            return None
        if data.startswith(_OF_TEXT):
            return TextSeal(_signature(data.removeprefix(_OF_TEXT)))
        return Thinking("", _signature(data), is_redacted=True)
    text, value = block.get("thinking"), block.get("signature")
    said = text if type(text) is str else ""
    if type(value) is not str or not value:
        return Thinking(said) if said else None
    if not said and value.startswith(_OF_CALL):
        return CallSeal(_signature(value.removeprefix(_OF_CALL)))
    return Thinking(said, _signature(value))


def _signature(value: str) -> Signature:
    return seals.played_back(value, Dialect.ANTHROPIC)
