"""Push notifications through a real Envoy: the official SDK's agent calls the gateway, and the
gateway the client, who is in each binding told of its own webhook alone."""

from __future__ import annotations

import hashlib
import json
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc.aio
import httpx
import jwt
import pytest
from a2a.client import ClientConfig, create_client
from a2a.helpers import new_text_message
from a2a.types import a2a_pb2
from a2a.utils.errors import InvalidParamsError

from tests.e2e.test_a2a_trust import private
from tests.kit import web
from tests.kit.a2a_agent import Agent, running_agent
from tests.kit.certificates import Authority
from tests.kit.in_a_loop import in_a_loop
from tests.kit.recorder import Recorded, Recorder
from tests.kit.stack import Stack, eventually, running

pytestmark = pytest.mark.envoy
each_binding = pytest.mark.parametrize("binding", ["JSONRPC", "HTTP+JSON", "GRPC"])


@dataclass(frozen=True, slots=True)
class Scene:
    """A gateway, an agent, and where clients are called."""

    stack: Stack
    agent: Agent
    webhook: Recorder
    secure: Recorder
    """With a certificate for `127.1`, which is a name that leads to 127.0.0.1."""

    def called(self, path: str) -> list[Recorded]:
        return [each for each in self.webhook.requests if each.path == path]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("push")
    (folder / "ours.pem").write_text(private())
    config = folder / "gateway.yaml"
    authority = Authority()
    (folder / "ca.pem").write_text(authority.pem)
    for name, text in zip(("server.pem", "key.pem"), authority.server("127.1"), strict=True):
        (folder / name).write_text(text)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "server.pem", folder / "key.pem")
    with (
        running_agent("travel", ("1.0", "0.3")) as agent,
        Recorder() as webhook,
        Recorder(tls) as secure,
    ):
        config.write_text(
            f"""
gateways: {{default: {{port: "${{DRAGOMAN_PORT}}"}}}}
a2a:
  signing: {{key_file: ours.pem, kid: ours}}
  push:
    url: "http://127.0.0.1:${{DRAGOMAN_PORT}}"
    networks: [127.0.0.1/32]
    ca: ca.pem
    http: true
    sign: true
    timeout: 5s
  agents: {{travel: {{url: "{agent.url}", grpc: "{agent.grpc_url}"}}}}
"""
        )
        with running(config, folder / "state", workers=1) as stack:
            yield Scene(stack, agent, webhook, secure)


def webhook(scene: Scene, path: str, **more: Any) -> a2a_pb2.TaskPushNotificationConfig:
    said = a2a_pb2.AuthenticationInfo(scheme="Bearer", credentials="clients-own")
    url = f"{scene.webhook.url}{path}"
    return a2a_pb2.TaskPushNotificationConfig(
        url=url, token="clients-token", authentication=said, **more
    )


@each_binding
@in_a_loop
async def test_a_client_is_called_as_it_wants_to_be(scene: Scene, binding: str) -> None:
    path = f"/{binding}"
    async with httpx.AsyncClient(timeout=30) as http:
        client = await create_client(
            f"{scene.stack.url}/a2a/travel",
            ClientConfig(
                httpx_client=http,
                grpc_channel_factory=grpc.aio.insecure_channel,
                supported_protocol_bindings=[binding],
                streaming=False,
            ),
        )
        request = a2a_pb2.SendMessageRequest(
            message=new_text_message("ask me", role=a2a_pb2.ROLE_USER),
            configuration=a2a_pb2.SendMessageConfiguration(
                task_push_notification_config=webhook(scene, path)
            ),
        )
        (asked,) = [each async for each in client.send_message(request)]
        eventually(lambda: bool(scene.called(path)), "the client is called")
        called = scene.called(path)[0]
        assert called.headers["authorization"] == "Bearer clients-own"
        assert called.headers["x-a2a-notification-token"] == "clients-token"
        assert called.headers["host"] == f"127.0.0.1:{scene.webhook.port}"
        assert not [each for each in called.headers if each.startswith(("x-dragoman", "x-envoy"))]
        assert json.loads(called.body)["task"]["id"] == asked.task.id

        made = await client.create_task_push_notification_config(
            webhook(scene, f"{path}/later", task_id=asked.task.id, id="later")
        )
        listed = await client.list_task_push_notification_configs(
            a2a_pb2.ListTaskPushNotificationConfigsRequest(task_id=asked.task.id)
        )
        got = await client.get_task_push_notification_config(
            a2a_pb2.GetTaskPushNotificationConfigRequest(task_id=asked.task.id, id="later")
        )
        told = {each.id: each for each in listed.configs}
        assert made.url == got.url == told["later"].url == f"{scene.webhook.url}{path}/later"
        for each in (made, got, *listed.configs):
            assert not each.token
            assert not each.HasField("authentication")
        await client.delete_task_push_notification_config(
            a2a_pb2.DeleteTaskPushNotificationConfigRequest(task_id=asked.task.id, id="later")
        )
        refused = webhook(scene, "", task_id=asked.task.id)
        refused.url = "http://169.254.169.254/latest"
        with pytest.raises(InvalidParamsError, match="no address that may be called"):
            await client.create_task_push_notification_config(refused)
        await client.close()


def test_a_client_of_0_3_is_told_a_task_that_the_gateway_has_signed(scene: Scene) -> None:
    message = {"messageId": "m", "role": "user", "parts": [{"kind": "text", "text": "ask me"}]}
    config = {"pushNotificationConfig": {"url": f"{scene.webhook.url}/old", "token": "t"}}
    params = {"message": message, "configuration": config}
    body = {"jsonrpc": "2.0", "id": 1, "method": "message/send", "params": params}
    task = web.post(f"{scene.stack.url}/a2a/travel", json=body).json()["result"]
    eventually(lambda: bool(scene.called("/old")), "the client is called")
    called = scene.called("/old")[0]
    told = json.loads(called.body)
    assert (told["kind"], told["id"]) == ("task", task["id"])
    kind, _, token = called.headers["authorization"].partition(" ")
    keys = web.get(f"{scene.stack.url}/a2a/.well-known/jwks.json").json()["keys"]
    claims = jwt.decode(
        token, jwt.PyJWK(keys[0]).key, algorithms=["ES256"], audience=scene.webhook.url
    )
    assert (kind, claims["sub"]) == ("Bearer", "travel")
    assert claims["request_body_sha256"] == hashlib.sha256(called.body).hexdigest()
    listing = {"jsonrpc": "2.0", "id": 2, "method": "tasks/pushNotificationConfig/list"}
    asked = {**listing, "params": {"id": task["id"]}}
    (own,) = web.post(f"{scene.stack.url}/a2a/travel", json=asked).json()["result"]
    assert own["pushNotificationConfig"]["url"] == f"{scene.webhook.url}/old"


def test_nobody_else_is_called_through_the_gateway(scene: Scene) -> None:
    body = {"task": {"id": "t", "contextId": "c", "status": {"state": "TASK_STATE_WORKING"}}}
    before = len(scene.webhook.requests)
    made_up = web.post(f"{scene.stack.url}/a2a/.push/travel/{'A' * 200}", json=body)
    assert made_up.status_code == 404
    head = {"x-envoy-original-dst-host": f"127.0.0.1:{scene.webhook.port}"}
    for name in ("x-dragoman-a2a", "X-Dragoman-A2A"):
        sent = web.post(f"{scene.stack.url}/x", json=body, headers={**head, name: "webhooks/http"})
        assert sent.status_code == 404
    assert len(scene.webhook.requests) == before


def asked_for(scene: Scene, url: str) -> None:
    """A message whose client wants to be called there."""
    message = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "ask me"}]}
    configuration = {"taskPushNotificationConfig": {"url": url}, "returnImmediately": True}
    body = {"message": message, "configuration": configuration}
    head = {"a2a-version": "1.0"}
    sent = web.post(f"{scene.stack.url}/a2a/travel/message:send", json=body, headers=head)
    assert sent.status_code == 200, sent.text


def test_the_certificate_of_a_webhook_is_for_its_name(scene: Scene) -> None:
    port = scene.secure.port
    asked_for(scene, f"https://127.1:{port}/right")
    eventually(lambda: bool(scene.secure.requests), "the client is called")
    called = scene.secure.requests[0]
    assert (called.path, called.headers["host"]) == ("/right", f"127.1:{port}")
    asked_for(scene, f"https://127.0.1:{port}/wrong")
    stats = f"http://127.0.0.1:{scene.stack.envoy_admin_port}/stats?filter=webhooks/https.ssl"

    def is_refused() -> bool:
        lines = web.get(stats).text.splitlines()
        counts = dict(line.rsplit(": ", 1) for line in lines if ": " in line)
        return any(int(n) for name, n in counts.items() if "fail_verify_san" in name)

    eventually(is_refused, "the certificate is refused")
    assert {each.path for each in scene.secure.requests} == {"/right"}


def test_a_client_who_is_busy_is_called_again(scene: Scene) -> None:
    scene.webhook.failing = 1
    asked_for(scene, f"{scene.webhook.url}/busy")
    eventually(lambda: len(scene.called("/busy")) > 1, "the client is called again")
    bodies = [each.body for each in scene.called("/busy")]
    assert bodies.count(bodies[0]) == 2


def test_guards_of_a_caller_read_what_that_caller_is_told(scene: Scene, tmp_path: Path) -> None:
    config = tmp_path / "gateway.yaml"
    config.write_text(
        f"""
gateways: {{default: {{port: "${{DRAGOMAN_PORT}}"}}}}
identity:
  api_keys: {{keys: [{{name: ann, key: sk-ann, team: red}}, {{name: bob, key: sk-bob}}]}}
a2a:
  push: {{url: "http://127.0.0.1:${{DRAGOMAN_PORT}}", networks: [127.0.0.1/32], http: true}}
  agents: {{travel: {{url: "{scene.agent.url}"}}}}
guardrails:
  - name: people
    type: pii
    kinds: [email]
    action: mask
    phase: response
    for: {{team: red, a2a: travel}}
"""
    )
    with running(config, tmp_path / "state", workers=1) as stack:
        for name in ("ann", "bob"):
            parts = [{"text": "to j@example.com"}]
            message = {"messageId": "m", "role": "ROLE_USER", "parts": parts}
            hook = {"taskPushNotificationConfig": {"url": f"{scene.webhook.url}/guarded/{name}"}}
            head = {"authorization": f"Bearer sk-{name}", "a2a-version": "1.0"}
            sent = {"message": message, "configuration": hook}
            answer = web.post(f"{stack.url}/a2a/travel/message:send", json=sent, headers=head)
            assert answer.status_code == 200

            def told(name: str = name) -> str:
                called = scene.called(f"/guarded/{name}")
                return "".join(each.body.decode() for each in called)

            eventually(lambda: "COMPLETED" in told(), "the client is told how it ends")
            assert ("[EMAIL]" in told()) is (name == "ann")
            assert ("j@example.com" in told()) is (name == "bob")
