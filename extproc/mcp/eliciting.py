"""How a client is told that its user has to open a link first, in the words of its revision.

https://modelcontextprotocol.io/specification/2025-11-25/client/elicitation,
https://modelcontextprotocol.io/specification/2026-07-28/basic/patterns/mrtr.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

import msgspec
from msgspec import Struct

from extproc.mcp import jsonrpc, messages, rounds
from extproc.mcp.jsonrpc import Fault
from extproc.mcp.messages import Message
from extproc.mcp.rounds import Question
from extproc.mcp.tickets import STATE_PREFIX
from extproc.protocols import json_spans

URL_ELICITATION_REQUIRED: Final = -32042
CODE: Final = "consent_needed"
"""In the data of errors, and in `_meta` of results."""
_KEY: Final = "consent"
"""What our question is called among those of a result."""
_METHOD: Final = "elicitation/create"
_WITH_URLS: Final = "2025-11-25"
"""The first revision, and the only one with sessions, that has links."""
_ANSWERS: Final = "inputResponses"
_STATE: Final = "requestState"
_FORBIDDEN: Final = -32003
_META: Final = "dragoman/denied"


class Way(Enum):
    """How a client can be told."""

    ROUND = auto()
    """A result that asks for input (2026-07-28)."""
    ERROR = auto()
    """An error that names the link (2025-11-25)."""
    TEXT = auto()
    """Its model is told, in a result that failed."""


class Link(Struct, frozen=True):
    """What has to be opened."""

    server: str
    url: str
    number: str
    """The id of the elicitation."""
    sealed: str
    """The ticket."""

    @property
    def message(self) -> str:
        """For people; no link stands in it."""
        return f"Allow this gateway to use {self.server} for you."


class Returned(Struct, frozen=True):
    """What a client brings back that was asked to open a link."""

    sealed: str
    """The ticket."""
    is_declined: bool
    message: Message
    """Its request, without that."""


def way(revision: str, capabilities: bytes, *, is_modern: bool) -> Way:
    """How a client can be told that has declared these capabilities, in JSON."""
    try:
        declared = msgspec.json.decode(capabilities, type=_Capabilities).elicitation
    except msgspec.DecodeError:
        return Way.TEXT
    if not isinstance(declared, dict) or "url" not in declared:
        return Way.TEXT
    if is_modern:
        return Way.ROUND
    return Way.ERROR if revision == _WITH_URLS else Way.TEXT


def asking(message: Message, how: Way, link: Link, *, is_modern: bool) -> bytes:
    """The answer to a request that waits for its user."""
    if how is Way.ROUND:
        said = {"mode": "url", "url": link.url, "message": link.message}
        question = Question(_KEY, _METHOD, msgspec.json.encode(said))
        return rounds.input_required(message.raw_id, (question,), STATE_PREFIX + link.sealed)
    if how is Way.ERROR:
        elicitation = {
            "mode": "url",
            "elicitationId": link.number,
            "url": link.url,
            "message": link.message,
        }
        data = {"elicitations": [elicitation]}
        return jsonrpc.error(message.raw_id, URL_ELICITATION_REQUIRED, link.message, data)
    text = (
        f"The user has to allow this gateway to use '{link.server}' first. Ask them to open this "
        f"link in a browser, and then try again: {link.url}"
    )
    return failed(message, text, is_modern=is_modern)


def waiting(message: Message, sealed: str) -> bytes:
    """The user has agreed to open the link, and is not at the end: the client asks again, and
    shows nothing meanwhile."""
    said = {"resultType": "input_required", _STATE: STATE_PREFIX + sealed}
    return jsonrpc.result(message.raw_id, msgspec.json.encode(said))


def failed(message: Message, text: str, *, is_modern: bool) -> bytes:
    """Of a tool, a result that failed, which models are shown; of all else, an error."""
    if message.method != "tools/call":
        return jsonrpc.error(message.raw_id, _FORBIDDEN, text, {"code": CODE})
    return told(message, text, is_modern=is_modern, is_error=True)


def told(message: Message, text: str, *, is_modern: bool, is_error: bool = False) -> bytes:
    """The result of a tool of the gateway's own."""
    said: dict[str, object] = {"content": [{"type": "text", "text": text}]}
    if is_error:
        said |= {"isError": True, "_meta": {_META: CODE}}
    if is_modern:
        said["resultType"] = "complete"
    return jsonrpc.result(message.raw_id, msgspec.json.encode(said))


def returned(message: Message) -> Returned | None:
    """What a request brings back of ours; None: nothing."""
    state = message.text(_STATE)
    if message.method not in rounds.METHODS or not state.startswith(STATE_PREFIX):
        return None
    answer = message.members(_ANSWERS).get(_KEY)
    action = answer.get("action") if isinstance(answer, dict) else None
    params = json_spans.remove(messages.params(message.body), (_ANSWERS, _STATE))
    bare = messages.read(messages.rewritten(message.body, {("params",): params}))
    if isinstance(bare, Fault) or not isinstance(bare, Message):
        raise AssertionError("a request without two of its parameters is one")
    is_declined = action in ("decline", "cancel")
    return Returned(state.removeprefix(STATE_PREFIX), is_declined, bare)


class _Capabilities(Struct):
    elicitation: object = None
