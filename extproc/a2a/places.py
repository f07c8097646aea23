"""Where requests of A2A say what the gateway reads and changes, in every form of a document.

A table for each form, since the forms have nothing else in common. A path is the names of members,
or in protobuf the numbers of fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeAlias

from msgspec import Struct

from extproc.a2a.operations import PUSH_CONFIGS, TASKS, Operation
from gateway.a2a import Binding, Revision

Names: TypeAlias = tuple[str, ...]
Numbers: TypeAlias = tuple[int, ...]


class Form(StrEnum):
    """What a document looks like."""

    V1_0 = "1.0"
    """In all bindings."""
    V0_3 = "0.3"
    """Of JSON-RPC: what something is, its `kind` says."""
    V0_3_PROTO = "0.3-proto"
    """Of gRPC, and of HTTP+JSON as the SDKs of 0.3 write it: tasks are named `tasks/{id}`."""


class Places(Struct, frozen=True):
    """Of one operation; an empty path: it does not say that."""

    task_id: Names = ()
    context_id: Names = ()
    tenant: Names = ()
    push_id: Names = ()
    push_url: Names = ()
    push_token: Names = ()
    reference_task_ids: Names = ()
    resource: Names = ()
    """Of the name of a task, or of its webhook."""


class Fields(Struct, frozen=True):
    """The same in protobuf."""

    task_id: Numbers = ()
    context_id: Numbers = ()
    tenant: Numbers = ()
    push_id: Numbers = ()
    push_url: Numbers = ()
    push_token: Numbers = ()
    reference_task_ids: Numbers = ()
    resource: Numbers = ()


_SEND_1_0 = Places(
    task_id=("message", "taskId"),
    context_id=("message", "contextId"),
    tenant=("tenant",),
    push_id=("configuration", "taskPushNotificationConfig", "id"),
    push_url=("configuration", "taskPushNotificationConfig", "url"),
    push_token=("configuration", "taskPushNotificationConfig", "token"),
    reference_task_ids=("message", "referenceTaskIds"),
)
_TASK_1_0 = Places(task_id=("id",), tenant=("tenant",))
_PUSH_1_0 = Places(task_id=("taskId",), tenant=("tenant",), push_id=("id",))
_SEND_0_3 = Places(
    task_id=("message", "taskId"),
    context_id=("message", "contextId"),
    push_id=("configuration", "pushNotificationConfig", "id"),
    push_url=("configuration", "pushNotificationConfig", "url"),
    push_token=("configuration", "pushNotificationConfig", "token"),
    reference_task_ids=("message", "referenceTaskIds"),
)
_TASK_0_3 = Places(task_id=("id",))
_PUSH_0_3 = Places(task_id=("id",), push_id=("pushNotificationConfigId",))
_SEND_PROTO = Places(
    task_id=("message", "taskId"),
    context_id=("message", "contextId"),
    push_id=("configuration", "pushNotification", "id"),
    push_url=("configuration", "pushNotification", "url"),
    push_token=("configuration", "pushNotification", "token"),
)
_NAMED = Places(resource=("name",))

PLACES: Final[Mapping[Form, Mapping[Operation, Places]]] = MappingProxyType(
    {
        Form.V1_0: {
            Operation.SEND: _SEND_1_0,
            Operation.STREAM: _SEND_1_0,
            Operation.GET_TASK: _TASK_1_0,
            Operation.LIST_TASKS: Places(context_id=("contextId",), tenant=("tenant",)),
            Operation.CANCEL_TASK: _TASK_1_0,
            Operation.SUBSCRIBE: _TASK_1_0,
            Operation.CREATE_PUSH: Places(
                task_id=("taskId",),
                tenant=("tenant",),
                push_id=("id",),
                push_url=("url",),
                push_token=("token",),
            ),
            Operation.GET_PUSH: _PUSH_1_0,
            Operation.LIST_PUSH: Places(task_id=("taskId",), tenant=("tenant",)),
            Operation.DELETE_PUSH: _PUSH_1_0,
            Operation.EXTENDED_CARD: Places(tenant=("tenant",)),
        },
        Form.V0_3: {
            Operation.SEND: _SEND_0_3,
            Operation.STREAM: _SEND_0_3,
            Operation.GET_TASK: _TASK_0_3,
            Operation.CANCEL_TASK: _TASK_0_3,
            Operation.SUBSCRIBE: _TASK_0_3,
            Operation.CREATE_PUSH: Places(
                task_id=("taskId",),
                push_id=("pushNotificationConfig", "id"),
                push_url=("pushNotificationConfig", "url"),
                push_token=("pushNotificationConfig", "token"),
            ),
            Operation.GET_PUSH: _PUSH_0_3,
            Operation.LIST_PUSH: _TASK_0_3,
            Operation.DELETE_PUSH: _PUSH_0_3,
            Operation.EXTENDED_CARD: Places(),
        },
        Form.V0_3_PROTO: {
            Operation.SEND: _SEND_PROTO,
            Operation.STREAM: _SEND_PROTO,
            Operation.GET_TASK: _NAMED,
            Operation.CANCEL_TASK: _NAMED,
            Operation.SUBSCRIBE: _NAMED,
            Operation.CREATE_PUSH: Places(
                push_id=("configId",),
                push_url=("config", "pushNotificationConfig", "url"),
                push_token=("config", "pushNotificationConfig", "token"),
                resource=("parent",),
            ),
            Operation.GET_PUSH: _NAMED,
            Operation.LIST_PUSH: Places(resource=("parent",)),
            Operation.DELETE_PUSH: _NAMED,
            Operation.EXTENDED_CARD: Places(),
        },
    }
)

_SEND_FIELDS_1_0 = Fields(
    task_id=(2, 3),
    context_id=(2, 2),
    tenant=(1,),
    push_id=(3, 2, 2),
    push_url=(3, 2, 4),
    push_token=(3, 2, 5),
    reference_task_ids=(2, 8),
)
_TASK_FIELDS_1_0 = Fields(task_id=(2,), tenant=(1,))
_PUSH_FIELDS_1_0 = Fields(task_id=(2,), tenant=(1,), push_id=(3,))
_SEND_FIELDS_0_3 = Fields(
    task_id=(1, 3), context_id=(1, 2), push_id=(2, 2, 1), push_url=(2, 2, 2), push_token=(2, 2, 3)
)
_NAMED_FIELDS = Fields(resource=(1,))

FIELDS: Final[Mapping[Revision, Mapping[Operation, Fields]]] = MappingProxyType(
    {
        Revision.V1_0: {
            Operation.SEND: _SEND_FIELDS_1_0,
            Operation.STREAM: _SEND_FIELDS_1_0,
            Operation.GET_TASK: _TASK_FIELDS_1_0,
            Operation.LIST_TASKS: Fields(context_id=(2,), tenant=(1,)),
            Operation.CANCEL_TASK: _TASK_FIELDS_1_0,
            Operation.SUBSCRIBE: _TASK_FIELDS_1_0,
            Operation.CREATE_PUSH: Fields(
                task_id=(3,), tenant=(1,), push_id=(2,), push_url=(4,), push_token=(5,)
            ),
            Operation.GET_PUSH: _PUSH_FIELDS_1_0,
            Operation.LIST_PUSH: Fields(task_id=(1,), tenant=(4,)),
            Operation.DELETE_PUSH: _PUSH_FIELDS_1_0,
            Operation.EXTENDED_CARD: Fields(tenant=(1,)),
        },
        Revision.V0_3: {
            Operation.SEND: _SEND_FIELDS_0_3,
            Operation.STREAM: _SEND_FIELDS_0_3,
            Operation.GET_TASK: _NAMED_FIELDS,
            Operation.CANCEL_TASK: _NAMED_FIELDS,
            Operation.SUBSCRIBE: _NAMED_FIELDS,
            Operation.CREATE_PUSH: Fields(
                push_id=(2,), push_url=(3, 2, 2), push_token=(3, 2, 3), resource=(1,)
            ),
            Operation.GET_PUSH: _NAMED_FIELDS,
            Operation.LIST_PUSH: _NAMED_FIELDS,
            Operation.DELETE_PUSH: _NAMED_FIELDS,
            Operation.EXTENDED_CARD: Fields(),
        },
    }
)

MESSAGES: Final[Mapping[Revision, Mapping[Operation, str]]] = MappingProxyType(
    {
        Revision.V1_0: {
            Operation.SEND: "SendMessageRequest",
            Operation.STREAM: "SendMessageRequest",
            Operation.GET_TASK: "GetTaskRequest",
            Operation.LIST_TASKS: "ListTasksRequest",
            Operation.CANCEL_TASK: "CancelTaskRequest",
            Operation.SUBSCRIBE: "SubscribeToTaskRequest",
            Operation.CREATE_PUSH: "TaskPushNotificationConfig",
            Operation.GET_PUSH: "GetTaskPushNotificationConfigRequest",
            Operation.LIST_PUSH: "ListTaskPushNotificationConfigsRequest",
            Operation.DELETE_PUSH: "DeleteTaskPushNotificationConfigRequest",
            Operation.EXTENDED_CARD: "GetExtendedAgentCardRequest",
        },
        Revision.V0_3: {
            Operation.SEND: "SendMessageRequest",
            Operation.STREAM: "SendMessageRequest",
            Operation.GET_TASK: "GetTaskRequest",
            Operation.CANCEL_TASK: "CancelTaskRequest",
            Operation.SUBSCRIBE: "TaskSubscriptionRequest",
            Operation.CREATE_PUSH: "CreateTaskPushNotificationConfigRequest",
            Operation.GET_PUSH: "GetTaskPushNotificationConfigRequest",
            Operation.LIST_PUSH: "ListTaskPushNotificationConfigRequest",
            Operation.DELETE_PUSH: "DeleteTaskPushNotificationConfigRequest",
            Operation.EXTENDED_CARD: "GetAgentCardRequest",
        },
    }
)
"""What gRPC is asked with."""
_NO_RESOURCE = ("", "")


def form(binding: Binding, revision: Revision) -> Form:
    """How documents look."""
    if revision is Revision.V1_0:
        return Form.V1_0
    return Form.V0_3 if binding is Binding.JSONRPC else Form.V0_3_PROTO


def resource(task_id: str, push_id: str = "") -> str:
    """`tasks/{id}`, or `tasks/{id}/pushNotificationConfigs/{push_id}`."""
    name = f"{TASKS}/{task_id}"
    return f"{name}/{PUSH_CONFIGS}/{push_id}" if push_id else name


def read_resource(name: str) -> tuple[str, str]:
    """The ids of a task and of its webhook, which may be empty; both are: it is no such name."""
    match name.split("/"):
        case ["tasks", task_id]:
            return task_id, ""
        case ["tasks", task_id, "pushNotificationConfigs", push_id] if task_id:
            return task_id, push_id
    return _NO_RESOURCE
