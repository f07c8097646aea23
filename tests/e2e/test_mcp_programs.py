"""`examples/mcp-stdio.yaml`: MCP servers that are programs, through a real Envoy, by the official
SDK; and what becomes of their sessions when they die, are changed, or lose the hub."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mcp import Client

from tests.e2e.conftest import EXAMPLES
from tests.kit import web
from tests.kit.mcp_clients import ROOT, Ann, all_tools, talk, text
from tests.kit.mcp_peers import McpServer, RawClient, mcp_servers
from tests.kit.stack import Stack, eventually, running

pytestmark = [
    pytest.mark.envoy,
    pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning"),
]

# A server as small as it can be, which tells what it sees, and ends when it is asked to.
SMALL = '''"""A small MCP server."""
import json, os, sys

TOOLS = [{"name": name, "inputSchema": {"type": "object"}} for name in ("pid", "env", "exit")]
for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    name = asked.get("params", {}).get("name")
    if asked["method"] == "initialize":
        told = {"protocolVersion": asked["params"]["protocolVersion"],
                "capabilities": {"tools": {}}, "serverInfo": {"name": "small", "version": "1"}}
    elif asked["method"] == "tools/list":
        told = {"tools": TOOLS}
    elif name == "exit":
        print("as you wish", file=sys.stderr)
        sys.exit(3)
    elif asked["method"] == "tools/call":
        said = str(os.getpid()) if name == "pid" else ",".join(sorted(os.environ))
        told = {"content": [{"type": "text", "text": said}]}
    else:
        error = {"code": -32601, "message": "unknown"}
        print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "error": error}), flush=True)
        continue
    print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": told}), flush=True)
'''


YAML = """
include: [{example}]
mcp:
  servers:
    every:
      command: [{python}, {every}, --name, every]
      environment: {{PYTHONPATH: {repository}, ZONE: Europe/Lisbon}}
    old: {{url: "{url}", transport: sse, key: k-old, headers: {{x-caller: dragoman}}}}
    small: {{command: [{python}, {small}], shared: true}}
"""


@pytest.fixture(scope="module")
def old() -> Iterator[McpServer]:
    with mcp_servers(old=["--sse"]) as servers:
        yield servers["old"]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, old: McpServer) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("programs")
    small, every, config = folder / "small.py", folder / "every.py", folder / "gateway.yaml"
    small.write_text(SMALL)
    every.write_text("from tests.kit.mcp_server import main\nmain()\n")
    example = EXAMPLES / "mcp-stdio.yaml"
    url = f"http://127.0.0.1:{old.port}/sse"
    places = {"url": url, "repository": EXAMPLES.parent, "small": small, "every": every}
    config.write_text(YAML.format(example=example, python=sys.executable, **places))
    with running(config, folder / "state", workers=1) as stack:
        yield stack


def test_the_example_tells_the_time(gateway: Stack) -> None:
    for name in ("clock", "everybodys-clock"):
        client = RawClient(f"{gateway.url}/mcp/{name}")
        client.initialize()
        said = client.call("now", {"zone": "Asia/Tokyo"}).result["content"][0]["text"]
        assert said.endswith(" Asia/Tokyo")


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_a_program_is_a_server_with_everything_in_both_eras(gateway: Stack, mode: str) -> None:
    ann = Ann()

    async def conversation() -> None:
        async with ann.client(f"{gateway.url}/mcp/every", mode) as client:
            assert {"add", "echo", "sample"} <= {each.name for each in await all_tools(client)}
            added = await client.call_tool("add", {"a": 2, "b": 3})
            assert added.structured_content == {"total": 5, "by": "every"}
            steps = await client.call_tool("progress", {"steps": 3}, progress_callback=ann.step)
            assert text(steps) == "every took 3 steps"
            assert [each[0] for each in ann.progress] == [1, 2, 3]
            assert text(await client.call_tool("sample", {"prompt": "q"})) == "the model said: Q"
            assert text(await client.call_tool("greet", {})) == "hello Ann"
            assert text(await client.call_tool("roots", {})) == ROOT

    talk(conversation)
    assert ann.asked == ["sampling", "elicitation", "roots"]


def test_an_answer_whose_stream_broke_off_is_fetched_with_the_last_event_id(
    gateway: Stack,
) -> None:
    client = RawClient(f"{gateway.url}/mcp/every")
    client.initialize()
    headers = {
        "accept": "application/json, text/event-stream",
        "mcp-session-id": client.session,
        "mcp-protocol-version": client.version,
    }
    params = {"name": "slow", "arguments": {"seconds": 1.5}}
    call = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}
    with web.stream("POST", client.url, json=call, headers=headers, timeout=10) as begun:
        id = next(begun.iter_lines()).removeprefix("id: ")
    assert id.endswith("-0")
    resumed = {**headers, "accept": "text/event-stream", "last-event-id": id}
    with web.stream("GET", client.url, headers=resumed, timeout=10) as again:
        data = [line for line in again.iter_lines() if line.startswith("data: ")]
    (answer,) = [json.loads(line.removeprefix("data: ")) for line in data]
    assert (answer["id"], answer["result"]["isError"]) == (7, False)


def test_a_server_of_http_with_sse_is_a_server_like_others(gateway: Stack, old: McpServer) -> None:
    ann = Ann()

    async def conversation() -> None:
        async with ann.client(f"{gateway.url}/mcp/old", "auto") as client:
            assert {"add", "echo", "sample"} <= {each.name for each in await all_tools(client)}
            steps = await client.call_tool("progress", {"steps": 3}, progress_callback=ann.step)
            assert text(steps) == "old took 3 steps"
            assert [each[0] for each in ann.progress] == [1, 2, 3]
            assert text(await client.call_tool("sample", {"prompt": "q"})) == "the model said: Q"

    talk(conversation)
    stream = next(row for row in old.seen() if row["method"] == "GET")
    assert stream["headers"]["authorization"] == "Bearer k-old"
    assert stream["headers"]["x-caller"] == "dragoman"
    post = next(row for row in old.seen() if row["method"] == "POST")
    assert post["headers"]["authorization"] == "Bearer k-old"


def test_a_server_of_http_with_sse_that_dies_ends_its_sessions(
    gateway: Stack, old: McpServer
) -> None:
    client = RawClient(f"{gateway.url}/mcp/old")
    client.initialize()
    assert client.ask("ping").status == 200
    old.kill()
    eventually(lambda: client.ask("ping").status == 404, "the session is gone")
    again = RawClient(f"{gateway.url}/mcp/old")
    assert again.ask("initialize", {"protocolVersion": "2025-11-25"}).status == 503
    old.restart()
    eventually(lambda: RawClient(again.url).initialize().status == 200, "it is back")


def test_programs_are_part_of_a_federation(gateway: Stack) -> None:
    async def conversation() -> None:
        async with Ann().client(f"{gateway.url}/mcp", "legacy") as client:
            names = {each.name for each in await all_tools(client)}
            assert {"every__echo", "small__pid"} <= names
            assert text(await client.call_tool("every__echo", {"text": "x"})) == "every: x"
            assert text(await client.call_tool("small__pid", {})).isdigit()

    talk(conversation)


def test_a_shared_program_runs_once_and_sees_little_of_our_environment(gateway: Stack) -> None:
    async def ask(client: Client, tool: str) -> str:
        return text(await client.call_tool(tool, {}))

    async def conversation() -> None:
        url = f"{gateway.url}/mcp/small"
        async with Ann().client(url, "legacy") as one, Ann().client(url, "legacy") as other:
            assert await ask(one, "pid") == await ask(other, "pid")
            seen = set((await ask(one, "env")).split(","))
            assert seen <= {"HOME", "LANG", "LC_CTYPE", "PATH", "TMPDIR"}

    talk(conversation)


def test_a_shared_program_that_dies_is_started_anew_in_the_same_session(gateway: Stack) -> None:
    client = RawClient(f"{gateway.url}/mcp/small")
    client.initialize()
    before = client.call("pid").result["content"][0]["text"]
    error = client.call("exit").error
    assert error["message"] == "server small: it ended with status 3"
    after = client.call("pid").result["content"][0]["text"]
    assert before != after


def test_a_program_of_a_session_that_dies_ends_the_session_and_no_other(gateway: Stack) -> None:
    one, other = (RawClient(f"{gateway.url}/mcp/every") for _ in range(2))
    one.initialize()
    other.initialize()
    (pid, _) = sorted(pids(gateway), reverse=True)[:2]
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: {one.ask("ping").status, other.ask("ping").status} == {200, 404}, "one gone")


def pids(gateway: Stack) -> list[int]:
    """The processes that are the server `every`."""
    script = str(gateway.config.parent / "every.py").encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if (folder / "cmdline").read_bytes().split(b"\0")[1:2] == [script]:
                found.append(int(folder.name))
    return found


def test_a_hub_that_dies_is_started_again_and_leaves_no_program_behind(gateway: Stack) -> None:
    client = RawClient(f"{gateway.url}/mcp/every")
    client.initialize()
    (hub,) = [each for each in web.get(f"{gateway.admin_url}/api/status").json()["processes"]
              if each["name"] == "hub"]  # fmt: skip
    before = pids(gateway)
    assert before
    os.kill(hub["pid"], signal.SIGKILL)
    eventually(lambda: not set(before) & set(pids(gateway)), "its programs are gone")
    gateway.wait_ready()
    eventually(lambda: client.ask("ping").status == 404, "the hub is back, the session is not")
    client = RawClient(f"{gateway.url}/mcp/every")
    client.initialize()
    assert client.ask("ping").status == 200


def test_a_change_of_one_server_leaves_the_others_sessions_alone(gateway: Stack) -> None:
    kept, changed = (RawClient(f"{gateway.url}/mcp/{name}") for name in ("small", "every"))
    kept.initialize()
    changed.initialize()
    written = gateway.config.read_text()
    gateway.config.write_text(written.replace("Europe/Lisbon", "Asia/Tokyo"))
    eventually(lambda: changed.ask("ping").status == 404, "the server was changed")
    assert kept.call("pid").status == 200
