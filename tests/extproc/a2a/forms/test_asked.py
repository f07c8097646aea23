"""Requests between the revisions: laws, and the official SDK as an oracle."""

from __future__ import annotations

from typing import Any

import pytest
from a2a.compat.v0_3 import conversions
from a2a.compat.v0_3 import types as types_v03
from a2a.types import a2a_pb2
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from extproc.a2a.forms import asked, objects, protobuf
from extproc.a2a.forms.losses import Loss, Losses, Lost, Malformed
from extproc.a2a.forms.protobuf import V0_3, V1_0
from extproc.a2a.operations import OPERATIONS, Operation
from extproc.a2a.places import MESSAGES, Form
from gateway.a2a import Revision
from tests.kit.a2a_documents import sends

FORMS = [Form.V0_3, Form.V0_3_PROTO]
REQUESTS: dict[Operation, dict[str, Any]] = {
    Operation.GET_TASK: {"id": "t", "historyLength": 3},
    Operation.CANCEL_TASK: {"id": "t"},
    Operation.SUBSCRIBE: {"id": "t"},
    Operation.CREATE_PUSH: {
        "taskId": "t",
        "id": "p",
        "url": "u",
        "token": "s",
        "authentication": {"scheme": "Bearer", "credentials": "c"},
    },
    Operation.GET_PUSH: {"taskId": "t", "id": "p"},
    Operation.LIST_PUSH: {"taskId": "t"},
    Operation.DELETE_PUSH: {"taskId": "t", "id": "p"},
    Operation.EXTENDED_CARD: {},
}


def through_protobuf(operation: Operation, document: Any, losses: Losses) -> Any:
    name = V0_3 + MESSAGES[Revision.V0_3][operation]
    return protobuf.decode(name, protobuf.encode(name, document, losses))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("operation", REQUESTS)
def test_requests_go_to_0_3_and_come_back(operation: Operation, form: Form) -> None:
    losses: Losses = []
    said = asked.request_down(operation, REQUESTS[operation], form, losses)
    if form is Form.V0_3_PROTO:
        said = through_protobuf(operation, said, losses)
    assert asked.request_up(operation, said, form, losses) == REQUESTS[operation]
    assert losses == []


@pytest.mark.parametrize("operation", [Operation.SEND, *REQUESTS])
def test_nothing_changes_within_1_0(operation: Operation) -> None:
    document = REQUESTS.get(operation, {"message": {}})
    assert asked.request_up(operation, document, Form.V1_0, []) is document
    assert asked.request_down(operation, document, Form.V1_0, []) is document


def parsed(document: Any) -> a2a_pb2.SendMessageRequest:
    said = protobuf.encode(V1_0 + "SendMessageRequest", document, [])
    request = a2a_pb2.SendMessageRequest.FromString(said)
    request.configuration.SetInParent()  # which says nothing more when it is empty
    return request


@given(sends, st.sampled_from(FORMS))
def test_messages_go_to_0_3_and_come_back(document: dict[str, Any], form: Form) -> None:
    losses: Losses = []
    said = asked.request_down(Operation.SEND, document, form, losses)
    if form is Form.V0_3_PROTO:
        said = through_protobuf(Operation.SEND, said, losses)
    back = asked.request_up(Operation.SEND, said, form, [])
    if {each.what for each in losses} - {Loss.DATA_WRAPPED, Loss.NUMBER_PRECISION}:
        return
    assert parsed(back) == parsed(document)


def is_said_by_the_sdk(document: dict[str, Any]) -> bool:
    """Data that is no object is said otherwise by it."""
    parts = document["message"].get("parts", [])
    return all(isinstance(each.get("data", {}), dict) for each in parts)


@given(sends.filter(is_said_by_the_sdk))
def test_the_sdk_reads_messages_of_0_3_alike(document: dict[str, Any]) -> None:
    said = asked.request_down(Operation.SEND, document, Form.V0_3, [])
    params = types_v03.MessageSendParams.model_validate(said)
    theirs = conversions.to_core_send_message_request(
        types_v03.SendMessageRequest(id=1, params=params)
    )
    theirs.configuration.SetInParent()
    ours = parsed(asked.request_up(Operation.SEND, said, Form.V0_3, []))
    for each in (ours, theirs):
        clear(each)
    assert ours == theirs


def clear(request: a2a_pb2.SendMessageRequest) -> None:
    """Empty metadata, which one of them leaves out."""
    for holder in (request, request.message):
        if not holder.metadata.fields:
            holder.ClearField("metadata")
    config = request.configuration.task_push_notification_config
    if not config.authentication.ByteSize():
        config.ClearField("authentication")
    request.configuration.task_push_notification_config.SetInParent()


def rounded(value: Any) -> Any:
    """Numbers as Protocol Buffers have them, by which the SDK goes."""
    match value:
        case dict():
            return {key: rounded(each) for key, each in value.items()}
        case list():
            return [rounded(each) for each in value]
        case int() if not isinstance(value, bool):
            return float(value)
    return value


@given(sends.filter(is_said_by_the_sdk))
def test_the_sdk_says_messages_alike_to_0_3(document: dict[str, Any]) -> None:
    core = json_format.ParseDict(document, a2a_pb2.SendMessageRequest())
    theirs = conversions.to_compat_send_message_request(core, 1).params
    ours = types_v03.MessageSendParams.model_validate(
        asked.request_down(Operation.SEND, document, Form.V0_3, [])
    )
    assert rounded(ours.message.model_dump()["parts"]) == theirs.message.model_dump()["parts"]
    assert ours.message.role == theirs.message.role
    if theirs.configuration is not None:
        assert ours.configuration is not None
        assert ours.configuration.blocking == theirs.configuration.blocking
        assert ours.configuration.history_length == theirs.configuration.history_length


@pytest.mark.parametrize(
    ("operation", "document", "form", "loss"),
    [
        (Operation.GET_TASK, {"id": "t", "tenant": "a"}, Form.V0_3, Lost(Loss.TENANT, "tenant")),
        (
            Operation.GET_TASK,
            {"id": "t", "historyLength": 0},
            Form.V0_3,
            Lost(Loss.HISTORY_LENGTH_ZERO, "historyLength"),
        ),
        (
            Operation.LIST_PUSH,
            {"taskId": "t", "pageSize": 5},
            Form.V0_3,
            Lost(Loss.PAGE, "pageSize"),
        ),
        (
            Operation.CANCEL_TASK,
            {"id": "t", "metadata": {"a": 1}},
            Form.V0_3_PROTO,
            Lost(Loss.REQUEST_METADATA, "metadata"),
        ),
        (
            Operation.SUBSCRIBE,
            {"id": "t", "speed": 1},
            Form.V0_3,
            Lost(Loss.UNKNOWN_MEMBER, "speed"),
        ),
        (
            Operation.SEND,
            {"message": {"referenceTaskIds": ["r"]}},
            Form.V0_3_PROTO,
            Lost(Loss.REFERENCE_TASK_IDS, "referenceTaskIds"),
        ),
    ],
)
def test_what_0_3_cannot_ask_is_told(
    operation: Operation, document: Any, form: Form, loss: Lost
) -> None:
    losses: Losses = []
    asked.request_down(operation, document, form, losses)
    assert losses == [loss]


@pytest.mark.parametrize(
    ("operation", "document", "loss"),
    [
        (
            Operation.CREATE_PUSH,
            {
                "taskId": "t",
                "pushNotificationConfig": {"authentication": {"schemes": ["Basic", "Bearer"]}},
            },
            Lost(Loss.SEVERAL_SCHEMES, "schemes"),
        ),
        (
            Operation.GET_TASK,
            {"id": "t", "metadata": {"a": 1}},
            Lost(Loss.REQUEST_METADATA, "metadata"),
        ),
        (Operation.EXTENDED_CARD, {"x": 1}, Lost(Loss.UNKNOWN_MEMBER, "x")),
    ],
)
def test_what_1_0_cannot_ask_is_told(operation: Operation, document: Any, loss: Lost) -> None:
    losses: Losses = []
    asked.request_up(operation, document, Form.V0_3, losses)
    assert losses == [loss]


def test_a_history_of_zero_is_all_of_it_in_0_3() -> None:
    document = {"id": "t", "historyLength": 0}
    assert asked.request_up(Operation.GET_TASK, document, Form.V0_3, []) == {"id": "t"}


@pytest.mark.parametrize(
    ("said", "form", "waits"),
    [
        (None, Form.V0_3, True),
        ({}, Form.V0_3, True),
        ({"blocking": False}, Form.V0_3, False),
        (None, Form.V0_3_PROTO, False),
        ({"blocking": True}, Form.V0_3_PROTO, True),
    ],
)
def test_whether_a_client_of_0_3_waits(said: Any, form: Form, waits: bool) -> None:
    """What protobuf of 0.3 does not say is false."""
    document = {"message": {"parts": [], "content": []}, "configuration": said}
    up = asked.request_up(Operation.SEND, document, form, [])
    configuration: Any = up.get("configuration", {})
    assert configuration.get("returnImmediately", False) is not waits


@pytest.mark.parametrize("form", FORMS)
def test_an_agent_of_0_3_is_told_to_wait_as_in_1_0(form: Form) -> None:
    said: Any = asked.request_down(
        Operation.SEND, {"message": {"parts": []}, "configuration": {}}, form, []
    )
    assert said["configuration"] == {"blocking": True}


def test_webhooks_of_0_3_over_http_may_come_without_their_frame() -> None:
    document = {
        "parent": "tasks/t",
        "name": "tasks/t/pushNotificationConfigs/p",
        "pushNotificationConfig": {"url": "u"},
    }
    assert asked.request_up(Operation.CREATE_PUSH, document, Form.V0_3_PROTO, []) == {
        "taskId": "t",
        "id": "p",
        "url": "u",
    }


def test_0_3_has_no_list_of_tasks() -> None:
    assert Revision.V0_3 not in OPERATIONS[Operation.LIST_TASKS].names
    with pytest.raises(Malformed, match="no list of tasks"):
        asked.request_down(Operation.LIST_TASKS, {}, Form.V0_3, [])


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"message": []},
        {"message": {"parts": {}}},
        {"message": {"parts": []}, "configuration": 5},
        {"message": {"parts": []}, "configuration": {"pushNotificationConfig": 5}},
    ],
)
def test_what_is_no_message_is_told(document: Any) -> None:
    with pytest.raises(Malformed):
        asked.request_up(Operation.SEND, document, Form.V0_3, [])


def test_the_forms_have_all_that_is_converted() -> None:
    assert set(REQUESTS) | {Operation.SEND, Operation.STREAM, Operation.LIST_TASKS} == set(
        Operation
    )
    assert objects.FINAL
