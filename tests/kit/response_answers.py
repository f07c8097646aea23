"""What OpenAI answers to `POST /responses` where its tools have worked, too; and Gemini to what
begins with what was cached.

https://platform.openai.com/docs/api-reference/responses/object: `tool_usage` is separate from
`usage`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

IMAGE = "iVBORw0KGgo" + "A" * 1_500_000
"""In base64; larger than what Envoy reads of one event."""
TOOL_USAGE: Mapping[str, Any] = {
    "image_gen": {
        "input_tokens": 300,
        "input_tokens_details": {"image_tokens": 200, "text_tokens": 100},
        "output_tokens": 186,
        "output_tokens_details": {"image_tokens": 186, "text_tokens": 0},
        "total_tokens": 486,
    },
    "web_search": {"num_requests": 2},
}
_USAGE = {
    "input_tokens": 100,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 10,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 110,
}


def generated(document: Mapping[str, Any]) -> dict[str, Any]:
    """What Gemini answers, and used: https://ai.google.dev/api/generate-content."""
    cached = {"cachedContentTokenCount": 80} if "cachedContent" in document else {}
    read = 20 + cached.get("cachedContentTokenCount", 0)
    used = {"promptTokenCount": read, "candidatesTokenCount": 5, "totalTokenCount": read + 5}
    content = {"role": "model", "parts": [{"text": "Hi"}]}
    candidate = {"index": 0, "content": content, "finishReason": "STOP"}
    return {"candidates": [candidate], "usageMetadata": {**used, **cached}}


def response(document: Mapping[str, Any]) -> dict[str, Any]:
    """To a request: an image, where a tool draws, and what was used."""
    tools = document.get("tools") or []
    told: dict[str, Any] = {
        "id": "resp_1", "object": "response", "created_at": 1_700_000_000, "status": "completed",
        "model": document["model"], "output": [], "tools": tools, "tool_choice": "auto",
        "parallel_tool_calls": True, "usage": _USAGE,
    }  # fmt: skip
    if any(each["type"] == "image_generation" for each in tools):
        told["output"] = [
            {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": IMAGE}
        ]
        told["tool_usage"] = TOOL_USAGE
    return told


def events(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The same as a stream."""
    whole = response(document)
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    begun.pop("tool_usage", None)
    yield {"type": "response.created", "sequence_number": 0, "response": begun}
    for index, item in enumerate(whole["output"]):
        number = {"sequence_number": index + 1, "output_index": index}
        yield {"type": "response.output_item.done", **number, "item": item}
    yield {"type": "response.completed", "sequence_number": 9, "response": whole}
