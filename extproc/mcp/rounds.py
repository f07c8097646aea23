"""Questions of servers to clients, in both forms: as requests of their own, as revisions with
sessions have them, and as results that ask for input, with which the client asks again.

https://modelcontextprotocol.io/specification/2026-07-28/basic/patterns/mrtr (multi round-trip
requests). The hub changes one into the other, where a client and a server are of different eras.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from msgspec import Raw, Struct

from extproc.mcp import jsonrpc, messages
from extproc.mcp.messages import ID, Message
from extproc.protocols import json_spans
from extproc.protocols.json_spans import Path

METHODS: Final = frozenset({"tools/call", "prompts/get", "resources/read"})
"""Requests that can take several rounds."""
QUESTIONS: Final[Mapping[str, str]] = {
    "elicitation/create": "elicitation",
    "sampling/createMessage": "sampling",
    "roots/list": "roots",
}
"""What can be asked, and the capability of clients that can be asked so."""
CAPABILITIES: Final = frozenset(QUESTIONS.values())
"""Of clients that can be asked."""
STATE_PREFIX: Final = "dmr."
"""What a state of ours begins with."""

BOUND_PREFIX: Final = "dmt."
"""What the state of a server begins with whose name it says."""

_ANSWERS: Final[Path] = ("params", "inputResponses")
_STATE: Final[Path] = ("params", "requestState")
_ELICITATION: Final[Path] = ("elicitationId",)
_OWN_ID: Final = "round:"
_INPUT: Final = b"input_required"


class Envelope(Struct, frozen=True):
    """What extproc says of a message that it gives the hub."""

    server: str
    revision: str
    """Of the protocol, that the server speaks."""
    key: str
    """What ids of servers' requests are made with, for this client; empty: it has no session."""
    binding: str
    """Whose message it is."""
    token: str = ""
    """What the server is shown of who calls: `Bearer …`; empty: nothing."""


class Question(Struct, frozen=True):
    """What a server asks the client."""

    key: str
    """The server's own name for it, within the result."""
    method: str
    params: bytes = b""
    """JSON; empty: none."""


class Wanted(Struct, frozen=True):
    """A result that asks for input."""

    questions: tuple[Question, ...]
    state: bytes = b""
    """JSON, to be sent back as it is; empty: there is none."""


class _Request(Struct):
    method: str
    params: Raw = Raw(b"")


class _Result(Struct):
    resultType: object = None
    inputRequests: dict[str, _Request] = {}
    requestState: Raw = Raw(b"")


class _Answer(Struct):
    result: Raw = Raw(b"")


_answer = msgspec.json.Decoder(_Answer)
_result = msgspec.json.Decoder(_Result)
_envelope = msgspec.json.Decoder(Envelope)


def encode(envelope: Envelope) -> str:
    """As a header says it."""
    return base64.b64encode(msgspec.json.encode(envelope)).decode()


def decode(header: str) -> Envelope | None:
    """None: it says none."""
    try:
        return _envelope.decode(base64.b64decode(header, validate=True))
    except (binascii.Error, msgspec.DecodeError, ValueError):
        return None


def can_be_asked(capabilities: bytes) -> bool:
    """Whether a client with these capabilities, in JSON, can be asked anything."""
    try:
        return not CAPABILITIES.isdisjoint(msgspec.json.decode(capabilities, type=dict[str, Raw]))
    except msgspec.DecodeError:
        return False


def is_offered(question: Question, capabilities: Mapping[str, object]) -> bool:
    """Whether a client that has declared these can be asked that."""
    capability = QUESTIONS.get(question.method)
    declared = None if capability is None else capabilities.get(capability)
    if not isinstance(declared, dict):
        return False
    return not _is_by_url(question) or "url" in declared


def legacy_params(question: Question, identity: str) -> bytes:
    """The parameters of a question as revisions with sessions have them: an elicitation by URL has
    an id there."""
    if not _is_by_url(question) or json_spans.value_at(question.params, _ELICITATION):
        return question.params
    return json_spans.replace_at(question.params, {_ELICITATION: messages.text(identity)})


def _is_by_url(question: Question) -> bool:
    if question.method != "elicitation/create" or not question.params.startswith(b"{"):
        return False
    return json_spans.value_at(question.params, ("mode",)) == b'"url"'


def wanted(answer: bytes) -> Wanted | None:
    """What an answer of a server asks for; None: nothing, it is the last, or cannot be read."""
    try:
        result = bytes(_answer.decode(answer).result)
        said = _result.decode(result) if result.startswith(b"{") else _Result()
    except (msgspec.DecodeError, RecursionError):
        return None
    if said.resultType != "input_required":
        return None
    questions = (
        Question(key, each.method, bytes(each.params)) for key, each in said.inputRequests.items()
    )
    return Wanted(tuple(questions), bytes(said.requestState))


def again(body: bytes, raw_id: bytes, answers: Mapping[str, bytes], state: bytes) -> bytes:
    """The request once more, with what was asked for: results by key, in JSON."""
    changes: dict[Path, bytes] = {ID: raw_id}
    if answers:
        members = (b"%s:%s" % (messages.text(key), each) for key, each in answers.items())
        changes[_ANSWERS] = b"{%s}" % b",".join(members)
    if state:
        changes[_STATE] = state
    return messages.rewritten(body, changes)


def input_required(raw_id: bytes, questions: Iterable[Question], state: str) -> bytes:
    """The answer that asks for input."""
    asked = (
        b'%s:{"method":%s%s}'
        % (
            messages.text(each.key),
            messages.text(each.method),
            b',"params":%s' % each.params if each.params else b"",
        )
        for each in questions
    )
    said = b'{"resultType":"input_required","inputRequests":{%s},"requestState":%s}' % (
        b",".join(asked),
        messages.text(state),
    )
    return jsonrpc.result(raw_id, said)


def failed_tool(text: str) -> bytes:
    """A result that says that the call has failed, which models can read."""
    content = b'[{"type":"text","text":%s}]' % messages.text(text)
    return b'{"resultType":"complete","content":%s,"isError":true}' % content


def answers(body: bytes) -> dict[str, bytes]:
    """The input that a request brings, in JSON, by key."""
    found = json_spans.value_at(body, _ANSWERS)
    return json_spans.members(found) if found and found.startswith(b"{") else {}


def is_ours(message: Message) -> bool:
    """Whether it goes on with a call that waits in the hub, as it says."""
    return message.text("requestState").startswith(STATE_PREFIX)


def bound(result: bytes, server: str) -> bytes:
    """A result that asks for input, whose state says which server it is for; all others as they
    are. Whoever makes up a state asks that server, as they can in any case."""
    asked = wanted(jsonrpc.result(jsonrpc.NO_ID, result)) if _INPUT in result else None
    if asked is None or (asked.state and not asked.state.startswith(b'"')):
        return result
    own = msgspec.json.decode(asked.state, type=str) if asked.state else ""
    said = messages.text(f"{BOUND_PREFIX}{server}/{own}")
    return json_spans.replace_at(result, {_STATE[1:]: said})


def unbound(message: Message) -> tuple[str, Message] | None:
    """The server that a state names, and the message with that server's own; None: it names
    none."""
    state = message.text("requestState")
    if not state.startswith(BOUND_PREFIX):
        return None
    server, _, own = state.removeprefix(BOUND_PREFIX).partition("/")
    if own:
        body = messages.rewritten(message.body, {_STATE: messages.text(own)})
    else:
        params = json_spans.value_at(message.body, _STATE[:1]) or b"{}"
        body = messages.rewritten(message.body, {_STATE[:1]: json_spans.remove(params, _STATE[1:])})
    read = messages.read(body)
    assert isinstance(read, Message), "its state alone has changed"
    return server, read


def with_id(answer: bytes, raw_id: bytes) -> bytes:
    """An answer, as that to another request."""
    return messages.rewritten(answer, {ID: raw_id})


def own_id(call: str, key: str) -> str:
    """The id of a question that the hub asks on behalf of a call."""
    return f"{_OWN_ID}{call}:{key}"


def read_own_id(identity: object) -> tuple[str, str] | None:
    """The call and the key; None: the server itself asked."""
    if not isinstance(identity, str) or not identity.startswith(_OWN_ID):
        return None
    call, colon, key = identity.removeprefix(_OWN_ID).partition(":")
    return (call, key) if colon else None
