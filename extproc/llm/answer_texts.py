"""What of a provider's answer is text, in the words of all dialects, and how to reword it.

As in requests, all is read but what is known to be structure: ids, types, counts, times, data.
Where a text stands is told by its names; what nobody can tell is the assistant's.
"""

from __future__ import annotations

from collections.abc import Mapping

from extproc.llm import texts as walk
from extproc.llm.shapes import FREE, Fields, Parts, Rule, Unread
from extproc.rewording import Reworded, Rewording
from gateway.model import TextScope

_SETTINGS = (
    "additionalModelResponseFields",
    "avgLogprobs",
    "background",
    "blockReason",
    "completed_at",
    "contentBlockIndex",
    "content_filter_offsets",
    "content_filter_results",
    "content_index",
    "context_management",
    "created",
    "created_at",
    "createTime",
    "end_index",
    "endIndex",
    "expires_at",
    "finishReason",
    "finish_reason",
    "incomplete_details",
    "index",
    "is_error",
    "latencyMs",
    "logprobs",
    "logprobsResult",
    "max_output_tokens",
    "max_tool_calls",
    "metrics",
    "modelVersion",
    "native_finish_reason",
    "object",
    "obfuscation",
    "output_index",
    "p",
    "parallel_tool_calls",
    "probability",
    "prompt_cache_retention",
    "prompt_filter_results",
    "safetyRatings",
    "sequence_number",
    "service_tier",
    "start_index",
    "startIndex",
    "status",
    "stopReason",
    "stop_reason",
    "store",
    "summary_index",
    "temperature",
    "thought",
    "tokenCount",
    "top_logprobs",
    "top_p",
    "truncation",
    "type",
    "usage",
    "usageMetadata",
)
_IDS = (
    "call_id",
    "container_id",
    "conversation",
    "data",
    "encrypted_content",
    "encrypted_index",
    "fileId",
    "file_id",
    "id",
    "item_id",
    "partial_image_b64",
    "model",
    "previous_response_id",
    "prompt_cache_key",
    "provider",
    "redactedContent",
    "responseId",
    "safety_identifier",
    "signature",
    "system_fingerprint",
    "thoughtSignature",
    "thought_signature",
    "toolUseId",
    "tool_call_id",
    "tool_use_id",
)
_TOKENS = frozenset({"logprobs", "logprobsResult"})
_ROLES = frozenset({"assistant", "model", "user", "system", "developer", "tool", "function"})
_NESTED = (
    "annotations",
    "audio",
    "candidates",
    "choices",
    "citations",
    "content",
    "contentBlock",
    "content_block",
    "custom",
    "delta",
    "extra_content",
    "function",
    "functionCall",
    "function_call",
    "google",
    "groundingMetadata",
    "images",
    "inlineData",
    "item",
    "message",
    "output",
    "part",
    "parts",
    "reasoning",
    "reasoningContent",
    "reasoningText",
    "reasoning_details",
    "response",
    "start",
    "summary",
    "toolUse",
    "tool_calls",
)
_TEXTS = (
    "args",
    "arguments",
    "bytes",
    "code",
    "completion",
    "generation",
    "input",
    "instructions",
    "name",
    "outputText",
    "partial_json",
    "reasoning_content",
    "refusal",
    "results",
    "stopSequence",
    "stop_sequence",
    "text",
    "thinking",
    "title",
    "transcript",
    "url",
)


def _answer() -> Fields:
    fields: dict[str, Rule] = Parts()
    fields.update(dict.fromkeys(_SETTINGS, Unread.ALL))
    fields.update(dict.fromkeys(_IDS, Unread.STRING))
    fields.update(dict.fromkeys(_TEXTS, FREE))
    fields.update(dict.fromkeys(_NESTED, fields))
    fields["role"] = _ROLES
    fields["result"] = Unread.IMAGE
    fields["image_url"] = {"url": Unread.DATA_URL}
    return fields


ANSWER: Fields = _answer()
"""Of answers, whole, and of the events of streams."""


def texts(document: Mapping[str, object]) -> tuple[str, ...]:
    """All that it says, in order. Raises `InvalidJson`."""
    return walk.texts(document, ANSWER)


def reworded(body: bytes, rewording: Rewording) -> Reworded:
    """The answer with its texts changed. Raises `InvalidJson`."""
    return walk.reword(body, ANSWER, rewording, TextScope.ASSISTANT)


def forget_tokens(value: object) -> bool:
    """Takes out how likely each token was, since they spell what was there; True: there were."""
    found = False
    if type(value) is dict:
        for key, item in value.items():
            if key in _TOKENS and item:
                value[key] = [] if type(item) is list else None
                found = True
            else:
                found = forget_tokens(item) or found
    elif type(value) is list:
        for item in value:
            found = forget_tokens(item) or found
    return found
