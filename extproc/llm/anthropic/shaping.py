"""What is added to a Messages request as it is written: system prompts, and marks for the cache.

https://docs.claude.com/en/docs/build-with-claude/prompt-caching: at most four marks, in the
order of the prompt: tools, system, messages. Empty texts and thinking cannot be marked.
"""

from __future__ import annotations

from collections.abc import Mapping

from extproc.llm.prompts import BYTES_PER_TOKEN, joined
from extproc.protocols import json_spans
from gateway.shaping import CacheMarks

_SHORT: Mapping[str, str] = {"type": "ephemeral"}
_LONG: Mapping[str, str] = {**_SHORT, "ttl": "1h"}
_MARK = "cache_control"
_MARKED_BY_CLIENT = b'"cache_control"'
_MARKABLE = frozenset({"text", "image", "document", "tool_use", "tool_result"})


def prompted(members: Mapping[str, bytes], before: str, after: str) -> dict[str, bytes]:
    """The system prompt, with texts before and behind the client's own."""
    own = members.get("system", b"null")
    if own.startswith(b"["):
        blocks = json_spans.items(own)
        told = [*_blocks(before), *blocks, *_blocks(after)]
        return {"system": json_spans.array(told)}
    text = json_spans.decode_exactly(own)
    said = joined(before, text if type(text) is str else "", after)
    return {"system": json_spans.encode(said)}


def marked(members: Mapping[str, bytes], marks: CacheMarks) -> dict[str, bytes]:
    """The parts of the prompt that are to be kept; none, where the client says itself what is."""
    if _MARK in members or any(_MARKED_BY_CLIENT in value for value in members.values()):
        return {}
    mark = json_spans.encode(_SHORT if marks.ttl == "5m" else _LONG)
    least = marks.min_tokens * BYTES_PER_TOKEN
    tools, system = members.get("tools", b""), members.get("system", b"")
    messages = members.get("messages", b"")
    found = {
        "tools": _tools(tools, mark) if marks.tools and len(tools) >= least else None,
        "system": (
            _system(system, mark) if marks.system and len(tools) + len(system) >= least else None
        ),
        "messages": (
            _last_message(messages, mark)
            if marks.last_message and len(tools) + len(system) + len(messages) >= least
            else None
        ),
    }
    return {name: value for name, value in found.items() if value is not None}


def _tools(value: bytes, mark: bytes) -> bytes | None:
    """A tool that is loaded later is no part of the beginning."""
    if not value.startswith(b"["):
        return None
    tools = json_spans.items(value)
    for index in reversed(range(len(tools))):
        tool = json_spans.decode_exactly(tools[index])
        if type(tool) is dict and tool.get("defer_loading") is not True:
            tools[index] = json_spans.replace(tools[index], {_MARK: mark})
            return json_spans.array(tools)
    return None


def _system(value: bytes, mark: bytes) -> bytes | None:
    return _content(value, mark) if value else None


def _last_message(value: bytes, mark: bytes) -> bytes | None:
    messages = json_spans.items(value) if value.startswith(b"[") else []
    if not messages:
        return None
    members = json_spans.members(messages[-1])
    content = _content(members.get("content", b""), mark)
    if content is None:
        return None
    messages[-1] = json_spans.replace(messages[-1], {"content": content})
    return json_spans.array(messages)


def _content(value: bytes, mark: bytes) -> bytes | None:
    """A text, or blocks, with a mark at the last that can have one."""
    if value.startswith(b'"'):
        text = json_spans.decode_exactly(value)
        if not (isinstance(text, str) and text.strip()):
            return None
        return b'[{"type":"text","text":%s,"%s":%s}]' % (value, _MARK.encode(), mark)
    blocks = json_spans.items(value) if value.startswith(b"[") else []
    for index in reversed(range(len(blocks))):
        if _is_markable(json_spans.decode_exactly(blocks[index])):
            blocks[index] = json_spans.replace(blocks[index], {_MARK: mark})
            return json_spans.array(blocks)
    return None


def _is_markable(block: object) -> bool:
    if type(block) is not dict or block.get("type") not in _MARKABLE:
        return False
    text = block.get("text")
    return type(text) is not str or bool(text.strip())


def _blocks(text: str) -> list[bytes]:
    return [json_spans.encode({"type": "text", "text": text})] if text else []
