"""What in a chat completion request is structure and not text, field by field.

https://platform.openai.com/docs/api-reference/chat/create. What is not listed is text: other fields
with their names, other words where these words are listed.
"""

from __future__ import annotations

from extproc.llm.shapes import FREE, Attachment, Fields, Messages, Parts, Unread

_SETTINGS = (
    "audio",
    "frequency_penalty",
    "function_call",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "modalities",
    "model",
    "moderation",
    "n",
    "parallel_tool_calls",
    "presence_penalty",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning_effort",
    "seed",
    "service_tier",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "top_logprobs",
    "top_p",
    "verbosity",
)

_FUNCTION: Fields = {"name": FREE, "description": FREE, "strict": FREE, "parameters": FREE}
_GRAMMAR: Fields = {"syntax": frozenset({"lark", "regex"}), "definition": FREE}
_CUSTOM: Fields = {
    "name": FREE,
    "description": FREE,
    "input": FREE,
    "format": {"type": frozenset({"text", "grammar"}), "grammar": _GRAMMAR},
}
_TOOL_TYPES = frozenset({"function", "custom"})
_SEAL: Fields = {"google": {"thought_signature": Unread.STRING}}
_CACHE: Fields = {
    "cache_control": {"type": frozenset({"ephemeral"}), "ttl": frozenset({"5m", "1h"})},
    "prompt_cache_breakpoint": {
        "mode": frozenset({"explicit"}),
        "ttl": frozenset({"30m", "12h"}),
    },
}
_TOOL: Fields = {"type": _TOOL_TYPES, "function": _FUNCTION, "custom": _CUSTOM, **_CACHE}
_TOOL_CALL: Fields = {
    "id": Unread.STRING,
    "type": _TOOL_TYPES,
    "function": {"name": FREE, "arguments": FREE},
    "custom": _CUSTOM,
    "extra_content": _SEAL,
}
_REASONING: Fields = {
    "type": frozenset({"reasoning.text", "reasoning.summary", "reasoning.encrypted"}),
    "text": FREE,
    "summary": FREE,
    "signature": Unread.STRING,
    "data": Unread.STRING,
    "id": Unread.STRING,
    "index": FREE,
    "format": FREE,
}

_ATTACHMENT = Attachment(
    {"url": Unread.DATA_URL, "detail": frozenset({"auto", "low", "high", "original"})}
)
_PART_TYPES = frozenset(
    {"text", "refusal", "image_url", "input_audio", "file", "audio_url", "video_url"}
)
PARTS = Parts(
    {
        "type": _PART_TYPES,
        "text": FREE,
        "refusal": FREE,
        "image_url": _ATTACHMENT,
        "audio_url": _ATTACHMENT,
        "video_url": _ATTACHMENT,
        "input_audio": {"data": Unread.STRING, "format": frozenset({"wav", "mp3"})},
        "file": {"file_data": Unread.FILE, "file_id": Unread.STRING, "filename": FREE},
        **_CACHE,
    }
)
ROLES = frozenset({"developer", "system", "user", "assistant", "tool", "function"})
MESSAGE = Messages(
    {
        "role": ROLES,
        "content": PARTS,
        "name": FREE,
        "refusal": FREE,
        "tool_calls": _TOOL_CALL,
        "tool_call_id": Unread.STRING,
        "function_call": {"name": FREE, "arguments": FREE},
        "audio": {"id": Unread.STRING},
        "images": {"type": _PART_TYPES, "image_url": _ATTACHMENT, "index": Unread.ALL},
        "reasoning_content": FREE,
        "reasoning": FREE,
        "reasoning_details": _REASONING,
        "extra_content": _SEAL,
        **_CACHE,
    }
)
_PLACE: Fields = dict.fromkeys(("city", "country", "region", "timezone"), FREE)

REQUEST: Fields = {
    **dict.fromkeys(_SETTINGS, Unread.ALL),
    "messages": MESSAGE,
    "tools": _TOOL,
    "functions": _FUNCTION,
    "response_format": {
        "type": frozenset({"text", "json_object", "json_schema"}),
        "json_schema": {"name": FREE, "description": FREE, "strict": FREE, "schema": FREE},
    },
    "prediction": {"type": frozenset({"content"}), "content": PARTS},
    "web_search_options": {
        "search_context_size": frozenset({"low", "medium", "high"}),
        "user_location": {"type": frozenset({"approximate"}), "approximate": _PLACE},
    },
    "image_config": {"aspect_ratio": FREE, "image_size": FREE},
    "metadata": FREE,
    "prompt_cache_key": FREE,
    "safety_identifier": FREE,
    "stop": FREE,
    "user": FREE,
}
"""The whole body."""
