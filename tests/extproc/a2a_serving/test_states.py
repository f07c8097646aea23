from __future__ import annotations

from typing import Any

import pytest

from extproc.a2a_serving.states import NO_TASK, TaskState, states_of

WORKING = {"state": "TASK_STATE_WORKING"}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (
            {"task": {"id": "t", "contextId": "c", "status": WORKING}},
            [TaskState("t", "c", "TASK_STATE_WORKING")],
        ),
        ({"id": "t", "status": WORKING}, [TaskState("t", "", "TASK_STATE_WORKING")]),
        (
            {"kind": "task", "id": "t", "status": {"state": "input-required"}},
            [TaskState("t", "", "TASK_STATE_INPUT_REQUIRED")],
        ),
        (
            {"statusUpdate": {"taskId": "t", "status": {"state": "TASK_STATE_CANCELLED"}}},
            [TaskState("t", "", "TASK_STATE_CANCELED")],
        ),
        (
            {"kind": "status-update", "taskId": "t", "status": {"state": "odd"}},
            [TaskState("t", "", "TASK_STATE_UNSPECIFIED")],
        ),
        ({"artifactUpdate": {"taskId": "t", "artifact": {}}}, [TaskState("t", "", "")]),
        ({"message": {"taskId": "t", "contextId": "c"}}, [TaskState("t", "c", "")]),
        ({"role": "agent", "kind": "message", "contextId": "c"}, [TaskState("", "c", "")]),
        (
            {"tasks": [{"id": "a", "status": WORKING}, {"id": "b"}]},
            [TaskState("a", "", "TASK_STATE_WORKING"), TaskState("b", "", "")],
        ),
        ({"tasks": []}, [NO_TASK]),
        ({"configs": []}, [NO_TASK]),
        ({"error": {"code": 1}}, []),
    ],
)
def test_each_task_has_its_state_in_words_of_1_0(
    document: dict[str, Any], expected: list[TaskState]
) -> None:
    assert list(states_of(document, is_jsonrpc=False)) == expected
    if "error" in document:
        assert states_of(document, is_jsonrpc=True) == ()
    else:
        assert list(states_of({"result": document}, is_jsonrpc=True)) == expected
