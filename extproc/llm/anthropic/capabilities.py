"""What can be said in Anthropic's dialect, and what of others' requests it carries."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from extproc.llm.losses import Feature
from extproc.llm.tool_names import Rule

SAYS: Final = frozenset(
    {
        Feature.TEXT,
        Feature.SYSTEM,
        Feature.SYSTEM_MIDWAY,
        Feature.IMAGE_INLINE,
        Feature.IMAGE_URL,
        Feature.DOCUMENT_INLINE,
        Feature.DOCUMENT_URL,
        Feature.DOCUMENT_TEXT,
        Feature.UPLOADED_FILE,
        Feature.TOOLS,
        Feature.STRICT_TOOLS,
        Feature.TOOL_CHOICE,
        Feature.PARALLEL_CALLS,
        Feature.TOOL_RESULT_IMAGE,
        Feature.TOOL_ERROR,
        Feature.PROVIDER_TOOLS,
        Feature.JSON_SCHEMA,
        Feature.REASONING_EFFORT,
        Feature.REASONING_BUDGET,
        Feature.REASONING_TEXT,
        Feature.REASONING_SIGNATURE,
        Feature.MAX_OUTPUT_TOKENS,
        Feature.TEMPERATURE,
        Feature.TOP_P,
        Feature.TOP_K,
        Feature.STOP,
        Feature.USER,
        Feature.SERVICE_TIER,
        Feature.CACHE_MARKS,
        Feature.STORED_STATE,
        Feature.BETAS,
        Feature.CITATIONS,
        Feature.OTHER,
    }
)
"""By a client, and kept when it is read."""

EXPRESSES: Final = frozenset(
    {
        Feature.TEXT,
        Feature.SYSTEM,
        Feature.IMAGE_URL,
        Feature.DOCUMENT_URL,
        Feature.DOCUMENT_TEXT,
        Feature.TOOLS,
        Feature.TOOL_CHOICE,
        Feature.PARALLEL_CALLS,
        Feature.TOOL_RESULT_IMAGE,
        Feature.MAX_OUTPUT_TOKENS,
        Feature.USER,
        Feature.CACHE_MARKS,
        Feature.BETAS,
    }
)
"""To the provider, in full."""

ROUGHLY: Final[Mapping[Feature, str]] = {
    Feature.SYSTEM_MIDWAY: "moved to the system prompt, before the conversation",
    Feature.IMAGE_INLINE: "JPEG, PNG, GIF and WebP",
    Feature.DOCUMENT_INLINE: "PDF, and text that is UTF-8",
    Feature.TOOL_ERROR: "only with results that are text",
    Feature.JSON_OBJECT: "as an instruction to the model",
    Feature.JSON_SCHEMA: "bounds of numbers, strings and arrays are said in descriptions",
    Feature.REASONING_EFFORT: "as a budget of tokens before Claude 4.6; not with a forced tool",
    Feature.REASONING_BUDGET: "as an effort from Claude 4.7; not with a forced tool",
    Feature.REASONING_TEXT: "only with Anthropic's own seal",
    Feature.REASONING_SIGNATURE: "only Anthropic's own",
    Feature.TEMPERATURE: "up to 1, before Claude 4.7, without thinking",
    Feature.TOP_P: "before Claude 4.7, without a temperature from Claude 4.1",
    Feature.TOP_K: "before Claude 4.7, without thinking",
    Feature.STOP: "none of white space alone",
    Feature.STRICT_TOOLS: "bounds of numbers, strings and arrays are said in descriptions",
    Feature.SERVICE_TIER: "auto and default",
    Feature.REFUSAL: "as text",
    Feature.CITATIONS: "in answers: the address, without the passage",
}
"""To the provider, with a loss."""

CALLED: Mapping[Feature, str] = MappingProxyType(
    {
        Feature.JSON_SCHEMA: "output_config.format",
        Feature.REASONING_EFFORT: "output_config.effort",
        Feature.REASONING_BUDGET: "thinking.budget_tokens",
        Feature.MAX_OUTPUT_TOKENS: "max_tokens",
        Feature.TEMPERATURE: "temperature",
        Feature.TOP_P: "top_p",
        Feature.TOP_K: "top_k",
        Feature.STOP: "stop_sequences",
        Feature.USER: "metadata.user_id",
    }
)
"""What a client says them by, where that is one field."""

TOOL_NAMES = Rule(re.compile(r"[a-zA-Z0-9_-]{1,128}"), re.compile(r"[^a-zA-Z0-9_-]"), 128)
