"""What other providers sealed, taken out of a chat request that goes to a server as it is.

A client plays back a message with all that it was shown of its reasoning. Servers that refuse
fields which they do not know refuse that; to the others it says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from extproc.llm.lenient import objects
from extproc.llm.openai_chat.reasoning import TEXT_FIELDS, seal_of, thinking_of
from extproc.protocols import json_spans
from gateway.model import Dialect

_DETAILS, _EXTRA, _CALLS = "reasoning_details", "extra_content", "tool_calls"
_REASONING = (*TEXT_FIELDS, _DETAILS, _EXTRA)
_SEALING = frozenset({_DETAILS, _EXTRA, _CALLS})


def foreign_messages(document: Mapping[str, object]) -> list[int]:
    """Which messages bear another provider's seal: all reasoning in them is that provider's."""
    messages = document.get("messages")
    return [
        index
        for index, message in enumerate(messages if type(messages) is list else ())
        if type(message) is dict and not _SEALING.isdisjoint(message) and _is_foreign(message)
    ]


def own_messages(body: bytes, document: Mapping[str, object]) -> bytes:
    """The body without that reasoning, as it is where there is none. `document` is what it says."""
    foreign = foreign_messages(document)
    if not foreign:
        return body
    items = json_spans.items(json_spans.members(body)["messages"])
    for index in foreign:
        items[index] = _own(items[index])
    return json_spans.replace(body, {"messages": json_spans.array(items)})


def _is_foreign(message: Mapping[str, object]) -> bool:
    seals = [each.signature for each in thinking_of(message)] if _DETAILS in message else []
    seals += [seal_of(each) for each in (message, *objects(message.get(_CALLS)))]
    return any(each is not None and each.origin is not Dialect.OPENAI_CHAT for each in seals)


def _own(message: bytes) -> bytes:
    left = json_spans.remove(message, _REASONING)
    members = json_spans.members(left)
    calls = members.get(_CALLS, b"")
    if calls.startswith(b"["):
        items = [
            json_spans.remove(each, (_EXTRA,)) if each.startswith(b"{") else each
            for each in json_spans.items(calls)
        ]
        return json_spans.replace(left, {_CALLS: json_spans.array(items)})
    if members.get("content", b"null") == b"null" and "refusal" not in members:
        return json_spans.replace(left, {"content": b'""'})  # a message must say something
    return left
