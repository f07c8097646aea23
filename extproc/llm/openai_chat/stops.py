"""Why answers end: OpenAI's `finish_reason`, with the words of servers like it, and `Stop`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import assert_never

from extproc.llm.answer import Stop

_READ: Mapping[str, Stop] = MappingProxyType(
    {
        "stop": Stop.END,
        "end_turn": Stop.END,
        "eos": Stop.END,
        "length": Stop.MAX_TOKENS,
        "max_tokens": Stop.MAX_TOKENS,
        "tool_calls": Stop.TOOL_CALLS,
        "function_call": Stop.TOOL_CALLS,
        "content_filter": Stop.CONTENT_FILTER,
        "safety": Stop.CONTENT_FILTER,
        "model_length": Stop.CONTEXT,  # Mistral
        "refusal": Stop.REFUSAL,
    }
)


def stop_of(choice: Mapping[str, object], *, calls_tools: bool, refuses: bool) -> tuple[Stop, str]:
    """Of a choice that has ended: why, and vLLM's stop sequence.

    Some servers say `stop`, or nothing, after tool calls.
    """
    reason = choice.get("finish_reason")
    stop = Stop.END if reason is None else _READ.get(str(reason).lower(), Stop.OTHER)
    if stop is Stop.END:
        if calls_tools:
            return Stop.TOOL_CALLS, ""
        if refuses:
            return Stop.REFUSAL, ""
        sequence = choice.get("stop_reason")
        if sequence and type(sequence) is str:
            return Stop.SEQUENCE, sequence
    return stop, ""


def finish_reason(stop: Stop, *, has_refused: bool = False, is_legacy: bool = False) -> str:
    """OpenAI's word. What it has no word for has just stopped."""
    match stop:
        case Stop.MAX_TOKENS | Stop.CONTEXT:
            return "length"
        case Stop.TOOL_CALLS:
            return "function_call" if is_legacy else "tool_calls"
        case Stop.CONTENT_FILTER:
            return "content_filter"
        case Stop.REFUSAL:  # without a text that says so, nothing else would
            return "stop" if has_refused else "content_filter"
        case Stop.END | Stop.SEQUENCE | Stop.PAUSE | Stop.OTHER:
            return "stop"
        case _:
            assert_never(stop)


def is_legacy(document: Mapping[str, object]) -> bool:
    """Whether the client knows only `function_call`, not `tool_calls`."""
    return bool(document.get("functions")) and not document.get("tools")
