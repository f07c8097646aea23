"""The gateway with the SDKs of others: each as a client, several as servers, alone and as one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.kit.conformance import installed
from tests.kit.mcp_others import COMMANDS, everything, inspected, python_1_server, talk
from tests.kit.mcp_peers import RawClient, mcp_servers
from tests.kit.stack import Stack, running

pytestmark = pytest.mark.envoy

YAML = """
gateways: {default: {port: "${DRAGOMAN_PORT}"}}
identity: {required: false}
mcp:
  servers:
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """`python2` has both eras, the others sessions alone."""
    installed()
    folder = tmp_path_factory.mktemp("sdks")
    with ExitStack() as stack:
        urls = {
            "python2": stack.enter_context(mcp_servers(python2=[]))["python2"].url,
            "python1": stack.enter_context(python_1_server()),
            "typescript1": stack.enter_context(everything("streamableHttp")),
        }
        config = folder / "gateway.yaml"
        config.write_text(YAML + "".join(f'    {name}: {{url: "{urls[name]}"}}\n' for name in urls))
        yield stack.enter_context(running(config, folder / "state", workers=1))


SAID = ["the model said: QUIET", "hello Ann", "file:///home/ann"]


@pytest.mark.parametrize(
    ("sdk", "server"),
    [
        ("typescript 1", "python1"),
        ("typescript 2", "python2"),
        ("typescript 2, legacy", "python2"),
        ("python 1", "python1"),
    ],
)
def test_an_sdk_uses_one_server(gateway: Stack, sdk: str, server: str) -> None:
    said = talk(sdk, f"{gateway.url}/mcp/{server}")
    assert {"add", "sample", "greet", "roots", "progress"} <= set(said.tools)
    assert '"total": 3' in said.texts[0]
    assert said.texts[1:4] == SAID
    assert said.steps >= 3


@pytest.mark.parametrize("sdk", COMMANDS)
def test_an_sdk_uses_all_servers_as_one(gateway: Stack, sdk: str) -> None:
    for server in ("python1", "python2"):
        said = talk(sdk, f"{gateway.url}/mcp", prefix=f"{server}__")
        assert {"python1__add", "python2__add", "typescript1__echo"} <= set(said.tools)
        assert '"total": 3' in said.texts[0]
        assert said.texts[1:4] == SAID
        assert said.steps >= 3


def test_the_inspector_sees_and_calls(gateway: Stack) -> None:
    url, name = f"{gateway.url}/mcp", "typescript1__get-sum"
    listed = inspected(url, "--method", "tools/list")
    assert name in [each["name"] for each in listed["tools"]]
    said = ("--method", "tools/call", "--tool-name", name, "--tool-arg", "a=1", "b=2")
    assert "3" in inspected(url, *said)["content"][0]["text"]


def test_tasks_of_a_server_are_its_own_in_the_federation(gateway: Stack) -> None:
    """Of revision 2025-11-25: made by a call, looked at, listed, waited for, and ended."""
    client = RawClient(f"{gateway.url}/mcp")
    assert client.initialize().result["capabilities"]["tasks"]
    name = "typescript1__simulate-research-query"
    params = {"name": name, "arguments": {"topic": "x"}, "task": {"ttl": 60_000}}
    first, second = (client.ask("tools/call", params).result["task"]["taskId"] for _ in range(2))
    assert first.startswith("typescript1/")
    assert client.ask("tasks/get", {"taskId": first}).result["taskId"] == first
    listed = [each["taskId"] for each in client.ask("tasks/list").result["tasks"]]
    assert {first, second} <= set(listed)
    assert client.ask("tasks/cancel", {"taskId": second}).result["status"] == "cancelled"
    result = client.ask("tasks/result", {"taskId": first}).result
    assert "Research Report: x" in result["content"][0]["text"]
    related = result["_meta"]["io.modelcontextprotocol/related-task"]
    assert related["taskId"] == first
    for unknown in ("typescript1/none", "python2/none", "nobody/none", first.partition("/")[2]):
        assert client.ask("tasks/get", {"taskId": unknown}).error["code"] in (-32601, -32602)
