"""The envelope of a JSON-RPC message: what kind it is, whose, and the same with another id.

What is inside stays the bytes that it was. What clients say was read strictly before it comes here
(`extproc.mcp.messages`). https://www.jsonrpc.org/specification
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

SESSION_NOT_FOUND: Final = -32001
"""What the SDKs say to a session that is gone."""

PROTOCOL_VERSION: Final = "io.modelcontextprotocol/protocolVersion"
"""In `_meta` of every request since 2026-07-28."""
SUBSCRIPTION_ID: Final = "io.modelcontextprotocol/subscriptionId"
PROGRESS_TOKEN: Final = "progressToken"

_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])


class NotAMessage(ValueError):
    """It is no JSON-RPC message."""


class Message(msgspec.Struct, frozen=True):
    """One message; what it is of is told by which fields it has."""

    id: bytes | None
    """As JSON, in its shortest form: `5`, `"a"`; None: it has none, or null."""
    method: str | None
    params: bytes | None
    result: bytes | None
    error: bytes | None

    @property
    def is_request(self) -> bool:
        return self.method is not None and self.id is not None

    @property
    def is_notification(self) -> bool:
        return self.method is not None and self.id is None

    @property
    def is_answer(self) -> bool:
        return self.method is None


def read(text: bytes) -> Message:
    """Raises `NotAMessage`."""
    try:
        fields = _decoder.decode(text)
        method = fields.get("method")
        message = Message(
            id=_id(fields.get("id")),
            method=None if method is None else msgspec.json.decode(method, type=str),
            params=_bytes(fields.get("params")),
            result=_bytes(fields.get("result")),
            error=_bytes(fields.get("error")),
        )
        version = msgspec.json.decode(fields.get("jsonrpc", b"null"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as mistake:
        raise NotAMessage(str(mistake)) from None
    if version != "2.0":
        raise NotAMessage('jsonrpc is not "2.0"')
    if method is None and (message.result is None) == (message.error is None):
        raise NotAMessage("neither a request, nor a notification, nor a response")
    if message.method is not None and "id" in fields and message.id is None:
        raise NotAMessage("the id of a request is null")
    return message


def _bytes(raw: msgspec.Raw | None) -> bytes | None:
    return None if raw is None else bytes(raw)


def _id(raw: msgspec.Raw | None) -> bytes | None:
    if raw is None:
        return None
    value = msgspec.json.decode(raw)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise msgspec.DecodeError("an id is a string or a number")
    return msgspec.json.encode(value)


def one_line(text: bytes) -> bytes:
    """The same JSON on one line: strings have no raw line breaks, so all there are is space."""
    return text.replace(b"\n", b" ").replace(b"\r", b" ")


def meta(message: Message) -> dict[str, msgspec.Raw]:
    """The `_meta` of its params, or of its result; empty where it has none."""
    holder = message.params if message.params is not None else message.result
    fields = _fields(holder)
    return {} if fields is None else _fields(fields.get("_meta")) or {}


def param(message: Message, name: str) -> msgspec.Raw | None:
    """One of its params."""
    fields = _fields(message.params)
    return None if fields is None else fields.get(name)


def param_text(message: Message, name: str) -> str | None:
    """One that is a string."""
    raw = param(message, name)
    value = None if raw is None else msgspec.json.decode(raw)
    return value if isinstance(value, str) else None


def key(raw: msgspec.Raw | bytes | None) -> bytes | None:
    """An id or a token as it is compared; None: it is neither."""
    try:
        return _id(None if raw is None else msgspec.Raw(raw))
    except msgspec.DecodeError:
        return None


def _fields(raw: msgspec.Raw | bytes | None) -> dict[str, msgspec.Raw] | None:
    if raw is None:
        return None
    try:
        return _decoder.decode(raw)
    except msgspec.DecodeError:  # a list, or null
        return None


def with_id(message: Message, new: bytes) -> bytes:
    """The message with another id."""
    return written(message, id=msgspec.Raw(new))


def written(message: Message, **changed: msgspec.Raw) -> bytes:
    """The message on one line, with some of its fields changed."""
    fields: dict[str, Any] = {"jsonrpc": "2.0"}
    for name in ("id", "method", "params", "result", "error"):
        value = changed.get(name, getattr(message, name))
        if value is not None:
            fields[name] = msgspec.Raw(value) if isinstance(value, bytes) else value
    return one_line(msgspec.json.encode(fields))


def with_meta(holder: bytes | None, name: str, value: bytes) -> msgspec.Raw:
    """Params, or a result, with another value in their `_meta`."""
    fields = _fields(holder) or {}
    inner = dict(_fields(fields.get("_meta")) or {})
    inner[name] = msgspec.Raw(value)
    return with_member(holder, "_meta", msgspec.json.encode(inner))


def with_member(holder: bytes | None, name: str, value: bytes) -> msgspec.Raw:
    """Params, or a result, with another value of one member."""
    fields = dict(_fields(holder) or {})
    fields[name] = msgspec.Raw(value)
    return msgspec.Raw(msgspec.json.encode(fields))


def error_code(message: Message) -> int | None:
    """The code of an error response."""
    code = (_fields(message.error) or {}).get("code")
    value = None if code is None else msgspec.json.decode(code)
    return value if isinstance(value, int) else None


def is_modern(message: Message) -> bool:
    """Whether it is of a revision without sessions: each request says its own revision."""
    return PROTOCOL_VERSION in meta(message)


def result_text(message: Message, name: str) -> str | None:
    """A string of its result."""
    raw = (_fields(message.result) or {}).get(name)
    value = None if raw is None else msgspec.json.decode(raw)
    return value if isinstance(value, str) else None


def text(value: str) -> bytes:
    """A string as JSON."""
    return msgspec.json.encode(value)


def meta_text(message: Message, name: str) -> str | None:
    """A string of its `_meta`."""
    raw = meta(message).get(name)
    value = None if raw is None else msgspec.json.decode(raw)
    return value if isinstance(value, str) else None


def error_text(message: Message) -> str:
    """What an error response says."""
    raw = (_fields(message.error) or {}).get("message")
    value = None if raw is None else msgspec.json.decode(raw)
    return value if isinstance(value, str) else "it was refused"
