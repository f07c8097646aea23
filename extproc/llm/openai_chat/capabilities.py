"""What OpenAI's chat dialect can say and carry: its part of docs/reference/dialects.md.

EXPRESSES and ROUGHLY are of OpenAI's own API; `servers.py` says what others take.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from extproc.llm.losses import Feature
from extproc.llm.tool_names import Rule

EXPRESSES: frozenset[Feature] = frozenset(
    {
        Feature.TEXT,
        Feature.SYSTEM,
        Feature.SYSTEM_MIDWAY,
        Feature.NAMES,
        Feature.IMAGE_INLINE,
        Feature.IMAGE_URL,
        Feature.IMAGE_DETAIL,
        Feature.DOCUMENT_INLINE,
        Feature.TOOLS,
        Feature.TOOL_CHOICE,
        Feature.PARALLEL_CALLS,
        Feature.JSON_OBJECT,
        Feature.JSON_SCHEMA,
        Feature.REASONING_EFFORT,
        Feature.MAX_OUTPUT_TOKENS,
        Feature.TEMPERATURE,
        Feature.TOP_P,
        Feature.PENALTIES,
        Feature.SEED,
        Feature.CHOICES,
        Feature.LOGPROBS,
        Feature.VERBOSITY,
        Feature.USER,
        Feature.CACHE_KEY,
        Feature.REFUSAL,
    }
)
ROUGHLY: Mapping[Feature, str] = MappingProxyType(
    {
        Feature.AUDIO_INPUT: "inline, in wav and mp3 alone",
        Feature.CACHE_MARKS: "to OpenRouter; OpenAI caches without marks",
        Feature.CITATIONS: "those of answers; documents are not cited on demand",
        Feature.DOCUMENT_TEXT: "as text, after the document's name",
        Feature.REASONING_BUDGET: "as the nearest effort",
        Feature.REASONING_SIGNATURE: "to servers that take back what they sealed",
        Feature.REASONING_TEXT: "shown to clients; played back to servers that take it",
        Feature.SERVICE_TIER: "where OpenAI has that tier",
        Feature.STOP: "the first four sequences",
        Feature.STRICT_TOOLS: "only where the schema requires all its properties",
        Feature.TOOL_RESULT_IMAGE: "in a message of the user after the results",
        Feature.TOP_K: "to servers that take it",
        Feature.VIDEO_INPUT: "to servers that take it",
        Feature.IMAGE_OUTPUT: "of OpenRouter; OpenAI's chat API does not draw",
        Feature.IMAGE_OUTPUT_FORM: "of OpenRouter: aspect ratio and resolution",
    }
)

SAYS: frozenset[Feature] = EXPRESSES | {
    Feature.UPLOADED_FILE,
    Feature.AUDIO_INPUT,
    Feature.AUDIO_OUTPUT,
    Feature.VIDEO_INPUT,
    Feature.IMAGE_OUTPUT,
    Feature.IMAGE_OUTPUT_FORM,
    Feature.CUSTOM_TOOLS,
    Feature.STRICT_TOOLS,
    Feature.PROVIDER_TOOLS,
    Feature.TOOL_RESULT_IMAGE,
    Feature.REASONING_BUDGET,
    Feature.REASONING_TEXT,
    Feature.REASONING_SIGNATURE,
    Feature.TOP_K,
    Feature.STOP,
    Feature.LOGIT_BIAS,
    Feature.PREDICTION,
    Feature.METADATA,
    Feature.SERVICE_TIER,
    Feature.CACHE_MARKS,
    Feature.SAFETY_SETTINGS,
    Feature.OTHER,
}

CALLED: Mapping[Feature, str] = MappingProxyType(
    {
        Feature.AUDIO_OUTPUT: "modalities",
        Feature.IMAGE_OUTPUT: "modalities",
        Feature.IMAGE_OUTPUT_FORM: "image_config",
        Feature.JSON_OBJECT: "response_format",
        Feature.JSON_SCHEMA: "response_format",
        Feature.REASONING_EFFORT: "reasoning_effort",
        Feature.MAX_OUTPUT_TOKENS: "max_completion_tokens",
        Feature.TEMPERATURE: "temperature",
        Feature.TOP_P: "top_p",
        Feature.TOP_K: "top_k",
        Feature.SEED: "seed",
        Feature.STOP: "stop",
        Feature.CHOICES: "n",
    }
)
"""What a client says them by, where that is one field."""

TOOL_NAMES = Rule(re.compile(r"[a-zA-Z0-9_-]{1,64}"), re.compile(r"[^a-zA-Z0-9_-]"), 64)
