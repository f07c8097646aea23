"""What is asked of an agent, by operation: documents of 0.3 as those of 1.0, and back.

The canonical form is 1.0's. Between two of 1.0 nothing changes; see `losses` for what 0.3 has not.
"""

from __future__ import annotations

from collections.abc import Mapping

from extproc.a2a.forms.losses import Loss, Losses, Lost, Malformed
from extproc.a2a.forms.objects import Document, message_down, message_up, moved, object_of
from extproc.a2a.operations import Operation
from extproc.a2a.places import Form, read_resource, resource

_NOTHING: Mapping[str, object] = {}
_PUSH = ("id", "url", "token")
_CONFIGURATION = ("acceptedOutputModes",)
_PUSHES = ("pushNotificationConfig", "pushNotification")


def request_up(
    operation: Operation, document: Mapping[str, object], form: Form, losses: Losses
) -> Mapping[str, object]:
    """What is asked, in 1.0. Raises `Malformed`."""
    if form is Form.V1_0:
        return document
    match operation:
        case Operation.SEND | Operation.STREAM:
            return _send_up(document, form, losses)
        case Operation.CREATE_PUSH:
            return created_up(document, form, losses)
        case Operation.EXTENDED_CARD:
            return moved(document, (), (), losses)
    handled = ("id", "name", "parent", "pushNotificationConfigId", "historyLength", "metadata")
    found = moved(document, (), (*handled, "pageSize", "pageToken"), losses)
    task_id, push_id = _ids(document, form)
    is_webhook = operation in (Operation.GET_PUSH, Operation.LIST_PUSH, Operation.DELETE_PUSH)
    found["taskId" if is_webhook else "id"] = task_id
    if is_webhook and push_id:
        found["id"] = push_id
    if operation is Operation.GET_TASK and document.get("historyLength"):
        found["historyLength"] = document["historyLength"]  # zero is all of it
    if operation is Operation.LIST_PUSH:
        found.update(
            {name: document[name] for name in ("pageSize", "pageToken") if name in document}
        )
    if document.get("metadata"):
        if operation is Operation.CANCEL_TASK:
            found["metadata"] = document["metadata"]
        else:
            losses.append(Lost(Loss.REQUEST_METADATA, "metadata"))
    return found


def request_down(
    operation: Operation, document: Mapping[str, object], form: Form, losses: Losses
) -> Mapping[str, object]:
    """What is asked, in that form. Raises `Malformed`."""
    if form is Form.V1_0:
        return document
    if document.get("tenant"):
        losses.append(Lost(Loss.TENANT, "tenant"))
    match operation:
        case Operation.SEND | Operation.STREAM:
            return _send_down(document, form, losses)
        case Operation.CREATE_PUSH:
            return created_down(document, form, losses, is_asked=True)
        case Operation.EXTENDED_CARD:
            return moved(document, (), ("tenant",), losses)
        case Operation.LIST_TASKS:
            raise Malformed("A2A 0.3 has no list of tasks")
    handled = ("tenant", "id", "taskId", "historyLength", "metadata", "pageSize", "pageToken")
    found = moved(document, (), handled, losses)
    is_webhook = operation in (Operation.GET_PUSH, Operation.LIST_PUSH, Operation.DELETE_PUSH)
    task_id = str(document.get("taskId" if is_webhook else "id") or "")
    push_id = str(document.get("id") or "") if is_webhook else ""
    if form is Form.V0_3:
        found["id"] = task_id
        if push_id:
            found["pushNotificationConfigId"] = push_id
    else:
        name = "parent" if operation is Operation.LIST_PUSH else "name"
        found[name] = resource(task_id, push_id)
    if operation is Operation.GET_TASK:
        _history_down(found, document, losses)
    if document.get("metadata"):
        _metadata_down(found, document["metadata"], form, losses)
    _page_down(found, document, form, losses)
    return found


def _metadata_down(found: Document, metadata: object, form: Form, losses: Losses) -> None:
    if form is Form.V0_3:
        found["metadata"] = metadata
    else:
        losses.append(Lost(Loss.REQUEST_METADATA, "metadata"))


def _page_down(found: Document, document: Mapping[str, object], form: Form, losses: Losses) -> None:
    for name in ("pageSize", "pageToken"):
        if document.get(name):
            if form is Form.V0_3_PROTO:
                found[name] = document[name]
            else:
                losses.append(Lost(Loss.PAGE, name))


def _history_down(found: Document, document: Mapping[str, object], losses: Losses) -> None:
    length = document.get("historyLength")
    if length is None:
        return
    if length == 0:  # which 0.3 takes for all of it
        losses.append(Lost(Loss.HISTORY_LENGTH_ZERO, "historyLength"))
        length = 1
    found["historyLength"] = length


def _ids(document: Mapping[str, object], form: Form) -> tuple[str, str]:
    if form is Form.V0_3:
        task_id, push_id = document.get("id"), document.get("pushNotificationConfigId")
        return _text(task_id), _text(push_id)
    name = document.get("name") or document.get("parent")
    return read_resource(_text(name))


def _text(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Malformed("an id is a text")
    return value


# --- messages ------------------------------------------------------------------------------


def _send_up(document: Mapping[str, object], form: Form, losses: Losses) -> Document:
    found = moved(document, ("metadata",), ("message", "configuration"), losses)
    found["message"] = message_up(document.get("message"), form, losses)
    said = document.get("configuration")
    if said is None and form is Form.V0_3:
        return found
    configuration = object_of(said or _NOTHING, "the configuration")
    handled = ("historyLength", "blocking", *_PUSHES)
    config = moved(configuration, _CONFIGURATION, handled, losses)
    if configuration.get("historyLength"):
        config["historyLength"] = configuration["historyLength"]
    is_blocking = configuration.get("blocking")
    if is_blocking is not None:
        config["returnImmediately"] = not is_blocking
    elif form is Form.V0_3_PROTO:  # what is not said is false there
        config["returnImmediately"] = True
    for name in _PUSHES:
        if configuration.get(name) is not None:
            config["taskPushNotificationConfig"] = push_up(configuration[name], losses)
    found["configuration"] = config
    return found


def _send_down(document: Mapping[str, object], form: Form, losses: Losses) -> Document:
    found = moved(document, ("metadata",), ("message", "configuration", "tenant"), losses)
    found["message"] = message_down(document.get("message"), form, losses)
    said = document.get("configuration")
    if said is None and form is Form.V0_3:
        return found
    configuration = object_of(said or _NOTHING, "the configuration")
    handled = ("historyLength", "returnImmediately", "taskPushNotificationConfig")
    config = moved(configuration, _CONFIGURATION, handled, losses)
    _history_down(config, configuration, losses)
    config["blocking"] = not configuration.get("returnImmediately")
    push = configuration.get("taskPushNotificationConfig")
    if push is not None:
        config[_PUSHES[0] if form is Form.V0_3 else _PUSHES[1]] = push_down(push, losses)
    found["configuration"] = config
    return found


# --- webhooks ------------------------------------------------------------------------------


def push_up(config: object, losses: Losses) -> Document:
    """A webhook of 0.3."""
    document = object_of(config, "a webhook")
    found = moved(document, _PUSH, ("authentication",), losses)
    said = document.get("authentication")
    if said is not None:
        authentication = object_of(said, "authentication")
        inner = moved(authentication, ("credentials",), ("schemes",), losses)
        schemes = authentication.get("schemes")
        if isinstance(schemes, list) and schemes:
            inner["scheme"] = schemes[0]
            if len(schemes) > 1:
                losses.append(Lost(Loss.SEVERAL_SCHEMES, "schemes"))
        found["authentication"] = inner
    return found


def push_down(config: object, losses: Losses) -> Document:
    """A webhook of 1.0, without its task."""
    document = object_of(config, "a webhook")
    found = moved(document, _PUSH, ("authentication", "tenant", "taskId"), losses)
    found.setdefault("url", "")
    said = document.get("authentication")
    if said is not None:
        authentication = object_of(said, "authentication")
        inner = moved(authentication, ("credentials",), ("scheme",), losses)
        scheme = authentication.get("scheme")
        inner["schemes"] = [scheme] if scheme else []
        found["authentication"] = inner
    return found


def created_up(document: Mapping[str, object], form: Form, losses: Losses) -> Document:
    """A webhook of a task, asked for or told."""
    if form is Form.V0_3:
        found = moved(document, ("taskId",), ("pushNotificationConfig",), losses)
        return {**push_up(document.get("pushNotificationConfig"), losses), **found}
    inner = object_of(document.get("config", document), "a webhook")
    names = ("parent", "configId", "config", "name", "pushNotificationConfig")
    moved(document, (), names, losses)
    if inner is not document:
        moved(inner, (), ("name", "pushNotificationConfig"), losses)
    found = push_up(inner.get("pushNotificationConfig") or _NOTHING, losses)
    task_id, push_id = read_resource(_text(inner.get("name")))
    asked_id, _ = read_resource(_text(document.get("parent")))
    found["taskId"] = asked_id or task_id
    push_id = _text(document.get("configId")) or push_id
    if push_id and not found.get("id"):
        found["id"] = push_id
    return found


def created_down(
    document: Mapping[str, object], form: Form, losses: Losses, *, is_asked: bool
) -> Document:
    """The same of 1.0; asked for in protobuf of 0.3, it has a frame around it."""
    push = push_down(document, losses)
    task_id, push_id = _text(document.get("taskId")), _text(document.get("id"))
    if form is Form.V0_3:
        return {"taskId": task_id, "pushNotificationConfig": push}
    told: Document = {
        "name": resource(task_id, push_id),
        "pushNotificationConfig": push,
    }
    if not is_asked:
        return told
    framed: Document = {"parent": resource(task_id), "config": told}
    if push_id:
        framed["configId"] = push_id
    return framed
