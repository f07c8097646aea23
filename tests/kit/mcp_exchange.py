"""MCP exchanges without Envoy: what is said to them, and servers that answer at once."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from envoy_api import message

from extproc import wire
from extproc.events import Action, RequestBody, RequestHeaders, Respond
from extproc.mcp_exchange import McpExchange
from extproc.mcp_serving import serving
from extproc.ports import Answered, Asked, ServiceUnavailable
from extproc.program import Program, build
from tests.kit.gateways import gateway_of
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


def program(yaml: str, servers: Servers | None = None) -> Program:
    """What a worker makes of a configuration."""
    return build(
        gateway_of(yaml),
        "1",
        ledger=MemoryLedger(),
        choose=lambda: 0.0,
        created=7,
        mcp=lambda mcp: serving(mcp, (SECRET,), servers or Servers(), time.monotonic),
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
