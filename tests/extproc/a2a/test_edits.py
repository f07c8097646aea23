"""Whatever changes in a request is read back as it was said, and nothing else has changed."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from a2a.compat.v0_3 import a2a_v0_3_pb2
from a2a.types import a2a_pb2
from hypothesis import given
from hypothesis import strategies as st

from extproc.a2a import edits, http_paths, requests
from extproc.a2a.edits import Carried, Edit
from extproc.a2a.forms import grpc_requests, protobuf
from extproc.a2a.operations import OPERATIONS, Operation, grpc_path
from extproc.a2a.places import MESSAGES, PLACES, Form, form, resource
from extproc.a2a.requests import A2aRequest
from gateway.a2a import Binding, Revision

PACKAGES = {Revision.V0_3: protobuf.V0_3, Revision.V1_0: protobuf.V1_0}
CASES = [
    (binding, revision, operation)
    for binding in Binding
    for operation, row in OPERATIONS.items()
    for revision in row.names
]
ids = st.text("abc-é ", min_size=1, max_size=5)
IDS = ("task_id", "context_id", "tenant", "push_id")
SETTABLE = (*IDS, "push_url")


def put(document: dict[str, Any], path: tuple[str, ...], value: object) -> None:
    for name in path[:-1]:
        document = document.setdefault(name, {})
    document[path[-1]] = value


def document_of(
    binding: Binding, revision: Revision, operation: Operation, said: dict[str, str]
) -> dict[str, Any]:
    """What is asked, as a client would write it."""
    places = PLACES[form(binding, revision)][operation]
    document: dict[str, Any] = {}
    if OPERATIONS[operation].has_message:
        parts = "content" if places.push_id[1:2] == ("pushNotification",) else "parts"
        document = {"message": {"messageId": "m", parts: [{"text": "hi"}]}, "metadata": {"n": 1}}
    for name in SETTABLE:
        path = getattr(places, name)
        if path and name in said:
            put(document, path, said[name])
    if places.resource:
        push_id = (
            said["push_id"] if operation in (Operation.GET_PUSH, Operation.DELETE_PUSH) else ""
        )
        put(document, places.resource, resource(said["task_id"], push_id))
    return document


def carried_by(
    binding: Binding, revision: Revision, operation: Operation, said: dict[str, str]
) -> tuple[str, Carried]:
    document = document_of(binding, revision, operation, said)
    names = OPERATIONS[operation].names[revision]
    match binding:
        case Binding.JSONRPC:
            body = json.dumps(
                {"jsonrpc": "2.0", "id": 1, "method": names.jsonrpc, "params": document}
            )
            return "POST", Carried("", "", body.encode())
        case Binding.GRPC:
            message = protobuf.encode(
                PACKAGES[revision] + MESSAGES[revision][operation], document, []
            )
            return "POST", Carried(grpc_path(operation, revision), "", message)
        case Binding.HTTP_JSON:
            method = names.http_methods[0]
            path = http_paths.written(
                operation,
                revision,
                said["tenant"] if revision is Revision.V1_0 else "",
                said["task_id"],
                said["push_id"],
            )
            if method == "POST":
                return method, Carried(
                    path, "A2A-Version=" + revision, json.dumps(document).encode()
                )
            query = (
                "contextId=" + quote(said["context_id"])
                if operation is Operation.LIST_TASKS
                else ""
            )
            return method, Carried(path, query, b"")


def read(binding: Binding, revision: Revision, method: str, carried: Carried) -> A2aRequest:
    headers = {"a2a-version": str(revision)}
    match binding:
        case Binding.JSONRPC:
            found = requests.read_jsonrpc(carried.body, headers)
        case Binding.GRPC:
            found = grpc_requests.read_message(carried.path, carried.body, headers)
        case Binding.HTTP_JSON:
            found = requests.read_http(method, carried.path, carried.query, carried.body, headers)
    assert isinstance(found, A2aRequest), found
    return found


def edit_of(request: A2aRequest, said: dict[str, str]) -> tuple[Edit, dict[str, str]]:
    """The changes that this request can say."""
    names = {name for name in SETTABLE if getattr(request, name)}
    changed = {name: value for name, value in said.items() if name in names}
    return Edit(**changed), changed


said = st.fixed_dictionaries(dict.fromkeys(SETTABLE, ids))


@given(st.sampled_from(CASES), said, said)
def test_what_changes_is_read_back_and_the_rest_stays(
    case: tuple[Binding, Revision, Operation], before: dict[str, str], after: dict[str, str]
) -> None:
    method, carried = carried_by(*case, before)
    request = read(case[0], case[1], method, carried)
    edit, changed = edit_of(request, after)
    again = read(case[0], case[1], method, edits.edited(request, carried, edit))
    expected = {name: changed.get(name, getattr(request, name)) for name in SETTABLE}
    assert {name: getattr(again, name) for name in SETTABLE} == expected
    assert again.operation is request.operation
    if request.message is not None:
        assert again.document["metadata"] == {"n": 1}
        assert again.message is not None
        assert {**again.message, "taskId": 0, "contextId": 0} == {
            **request.message,
            "taskId": 0,
            "contextId": 0,
        }


MESSAGE_CASES = [case for case in CASES if OPERATIONS[case[2]].has_message]
REFERENCED = ("r", "s")


@given(st.sampled_from(MESSAGE_CASES), said, said)
def test_a_message_with_other_ids_is_what_would_be_read_anew(
    case: tuple[Binding, Revision, Operation], before: dict[str, str], after: dict[str, str]
) -> None:
    method, carried = carried_by(*case, before)
    request = read(case[0], case[1], method, carried)
    edit = Edit(task_id=after["task_id"], context_id=after["context_id"])
    if case[:2] == (Binding.JSONRPC, Revision.V1_0):
        edit = Edit(task_id=after["task_id"], reference_task_ids=REFERENCED)
    again = read(case[0], case[1], method, edits.edited(request, carried, edit))
    assert edits.with_ids(request, edit) == again


@given(st.sampled_from(MESSAGE_CASES), said, said, st.sampled_from(["contextId", "x"]))
def test_ids_that_change_alone_are_found_by_their_names(
    case: tuple[Binding, Revision, Operation],
    before: dict[str, str],
    after: dict[str, str],
    another: str,
) -> None:
    method, carried = carried_by(*case, before)
    request = read(case[0], case[1], method, carried)
    body = carried.body.replace(b'"n"', f'"{another}"'.encode())
    for edit in (
        Edit(context_id=after["context_id"]),
        Edit(task_id=after["task_id"], context_id=after["context_id"]),
    ):
        found = edits.with_own_ids(request, body, edit)
        if request.form is Form.V0_3_PROTO or case[0] is Binding.GRPC or another != "x":
            assert found is None
            continue
        assert (
            found == edits.edited(request, msgspec.structs.replace(carried, body=body), edit).body
        )
        more = msgspec.structs.replace(edit, tenant="t")
        assert edits.with_own_ids(request, body, more) is None


@given(st.sampled_from(CASES), said)
def test_no_change_changes_no_byte_of_the_body(
    case: tuple[Binding, Revision, Operation], before: dict[str, str]
) -> None:
    method, carried = carried_by(*case, before)
    request = read(case[0], case[1], method, carried)
    again = edits.edited(request, carried, Edit())
    assert (again.body, again.query) == (carried.body, carried.query)
    assert again.path == carried.path


def test_every_other_byte_stays() -> None:
    body = b'{ "jsonrpc":"2.0", "id" : 1.0,"method":"GetTask" ,"params":{"n":1.10, "id":"a" } }'
    request = requests.read_jsonrpc(body, {"a2a-version": "1.0"})
    assert isinstance(request, A2aRequest)
    changed = edits.edited(request, Carried("", "", body), Edit(task_id='b"'))
    assert changed.body == body.replace(b'"a"', b'"b\\""')


@pytest.mark.parametrize("params", [b"", b',"params":null', b',"params":{}'])
def test_a_tenant_is_put_where_nothing_was_said(params: bytes) -> None:
    body = b'{"jsonrpc":"2.0","id":1,"method":"ListTasks"%s}' % params
    request = requests.read_jsonrpc(body, {"a2a-version": "1.0"})
    assert isinstance(request, A2aRequest)
    changed = edits.edited(request, Carried("", "", body), Edit(tenant="a"))
    assert json.loads(changed.body)["params"] == {"tenant": "a"}


@pytest.mark.parametrize(
    "body",
    [
        {
            "configId": "p",
            "config": {
                "name": "tasks/t/pushNotificationConfigs/p",
                "pushNotificationConfig": {"id": "p", "url": "u"},
            },
        },
        {"parent": "tasks/t", "pushNotificationConfig": {"id": "p", "url": "u"}},
    ],
)
def test_a_webhook_of_0_3_over_http_changes_where_it_was_said(body: dict[str, Any]) -> None:
    path = "/v1/tasks/t/pushNotificationConfigs"
    carried = Carried(path, "", json.dumps(body).encode())
    request = requests.read_http("POST", path, "", carried.body, {})
    assert isinstance(request, A2aRequest)
    changed = edits.edited(request, carried, Edit(task_id="T", push_id="P", push_url="U"))
    assert changed.path == "/v1/tasks/T/pushNotificationConfigs"
    text = json.dumps(body)
    for old, new in (
        ("tasks/t", "tasks/T"),
        ("Configs/p", "Configs/P"),
        ('"p"', '"P"'),
        ('"u"', '"U"'),
    ):
        text = text.replace(old, new)
    assert json.loads(changed.body) == json.loads(text)


def test_a_webhook_with_a_message_of_0_3_over_http_changes_where_it_was_said() -> None:
    body = {"message": {"content": []}, "configuration": {"pushNotificationConfig": {"url": "u"}}}
    carried = Carried("/v1/message:send", "", json.dumps(body).encode())
    request = requests.read_http("POST", carried.path, "", carried.body, {})
    assert isinstance(request, A2aRequest)
    changed = json.loads(edits.edited(request, carried, Edit(push_url="U", push_token="T")).body)
    assert changed["configuration"] == {"pushNotificationConfig": {"url": "U", "token": "T"}}


def test_a_message_of_0_3_over_http_changes_by_the_names_that_it_was_written_with() -> None:
    """As the official SDK of 1.x writes them."""
    body = {
        "request": {"content": [], "task_id": "t"},
        "configuration": {"push_notification": {"url": "u"}},
    }
    carried = Carried("/v1/message:send", "", json.dumps(body).encode())
    request = requests.read_http("POST", carried.path, "", carried.body, {})
    assert isinstance(request, A2aRequest)
    assert (request.task_id, request.push_url) == ("t", "u")
    changed = edits.edited(request, carried, Edit(push_url="U", task_id="T", context_id="C"))
    assert json.loads(changed.body) == {
        "request": {"content": [], "task_id": "T", "contextId": "C"},
        "configuration": {"push_notification": {"url": "U"}},
    }


def test_other_tasks_are_replaced_in_protobuf_too() -> None:
    message = a2a_pb2.Message(parts=[{"text": "hi"}], reference_task_ids=["a", "b"])
    asked = a2a_pb2.SendMessageRequest(message=message)
    path = grpc_path(Operation.SEND, Revision.V1_0)
    carried = Carried(path, "", asked.SerializeToString())
    request = grpc_requests.read_message(path, carried.body, {"a2a-version": "1.0"})
    assert isinstance(request, A2aRequest)
    changed = edits.edited(request, carried, Edit(reference_task_ids=("c",), task_id="t"))
    asked.message.reference_task_ids[:] = ["c"]
    asked.message.task_id = "t"
    assert a2a_pb2.SendMessageRequest.FromString(changed.body) == asked


def test_a_webhook_that_is_created_over_grpc_of_0_3_has_its_id_everywhere() -> None:
    asked = a2a_v0_3_pb2.CreateTaskPushNotificationConfigRequest(parent="tasks/t", config_id="p")
    asked.config.name = "tasks/t/pushNotificationConfigs/p"
    asked.config.push_notification_config.id = "p"
    path = grpc_path(Operation.CREATE_PUSH, Revision.V0_3)
    request = grpc_requests.read_message(path, asked.SerializeToString(), {})
    assert isinstance(request, A2aRequest)
    assert (request.task_id, request.push_id) == ("t", "p")
    carried = Carried(path, "", asked.SerializeToString())
    changed = edits.edited(request, carried, Edit(task_id="T", push_id="P"))
    found = a2a_v0_3_pb2.CreateTaskPushNotificationConfigRequest.FromString(changed.body)
    assert (found.parent, found.config_id) == ("tasks/T", "P")
    assert found.config.name == "tasks/T/pushNotificationConfigs/P"
    assert found.config.push_notification_config.id == "P"


@pytest.mark.parametrize("binding", Binding)
def test_what_an_operation_does_not_say_cannot_change(binding: Binding) -> None:
    method, carried = carried_by(
        binding, Revision.V0_3, Operation.GET_TASK, dict.fromkeys(SETTABLE, "a")
    )
    request = read(binding, Revision.V0_3, method, carried)
    for edit in (Edit(tenant="a"), Edit(context_id="a"), Edit(reference_task_ids=())):
        with pytest.raises(ValueError, match="says no"):
            edits.edited(request, carried, edit)


def test_a_query_changes_too() -> None:
    request = requests.read_http(
        "GET", "/a/tasks", "x=1&contextId=c&tenant=a", b"", {"a2a-version": "1.0"}
    )
    assert isinstance(request, A2aRequest)
    changed = edits.edited(
        request,
        Carried("/a/tasks", "x=1&contextId=c&tenant=a", b""),
        Edit(tenant="b&", context_id="d e"),
    )
    assert changed == Carried("/b%26/tasks", "x=1&contextId=d+e&tenant=b%26", b"")


def test_forms_are_told_by_binding_and_revision() -> None:
    assert form(Binding.HTTP_JSON, Revision.V0_3) is Form.V0_3_PROTO


@pytest.mark.parametrize("operation", Operation)
@pytest.mark.parametrize("tenant", ["", "own"])
def test_another_tenant_alone_is_what_it_is_among_other_changes(
    operation: Operation, tenant: str
) -> None:
    document = document_of(Binding.GRPC, Revision.V1_0, operation, dict.fromkeys(SETTABLE, "x"))
    name = PACKAGES[Revision.V1_0] + MESSAGES[Revision.V1_0][operation]
    message = protobuf.encode(name, document, [])
    path = grpc_path(operation, Revision.V1_0)
    request = grpc_requests.read_message(path, message, {})
    assert isinstance(request, A2aRequest)
    changed = edits.edited(request, Carried("", "", message), Edit(tenant=tenant)).body
    assert message + edits.tenant_behind(request, tenant) == changed
