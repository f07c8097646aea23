"""What of A2A documents is text, of clients and agents, in all their forms, and how to reword it.

As in conversations, all is read but what is known to be structure: ids, kinds, states, counts,
webhooks. Texts, data and metadata are read with their keys, and numbers as they are spelled; of
files their names, their URLs, and what is text in them. Members that nobody knows are read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from extproc.llm import texts as walk
from extproc.llm.shapes import FREE, Fields, Parts, Rule, Unread
from extproc.protocols.json_spans import InvalidJson
from extproc.rewording import Placed, Reword, Reworded, Rewording
from extproc.verdict import By, Deny, PolicyKind
from gateway.model import TextScope

_ALL: Final = Unread.ALL
_STATES: Final = frozenset(
    {
        "unknown",
        "submitted",
        "working",
        "completed",
        "failed",
        "canceled",
        "input-required",
        "rejected",
        "auth-required",
        "TASK_STATE_UNSPECIFIED",
        "TASK_STATE_SUBMITTED",
        "TASK_STATE_WORKING",
        "TASK_STATE_COMPLETED",
        "TASK_STATE_FAILED",
        "TASK_STATE_CANCELED",
        "TASK_STATE_CANCELLED",
        "TASK_STATE_REJECTED",
        "TASK_STATE_INPUT_REQUIRED",
        "TASK_STATE_AUTH_REQUIRED",
    }
)
_WORDS: Final[Mapping[str, frozenset[str]]] = {
    "kind": frozenset(
        {"task", "message", "status-update", "artifact-update", "text", "file", "data"}
    ),
    "role": frozenset({"user", "agent", "ROLE_USER", "ROLE_AGENT", "ROLE_UNSPECIFIED"}),
    "state": _STATES,
}
_IDS: Final = (
    "acceptedOutputModes",
    "accepted_output_modes",
    "artifactId",
    "contextId",
    "context_id",
    "extensions",
    "id",
    "mediaType",
    "messageId",
    "message_id",
    "mimeType",
    "mime_type",
    "nextPageToken",
    "pageToken",
    "parent",
    "referenceTaskIds",
    "reference_task_ids",
    "taskId",
    "task_id",
    "tenant",
    "timestamp",
)
_SETTINGS: Final = (
    "blocking",
    "historyLength",
    "history_length",
    "includeArtifacts",
    "pageSize",
    "pushNotification",
    "pushNotificationConfig",
    "pushNotificationConfigId",
    "push_notification",
    "push_notification_config",
    "returnImmediately",
    "taskPushNotificationConfig",
    "totalSize",
)
"""Webhooks among them: where clients want to be called, and how they know who calls."""
_NESTED: Final = (
    "artifact",
    "artifactUpdate",
    "artifacts",
    "configuration",
    "content",
    "error",
    "file",
    "history",
    "message",
    "parts",
    "request",
    "result",
    "status",
    "statusUpdate",
    "task",
    "tasks",
)
_TEXTS: Final = ("data", "description", "filename", "metadata", "name", "text")
_FILES: Final[Mapping[str, Unread]] = {
    "raw": Unread.FILE,
    "bytes": Unread.FILE,
    "fileWithBytes": Unread.FILE_TWICE,
    "file_with_bytes": Unread.FILE_TWICE,
    "url": Unread.DATA_URL,
    "uri": Unread.DATA_URL,
    "fileWithUri": Unread.DATA_URL,
    "file_with_uri": Unread.DATA_URL,
}


def _document() -> Fields:
    fields: dict[str, Rule] = Parts()
    fields.update(dict.fromkeys(_SETTINGS, _ALL))
    fields.update(dict.fromkeys(_IDS, Unread.STRING))
    fields.update(dict.fromkeys(_TEXTS, FREE))
    fields.update(dict.fromkeys(("append", "final", "lastChunk"), FREE))
    fields.update(_WORDS)
    fields.update(_FILES)
    fields.update(dict.fromkeys(_NESTED, fields))
    fields["code"] = _ALL
    return fields


DOCUMENT: Final = _document()
"""Of what is asked, and of what is answered, over HTTP+JSON and gRPC."""
ENVELOPE: Final[Fields] = {
    "jsonrpc": _ALL,
    "id": _ALL,
    "method": _ALL,
    "params": DOCUMENT,
    "result": DOCUMENT,
    "error": {"code": _ALL, "message": FREE, "data": FREE},
}
"""Of both in JSON-RPC."""


class _Still:
    """A rewording for which everything stands in one place."""

    def __init__(self, rewording: Rewording) -> None:
        self._rewording = rewording

    def text(self, text: str) -> str:
        return self._rewording.text(text)

    def across(self, pieces: Sequence[str]) -> Sequence[str]:
        return self._rewording.across(pieces)

    def fixed(self, text: str) -> None:
        self._rewording.fixed(text)


def texts_of(document: Mapping[str, object], shape: Fields) -> tuple[str, ...] | Deny:
    """All that it says, in order."""
    try:
        return walk.texts(document, shape)
    except InvalidJson as error:
        return unreadable(error)


def rewords(shape: Fields, scope: TextScope) -> Reword:
    """How documents of this shape are reworded, of which all stands in this scope."""

    def reword(body: bytes, rewording: Rewording) -> Reworded | Deny:
        if isinstance(rewording, Placed):
            rewording.at(scope)
            rewording = _Still(rewording)
        try:
            return walk.reword(body, shape, rewording)
        except InvalidJson as error:
            return unreadable(error)

    return reword


def unreadable(error: Exception) -> Deny:
    """What guards cannot read does not pass them."""
    reason = f"guards cannot read the message: {error}"
    return Deny(400, "unreadable_message", reason, by=By(PolicyKind.REQUEST))
