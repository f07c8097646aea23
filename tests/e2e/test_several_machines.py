"""Two machines that share virtual keys and limits, kept on a real server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.e2e.conftest import EXAMPLES
from tests.e2e.test_keys import code, keys, made, statuses
from tests.kit import web
from tests.kit.mcp_peers import ACCEPT
from tests.kit.openapi_documents import document
from tests.kit.servers import Server, postgres, redis
from tests.kit.stack import Stack, eventually, running
from xds_server import cli

pytestmark = pytest.mark.envoy

EXAMPLE = EXAMPLES / "several-machines.yaml"
ASK: dict[str, Any] = {
    "model": "demo",
    "messages": [{"role": "user", "content": "say hello"}],
    "max_tokens": 20,
}


MCP = """
mcp:
  sessions: {secrets: [a-secret-of-both-machines-and-no-other]}
  servers:
    one: {openapi: {inline: 'DOCUMENT'}}
    two: {openapi: {inline: 'DOCUMENT'}}
"""
INITIALIZE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "ann", "version": "1"},
}


def on_redis(folder: Path) -> Path:
    """The example, with MCP servers: one of them starts a hub, so the other ledger goes without."""
    file = folder / "gateway.yaml"
    api = document("/x", "get", {}, servers=[{"url": "http://127.0.0.1:1"}])
    file.write_text(EXAMPLE.read_text() + MCP.replace("DOCUMENT", api))
    return file


def on_postgres(folder: Path, server: Server) -> Path:
    """The example, of which all but the ledger stays."""
    text, file = EXAMPLE.read_text(), folder / "gateway.yaml"
    start, end = text.index("  type: redis"), text.index("  # username")
    url = f"postgresql://127.0.0.1:{server.port}/ledger"
    block = f"  type: postgres\n  url: {url}\n  username: gateway\n"
    file.write_text(text[:start] + block + text[end:])
    return file


@pytest.fixture(params=["redis", "postgres"], scope="module")
def machines(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Stack, Stack, Server]]:
    folder = tmp_path_factory.mktemp("machines")
    start = {"redis": redis, "postgres": postgres}[request.param]
    with start(folder / "server") as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("REDIS_URL", f"redis://127.0.0.1:{server.port}")
        file = on_redis(folder) if request.param == "redis" else on_postgres(folder, server)
        with (
            running(file, folder / "a", workers=2) as a,
            running(file, folder / "b", workers=2) as b,
        ):
            yield a, b, server


def test_a_revocation_on_one_machine_is_known_on_the_other_within_a_second(
    machines: tuple[Stack, Stack, Server],
) -> None:
    a, b, _ = machines
    key = made(a, "both", "--team", "red")
    assert statuses(a, key) == statuses(b, key) == [200]
    keys(a, "revoke", "both")
    time.sleep(1.0)
    answers = [b.chat(ASK, key=key) for _ in range(32)]
    assert {(each.status_code, code(each)) for each in answers} == {(401, "invalid_api_key")}
    assert "both" in keys(b, "list")


def test_a_key_is_rotated_and_changed_on_any_machine(
    machines: tuple[Stack, Stack, Server],
) -> None:
    a, b, _ = machines
    old = made(a, "moved", "--models", "other")
    assert statuses(b, old) == [403]
    keys(b, "change", "moved", "--models", "demo")
    eventually(lambda: statuses(a, old) == [200], "the models have changed")
    new = keys(b, "rotate", "moved", "--keep", "0").strip()
    eventually(lambda: statuses(a, old) == [401], "the one before is cut")
    assert statuses(a, new) == statuses(b, new) == [200]


@pytest.mark.parametrize("machines", ["redis"], indirect=True)
def test_a_session_that_has_ended_on_one_machine_has_on_the_other_within_a_second(
    machines: tuple[Stack, Stack, Server],
) -> None:
    a, b, _ = machines
    head = {"authorization": f"Bearer {made(a, 'ann')}", "accept": ACCEPT}

    def asked(stack: Stack, method: str, params: dict[str, Any]) -> httpx.Response:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return web.post(f"{stack.url}/mcp", json=body, headers=head, timeout=30)

    began = asked(a, "initialize", INITIALIZE)
    assert began.status_code == 200, began.text
    head["mcp-session-id"] = began.headers["mcp-session-id"]
    head["mcp-protocol-version"] = "2025-11-25"
    assert [asked(each, "ping", {}).status_code for each in (a, b)] == [200, 200]
    ended = web.request("DELETE", f"{a.url}/mcp", headers=head, timeout=30)
    assert ended.status_code == 200, ended.text
    assert asked(a, "ping", {}).status_code == 404
    time.sleep(1.0)
    found = asked(b, "ping", {})
    assert found.status_code == 404
    assert found.json()["error"]["data"]["code"] == "session_not_found"


def test_a_limit_is_one_for_both_machines(machines: tuple[Stack, Stack, Server]) -> None:
    a, b, _ = machines
    key = made(a, f"limited-{uuid4().hex[:8]}", "--limits", "requests=30/hour")
    assert [each.chat(ASK, key=key).status_code for each in (a, b)] == [200, 200]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda each: each.chat(ASK, key=key), [a, b] * 40))
    passed = 2 + sum(each.status_code == 200 for each in found)
    assert 30 <= passed <= 30 + 3  # four workers, of which each may take one ahead
    refused = [each for each in found if each.status_code != 200]
    assert {(each.status_code, code(each)) for each in refused} == {(429, "rate_limit_exceeded")}
    assert all(int(each.headers["retry-after"]) <= 3600 for each in refused)
    assert refused[-1].headers["x-ratelimit-limit-requests"] == "30"
    assert refused[-1].headers["x-ratelimit-remaining-requests"] == "0"


def test_known_keys_open_while_the_server_is_away_and_changes_fail_clearly(
    machines: tuple[Stack, Stack, Server], capsys: pytest.CaptureFixture[str]
) -> None:
    a, b, server = machines
    key, paid = made(a, "kept"), made(a, "paid", "--team", "red")
    for each in (a, b):
        assert statuses(each, key) == statuses(each, paid) == [200]
    server.kill()
    assert statuses(a, key) == statuses(b, key) == [200]
    assert code(b.chat(ASK, key=paid)) == "ledger_unavailable"  # by its team's budget
    assert code(b.chat(ASK, key="dgm_" + "a" * 16 + "_" + "b" * 40)) == "keys_unavailable"
    where = ["--admin", str(a.admin_port), "--state-dir", str(a.state)]
    for words in (("create", "more"), ("revoke", "kept"), ("list",)):
        assert cli.main(["keys", *words, *where], {}) == 1
        assert "ledger '" in capsys.readouterr().err
    server.start()
    eventually(lambda: cli.main(["keys", "revoke", "kept", *where], {}) == 0, "it is back")
    eventually(lambda: statuses(b, key) == [401], "what has changed is told")
    eventually(lambda: statuses(a, paid) == [200], "budgets are counted again")
