"""What Anthropic says that a call consumed, and how it would say it.

https://docs.claude.com/en/api/messages#response-usage. Its `input_tokens` are those that were
neither read from the cache nor written to it.
"""

from __future__ import annotations

from collections.abc import Mapping

from extproc.llm.counts import reported
from gateway.usage import Usage

USAGE_MEMBER = "usage"
"""The top-level member of an answer that holds it; in a stream, of `message_start`'s `message`
and of `message_delta`."""

_TIERS = frozenset({"standard", "priority", "batch"})


def usage_of(document: object) -> Usage | None:
    """Of a `usage` object; None when it counts nothing."""
    if type(document) is not dict:
        return None
    told = reported(document)
    if not told:
        return None
    count = dict(told).get
    read = count("cache_read_input_tokens", 0)
    written_1h = count("cache_creation.ephemeral_1h_input_tokens", 0)
    written = count("cache_creation_input_tokens")
    if written is None:
        written = written_1h + count("cache_creation.ephemeral_5m_input_tokens", 0)
    tier = document.get("service_tier")
    return Usage(
        count("input_tokens", 0) + read + written,
        count("output_tokens", 0),
        cached_input_tokens=read,
        cache_write_tokens=written,
        reasoning_tokens=count("output_tokens_details.thinking_tokens", 0),
        cache_write_1h_tokens=min(written_1h, written),
        searches=count("server_tool_use.web_search_requests", 0),
        service_tier=tier if type(tier) is str else "",
        reported=told,
    )


def usage_object(usage: Usage | None) -> dict[str, object]:
    """The `usage` of an answer; of nothing that is known, zeros."""
    if usage is None:
        return {"input_tokens": 0, "output_tokens": 0}
    read, written = usage.cached_input_tokens, usage.cache_write_tokens
    said: dict[str, object] = {
        "input_tokens": max(usage.input_tokens - read - written, 0),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "output_tokens": usage.output_tokens,
    }
    if written:
        said["cache_creation"] = {
            "ephemeral_5m_input_tokens": written - usage.cache_write_1h_tokens,
            "ephemeral_1h_input_tokens": usage.cache_write_1h_tokens,
        }
    if usage.reasoning_tokens:
        said["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    if usage.searches:
        said["server_tool_use"] = {
            "web_search_requests": usage.searches,
            "web_fetch_requests": 0,
        }
    if usage.service_tier in _TIERS:
        said["service_tier"] = usage.service_tier
    return said


def merged(before: Mapping[str, object], after: Mapping[str, object]) -> dict[str, object]:
    """The counts of a stream so far: they are cumulative, and what is not said stays."""
    return {**before, **{name: value for name, value in after.items() if value is not None}}
