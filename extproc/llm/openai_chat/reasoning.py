"""Reasoning as servers of OpenAI's chat dialect show it: `reasoning_content` and its details.

DeepSeek and vLLM tell it as `reasoning_content` or `reasoning`, OpenRouter with the seals as
`reasoning_details` (https://openrouter.ai/docs/use-cases/reasoning-tokens), Mistral as parts of the
content, Gemini's compatible API its seals alone, in `extra_content`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from extproc.llm.request import Signature, Thinking
from extproc.llm.seals import played_back, shown
from gateway.model import Dialect

TEXT_FIELDS = ("reasoning_content", "reasoning")
_BESIDE_SEALS = ("format", "id")
"""What OpenRouter wants back with a seal."""

_decode = msgspec.json.Decoder(dict[str, str]).decode


def thinking_of(message: Mapping[str, object]) -> list[Thinking]:
    """The reasoning of a message; its details say more than its text alone."""
    found: list[Thinking] = []
    details = message.get("reasoning_details")
    if type(details) is list:
        found = [each for item in details if (each := thinking_in(item)) is not None]
    if any(each.text for each in found):
        return found
    text = reasoning_text(message)
    if not text:
        return found
    if len(found) == 1 and not found[0].is_redacted:  # a client kept the two apart
        return [Thinking(text, found[0].signature)]
    return [Thinking(text), *found]


def reasoning_text(message: Mapping[str, object]) -> str:
    """What a message or a delta tells as text alone."""
    for name in TEXT_FIELDS:
        text = message.get(name)
        if text and type(text) is str:
            return text
    return ""


def thinking_in(detail: object) -> Thinking | None:
    """One of the details."""
    if type(detail) is not dict:
        return None
    kind = detail.get("type")
    if kind == "reasoning.encrypted":
        sealed = _sealed(detail, "data")
        return None if sealed is None else Thinking("", sealed, is_redacted=True)
    text = detail.get("summary" if kind == "reasoning.summary" else "text")
    words = text if type(text) is str else ""
    sealed = _sealed(detail, "signature") if kind == "reasoning.text" else None
    return Thinking(words, sealed) if words or sealed is not None else None


def detail_of(thinking: Thinking) -> dict[str, object]:
    """The detail that says sealed reasoning."""
    signature = thinking.signature
    value = "" if signature is None else shown(signature, Dialect.OPENAI_CHAT)
    if thinking.is_redacted:
        return {"type": "reasoning.encrypted", **_unsealed(value, "data")}
    return {"type": "reasoning.text", "text": thinking.text, **_unsealed(value, "signature")}


def reasoning_fields(thinking: Sequence[Thinking]) -> dict[str, object]:
    """The members of a message that show reasoning; details only where something is sealed."""
    fields: dict[str, object] = {}
    text = "".join([each.text for each in thinking])
    if text:
        fields["reasoning_content"] = text
    if any(each.signature is not None for each in thinking):
        fields["reasoning_details"] = [
            {"type": "reasoning.text", "text": each.text}
            if each.signature is None
            else detail_of(each)
            for each in thinking
        ]
    return fields


def seal_of(holder: Mapping[str, object]) -> Signature | None:
    """Gemini's seal on a tool call, or on a message."""
    extra = holder.get("extra_content")
    google = extra.get("google") if type(extra) is dict else None
    seal = google.get("thought_signature") if type(google) is dict else None
    return played_back(seal, Dialect.OPENAI_CHAT) if seal and type(seal) is str else None


def extra_content(signature: Signature) -> dict[str, object]:
    """Where Gemini's compatible API has its seals."""
    return {"google": {"thought_signature": shown(signature, Dialect.OPENAI_CHAT)}}


def thinking_part(part: Mapping[str, object]) -> Thinking | None:
    """Mistral's `thinking` part of a content: an array of texts, or Anthropic's, a text."""
    inner = part.get("thinking")
    if type(inner) is list:
        texts = [item.get("text") for item in inner if type(item) is dict]
        inner = "".join([text for text in texts if type(text) is str])
    return Thinking(inner) if inner and type(inner) is str else None


def _sealed(detail: Mapping[str, object], name: str) -> Signature | None:
    """With what must come back beside it, as JSON."""
    seal = detail.get(name)
    if not seal or type(seal) is not str:
        return None
    signature = played_back(seal, Dialect.OPENAI_CHAT)
    beside = {key: detail[key] for key in _BESIDE_SEALS if type(detail.get(key)) is str}
    if not beside or signature.origin is not Dialect.OPENAI_CHAT:
        return signature
    value = msgspec.json.encode({name: signature.value, **beside}).decode()
    return Signature(value, Dialect.OPENAI_CHAT)


def _unsealed(value: str, name: str) -> dict[str, object]:
    """Back from it. A client may have written it: only what is known is taken out of it."""
    if value.startswith("{"):
        try:
            members = _decode(value)
        except msgspec.DecodeError:
            return {name: value}
        return {key: members[key] for key in (name, *_BESIDE_SEALS) if key in members}
    return {name: value}
