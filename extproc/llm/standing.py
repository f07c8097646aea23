"""Where a text of a conversation stands: who says it, and as what. In the words of all dialects.

What nobody can tell stands with the user's.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from gateway.model import TextScope

_SCOPES_OF_ROLES: Mapping[str, TextScope] = MappingProxyType(
    {
        "assistant": TextScope.ASSISTANT,
        "developer": TextScope.SYSTEM,
        "function": TextScope.TOOL_OUTPUT,
        "model": TextScope.ASSISTANT,
        "system": TextScope.SYSTEM,
        "tool": TextScope.TOOL_OUTPUT,
        "user": TextScope.USER,
    }
)

SCOPES_OF_FIELDS: Mapping[str, TextScope] = MappingProxyType(
    {
        **dict.fromkeys(
            (
                "functions",
                "instructions",
                "system",
                "systemInstruction",
                "system_instruction",
                "toolConfig",
                "tool_config",
                "tools",
            ),
            TextScope.SYSTEM,
        ),
        **dict.fromkeys(
            (
                "executableCode",
                "executable_code",
                "functionCall",
                "function_call",
                "toolCall",
                "toolUse",
                "tool_call",
                "tool_calls",
            ),
            TextScope.TOOL_INPUT,
        ),
        **dict.fromkeys(
            (
                "codeExecutionResult",
                "code_execution_result",
                "functionResponse",
                "function_response",
                "toolResponse",
                "toolResult",
                "tool_response",
            ),
            TextScope.TOOL_OUTPUT,
        ),
        **dict.fromkeys(
            (
                "reasoning",
                "reasoningContent",
                "reasoning_content",
                "reasoning_details",
                "thinking",
            ),
            TextScope.REASONING,
        ),
    }
)
"""Of what stands in a field of this name, whatever it stands in."""


def scope_of(value: Mapping[str, object], outside: TextScope) -> TextScope:
    """Of what stands in an object that itself stands `outside`: a message, a part of one."""
    kind = value.get("type")
    if type(kind) is str:
        if kind.endswith(("tool_result", "_output")):
            return TextScope.TOOL_OUTPUT
        if kind.endswith(("tool_use", "_call")):
            return TextScope.TOOL_INPUT
        if kind in ("thinking", "reasoning", "reasoning_text", "summary_text"):
            return TextScope.REASONING
    if value.get("thought") is True:
        return TextScope.REASONING
    role = value.get("role")
    return _SCOPES_OF_ROLES.get(role, TextScope.USER) if type(role) is str else outside
