"""What a Converse answer says that it used, and how a client is told.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html. Bedrock counts
cached tokens outside of `inputTokens`.
"""

from __future__ import annotations

from collections.abc import Mapping

from extproc.llm.bedrock.words import TIERS
from extproc.llm.counts import count
from gateway.usage import Usage

USAGE_MEMBER = "usage"

_COUNTS = (
    "inputTokens",
    "outputTokens",
    "totalTokens",
    "cacheReadInputTokens",
    "cacheWriteInputTokens",
)
_TIERS = {"standard": "default"}
"""Others' names of the same."""


def usage_of(document: Mapping[str, object], service_tier: str = "") -> Usage | None:
    """Of the member `usage`; None when it counts nothing."""
    counts = {name: count(document, name) for name in _COUNTS}
    read, written = counts["cacheReadInputTokens"], counts["cacheWriteInputTokens"]
    input_tokens = counts["inputTokens"] + read + written
    if not input_tokens and not counts["outputTokens"]:
        return None
    return Usage(
        input_tokens,
        counts["outputTokens"],
        cached_input_tokens=read,
        cache_write_tokens=written,
        cache_write_1h_tokens=min(written, _for_an_hour(document)),
        service_tier=service_tier,
        reported=tuple((name, number) for name, number in counts.items() if name in document),
    )


def tier_of(document: Mapping[str, object]) -> str:
    """The `serviceTier` of an answer, or of the metadata of a stream."""
    tier = document.get("serviceTier")
    kind = tier.get("type") if isinstance(tier, dict) else None
    return kind if isinstance(kind, str) else ""


def encode_tier(usage: Usage | None) -> dict[str, object]:
    """The member `serviceTier`, where Bedrock has that tier: its clients know no others."""
    tier = "" if usage is None else _TIERS.get(usage.service_tier, usage.service_tier)
    return {"serviceTier": {"type": tier}} if tier in TIERS else {}


def encode_usage(usage: Usage | None) -> dict[str, object]:
    """The member `usage`, which clients expect in any case."""
    if usage is None:
        usage = Usage(0, 0)
    read, written = usage.cached_input_tokens, usage.cache_write_tokens
    encoded: dict[str, object] = {
        "inputTokens": max(0, usage.input_tokens - read - written),
        "outputTokens": usage.output_tokens,
        "totalTokens": usage.total_tokens,
    }
    if read:
        encoded["cacheReadInputTokens"] = read
    if written:
        encoded["cacheWriteInputTokens"] = written
        hour = usage.cache_write_1h_tokens
        details = (("1h", hour), ("5m", written - hour))
        encoded["cacheDetails"] = [
            {"ttl": ttl, "inputTokens": tokens} for ttl, tokens in details if tokens
        ]
    return encoded


def _for_an_hour(document: Mapping[str, object]) -> int:
    details = document.get("cacheDetails")
    return sum(
        count(detail, "inputTokens")
        for detail in (details if isinstance(details, list) else ())
        if isinstance(detail, dict) and detail.get("ttl") == "1h"
    )
