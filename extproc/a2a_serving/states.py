"""In which states the tasks are that an answer, or an event, tells of, in 1.0's words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from extproc.a2a.forms.objects import state_up
from extproc.a2a_serving.spots import artifact_update, payload, status_update


class TaskState(NamedTuple):
    """Of one task."""

    task_id: str
    context_id: str
    state: str
    """Empty: nothing says it."""


NO_TASK = TaskState("", "", "")


def states_of(document: dict[str, Any], *, is_jsonrpc: bool) -> tuple[TaskState, ...]:
    """At least one, which may be of nobody; of an error none."""
    event = payload(document, is_jsonrpc=is_jsonrpc)
    if "error" in document or (is_jsonrpc and not event):
        return ()
    return tuple(_states(event)) or (NO_TASK,)


def _states(event: Mapping[str, Any]) -> Iterator[TaskState]:
    tasks = event.get("tasks")
    if isinstance(tasks, list):
        yield from (_state(each, "id") for each in tasks if isinstance(each, dict))
        return
    update = status_update(dict(event)) or artifact_update(dict(event))
    if update is not None:
        yield _state(update, "taskId")
        return
    for name in ("task", "message"):
        inner = event.get(name)
        if isinstance(inner, dict):
            yield _state(inner, "id" if name == "task" else "taskId")
            return
    if "status" in event or event.get("kind") == "task":
        yield _state(event, "id")
    elif "role" in event:
        yield _state(event, "taskId")


def _state(holder: Mapping[str, Any], name: str) -> TaskState:
    status = holder.get("status")
    state = status.get("state") if isinstance(status, dict) else None
    said = state_up(state, []) if isinstance(state, str) else ""
    return TaskState(_text(holder.get(name)), _text(holder.get("contextId")), said)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
