"""What `dragoman diff` and `dragoman explain` say is what a real Envoy does."""

from __future__ import annotations

import argparse
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.config.load import load_file
from gateway.config.schema import Config
from gateway.model import Endpoint
from gateway.resolve import resolve
from tests.kit import web
from tests.kit.any_envoy import running_beside
from tests.kit.certificates import Authority
from tests.kit.envoy import OLDEST
from tests.kit.stack import KEY, Stack, eventually, free_ports, running
from xds_server.audience import Level
from xds_server.commands import diff
from xds_server.compile import compile_gateway
from xds_server.explained import Explanation, RoutePart
from xds_server.explanation import explain
from xds_server.python_messages import STREAM_LOG
from xds_server.resources.topology import Topology

pytestmark = pytest.mark.envoy

QUICKSTART = Path(__file__).parents[2] / "examples" / "quickstart.yaml"
DRAIN_SECONDS = 1
CHUNKS = 20
ROUTES = """
routes:
  - name: open
    match: {path: {prefix: /a}}
    backend: http://127.0.0.1:${DRAGOMAN_DEMO_PORT:-18080}
    auth: none
  - name: keyed
    match: {path: {prefix: /b}}
    backend: http://127.0.0.1:${DRAGOMAN_DEMO_PORT:-18080}
    auth: key
  - name: retried
    match: {path: {prefix: /r}}
    backend: http://127.0.0.1:${DRAGOMAN_DEMO_PORT:-18080}
    replace_prefix: /a
    auth: none
    retries: 1
"""
LIMIT_BYTES = 1 << 20


@dataclass(slots=True)
class Running:
    """A gateway of two listeners, whose file may be changed."""

    stack: Stack
    envoy_admin: int
    other: int
    """The port of the second listener."""
    text: str

    def verdict(
        self, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> dict[str, Any]:
        """What a change would do, as the command says of what runs."""
        file = tmp_path / "new.yaml"
        file.write_text(text)
        arguments = argparse.Namespace(
            old="running",
            new=str(file),
            admin=Endpoint("127.0.0.1", self.stack.admin_port),
            json=True,
            drain_seconds=DRAIN_SECONDS,
            envoy=Level.V1_40,
            port=self.stack.port,
            extproc=(),
            typed=frozenset({"port"}),
        )
        environment = {"DRAGOMAN_DEMO_PORT": str(self.stack.demo_port)}
        assert diff.COMMAND.run(arguments, environment) == diff.DIFFERENT
        found = json.loads(capsys.readouterr().out)
        assert found["resources"] or found["configuration"]
        verdict: dict[str, Any] = found["verdict"]
        return verdict

    def drained(self, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
        """The listeners that a change would drain."""
        verdict = self.verdict(text, tmp_path, capsys)
        return [each["listener"] for each in verdict["drains"]]

    def save(self, text: str) -> None:
        """Make the change, and wait until it is in force."""
        before = self.told()
        self.stack.config.write_text(text)
        eventually(lambda: self.told() != before, "applied")
        eventually(self.stack.is_ready, "everybody has it")

    def told(self) -> object:
        """What is in force; its version is that of what workers have alone."""
        answer = web.get(f"{self.stack.admin_url}/api/resources", timeout=5)
        document: object = answer.raise_for_status().json()
        return document

    def stats(self, part: str) -> int:
        url = f"http://127.0.0.1:{self.envoy_admin}/stats?format=json"
        stats = web.get(url, timeout=5).json()["stats"]
        return sum(each["value"] for each in stats if each.get("name", "").endswith(part))


def written(folder: Path, other: int) -> tuple[Path, str]:
    """The quickstart with a second gateway and plain routes."""
    head = f"gateways:\n  other: {{port: {other}, address: 127.0.0.1}}\n  default:"
    text = QUICKSTART.read_text().replace("gateways:\n  default:", head) + ROUTES
    text = text.replace(
        "address: ${DRAGOMAN_ADDRESS:-127.0.0.1}",
        f"max_request_bytes: {LIMIT_BYTES}\n    address: 127.0.0.1",
    )
    config = folder / "gateway.yaml"
    config.write_text(text)
    return config, text


@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    monkeypatch.setenv("DRAGOMAN_DRAIN_SECONDS", str(DRAIN_SECONDS))
    *ports, other = free_ports(5)
    config, text = written(tmp_path, other)
    with running(config, tmp_path / "state", workers=1, ports=ports) as stack:
        stack.switch("a", "slow")
        yield Running(stack, ports[2], other, text)


@pytest.fixture
def older(tmp_path: Path) -> Iterator[Running]:
    """The same, served by an Envoy of the oldest version."""
    (other,) = free_ports(1)
    config, text = written(tmp_path, other)
    state = tmp_path / "state"
    with running_beside(config, state, OLDEST) as stack:
        admin = json.loads((state / "envoy.json").read_text())["admin"]["address"]
        yield Running(stack, admin["socket_address"]["port_value"], other, text)


@dataclass(slots=True)
class Streaming:
    """One slow answer, read by a thread of its own."""

    port: int
    lines: list[str] = field(default_factory=list)
    is_cut: bool = False
    thread: threading.Thread | None = None

    def start(self) -> Streaming:
        self.thread = threading.Thread(target=self._read)
        self.thread.start()
        eventually(lambda: len(self.lines) > 2, "the stream has begun")
        return self

    def _read(self) -> None:
        url = f"http://127.0.0.1:{self.port}/v1/chat/completions"
        body = {
            "model": "demo-a",
            "stream": True,
            "messages": [{"role": "user", "content": f"count to {CHUNKS}"}],
        }
        headers = {"authorization": f"Bearer {KEY}"}
        try:
            with web.stream("POST", url, json=body, headers=headers, timeout=30) as answer:
                for line in answer.iter_lines():
                    self.lines.append(line)
        except httpx.TransportError:
            self.is_cut = True

    def is_whole(self) -> bool:
        assert self.thread is not None
        self.thread.join(60)
        assert not self.thread.is_alive()
        assert self.is_cut == ("data: [DONE]" not in self.lines), self.lines[-3:]
        return not self.is_cut


def test_what_cuts_nothing_cuts_nothing(
    gateway: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = gateway.text.replace("silence: 2s", "silence: 3s")
    text = text.replace("provider-key-b", "provider-key-c").replace("limit: 5 USD", "limit: 6 USD")
    text = text.replace('principal.team == "demo"', 'principal.team != "other"')
    text = text.replace("  models:\n", "  models:\n    more: demo-b/demo-b\n")
    text = text.replace("routes:\n", "routes:\n  - {name: n, backend: 'http://127.0.0.1:9'}\n")
    assert gateway.drained(text, tmp_path, capsys) == []
    streams = [Streaming(gateway.stack.port).start(), Streaming(gateway.other).start()]
    gateway.save(text)
    assert [stream.is_whole() for stream in streams] == [True, True]


@pytest.mark.parametrize("change", ["moved", "removed", "renamed", "secured"])
def test_what_drains_is_cut_at_the_drain_time_and_nothing_else(
    change: str, gateway: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = f"  other: {{port: {gateway.other}, address: 127.0.0.1}}\n"
    (port,) = free_ports(1)
    certificate, key = Authority().server()
    (tmp_path / "cert.pem").write_text(certificate)
    (tmp_path / "key.pem").write_text(key)
    tls = f"tls: {{cert: {tmp_path}/cert.pem, key: {tmp_path}/key.pem}}"
    text = {
        "moved": gateway.text.replace(line, line.replace(str(gateway.other), str(port))),
        "removed": gateway.text.replace(line, ""),
        "renamed": gateway.text.replace(line, line.replace("other", "another")),
        "secured": gateway.text.replace(line, line.replace("}", f", {tls}}}")),
    }[change]
    assert gateway.drained(text, tmp_path, capsys) == ["gateway/other"]
    staying, leaving = Streaming(gateway.stack.port).start(), Streaming(gateway.other).start()
    start = time.monotonic()
    gateway.save(text)
    assert not leaving.is_whole()
    assert DRAIN_SECONDS * 0.9 < time.monotonic() - start < DRAIN_SECONDS + 5
    assert staying.is_whole()
    if change in ("moved", "renamed"):  # its successor serves
        taken = gateway.other if change == "renamed" else port
        url = f"http://127.0.0.1:{taken}/v1/models"
        headers = {"authorization": f"Bearer {KEY}"}
        assert web.get(url, headers=headers, timeout=5).status_code == 200


def test_gateways_change_ports_and_come_back_when_the_change_is_refused(
    gateway: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (port,) = free_ports(1)
    head = f"  third: {{port: {port}, address: 127.0.0.1}}\n  other:"
    with_third = gateway.text.replace("  other:", head)
    assert gateway.drained(with_third, tmp_path, capsys) == []
    gateway.save(with_third)
    swapped = (
        with_third.replace(str(port), "SWAP")
        .replace(str(gateway.other), str(port))
        .replace("SWAP", str(gateway.other))
    )
    both = ["gateway/other", "gateway/third"]
    assert gateway.drained(swapped, tmp_path, capsys) == both
    before = gateway.told()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        fourth = f"  a: {{port: {taken.getsockname()[1]}, address: 127.0.0.1}}\n  other:"
        gateway.stack.config.write_text(swapped.replace("  other:", fourth))
        eventually(lambda: bool(gateway.stack.status()["problems"]), "Envoy's refusal is told")
        assert "gateway/a" in str(gateway.stack.status()["problems"])
    eventually(lambda: not gateway.stack.status()["missing"], "all are where they were")
    assert gateway.told() == before
    gateway.save(swapped)
    gateway.save(with_third)


def explained(gateway: Running, level: Level = Level.V1_40) -> Explanation:
    config = load_file(gateway.stack.config, {})
    assert isinstance(config, Config)
    meaning = resolve(config)
    return explain(meaning, compile_gateway(meaning, Topology(("h:1",)), level), level)


def routes(explanation: Explanation) -> dict[str, RoutePart]:
    (part,) = (each for each in explanation.gateways if each.name == "default")
    return {name: route for route in part.routes for name in route.names}


def chat_cost(gateway: Running, model: str) -> int:
    """How many messages Envoy sends to Python for one chat completion."""
    before = gateway.stats("ext_proc.stream_msgs_sent")
    asked = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
    assert gateway.stack.chat(asked).status_code == 200
    return gateway.stats("ext_proc.stream_msgs_sent") - before


def messages_cost(gateway: Running) -> int:
    """The same for a client of Anthropic's API, whose answer is translated and small."""
    before = gateway.stats("ext_proc.stream_msgs_sent")
    asked = {
        "model": "demo-a",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "hi"}],
    }
    url, headers = f"{gateway.stack.url}/v1/messages", {"authorization": f"Bearer {KEY}"}
    assert web.post(url, json=asked, headers=headers, timeout=10).json()["type"] == "message"
    return gateway.stats("ext_proc.stream_msgs_sent") - before


def get_cost(gateway: Running, path: str) -> int:
    """The same for a plain request."""
    before = gateway.stats("ext_proc.stream_msgs_sent")
    headers = {"authorization": f"Bearer {KEY}"}
    assert web.get(f"{gateway.stack.url}{path}", headers=headers, timeout=10).status_code < 500
    return gateway.stats("ext_proc.stream_msgs_sent") - before


def renames(explanation: Explanation) -> int:
    (model,) = (each for each in explanation.models if each.name == "demo")
    return sum(one.messages for one in model.tries)


def test_envoy_sends_as_many_messages_as_are_explained(gateway: Running) -> None:
    explanation = explained(gateway)
    by_name = routes(explanation)
    gateway.stack.switch("a", "ok")
    llm = by_name["dragoman/llm"]
    at_once = sum(not each.is_each_part and each.name != STREAM_LOG for each in llm.messages)
    assert chat_cost(gateway, "demo-a") == at_once == 4
    assert messages_cost(gateway) == by_name["dragoman/llm/anthropic"].messages_least == 4
    assert get_cost(gateway, "/a/seen") == by_name["open"].messages_least == 0
    assert get_cost(gateway, "/b/seen") == by_name["keyed"].messages_least == 1
    gateway.stack.switch("a", "503")
    assert renames(explanation) == 2
    assert chat_cost(gateway, "demo") == 4 + 2


def test_an_older_envoy_shows_the_answer_piece_by_piece_as_explained(older: Running) -> None:
    explanation = explained(older, Level.V1_37)
    by_name = routes(explanation)
    llm = by_name["dragoman/llm"]
    assert llm.messages_most is None
    at_once = sum(not each.is_each_part for each in llm.messages)
    assert at_once == 3
    pieces = chat_cost(older, "demo-a") - at_once
    assert pieces >= 1
    assert get_cost(older, "/a/seen") == by_name["open"].messages_least == 0
    assert get_cost(older, "/b/seen") == by_name["keyed"].messages_least == 1
    older.stack.switch("a", "503")
    assert renames(explanation) == 2
    assert chat_cost(older, "demo") >= at_once + 1 + 2


def test_bodies_are_limited_where_it_is_explained(gateway: Running) -> None:
    by_name = routes(explained(gateway))
    large = b"x" * (3 * LIMIT_BYTES)
    headers = {"authorization": f"Bearer {KEY}"}

    def status(path: str) -> int:
        url = f"{gateway.stack.url}{path}"
        return web.post(url, content=large, headers=headers, timeout=30).status_code

    assert by_name["dragoman/llm"].body_limit == f"at most {LIMIT_BYTES} bytes; above: 413"
    assert status("/v1/chat/completions") == 413
    assert by_name["open"].body_limit == "no limit: it streams"
    assert status("/a/seen") not in (413, 502, 503)
    assert by_name["keyed"].body_limit == "no limit: it streams"
    assert status("/b/seen") not in (413, 502, 503)
    retried = f"no limit: it streams; retried only up to {LIMIT_BYTES} bytes"
    assert by_name["retried"].body_limit == retried
    assert status("/r/seen") not in (413, 502, 503)
