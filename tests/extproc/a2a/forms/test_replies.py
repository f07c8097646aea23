from __future__ import annotations

import json
from typing import Any

import pytest

from extproc.a2a import errors, grpc_frames
from extproc.a2a.errors import ErrorKind, Fault, Said
from extproc.a2a.forms import replies
from extproc.a2a.forms.calls import Target
from extproc.a2a.forms.losses import Losses, Malformed
from extproc.a2a.operations import OPERATIONS, Operation
from gateway.a2a import Binding, Revision

TASK = {"id": "t", "contextId": "c", "status": {"state": "TASK_STATE_WORKING"}}
WEBHOOK = {"taskId": "t", "id": "p", "url": "u"}
RESULTS: dict[Operation, Any] = {
    Operation.SEND: {"task": TASK},
    Operation.GET_TASK: TASK,
    Operation.LIST_TASKS: {"tasks": [TASK], "pageSize": 1, "totalSize": 1},
    Operation.CANCEL_TASK: TASK,
    Operation.CREATE_PUSH: WEBHOOK,
    Operation.GET_PUSH: WEBHOOK,
    Operation.LIST_PUSH: {"configs": [WEBHOOK]},
    Operation.DELETE_PUSH: {},
}
TARGETS = [Target(binding, revision) for binding in Binding for revision in Revision]
WELL = dict(replies.WENT_WELL)


@pytest.mark.parametrize("target", TARGETS, ids=str)
@pytest.mark.parametrize("operation", RESULTS)
def test_what_is_said_to_clients_is_what_is_read_of_agents(
    operation: Operation, target: Target
) -> None:
    if target.revision not in OPERATIONS[operation].names:
        return
    losses: Losses = []
    said = replies.written(operation, RESULTS[operation], target, losses, b"7")
    assert said.status == 200
    assert replies.read(operation, target, said, WELL, losses) == RESULTS[operation]
    assert losses == []


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_errors_are_read(target: Target) -> None:
    fault = Fault(ErrorKind.TASK_NOT_FOUND, "no such task")
    said = errors.said(fault, target.binding, target.revision)
    assert replies.read(Operation.GET_TASK, target, said, {}, []) == fault


def test_nothing_is_null_in_jsonrpc() -> None:
    for revision in Revision:
        target = Target(Binding.JSONRPC, revision)
        body = replies.written(Operation.DELETE_PUSH, {}, target, [], b'"a"').body
        assert json.loads(body) == {"jsonrpc": "2.0", "id": "a", "result": None}


@pytest.mark.parametrize(
    ("binding", "status", "body"),
    [
        (Binding.JSONRPC, 200, b"<html>"),
        (Binding.JSONRPC, 200, b"[]"),
        (Binding.JSONRPC, 200, b'{"result":1,"error":{}}'),
        (Binding.JSONRPC, 200, b'{"result":[]}'),
        (Binding.HTTP_JSON, 200, b"{"),
        (Binding.GRPC, 200, b""),
        (Binding.GRPC, 200, grpc_frames.frame(b"\xff")),
        (Binding.GRPC, 200, b"\1\0\0\0\0"),
    ],
)
def test_an_answer_that_cannot_be_read_is_told(binding: Binding, status: int, body: bytes) -> None:
    answer = Said(status, (), body)
    found = replies.read(Operation.GET_TASK, Target(binding, Revision.V0_3), answer, WELL, [])
    assert isinstance(found, Fault)
    assert found.kind is ErrorKind.INVALID_AGENT_RESPONSE


@pytest.mark.parametrize("binding", Binding)
def test_proxies_answer_with_a_status_alone(binding: Binding) -> None:
    answer = Said(503, (), b"no healthy upstream")
    found = replies.read(Operation.GET_TASK, Target(binding, Revision.V1_0), answer, {}, [])
    assert found == Fault(ErrorKind.UNAVAILABLE, "the agent answered with the status 503")


def test_a_status_of_grpc_may_be_among_the_headers() -> None:
    answer = Said(200, (("grpc-status", "5"), ("grpc-message", "no")), b"")
    found = replies.read(Operation.GET_TASK, Target(Binding.GRPC, Revision.V1_0), answer, {}, [])
    assert found == Fault(ErrorKind.TASK_NOT_FOUND, "no")


def test_what_is_no_object_is_no_message() -> None:
    with pytest.raises(Malformed):
        replies.encode(Operation.GET_TASK, Revision.V1_0, [], [])


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, ErrorKind.INTERNAL_ERROR),
        (500, ErrorKind.INTERNAL_ERROR),
        (503, ErrorKind.UNAVAILABLE),
        (429, ErrorKind.RESOURCE_EXHAUSTED),
    ],
)
def test_the_status_of_a_proxy_says_more_than_a_code_for_everything(
    status: int, kind: ErrorKind
) -> None:
    error = {"jsonrpc": "2.0", "id": None, "error": {"code": -32603, "message": "gone"}}
    answer = Said(status, (), json.dumps(error).encode())
    target = Target(Binding.JSONRPC, Revision.V1_0)
    found = replies.read(Operation.GET_TASK, target, answer, {}, [])
    assert isinstance(found, Fault)
    assert (found.kind, found.message) == (kind, "gone")
