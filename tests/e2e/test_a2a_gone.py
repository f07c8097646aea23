"""A server of an agent is gone, and nobody knows it yet: what belongs to nobody goes to another at
once, in each binding, whole and streamed; what belongs to it goes nowhere else. A real Envoy, the
official SDK's clients and agents."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from a2a.types import a2a_pb2
from a2a.utils.errors import A2AError
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import RequestReceived

from tests.e2e.test_a2a import saying
from tests.e2e.test_a2a_instances import BINDINGS, begun, client
from tests.kit import web
from tests.kit.a2a_agent import Agent, running_agent
from tests.kit.in_a_loop import in_a_loop
from tests.kit.stack import Stack, eventually, running

pytestmark = pytest.mark.envoy

CASES = tuple((binding, is_stream) for binding in BINDINGS for is_stream in (False, True))
ALONE = "GRPC"
"""What the agents speak whose clients speak otherwise."""


def name_of(binding: str, *, is_stream: bool) -> str:
    return f"{binding.replace('+', '-').lower()}-{'stream' if is_stream else 'whole'}"


@dataclass(frozen=True, slots=True)
class Fleet:
    """Agents of three servers each; the first of each ends when it is told to."""

    stack: Stack
    frail: dict[str, tuple[Agent, ExitStack]]
    steady: Agent

    def kill(self, name: str) -> None:
        """Once its card is known."""
        card = web.get(f"{self.stack.url}/a2a/{name}/.well-known/agent-card.json")
        assert card.status_code == 200

        def health() -> dict[str, str]:
            agents = web.get(f"{self.stack.url}/agents").json()["agents"]
            (found,) = (each for each in agents if each["name"] == name)
            return {key: each["status"] for key, each in found["instances"].items()}

        eventually(lambda: set(health().values()) == {"healthy"}, "all are well")
        self.frail[name][1].close()
        assert set(health().values()) == {"healthy"}, "nobody knows"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("a2a-gone")
    with ExitStack() as stack:
        steady = stack.enter_context(running_agent("steady"))
        alone = stack.enter_context(running_agent("alone", bindings=(ALONE,)))
        frail: dict[str, tuple[Agent, ExitStack]] = {}
        rows: list[str] = []
        named = [(name_of(binding, is_stream=is_stream), False) for binding, is_stream in CASES]
        for name, is_alone in (*named, ("owned", False), ("called", False), ("otherwise", True)):
            ending = stack.enter_context(ExitStack())
            bindings = (ALONE,) if is_alone else BINDINGS
            frail[name] = (
                ending.enter_context(running_agent("frail", bindings=bindings)),
                ending,
            )
            places = (frail[name][0], alone if is_alone else steady)
            one, two = (f'{{url: "{each.url}", grpc: "{each.grpc_url}"}}' for each in places)
            rows.append(
                f"    {name}: {{instances: {{one: {one}, two: {two}}}, choose: failover}}\n"
            )
        config = folder / "gateway.yaml"
        config.write_text(
            'gateways: {default: {port: "${DRAGOMAN_PORT}"}}\n'
            'a2a:\n  push: {url: "http://127.0.0.1:${DRAGOMAN_PORT}", networks: [127.0.0.1/32],'
            " http: true}\n  agents:\n" + "".join(rows)
        )
        yield Fleet(
            stack.enter_context(running(config, folder / "state", workers=1)), frail, steady
        )


@pytest.mark.parametrize(("binding", "is_stream"), CASES)
@in_a_loop
async def test_another_gets_what_is_new(fleet: Fleet, binding: str, is_stream: bool) -> None:
    name = name_of(binding, is_stream=is_stream)
    async with client(fleet.stack, binding, name, streaming=is_stream) as made:
        events = [each async for each in made.send_message(saying("hello"))]
        assert events[0].task.id.endswith("~one")
        fleet.kill(name)
        events = [each async for each in made.send_message(saying("hello", context_id="mine"))]
        task = events[0].task
        assert task.id.endswith("~two")
        assert task.context_id == "mine"
        if is_stream:
            assert {each.status_update.task_id for each in events} <= {task.id, ""}
        found = await made.get_task(a2a_pb2.GetTaskRequest(id=task.id))
        assert found.status.state == a2a_pb2.TASK_STATE_COMPLETED
        events = [each async for each in made.send_message(saying("hello"))]
        assert events[0].task.id.endswith("~two")


@in_a_loop
async def test_another_is_asked_in_its_own_form(fleet: Fleet) -> None:
    async with client(fleet.stack, "JSONRPC", "otherwise", streaming=False) as made:
        assert (await begun(made)).id.endswith("~one")
        fleet.kill("otherwise")
        assert (await begun(made)).id.endswith("~two")


@in_a_loop
async def test_what_belongs_to_it_goes_nowhere_else(fleet: Fleet) -> None:
    async with client(fleet.stack, "JSONRPC", "owned", streaming=False) as made:
        task = await begun(made)
        fleet.kill("owned")
        asked = len(fleet.steady.seen)
        for more in ({"task_id": task.id}, {"context_id": task.context_id}):
            with pytest.raises(A2AError, match="503"):
                await begun(made, **more)
        rest = [each.path for each in fleet.steady.seen[asked:]]
        assert {path for path in rest if not path.startswith("/.well-known")} == set()


@in_a_loop
async def test_nor_does_what_says_a_webhook(fleet: Fleet) -> None:
    request = saying("hello")
    webhook = a2a_pb2.TaskPushNotificationConfig(url=f"{fleet.steady.url}/hook", id="mine")
    request.configuration.task_push_notification_config.CopyFrom(webhook)
    async with client(fleet.stack, "JSONRPC", "called", streaming=False) as made:
        fleet.kill("called")
        with pytest.raises(A2AError, match="503"):
            [each async for each in made.send_message(request)]


@contextmanager
def refusing() -> Iterator[tuple[str, list[int]]]:
    """A server of HTTP/2 that refuses every stream, as one does that is about to leave; its URL,
    and the streams."""
    streams: list[int] = []

    def serve(connection: socket.socket) -> None:
        h2 = H2Connection(H2Configuration(client_side=False))
        h2.initiate_connection()
        with connection, suppress(OSError):
            connection.sendall(h2.data_to_send())
            while data := connection.recv(65536):
                for event in h2.receive_data(data):
                    if isinstance(event, RequestReceived):
                        streams.append(event.stream_id)
                        h2.reset_stream(event.stream_id, ErrorCodes.REFUSED_STREAM)
                connection.sendall(h2.data_to_send())

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listening.accept()
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", streams
        listening.shutdown(socket.SHUT_RDWR)


@in_a_loop
async def test_another_gets_what_the_first_refuses(fleet: Fleet, tmp_path: Path) -> None:
    steady = f'{{url: "{fleet.steady.url}", grpc: "{fleet.steady.grpc_url}"}}'
    with refusing() as (url, streams):
        config = tmp_path / "gateway.yaml"
        leaving = f'{{url: "{fleet.steady.url}", grpc: "{url}"}}'
        config.write_text(
            'gateways: {default: {port: "${DRAGOMAN_PORT}"}}\n'
            f"a2a: {{agents: {{travel: {{instances: {{one: {leaving}, two: {steady}}},"
            " choose: failover}}}\n"
        )
        with running(config, tmp_path / "state", workers=1) as stack:
            async with client(stack, "GRPC", streaming=False) as made:
                assert (await begun(made)).id.endswith("~two")
    assert streams
