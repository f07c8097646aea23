"""Messages, tasks and events of 0.3, in either of its forms, as those of 1.0, and back.

1.0's documents are the canonical form. What 1.0 calls `raw`, `url` and `data`, 0.3 has in a `file`
or another `data`; what something is, 0.3's JSON says by its `kind`. Facts: Appendix A of the
specification of 1.0, and what the official SDK does between the two.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from extproc.a2a.forms.losses import Loss, Losses, Lost, Malformed
from extproc.a2a.places import Form

Document: TypeAlias = dict[str, object]

WRAPPED: Final = "data_part_compat"
"""In the metadata of a part of 0.3: its data is in `value`, since it is no object."""
_STATES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "unknown": "TASK_STATE_UNSPECIFIED",
        "submitted": "TASK_STATE_SUBMITTED",
        "working": "TASK_STATE_WORKING",
        "completed": "TASK_STATE_COMPLETED",
        "failed": "TASK_STATE_FAILED",
        "canceled": "TASK_STATE_CANCELED",
        "input-required": "TASK_STATE_INPUT_REQUIRED",
        "rejected": "TASK_STATE_REJECTED",
        "auth-required": "TASK_STATE_AUTH_REQUIRED",
    }
)
_ROLES: Final = {"user": "ROLE_USER", "agent": "ROLE_AGENT"}
_PROTO_STATES: Final = {"TASK_STATE_CANCELED": "TASK_STATE_CANCELLED"}
"""What protobuf of 0.3 spells otherwise."""
FINAL: Final = frozenset(
    {
        "TASK_STATE_COMPLETED",
        "TASK_STATE_FAILED",
        "TASK_STATE_CANCELED",
        "TASK_STATE_REJECTED",
    }
)
"""States in which a task ends."""
_STATE_NAMES: Final = {name: word for word, name in _STATES.items()}
_ROLE_NAMES: Final = {name: word for word, name in _ROLES.items()}
_PROTO_STATE_NAMES: Final = {word: name for name, word in _PROTO_STATES.items()}

_MESSAGE = ("messageId", "contextId", "taskId", "metadata", "extensions")
_ARTIFACT = ("artifactId", "name", "description", "metadata", "extensions")
_TASK = ("id", "contextId", "metadata")
_EVENT = ("taskId", "contextId", "metadata")
EVENTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "task": "task",
        "message": "message",
        "status-update": "statusUpdate",
        "artifact-update": "artifactUpdate",
    }
)
"""The kinds of 0.3, and the members of 1.0 that hold them."""


def object_of(value: object, what: str) -> Mapping[str, object]:
    """`Malformed` where it is none."""
    if not isinstance(value, Mapping):
        raise Malformed(f"{what} is an object")
    return value


def list_of(value: object, what: str) -> list[object]:
    """Empty where it is absent."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise Malformed(f"{what} is a list")
    return value


def moved(
    document: Mapping[str, object],
    names: Collection[str],
    handled: Collection[str],
    losses: Losses,
) -> Document:
    """Those members as they are; what is neither among them nor handled is lost."""
    found: Document = {}
    for key, value in document.items():
        if key in names:
            if value is not None:
                found[key] = value
        elif key not in handled:
            losses.append(Lost(Loss.UNKNOWN_MEMBER, key))
    return found


# --- parts ---------------------------------------------------------------------------------


def part_up(part: object, form: Form, losses: Losses) -> Document:
    """A part of 0.3."""
    document = object_of(part, "a part")
    found = moved(document, ("metadata", "text"), ("kind", "file", "data"), losses)
    file, data = document.get("file"), document.get("data")
    if sum(each is not None for each in (found.get("text"), file, data)) != 1:
        raise Malformed("a part is a text, a file or data")
    if file is not None:
        found.update(_file_up(object_of(file, "a file"), losses))
    elif data is not None:
        value = object_of(data, "data")
        if form is Form.V0_3_PROTO and document.get("kind") is None:
            value = object_of(value.get("data") or {}, "data")
        found["data"] = value
        _unwrap(found)
    return found


def _unwrap(part: Document) -> None:
    metadata, data = part.get("metadata"), part["data"]
    if not isinstance(metadata, dict) or not metadata.get(WRAPPED):
        return
    if isinstance(data, dict) and "value" in data:
        part["data"] = data["value"]
        rest = {name: value for name, value in metadata.items() if name != WRAPPED}
        part["metadata"] = rest
        if not rest:
            del part["metadata"]


def _file_up(file: Mapping[str, object], losses: Losses) -> Document:
    found: Document = {}
    for key, value in file.items():
        match key:
            case _ if value is None:
                continue
            case "bytes":
                found["raw"] = value
            case "fileWithBytes":
                found["raw"] = _bytes_up(value)
            case "uri" | "fileWithUri":
                found["url"] = value
            case "mimeType":
                found["mediaType"] = value
            case "name":
                found["filename"] = value
            case _:
                losses.append(Lost(Loss.UNKNOWN_MEMBER, key))
    if ("raw" in found) is ("url" in found):
        raise Malformed("a file has bytes or a URI")
    return found


def _bytes_up(value: object) -> object:
    """SDKs of 0.3 put base64 text into what is bytes, so that JSON has it twice."""
    if not isinstance(value, str):
        raise Malformed("bytes are base64")
    try:
        inner = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("bytes are base64") from None
    try:
        base64.b64decode(inner, validate=True)
        return inner.decode("ascii")
    except (binascii.Error, ValueError):
        return value


def part_down(part: object, form: Form, losses: Losses) -> Document | None:
    """A part of 1.0; None: it has no content that 0.3 could say."""
    document = object_of(part, "a part")
    members = ("text", "raw", "url", "data", "mediaType", "filename")
    found = moved(document, ("metadata",), members, losses)
    kind = next((each for each in members[:4] if _is_said(document, each)), "")
    match kind:
        case "text":
            found["text"] = document["text"]
        case "data":
            _data_down(found, document["data"], form, losses)
        case "raw" | "url":
            found["file"] = _file_down(document, form)
        case _:
            losses.append(Lost(Loss.NO_CONTENT, "parts"))
            return None
    if kind in ("text", "data"):
        losses.extend(
            Lost(Loss.PART_MEDIA_TYPE, each) for each in members[4:] if document.get(each)
        )
    if form is Form.V0_3:
        found["kind"] = "file" if kind in ("raw", "url") else kind
    return found


def _is_said(document: Mapping[str, object], name: str) -> bool:
    """Data may be null, nothing else."""
    return document.get(name) is not None or (name == "data" and name in document)


def _data_down(found: Document, data: object, form: Form, losses: Losses) -> None:
    if not isinstance(data, dict):
        losses.append(Lost(Loss.DATA_WRAPPED, "data"))
        data = {"value": data}
        metadata = found.get("metadata")
        found["metadata"] = {**(metadata if isinstance(metadata, dict) else {}), WRAPPED: True}
    found["data"] = data if form is Form.V0_3 else {"data": data}


def _file_down(part: Mapping[str, object], form: Form) -> Document:
    found: Document = {}
    raw, url = part.get("raw"), part.get("url")
    if form is Form.V0_3:
        found.update({"bytes": raw} if raw is not None else {"uri": url})
    elif raw is not None:
        if not isinstance(raw, str) or not raw.isascii():
            raise Malformed("'raw' is base64")
        found["fileWithBytes"] = base64.b64encode(raw.encode()).decode()
    else:
        found["fileWithUri"] = url
    for name, other in (("mediaType", "mimeType"), ("filename", "name")):
        if part.get(name):
            found[other] = part[name]
    return found


# --- messages and artifacts ----------------------------------------------------------------


def message_up(message: object, form: Form, losses: Losses) -> Document:
    """A message of 0.3."""
    document = object_of(message, "a message")
    names = (*_MESSAGE, "referenceTaskIds")
    found = moved(document, names, ("kind", "role", "parts", "content"), losses)
    parts = document.get("content") if form is Form.V0_3_PROTO else None
    parts = document.get("parts") if parts is None else parts
    found["role"] = _role_up(document.get("role"), losses)
    found["parts"] = [part_up(each, form, losses) for each in list_of(parts, "parts")]
    return found


def _role_up(role: object, losses: Losses) -> str:
    if role in _ROLE_NAMES:
        return str(role)
    if isinstance(role, str) and role in _ROLES:
        return _ROLES[role]
    if role is not None:
        losses.append(Lost(Loss.UNKNOWN_VALUE, "role"))
    return "ROLE_UNSPECIFIED"


def message_down(message: object, form: Form, losses: Losses) -> Document:
    """A message of 1.0."""
    document = object_of(message, "a message")
    found = moved(document, _MESSAGE, ("role", "parts", "referenceTaskIds"), losses)
    _without_empty(found, ("contextId", "taskId"))
    parts = [part_down(each, form, losses) for each in list_of(document.get("parts"), "parts")]
    kept: list[object] = [each for each in parts if each is not None]
    references = document.get("referenceTaskIds")
    role = document.get("role")
    if form is Form.V0_3:
        found["kind"] = "message"
        found["parts"] = kept
        found["role"] = _ROLE_NAMES.get(role, "agent") if isinstance(role, str) else "agent"
        found.setdefault("messageId", "")
        if references:
            found["referenceTaskIds"] = references
        return found
    found["content"] = kept
    if role is not None:
        found["role"] = role
    if references:
        losses.append(Lost(Loss.REFERENCE_TASK_IDS, "referenceTaskIds"))
    return found


def artifact_up(artifact: object, form: Form, losses: Losses) -> Document:
    document = object_of(artifact, "an artifact")
    found = moved(document, _ARTIFACT, ("parts",), losses)
    parts = list_of(document.get("parts"), "parts")
    found["parts"] = [part_up(each, form, losses) for each in parts]
    return found


def artifact_down(artifact: object, form: Form, losses: Losses) -> Document:
    document = object_of(artifact, "an artifact")
    found = moved(document, _ARTIFACT, ("parts",), losses)
    _without_empty(found, ("name", "description"))
    parts = [part_down(each, form, losses) for each in list_of(document.get("parts"), "parts")]
    found["parts"] = [each for each in parts if each is not None]
    if form is Form.V0_3:
        found.setdefault("artifactId", "")
    return found


# --- tasks ---------------------------------------------------------------------------------


def task_up(task: object, form: Form, losses: Losses) -> Document:
    """A task of 0.3."""
    document = object_of(task, "a task")
    found = moved(document, _TASK, ("kind", "status", "artifacts", "history"), losses)
    if document.get("status") is not None:
        found["status"] = status_up(document["status"], form, losses)
    if document.get("artifacts"):
        artifacts = list_of(document["artifacts"], "artifacts")
        found["artifacts"] = [artifact_up(each, form, losses) for each in artifacts]
    if document.get("history"):
        history = list_of(document["history"], "the history")
        found["history"] = [message_up(each, form, losses) for each in history]
    return found


def task_down(task: object, form: Form, losses: Losses) -> Document:
    """A task of 1.0."""
    document = object_of(task, "a task")
    found = moved(document, _TASK, ("status", "artifacts", "history"), losses)
    if document.get("status") is not None or form is Form.V0_3:
        found["status"] = status_down(document.get("status") or {}, form, losses)
    if document.get("artifacts"):
        artifacts = list_of(document["artifacts"], "artifacts")
        found["artifacts"] = [artifact_down(each, form, losses) for each in artifacts]
    if document.get("history"):
        history = list_of(document["history"], "the history")
        found["history"] = [message_down(each, form, losses) for each in history]
    if form is Form.V0_3:
        found["kind"] = "task"
        found.setdefault("id", "")
        found.setdefault("contextId", "")
    return found


def status_up(status: object, form: Form, losses: Losses) -> Document:
    document = object_of(status, "a status")
    found = moved(document, ("timestamp",), ("state", "message"), losses)
    found["state"] = state_up(document.get("state"), losses)
    timestamp = found.get("timestamp")
    if isinstance(timestamp, str):
        found["timestamp"] = _in_utc(timestamp)
    if document.get("message") is not None:
        found["message"] = message_up(document["message"], form, losses)
    return found


def status_down(status: object, form: Form, losses: Losses) -> Document:
    document = object_of(status, "a status")
    found = moved(document, ("timestamp",), ("state", "message"), losses)
    state = document.get("state")
    known = isinstance(state, str) and state in _STATE_NAMES
    if not known and state is not None:
        losses.append(Lost(Loss.UNKNOWN_VALUE, "state"))
    name = str(state) if known else "TASK_STATE_UNSPECIFIED"
    found["state"] = _STATE_NAMES[name] if form is Form.V0_3 else _PROTO_STATES.get(name, name)
    if document.get("message") is not None:
        found["message"] = message_down(document["message"], form, losses)
    return found


def state_up(state: object, losses: Losses) -> str:
    """The state of a task, in 1.0's words."""
    if isinstance(state, str):
        if state in _STATES:
            return _STATES[state]
        name = _PROTO_STATE_NAMES.get(state, state)
        if name in _STATE_NAMES:
            return name
    if state is not None:
        losses.append(Lost(Loss.UNKNOWN_VALUE, "state"))
    return "TASK_STATE_UNSPECIFIED"


def _in_utc(timestamp: str) -> str:
    """As 1.0 wants it: 0.3 left the zone open, and SDKs wrote `+00:00`."""
    if timestamp.endswith("+00:00"):
        return timestamp.removesuffix("+00:00") + "Z"
    clock = timestamp.partition("T")[2]
    has_zone = clock.endswith(("Z", "z")) or "+" in clock or "-" in clock
    return timestamp if has_zone or not clock else timestamp + "Z"


# --- events --------------------------------------------------------------------------------


def event_up(event: object, form: Form, losses: Losses) -> Document:
    """What a stream of 0.3 says: a task, a message, or an update of one."""
    document = object_of(event, "an event")
    kind = document.get("kind")
    if isinstance(kind, str):
        if kind not in EVENTS:
            raise Malformed(f"an event is of a kind of A2A, not of {kind[:64]!r}")
        return {EVENTS[kind]: _payload_up(EVENTS[kind], document, form, losses)}
    said = [name for name in EVENTS.values() if document.get(name) is not None]
    if len(said) != 1:
        raise Malformed("an event is a task, a message, or an update")
    return {said[0]: _payload_up(said[0], document[said[0]], form, losses)}


def event_down(event: object, form: Form, losses: Losses) -> Document:
    """What a stream of 1.0 says."""
    document = object_of(event, "an event")
    said = [name for name in EVENTS.values() if document.get(name) is not None]
    if len(said) != 1:
        raise Malformed("an event is a task, a message, or an update")
    payload = _payload_down(said[0], document[said[0]], form, losses)
    return payload if form is Form.V0_3 else {said[0]: payload}


def _payload_up(name: str, payload: object, form: Form, losses: Losses) -> Document:
    match name:
        case "task":
            return task_up(payload, form, losses)
        case "message":
            return message_up(payload, form, losses)
    document = object_of(payload, "an update")
    if name == "statusUpdate":
        found = moved(document, _EVENT, ("kind", "final", "status"), losses)
        found["status"] = status_up(document.get("status") or {}, form, losses)
        return found
    found = moved(document, (*_EVENT, "append", "lastChunk"), ("kind", "artifact"), losses)
    found["artifact"] = artifact_up(document.get("artifact") or {}, form, losses)
    return found


def _payload_down(name: str, payload: object, form: Form, losses: Losses) -> Document:
    match name:
        case "task":
            return task_down(payload, form, losses)
        case "message":
            return message_down(payload, form, losses)
    document = object_of(payload, "an update")
    if name == "statusUpdate":
        found = moved(document, _EVENT, ("status",), losses)
        status = object_of(document.get("status") or {}, "a status")
        found["status"] = status_down(status, form, losses)
        found["final"] = status.get("state") in FINAL
    else:
        found = moved(document, (*_EVENT, "append", "lastChunk"), ("artifact",), losses)
        found["artifact"] = artifact_down(document.get("artifact") or {}, form, losses)
    if form is Form.V0_3:
        found["kind"] = "status-update" if name == "statusUpdate" else "artifact-update"
        found.setdefault("taskId", "")
        found.setdefault("contextId", "")
    return found


def _without_empty(document: Document, names: Collection[str]) -> None:
    for name in names:
        if document.get(name) == "":
            del document[name]
