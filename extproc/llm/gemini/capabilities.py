"""What can be said in Gemini's dialect: rows of the table in docs/reference/dialects.md."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from extproc.llm.losses import Feature
from extproc.llm.tool_names import Rule

SAYS = frozenset(
    {
        Feature.TEXT,
        Feature.SYSTEM,
        Feature.IMAGE_INLINE,
        Feature.IMAGE_URL,
        Feature.IMAGE_DETAIL,
        Feature.DOCUMENT_INLINE,
        Feature.DOCUMENT_URL,
        Feature.DOCUMENT_TEXT,
        Feature.UPLOADED_FILE,
        Feature.AUDIO_INPUT,
        Feature.AUDIO_OUTPUT,
        Feature.VIDEO_INPUT,
        Feature.IMAGE_OUTPUT,
        Feature.IMAGE_OUTPUT_FORM,
        Feature.TOOLS,
        Feature.STRICT_TOOLS,
        Feature.TOOL_CHOICE,
        Feature.TOOL_RESULT_IMAGE,
        Feature.TOOL_ERROR,
        Feature.PROVIDER_TOOLS,
        Feature.JSON_OBJECT,
        Feature.JSON_SCHEMA,
        Feature.REASONING_EFFORT,
        Feature.REASONING_BUDGET,
        Feature.REASONING_TEXT,
        Feature.REASONING_SIGNATURE,
        Feature.MAX_OUTPUT_TOKENS,
        Feature.TEMPERATURE,
        Feature.TOP_P,
        Feature.TOP_K,
        Feature.PENALTIES,
        Feature.SEED,
        Feature.STOP,
        Feature.CHOICES,
        Feature.LOGPROBS,
        Feature.METADATA,
        Feature.SERVICE_TIER,
        Feature.STORED_STATE,
        Feature.SAFETY_SETTINGS,
        Feature.OTHER,
    }
)
"""What a client can say, and the canonical request holds or names."""

EXPRESSES = frozenset(
    {
        Feature.TEXT,
        Feature.SYSTEM,
        Feature.IMAGE_INLINE,
        Feature.IMAGE_URL,
        Feature.DOCUMENT_INLINE,
        Feature.DOCUMENT_URL,
        Feature.DOCUMENT_TEXT,
        Feature.AUDIO_INPUT,
        Feature.VIDEO_INPUT,
        Feature.IMAGE_OUTPUT,
        Feature.TOOLS,
        Feature.TOOL_CHOICE,
        Feature.TOOL_ERROR,
        Feature.JSON_OBJECT,
        Feature.JSON_SCHEMA,
        Feature.REASONING_TEXT,
        Feature.MAX_OUTPUT_TOKENS,
        Feature.TEMPERATURE,
        Feature.TOP_P,
        Feature.TOP_K,
        Feature.PENALTIES,
        Feature.SEED,
        Feature.CHOICES,
    }
)
"""What a provider is told in full, and a client is answered in full."""

ROUGHLY: Mapping[Feature, str] = {
    Feature.SYSTEM_MIDWAY: "the user says it",
    Feature.IMAGE_DETAIL: "one resolution for all images; not said where they differ",
    Feature.IMAGE_OUTPUT_FORM: "the nearest aspect ratio, and 1K, 2K or 4K",
    Feature.UPLOADED_FILE: "files of Google's only, by their URI",
    Feature.STRICT_TOOLS: "for all tools or for none",
    Feature.TOOL_RESULT_IMAGE: "beside the result before Gemini 3",
    Feature.REASONING_EFFORT: "in tokens before Gemini 3; then `none` is minimal, `high` the most",
    Feature.REASONING_BUDGET: "within what the model takes",
    Feature.REASONING_SIGNATURE: "Gemini's own; what another provider sealed is left out",
    Feature.STOP: "the first five sequences",
    Feature.LOGPROBS: "up to 20 alternatives; of the tokens' bytes, nothing",
    Feature.SERVICE_TIER: "`default`, `flex` and `priority`",
    Feature.CITATIONS: "in answers; of documents, none can be asked for",
    Feature.REFUSAL: "as text; an answer stops for safety",
}
"""What is said with a loss, and with which."""

CALLED: Mapping[Feature, str] = MappingProxyType(
    {
        Feature.AUDIO_OUTPUT: "generationConfig.responseModalities",
        Feature.IMAGE_OUTPUT: "generationConfig.responseModalities",
        Feature.IMAGE_OUTPUT_FORM: "generationConfig.imageConfig",
        Feature.JSON_OBJECT: "generationConfig.responseMimeType",
        Feature.JSON_SCHEMA: "generationConfig.responseSchema",
        Feature.REASONING_EFFORT: "generationConfig.thinkingConfig",
        Feature.REASONING_BUDGET: "generationConfig.thinkingConfig",
        Feature.MAX_OUTPUT_TOKENS: "generationConfig.maxOutputTokens",
        Feature.TEMPERATURE: "generationConfig.temperature",
        Feature.TOP_P: "generationConfig.topP",
        Feature.TOP_K: "generationConfig.topK",
        Feature.SEED: "generationConfig.seed",
        Feature.STOP: "generationConfig.stopSequences",
        Feature.CHOICES: "generationConfig.candidateCount",
        Feature.LOGPROBS: "generationConfig.responseLogprobs",
        Feature.METADATA: "labels",
        Feature.SAFETY_SETTINGS: "safetySettings",
        Feature.STORED_STATE: "cachedContent",
    }
)
"""What a client says them by, where that is one field."""

TOOL_NAMES = Rule(
    re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}"), re.compile(r"[^a-zA-Z0-9_.:-]"), 64
)
