"""Content blocks of Converse requests, read into the parts of a message.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html. What the
canonical form does not have is named in `extras`; its words stay, as text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeAlias

from extproc.llm.bedrock import sealed
from extproc.llm.bedrock.words import AUDIO_TYPES, DOCUMENT_TYPES, IMAGE_TYPES, VIDEO_TYPES
from extproc.llm.lenient import mapping, objects, string
from extproc.llm.losses import Feature
from extproc.llm.request import (
    Audio,
    CacheMark,
    Document,
    Image,
    Inline,
    Part,
    Plain,
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

Block: TypeAlias = Mapping[str, object]


class BlockReader:
    """Reads the blocks of one conversation, in order; remembers which call is of which tool."""

    __slots__ = ("_call_seal", "_names", "_text_seal", "extras")

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._call_seal: Signature | None = None
        """Of the next call."""
        self._text_seal: Signature | None = None
        """Of the text before."""
        self.extras: list[Feature] = []

    def parts(self, content: object) -> tuple[Part, ...]:
        """Of a message, or of the system prompt."""
        found: list[Part] = []
        for block in objects(content):
            if "cachePoint" in block:
                self._mark(found, cache_mark(block))
            else:
                found += self._block(block)
                self._seal_text(found)
        return tuple(found)

    def _block(self, block: Block) -> list[Part]:
        text = block.get("text")
        if isinstance(text, str):
            return [Text(text)]
        for name, value in block.items():
            if not isinstance(value, dict):
                continue
            match name:
                case "image":
                    return [self._image(value)]
                case "document":
                    return [self._document(value)]
                case "audio":
                    return [Audio(self._source(value, AUDIO_TYPES))]
                case "video":
                    return [Video(self._source(value, VIDEO_TYPES))]
                case "toolUse":
                    return self._call(value)
                case "toolResult":
                    return self._result(value)
                case "reasoningContent":
                    return self._reasoning(value)
                case "guardContent":
                    return self._guarded(value)
                case "citationsContent":
                    self.extras.append(Feature.CITATIONS)
                    return [Text(texts_in(value.get("content"), ""))]
                case "searchResult":
                    return [self._search_result(value)]
                case "toolAddition" | "toolRemoval":
                    self.extras.append(Feature.PROVIDER_TOOLS)
                    return []
        self.extras.append(Feature.OTHER)
        return []

    def _image(self, image: Block) -> Image:
        return Image(self._source(image, IMAGE_TYPES))

    def _document(self, document: Block) -> Document:
        source = document.get("source")
        inner = source if isinstance(source, dict) else {}
        if mapping(document, "citations").get("enabled") is True:
            self.extras.append(Feature.CITATIONS)
        if document.get("context"):
            self.extras.append(Feature.OTHER)
        name = string(document, "name")
        if isinstance(inner.get("text"), str):
            return Document(Plain(string(inner, "text")), name)
        if isinstance(inner.get("content"), list):
            return Document(Plain(texts_in(inner["content"], "\n\n")), name)
        return Document(self._source(document, DOCUMENT_TYPES), name)

    def _source(self, block: Block, media_types: Mapping[str, str]) -> Source:
        name = string(block, "format")
        media_type = media_types.get(name, "")
        source = mapping(block, "source")
        location = mapping(source, "s3Location")
        if location:
            if location.get("bucketOwner"):
                self.extras.append(Feature.OTHER)
            return Uploaded(string(location, "uri"), media_type)
        return Inline(media_type, string(source, "bytes"))

    def _call(self, call: Block) -> list[Part]:
        if call.get("type"):  # the provider ran it; its result is of no use elsewhere
            self.extras.append(Feature.PROVIDER_TOOLS)
            return []
        call_id, name = string(call, "toolUseId"), string(call, "name")
        self._names[call_id] = name
        seal, self._call_seal = self._call_seal, None
        return [ToolCall(call_id, name, arguments_of(call.get("input")), seal)]

    def _result(self, result: Block) -> list[Part]:
        if result.get("type"):
            self.extras.append(Feature.PROVIDER_TOOLS)
            return []
        call_id = string(result, "toolUseId")
        content: list[Text | Image | Document] = []
        for block in objects(result.get("content")):
            if "json" in block:
                content.append(Text(json_spans.encode(block["json"]).decode()))
                continue
            for part in self._block(block):
                if isinstance(part, Text | Image | Document):
                    content.append(part)
                else:
                    self.extras.append(Feature.VIDEO_INPUT)
        name = self._names.get(call_id, "")
        is_error = result.get("status") == "error"
        return [ToolResult(call_id, name, tuple(content), is_error)]

    def _reasoning(self, reasoning: Block) -> list[Part]:
        match sealed.played_back(reasoning):
            case sealed.CallSeal(signature):
                self._call_seal = signature
            case sealed.TextSeal(signature):
                self._text_seal = signature
            case Thinking() as thinking:
                return [thinking]
            case None:
                pass
        return []

    def _seal_text(self, parts: list[Part]) -> None:
        if self._text_seal is not None:
            if parts and isinstance(last := parts[-1], Text):
                parts[-1] = replace(last, signature=self._text_seal)
            self._text_seal = None

    def _guarded(self, guarded: Block) -> list[Part]:
        self.extras.append(Feature.SAFETY_SETTINGS)
        image = mapping(guarded, "image")
        return [self._image(image)] if image else [Text(string(mapping(guarded, "text"), "text"))]

    def _search_result(self, result: Block) -> Text:
        self.extras.append(Feature.CITATIONS)
        lines = (string(result, "title"), string(result, "source"))
        return Text("\n".join((*lines, texts_in(result.get("content"), "\n"))))

    def _mark(self, parts: list[Part], mark: CacheMark) -> None:
        if parts and isinstance(last := parts[-1], Text | Image | Document | ToolCall | ToolResult):
            parts[-1] = replace(last, cache=mark)
        else:
            self.extras.append(Feature.CACHE_MARKS)


def cache_mark(block: Block) -> CacheMark:
    """Of a block that is a `cachePoint`."""
    ttl = mapping(block, "cachePoint").get("ttl")
    return CacheMark(ttl if isinstance(ttl, str) else None)


def arguments_of(value: object) -> str:
    """The input of a call, as text."""
    return json_spans.encode(value).decode() if isinstance(value, dict) and value else "{}"


def texts_in(content: object, separator: str) -> str:
    """The texts of an array of `{"text": …}`, as one."""
    return separator.join(string(block, "text") for block in objects(content))
