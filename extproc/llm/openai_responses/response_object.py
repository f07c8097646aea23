"""The response object around an answer: it repeats what the request asked for.

https://platform.openai.com/docs/api-reference/responses/object. Tools that OpenAI runs are not
repeated: they were not offered, and they may hold secrets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from extproc.llm.answer import Stop
from extproc.llm.dialect import Asked
from extproc.llm.openai_responses.usage import usage_object
from gateway.usage import Usage

TIERS = frozenset({"auto", "default", "fast", "flex", "priority", "scale", "ultrafast"})
"""OpenAI's service tiers."""

_PREFIX = "resp_"
_REPEATED: tuple[tuple[str, object], ...] = (
    ("background", False),
    ("instructions", None),
    ("max_output_tokens", None),
    ("max_tool_calls", None),
    ("metadata", {}),
    ("parallel_tool_calls", True),
    ("previous_response_id", None),
    ("prompt_cache_key", None),
    ("safety_identifier", None),
    ("temperature", 1.0),
    ("tool_choice", "auto"),
    ("top_logprobs", 0),
    ("top_p", 1.0),
    ("truncation", "disabled"),
    ("user", None),
)
"""What the request says, and what is so when it does not."""
_FUNCTION: Mapping[str, object] = {"description": None, "parameters": None, "strict": None}
_CUSTOM: Mapping[str, object] = {"format": {"type": "text"}}
_WHOLE = frozenset({Stop.END, Stop.SEQUENCE, Stop.TOOL_CALLS})
_CUT: Mapping[Stop, str] = {
    Stop.MAX_TOKENS: "max_output_tokens",
    Stop.CONTEXT: "max_output_tokens",
    Stop.CONTENT_FILTER: "content_filter",
    Stop.REFUSAL: "content_filter",
}
"""Why something is missing, where this API has a word for it."""


def settings(asked: Asked) -> dict[str, object]:
    """What a response says of its request."""
    document = asked.document
    said: dict[str, object] = {}
    for name, default in _REPEATED:
        value = document.get(name)
        said[name] = default if value is None else value
    reasoning = document.get("reasoning")
    thought = reasoning if type(reasoning) is dict else {}
    said["reasoning"] = {"effort": None, "summary": None, **thought}
    text = document.get("text")
    said["text"] = {"format": {"type": "text"}, **(text if type(text) is dict else {})}
    tools = document.get("tools")
    said["tools"] = _tools(tools) if type(tools) is list else []
    said["store"] = False
    said["service_tier"] = "default"
    return said


def name_of(answer_id: str, asked: Asked) -> str:
    """The id of a response."""
    own = answer_id or asked.answer_id
    return own if own.startswith(_PREFIX) else _PREFIX + own


def status_of(stop: Stop, *, is_refusal: bool) -> tuple[str, dict[str, object] | None]:
    """The status, and what is missing. A refusal that says nothing is a filter's."""
    if stop in _WHOLE or (stop is Stop.REFUSAL and is_refusal):
        return "completed", None
    return "incomplete", {"reason": _CUT.get(stop)}


def response_object(
    said: Mapping[str, object],
    identity: tuple[str, str, int],
    status: tuple[str, dict[str, object] | None],
    output: Sequence[object] = (),
    usage: Usage | None = None,
) -> dict[str, object]:
    """A response; `identity` is its id, its model and when it began, `said` its `settings`."""
    response_id, model, created = identity
    told: dict[str, object] = {
        "id": response_id,
        "object": "response",
        "created_at": created,
        "status": status[0],
        "error": None,
        "incomplete_details": status[1],
        "model": model,
        "output": output,
        **said,
        "usage": None if usage is None else usage_object(usage),
    }
    if usage is not None and usage.service_tier in TIERS:
        told["service_tier"] = usage.service_tier
    return told


def _tools(tools: list[object]) -> list[dict[str, object]]:
    own: list[dict[str, object]] = []
    for tool in tools:
        if type(tool) is not dict:
            continue
        if tool.get("type") == "function":
            own.append({**_FUNCTION, **tool})
        elif tool.get("type") == "custom":
            own.append({**_CUSTOM, **tool})
    return own
