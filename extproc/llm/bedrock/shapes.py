"""What in a Converse request is structure and not text, field by field.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html. What is not
listed is text: other fields with their names, other words where these words are listed.
"""

from __future__ import annotations

from extproc.llm.bedrock.words import (
    AUDIO_TYPES,
    DOCUMENT_TYPES,
    IMAGE_TYPES,
    TTLS,
    VIDEO_TYPES,
)
from extproc.llm.shapes import FREE, Fields, Parts, Unread

_CITATIONS: Fields = {"enabled": Unread.ALL}
_S3: Fields = {"uri": FREE, "bucketOwner": Unread.STRING}
_SOURCE: Fields = {"bytes": Unread.STRING, "s3Location": _S3}
_IMAGE: Fields = {"format": frozenset(IMAGE_TYPES), "source": _SOURCE}
_AUDIO: Fields = {"format": frozenset(AUDIO_TYPES), "source": _SOURCE}
_VIDEO: Fields = {"format": frozenset(VIDEO_TYPES), "source": _SOURCE}
_DOCUMENT: Fields = {
    "format": frozenset(DOCUMENT_TYPES),
    "name": FREE,
    "source": {**_SOURCE, "text": FREE, "content": Parts({"text": FREE})},
    "context": FREE,
    "citations": _CITATIONS,
}
_SEARCH_RESULT: Fields = {
    "source": FREE,
    "title": FREE,
    "content": Parts({"text": FREE}),
    "citations": _CITATIONS,
}
_CACHE_POINT: Fields = {"type": frozenset({"default"}), "ttl": TTLS}
_GUARD_CONTENT: Fields = {
    "text": {"text": FREE, "qualifiers": FREE},
    "image": {"format": frozenset({"png", "jpeg"}), "source": {"bytes": Unread.STRING}},
}
_TOOL_USE: Fields = {
    "toolUseId": Unread.STRING,
    "name": FREE,
    "input": FREE,
    "type": frozenset({"server_tool_use"}),
}
_TOOL_RESULT: Fields = {
    "toolUseId": Unread.STRING,
    "content": Parts(
        {
            "text": FREE,
            "json": FREE,
            "image": _IMAGE,
            "document": _DOCUMENT,
            "video": _VIDEO,
            "searchResult": _SEARCH_RESULT,
        }
    ),
    "status": frozenset({"success", "error"}),
    "type": FREE,
}
_REASONING: Fields = {
    "reasoningText": {"text": FREE, "signature": Unread.STRING},
    "redactedContent": Unread.STRING,
}
_LOCATION: Fields = {
    "documentChar": Unread.ALL,
    "documentPage": Unread.ALL,
    "documentChunk": Unread.ALL,
    "searchResultLocation": Unread.ALL,
    "web": {"url": FREE, "domain": FREE},
}
_CITED: Fields = {
    "content": Parts({"text": FREE}),
    "citations": {
        "title": FREE,
        "source": FREE,
        "sourceContent": Parts({"text": FREE}),
        "location": _LOCATION,
    },
}
_TOOL_REFERENCE: Fields = {"tool": {"type": FREE, "name": FREE, "serverName": FREE}}
PARTS = Parts(
    {
        "text": FREE,
        "image": _IMAGE,
        "document": _DOCUMENT,
        "video": _VIDEO,
        "audio": _AUDIO,
        "toolUse": _TOOL_USE,
        "toolResult": _TOOL_RESULT,
        "guardContent": _GUARD_CONTENT,
        "cachePoint": _CACHE_POINT,
        "reasoningContent": _REASONING,
        "citationsContent": _CITED,
        "searchResult": _SEARCH_RESULT,
        "toolAddition": _TOOL_REFERENCE,
        "toolRemoval": _TOOL_REFERENCE,
    }
)
ROLES = frozenset({"user", "assistant", "system"})
_MESSAGE: Fields = {"role": ROLES, "content": PARTS}
_TOOL: Fields = {
    "toolSpec": {
        "name": FREE,
        "description": FREE,
        "inputSchema": {"json": FREE},
        "strict": Unread.ALL,
    },
    "systemTool": {"name": FREE},
    "cachePoint": _CACHE_POINT,
}
_EFFORTS = frozenset({"none", "minimal", "low", "medium", "high", "xhigh", "max"})
_THINKING_TYPES = frozenset({"enabled", "disabled", "adaptive"})
_THINKING: Fields = {
    "type": _THINKING_TYPES,
    "budget_tokens": Unread.ALL,
    "display": frozenset({"summarized", "omitted"}),
}
_MODEL_FIELDS: Fields = {
    **dict.fromkeys(("top_k", "k", "seed", "presence_penalty", "frequency_penalty"), Unread.ALL),
    "thinking": _THINKING,
    "reasoning_config": _THINKING,
    "reasoningConfig": {
        "type": frozenset({"enabled", "disabled"}),
        "maxReasoningEffort": frozenset({"low", "medium", "high"}),
    },
    "reasoning_effort": _EFFORTS,
    "output_config": {"effort": _EFFORTS},
    "inferenceConfig": {"topK": Unread.ALL},
}
"""Of `additionalModelRequestFields`, those that are known."""

REQUEST: Fields = {
    **dict.fromkeys(
        (
            "additionalModelResponseFieldPaths",
            "guardrailConfig",
            "performanceConfig",
            "projectIdentifier",
            "serviceTier",
        ),
        Unread.ALL,
    ),
    "messages": _MESSAGE,
    "system": Parts({"text": FREE, "guardContent": _GUARD_CONTENT, "cachePoint": _CACHE_POINT}),
    "inferenceConfig": {
        **dict.fromkeys(("maxTokens", "temperature", "topP"), Unread.ALL),
        "stopSequences": FREE,
    },
    "toolConfig": {"tools": _TOOL, "toolChoice": Unread.ALL},
    "additionalModelRequestFields": _MODEL_FIELDS,
    "promptVariables": FREE,
    "requestMetadata": FREE,
    "outputConfig": {
        "textFormat": {
            "type": frozenset({"json_schema"}),
            "structure": {"jsonSchema": {"schema": FREE, "name": FREE, "description": FREE}},
        },
        "effort": _EFFORTS,
    },
}
"""The whole body of Converse and ConverseStream."""
