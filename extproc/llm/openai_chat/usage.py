"""What a chat completion says that it used, in OpenAI's names and those of servers like it.

https://platform.openai.com/docs/api-reference/chat/object#chat/object-usage
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

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
MOST_TOKENS = 2**31 - 1
"""The largest count that is believed."""


def usage_of(document: Mapping[str, object]) -> Usage | None:
    """Of a `usage` object; None when it counts nothing."""
    read, written = _count(document, "prompt_tokens"), _count(document, "completion_tokens")
    if not read and not written:
        return None
    details_in = _details(document, "prompt_tokens_details")
    details_out = _details(document, "completion_tokens_details")
    reasoning = _count(details_out, "reasoning_tokens") or _count(document, "reasoning_tokens")
    # xAI and Gemini's compatible API count thoughts in the total alone
    uncounted = max(0, _count(document, "total_tokens") - read - written)
    return Usage(
        read,
        written + uncounted,
        cached_input_tokens=_cached(document, details_in),
        cache_write_tokens=_count(details_in, "cache_write_tokens"),
        reasoning_tokens=reasoning or uncounted,
        audio_input_tokens=_count(details_in, "audio_tokens"),
        image_input_tokens=_count(details_in, "image_tokens"),
        audio_output_tokens=_count(details_out, "audio_tokens"),
        image_output_tokens=_count(details_out, "image_tokens"),
        searches=_count(document, "num_search_queries"),
        reported=_reported(document),
    )


def usage_in(answer: Mapping[str, object]) -> Usage | None:
    """Of a whole answer, or of a chunk of one, with the service tier that stands beside it."""
    document = answer.get(USAGE_MEMBER)
    usage = usage_of(document) if type(document) is dict else None
    tier = answer.get(TIER_MEMBER)
    if usage is not None and tier and type(tier) is str:
        return usage._replace(service_tier=tier)
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
        _count(details, "cached_tokens")
        or _count(document, "prompt_cache_hit_tokens")
        or _count(document, "cached_tokens")
    )


def _details(document: Mapping[str, object], name: str) -> Mapping[str, object]:
    details = document.get(name)
    return details if type(details) is dict else {}


def _count(counts: Mapping[str, object], name: str) -> int:
    value = counts.get(name)
    return value if type(value) is int and 0 <= value <= MOST_TOKENS else 0


def _reported(document: Mapping[str, object]) -> tuple[tuple[str, int], ...]:
    found: list[tuple[str, int]] = []
    for name, value in document.items():
        if type(value) is int:
            found.append((name, value))
        elif type(value) is dict:
            found += [
                (f"{name}.{each}", count) for each, count in value.items() if type(count) is int
            ]
    return tuple(found)
