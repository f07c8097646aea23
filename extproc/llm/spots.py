"""Where in the events of a stream the pieces of longer texts are, dialect by dialect.

A text goes on from event to event: what is said in one `Spot` continues what the last one of the
same `channel` said. What stands at no spot is whole where it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

from msgspec import Struct

from gateway.model import Dialect, TextScope

Json: TypeAlias = Any
Channel: TypeAlias = tuple[object, ...]

_ASSISTANT = TextScope.ASSISTANT
_REASONING = TextScope.REASONING
_INPUT = TextScope.TOOL_INPUT


class Spot(Struct, frozen=True):
    """A piece of a text, in an object of an event."""

    channel: Channel
    """Begins with the choice, or the block, that it is a part of."""
    holder: MutableMapping[str, object]
    name: str
    scope: TextScope
    is_json: bool = False
    """The text spells JSON."""

    @property
    def text(self) -> str:
        """What is said there."""
        text = self.holder[self.name]
        return text if isinstance(text, str) else ""


class Spots(NamedTuple):
    """Of one event."""

    spots: Sequence[Spot]
    ended: Sequence[object] | None = ()
    """The choices, or blocks, of which nothing follows; None: of all."""


Read: TypeAlias = Callable[[Json], Spots]


def _objects(value: object) -> Iterator[dict[str, Json]]:
    if type(value) is list:
        for item in value:
            if type(item) is dict:
                yield item


def _object(value: object) -> dict[str, Json]:
    return value if type(value) is dict else {}


_CHAT_TEXTS: Sequence[tuple[str, TextScope]] = (
    ("content", _ASSISTANT),
    ("refusal", _ASSISTANT),
    ("reasoning_content", _REASONING),
    ("reasoning", _REASONING),
    ("text", _ASSISTANT),
)


def chat(event: Json) -> Spots:
    """OpenAI's chat completions, and completions."""
    spots: list[Spot] = []
    ended: list[object] = []
    for choice in _objects(_object(event).get("choices")):
        index = choice.get("index", 0)
        delta = choice.get("delta")
        holder = choice if type(delta) is not dict else delta
        for name, scope in _CHAT_TEXTS:
            if type(holder.get(name)) is str:
                spots.append(Spot((index, name), holder, name, scope))
        if holder is delta:
            spots += _of_delta(index, holder)
        if choice.get("finish_reason") is not None:
            ended.append(index)
    return Spots(spots, ended)


def _of_delta(index: object, delta: dict[str, Json]) -> Iterator[Spot]:
    for part in _objects(delta.get("content")):  # Mistral's
        if type(part.get("text")) is str:
            yield Spot((index, "content"), part, "text", _ASSISTANT)
        for thought in _objects(part.get("thinking")):
            if type(thought.get("text")) is str:
                yield Spot((index, "thinking"), thought, "text", _REASONING)
    for detail in _objects(delta.get("reasoning_details")):
        for name in ("text", "summary"):
            if type(detail.get(name)) is str:
                yield Spot((index, "details", name), detail, name, _REASONING)
    for call in _objects(delta.get("tool_calls")):
        number = call.get("index", 0)
        for kind, name, is_json in (("function", "arguments", True), ("custom", "input", False)):
            holder = _object(call.get(kind))
            if type(holder.get(name)) is str:
                yield Spot((index, "call", number), holder, name, _INPUT, is_json)
    holder = _object(delta.get("function_call"))
    if type(holder.get("arguments")) is str:
        yield Spot((index, "function_call"), holder, "arguments", _INPUT, True)
    holder = _object(delta.get("audio"))
    if type(holder.get("transcript")) is str:
        yield Spot((index, "audio"), holder, "transcript", _ASSISTANT)


_RESPONSES_DELTAS: Mapping[str, tuple[TextScope, bool]] = MappingProxyType(
    {
        "response.output_text.delta": (_ASSISTANT, False),
        "response.refusal.delta": (_ASSISTANT, False),
        "response.audio.transcript.delta": (_ASSISTANT, False),
        "response.reasoning_text.delta": (_REASONING, False),
        "response.reasoning_summary_text.delta": (_REASONING, False),
        "response.function_call_arguments.delta": (_INPUT, True),
        "response.mcp_call_arguments.delta": (_INPUT, True),
        "response.custom_tool_call_input.delta": (_INPUT, False),
        "response.code_interpreter_call_code.delta": (_INPUT, False),
    }
)


def responses(event: Json) -> Spots:
    """OpenAI's Responses: each text is told in pieces, and again whole when it ends."""
    kind = _object(event).get("type")
    told = _RESPONSES_DELTAS.get(kind) if type(kind) is str else None
    if told is not None and type(event.get("delta")) is str:
        part = event.get("content_index", event.get("summary_index", 0))
        item = event.get("item_id", event.get("output_index"))
        scope, is_json = told
        channel = (item, kind, part)
        return Spots((Spot(channel, event, "delta", scope, is_json),))
    if type(kind) is str and kind.endswith(".done"):
        return Spots((), (event.get("item_id", event.get("output_index")),))
    is_last = kind in ("response.completed", "response.incomplete", "response.failed", "error")
    return Spots((), None if is_last else ())


_ANTHROPIC_TEXTS: Sequence[tuple[str, TextScope, bool]] = (
    ("text", _ASSISTANT, False),
    ("thinking", _REASONING, False),
    ("partial_json", _INPUT, True),
)


def anthropic(event: Json) -> Spots:
    """Anthropic's Messages."""
    kind = _object(event).get("type")
    if kind in ("content_block_delta", "content_block_start"):
        index = event.get("index", 0)
        holder = _object(event.get("delta" if kind == "content_block_delta" else "content_block"))
        spots = [
            Spot((index, name), holder, name, scope, is_json)
            for name, scope, is_json in _ANTHROPIC_TEXTS
            if type(holder.get(name)) is str
        ]
        return Spots(spots)
    if kind == "content_block_stop":
        return Spots((), (event.get("index", 0),))
    return Spots((), None if kind in ("message_delta", "message_stop", "error") else ())


def gemini(event: Json) -> Spots:
    """Gemini's generateContent."""
    spots: list[Spot] = []
    ended: list[object] = []
    for candidate in _objects(_object(event).get("candidates")):
        index = candidate.get("index", 0)
        for part in _objects(_object(candidate.get("content")).get("parts")):
            if type(part.get("text")) is str:
                is_thought = part.get("thought") is True
                scope = _REASONING if is_thought else _ASSISTANT
                spots.append(Spot((index, is_thought), part, "text", scope))
            for argument in _objects(_object(part.get("functionCall")).get("partialArgs")):
                if type(argument.get("stringValue")) is str:
                    channel = (index, "args", argument.get("jsonPath"))
                    spots.append(Spot(channel, argument, "stringValue", _INPUT))
        if candidate.get("finishReason") is not None:
            ended.append(index)
    return Spots(spots, ended)


def bedrock(event: Json) -> Spots:
    """Bedrock's ConverseStream; the kind of an event is told outside of it."""
    document = _object(event)
    index = document.get("contentBlockIndex", 0)
    delta = document.get("delta")
    if type(delta) is not dict:
        is_start = "start" in document
        is_stop = "contentBlockIndex" in document and not is_start
        return Spots((), (index,) if is_stop else None if "stopReason" in document else ())
    spots: list[Spot] = []
    if type(delta.get("text")) is str:
        spots.append(Spot((index, "text"), delta, "text", _ASSISTANT))
    holder = _object(delta.get("toolUse"))
    if type(holder.get("input")) is str:
        spots.append(Spot((index, "input"), holder, "input", _INPUT, True))
    holder = _object(delta.get("reasoningContent"))
    if type(holder.get("text")) is str:
        spots.append(Spot((index, "reasoning"), holder, "text", _REASONING))
    return Spots(spots)


def anything(event: Json) -> Spots:
    """What nobody knows: each string goes on where the one at the same place did."""
    return Spots(list(_strings(event, ())))


def _strings(value: object, path: Channel) -> Iterator[Spot]:
    items: Sequence[tuple[object, object]] = ()
    if type(value) is dict:
        items = list(value.items())
    elif type(value) is list:
        items = list(enumerate(value))
    for key, item in items:
        if type(item) is str and type(value) is dict and type(key) is str:
            yield Spot((0, *path, key), value, key, _ASSISTANT)
        else:
            yield from _strings(item, (*path, key))


READS: Mapping[Dialect, Read] = MappingProxyType(
    {
        Dialect.OPENAI_CHAT: chat,
        Dialect.OPENAI_RESPONSES: responses,
        Dialect.ANTHROPIC: anthropic,
        Dialect.GEMINI: gemini,
        Dialect.BEDROCK: bedrock,
    }
)
