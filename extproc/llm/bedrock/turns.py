"""The messages of a request, written as Converse takes them: turns of user and assistant.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Message.html. Turns alternate,
the first is the user's, results of tools come first in theirs, texts are not blank, a document has
a text beside it and a name of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec

from extproc.llm import identifiers
from extproc.llm.bedrock import sealed
from extproc.llm.bedrock.inference import Draft
from extproc.llm.bedrock.words import (
    TTLS,
    audio_format,
    document_format,
    image_format,
    video_format,
)
from extproc.llm.losses import Feature
from extproc.llm.request import (
    Audio,
    CacheMark,
    Document,
    Image,
    Inline,
    Message,
    Part,
    Plain,
    Refusal,
    Remote,
    Role,
    Signature,
    Source,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Uploaded,
    Video,
)
from extproc.protocols import json_spans
from extproc.protocols.json_spans import InvalidJson
from gateway.model import Dialect

NO_OUTPUT = "(no output)"
"""The result of a tool that gave nothing: Bedrock refuses blank texts."""
NO_MESSAGE = "."
"""What the user says where the conversation does not begin with the user."""
LONGEST_NAME = 64

_NOT_IN_CALL_IDS = re.compile(r"[^a-zA-Z0-9_.:-]")
_NOT_IN_TOOL_NAMES = re.compile(r"[^a-zA-Z0-9_-]")
_NOT_IN_DOCUMENT_NAMES = re.compile(r"[^a-zA-Z0-9\s()\[\]-]")
_SPACES = re.compile(r"\s+")
_LONGEST_DOCUMENT_NAME = 180
"""Of the 200, some are kept for a number."""
_ROLES: Mapping[Role, str] = {Role.USER: "user", Role.ASSISTANT: "assistant"}


class TurnWriter:
    """Writes the conversation of one request."""

    __slots__ = ("_blocks", "_document_names", "_draft", "_results", "_role", "system", "turns")

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._role = Role.USER
        self._blocks: list[Mapping[str, object]] = []
        self._results: list[Mapping[str, object]] = []
        self._document_names: set[str] = set()
        self.system: list[Mapping[str, object]] = []
        self.turns: list[object] = []

    def write(self, messages: Sequence[Message]) -> None:
        """The whole conversation."""
        losses = self._draft.losses
        for message in messages:
            if message.name:
                losses.lose(Feature.NAMES, "name")
            if message.role is Role.SYSTEM:
                if self.turns or self._blocks or self._results:
                    losses.lose(Feature.SYSTEM_MIDWAY, "system")
                self._system(message.parts)
                continue
            if message.role is not self._role:
                self._end_turn()
                self._role = message.role
            for part in message.parts:
                self._part(part)
        self._end_turn()
        if not self.turns:
            self._placeholder()

    def _end_turn(self) -> None:
        blocks = self._results + self._blocks + self._text_beside()
        if not blocks:
            return
        if not self.turns and self._role is Role.ASSISTANT:
            self._placeholder()
        role = _ROLES[self._role]
        last = self.turns[-1] if self.turns else None
        if isinstance(last, dict) and last["role"] == role:  # all of the turn between was lost
            last["content"] += blocks
        else:
            self.turns.append({"role": role, "content": blocks})
        self._results, self._blocks = [], []

    def _text_beside(self) -> list[Mapping[str, object]]:
        """Bedrock refuses a document in a message without a text: its name, where there is none."""
        names: list[str] = []
        for block in self._blocks:
            if "text" in block:
                return []
            document = block.get("document")
            if isinstance(document, dict):
                names.append(document["name"])
        return [{"text": ", ".join(names)}] if names else []

    def _placeholder(self) -> None:
        self._draft.losses.lose(Feature.OTHER, "messages")
        self.turns.append({"role": "user", "content": [{"text": NO_MESSAGE}]})

    def _system(self, parts: Sequence[Part]) -> None:
        for part in parts:
            if isinstance(part, Text):
                if part.text.strip():
                    self.system.append({"text": part.text})
                    self._mark(part.cache, self.system)
            else:
                self._draft.losses.lose(_features(part)[0], "system")

    def _part(self, part: Part) -> None:
        if isinstance(part, ToolResult):
            self._results.append({"toolResult": self._result(part)})
            self._mark(part.cache, self._results)
            return
        block = self._block(part)
        if block is None:
            return
        self._blocks.append(block)
        if isinstance(part, Text | Image | Document | ToolCall):
            self._mark(part.cache, self._blocks)

    def _block(self, part: Part) -> dict[str, object] | None:
        match part:
            case Text():
                self._lose_seal(part.signature)
                return {"text": part.text} if part.text.strip() else None
            case ToolCall():
                self._lose_seal(part.signature)
                return {"toolUse": encode_call(part)}
            case Thinking():
                return self._thinking(part)
            case Refusal():
                self._draft.losses.lose(Feature.REFUSAL, "refusal")
                return {"text": part.text} if part.text.strip() else None
            case ToolResult():
                return {"toolResult": self._result(part)}
            case Image() | Document() | Audio() | Video():
                if self._role is Role.ASSISTANT:
                    self._draft.losses.lose(_features(part)[0], "messages")
                    return None
                return self._attachment(part)

    def _attachment(self, part: Image | Document | Audio | Video) -> dict[str, object] | None:
        match part:
            case Image():
                if part.detail not in ("", "auto"):
                    self._draft.losses.lose(Feature.IMAGE_DETAIL, "detail")
                kind, name = "image", image_format
            case Document():
                return self._document(part)
            case Audio():
                kind, name = "audio", audio_format
            case Video():
                kind, name = "video", video_format
        source = self._source(part.source, _features(part))
        found = name(_media_type(part.source))
        if source is None:
            return None
        if found is None:
            self._draft.losses.lose(_features(part)[0], f"{kind} type {_media_type(part.source)!r}")
            return None
        return {kind: {"format": found, "source": source}}

    def _document(self, part: Document) -> dict[str, object] | None:
        media_type = _media_type(part.source)
        source = self._source(part.source, _features(part))
        found = document_format(media_type)
        if source is None:
            return None
        if found is None:
            self._draft.losses.lose(Feature.DOCUMENT_INLINE, f"document type {media_type!r}")
            return None
        name = self._document_name(part.name)
        return {"document": {"format": found, "name": name, "source": source}}

    def _document_name(self, name: str) -> str:
        """One that Bedrock takes, unlike the others."""
        plain = _SPACES.sub(" ", _NOT_IN_DOCUMENT_NAMES.sub("-", name)).strip()
        plain = plain[:_LONGEST_DOCUMENT_NAME].strip() or "document"
        unique, number = plain, 1
        while unique in self._document_names:
            number += 1
            unique = f"{plain} ({number})"
        self._document_names.add(unique)
        return unique

    def _source(self, source: Source, features: tuple[Feature, Feature]) -> object:
        """`features`: what is lost when it is inline, and when it is a URL."""
        losses = self._draft.losses
        match source:
            case Plain():
                return {"text": source.text}
            case Inline():
                if source.data:
                    return {"bytes": source.data}
                losses.lose(features[0], "an attachment without data")
            case Uploaded() if source.file_id.startswith("s3://"):
                return {"s3Location": {"uri": source.file_id}}
            case Uploaded():
                losses.lose(Feature.UPLOADED_FILE, "file_id")
            case Remote() if source.url.startswith("s3://"):
                return {"s3Location": {"uri": source.url}}
            case Remote():
                losses.lose(features[1], "url")
        return None

    def _result(self, part: ToolResult) -> dict[str, object]:
        content: list[object] = []
        for each in part.content:
            if not isinstance(each, Text):
                block = self._attachment(each)
            else:
                block = {"text": each.text} if each.text.strip() else None
            if block is not None:
                content.append(block)
            if each.cache is not None:
                self._draft.losses.lose(Feature.CACHE_MARKS, "cache_control")
        result: dict[str, object] = {
            "toolUseId": call_id(part.call_id),
            "content": content or [{"text": NO_OUTPUT}],
        }
        if part.is_error:
            if self._draft.traits.takes_tool_errors:
                result["status"] = "error"
            else:
                self._draft.losses.lose(Feature.TOOL_ERROR, "is_error")
        return result

    def _thinking(self, part: Thinking) -> dict[str, object] | None:
        """Without Bedrock's own seal, models refuse it."""
        seal = part.signature
        if seal is None:
            self._draft.losses.lose(Feature.REASONING_TEXT, "reasoning")
            return None
        if seal.origin is not Dialect.BEDROCK:
            self._draft.losses.lose(Feature.REASONING_SIGNATURE, "reasoning")
            return None
        return {"reasoningContent": sealed.thinking_block(part)}

    def _lose_seal(self, seal: Signature | None) -> None:
        """Models on Bedrock seal neither texts nor calls."""
        if seal is not None:
            self._draft.losses.lose(Feature.REASONING_SIGNATURE, "reasoning")

    def _mark(self, mark: CacheMark | None, blocks: list[Mapping[str, object]]) -> None:
        if mark is not None:
            point = cache_point(mark, self._draft)
            if point is not None:
                blocks.append(point)


def cache_point(mark: CacheMark, draft: Draft) -> dict[str, object] | None:
    """The block that says it, where the model takes one."""
    traits = draft.traits
    if not traits.caches:
        draft.losses.lose(Feature.CACHE_MARKS, "cache_control")
        return None
    point: dict[str, object] = {"type": "default"}
    if mark.ttl is not None:
        if traits.caches_for_an_hour and mark.ttl in TTLS:
            point["ttl"] = mark.ttl
        elif mark.ttl != "5m":  # which is what it is without
            draft.losses.lose(Feature.CACHE_MARKS, "ttl")
    return {"cachePoint": point}


def encode_call(call: ToolCall) -> dict[str, object]:
    """A `toolUse`."""
    return {
        "toolUseId": call_id(call.call_id),
        "name": tool_name(call.name),
        "input": input_of(call.arguments),
    }


def call_id(value: str) -> str:
    """An id that Bedrock takes; always the same for the same."""
    if 0 < len(value) <= LONGEST_NAME and _NOT_IN_CALL_IDS.search(value) is None:
        return value
    return identifiers.call_id(value, 0)


def tool_name(value: str) -> str:
    """A name that Bedrock takes."""
    return _NOT_IN_TOOL_NAMES.sub("_", value)[:LONGEST_NAME] or "_"


def input_of(arguments: str) -> object:
    """The arguments as an object; what a model wrote that is none stays, as a string in one."""
    encoded = arguments.encode()
    if not arguments.strip():
        return {}
    try:
        if isinstance(json_spans.decode_exactly(encoded), dict):
            return msgspec.Raw(encoded)
    except InvalidJson:
        pass
    return {"arguments": arguments}


def _media_type(source: Source) -> str:
    return "text/plain" if isinstance(source, Plain) else source.media_type


def _features(part: Part) -> tuple[Feature, Feature]:
    """What is lost with a part: when it is inline, and when it is a URL."""
    match part:
        case Image():
            return Feature.IMAGE_INLINE, Feature.IMAGE_URL
        case Document():
            return Feature.DOCUMENT_INLINE, Feature.DOCUMENT_URL
        case Audio():
            return Feature.AUDIO_INPUT, Feature.AUDIO_INPUT
        case Video():
            return Feature.VIDEO_INPUT, Feature.VIDEO_INPUT
        case _:
            return Feature.OTHER, Feature.OTHER
