"""What a response says that it used.

https://platform.openai.com/docs/api-reference/responses/object#responses/object-usage
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from extproc.llm.counts import count, reported
from extproc.llm.lenient import mapping
from gateway.usage import Usage

USAGE_MEMBER = "usage"
TIER_MEMBER = "service_tier"
"""Of a response, beside its usage."""


def usage_of(document: Mapping[str, object]) -> Usage | None:
    """Of a `usage` object; None when it counts nothing."""
    read, written = count(document, "input_tokens"), count(document, "output_tokens")
    if not read and not written:
        return None
    details_in = mapping(document, "input_tokens_details")
    details_out = mapping(document, "output_tokens_details")
    return Usage(
        read,
        written,
        cached_input_tokens=count(details_in, "cached_tokens"),
        cache_write_tokens=count(details_in, "cache_write_tokens"),
        reasoning_tokens=count(details_out, "reasoning_tokens"),
        audio_input_tokens=count(details_in, "audio_tokens"),
        image_input_tokens=count(details_in, "image_tokens"),
        audio_output_tokens=count(details_out, "audio_tokens"),
        image_output_tokens=count(details_out, "image_tokens"),
        reported=reported(document),
    )


def usage_in(response: Mapping[str, object]) -> Usage | None:
    """Of a response, with the service tier that stands beside its usage."""
    document = response.get(USAGE_MEMBER)
    usage = usage_of(document) if type(document) is dict else None
    tier = response.get(TIER_MEMBER)
    if usage is not None and tier and type(tier) is str:
        return replace(usage, service_tier=tier)
    return usage


def usage_object(usage: Usage) -> dict[str, object]:
    """The `usage` of a response."""
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_input_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }
