"""Webhooks in what is asked of agents, in every form."""

from __future__ import annotations

import json
from typing import Any

import pytest

from extproc.a2a import grpc_frames, webhooks
from extproc.a2a.errors import Fault
from extproc.a2a.forms import protobuf
from extproc.a2a.forms.grpc_requests import read_grpc
from extproc.a2a.operations import Operation
from extproc.a2a.requests import A2aRequest, read_http, read_jsonrpc
from extproc.a2a.webhooks import Callback, Unusable, Webhook

CALLBACK = Callback("https://gw/a2a/.push/travel/x", "nonce")
WEBHOOK = Webhook("https://client/hook", "tok", ("Bearer",), "secret")
NEW = {"url": "https://client/hook", "token": "tok", "more": 1}
V1 = {**NEW, "authentication": {"scheme": "Bearer", "credentials": "secret"}}
V0_3 = {**NEW, "authentication": {"schemes": ["Bearer"], "credentials": "secret"}}
PARTS: dict[str, Any] = {"messageId": "m", "parts": [{"text": "x"}]}
Read = tuple[A2aRequest, bytes]


def jsonrpc(method: str, params: object, version: str) -> Read:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    text = json.dumps(body).encode()
    found = read_jsonrpc(text, {"a2a-version": version})
    assert isinstance(found, A2aRequest), found
    return found, text


def http(path: str, body: object, version: str) -> Read:
    text = json.dumps(body).encode()
    found = read_http("POST", path, "", text, {"a2a-version": version})
    assert isinstance(found, A2aRequest), found
    return found, text


def grpc(service: str, name: str, method: str, document: dict[str, object]) -> Read:
    version = "1.0" if service.startswith("lf") else "0.3"
    message = protobuf.encode(f"{service}.{name}", document, [])
    path = f"/{service}.A2AService/{method}"
    found = read_grpc(path, grpc_frames.frame(message), {"a2a-version": version})
    assert isinstance(found, A2aRequest), found
    return found, message


def sent(config: object, name: str) -> dict[str, object]:
    return {"message": PARTS, "configuration": {name: config}}


def without(config: dict[str, object], name: str) -> dict[str, object]:
    return {key: value for key, value in config.items() if key != name}


SENT: list[Read] = [
    jsonrpc("SendMessage", sent(V1, "taskPushNotificationConfig"), "1.0"),
    jsonrpc("message/stream", sent(V0_3, "pushNotificationConfig"), "0.3"),
    http("/message:send", sent(V1, "taskPushNotificationConfig"), "1.0"),
    http("/v1/message:send", sent(V0_3, "push_notification"), "0.3"),
    http("/v1/message:send", sent(V0_3, "pushNotificationConfig"), "0.3"),
    grpc(
        "lf.a2a.v1",
        "SendMessageRequest",
        "SendMessage",
        sent(without(V1, "more"), "taskPushNotificationConfig"),
    ),
    grpc(
        "a2a.v1",
        "SendMessageRequest",
        "SendMessage",
        {
            "message": {"messageId": "m", "content": [{"text": "x"}]},
            "configuration": {"pushNotification": without(V0_3, "more")},
        },
    ),
]
CREATED: list[Read] = [
    jsonrpc("CreateTaskPushNotificationConfig", {**V1, "taskId": "t"}, "1.0"),
    jsonrpc(
        "tasks/pushNotificationConfig/set", {"taskId": "t", "pushNotificationConfig": V0_3}, "0.3"
    ),
    http("/tasks/t/pushNotificationConfigs", V1, "1.0"),
    http("/v1/tasks/t/pushNotificationConfigs", {"pushNotificationConfig": V0_3}, "0.3"),
    http(
        "/v1/tasks/t/pushNotificationConfigs",
        {"parent": "tasks/t", "config": {"pushNotificationConfig": V0_3}},
        "0.3",
    ),
    grpc(
        "lf.a2a.v1",
        "TaskPushNotificationConfig",
        "CreateTaskPushNotificationConfig",
        {**without(V1, "more"), "taskId": "t"},
    ),
    grpc(
        "a2a.v1",
        "CreateTaskPushNotificationConfigRequest",
        "CreateTaskPushNotificationConfig",
        {"parent": "tasks/t", "config": {"pushNotificationConfig": without(V0_3, "more")}},
    ),
]
IDS = ["jsonrpc", "jsonrpc-0.3", "http", "http-0.3", "http-0.3-json", "grpc", "grpc-0.3"]


@pytest.mark.parametrize("asked", [*SENT, *CREATED], ids=[*IDS, *(f"create-{x}" for x in IDS)])
def test_a_webhook_is_found_wherever_it_is_said(asked: Read) -> None:
    request, _ = asked
    assert webhooks.webhook(request) == WEBHOOK


@pytest.mark.parametrize("asked", SENT, ids=IDS)
def test_agents_are_told_neither_the_address_nor_the_secrets(asked: Read) -> None:
    request, body = asked
    written = webhooks.spliced(request, body, CALLBACK)
    assert b"client" not in written
    assert b"secret" not in written
    assert b"tok" not in written.replace(b"token", b"")
    again = _again(request, written)
    assert webhooks.webhook(again) == Webhook(CALLBACK.url, CALLBACK.token)
    assert again.message == request.message


@pytest.mark.parametrize("asked", [*SENT, *CREATED], ids=[*IDS, *(f"create-{x}" for x in IDS)])
def test_the_same_holds_of_what_is_said_anew(asked: Read) -> None:
    request, _ = asked
    changed = webhooks.with_callback(request, CALLBACK)
    assert webhooks.webhook(changed) == Webhook(CALLBACK.url, CALLBACK.token)
    assert "secret" not in json.dumps(changed.document)
    assert webhooks.webhook(request) == WEBHOOK, "the request itself stays"


@pytest.mark.parametrize("asked", CREATED[-2:], ids=IDS[-2:])
def test_messages_of_grpc_are_changed_as_they_are(asked: Read) -> None:
    request, message = asked
    again = _again(request, webhooks.spliced(request, message, CALLBACK))
    assert webhooks.webhook(again) == Webhook(CALLBACK.url, CALLBACK.token)
    assert again.task_id == "t"


def test_every_other_byte_stays() -> None:
    text = (
        b'{"jsonrpc":"2.0", "id":1,"method":"SendMessage","params":{"message":{"messageId":"m",'
        b'"parts":[{"text":"x","n":1.50}]},"configuration":{"taskPushNotificationConfig":'
        b'{"authentication":{"scheme":"Bearer","credentials":"c"},"url":"https://a"} } } }'
    )
    found = read_jsonrpc(text, {"a2a-version": "1.0"})
    assert isinstance(found, A2aRequest)
    assert webhooks.spliced(found, text, Callback("https://b", "n")) == text.replace(
        b'"authentication":{"scheme":"Bearer","credentials":"c"},"url":"https://a"',
        b'"url":"https://b","token":"n"',
    )


def test_who_says_none_asks_for_no_calls() -> None:
    request, _ = jsonrpc("SendMessage", {"message": PARTS, "configuration": {}}, "1.0")
    assert webhooks.webhook(request) is None
    request, _ = jsonrpc("GetTask", {"id": "t"}, "1.0")
    assert webhooks.webhook(request) is None


@pytest.mark.parametrize(
    "config",
    [
        {"url": "https://a", "authentication": []},
        {"url": "https://a", "token": 1},
        {"url": "https://a", "authentication": {"credentials": {}}},
    ],
)
def test_what_is_no_webhook_is_refused(config: object) -> None:
    params = {"message": PARTS, "configuration": {"taskPushNotificationConfig": config}}
    request, _ = jsonrpc("SendMessage", params, "1.0")
    with pytest.raises(Unusable):
        webhooks.webhook(request)


def test_an_address_that_is_no_text_is_refused_when_it_is_read() -> None:
    params = {"message": PARTS, "configuration": {"taskPushNotificationConfig": {"url": 1}}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": params}
    assert isinstance(read_jsonrpc(json.dumps(body).encode(), {"a2a-version": "1.0"}), Fault)


def test_clients_are_told_their_own_address_and_no_secret() -> None:
    def own(url: str) -> str | None:
        return "https://client" if url == CALLBACK.url else None

    ours = {"id": "p", "taskId": "t", "url": CALLBACK.url, "token": "n", "authentication": {}}
    shown = {"id": "p", "taskId": "t", "url": "https://client"}
    assert webhooks.told(Operation.GET_PUSH, ours, own) == shown
    assert webhooks.told(Operation.GET_PUSH, {**ours, "url": "https://other"}, own) is None
    assert webhooks.told(Operation.CREATE_PUSH, {}, own) is None
    listed = {"configs": [ours, {"url": "https://other"}], "nextPageToken": "2"}
    found = webhooks.told(Operation.LIST_PUSH, listed, own)
    assert found == {"configs": [shown], "nextPageToken": "2"}
    assert webhooks.told(Operation.LIST_PUSH, {}, own) == {"configs": []}


def _again(request: A2aRequest, written: bytes) -> A2aRequest:
    """What an agent reads in it."""
    headers = {"a2a-version": request.revision.value}
    match request.binding.value:
        case "JSONRPC":
            found = read_jsonrpc(written, headers)
        case "HTTP+JSON":
            prefix = "/v1" if request.revision.value == "0.3" else ""
            found = read_http("POST", f"{prefix}/message:send", "", written, headers)
        case _:
            service = "lf.a2a.v1" if request.revision.value == "1.0" else "a2a.v1"
            path = f"/{service}.A2AService/{request.operation.value}"
            found = read_grpc(path, grpc_frames.frame(written), headers)
    assert isinstance(found, A2aRequest), found
    return found
