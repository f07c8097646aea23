"""What a canonical request says of a feature, so that two of them can be compared on it alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from extproc.llm.losses import Feature
from extproc.llm.request import (
    Audio,
    Choice,
    Document,
    Image,
    Inline,
    Message,
    Part,
    Plain,
    Refusal,
    Remote,
    Request,
    Role,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
    Video,
)

NO_ARGUMENTS = {"type": "object", "properties": {}}
Value = Callable[[Request], Any]


def value(feature: Feature, request: Request) -> Any:
    """Comparable. Names of documents, and how messages are divided, are nobody's feature."""
    return _VALUES[feature](request)


def _parts(request: Request) -> Iterator[tuple[Role, Part]]:
    for message in request.messages:
        for part in message.parts:
            yield message.role, part


def _texts(request: Request) -> list[tuple[Role, str]]:
    """Of the conversation, joined where one speaks on."""
    joined: list[tuple[Role, str]] = []
    for role, part in _parts(request):
        if isinstance(part, Text) and role is not Role.SYSTEM and part.text:
            if joined and joined[-1][0] is role:
                joined[-1] = (role, joined[-1][1] + part.text)
            else:
                joined.append((role, part.text))
    return joined


def _first(request: Request) -> list[Message]:
    """The system messages that stand before the conversation."""
    found: list[Message] = []
    for message in request.messages:
        if message.role is not Role.SYSTEM:
            break
        found.append(message)
    return found


def _said(messages: list[Message]) -> str:
    return "".join(p.text for m in messages for p in m.parts if isinstance(p, Text))


def _sources(kind: type[Part], source: type, request: Request) -> list[Any]:
    """Types of media are guessed from addresses where they are not said."""
    found = [p.source for _, p in _parts(request) if isinstance(p, kind)]  # type: ignore[union-attr]
    return [
        each.url if isinstance(each, Remote) else each for each in found if type(each) is source
    ]


def _tool(tool: Tool) -> tuple[str, str, Any]:
    return tool.name, tool.description, tool.parameters or NO_ARGUMENTS


def _calls(request: Request) -> list[Any]:
    """Calls and results, by the place of the call that is answered."""
    ids: list[str] = []
    found: list[Any] = []
    for _, part in _parts(request):
        if isinstance(part, ToolCall):
            ids.append(part.call_id)
            found.append((part.name, json.loads(part.arguments)))
        elif isinstance(part, ToolResult):
            texts = "\n".join(p.text for p in part.content if isinstance(p, Text))
            found.append((ids.index(part.call_id), part.name, texts))
    return found


def _result_images(request: Request) -> list[Any]:
    return [
        (p.name, [each.source for each in p.content if isinstance(each, Image)])
        for _, p in _parts(request)
        if isinstance(p, ToolResult)
    ]


_VALUES: Mapping[Feature, Value] = MappingProxyType(
    {
        Feature.TEXT: _texts,
        Feature.SYSTEM: lambda r: _said(_first(r)),
        Feature.SYSTEM_MIDWAY: lambda r: [
            (place, _said([message]))
            for place, message in enumerate(m for m in r.messages if m not in _first(r))
            if message.role is Role.SYSTEM
        ],
        Feature.NAMES: lambda r: [m.name for m in r.messages if m.role is not Role.SYSTEM],
        Feature.IMAGE_INLINE: lambda r: _sources(Image, Inline, r),
        Feature.IMAGE_URL: lambda r: _sources(Image, Remote, r),
        Feature.IMAGE_DETAIL: lambda r: [
            p.detail.removeprefix("auto") for _, p in _parts(r) if isinstance(p, Image)
        ],
        Feature.DOCUMENT_INLINE: lambda r: _sources(Document, Inline, r),
        Feature.DOCUMENT_URL: lambda r: _sources(Document, Remote, r),
        Feature.DOCUMENT_TEXT: lambda r: _sources(Document, Plain, r),
        Feature.AUDIO_INPUT: lambda r: _sources(Audio, Inline, r),
        Feature.VIDEO_INPUT: lambda r: _sources(Video, Inline, r) + _sources(Video, Remote, r),
        Feature.IMAGE_OUTPUT: lambda r: r.image_output and r.image_output.is_required,
        Feature.TOOLS: lambda r: ([_tool(tool) for tool in r.tools], _calls(r)),
        Feature.STRICT_TOOLS: lambda r: [tool.is_strict is True for tool in r.tools],
        Feature.TOOL_CHOICE: lambda r: (r.tool_choice or Choice.AUTO, r.tool_name),
        Feature.PARALLEL_CALLS: lambda r: r.is_parallel,
        Feature.TOOL_RESULT_IMAGE: _result_images,
        Feature.TOOL_ERROR: lambda r: [
            p.is_error for _, p in _parts(r) if isinstance(p, ToolResult)
        ],
        Feature.JSON_OBJECT: lambda r: r.format is not None and r.format.schema is None,
        Feature.JSON_SCHEMA: lambda r: r.format and r.format.schema,
        Feature.REASONING_EFFORT: lambda r: r.reasoning and r.reasoning.effort,
        Feature.REASONING_BUDGET: lambda r: r.reasoning and r.reasoning.budget_tokens,
        Feature.REASONING_TEXT: lambda r: [
            p.text for _, p in _parts(r) if isinstance(p, Thinking) and p.signature is None
        ],
        Feature.MAX_OUTPUT_TOKENS: lambda r: r.max_output_tokens,
        Feature.TEMPERATURE: lambda r: r.sampling.temperature,
        Feature.TOP_P: lambda r: r.sampling.top_p,
        Feature.TOP_K: lambda r: r.sampling.top_k,
        Feature.PENALTIES: lambda r: (r.sampling.presence_penalty, r.sampling.frequency_penalty),
        Feature.SEED: lambda r: r.sampling.seed,
        Feature.STOP: lambda r: r.stop,
        Feature.CHOICES: lambda r: r.choices,
        Feature.LOGPROBS: lambda r: r.logprobs,
        Feature.VERBOSITY: lambda r: r.verbosity,
        Feature.USER: lambda r: r.user,
        Feature.METADATA: lambda r: r.metadata,
        Feature.SERVICE_TIER: lambda r: r.service_tier,
        Feature.CACHE_MARKS: lambda r: (
            [p.cache for _, p in _parts(r) if hasattr(p, "cache")],
            [tool.cache for tool in r.tools],
        ),
        Feature.CACHE_KEY: lambda r: r.cache_key,
        Feature.REFUSAL: lambda r: [p.text for _, p in _parts(r) if isinstance(p, Refusal)],
    }
)
NAMED_ALONE = frozenset(Feature) - frozenset(_VALUES)
"""Of these the canonical form knows that they were said, or by whom alone they are understood."""
