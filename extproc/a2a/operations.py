"""The operations of A2A, and what each is called in every binding and revision: one table.

Specification 1.0, "Method Mapping Reference" (https://a2a-protocol.org/v1.0.0/specification/), and
0.3.0, "Method Mapping" (https://a2a-protocol.org/v0.3.0/specification/).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from gateway.a2a import Revision

SERVICES: Final[Mapping[Revision, str]] = MappingProxyType(
    {Revision.V0_3: "a2a.v1.A2AService", Revision.V1_0: "lf.a2a.v1.A2AService"}
)
"""Of gRPC. The package of 0.3 was `a2a.v1`, too."""
TASKS: Final = "tasks"
PUSH_CONFIGS: Final = "pushNotificationConfigs"
V0_3_PREFIX: Final = "v1"
"""The first segment of all paths of 0.3; no tenant of 1.0 can be named so."""


class Operation(StrEnum):
    """What can be asked of an agent, by its name in 1.0."""

    SEND = "SendMessage"
    STREAM = "SendStreamingMessage"
    GET_TASK = "GetTask"
    LIST_TASKS = "ListTasks"
    """New in 1.0."""
    CANCEL_TASK = "CancelTask"
    SUBSCRIBE = "SubscribeToTask"
    CREATE_PUSH = "CreateTaskPushNotificationConfig"
    GET_PUSH = "GetTaskPushNotificationConfig"
    LIST_PUSH = "ListTaskPushNotificationConfigs"
    DELETE_PUSH = "DeleteTaskPushNotificationConfig"
    EXTENDED_CARD = "GetExtendedAgentCard"


class Shape(StrEnum):
    """Paths of HTTP+JSON, behind the agent's, the tenant's, and the prefix of 0.3."""

    SEND = "/message:send"
    STREAM = "/message:stream"
    TASKS = "/tasks"
    TASK = "/tasks/{id}"
    CANCEL = "/tasks/{id}:cancel"
    SUBSCRIBE = "/tasks/{id}:subscribe"
    PUSHES = "/tasks/{id}/pushNotificationConfigs"
    PUSH = "/tasks/{id}/pushNotificationConfigs/{push_id}"
    EXTENDED_CARD = "/extendedAgentCard"
    CARD = "/card"


class Names(Struct, frozen=True):
    """What an operation is called in a revision."""

    jsonrpc: str
    """The method."""
    http_methods: tuple[str, ...]
    """The first is what we say; others are accepted, since agents do."""
    shape: Shape
    grpc: str
    """The method of the service."""


class Row(Struct, frozen=True):
    """An operation."""

    names: Mapping[Revision, Names]
    """A revision that is not here does not have it."""
    is_stream: bool = False
    """Answered by events."""
    is_about_task: bool = False
    """It must name a task."""
    has_message: bool = False
    is_about_push: bool = False


_GET, _POST, _DELETE = ("GET",), ("POST",), ("DELETE",)
_SUBSCRIBES: Final = ("POST", "GET")
_V0_3, _V1_0 = Revision.V0_3, Revision.V1_0

OPERATIONS: Final[Mapping[Operation, Row]] = MappingProxyType(
    {
        Operation.SEND: Row(
            {
                _V0_3: Names("message/send", _POST, Shape.SEND, "SendMessage"),
                _V1_0: Names("SendMessage", _POST, Shape.SEND, "SendMessage"),
            },
            has_message=True,
        ),
        Operation.STREAM: Row(
            {
                _V0_3: Names("message/stream", _POST, Shape.STREAM, "SendStreamingMessage"),
                _V1_0: Names("SendStreamingMessage", _POST, Shape.STREAM, "SendStreamingMessage"),
            },
            is_stream=True,
            has_message=True,
        ),
        Operation.GET_TASK: Row(
            {
                _V0_3: Names("tasks/get", _GET, Shape.TASK, "GetTask"),
                _V1_0: Names("GetTask", _GET, Shape.TASK, "GetTask"),
            },
            is_about_task=True,
        ),
        Operation.LIST_TASKS: Row({_V1_0: Names("ListTasks", _GET, Shape.TASKS, "ListTasks")}),
        Operation.CANCEL_TASK: Row(
            {
                _V0_3: Names("tasks/cancel", _POST, Shape.CANCEL, "CancelTask"),
                _V1_0: Names("CancelTask", _POST, Shape.CANCEL, "CancelTask"),
            },
            is_about_task=True,
        ),
        Operation.SUBSCRIBE: Row(
            {
                # servers of 0.3 have it at GET alone, as its `.proto` does
                _V0_3: Names(
                    "tasks/resubscribe", _SUBSCRIBES[::-1], Shape.SUBSCRIBE, "TaskSubscription"
                ),
                _V1_0: Names("SubscribeToTask", _SUBSCRIBES, Shape.SUBSCRIBE, "SubscribeToTask"),
            },
            is_stream=True,
            is_about_task=True,
        ),
        Operation.CREATE_PUSH: Row(
            {
                _V0_3: Names(
                    "tasks/pushNotificationConfig/set",
                    _POST,
                    Shape.PUSHES,
                    "CreateTaskPushNotificationConfig",
                ),
                _V1_0: Names(
                    "CreateTaskPushNotificationConfig",
                    _POST,
                    Shape.PUSHES,
                    "CreateTaskPushNotificationConfig",
                ),
            },
            is_about_task=True,
            is_about_push=True,
        ),
        Operation.GET_PUSH: Row(
            {
                _V0_3: Names(
                    "tasks/pushNotificationConfig/get",
                    _GET,
                    Shape.PUSH,
                    "GetTaskPushNotificationConfig",
                ),
                _V1_0: Names(
                    "GetTaskPushNotificationConfig",
                    _GET,
                    Shape.PUSH,
                    "GetTaskPushNotificationConfig",
                ),
            },
            is_about_task=True,
            is_about_push=True,
        ),
        Operation.LIST_PUSH: Row(
            {
                _V0_3: Names(
                    "tasks/pushNotificationConfig/list",
                    _GET,
                    Shape.PUSHES,
                    "ListTaskPushNotificationConfig",
                ),
                _V1_0: Names(
                    "ListTaskPushNotificationConfigs",
                    _GET,
                    Shape.PUSHES,
                    "ListTaskPushNotificationConfigs",
                ),
            },
            is_about_task=True,
            is_about_push=True,
        ),
        Operation.DELETE_PUSH: Row(
            {
                _V0_3: Names(
                    "tasks/pushNotificationConfig/delete",
                    _DELETE,
                    Shape.PUSH,
                    "DeleteTaskPushNotificationConfig",
                ),
                _V1_0: Names(
                    "DeleteTaskPushNotificationConfig",
                    _DELETE,
                    Shape.PUSH,
                    "DeleteTaskPushNotificationConfig",
                ),
            },
            is_about_task=True,
            is_about_push=True,
        ),
        Operation.EXTENDED_CARD: Row(
            {
                _V0_3: Names(
                    "agent/getAuthenticatedExtendedCard", _GET, Shape.CARD, "GetAgentCard"
                ),
                _V1_0: Names(
                    "GetExtendedAgentCard", _GET, Shape.EXTENDED_CARD, "GetExtendedAgentCard"
                ),
            }
        ),
    }
)

JSONRPC_METHODS: Final[Mapping[str, tuple[Operation, Revision]]] = MappingProxyType(
    {
        names.jsonrpc: (operation, revision)
        for operation, row in OPERATIONS.items()
        for revision, names in row.names.items()
    }
)
"""No method has the same name in both revisions."""
HTTP_SHAPES: Final[Mapping[tuple[Revision, str, Shape], Operation]] = MappingProxyType(
    {
        (revision, method, names.shape): operation
        for operation, row in OPERATIONS.items()
        for revision, names in row.names.items()
        for method in names.http_methods
    }
)
GRPC_PATHS: Final[Mapping[str, tuple[Operation, Revision]]] = MappingProxyType(
    {
        f"/{SERVICES[revision]}/{names.grpc}": (operation, revision)
        for operation, row in OPERATIONS.items()
        for revision, names in row.names.items()
    }
)


def names(operation: Operation, revision: Revision) -> Names | None:
    """What it is called; None: the revision does not have it."""
    return OPERATIONS[operation].names.get(revision)


def grpc_path(operation: Operation, revision: Revision) -> str:
    """`/lf.a2a.v1.A2AService/GetTask`; `KeyError`: the revision does not have it."""
    return f"/{SERVICES[revision]}/{OPERATIONS[operation].names[revision].grpc}"
