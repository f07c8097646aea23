"""MCP exchanges without Envoy: what is said to them, and servers that answer at once."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from envoy_api import message

from extproc import wire
from extproc.events import Action, RequestBody, RequestHeaders, Respond
from extproc.mcp_exchange.exchange import McpExchange
from extproc.mcp_serving.serving import World, serving
from extproc.ports import (
    Answered,
    Asked,
    Limiter,
    McpPeers,
    Pin,
    PinsUnavailable,
    Seen,
    ServiceUnavailable,
)
from extproc.program import NOTHING_SERVED, Program, build
from tests.kit.gateways import gateway_of
from tests.kit.memory_consents import MemoryConsents
from tests.kit.memory_ledger import MemoryLedger

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
SECRET = "a secret of at least thirty-two characters"
LIMIT_BYTES = 1 << 20
Response: Any = message("envoy.service.ext_proc.v3.ProcessingResponse")
KEYED = """
identity: {api_keys: {keys: [{name: ann, key: sk-ann}, {name: bob, key: sk-bob}]}}
"""
ONE = """
mcp: {servers: {a: {url: "http://a.example/mcp", headers: {x-one: "1"}}}}
"""


@dataclass(slots=True)
class Servers:
    """Servers behind Envoy: a function of each says what it answers."""

    answers: Mapping[str, Callable[[Asked], Answered]] = field(default_factory=dict)
    asked: list[tuple[str, Asked]] = field(default_factory=list)

    async def ask(self, cluster: str, asked: Asked, timeout_seconds: float) -> Answered:
        self.asked.append((cluster, asked))
        await asyncio.sleep(0)
        if cluster not in self.answers:
            raise ServiceUnavailable(f"nobody is at {cluster}")
        return self.answers[cluster](asked)


class Board:
    """A board in memory."""

    def __init__(self) -> None:
        self.used: dict[str, int] = {}
        self.over: set[str] = set()

    def use(self, number: str, now: int, idle_seconds: float) -> bool:
        if number in self.over or now - self.used.get(number, now) > idle_seconds:
            return False
        self.used[number] = now
        return True

    def end(self, number: str, now: int) -> None:
        self.over.add(number)


class Pins:
    """What is known of tools, in memory."""

    def __init__(self) -> None:
        self.known: dict[str, dict[str, Pin]] = {}
        self.is_away = False

    def of(self, server: str) -> Mapping[str, Pin]:
        if self.is_away:
            raise PinsUnavailable("it is away")
        return self.known.get(server, {})

    def put(self, server: str, seen: Sequence[Seen]) -> None:
        of = self.known.setdefault(server, {})
        for each in seen:
            pin = of.get(each.tool)
            of[each.tool] = Pin(each.known if pin is None else pin.known, each.digest)

    def approve(self, server: str, tool: str) -> None:
        seen = self.known[server][tool].seen
        self.known[server][tool] = Pin(seen, seen)


def world(
    peers: McpPeers, pins: Pins | None = None, consents: MemoryConsents | None = None
) -> World:
    kept = consents or MemoryConsents()
    return World(peers, Board(), time.monotonic, pins or Pins(), kept, kept.clock)


def program(
    yaml: str,
    servers: Servers | None = None,
    limiter: Limiter | None = None,
    ledger: MemoryLedger | None = None,
    pins: Pins | None = None,
) -> Program:
    """What a worker makes of a configuration."""
    return build(
        gateway_of(yaml),
        "1",
        ledger=ledger or MemoryLedger(),
        limiter=limiter,
        choose=lambda: 0.0,
        created=7,
        serve=NOTHING_SERVED._replace(
            mcp=lambda mcp: serving(mcp, (SECRET,), world(servers or Servers(), pins))
        ),
    )


@dataclass(slots=True)
class Played:
    """One HTTP request, as Envoy tells of it."""

    exchange: McpExchange
    headers: dict[str, str]
    said: list[Action] = field(default_factory=list)

    def say(self, event: Any) -> Action:
        action = self.exchange.on_event(event)
        if isinstance(action, Awaitable):
            action = asyncio.run(_awaited(action))
        self.said.append(action)
        return action

    def begin(self, *, is_end: bool = False) -> Action:
        return self.say(RequestHeaders(self.headers, is_end))

    def post(self, body: object) -> Action:
        """Headers and body; the last thing that is done."""
        first = self.begin()
        if isinstance(first, Respond):
            return first
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.say(RequestBody(text))


def played(of: Program, path: str = "/mcp", method: str = "POST", **headers: str) -> Played:
    """`headers` with `_` for `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    head = {":method": method, ":path": path, ":authority": "gateway.example", **named}
    return Played(McpExchange(of, NOW, LIMIT_BYTES), head)


def call(tool: str, identity: object = 1, **arguments: object) -> dict[str, object]:
    """A call of a tool."""
    return request("tools/call", identity, name=tool, arguments=arguments)


def request(method: str, identity: object = 1, **params: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": identity, "method": method, "params": params}


def told(event: Any, action: Action) -> Any:
    """What Envoy is told."""
    return Response.FromString(wire.encode(event, action))


def set_headers(event: Any, action: Action) -> dict[str, str]:
    """Those that Envoy is told to set on the request."""
    response = told(event, action)
    phase = getattr(response, response.WhichOneof("response"))
    return {
        each.header.key: each.header.raw_value.decode()
        for each in phase.response.header_mutation.set_headers
    }


def error(action: Action) -> Any:
    """The JSON-RPC error that is answered."""
    assert isinstance(action, Respond), action
    return json.loads(action.body)["error"]


async def _awaited(action: Awaitable[Action]) -> Action:
    return await action


TWO = """
mcp:
  servers:
    a: {url: "http://a.example/mcp"}
    b: {url: "http://b.example/mcp", required: false, timeout: 1s}
"""
MODERN = "2026-07-28"
LEGACY = "2025-06-18"
META: dict[str, object] = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
}


@dataclass(slots=True)
class Fake:
    """A server of one era, with tools and resources; it keeps what it was asked."""

    name: str
    tools: tuple[str, ...] = ("echo",)
    resources: tuple[str, ...] = ()
    is_modern: bool = False
    sessions: int = 0
    lost: set[str] = field(default_factory=set)
    """Sessions that it knows no more."""
    said: list[tuple[str, Asked]] = field(default_factory=list)
    ttl_ms: int | None = None
    annotations: Mapping[str, object] = field(default_factory=dict)
    """Of all tools."""
    schemas: Mapping[str, object] = field(default_factory=lambda: {"inputSchema": {}})
    """Of all tools."""
    described: Mapping[str, str] = field(default_factory=dict)
    """What tools say of themselves, by name."""
    instructions: str | None = None
    """None: that it wants to be asked."""

    def __call__(self, asked: Asked) -> Answered:
        if asked.method == "DELETE":
            self.said.append(("DELETE", asked))
            return Answered(200, {}, b"")
        document = json.loads(asked.body)
        method = document["method"]
        self.said.append((method, asked))
        session = dict(asked.headers).get("mcp-session-id", "")
        if session in self.lost:
            return Answered(404, {}, b"no such session")
        if "id" not in document:
            return Answered(202, {}, b"")
        known = self._results(method)
        if known is None:
            error = {"code": -32601, "message": f"no {method}"}
            status = 404 if self.is_modern else 200
            return self._answer(document["id"], "error", error, status=status)
        headers = {}
        if method == "initialize":
            self.sessions += 1
            headers["mcp-session-id"] = f"{self.name}-{self.sessions}"
        return self._answer(document["id"], "result", known, headers=headers)

    def methods(self) -> list[str]:
        return [method for method, _ in self.said]

    def _results(self, method: str) -> dict[str, object] | None:
        offered = {"tools": {}, **({"resources": {}} if self.resources else {})}
        results: dict[str, dict[str, object]] = {
            "tools/list": {"tools": [self._tool(each) for each in self.tools]},
            "tools/call": {"content": [{"type": "text", "text": self.name}]},
        }
        if self.resources:
            listed = [{"name": each, "uri": each} for each in self.resources]
            results["resources/list"] = {"resources": listed}
        if self.is_modern:
            results["server/discover"] = {"supportedVersions": [MODERN], "capabilities": offered}
        else:
            results["logging/setLevel"] = {}
            results["initialize"] = {
                "protocolVersion": LEGACY,
                "capabilities": offered,
                "serverInfo": {"name": self.name, "version": "1"},
                "instructions": self.instructions or f"Ask {self.name}.",
            }
        found = results.get(method)
        if found is not None and self.ttl_ms is not None:
            found = {**found, "ttlMs": self.ttl_ms, "cacheScope": "public"}
        return found

    def _tool(self, name: str) -> dict[str, object]:
        more: dict[str, object] = {"annotations": self.annotations} if self.annotations else {}
        if name in self.described:
            more["description"] = self.described[name]
        return {"name": name, **self.schemas, **more}

    def _answer(
        self,
        identity: object,
        kind: str,
        value: object,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> Answered:
        body = {"jsonrpc": "2.0", "id": identity, kind: value}
        head = {"content-type": "application/json", **(headers or {})}
        return Answered(status, head, json.dumps(body).encode())


def fakes(*servers: Fake) -> Servers:
    return Servers({f"service/mcp/{each.name}": each for each in servers})


def opened(of: Program, path: str = "/mcp", **headers: str) -> str:
    """The id of a session."""
    action = played(of, path, **headers).post(
        request("initialize", protocolVersion=LEGACY, capabilities={}, clientInfo={"name": "c"})
    )
    assert isinstance(action, Respond), action
    return dict(action.headers)["mcp-session-id"]


def answer(action: Action) -> Any:
    """The JSON-RPC result that is answered."""
    assert isinstance(action, Respond), action
    return json.loads(action.body)["result"]


def modern(method: str, **params: object) -> dict[str, object]:
    """A request that says all, and the headers that go with it."""
    return request(method, 1, **params, _meta=META)
