"""The official SDK of 0.3 through a real Envoy: its clients with agents of each form, its own among
them; `test_a2a_forms.py` has clients of 1.0."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.kit.a2a_agent import Agent, running_agent
from tests.kit.a2a_others import old_agent, talked
from tests.kit.stack import Stack, running

pytestmark = pytest.mark.envoy

NEW = ("1.0",)


@contextmanager
def gateway(folder: Path, agents: dict[str, Agent]) -> Iterator[Stack]:
    config = folder / "gateway.yaml"
    rows = [
        f'    {name}: {{url: "{each.url}", grpc: "{each.grpc_url}"}}\n'
        for name, each in agents.items()
    ]
    head = 'gateways: {default: {port: "${DRAGOMAN_PORT}"}}\na2a:\n  agents:\n'
    config.write_text(head + "".join(rows))
    with running(config, folder / "state", workers=1) as stack:
        yield stack


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with ExitStack() as stack:
        agents = {
            "old-calls": stack.enter_context(old_agent("JSONRPC")),
            "old-rest": stack.enter_context(old_agent("HTTP+JSON")),
            "old-rpc": stack.enter_context(old_agent("GRPC")),
            "new-rest": stack.enter_context(
                running_agent("new-rest", NEW, bindings=("HTTP+JSON",))
            ),
            "new-rpc": stack.enter_context(running_agent("new-rpc", NEW, bindings=("GRPC",))),
        }
        folder = tmp_path_factory.mktemp("a2a-sdks")
        yield stack.enter_context(gateway(folder, agents))


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Calls of gRPC of 0.3 name no agent, so there is one."""
    with ExitStack() as stack:
        agents = {"only": stack.enter_context(old_agent("JSONRPC"))}
        folder = tmp_path_factory.mktemp("a2a-sdk-alone")
        yield stack.enter_context(gateway(folder, agents))


def understood(said: Any, binding: str) -> None:
    assert said["stream"] == ["Hello", ", ", "world", ": hello"]
    assert said["message"] == ["say yes"]
    assert said["question"] == ["input-required", "completed"]
    assert said["task"] == ["completed", 1, 1]
    if binding == "HTTP+JSON":  # of which the SDK tells the status alone
        assert "404" in said["missing"]
        assert "409" in said["cancelled"] or "400" in said["cancelled"]
    else:
        assert "not found" in said["missing"].lower()
        assert "cannot be canceled" in said["cancelled"].lower()


@pytest.mark.parametrize(
    ("agent", "binding"),
    [
        ("old-calls", "JSONRPC"),
        ("old-calls", "HTTP+JSON"),
        ("old-rest", "JSONRPC"),
        ("old-rpc", "JSONRPC"),
        ("new-rest", "JSONRPC"),
        ("new-rpc", "HTTP+JSON"),
    ],
)
def test_a_client_of_0_3_speaks_to_agents_of_each_form(
    several: Stack, agent: str, binding: str
) -> None:
    understood(talked(f"{several.url}/a2a/{agent}", binding), binding)


def test_a_client_of_0_3_speaks_to_an_agent_of_json_over_grpc(alone: Stack) -> None:
    understood(talked(f"{alone.url}/a2a/only", "GRPC"), "GRPC")
