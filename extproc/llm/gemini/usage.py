"""What Gemini says that a call consumed: https://ai.google.dev/api/generate-content#UsageMetadata.

`candidatesTokenCount` is without the thoughts, `promptTokenCount` without what tools of the
provider read.
"""

from __future__ import annotations

from collections.abc import Mapping

from extproc.llm import counts
from gateway.usage import Usage

USAGE_MEMBER = "usageMetadata"
"""The top-level member of an answer that holds it."""

_TIERS: Mapping[str, str] = {
    "ON_DEMAND_FLEX": "flex",
    "ON_DEMAND_PRIORITY": "priority",
    "PROVISIONED_THROUGHPUT": "provisioned",
}
_MODALITIES = ("AUDIO", "IMAGE")


def usage_of(document: object) -> Usage | None:
    """Of the value of `usageMetadata`; also of embeddings, which have no output."""
    if type(document) is not dict:
        return None
    told = counts.reported(document)
    if not told:
        return None
    count = dict(told).get
    prompt = count("promptTokenCount", 0)
    tools = count("toolUsePromptTokenCount", 0)
    thoughts = count("thoughtsTokenCount", 0)
    candidates = count("candidatesTokenCount")
    if candidates is None:
        candidates = max(count("totalTokenCount", 0) - prompt - tools - thoughts, 0)
    heard, seen = _modalities(
        document.get("promptTokensDetails") or document.get("promptTokenDetails")
    )
    spoken, drawn = _modalities(document.get("candidatesTokensDetails"))
    return Usage(
        prompt + tools,
        candidates + thoughts,
        cached_input_tokens=count("cachedContentTokenCount", 0),
        reasoning_tokens=thoughts,
        audio_input_tokens=heard,
        image_input_tokens=seen,
        audio_output_tokens=spoken,
        image_output_tokens=drawn,
        service_tier=_tier(document),
        reported=told,
    )


def encode_usage(usage: Usage) -> dict[str, object]:
    """The value of `usageMetadata`."""
    said: dict[str, object] = {
        "promptTokenCount": usage.input_tokens,
        "candidatesTokenCount": max(usage.output_tokens - usage.reasoning_tokens, 0),
        "totalTokenCount": usage.total_tokens,
    }
    if usage.cached_input_tokens:
        said["cachedContentTokenCount"] = usage.cached_input_tokens
    if usage.reasoning_tokens:
        said["thoughtsTokenCount"] = usage.reasoning_tokens
    if usage.audio_input_tokens or usage.image_input_tokens:
        said["promptTokensDetails"] = _details(
            usage.input_tokens, usage.audio_input_tokens, usage.image_input_tokens
        )
    if usage.audio_output_tokens or usage.image_output_tokens:
        said["candidatesTokensDetails"] = _details(
            usage.output_tokens - usage.reasoning_tokens,
            usage.audio_output_tokens,
            usage.image_output_tokens,
        )
    return said


def _modalities(details: object) -> tuple[int, int]:
    """Tokens of sound and of images."""
    found = dict.fromkeys(_MODALITIES, 0)
    for detail in details if type(details) is list else ():
        if type(detail) is dict:
            name = detail.get("modality")
            if type(name) is str and name in found:
                found[name] += counts.count(detail, "tokenCount")
    return found["AUDIO"], found["IMAGE"]


def _details(tokens: int, audio: int, image: int) -> list[dict[str, object]]:
    parts = (("TEXT", tokens - audio - image), ("AUDIO", audio), ("IMAGE", image))
    return [{"modality": name, "tokenCount": count} for name, count in parts if count > 0]


def _tier(document: Mapping[str, object]) -> str:
    tier = document.get("serviceTier")
    if type(tier) is str:
        return tier.lower()
    traffic = document.get("trafficType")
    return _TIERS.get(traffic, "") if type(traffic) is str else ""
