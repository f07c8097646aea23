from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.a2a import requests
from extproc.a2a.errors import ErrorKind, Fault
from extproc.a2a.operations import JSONRPC_METHODS, OPERATIONS, Operation
from extproc.a2a.places import Form
from extproc.a2a.requests import A2aRequest
from gateway.a2a import Binding, Revision

NEW = {"a2a-version": "1.0"}
SEND: dict[str, Any] = {
    "tenant": "acme",
    "message": {
        "messageId": "m",
        "taskId": "t",
        "contextId": "c",
        "role": "ROLE_USER",
        "parts": [{"text": "hi"}],
        "referenceTaskIds": ["r"],
    },
    "configuration": {
        "acceptedOutputModes": ["text/plain"],
        "taskPushNotificationConfig": {"id": "p", "url": "https://client.example/"},
    },
}
OLD_SEND: dict[str, Any] = {
    "message": {"messageId": "m", "taskId": "t", "kind": "message", "parts": [{"kind": "text"}]},
    "configuration": {"pushNotificationConfig": {"url": "https://client.example/"}},
}


def call(method: str, params: object = None, identity: object = 1, **more: object) -> bytes:
    document = {"jsonrpc": "2.0", "id": identity, "method": method, "params": params, **more}
    return json.dumps(document).encode()


def read(body: bytes, headers: dict[str, str] | None = None, query: str = "") -> A2aRequest:
    found = requests.read_jsonrpc(body, NEW if headers is None else headers, query)
    assert isinstance(found, A2aRequest), found
    return found


def refused(body: bytes, headers: dict[str, str] | None = None, query: str = "") -> Fault:
    found = requests.read_jsonrpc(body, NEW if headers is None else headers, query)
    assert isinstance(found, Fault)
    return found


# --- JSON-RPC ------------------------------------------------------------------------------


def test_a_message_of_1_0_is_read() -> None:
    found = read(
        call("SendStreamingMessage", SEND, "é"),
        {**NEW, "a2a-extensions": "urn:a, urn:b,,", "x-a2a-extensions": "urn:b,urn:c"},
    )
    assert found == A2aRequest(
        Operation.STREAM,
        Binding.JSONRPC,
        Revision.V1_0,
        '"é"'.encode(),
        SEND,
        SEND["message"],
        tenant="acme",
        task_id="t",
        context_id="c",
        push_id="p",
        push_url="https://client.example/",
        accepted_output_modes=("text/plain",),
        reference_task_ids=("r",),
        extensions=("urn:a", "urn:b", "urn:c"),
    )
    assert found.is_stream
    assert found.form is Form.V1_0


def test_a_message_of_0_3_is_read() -> None:
    found = read(call("message/send", OLD_SEND), {})
    assert (found.operation, found.revision, found.form) == (
        Operation.SEND,
        Revision.V0_3,
        Form.V0_3,
    )
    assert (found.task_id, found.push_url) == ("t", "https://client.example/")
    assert not found.is_stream


@pytest.mark.parametrize(
    ("method", "params", "expected"),
    [
        ("GetTask", {"id": "t"}, ("t", "", "")),
        ("CancelTask", {"id": "t", "metadata": {}}, ("t", "", "")),
        ("ListTasks", {"contextId": "c"}, ("", "c", "")),
        ("ListTasks", None, ("", "", "")),
        ("GetTaskPushNotificationConfig", {"taskId": "t", "id": "p"}, ("t", "", "p")),
        ("ListTaskPushNotificationConfigs", {"taskId": "t"}, ("t", "", "")),
        ("tasks/get", {"id": "t"}, ("t", "", "")),
        ("tasks/resubscribe", {"id": "t"}, ("t", "", "")),
        (
            "tasks/pushNotificationConfig/get",
            {"id": "t", "pushNotificationConfigId": "p"},
            ("t", "", "p"),
        ),
        (
            "tasks/pushNotificationConfig/set",
            {"taskId": "t", "pushNotificationConfig": {"id": "p", "url": "u"}},
            ("t", "", "p"),
        ),
    ],
)
def test_ids_are_where_each_revision_has_them(
    method: str, params: Any, expected: tuple[str, str, str]
) -> None:
    found = read(call(method, params), NEW if "/" not in method else {})
    assert (found.task_id, found.context_id, found.push_id) == expected


@pytest.mark.parametrize(
    ("written", "raw"),
    [
        ("7", b"7"),
        ("-1.50", b"-1.50"),
        ("1e3", b"1e3"),
        ('"a\\u00e9"', '"aé"'.encode()),
        ("null", b"null"),
    ],
)
def test_ids_of_jsonrpc_stay_as_they_were_written(written: str, raw: bytes) -> None:
    body = f'{{"jsonrpc":"2.0","id":{written},"method":"ListTasks"}}'
    assert read(body.encode()).raw_id == raw


def test_a_request_may_have_no_id() -> None:
    assert read(b'{"jsonrpc":"2.0","method":"ListTasks"}').raw_id == b"null"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", ErrorKind.PARSE_ERROR),
        (b"{", ErrorKind.PARSE_ERROR),
        (b"[]", ErrorKind.INVALID_REQUEST),
        (b"[" + call("ListTasks") + b"]", ErrorKind.INVALID_REQUEST),
        (b'"a"', ErrorKind.INVALID_REQUEST),
        (call("ListTasks", identity=True), ErrorKind.INVALID_REQUEST),
        (call("ListTasks", identity={}), ErrorKind.INVALID_REQUEST),
        (call("ListTasks", jsonrpc="1.0"), ErrorKind.INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ListTasks"}', ErrorKind.INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1}', ErrorKind.INVALID_REQUEST),
        (call("ListTasks", Method="GetTask"), ErrorKind.INVALID_REQUEST),
        (
            call("ListTasks", {"metadata": json.loads("[" * 70 + "]" * 70)}),
            ErrorKind.INVALID_REQUEST,
        ),
        (call("ListTasks", []), ErrorKind.INVALID_PARAMS),
        (call("GetTask", {}), ErrorKind.INVALID_PARAMS),
        (call("GetTask", {"id": 5}), ErrorKind.INVALID_PARAMS),
        (call("GetTask", {"id": "a", "ID": "b"}), ErrorKind.INVALID_PARAMS),
        (call("SendMessage", {}), ErrorKind.INVALID_PARAMS),
        (call("SendMessage", {"message": []}), ErrorKind.INVALID_PARAMS),
        (call("SendMessage", {"message": {"parts": {}}}), ErrorKind.INVALID_PARAMS),
        (call("SendMessage", {"message": {"parts": ["a"]}}), ErrorKind.INVALID_PARAMS),
        (call("SendMessage", {"message": {"parts": [], "task_id": "t"}}), ErrorKind.INVALID_PARAMS),
        (
            call("SendMessage", {"message": {"parts": [], "referenceTaskIds": [1]}}),
            ErrorKind.INVALID_PARAMS,
        ),
        (call("message/send", OLD_SEND), ErrorKind.METHOD_NOT_FOUND),
        (call("tasks/dance"), ErrorKind.METHOD_NOT_FOUND),
    ],
)
def test_what_is_no_request_is_refused(body: bytes, kind: ErrorKind) -> None:
    assert refused(body).kind is kind


def test_a_method_of_another_revision_is_not_found_and_why_is_said() -> None:
    fault = refused(call("SendMessage", SEND), {})
    assert fault == Fault(
        ErrorKind.METHOD_NOT_FOUND,
        "there is no method 'SendMessage' in A2A 0.3; it is of 1.0, which A2A-Version has to say",
        raw_id=b"1",
    )


@given(st.sampled_from(sorted(JSONRPC_METHODS)), st.sampled_from(Revision))
def test_every_method_is_of_one_revision(method: str, revision: Revision) -> None:
    params: dict[str, Any] = {"id": "t", "taskId": "t", "message": {"parts": []}}
    found = requests.read_jsonrpc(call(method, params), {"a2a-version": revision})
    operation, of = JSONRPC_METHODS[method]
    if of is revision:
        assert isinstance(found, A2aRequest)
        assert found.operation is operation
    else:
        assert isinstance(found, Fault)
        assert found.kind is ErrorKind.METHOD_NOT_FOUND


# --- revisions -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "query", "revision"),
    [
        ("", "", Revision.V0_3),
        ("0.3", "", Revision.V0_3),
        ("0.3.0", "", Revision.V0_3),
        (" 1.0.1 ", "", Revision.V1_0),
        ("1.0, 1.0", "", Revision.V1_0),
        ("", "A2A-Version=1.0", Revision.V1_0),
        ("", "x=1&a2a-version=1.0", Revision.V1_0),
        ("1.0", "A2A-Version=1.0", Revision.V1_0),
        ("1.0", "A2A-Version=", Revision.V1_0),
    ],
)
def test_the_revision_is_the_headers_or_the_querys(
    header: str, query: str, revision: Revision
) -> None:
    assert requests.revision_of({"a2a-version": header}, query) is revision


@pytest.mark.parametrize("said", ["99.0", "1", "1.1", "1.0.x", "0.2.6", "01.0", "1.0.0.0", "v1.0"])
def test_other_revisions_are_not_supported(said: str) -> None:
    fault = refused(call("ListTasks"), {"a2a-version": said})
    assert fault.kind is ErrorKind.VERSION_NOT_SUPPORTED
    assert fault.metadata == {"supportedVersions": "0.3, 1.0"}
    assert fault.raw_id == b"1"


@pytest.mark.parametrize(("header", "query"), [("1.0", "A2A-Version=0.3"), ("1.0, 0.3", "")])
def test_two_revisions_are_refused(header: str, query: str) -> None:
    fault = requests.revision_of({"a2a-version": header}, query)
    assert isinstance(fault, Fault)
    assert fault.kind is ErrorKind.INVALID_REQUEST


# --- HTTP+JSON -----------------------------------------------------------------------------


def http(
    method: str, path: str, body: object = None, query: str = "", headers: Any = None
) -> A2aRequest | Fault:
    written = b"" if body is None else json.dumps(body).encode()
    said = ({} if path.startswith("/v1/") else NEW) if headers is None else headers
    return requests.read_http(method, path, query, written, said)


@pytest.mark.parametrize(
    ("method", "path", "body", "query", "operation", "document"),
    [
        ("POST", "/message:send", SEND, "", Operation.SEND, SEND),
        ("POST", "/acme/message:stream", SEND, "", Operation.STREAM, SEND),
        (
            "GET",
            "/acme/tasks/t",
            None,
            "historyLength=3&A2A-Version=1.0",
            Operation.GET_TASK,
            {"id": "t", "tenant": "acme", "historyLength": 3},
        ),
        (
            "GET",
            "/tasks",
            None,
            "contextId=a%20b&includeArtifacts=true",
            Operation.LIST_TASKS,
            {"contextId": "a b", "includeArtifacts": True},
        ),
        ("POST", "/tasks/t:cancel", None, "", Operation.CANCEL_TASK, {"id": "t"}),
        ("POST", "/tasks/t:cancel", {"id": "t"}, "", Operation.CANCEL_TASK, {"id": "t"}),
        (
            "POST",
            "/tasks/t/pushNotificationConfigs",
            {"url": "u", "id": "p", "taskId": ""},
            "",
            Operation.CREATE_PUSH,
            {"url": "u", "id": "p", "taskId": "t"},
        ),
        (
            "DELETE",
            "/tasks/t/pushNotificationConfigs/p",
            None,
            "",
            Operation.DELETE_PUSH,
            {"taskId": "t", "id": "p"},
        ),
        ("GET", "/extendedAgentCard", None, "", Operation.EXTENDED_CARD, {}),
        (
            "GET",
            "/v1/tasks/t",
            None,
            "historyLength=0",
            Operation.GET_TASK,
            {"name": "tasks/t", "historyLength": 0},
        ),
        (
            "GET",
            "/v1/tasks/t/pushNotificationConfigs/p",
            None,
            "",
            Operation.GET_PUSH,
            {"name": "tasks/t/pushNotificationConfigs/p"},
        ),
        (
            "POST",
            "/v1/tasks/t/pushNotificationConfigs",
            {"configId": "p", "config": {"pushNotificationConfig": {"url": "u"}}},
            "",
            Operation.CREATE_PUSH,
            {
                "configId": "p",
                "config": {"pushNotificationConfig": {"url": "u"}},
                "parent": "tasks/t",
            },
        ),
    ],
)
def test_http_is_read_as_one_document(
    method: str, path: str, body: Any, query: str, operation: Operation, document: Any
) -> None:
    found = http(method, path, body, query)
    assert isinstance(found, A2aRequest), found
    assert (found.operation, found.document) == (operation, document)
    assert found.binding is Binding.HTTP_JSON
    if OPERATIONS[operation].is_about_task:
        assert found.task_id == "t"
    if operation in (Operation.CREATE_PUSH, Operation.GET_PUSH, Operation.DELETE_PUSH):
        assert found.push_id == "p"
    if operation is Operation.CREATE_PUSH:
        assert found.push_url == "u"


@pytest.mark.parametrize(
    "body",
    [
        {"message": {"content": [{"text": "hi"}], "taskId": "t"}},
        {"message": {"parts": [{"kind": "text", "text": "hi"}], "taskId": "t"}},
    ],
)
def test_messages_of_0_3_over_http_are_read_in_either_form(body: Any) -> None:
    found = http("POST", "/v1/message:send", body)
    assert isinstance(found, A2aRequest)
    assert (found.task_id, found.message) == ("t", body["message"])


@pytest.mark.parametrize("name", ["pushNotification", "pushNotificationConfig"])
def test_webhooks_of_0_3_over_http_are_read_in_either_form(name: str) -> None:
    body = {"message": {"content": []}, "configuration": {name: {"url": "u", "id": "p"}}}
    found = http("POST", "/v1/message:send", body)
    assert isinstance(found, A2aRequest)
    assert (found.push_url, found.push_id) == ("u", "p")


def test_a_webhook_of_0_3_may_be_the_whole_body() -> None:
    body = {"name": "tasks/t/pushNotificationConfigs/p", "pushNotificationConfig": {"url": "u"}}
    found = http("POST", "/v1/tasks/t/pushNotificationConfigs", body)
    assert isinstance(found, A2aRequest)
    assert (found.task_id, found.push_url) == ("t", "u")


@pytest.mark.parametrize(
    ("method", "path", "body", "query", "kind"),
    [
        ("GET", "/nothing", None, "", ErrorKind.METHOD_NOT_FOUND),
        ("PUT", "/tasks/t", None, "", ErrorKind.METHOD_NOT_FOUND),
        ("GET", "/tasks/t", {}, "", ErrorKind.INVALID_REQUEST),
        ("POST", "/message:send", None, "", ErrorKind.PARSE_ERROR),
        ("POST", "/message:send", [], "", ErrorKind.INVALID_REQUEST),
        ("POST", "/message:send", {}, "", ErrorKind.INVALID_PARAMS),
        ("GET", "/tasks/t", None, "id=u", ErrorKind.INVALID_PARAMS),
        ("GET", "/tasks/t", None, "historyLength=x", ErrorKind.INVALID_PARAMS),
        ("GET", "/tasks/t", None, "historyLength=1&historyLength=2", ErrorKind.INVALID_PARAMS),
        ("GET", "/tasks/t", None, "history_length=1", ErrorKind.INVALID_PARAMS),
        ("GET", "/tasks", None, "contextId=a;b", ErrorKind.INVALID_PARAMS),
        ("GET", "/tasks", None, "includeArtifacts=1", ErrorKind.INVALID_PARAMS),
        ("POST", "/acme/message:send", {**SEND, "tenant": "b"}, "", ErrorKind.INVALID_PARAMS),
        ("POST", "/tasks/t:cancel", {"id": "u"}, "", ErrorKind.INVALID_PARAMS),
        ("POST", "/tasks/t:cancel", {"id": 1}, "", ErrorKind.INVALID_PARAMS),
        ("GET", "/v1/tasks/t", None, "name=tasks/u", ErrorKind.INVALID_PARAMS),
        (
            "POST",
            "/v1/tasks/t/pushNotificationConfigs",
            {"config": {"name": "tasks/u/pushNotificationConfigs/p"}},
            "",
            ErrorKind.INVALID_PARAMS,
        ),
        (
            "POST",
            "/v1/tasks/t/pushNotificationConfigs",
            {"config": {"pushNotificationConfig": {}}, "pushNotificationConfig": {}},
            "",
            ErrorKind.INVALID_PARAMS,
        ),
        (
            "POST",
            "/v1/message:send",
            {"message": {"content": [], "parts": []}},
            "",
            ErrorKind.INVALID_PARAMS,
        ),
        (
            "POST",
            "/v1/message:send",
            {
                "message": {"content": []},
                "configuration": {"pushNotification": {}, "pushNotificationConfig": {}},
            },
            "",
            ErrorKind.INVALID_PARAMS,
        ),
        (
            "POST",
            "/v1/message:send",
            {"request": {"content": []}, "message": {"content": []}},
            "",
            ErrorKind.INVALID_PARAMS,
        ),
        ("POST", "/v1/message:send", {"Message": {"content": []}}, "", ErrorKind.INVALID_PARAMS),
    ],
)
def test_what_is_read_differently_by_others_is_refused(
    method: str, path: str, body: Any, query: str, kind: ErrorKind
) -> None:
    found = http(method, path, body, query)
    assert isinstance(found, Fault)
    assert found.kind is kind


@pytest.mark.parametrize(
    ("path", "headers"),
    [("/tasks", {}), ("/v1/card", NEW), ("/tasks", {"a2a-version": "2.0"})],
)
def test_a_path_is_of_the_revision_that_the_headers_say(path: str, headers: Any) -> None:
    found = http("GET", path, headers=headers)
    assert isinstance(found, Fault)
    assert found.kind is ErrorKind.VERSION_NOT_SUPPORTED


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    assert isinstance(requests.read_jsonrpc(body, NEW), A2aRequest | Fault)
    assert isinstance(
        requests.read_http("POST", "/tasks/t:cancel", "", body, NEW), A2aRequest | Fault
    )
