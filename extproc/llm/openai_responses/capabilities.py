"""What a request of the Responses API can say, and what of others it can carry."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from extproc.llm.losses import Feature
from extproc.llm.tool_names import Rule

SAYS: frozenset[Feature] = frozenset(
    {
        Feature.TEXT,
        Feature.SYSTEM,
        Feature.SYSTEM_MIDWAY,
        Feature.IMAGE_INLINE,
        Feature.IMAGE_URL,
        Feature.IMAGE_DETAIL,
        Feature.DOCUMENT_INLINE,
        Feature.DOCUMENT_URL,
        Feature.UPLOADED_FILE,
        Feature.AUDIO_INPUT,
        Feature.IMAGE_OUTPUT,
        Feature.IMAGE_OUTPUT_FORM,
        Feature.TOOLS,
        Feature.STRICT_TOOLS,
        Feature.TOOL_CHOICE,
        Feature.PARALLEL_CALLS,
        Feature.TOOL_RESULT_IMAGE,
        Feature.CUSTOM_TOOLS,
        Feature.PROVIDER_TOOLS,
        Feature.JSON_OBJECT,
        Feature.JSON_SCHEMA,
        Feature.REASONING_EFFORT,
        Feature.REASONING_TEXT,
        Feature.REASONING_SIGNATURE,
        Feature.MAX_OUTPUT_TOKENS,
        Feature.TEMPERATURE,
        Feature.TOP_P,
        Feature.LOGPROBS,
        Feature.VERBOSITY,
        Feature.USER,
        Feature.METADATA,
        Feature.SERVICE_TIER,
        Feature.CACHE_MARKS,
        Feature.CACHE_KEY,
        Feature.STORED_STATE,
        Feature.REFUSAL,
        Feature.SAFETY_SETTINGS,
        Feature.OTHER,
    }
)
"""What a client can say, and is told on or named."""

EXPRESSES: frozenset[Feature] = frozenset(
    {
        Feature.TEXT,
        Feature.SYSTEM,
        Feature.SYSTEM_MIDWAY,
        Feature.IMAGE_INLINE,
        Feature.IMAGE_URL,
        Feature.IMAGE_DETAIL,
        Feature.DOCUMENT_INLINE,
        Feature.DOCUMENT_URL,
        Feature.IMAGE_OUTPUT,
        Feature.TOOLS,
        Feature.TOOL_CHOICE,
        Feature.PARALLEL_CALLS,
        Feature.TOOL_RESULT_IMAGE,
        Feature.JSON_OBJECT,
        Feature.JSON_SCHEMA,
        Feature.REASONING_EFFORT,
        Feature.TEMPERATURE,
        Feature.TOP_P,
        Feature.LOGPROBS,
        Feature.VERBOSITY,
        Feature.METADATA,
        Feature.REFUSAL,
    }
)
"""What is carried in full."""

ROUGHLY: Mapping[Feature, str] = MappingProxyType(
    {
        Feature.CACHE_KEY: "keys of more than 64 characters are hashed",
        Feature.CITATIONS: "those of answers are told, but documents are not cited on demand",
        Feature.DOCUMENT_TEXT: "a document that is text becomes a text of the message",
        Feature.IMAGE_OUTPUT_FORM: "the nearest of 1024x1024, 1536x1024, 1024x1536",
        Feature.MAX_OUTPUT_TOKENS: "fewer than 16 become 16",
        Feature.REASONING_BUDGET: "becomes an effort, `high` at most",
        Feature.REASONING_SIGNATURE: "only what OpenAI sealed is played back",
        Feature.REASONING_TEXT: "only what OpenAI sealed is played back",
        Feature.SERVICE_TIER: "only OpenAI's own tiers",
        Feature.STRICT_TOOLS: "only where the schema requires all its properties",
        Feature.USER: "ids of more than 64 characters are hashed",
    }
)
"""What is carried with a loss."""

CALLED: Mapping[Feature, str] = MappingProxyType(
    {
        Feature.IMAGE_OUTPUT: "tools",
        Feature.IMAGE_OUTPUT_FORM: "tools",
        Feature.JSON_OBJECT: "text.format",
        Feature.JSON_SCHEMA: "text.format",
        Feature.REASONING_EFFORT: "reasoning.effort",
        Feature.TEMPERATURE: "temperature",
        Feature.TOP_P: "top_p",
        Feature.LOGPROBS: "top_logprobs",
        Feature.VERBOSITY: "text.verbosity",
    }
)
"""What a client says them by, where that is one field."""

TOOL_NAMES = Rule(re.compile(r"[a-zA-Z0-9_-]{1,64}"), re.compile(r"[^a-zA-Z0-9_-]"), 64)
