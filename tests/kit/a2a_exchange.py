"""A2A exchanges without Envoy: what is said to them, and agents that tell their cards at once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from extproc.a2a_exchange.exchange import A2aExchange
from extproc.a2a_serving.directory import Times
from extproc.a2a_serving.serving import World, serving
from extproc.events import Action, RequestBody, RequestHeaders, Respond
from extproc.inquiring import Inquirer
from extproc.ports import Answered, Limiter, Resolve, Unresolved
from extproc.program import NOTHING_SERVED, Program, build
from tests.kit.gateways import gateway_of
from tests.kit.mcp_exchange import LIMIT_BYTES, NOW, Servers
from tests.kit.memory_ledger import MemoryLedger

TRAVEL = """
a2a: {agents: {travel: {url: "http://travel:9999", grpc: "http://travel:50051"}}}
"""
TWO = """
a2a:
  agents:
    travel: {url: "http://travel:9999", headers: {x-from: gateway}, price: 0.5}
    hotels: {url: "http://hotels"}
"""
KEYED = """
identity: {api_keys: {keys: [{name: ann, key: sk-ann}]}}
"""
V1, V0_3 = {"a2a_version": "1.0"}, {"a2a_version": "0.3"}


def card(name: str = "travel", host: str = "travel:9999", **more: object) -> dict[str, object]:
    """One of 1.0, which speaks all bindings of both revisions."""
    urls = (
        ("JSONRPC", f"http://{host}/rpc"),
        ("HTTP+JSON", f"http://{host}/rest"),
        ("GRPC", "travel:50051"),
    )
    return {
        "name": name,
        "description": f"The agent {name}",
        "version": "1.0",
        "supportedInterfaces": [
            {"url": url, "protocolBinding": binding, "protocolVersion": revision}
            for revision in ("1.0", "0.3")
            for binding, url in urls
        ],
        "capabilities": {"streaming": True},
        "defaultInputModes": ["text/plain"],
        "defaultOutputModes": ["text/plain"],
        "skills": [{"id": "greet", "name": "Greeting", "description": "Greets", "tags": ["hi"]}],
        **more,
    }


def agents(**cards: Mapping[str, object] | bytes) -> Servers:
    """By name, what each tells as its card."""

    def answering(said: Mapping[str, object] | bytes) -> Any:
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        return lambda asked: Answered(200, {"content-type": "application/json"}, body)

    return Servers({f"service/a2a/{name}": answering(said) for name, said in cards.items()})


@dataclass(slots=True)
class Clock:
    """Stands still until it is moved."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now

    @property
    def times(self) -> Times:
        return Times(self, lambda: f"2026-11-26T12:00:{self.now - 100:02.0f}Z")


async def nowhere(host: str, port: int) -> Sequence[str]:
    """No host has an address."""
    raise Unresolved(f"no {host}")


def program(
    yaml: str,
    peers: Servers,
    *,
    clock: Clock | None = None,
    limiter: Limiter | None = None,
    ledger: MemoryLedger | None = None,
    resolve: Resolve = nowhere,
    inquirer: Inquirer | None = None,
) -> Program:
    """What a worker makes of a configuration."""
    world = World(peers, (clock or Clock()).times, lambda: 0.0, resolve, ("s" * 32,))
    return build(
        gateway_of(yaml),
        "1",
        ledger=ledger or MemoryLedger(),
        limiter=limiter,
        inquirer=inquirer,
        choose=lambda: 0.0,
        created=7,
        serve=NOTHING_SERVED._replace(a2a=lambda a2a, identity: serving(a2a, identity, world)),
    )


@dataclass(slots=True)
class Played:
    """HTTP requests, as Envoy tells of them."""

    of: Program

    def ask(
        self, path: str, body: object = None, method: str = "POST", **headers: str
    ) -> tuple[A2aExchange, Action]:
        """The last thing that is done. `headers` with `_` for `-`; no body: its headers end it."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        head = {":method": method, ":path": path, ":authority": "gw", ":scheme": "http", **named}
        exchange = A2aExchange(self.of, NOW, LIMIT_BYTES)
        action = self.said(exchange.on_event(RequestHeaders(head, body is None)))
        if isinstance(action, Respond) or body is None:
            return exchange, action
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        return exchange, self.said(exchange.on_event(RequestBody(text)))

    def said(self, action: Action | Awaitable[Action]) -> Action:
        if not isinstance(action, Awaitable):
            return action

        async def awaited() -> Action:
            return await action

        return asyncio.run(awaited())


def send(text: str = "hello", method: str = "SendMessage", **more: object) -> dict[str, object]:
    """A message of 1.0, over JSON-RPC."""
    message = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": text}], **more}
    return {"jsonrpc": "2.0", "id": 7, "method": method, "params": {"message": message}}
