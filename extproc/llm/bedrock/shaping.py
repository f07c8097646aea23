"""What is added to a Converse request as it is written: system prompts, and points of the cache.

https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html: at most four points, each
behind what is to be kept.
"""

from __future__ import annotations

from collections.abc import Mapping

from extproc.llm.prompts import BYTES_PER_TOKEN
from extproc.protocols import json_spans
from gateway.shaping import CacheMarks

_SHORT: Mapping[str, str] = {"type": "default"}
_LONG: Mapping[str, str] = {**_SHORT, "ttl": "1h"}
_MARKED_BY_CLIENT = b'"cachePoint"'


def prompted(members: Mapping[str, bytes], before: str, after: str) -> dict[str, bytes]:
    """The system prompt, with blocks before and behind the client's own."""
    own = members.get("system", b"null")
    items = json_spans.items(own) if own.startswith(b"[") else []
    return {"system": json_spans.array([*_blocks(before), *items, *_blocks(after)])}


def marked(members: Mapping[str, bytes], marks: CacheMarks) -> dict[str, bytes]:
    """The parts of the prompt that are to be kept; none, where the client says itself what is."""
    if any(_MARKED_BY_CLIENT in value for value in members.values()):
        return {}
    point = json_spans.encode({"cachePoint": _SHORT if marks.ttl == "5m" else _LONG})
    least = marks.min_tokens * BYTES_PER_TOKEN
    tools, system = members.get("toolConfig", b""), members.get("system", b"")
    messages = members.get("messages", b"")
    found: dict[str, bytes | None] = {}
    if marks.tools and len(tools) >= least:
        found["toolConfig"] = _below(tools, "tools", point)
    if marks.system and len(tools) + len(system) >= least:
        found["system"] = _behind(system, point)
    if marks.last_message and len(tools) + len(system) + len(messages) >= least:
        found["messages"] = _last_message(messages, point)
    return {name: value for name, value in found.items() if value is not None}


def _behind(value: bytes, point: bytes) -> bytes | None:
    items = json_spans.items(value) if value.startswith(b"[") else []
    return json_spans.array([*items, point]) if items else None


def _below(value: bytes, name: str, point: bytes) -> bytes | None:
    if not value.startswith(b"{"):
        return None
    items = _behind(json_spans.members(value).get(name, b""), point)
    return None if items is None else json_spans.replace(value, {name: items})


def _last_message(value: bytes, point: bytes) -> bytes | None:
    messages = json_spans.items(value) if value.startswith(b"[") else []
    last = _below(messages[-1], "content", point) if messages else None
    return None if last is None else json_spans.array([*messages[:-1], last])


def _blocks(text: str) -> list[bytes]:
    return [json_spans.encode({"text": text})] if text else []
