"""Reasoning blocks, and the seals of other providers that ride in them.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ReasoningContentBlock.html.
Clients play all reasoning back as it came. So what another provider seals beside reasoning is shown
as a reasoning block of its own: before the call, after the text.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass

from extproc.llm import seals
from extproc.llm.request import Signature, Thinking
from gateway.model import Dialect

OF_CALL = "dragoman-call:"
OF_TEXT = "dragoman-text:"


@dataclass(frozen=True, slots=True)
class CallSeal:
    """Of the tool call that follows."""

    signature: Signature


@dataclass(frozen=True, slots=True)
class TextSeal:
    """Of the text before."""

    signature: Signature


def shown(signature: Signature) -> str:
    """As a client is shown it."""
    return seals.shown(signature, Dialect.BEDROCK)


def shown_redacted(signature: Signature) -> str:
    """As `redactedContent`: bytes in base64, which Bedrock's own seals are."""
    text = shown(signature)
    if signature.origin is Dialect.BEDROCK:
        return text
    return base64.b64encode(text.encode()).decode()


def thinking_block(part: Thinking) -> dict[str, object]:
    """A `reasoningContent`."""
    seal = part.signature
    if part.is_redacted:
        return {"redactedContent": "" if seal is None else shown_redacted(seal)}
    text: dict[str, object] = {"text": part.text}
    if seal is not None:
        text["signature"] = shown(seal)
    return {"reasoningText": text}


def seal_block(prefix: str, signature: Signature) -> dict[str, object]:
    """A `reasoningContent` that holds the seal of what is no reasoning."""
    return {"reasoningText": {"text": "", "signature": prefix + shown(signature)}}


def played_back(reasoning: Mapping[str, object]) -> Thinking | CallSeal | TextSeal | None:
    """Of a `reasoningContent`; None where it says nothing."""
    redacted = reasoning.get("redactedContent")
    if isinstance(redacted, str):
        return Thinking("", _redacted(redacted), is_redacted=True)
    inner = reasoning.get("reasoningText")
    if not isinstance(inner, dict):
        return None
    text, value = inner.get("text"), inner.get("signature")
    thought = text if isinstance(text, str) else ""
    if not isinstance(value, str) or not value:
        return Thinking(thought) if thought else None
    if value.startswith(OF_CALL):
        return CallSeal(seals.played_back(value.removeprefix(OF_CALL), Dialect.BEDROCK))
    if value.startswith(OF_TEXT):
        return TextSeal(seals.played_back(value.removeprefix(OF_TEXT), Dialect.BEDROCK))
    return Thinking(thought, seals.played_back(value, Dialect.BEDROCK))


def _redacted(encoded: str) -> Signature:
    """Bedrock's own bytes, or what another provider's seal was shown as."""
    own = Signature(encoded, Dialect.BEDROCK)
    try:
        text = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return own
    seal = seals.played_back(text, Dialect.BEDROCK)
    return own if seal.origin is Dialect.BEDROCK else seal
