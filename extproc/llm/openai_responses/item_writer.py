"""Messages as the items of a request's input.

https://platform.openai.com/docs/api-reference/responses/create#responses_create-input. Nothing that
the provider would have to look up is referred to: items have no ids of their own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from extproc.llm.losses import Feature, Losses
from extproc.llm.openai_chat.attachments import data_url, file_name
from extproc.llm.openai_responses.drawing import drawn_item
from extproc.llm.openai_responses.sealed import summary_of
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
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Uploaded,
)
from gateway.model import Dialect

LONGEST_ID = 64
"""What OpenAI takes as an id that it did not make."""

_ROLES: Mapping[Role, str] = {Role.SYSTEM: "developer", Role.USER: "user"}


def instructions_in(messages: Sequence[Message]) -> str:
    """What the operator says before all else, where it is one plain text."""
    if messages and messages[0].role is Role.SYSTEM and not messages[0].name:
        match messages[0].parts:
            case (Text(text, None, None),):
                return text
    return ""


def items_of(messages: Iterable[Message], losses: Losses) -> list[dict[str, object]]:
    """The value of `input`."""
    items: list[dict[str, object]] = []
    for message in messages:
        if message.name:
            losses.lose(Feature.NAMES, "messages[].name")
        if message.role is Role.ASSISTANT:
            for part in message.parts:
                items += _said(part, len(items), losses)
        else:
            items += _told(message, losses)
    return items


def short(identifier: str) -> str:
    """An opaque id that is not too long: itself, or its hash."""
    if len(identifier) <= LONGEST_ID:
        return identifier
    return hashlib.blake2b(identifier.encode(), digest_size=LONGEST_ID // 2).hexdigest()


def _told(message: Message, losses: Losses) -> list[dict[str, object]]:
    """What the operator, the user or a tool says; parts between results keep their order."""
    items: list[dict[str, object]] = []
    content: list[dict[str, object]] = []
    role = _ROLES[message.role]
    for part in message.parts:
        if isinstance(part, ToolResult):
            if content:
                items.append({"type": "message", "role": role, "content": content})
                content = []
            items.append(_result(part, losses))
        else:
            content += _content(part, losses)
    if content or not items:
        items.append({"type": "message", "role": role, "content": content})
    return items


def _said(part: Part, number: int, losses: Losses) -> list[dict[str, object]]:
    """What the assistant says."""
    match part:
        case Text(text, cache, signature):
            _lose_marks(cache, signature, losses)
            return [{"type": "message", "role": "assistant", "content": text}]
        case Refusal(text):
            return [
                {
                    "type": "message",
                    "id": f"msg_{number}",
                    "role": "assistant",
                    "status": "completed",
                    "content": [{"type": "refusal", "refusal": text}],
                }
            ]
        case Thinking():
            return _reasoning(part, losses)
        case Image(Inline()):
            _lose_marks(part.cache, part.signature, losses)
            item = drawn_item(part)
            return [] if item is None else [{"id": f"ig_{number}", **item}]
        case ToolCall(call_id, name, arguments, signature, cache):
            _lose_marks(cache, signature, losses)
            return [
                {
                    "type": "function_call",
                    "call_id": short(call_id),
                    "name": name,
                    "arguments": arguments,
                }
            ]
        case _:
            losses.lose(_feature(part), f"messages[].{type(part).__name__.lower()}")
            return []


def _reasoning(thinking: Thinking, losses: Losses) -> list[dict[str, object]]:
    """OpenAI takes back what it sealed itself; a made-up id would not match the seal."""
    signature = thinking.signature
    if signature is None:
        losses.lose(Feature.REASONING_TEXT, "messages[].thinking")
        return []
    if signature.origin is not Dialect.OPENAI_RESPONSES:
        losses.lose(Feature.REASONING_SIGNATURE, "messages[].thinking")
        return []
    summary = summary_of(thinking)
    return [{"type": "reasoning", "summary": summary, "encrypted_content": signature.value}]


def _result(result: ToolResult, losses: Losses) -> dict[str, object]:
    if result.is_error:
        losses.lose(Feature.TOOL_ERROR, "messages[].tool_result.is_error")
    if result.cache is not None:
        losses.lose(Feature.CACHE_MARKS, "messages[].cache")
    output: object
    match result.content:
        case ():
            output = ""
        case (Text(text, None, None),):
            output = text
        case parts:
            output = [item for part in parts for item in _content(part, losses)]
    return {"type": "function_call_output", "call_id": short(result.call_id), "output": output}


def _content(part: Part, losses: Losses) -> list[dict[str, object]]:
    match part:
        case Text(text, cache, signature):
            _lose_marks(cache, signature, losses)
            return [{"type": "input_text", "text": text}]
        case Image(source, detail, cache):
            _lose_marks(cache, None, losses)
            match source:
                case Inline():
                    url = data_url(source)
                case Remote():
                    url = source.url
                case _:
                    losses.lose(Feature.UPLOADED_FILE, "messages[].image")
                    return []
            return [{"type": "input_image", "image_url": url, "detail": detail or "auto"}]
        case Document():
            return _document(part, losses)
        case _:
            losses.lose(_feature(part), f"messages[].{type(part).__name__.lower()}")
            return []


def _document(document: Document, losses: Losses) -> list[dict[str, object]]:
    _lose_marks(document.cache, None, losses)
    match document.source:
        case Inline() as inline:
            name = document.name or file_name(inline.media_type)
            return [{"type": "input_file", "filename": name, "file_data": data_url(inline)}]
        case Remote(url):
            named = {"filename": document.name} if document.name else {}
            return [{"type": "input_file", **named, "file_url": url}]
        case Plain(text):
            titled = f"{document.name}\n\n{text}" if document.name else text
            return [{"type": "input_text", "text": titled}]
        case Uploaded():
            losses.lose(Feature.UPLOADED_FILE, "messages[].document")
            return []


def _lose_marks(cache: CacheMark | None, signature: Signature | None, losses: Losses) -> None:
    """OpenAI caches on its own; models before its marks refuse them. It seals reasoning alone."""
    if cache is not None:
        losses.lose(Feature.CACHE_MARKS, "messages[].cache")
    if signature is not None:
        losses.lose(Feature.REASONING_SIGNATURE, "messages[].signature")


def _feature(part: Part) -> Feature:
    """What cannot be told where this part stands."""
    match part:
        case Audio():
            return Feature.AUDIO_INPUT
        case Image(Inline()):
            return Feature.IMAGE_INLINE
        case Image():
            return Feature.IMAGE_URL
        case Document(Inline()):
            return Feature.DOCUMENT_INLINE
        case Document(Plain()):
            return Feature.DOCUMENT_TEXT
        case Document():
            return Feature.DOCUMENT_URL
        case Thinking():
            return Feature.REASONING_TEXT
        case Refusal():
            return Feature.REFUSAL
        case ToolCall() | ToolResult():
            return Feature.TOOLS
        case Text():
            return Feature.TEXT
        case _:
            return Feature.VIDEO_INPUT
