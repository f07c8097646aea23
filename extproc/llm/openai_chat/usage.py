"""What a chat completion says that it used, in OpenAI's names and those of servers like it.

https://platform.openai.com/docs/api-reference/chat/object#chat/object-usage
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from msgspec.structs import replace

from extproc.llm.counts import count, reported
from extproc.llm.lenient import mapping
from gateway.usage import Usage

USAGE_MEMBER = "usage"
TIER_MEMBER = "service_tier"
"""Of an answer, beside its usage."""
_TIERS: Mapping[str, str] = MappingProxyType(
    {
        **{word: word for word in ("auto", "default", "fast", "flex", "priority", "scale")},
        "standard": "default",
        "standard_only": "default",  # Anthropic's word
    }
)


def usage_of(document: Mapping[str, object]) -> Usage | None:
    """Of a `usage` object; None when it counts nothing."""
    read, written = count(document, "prompt_tokens"), count(document, "completion_tokens")
    if not read and not written:
        return None
    details_in = mapping(document, "prompt_tokens_details")
    details_out = mapping(document, "completion_tokens_details")
    reasoning = count(details_out, "reasoning_tokens") or count(document, "reasoning_tokens")
    # xAI and Gemini's compatible API count thoughts in the total alone
    uncounted = max(0, count(document, "total_tokens") - read - written)
    return Usage(
        read,
        written + uncounted,
        cached_input_tokens=_cached(document, details_in),
        cache_write_tokens=count(details_in, "cache_write_tokens"),
        reasoning_tokens=reasoning or uncounted,
        audio_input_tokens=count(details_in, "audio_tokens"),
        image_input_tokens=count(details_in, "image_tokens"),
        audio_output_tokens=count(details_out, "audio_tokens"),
        image_output_tokens=count(details_out, "image_tokens"),
        searches=count(document, "num_search_queries"),
        reported=reported(document),
    )


def usage_in(answer: Mapping[str, object]) -> Usage | None:
    """Of a whole answer, or of a chunk of one, with the service tier that stands beside it."""
    document = answer.get(USAGE_MEMBER)
    usage = usage_of(document) if type(document) is dict else None
    tier = answer.get(TIER_MEMBER)
    if usage is not None and tier and type(tier) is str:
        return replace(usage, service_tier=tier)
    return usage


def usage_object(usage: Usage) -> dict[str, object]:
    """The `usage` of an answer."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached_input_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
            "audio_tokens": usage.audio_input_tokens,
            "image_tokens": usage.image_input_tokens,
        },
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens,
            "audio_tokens": usage.audio_output_tokens,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def openai_tier(tier: str) -> str | None:
    """A service tier in OpenAI's word; None when it has none for it."""
    return _TIERS.get(tier)


def _cached(document: Mapping[str, object], details: Mapping[str, object]) -> int:
    """Where OpenAI says it, or else DeepSeek, or Moonshot."""
    return (
        count(details, "cached_tokens")
        or count(document, "prompt_cache_hit_tokens")
        or count(document, "cached_tokens")
    )
