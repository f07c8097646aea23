"""One POST body of MCP: a JSON-RPC message or a batch, read strictly and changed by splicing.

The base protocol, "Messages" (https://modelcontextprotocol.io/specification/2025-11-25/basic), and
batches of 2025-03-26. What two readers could read differently is refused: a key said twice, at any
depth, and a member that is decided on, in another spelling (`Method`: some readers, such as Go's,
take it for `method`); so is what is nested beyond `MAX_DEPTH`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from enum import Enum, auto
from types import MappingProxyType
from typing import Final, TypeAlias, TypeGuard

import msgspec
from msgspec import Struct

from extproc.mcp.jsonrpc import INVALID_REQUEST, NO_ID, PARSE_ERROR, Fault
from extproc.protocols import json_spans
from extproc.protocols.json_spans import (
    DuplicateKey,
    InvalidJson,
    Path,
    TooComplex,
    TooDeep,
    is_deeper,
)

MAX_DEPTH: Final = 64
"""Of objects and arrays within each other."""
MAX_BATCH: Final = 100
"""Messages; each costs as much as a request of its own."""

Id: TypeAlias = int | float | str

ID: Final[Path] = ("id",)
NAME: Final[Path] = ("params", "name")
URI: Final[Path] = ("params", "uri")
TASK_ID: Final[Path] = ("params", "taskId")
REF_NAME: Final[Path] = ("params", "ref", "name")
REF_URI: Final[Path] = ("params", "ref", "uri")
META: Final[Path] = ("params", "_meta")
PROGRESS_TOKEN: Final[Path] = ("params", "progressToken")
REQUEST_ID: Final[Path] = ("params", "requestId")
REQUEST_STATE: Final[Path] = ("params", "requestState")
CURSOR: Final[Path] = ("params", "cursor")

_MEMBERS: Final = frozenset({"jsonrpc", "id", "method", "params", "result", "error"})
_READ: Final = frozenset(
    {"name", "uri", "arguments", "ref", "type", "taskId", "task", "cursor"}
    | {"requestState", "inputResponses", "protocolVersion", "_meta"}
)
"""Parameters of the protocol's own methods, and members of `ref`, that something is decided by."""
_SPELLINGS: Final = MappingProxyType({each.casefold(): each for each in _MEMBERS | _READ})
_OWN: Final = ("tools/", "prompts/", "resources/", "completion/", "tasks/", "initialize")

_EMPTY: Final[Mapping[str, object]] = MappingProxyType({})


class Kind(Enum):
    """What a message is."""

    REQUEST = auto()
    NOTIFICATION = auto()
    RESULT = auto()
    """It answers a request of the other side; so does an error."""
    ERROR = auto()


class Message(Struct, frozen=True):
    """A message, read."""

    kind: Kind
    method: str
    """Empty for answers."""
    id: Id | None
    """None for a notification, and for an error that answers what could not be read."""
    raw_id: bytes
    """The same in JSON, as it was written; `null` for None."""
    params: Mapping[str, object]
    """Decoded; empty when there are none."""
    body: bytes
    """As it was written."""

    @property
    def is_asked_oddly(self) -> bool:
        """Its id is a number with a fraction or an exponent: "string or integer", the base protocol
        says, and servers take it for a notification that needs no answer."""
        return self.kind is Kind.REQUEST and type(self.id) is float

    @property
    def is_answer(self) -> bool:
        return self.kind is Kind.RESULT or self.kind is Kind.ERROR

    @property
    def name(self) -> str:
        """Of the tool or prompt; empty: none is said."""
        return self.text("name")

    @property
    def uri(self) -> str:
        return self.text("uri")

    @property
    def task_id(self) -> str:
        return self.text("taskId")

    @property
    def meta(self) -> Mapping[str, object]:
        return self.members("_meta")

    @property
    def arguments(self) -> Mapping[str, object]:
        """Of a tool or a prompt; empty when there are none."""
        return self.members("arguments")

    def text(self, name: str) -> str:
        """A parameter; empty when it is absent, or no text."""
        value = self.params.get(name)
        return value if isinstance(value, str) else ""

    def members(self, name: str) -> Mapping[str, object]:
        """A parameter; empty when it is absent, or no object."""
        value = self.params.get(name)
        return value if isinstance(value, dict) else _EMPTY

    def fault(self, code: int, message: str, status: int = 400, data: object = None) -> Fault:
        """The refusal of this message."""
        return Fault(code, message, self.raw_id, status, data)


class Batch(Struct, frozen=True):
    """Several messages; revision 2025-03-26 alone allows it."""

    messages: tuple[Message, ...]
    body: bytes


def read(body: bytes, max_depth: int = MAX_DEPTH) -> Message | Batch | Fault:
    """What a body says. A batch with one message that is none is refused as a whole."""
    try:
        document = json_spans.decode_any(body)
    except (DuplicateKey, TooDeep, TooComplex) as error:
        return Fault(INVALID_REQUEST, f"the message is refused: {error}")
    except InvalidJson as error:
        return Fault(PARSE_ERROR, f"the message is not JSON: {error}")
    if is_deeper(body, max_depth):
        return Fault(INVALID_REQUEST, f"the message is nested deeper than {max_depth}")
    if type(document) is dict:
        return _message(document, body)
    if type(document) is list:
        return _batch(document, body)
    return Fault(INVALID_REQUEST, "a message is a JSON object")


def rewritten(body: bytes, changes: Mapping[Path, bytes]) -> bytes:
    """The body of a message with these values, in JSON; every other byte stays as it is.

    What a path leads through is made where it is absent; `ValueError` where it is no object.
    """
    return json_spans.replace_at(body, changes)


def params(body: bytes) -> bytes:
    """The parameters of a message that was read, as they were written; empty: there are none."""
    return json_spans.value_at(body, ("params",)) or b""


def text(value: str) -> bytes:
    """A string as JSON."""
    return msgspec.json.encode(value)


def is_id(value: object) -> TypeGuard[Id]:
    """A text or a number, which is no truth value."""
    kind = type(value)
    return kind is str or kind is int or (kind is float and math.isfinite(value))  # type: ignore[arg-type]


def _batch(document: list[object], body: bytes) -> Batch | Fault:
    if not document:
        return Fault(INVALID_REQUEST, "the batch is empty")
    if len(document) > MAX_BATCH:
        return Fault(INVALID_REQUEST, f"the batch has more than {MAX_BATCH} messages")
    messages: list[Message] = []
    for each, written in zip(document, json_spans.items(body), strict=True):
        if type(each) is not dict:
            return Fault(INVALID_REQUEST, "a message is a JSON object")
        message = _message(each, written)
        if isinstance(message, Fault):
            return message
        messages.append(message)
    return Batch(tuple(messages), body)


def _message(document: dict[str, object], body: bytes) -> Message | Fault:
    if wrong := _misspelt(document, _MEMBERS):
        return Fault(INVALID_REQUEST, wrong)
    has_id = "id" in document
    said = document.get("id")
    raw_id = NO_ID
    if has_id:
        if is_id(said):
            raw_id = _raw(said, body)
        elif said is not None or "error" not in document:
            return Fault(INVALID_REQUEST, "an id is a string or a number")
    if document.get("jsonrpc") != "2.0":
        return Fault(INVALID_REQUEST, 'a message says "jsonrpc":"2.0"', raw_id)
    identity = said if is_id(said) else None
    if "method" not in document:
        return _answer(document, identity, raw_id, body)
    method = document["method"]
    if type(method) is not str or not method:
        return Fault(INVALID_REQUEST, "a method is a text", raw_id)
    if "result" in document or "error" in document:
        return Fault(INVALID_REQUEST, "a message asks or answers, not both", raw_id)
    params = document.get("params")
    if type(params) is not dict and params is not None:
        return Fault(INVALID_REQUEST, "params are an object", raw_id)
    if params is not None and method.startswith(_OWN) and (wrong := _misspelt_within(params)):
        return Fault(INVALID_REQUEST, wrong, raw_id)
    kind = Kind.REQUEST if has_id else Kind.NOTIFICATION
    return Message(kind, method, identity, raw_id, _EMPTY if params is None else params, body)


def _answer(
    document: dict[str, object], identity: Id | None, raw_id: bytes, body: bytes
) -> Message | Fault:
    is_error = "error" in document
    if is_error is ("result" in document):
        return Fault(INVALID_REQUEST, "a message has a method, a result, or an error", raw_id)
    if identity is None and not is_error:
        return Fault(INVALID_REQUEST, "a result has an id", raw_id)
    return Message(Kind.ERROR if is_error else Kind.RESULT, "", identity, raw_id, _EMPTY, body)


def _misspelt_within(params: Mapping[str, object]) -> str:
    reference = params.get("ref")
    wrong = _misspelt(params, _READ)
    return wrong or (_misspelt(reference, _READ) if type(reference) is dict else "")


def _misspelt(written: Iterable[str], wanted: frozenset[str]) -> str:
    """What is wrong with names that others may take for these; empty: nothing."""
    for each in written:
        if each not in wanted and (meant := _SPELLINGS.get(each.casefold())) in wanted:
            return f"the message is refused: '{each}' is not '{meant}', but may be taken for it"
    return ""


def _raw(identity: Id, body: bytes) -> bytes:
    """The id in JSON; a number with a fraction or an exponent, as it was written."""
    if type(identity) is int:
        return b"%d" % identity
    if type(identity) is str:
        return text(identity)
    return json_spans.value_at(body, ID) or NO_ID
