"""Content blocks of a Messages request, read: https://docs.claude.com/en/api/messages#body-messages.

Blocks that belong to the provider's own tools cannot be read into anything; they are named as lost.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from extproc.llm import faults
from extproc.llm.anthropic import sealed
from extproc.llm.anthropic.sealed import CallSeal, TextSeal
from extproc.llm.losses import Feature
from extproc.llm.request import (
    CacheMark,
    Document,
    Image,
    Inline,
    Part,
    Plain,
    Remote,
    Signature,
    Source,
    Text,
    ToolCall,
    ToolResult,
    Uploaded,
)
from extproc.protocols import json_spans

Block = Mapping[str, object]


class Blocks:
    """Reads the contents of one request, in order: results name the tools that were called."""

    __slots__ = ("_names", "extras")

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self.extras: dict[Feature, None] = {}
        """What is said and has no place in the canonical form, in order."""

    def parts(self, content: object, where: str) -> list[Part]:
        """Of a string, or of blocks that `Reading.decode` has accepted. Raises `Unfit`."""
        if type(content) is str:
            return [Text(content)] if content else []
        found: list[Part] = []
        seal: Signature | None = None
        for index, block in enumerate(content if type(content) is list else ()):
            kind = block.get("type")
            if kind == "text":
                if block["text"]:
                    found.append(Text(block["text"], mark_of(block)))
            elif kind == "thinking" or kind == "redacted_thinking":
                thought = sealed.played_back(block)
                if isinstance(thought, CallSeal):
                    seal = thought.signature
                elif isinstance(thought, TextSeal):
                    _seal_text(found, thought.signature)
                elif thought is not None:
                    found.append(thought)
            elif kind == "tool_use":
                found.append(self._call(block, f"{where}[{index}]", seal))
                seal = None
            elif kind == "tool_result":
                found.append(self._result(block, f"{where}[{index}]"))
            else:
                found += self._material(block, f"{where}[{index}]")
        return found

    def _call(self, block: Block, where: str, seal: Signature | None) -> ToolCall:
        call_id, name, arguments = block.get("id"), block.get("name"), block.get("input", {})
        if type(call_id) is not str or not call_id:
            raise faults.Unfit(faults.not_a(str, block, "id", f"{where}."))
        if type(name) is not str:
            raise faults.Unfit(faults.not_a(str, block, "name", f"{where}."))
        if type(arguments) is not dict:
            raise faults.Unfit(faults.wrong_type(dict, arguments, f"{where}.input"))
        self._names[call_id] = name
        text = json_spans.encode(arguments).decode()
        return ToolCall(call_id, name, text, seal, mark_of(block))

    def _result(self, block: Block, where: str) -> ToolResult:
        call_id = block.get("tool_use_id")
        if type(call_id) is not str:
            raise faults.Unfit(faults.not_a(str, block, "tool_use_id", f"{where}."))
        content: list[Text | Image | Document] = []
        inner = block.get("content")
        if type(inner) is str:
            content.append(Text(inner))
        for index, each in enumerate(inner if type(inner) is list else ()):
            if each["type"] == "text":
                content.append(Text(each["text"], mark_of(each)))
            else:
                content += self._material(each, f"{where}.content[{index}]")
        return ToolResult(
            call_id,
            self._names.get(call_id, ""),
            tuple(content),
            block.get("is_error") is True,
            mark_of(block),
        )

    def _material(self, block: Block, where: str) -> list[Text | Image | Document]:
        """What stands both in messages and in the results of tools."""
        match block.get("type"):
            case "image":
                return [Image(_source(block.get("source"), f"{where}.source"), "", mark_of(block))]
            case "document":
                return self._document(block, where)
            case "search_result":
                return [self._search_result(block)]
            case _:
                self.extras[Feature.PROVIDER_TOOLS] = None
                return []

    def _document(self, block: Block, where: str) -> list[Text | Image | Document]:
        self._cites(block)
        title, context, source = block.get("title"), block.get("context"), block.get("source")
        name = title if type(title) is str else ""
        before: list[Text | Image | Document] = []
        if type(context) is str and context:
            before.append(Text(context))
        if type(source) is dict and source.get("type") == "content":
            inner = source.get("content")
            if type(inner) is str:
                return [*before, Document(Plain(inner), name, mark_of(block))]
            if type(inner) is not list or not all(type(each) is dict for each in inner):
                raise faults.Unfit(faults.wrong_type(list, inner, f"{where}.source.content"))
            pieces = self._pieces(inner, f"{where}.source.content")
            texts = [piece.text for piece in pieces if isinstance(piece, Text)]
            if len(texts) < len(pieces):
                return before + pieces
            return [*before, Document(Plain("\n".join(texts)), name, mark_of(block))]
        return [*before, Document(_source(source, f"{where}.source"), name, mark_of(block))]

    def _pieces(self, blocks: list[Block], where: str) -> list[Text | Image | Document]:
        found: list[Text | Image | Document] = []
        for index, block in enumerate(blocks):
            text = block.get("text")
            if block.get("type") == "text" and type(text) is str:
                found.append(Text(text, mark_of(block)))
            else:
                found += self._material(block, f"{where}[{index}]")
        return found

    def _search_result(self, block: Block) -> Document:
        """A passage that was found, as a document whose name is its title, or where it is."""
        self._cites(block)
        inner = block.get("content")
        texts = [
            each["text"]
            for each in (inner if type(inner) is list else ())
            if type(each) is dict and type(each.get("text")) is str
        ]
        title, source = block.get("title"), block.get("source")
        name = title if type(title) is str and title else source
        return Document(Plain("\n".join(texts)), name if type(name) is str else "", mark_of(block))

    def _cites(self, block: Block) -> None:
        citations = block.get("citations")
        if type(citations) is dict and citations.get("enabled") is True:
            self.extras[Feature.CITATIONS] = None


def mark_of(holder: Block) -> CacheMark | None:
    """The `cache_control` of a block, a tool, or the request."""
    control = holder.get("cache_control")
    if type(control) is not dict:
        return None
    ttl = control.get("ttl")
    return CacheMark(ttl if type(ttl) is str else None)


def _seal_text(found: list[Part], signature: Signature) -> None:
    """A text that is not there any more leaves its seal to none."""
    if found and isinstance(found[-1], Text):
        found[-1] = dataclasses.replace(found[-1], signature=signature)
    else:
        found.append(Text("", signature=signature))


def _source(source: object, where: str) -> Source:
    if type(source) is not dict:
        raise faults.Unfit(faults.wrong_type(dict, source, where))
    match source.get("type"):
        case "base64":
            media_type = source.get("media_type", "")
            if type(media_type) is not str:
                raise faults.Unfit(faults.wrong_type(str, media_type, f"{where}.media_type"))
            return Inline(media_type, _text(source, "data", where))
        case "url":
            return Remote(_text(source, "url", where))
        case "file":
            return Uploaded(_text(source, "file_id", where))
        case "text":
            return Plain(_text(source, "data", where))
        case _:
            raise faults.Unfit(
                faults.wrong_value(f"{where}.type", "must be base64, url, file, text or content")
            )


def _text(source: Mapping[str, object], name: str, where: str) -> str:
    value = source.get(name)
    if type(value) is not str:
        raise faults.Unfit(faults.not_a(str, source, name, f"{where}."))
    return value
