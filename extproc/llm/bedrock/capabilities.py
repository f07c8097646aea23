"""What Converse can say and carry: its part of docs/reference/dialects.md."""

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
        Feature.DOCUMENT_TEXT,
        Feature.TOOLS,
        Feature.TOOL_RESULT_IMAGE,
        Feature.MAX_OUTPUT_TOKENS,
        Feature.STOP,
    }
)
ROUGHLY: Mapping[Feature, str] = MappingProxyType(
    {
        Feature.AUDIO_INPUT: "inline, or objects in S3",
        Feature.BETAS: "for Claude, those that the provider takes",
        Feature.CACHE_MARKS: "for Claude and Nova",
        Feature.CITATIONS: "those of answers",
        Feature.DOCUMENT_INLINE: "PDF, Office, HTML, Markdown, CSV and plain text",
        Feature.IMAGE_INLINE: "JPEG, PNG, GIF and WebP",
        Feature.JSON_OBJECT: "as an instruction to the model",
        Feature.JSON_SCHEMA: "for models that take one; bounds are said in descriptions",
        Feature.METADATA: "16 entries, of the characters that Bedrock allows",
        Feature.PARALLEL_CALLS: "one at a time for Claude 4.5 and newer",
        Feature.REASONING_BUDGET: "as an effort, for models that take no budget",
        Feature.REASONING_EFFORT: "as a budget, for Claude before 4.6; for models that reason",
        Feature.REASONING_TEXT: "shown to clients; played back with its signature",
        Feature.REASONING_SIGNATURE: "Bedrock's own",
        Feature.REFUSAL: "as text",
        Feature.SERVICE_TIER: "where Bedrock has that tier",
        Feature.STRICT_TOOLS: "for models that take schemas",
        Feature.SYSTEM_MIDWAY: "at the beginning, with the other instructions",
        Feature.TEMPERATURE: "at most 1, for models that take it",
        Feature.TOOL_CHOICE: "`none` leaves the tools out, where none was called before",
        Feature.TOOL_ERROR: "for Claude and Nova",
        Feature.TOP_K: "for Claude, Nova and Command",
        Feature.TOP_P: "for models that take it",
        Feature.UPLOADED_FILE: "objects in S3",
        Feature.VIDEO_INPUT: "inline, or objects in S3",
    }
)
SAYS: frozenset[Feature] = (EXPRESSES | frozenset(ROUGHLY)) - {
    Feature.REFUSAL,
    Feature.JSON_OBJECT,
} | {
    Feature.PENALTIES,
    Feature.SEED,
    Feature.PROVIDER_TOOLS,
    Feature.SAFETY_SETTINGS,
    Feature.STORED_STATE,
    Feature.OTHER,
}

CALLED: Mapping[Feature, str] = MappingProxyType(
    {
        Feature.MAX_OUTPUT_TOKENS: "inferenceConfig.maxTokens",
        Feature.TEMPERATURE: "inferenceConfig.temperature",
        Feature.TOP_P: "inferenceConfig.topP",
        Feature.STOP: "inferenceConfig.stopSequences",
        Feature.TOOL_CHOICE: "toolConfig.toolChoice",
        Feature.METADATA: "requestMetadata",
    }
)
"""What a client says them by, where that is one field."""

TOOL_NAMES = Rule(re.compile(r"[a-zA-Z0-9_-]{1,64}"), re.compile(r"[^a-zA-Z0-9_-]"), 64)
