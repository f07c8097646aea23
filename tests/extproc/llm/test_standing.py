"""Where the texts of each dialect's conversations stand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import pytest

from extproc.llm.dialects import SPEAKERS
from extproc.rewording import Reworded
from gateway.guards import OF_DEFINITIONS
from gateway.model import Dialect, TextScope


class Placing:
    """Notes where each text stands."""

    def __init__(self) -> None:
        self.found: dict[str, TextScope] = {}
        self._scope = TextScope.USER

    def at(self, scope: TextScope) -> None:
        self._scope = scope

    def text(self, text: str) -> str:
        self.found[text] = self._scope
        return text

    def across(self, pieces: Sequence[str]) -> Sequence[str]:
        return pieces

    def fixed(self, text: str) -> None:
        self.found[text] = self._scope


CONVERSATIONS: Mapping[Dialect, Mapping[str, object]] = {
    Dialect.OPENAI_CHAT: {
        "messages": [
            {"role": "developer", "content": "system 1"},
            {"role": "user", "content": "user 1"},
            {"role": "assistant", "content": "assistant 1", "reasoning_content": "reasoning 1"},
            {"role": "assistant", "tool_calls": [{"function": {"arguments": "tool_input 1"}}]},
            {"role": "tool", "content": [{"type": "text", "text": "tool_output 1"}]},
        ],
        "tools": [{"function": {"description": "system 2"}}],
        "unknown": {"role": "user 2"},
    },
    Dialect.OPENAI_RESPONSES: {
        "instructions": "system 1",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "user 1"}]},
            {"role": "assistant", "content": [{"type": "output_text", "text": "assistant 1"}]},
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "reasoning 1"}]},
            {"type": "function_call", "arguments": "tool_input 1"},
            {"type": "custom_tool_call", "input": "tool_input 2"},
            {"type": "function_call_output", "output": "tool_output 1"},
            {
                "type": "custom_tool_call_output",
                "output": [{"type": "input_text", "text": "tool_output 2"}],
            },
        ],
        "tools": [{"type": "function", "description": "system 2"}],
    },
    Dialect.ANTHROPIC: {
        "system": [{"type": "text", "text": "system 1"}],
        "messages": [
            {"role": "user", "content": "user 1"},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "reasoning 1"},
                    {"type": "text", "text": "assistant 1"},
                    {"type": "tool_use", "input": {"role": "tool_input 1"}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "content": [{"type": "text", "text": "tool_output 1"}]},
                    {"type": "text", "text": "user 2"},
                ],
            },
        ],
        "tools": [{"description": "system 2"}],
    },
    Dialect.GEMINI: {
        "systemInstruction": {"parts": [{"text": "system 1"}]},
        "contents": [
            {"role": "user", "parts": [{"text": "user 1"}]},
            {
                "role": "model",
                "parts": [
                    {"text": "reasoning 1", "thought": True},
                    {"text": "assistant 1"},
                    {"functionCall": {"args": {"a": "tool_input 1"}}},
                ],
            },
            {"role": "user", "parts": [{"functionResponse": {"response": {"a": "tool_output 1"}}}]},
        ],
        "tools": [{"functionDeclarations": [{"description": "system 2"}]}],
    },
    Dialect.BEDROCK: {
        "system": [{"text": "system 1"}],
        "messages": [
            {"role": "user", "content": [{"text": "user 1"}]},
            {
                "role": "assistant",
                "content": [
                    {"reasoningContent": {"reasoningText": {"text": "reasoning 1"}}},
                    {"text": "assistant 1"},
                    {"toolUse": {"input": {"a": "tool_input 1"}}},
                ],
            },
            {
                "role": "user",
                "content": [{"toolResult": {"content": [{"text": "tool_output 1"}]}}],
            },
        ],
        "toolConfig": {"tools": [{"toolSpec": {"description": "system 2"}}]},
    },
}


@pytest.mark.parametrize("dialect", Dialect)
def test_a_text_stands_where_its_dialect_says(dialect: Dialect) -> None:
    placing = Placing()
    body = json.dumps(CONVERSATIONS[dialect]).encode()
    assert isinstance(SPEAKERS[dialect].reading.reword(body, placing), Reworded)
    found = {
        text: scope
        for text, scope in placing.found.items()
        if text.partition(" ")[0] in set(TextScope)
    }
    assert found == {text: TextScope(text.partition(" ")[0]) for text in found}
    assert set(found.values()) == set(TextScope) - OF_DEFINITIONS
    written = json.dumps(CONVERSATIONS[dialect])
    assert all(
        f'"{scope} {n}"' not in written or f"{scope} {n}" in found
        for scope in TextScope
        for n in (1, 2)
    )
