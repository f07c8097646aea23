"""MCP servers in processes of their own, and a client that hides nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.kit import web
from tests.kit.stack import eventually, free_ports

ROOT = Path(__file__).parents[2]
MODERN = "2026-07-28"
LEGACY = "2025-11-25"
ACCEPT = "application/json, text/event-stream"
META = "io.modelcontextprotocol/"


@dataclass(slots=True)
class McpServer:
    """One running `tests.kit.mcp_server`, which can be killed and started again."""

    name: str
    port: int
    options: Sequence[str] = ()
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/mcp"

    def start(self) -> None:
        arguments = [*("--name", self.name), *("--port", str(self.port)), *self.options]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.kit.mcp_server", *arguments],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )

    def wait(self) -> None:
        eventually(self._answers, f"the MCP server {self.name}", seconds=30)

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"the MCP server {self.name} ended"
        try:
            return web.get(f"http://127.0.0.1:{self.port}/seen").status_code == 200
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(10)

    def restart(self) -> None:
        """Its sessions are gone."""
        self.kill()
        self.start()
        self.wait()

    def seen(self) -> list[dict[str, Any]]:
        """What it was asked, oldest first: `method`, `headers`, `body`."""
        rows: list[dict[str, Any]] = web.get(f"http://127.0.0.1:{self.port}/seen").json()
        return rows

    def asked(self, method: str) -> list[dict[str, Any]]:
        """Requests and notifications of this JSON-RPC method."""
        bodies = [json.loads(row["body"]) for row in self.seen() if row["body"]]
        return [each for each in bodies if isinstance(each, dict) and each.get("method") == method]

    def forget(self) -> None:
        web.request("DELETE", f"http://127.0.0.1:{self.port}/seen")


@contextmanager
def mcp_servers(**servers: Sequence[str]) -> Iterator[dict[str, McpServer]]:
    """Name → options of `tests.kit.mcp_server`; all start at once."""
    ports = free_ports(len(servers))
    started = {
        name: McpServer(name, port, options)
        for port, (name, options) in zip(ports, servers.items(), strict=True)
    }
    try:
        for each in started.values():
            each.start()
        for each in started.values():
            each.wait()
        yield started
    finally:
        for each in started.values():
            each.kill()


@dataclass(slots=True)
class Answer:
    """An HTTP answer, and the JSON-RPC messages in it, whichever way they came."""

    status: int
    headers: httpx.Headers
    text: str
    messages: list[dict[str, Any]]
    event_ids: list[str]

    @property
    def last(self) -> dict[str, Any]:
        assert self.messages, (self.status, self.text)
        return self.messages[-1]

    @property
    def result(self) -> dict[str, Any]:
        assert "result" in self.last, (self.status, self.text)
        found: dict[str, Any] = self.last["result"]
        return found

    @property
    def error(self) -> dict[str, Any]:
        assert "error" in self.last, (self.status, self.text)
        found: dict[str, Any] = self.last["error"]
        return found


def read(answer: httpx.Response) -> Answer:
    text = answer.text
    kind = answer.headers.get("content-type", "").partition(";")[0]
    messages: list[dict[str, Any]] = []
    ids: list[str] = []
    if kind == "text/event-stream":
        for event in text.replace("\r\n", "\n").split("\n\n"):
            lines = event.split("\n")
            data = "\n".join(each[5:].removeprefix(" ") for each in lines if each[:5] == "data:")
            ids += [each[3:].strip() for each in lines if each[:3] == "id:"]
            if data:
                messages.append(json.loads(data))
    elif kind == "application/json" and text:
        one = json.loads(text)
        messages = one if isinstance(one, list) else [one]
    return Answer(answer.status_code, answer.headers, text, messages, ids)


@dataclass(slots=True)
class RawClient:
    """A client of the handshake's era that says exactly what it is told to."""

    url: str
    headers: dict[str, str] = field(default_factory=dict)
    version: str = LEGACY
    session: str = ""
    patience: float = 30.0
    """Seconds, until it hangs up."""
    _last_id: int = 0

    def post(self, body: bytes | str | dict[str, Any] | list[Any], **headers: str) -> Answer:
        """Underscores in names of headers are hyphens; an empty value leaves one out."""
        content = body if isinstance(body, bytes | str) else json.dumps(body)
        sent = {
            "content-type": "application/json",
            "accept": ACCEPT,
            **({"mcp-session-id": self.session} if self.session else {}),
            **({"mcp-protocol-version": self.version} if self.session else {}),
            **self.headers,
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        sent = {name: value for name, value in sent.items() if value}
        return read(web.post(self.url, content=content, headers=sent, timeout=self.patience))

    def ask(self, method: str, params: Any = None, **headers: str) -> Answer:
        self._last_id += 1
        message = {"jsonrpc": "2.0", "id": self._last_id, "method": method}
        return self.post(message if params is None else message | {"params": params}, **headers)

    def tell(self, method: str, params: Any = None, **headers: str) -> Answer:
        message = {"jsonrpc": "2.0", "method": method}
        return self.post(message if params is None else message | {"params": params}, **headers)

    def call(self, tool: str, arguments: Any = None, **headers: str) -> Answer:
        return self.ask("tools/call", {"name": tool, "arguments": arguments or {}}, **headers)

    def initialize(self, capabilities: Any = None) -> Answer:
        """The handshake; the session that it opened is used from then on."""
        params = {
            "protocolVersion": self.version,
            "capabilities": capabilities or {},
            "clientInfo": {"name": "raw", "version": "1"},
        }
        answer = self.ask("initialize", params)
        self.session = answer.headers.get("mcp-session-id", "")
        self.version = answer.result["protocolVersion"]
        self.tell("notifications/initialized")
        return answer

    def delete(self) -> httpx.Response:
        headers = {"mcp-session-id": self.session, "mcp-protocol-version": self.version}
        return web.request("DELETE", self.url, headers=headers | self.headers, timeout=30)


@dataclass(slots=True)
class ModernRawClient(RawClient):
    """The same of the stateless era: each request carries what the handshake said."""

    version: str = MODERN
    capabilities: dict[str, Any] = field(default_factory=dict)

    def ask(self, method: str, params: Any = None, **headers: str) -> Answer:
        meta = {
            f"{META}protocolVersion": self.version,
            f"{META}clientCapabilities": self.capabilities,
            f"{META}clientInfo": {"name": "raw", "version": "1"},
        }
        given = dict(params or {})
        given["_meta"] = meta | given.get("_meta", {})
        named = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
        name = {"mcp_name": str(given[named[method]])} if method in named else {}
        said = {"mcp_protocol_version": self.version, "mcp_method": method, **name}
        return RawClient.ask(self, method, given, **(said | headers))
