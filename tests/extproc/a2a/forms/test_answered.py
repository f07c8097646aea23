"""Results between the revisions."""

from __future__ import annotations

from typing import Any

import pytest
from a2a.compat.v0_3 import types as types_v03

from extproc.a2a.forms import answered, protobuf
from extproc.a2a.forms.losses import Loss, Losses, Lost, Malformed
from extproc.a2a.forms.protobuf import V0_3
from extproc.a2a.operations import Operation
from extproc.a2a.places import Form

TASK: dict[str, Any] = {
    "id": "t",
    "contextId": "c",
    "status": {"state": "TASK_STATE_WORKING"},
    "history": [{"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "hi"}]}],
}
MESSAGE: dict[str, Any] = {"messageId": "m", "role": "ROLE_AGENT", "parts": [{"text": "hi"}]}
WEBHOOK: dict[str, Any] = {"taskId": "t", "id": "p", "url": "u"}
RESULTS: list[tuple[Operation, Any, str]] = [
    (Operation.SEND, {"task": TASK}, "SendMessageResponse"),
    (Operation.SEND, {"message": MESSAGE}, "SendMessageResponse"),
    (Operation.STREAM, {"message": MESSAGE}, "StreamResponse"),
    (
        Operation.SUBSCRIBE,
        {
            "artifactUpdate": {
                "taskId": "t",
                "contextId": "c",
                "artifact": {"artifactId": "a", "parts": [{"url": "u"}]},
                "append": True,
            }
        },
        "StreamResponse",
    ),
    (Operation.GET_TASK, TASK, "Task"),
    (Operation.CANCEL_TASK, TASK, "Task"),
    (Operation.CREATE_PUSH, WEBHOOK, "TaskPushNotificationConfig"),
    (Operation.GET_PUSH, WEBHOOK, "TaskPushNotificationConfig"),
    (Operation.LIST_PUSH, {"configs": [WEBHOOK]}, "ListTaskPushNotificationConfigResponse"),
    (Operation.LIST_PUSH, {"configs": []}, "ListTaskPushNotificationConfigResponse"),
    (Operation.DELETE_PUSH, {}, ""),
    (Operation.EXTENDED_CARD, {"name": "a"}, ""),
]


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize(("operation", "result", "name"), RESULTS)
def test_results_come_back(operation: Operation, result: Any, name: str, form: Form) -> None:
    losses: Losses = []
    said = answered.result_down(operation, result, form, losses)
    if form is Form.V0_3_PROTO and name:
        assert isinstance(said, dict)
        said = protobuf.decode(V0_3 + name, protobuf.encode(V0_3 + name, said, losses))
    assert answered.result_up(operation, said, form, losses) == result
    assert losses == []


def test_results_of_0_3_are_what_its_sdk_reads() -> None:
    def down(operation: Operation, result: Any) -> Any:
        return answered.result_down(operation, result, Form.V0_3, [])

    types_v03.Task.model_validate(down(Operation.GET_TASK, TASK))
    types_v03.Message.model_validate(down(Operation.SEND, {"message": MESSAGE}))
    types_v03.TaskPushNotificationConfig.model_validate(down(Operation.GET_PUSH, WEBHOOK))
    (config,) = down(Operation.LIST_PUSH, {"configs": [WEBHOOK]})
    types_v03.TaskPushNotificationConfig.model_validate(config)
    assert down(Operation.DELETE_PUSH, {}) is None


def test_pages_of_webhooks_are_lost_in_jsonrpc_of_0_3() -> None:
    losses: Losses = []
    result = {"configs": [], "nextPageToken": "n"}
    assert answered.result_down(Operation.LIST_PUSH, result, Form.V0_3, losses) == []
    assert losses == [Lost(Loss.PAGE, "nextPageToken")]


@pytest.mark.parametrize(
    ("operation", "result"),
    [
        (Operation.SEND, None),
        (Operation.SEND, {"kind": "dance"}),
        (Operation.GET_TASK, []),
        (Operation.GET_PUSH, "x"),
        (Operation.LIST_PUSH, {}),
        (Operation.LIST_TASKS, {}),
    ],
)
def test_what_is_no_result_is_told(operation: Operation, result: Any) -> None:
    with pytest.raises(Malformed):
        answered.result_up(operation, result, Form.V0_3, [])


# --- notifications -------------------------------------------------------------------------


def test_a_task_that_an_agent_of_0_3_posts_is_an_event_of_1_0() -> None:
    old = answered.result_down(Operation.GET_TASK, TASK, Form.V0_3, [])
    assert isinstance(old, dict)
    assert answered.notification_up(old, []) == {"task": TASK}
    del old["kind"]
    assert answered.notification_up(old, []) == {"task": TASK}


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"task": TASK}, {"id": "t", "state": "working", "artifacts": 0}),
        (
            {
                "statusUpdate": {
                    "taskId": "t",
                    "contextId": "c",
                    "status": {"state": "TASK_STATE_COMPLETED"},
                }
            },
            {"id": "t", "state": "completed", "artifacts": 0},
        ),
        (
            {
                "artifactUpdate": {
                    "taskId": "t",
                    "contextId": "c",
                    "artifact": {"artifactId": "a", "parts": []},
                }
            },
            {"id": "t", "state": "working", "artifacts": 1},
        ),
    ],
)
def test_clients_of_0_3_are_posted_tasks(event: Any, expected: dict[str, Any]) -> None:
    task = types_v03.Task.model_validate(answered.notification_down(event, []))
    found = {"id": task.id, "state": task.status.state, "artifacts": len(task.artifacts or [])}
    assert found == expected


def test_a_message_stays_one() -> None:
    posted = answered.notification_down({"message": MESSAGE}, [])
    assert types_v03.Message.model_validate(posted).message_id == "m"
    assert answered.notification_up(posted, []) == {"message": MESSAGE}
