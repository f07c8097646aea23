"""Seals in parts: Gemini's own, and those of other providers that its clients carry.

https://ai.google.dev/gemini-api/docs/thought-signatures. A part has no place for "this reasoning is
sealed whole", so that is said within a foreign seal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from extproc.llm import seals
from extproc.llm.gemini.base64_forms import standard
from extproc.llm.request import Signature
from gateway.model import Dialect

UNCHECKED = "skip_thought_signature_validator"
"""What Google documents for function calls that no Gemini model made."""

_NO_SEALS = frozenset({"", UNCHECKED, "context_engineering_is_the_way_to_go"})
_REDACTED = "redacted:"
"""No seal of a provider begins so: they are base64."""


def read(part: Mapping[str, object]) -> tuple[Signature | None, bool]:
    """The seal of a client's part, and whether it holds the reasoning itself."""
    value = part.get("thoughtSignature")
    if type(value) is not str or not value.isascii() or value in _NO_SEALS:
        return None, False
    signature = seals.played_back(standard(value), Dialect.GEMINI)
    if signature.origin is not Dialect.GEMINI and signature.value.startswith(_REDACTED):
        return replace(signature, value=signature.value.removeprefix(_REDACTED)), True
    return signature, False


def of_provider(part: Mapping[str, object]) -> Signature | None:
    """The seal that Gemini gave a part."""
    value = part.get("thoughtSignature")
    return Signature(value, Dialect.GEMINI) if type(value) is str and value else None


def shown(signature: Signature, *, is_redacted: bool = False) -> str:
    """As a Gemini client is shown it."""
    if is_redacted:
        signature = replace(signature, value=f"{_REDACTED}{signature.value}")
    return seals.shown(signature, Dialect.GEMINI)
