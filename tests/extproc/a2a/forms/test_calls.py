"""What is sent to agents is what the gateway reads of clients."""

from __future__ import annotations

from typing import Any

import pytest

from extproc.a2a import requests
from extproc.a2a.forms import calls
from extproc.a2a.forms.asked import request_up
from extproc.a2a.forms.calls import Call, Target
from extproc.a2a.forms.grpc_requests import read_grpc
from extproc.a2a.forms.losses import Losses, Malformed
from extproc.a2a.operations import OPERATIONS, Operation
from extproc.a2a.requests import A2aRequest
from gateway.a2a import Binding, Revision

MESSAGE = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "é"}], "taskId": "t/1"}
ASKED: dict[Operation, dict[str, Any]] = {
    Operation.SEND: {"message": MESSAGE, "configuration": {"returnImmediately": True}},
    Operation.STREAM: {"message": MESSAGE, "configuration": {"returnImmediately": False}},
    Operation.GET_TASK: {"id": "t 1", "historyLength": 3},
    Operation.LIST_TASKS: {"contextId": "c&", "includeArtifacts": True, "pageSize": 5},
    Operation.CANCEL_TASK: {"id": "t:1"},
    Operation.SUBSCRIBE: {"id": "t"},
    Operation.CREATE_PUSH: {"taskId": "t", "id": "p", "url": "https://client.example/?a=1&b"},
    Operation.GET_PUSH: {"taskId": "t", "id": "p?"},
    Operation.LIST_PUSH: {"taskId": "t"},
    Operation.DELETE_PUSH: {"taskId": "t", "id": "p"},
    Operation.EXTENDED_CARD: {},
}
CASES = [
    (operation, Target(binding, revision))
    for operation, row in OPERATIONS.items()
    for revision in row.names
    for binding in Binding
]


def read(call: Call, binding: Binding) -> A2aRequest:
    headers = dict(call.headers)
    match binding:
        case Binding.JSONRPC:
            found = requests.read_jsonrpc(call.body, headers)
        case Binding.HTTP_JSON:
            found = requests.read_http(call.method, call.path, call.query, call.body, headers)
        case Binding.GRPC:
            found = read_grpc(call.path, call.body, headers)
    assert isinstance(found, A2aRequest), found
    return found


@pytest.mark.parametrize(("operation", "target"), CASES)
def test_a_call_says_what_is_asked(operation: Operation, target: Target) -> None:
    losses: Losses = []
    call = calls.call(operation, ASKED[operation], target, losses, extensions=("urn:a", "urn:b"))
    found = read(call, target.binding)
    assert losses == []
    assert (found.operation, found.revision) == (operation, target.revision)
    assert found.extensions == ("urn:a", "urn:b")
    said = request_up(operation, found.document, found.form, losses)
    expected = ASKED[operation]
    if operation is Operation.STREAM and target.binding is Binding.GRPC:
        expected = {"message": MESSAGE, "configuration": {}}  # what is false is not said
        said = {**said, "configuration": {}}
    assert said == expected


@pytest.mark.parametrize("binding", Binding)
def test_the_agents_own_tenant_is_said(binding: Binding) -> None:
    asked = {"id": "t", "tenant": "acme"}
    target = Target(binding, Revision.V1_0)
    call = calls.call(Operation.GET_TASK, asked, target, [])
    assert read(call, binding).tenant == "acme"


def test_calls_of_jsonrpc_have_an_id() -> None:
    target = Target(Binding.JSONRPC, Revision.V1_0)
    call = calls.call(Operation.GET_TASK, {"id": "t"}, target, [], raw_id=b'"x"')
    assert read(call, Binding.JSONRPC).raw_id == b'"x"'


def test_streams_are_asked_for() -> None:
    target = Target(Binding.JSONRPC, Revision.V0_3)
    call = calls.call(Operation.STREAM, ASKED[Operation.STREAM], target, [])
    assert dict(call.headers)["accept"] == "text/event-stream"


@pytest.mark.parametrize("binding", Binding)
def test_what_a_revision_has_not_cannot_be_asked(binding: Binding) -> None:
    with pytest.raises(Malformed, match="has no ListTasks"):
        calls.call(Operation.LIST_TASKS, {}, Target(binding, Revision.V0_3), [])


@pytest.mark.parametrize("said", ["..", ".", "a/b", "a\\b", "a\n"])
@pytest.mark.parametrize("revision", Revision)
def test_no_id_leads_to_another_path(said: str, revision: Revision) -> None:
    http = Target(Binding.HTTP_JSON, revision)
    for operation in (Operation.GET_TASK, Operation.CANCEL_TASK, Operation.GET_PUSH):
        for name in ("taskId", "id") if operation is Operation.GET_PUSH else ("id",):
            document = {"taskId": "t", "id": "p", name: said}
            with pytest.raises(Malformed, match="cannot stand in a path"):
                calls.call(operation, document, http, [])
            assert calls.call(operation, document, Target(Binding.JSONRPC, revision), [])
