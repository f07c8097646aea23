"""What is added to a chat request as it is written: system prompts, and a key for the cache.

https://platform.openai.com/docs/guides/prompt-caching.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

import msgspec

from extproc.llm.prompts import BYTES_PER_TOKEN
from extproc.protocols import json_spans
from gateway.shaping import CacheMarks

_EXTENDED = "24h"
_SYSTEM = "system"
_ROLES = frozenset({_SYSTEM, "developer"})


class _Message(msgspec.Struct):
    role: object = None


_message = msgspec.json.Decoder(_Message)


def prompted(members: Mapping[str, bytes], before: str, after: str) -> dict[str, bytes]:
    """The messages, with one before and one behind the client's own system prompt."""
    items = json_spans.items(members["messages"])
    roles = leading(items)
    role = roles[0] if roles else _SYSTEM
    place = len(roles)
    told = [
        *([_said(role, before)] if before else []),
        *items[:place],
        *([_said(role, after)] if after else []),
        *items[place:],
    ]
    return {"messages": json_spans.array(told)}


def leading(items: Iterable[bytes]) -> list[str]:
    """The roles of the messages that are the system prompt: the first ones."""
    found: list[str] = []
    for item in items:
        role = _message.decode(item).role
        if not isinstance(role, str) or role not in _ROLES:
            break
        found.append(role)
    return found


def marked(members: Mapping[str, bytes], marks: CacheMarks) -> dict[str, bytes]:
    """A key by which requests of one beginning find each other, and how long it is kept."""
    items = json_spans.items(members.get("messages", b"[]"))
    return keyed(members, items[: len(leading(items))], marks)


def keyed(
    members: Mapping[str, bytes], system: Iterable[bytes], marks: CacheMarks
) -> dict[str, bytes]:
    """The same of a request in whichever of OpenAI's dialects, by its tools and system prompt."""
    size = sum(map(len, members.values()))
    prefix = hashlib.blake2b(digest_size=16)
    is_there = False
    for is_wanted, parts in (
        (marks.tools, [members["tools"]] if "tools" in members else []),
        (marks.system, system),
    ):
        for part in parts if is_wanted else ():
            prefix.update(part)
            is_there = True
    if not is_there or size < marks.min_tokens * BYTES_PER_TOKEN:
        return {}
    added: dict[str, bytes] = {}
    if "prompt_cache_key" not in members:
        added["prompt_cache_key"] = b'"%s"' % prefix.hexdigest().encode()
    if marks.ttl == _EXTENDED and "prompt_cache_retention" not in members:
        added["prompt_cache_retention"] = json_spans.encode(_EXTENDED)
    return added


def _said(role: str, text: str) -> bytes:
    return json_spans.encode({"role": role, "content": text})
