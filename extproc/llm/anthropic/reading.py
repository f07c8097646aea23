"""Anthropic's Messages API: requests read as far as policies need them, and refusals written.

https://docs.claude.com/en/api/messages. Only what we decide on is checked; fields that we do not
know pass untouched, unless another reader could take them for one of those that we do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from extproc.llm import faults
from extproc.llm import texts as walk
from extproc.llm.anthropic import errors
from extproc.llm.anthropic.shapes import REQUEST
from extproc.llm.dialect import Call, ErrorAnswer
from extproc.llm.reserving import BYTES_PER_TOKEN_OF_DATA, body_tokens
from extproc.protocols import json_spans
from extproc.protocols.json_spans import InvalidJson
from extproc.rewording import Reworded, Rewording
from extproc.verdict import Deny

IMAGE_TOKENS = 4784
"""For one image of any size: the most that models with high resolution take."""
MAX_DOCUMENT_TOKENS = 1_000_000
"""Of one PDF: no context window is larger."""

_DECIDED_ON: Final = frozenset({"max_tokens", "messages", "model", "stream", "system"})


@dataclass(frozen=True, slots=True)
class MessagesReading:
    """Of `POST /messages`."""

    def decode(self, body: bytes, model: str, *, is_stream: bool) -> Call | Deny:
        """Anthropic says both in the body; where the path says the model too, they must agree."""
        try:
            document = json_spans.decode(body)
        except InvalidJson as error:
            return faults.unreadable(error)
        name = document.get("model", model or None)
        stream = document.get("stream")
        if type(name) is not str:
            return faults.not_a(str, document, "model")
        if model and name != model:
            return faults.wrong_value("model", "must be the one that the path names")
        if stream is not None and type(stream) is not bool:
            return faults.not_a(bool, document, "stream")
        fault = (
            faults.of_model(name)
            or faults.of_count(document.get("max_tokens"), "max_tokens", 0)  # 0 fills the cache
            or faults.of_names(document, _DECIDED_ON)
            or faults.of_others(document)
            or _system_fault(document.get("system"))
            or _messages_fault(document)
        )
        if fault is not None:
            return fault
        limit = document.get("max_tokens")
        return Call(
            name,
            is_stream or stream is True,
            document,
            len(body),
            limit if type(limit) is int else None,
        )

    def texts(self, document: Mapping[str, object]) -> tuple[str, ...] | Deny:
        return walk.read_texts(document, REQUEST)

    def reword(self, body: bytes, rewording: Rewording) -> Reworded | Deny:
        return walk.reworded(body, REQUEST, rewording)

    def estimate_input_tokens(self, call: Call) -> int:
        """Rather too many than too few, but for attachments that are fetched by a provider."""
        size = call.size_bytes
        tokens = 0
        for block in _blocks(call.document.get("messages")):
            kind = block.get("type")
            if kind != "image" and kind != "document":
                continue
            source = block.get("source")
            data = source.get("data") if type(source) is dict else None
            data_bytes = len(data) if type(data) is str else 0
            if kind == "image":
                size -= data_bytes
                tokens += IMAGE_TOKENS
            elif data_bytes > MAX_DOCUMENT_TOKENS * BYTES_PER_TOKEN_OF_DATA:
                size -= data_bytes
                tokens += MAX_DOCUMENT_TOKENS
        return tokens + body_tokens(size, self.texts, call)

    def rename(self, call: Call, model: str) -> Mapping[str, bytes]:
        return {"model": json_spans.encode(model)}

    def ask_usage(self, call: Call) -> Mapping[str, bytes]:
        """Every answer tells it."""
        return {}

    def encode_error(self, deny: Deny) -> ErrorAnswer:
        return errors.encode_refusal(deny)


READING = MessagesReading()


def _system_fault(system: object) -> Deny | None:
    if system is None or type(system) is str:
        return None
    return _content_fault(system, "system")


def _messages_fault(document: Mapping[str, object]) -> Deny | None:
    messages = document.get("messages")
    if type(messages) is not list:
        return faults.not_a(list, document, "messages")
    for index, message in enumerate(messages):
        if type(message) is not dict:
            return faults.wrong_type(dict, message, f"messages[{index}]")
        if type(message.get("role")) is not str:
            return faults.not_a(str, message, "role", f"messages[{index}].")
        content = message.get("content")
        if type(content) is not str:
            if content is None:
                return faults.not_a(list, message, "content", f"messages[{index}].")
            fault = _content_fault(content, f"messages[{index}].content")
            if fault is not None:
                return fault
    return None


def _content_fault(content: object, where: str) -> Deny | None:
    if type(content) is not list:
        return faults.wrong_type(list, content, where)
    for index, block in enumerate(content):
        if type(block) is not dict:
            return faults.wrong_type(dict, block, f"{where}[{index}]")
        kind = block.get("type")
        if type(kind) is not str:
            return faults.not_a(str, block, "type", f"{where}[{index}].")
        if kind == "text":
            if type(block.get("text")) is not str:
                return faults.not_a(str, block, "text", f"{where}[{index}].")
        elif kind == "tool_result":
            inner = block.get("content")
            if inner is not None and type(inner) is not str:
                fault = _content_fault(inner, f"{where}[{index}].content")
                if fault is not None:
                    return fault
        elif kind == "document" or (kind == "image" and type(block.get("source")) is dict):
            fault = _document_fault(block.get("source"), f"{where}[{index}].source")
            if fault is not None:
                return fault
    return None


def _document_fault(source: object, where: str) -> Deny | None:
    """Text in base64 would be read by some models, and by no guard."""
    if type(source) is not dict:
        return faults.wrong_type(dict, source, where)
    media_type = source.get("media_type")
    if (
        source.get("type") == "base64"
        and type(media_type) is str
        and not media_type.lower().startswith(("application/pdf", "image/"))
    ):
        return faults.wrong_value(
            f"{where}.media_type", "must be application/pdf; text is given with the type text"
        )
    inner = source.get("content")
    return _content_fault(inner, f"{where}.content") if type(inner) is list else None


def _blocks(messages: object) -> Iterator[Mapping[str, object]]:
    """Of all contents, and of the results of tools in them."""
    for message in messages if type(messages) is list else ():
        content = message.get("content")
        for block in content if type(content) is list else ():
            yield block
            if block.get("type") == "tool_result":
                inner = block.get("content")
                yield from inner if type(inner) is list else ()
