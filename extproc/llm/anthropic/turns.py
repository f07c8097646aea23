"""A conversation as Anthropic wants it: https://docs.claude.com/en/api/messages#body-messages.

The user begins, turns alternate, a turn's results of tools come first, its thinking too, and no
text is empty.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias, assert_never

import msgspec
from msgspec import Struct

from extproc.llm import identifiers
from extproc.llm.losses import Feature, Losses
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

CONTINUE: Final = "Continue."
"""What the user says where Anthropic wants the user to speak and nobody did."""

Block: TypeAlias = dict[str, object]

_PLAIN_ID = re.compile(r"[A-Za-z0-9_-]+")
_THINKING = frozenset({"thinking", "redacted_thinking"})
_IMAGE_TYPES: Mapping[str, str] = {
    **{each: each for each in ("image/jpeg", "image/png", "image/gif", "image/webp")},
    "image/jpg": "image/jpeg",
}
_IMAGE_BEGINNINGS = (
    ("/9j/", "image/jpeg"),
    ("iVBOR", "image/png"),
    ("R0lGOD", "image/gif"),
    ("UklGR", "image/webp"),
)
"""Of base64, where nobody said what it is."""
_PDF = "application/pdf"


class Conversation(Struct, frozen=True):
    """In Anthropic's words."""

    system: list[Block]
    turns: list[tuple[str, list[Block]]]
    """Of `user` and `assistant`, taking turns."""


def conversation(messages: Sequence[Message], losses: Losses) -> Conversation:
    system: list[Block] = []
    turns: list[tuple[str, list[Block]]] = []
    for index, message in enumerate(messages):
        if message.name:
            losses.lose(Feature.NAMES, f"messages[{index}].name")
        if message.role is Role.SYSTEM:
            system += _instructions(message, f"messages[{index}]", losses)
            if turns:
                losses.lose(Feature.SYSTEM_MIDWAY, f"messages[{index}]")
            continue
        blocks = [
            block
            for number, part in enumerate(message.parts)
            if (block := _block(part, f"messages[{index}].parts[{number}]", losses)) is not None
        ]
        if not blocks:
            continue
        role = message.role.value
        if turns and turns[-1][0] == role:
            turns[-1][1].extend(blocks)
        else:
            turns.append((role, blocks))
    return Conversation(system, [(role, _ordered(role, blocks)) for role, blocks in turns])


def begun_and_ended(
    turns: list[tuple[str, list[Block]]], *, takes_prefill: bool
) -> list[tuple[str, list[Block]]]:
    """With the user's turn before all others; an answer that was begun is to be continued."""
    if not turns or turns[0][0] == "assistant":
        turns = [("user", [_said(CONTINUE)]), *turns]
    role, blocks = turns[-1]
    if role == "user":
        return turns
    if not takes_prefill:
        return [*turns, ("user", [_said(CONTINUE)])]
    last = blocks[-1]
    text = last.get("text")
    if type(text) is str:  # never blank: such texts were left out
        blocks = [*blocks[:-1], {**last, "text": text.rstrip()}]
    return [*turns[:-1], (role, blocks)]


def calls_without_thinking(turns: Sequence[tuple[str, Sequence[Block]]]) -> bool:
    """Whether the last turn of the assistant calls tools and shows no thinking before it."""
    for role, blocks in reversed(turns):
        if role == "assistant":
            calls = any(block["type"] == "tool_use" for block in blocks)
            return calls and blocks[0]["type"] not in _THINKING
    return False


def goes_on_without_thinking(turns: Sequence[tuple[str, Sequence[Block]]]) -> bool:
    """Whether the answer was begun already, with something else."""
    if not turns or turns[-1][0] != "assistant":
        return False
    return turns[-1][1][0]["type"] not in _THINKING


def marked(block: Block, mark: CacheMark | None) -> Block:
    """With its `cache_control`."""
    if mark is not None:
        control: Block = {"type": "ephemeral"}
        if mark.ttl is not None:
            control["ttl"] = mark.ttl
        block["cache_control"] = control
    return block


def _said(text: str) -> Block:
    return {"type": "text", "text": text}


def _ordered(role: str, blocks: list[Block]) -> list[Block]:
    if role == "user":
        results = [block for block in blocks if block["type"] == "tool_result"]
        if not results or len(results) == len(blocks):
            return blocks
        return results + [block for block in blocks if block["type"] != "tool_result"]
    if blocks[0]["type"] in _THINKING:  # as the model ordered them
        return blocks
    thinking = [block for block in blocks if block["type"] in _THINKING]
    if not thinking:
        return blocks
    return thinking + [block for block in blocks if block["type"] not in _THINKING]


def _instructions(message: Message, where: str, losses: Losses) -> list[Block]:
    found: list[Block] = []
    for index, part in enumerate(message.parts):
        if isinstance(part, Text):
            if part.text.strip():
                found.append(marked(_said(part.text), part.cache))
        else:
            losses.lose(Feature.SYSTEM, f"{where}.parts[{index}]")
    return found


def _block(part: Part, where: str, losses: Losses) -> Block | None:
    """None: nothing is left of it."""
    match part:
        case Text():
            if part.signature is not None:
                losses.lose(Feature.REASONING_SIGNATURE, where)
            return marked(_said(part.text), part.cache) if part.text.strip() else None
        case Image():
            return _image(part, where, losses)
        case Document():
            return _document(part, where, losses)
        case Audio():
            losses.lose(Feature.AUDIO_INPUT, where)
            return None
        case Video():
            losses.lose(Feature.VIDEO_INPUT, where)
            return None
        case Thinking():
            return _thinking(part, where, losses)
        case ToolCall():
            if part.signature is not None:
                losses.lose(Feature.REASONING_SIGNATURE, where)
            return _call(part)
        case ToolResult():
            return _result(part, where, losses)
        case Refusal():
            losses.lose(Feature.REFUSAL, where)
            return _said(part.text) if part.text.strip() else None
        case _:
            assert_never(part)


def _thinking(part: Thinking, where: str, losses: Losses) -> Block | None:
    """Anthropic takes none but its own."""
    signature = part.signature
    if signature is None:
        losses.lose(Feature.REASONING_TEXT, where)
        return None
    if signature.origin is not Dialect.ANTHROPIC:
        losses.lose(Feature.REASONING_SIGNATURE, where)
        return None
    if part.is_redacted:
        return {"type": "redacted_thinking", "data": signature.value}
    return {"type": "thinking", "thinking": part.text, "signature": signature.value}


def _call(part: ToolCall) -> Block:
    arguments: object
    try:
        json_spans.decode(part.arguments.encode())
        arguments = msgspec.Raw(part.arguments.encode())
    except InvalidJson:  # a model may write anything; Anthropic takes an object
        arguments = {"arguments": part.arguments} if part.arguments.strip() else {}
    block: Block = {
        "type": "tool_use",
        "id": _id(part.call_id),
        "name": part.name,
        "input": arguments,
    }
    return marked(block, part.cache)


def _result(part: ToolResult, where: str, losses: Losses) -> Block:
    block: Block = {"type": "tool_result", "tool_use_id": _id(part.call_id)}
    content = part.content
    if len(content) == 1 and isinstance(only := content[0], Text) and only.cache is None:
        block["content"] = only.text
    elif content:
        blocks = [
            inner
            for index, each in enumerate(content)
            if (inner := _block(each, f"{where}.content[{index}]", losses)) is not None
        ]
        if blocks:
            block["content"] = blocks
    if part.is_error:
        if all(isinstance(each, Text) for each in content):
            block["is_error"] = True
        else:  # Anthropic takes only texts with it
            losses.lose(Feature.TOOL_ERROR, where)
    return marked(block, part.cache)


def _id(call_id: str) -> str:
    """Anthropic takes few characters; the same id always becomes the same other."""
    if _PLAIN_ID.fullmatch(call_id):
        return call_id
    return identifiers.call_id(call_id, 0)


def _image(part: Image, where: str, losses: Losses) -> Block | None:
    if part.detail not in ("", "auto"):
        losses.lose(Feature.IMAGE_DETAIL, where)
    match part.source:
        case Inline(media_type, data):
            kind = _IMAGE_TYPES.get(media_type.lower()) or _guessed(media_type, data)
            if kind is None:
                losses.lose(Feature.IMAGE_INLINE, where)
                return None
            source = {"type": "base64", "media_type": kind, "data": data}
        case Remote(url):
            source = {"type": "url", "url": url}
        case Uploaded():
            losses.lose(Feature.UPLOADED_FILE, where)
            return None
        case Plain(text):
            return marked(_said(text), part.cache) if text.strip() else None
        case _:
            assert_never(part.source)
    return marked({"type": "image", "source": source}, part.cache)


def _guessed(media_type: str, data: str) -> str | None:
    if media_type:
        return None
    return next((kind for start, kind in _IMAGE_BEGINNINGS if data.startswith(start)), None)


def _document(part: Document, where: str, losses: Losses) -> Block | None:
    match part.source:
        case Inline(media_type, data):
            text = _decoded(data) if media_type.lower().startswith("text/") else None
            if text is not None:
                source = _plain(text)
            elif media_type.lower() == "application/pdf" or (
                not media_type and data[:5] == "JVBER"
            ):
                source = {"type": "base64", "media_type": _PDF, "data": data}
            else:
                losses.lose(Feature.DOCUMENT_INLINE, where)
                return None
        case Remote(url):
            source = {"type": "url", "url": url}
        case Uploaded():
            losses.lose(Feature.UPLOADED_FILE, where)
            return None
        case Plain(text):
            source = _plain(text)
        case _:
            assert_never(part.source)
    block: Block = {"type": "document", "source": source}
    if part.name:
        block["title"] = part.name
    return marked(block, part.cache)


def _plain(text: str) -> dict[str, str]:
    return {"type": "text", "media_type": "text/plain", "data": text}


def _decoded(data: str) -> str | None:
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
