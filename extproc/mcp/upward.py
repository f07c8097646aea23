"""What a server says to the client of a federation: one JSON-RPC message, made to name its server.

The ids and progress tokens of its own requests, the request that it cancels, its tasks, and URIs
that several servers have. Everything else stays byte for byte. What cannot be read as one message
is not passed on: an id that another reader finds in it could be another server's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Struct

from extproc.mcp import ids, jsonrpc, messages
from extproc.mcp.messages import ID, PROGRESS_TOKEN, REQUEST_ID, TASK_ID, URI, Kind, Message
from extproc.protocols import json_spans
from extproc.protocols.json_spans import Path

RELATED_TASK: Final = "io.modelcontextprotocol/related-task"
SUBSCRIPTION_ID: Final = "io.modelcontextprotocol/subscriptionId"

_LOG: Final = "notifications/message"
LEVELS: Final = (
    *("debug", "info", "notice", "warning"),
    *("error", "critical", "alert", "emergency"),
)

_COMPLETE: Final = {b"resultType": b'"complete"'}
_COMPLETE_READ: Final = {**_COMPLETE, b"ttlMs": b"0", b"cacheScope": b'"private"'}
_DEEPEST: Final = 200
"""What a server says may be nested deeper than what a client asks."""
_TOKEN: Final[Path] = ("params", "_meta", PROGRESS_TOKEN[-1])
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Origin(Struct, frozen=True):
    """Who speaks, and in answer to what."""

    server: str
    method: str = ""
    """Of the request that the client sent; empty: none, as in streams that a GET opens."""
    shown_uri: Callable[[str], str] | None = None
    """What the client calls a resource of the server; None: the same."""
    key: bytes = b""
    """Of the session, that its ids are made with: see `ids`; empty: without."""
    subscription: bytes = b""
    """Of a `subscriptions/listen` that we sent for a client: the id of its own request, in JSON."""
    completes: bool = False
    """The server is of the era before the client's, whose results say that they are whole, and how
    long they may be kept (2026-07-28, "Results")."""
    raw_id: bytes = b""
    """What the client calls its request, in JSON; empty: as the server does."""
    log_level: str | None = None
    """The least that the client wants to hear of logs; empty: nothing. None: what its session does.
    (2026-07-28, "Per-request log level".)"""


def upward(origin: Origin, text: bytes) -> bytes | None:
    """A message, or a batch of them, as the client is told; empty: it is told nothing of that;
    None: it cannot be read."""
    try:
        if text.lstrip()[:1] == b"[":
            said = [_upward(origin, each) for each in json_spans.items(text)]
            told = [each for each in said if each]
            if not said or None in said:
                return None
            return json_spans.array(told) if told else b""
        return _upward(origin, text)
    except (msgspec.DecodeError, RecursionError):
        return None


def _upward(origin: Origin, text: bytes) -> bytes | None:
    """One message. `DecodeError`, `RecursionError`: it is no object."""
    names = _members.decode(text)
    if "method" not in names and ("result" in names or "error" in names):
        return _answer(origin, text, names)
    message = messages.read(text, _DEEPEST)
    if not isinstance(message, Message) or message.is_answer:
        return None
    if message.method == _LOG and not _is_wanted(origin.log_level, message):
        return b""
    changes = _changes_of_request if message.kind is Kind.REQUEST else _changes_of_notification
    return _changed(text, {**changes(origin, message), **_changes_of_meta(origin, message)})


def _is_wanted(least: str | None, log: Message) -> bool:
    """Whether the client is to hear of it."""
    if least is None:
        return True
    level = log.text("level")
    if least not in LEVELS or level not in LEVELS:
        return False
    return LEVELS.index(level) >= LEVELS.index(least)


def _changes_of_request(origin: Origin, message: Message) -> dict[Path, bytes]:
    named = {ID: message.id, _TOKEN: message.meta.get("progressToken")}
    return {
        path: messages.text(ids.outward(origin.server, value, origin.key))
        for path, value in named.items()
        if messages.is_id(value)
    }


def _changes_of_notification(origin: Origin, message: Message) -> dict[Path, bytes]:
    method = message.method
    if method == "notifications/cancelled":
        cancelled = message.params.get("requestId")
        if messages.is_id(cancelled):
            return {REQUEST_ID: messages.text(ids.outward(origin.server, cancelled, origin.key))}
    elif method.startswith("notifications/tasks"):
        if message.task_id:
            return {TASK_ID: messages.text(ids.outward_name(origin.server, message.task_id))}
    elif method == "notifications/resources/updated" and origin.shown_uri is not None:
        shown = origin.shown_uri(message.uri)
        if shown != message.uri:
            return {URI: messages.text(shown)}
    return {}


def _changes_of_meta(origin: Origin, message: Message) -> dict[Path, bytes]:
    meta = message.meta
    if not meta:
        return {}
    changes: dict[Path, bytes] = {}
    related = meta.get(RELATED_TASK)
    task = related.get("taskId") if isinstance(related, dict) else None
    if isinstance(task, str) and task:
        path = ("params", "_meta", RELATED_TASK, "taskId")
        changes[path] = messages.text(ids.outward_name(origin.server, task))
    if origin.subscription and SUBSCRIPTION_ID in meta:
        changes["params", "_meta", SUBSCRIPTION_ID] = origin.subscription
    return changes


def _answer(origin: Origin, text: bytes, names: dict[str, msgspec.Raw]) -> bytes | None:
    """An answer to the client: only tasks in it have ids of the server's.

    It can be large: where nothing is changed, it is passed over and not read.
    """
    result = bytes(names.get("result", b""))
    if not result.startswith(b"{"):
        return _renamed(origin, text, names)
    changes: dict[Path, bytes] = {}
    for path in _task_paths(origin, result):
        task = _text_at(result, path)
        if task:
            changes["result", *path] = messages.text(ids.outward_name(origin.server, task))
    if origin.subscription and json_spans.value_at(result, ("_meta", SUBSCRIPTION_ID)):
        changes["result", "_meta", SUBSCRIPTION_ID] = origin.subscription
        changes[ID] = origin.subscription
    if changes and not isinstance(messages.read(text, _DEEPEST), Message):
        return None
    text = _changed(text, changes)
    return _completed(origin, text) if origin.completes else text


def _completed(origin: Origin, text: bytes) -> bytes:
    """The same answer, whose result says its type. It can be large: it is not read."""
    names = _members.decode(text)
    said = completed(bytes(names["result"]), origin.method)
    return jsonrpc.result(origin.raw_id or bytes(names.get("id", jsonrpc.NO_ID)), said)


def _renamed(origin: Origin, text: bytes, names: dict[str, msgspec.Raw]) -> bytes:
    """An answer without an object in it, by the client's own name for its request."""
    if not origin.raw_id:
        return text
    kind = "error" if "error" in names else "result"
    return b'{"jsonrpc":"2.0","id":%s,"%s":%s}' % (origin.raw_id, kind.encode(), names[kind])


def completed(result: bytes, method: str) -> bytes:
    """A result, in JSON, with what revisions without sessions want said in each."""
    names = _members.decode(result)
    wanted = _COMPLETE if method != "resources/read" else _COMPLETE_READ
    added = b",".join(b'"%s":%s' % each for each in wanted.items() if each[0].decode() not in names)
    if not added:
        return result
    return b"%s%s%s}" % (result.rstrip()[:-1], b"," if names else b"", added)


def _task_paths(origin: Origin, result: bytes) -> list[Path]:
    """Where a result can name a task: one that was made, one that was asked for, or its own."""
    paths: list[Path] = []
    names = _members.decode(result)
    if "task" in names:
        paths.append(("task", "taskId"))
    is_about_task = origin.method.startswith("tasks/") and origin.method != "tasks/result"
    if "taskId" in names and (is_about_task or _text_at(result, ("resultType",)) == "task"):
        paths.append(("taskId",))
    if "_meta" in names:
        paths.append(("_meta", RELATED_TASK, "taskId"))
    return paths


def _text_at(value: bytes, path: Path) -> str:
    """A text in an object; empty: there is none."""
    found = json_spans.value_at(value, path)
    return msgspec.json.decode(found, type=str) if found and found.startswith(b'"') else ""


def _changed(text: bytes, changes: dict[Path, bytes]) -> bytes:
    return messages.rewritten(text, changes) if changes else text
