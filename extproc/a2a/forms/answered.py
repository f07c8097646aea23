"""What agents answer, by operation: results of 0.3 as those of 1.0, and back.

Cards pass as they are: `cards` reads and writes them for both revisions.
"""

from __future__ import annotations

from collections.abc import Mapping

from extproc.a2a.forms.asked import created_down, created_up
from extproc.a2a.forms.losses import Loss, Losses, Lost, Malformed
from extproc.a2a.forms.objects import (
    EVENTS,
    event_down,
    event_up,
    list_of,
    moved,
    object_of,
    task_down,
    task_up,
)
from extproc.a2a.operations import Operation
from extproc.a2a.places import Form

_NOTHING: Mapping[str, object] = {}


def result_up(operation: Operation, result: object, form: Form, losses: Losses) -> object:
    """A result, or an event of a stream, in 1.0. Raises `Malformed`."""
    if form is Form.V1_0:
        return _NOTHING if operation is Operation.DELETE_PUSH else result
    match operation:
        case Operation.SEND | Operation.STREAM | Operation.SUBSCRIBE:
            return event_up(result, form, losses)
        case Operation.GET_TASK | Operation.CANCEL_TASK:
            return task_up(result, form, losses)
        case Operation.CREATE_PUSH | Operation.GET_PUSH:
            return created_up(object_of(result, "a webhook"), form, losses)
        case Operation.LIST_PUSH:
            return _list_up(result, form, losses)
        case Operation.DELETE_PUSH:
            return _NOTHING
        case Operation.EXTENDED_CARD:
            return result
        case Operation.LIST_TASKS:
            raise Malformed("A2A 0.3 has no list of tasks")


def result_down(operation: Operation, result: object, form: Form, losses: Losses) -> object:
    """A result, or an event, in that form. Raises `Malformed`."""
    if form is Form.V1_0:
        return result
    match operation:
        case Operation.SEND | Operation.STREAM | Operation.SUBSCRIBE:
            return event_down(result, form, losses)
        case Operation.GET_TASK | Operation.CANCEL_TASK:
            return task_down(result, form, losses)
        case Operation.CREATE_PUSH | Operation.GET_PUSH:
            config = object_of(result, "a webhook")
            return created_down(config, form, losses, is_asked=False)
        case Operation.LIST_PUSH:
            return _list_down(result, form, losses)
        case Operation.DELETE_PUSH:
            return None if form is Form.V0_3 else _NOTHING
        case Operation.EXTENDED_CARD:
            return result
        case Operation.LIST_TASKS:
            raise Malformed("A2A 0.3 has no list of tasks")


def _list_up(result: object, form: Form, losses: Losses) -> object:
    if form is Form.V0_3:
        configs, found = list_of(result, "webhooks"), {}
    else:
        document = object_of(result, "webhooks")
        configs = list_of(document.get("configs"), "webhooks")
        found = moved(document, ("nextPageToken",), ("configs",), losses)
    found["configs"] = [created_up(object_of(each, "a webhook"), form, losses) for each in configs]
    return found


def _list_down(result: object, form: Form, losses: Losses) -> object:
    document = object_of(result, "webhooks")
    configs = [
        created_down(object_of(each, "a webhook"), form, losses, is_asked=False)
        for each in list_of(document.get("configs"), "webhooks")
    ]
    found = moved(document, ("nextPageToken",), ("configs",), losses)
    if form is Form.V0_3_PROTO:
        return {"configs": configs, **found}
    if found.get("nextPageToken"):
        losses.append(Lost(Loss.PAGE, "nextPageToken"))
    return configs


# --- what agents call webhooks with --------------------------------------------------------


def notification_up(body: object, losses: Losses) -> Mapping[str, object]:
    """What an agent of 0.3 posts: a task; here also an update or a message, by its kind."""
    document = object_of(body, "a notification")
    if "kind" not in document:
        document = {**document, "kind": "task"}
    return event_up(document, Form.V0_3, losses)


def notification_down(body: object, losses: Losses) -> Mapping[str, object]:
    """What an agent of 1.0 posts, as a client of 0.3 expects it: a task wherever there is one. A
    new status is a task that has it, a new artifact one that has it and works."""
    document = object_of(body, "a notification")
    said = [name for name in EVENTS.values() if document.get(name) is not None]
    if said not in (["statusUpdate"], ["artifactUpdate"]):
        return event_down(document, Form.V0_3, losses)
    update = object_of(document[said[0]], "an update")
    task: dict[str, object] = {
        "id": update.get("taskId"),
        "contextId": update.get("contextId"),
        "metadata": update.get("metadata"),
        "status": update.get("status") or {"state": "TASK_STATE_WORKING"},
    }
    if update.get("artifact") is not None:
        task["artifacts"] = [update["artifact"]]
    return task_down(task, Form.V0_3, losses)
