"""How many tokens a request is, about: its texts, tools and attachments, for the model it asks.

For answers to questions of how many.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from typing import assert_never

from extproc.llm import estimate
from extproc.llm.attachment_tokens import audio_tokens, document_tokens, image_tokens
from extproc.llm.image_size import size_of_base64
from extproc.llm.request import (
    Audio,
    Document,
    Image,
    Inline,
    Part,
    Plain,
    Refusal,
    Request,
    Source,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
    Video,
)
from extproc.llm.token_weights import Family
from extproc.protocols import json_spans

_PER_MESSAGE = 4
"""A role and what stands around a message."""
_CLAUDE_TOOLS = 346
"""What Anthropic says to a model that has tools
(https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview)."""
_CLAUDES = (Family.CLAUDE, Family.CLAUDE_OLD)

_AUDIO_BYTES_PER_SECOND = 2_000
"""Of strongly compressed speech: fewer bytes make a second longer, and dearer, than it is."""
_WAV_BYTES_PER_SECOND = 32_000
_VIDEO_TOKENS_PER_SECOND = 300
"""Gemini, its sound included."""
_VIDEO_BYTES_PER_SECOND = 100_000
_UNKNOWN_SECONDS = 60
_UNKNOWN_BYTES = 500_000
"""Of what the provider fetches or has."""


def tokens_of(request: Request) -> int:
    """Of the whole input; the model's name tells the tokenizer and the rules for attachments."""
    family = estimate.family_of(request.model)
    texts = list(_texts(request))
    fixed = _PER_MESSAGE * len(request.messages)
    if request.tools and family in _CLAUDES:
        fixed += _CLAUDE_TOOLS
    attached = sum(
        _attachment(part, request.model, family)
        for message in request.messages
        for part in _flat(message.parts)
    )
    return estimate.expected(texts, family) + fixed + attached


def _texts(request: Request) -> Iterator[str]:
    for message in request.messages:
        for part in _flat(message.parts):
            yield from _texts_of(part)
    for tool in request.tools:
        yield _described(tool)
    if request.format is not None and request.format.schema is not None:
        yield json_spans.encode(request.format.schema).decode()


def _described(tool: Tool) -> str:
    schema = json_spans.encode(tool.parameters).decode() if tool.parameters else ""
    return f"{tool.name} {tool.description} {schema}"


def _flat(parts: tuple[Part, ...]) -> Iterator[Part]:
    for part in parts:
        yield part
        if isinstance(part, ToolResult):
            yield from part.content


def _texts_of(part: Part) -> tuple[str, ...]:
    match part:
        case Text() | Refusal() | Thinking():
            return (part.text,)
        case ToolCall():
            return (part.name, part.arguments)
        case Document(source=Plain(text)):
            return (text,)
        case Image() | Document() | Audio() | Video() | ToolResult():
            return ()
        case _:
            assert_never(part)


def _attachment(part: Part, model: str, family: Family) -> int:
    match part:
        case Image(source, detail):
            size = size_of_base64(source.data) if isinstance(source, Inline) else None
            return image_tokens(model, family, size, is_low=detail == "low")
        case Document(source):
            return 0 if isinstance(source, Plain) else document_tokens(family, _bytes(source))
        case Audio(source):
            return audio_tokens(family, _seconds(source))
        case Video(source):
            return ceil(_bytes(source) / _VIDEO_BYTES_PER_SECOND) * _VIDEO_TOKENS_PER_SECOND
        case Text() | Thinking() | ToolCall() | ToolResult() | Refusal():
            return 0
        case _:
            assert_never(part)


def _bytes(source: Source) -> int:
    return len(source.data) * 3 // 4 if isinstance(source, Inline) else _UNKNOWN_BYTES


def _seconds(source: Source) -> float:
    if not isinstance(source, Inline):
        return _UNKNOWN_SECONDS
    is_plain = "wav" in source.media_type or "pcm" in source.media_type
    return _bytes(source) / (_WAV_BYTES_PER_SECOND if is_plain else _AUDIO_BYTES_PER_SECOND)
