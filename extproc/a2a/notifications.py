"""What agents post to webhooks, of either revision: read, and said in the client's.

A2A 1.0 §4.3.3: the events of a stream. 0.3.0 §7.5: a task. Which it is, the body says, since agents
that speak both say all clients the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from extproc.a2a.forms.answered import notification_down, notification_up
from extproc.a2a.forms.losses import Losses, Malformed
from extproc.a2a.forms.objects import EVENTS
from extproc.a2a.owners import shown
from extproc.a2a.substitution import in_event
from extproc.protocols import json_spans
from gateway.a2a import Revision

_OF_EVENTS: Final = frozenset(EVENTS.values())


class Notification(Struct, frozen=True):
    """One."""

    document: Mapping[str, object]
    revision: Revision
    task_id: str
    """Empty: it says none."""


def read(body: bytes) -> Notification:
    """`InvalidJson` and `Malformed`: it is none."""
    document = json_spans.decode_exactly(body)
    if not isinstance(document, dict):
        raise Malformed("a notification is an object")
    said = [name for name in document if name in _OF_EVENTS]
    if len(said) == 1:
        event = document[said[0]]
        members = event if isinstance(event, dict) else {}
        return Notification(document, Revision.V1_0, _task_id(members, is_task=said[0] == "task"))
    if said or not ("kind" in document or "status" in document):
        raise Malformed("a notification is a task, or an event of one")
    is_task = document.get("kind", "task") == "task"
    return Notification(document, Revision.V0_3, _task_id(document, is_task=is_task))


def said(notification: Notification, client: Revision, key: str, losses: Losses) -> bytes | None:
    """The body for a client of that revision; None: it is as the client wants it. `key`: whose the
    task is, where its id has to say so. Raises `Malformed`."""
    document: object = notification.document
    if notification.revision is not client:
        change = notification_up if client is Revision.V1_0 else notification_down
        document = change(notification.document, losses)
    elif not key:
        return None
    if client is Revision.V0_3 and isinstance(document, dict):
        document = {"kind": "task", **document}
    return json_spans.encode(in_event(document, shown(key)) if key else document)


def _task_id(members: Mapping[str, object], *, is_task: bool) -> str:
    value = members.get("id" if is_task else "taskId")
    return value if isinstance(value, str) else ""
