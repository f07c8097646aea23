"""What of A2A documents is text, of clients and agents, in all their forms, and how to reword it.

As in conversations, all is read but what is known to be structure: ids, kinds, states, counts,
webhooks. Texts, data and metadata are read with their keys, and numbers as they are spelled; of
files their names, their URLs, and what is text in them. Members that nobody knows are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from extproc.llm.shapes import FREE, Fields, Parts, Rule, Unread

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
