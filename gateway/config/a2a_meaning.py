"""What the block of the A2A gateway means: whom Envoy connects to, and what clients find where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from gateway import names
from gateway.a2a import A2a, A2aAgent
from gateway.config import a2a_keys
from gateway.config.a2a import A2aAgentBlock, A2aBlock
from gateway.config.finding import Finding
from gateway.config.provider_auth import NoAuthBlock
from gateway.config.provider_meaning import written_credential
from gateway.config.urls import place
from gateway.config.vendors import KeyForm
from gateway.config.written import Written
from gateway.credentials import Credential, StaticKey
from gateway.guards import Guard, RemoteGuard
from gateway.model import Service
from gateway.price_rows import NANODOLLARS_PER_DOLLAR

CARD_PATH = "/.well-known/agent-card.json"
"""Where agents have their card ("Agent Discovery")."""
_CONNECT_SECONDS = 5.0
_BEARER = KeyForm("authorization", "Bearer ")


def a2a(block: A2aBlock, guards: Sequence[Guard] = ()) -> A2a:
    """What was written. `guards`: those of A2A."""
    return A2a(
        tuple(_agent(*item) for item in block.agents.items()),
        block.path.rstrip("/"),
        block.url or "",
        block.public_cards,
        None if block.signing is None else block.signing.meaning,
        block.max_hops,
        block.loops == "allow",
        sum(each.timeout_seconds for each in guards if isinstance(each, RemoteGuard)),
    )


def a2a_services(block: A2aBlock) -> Iterator[Service]:
    """Whom Envoy connects to: an agent, where it speaks gRPC, where the keys of its cards are."""
    for name, agent in block.agents.items():
        ca = None if agent.ca is None else agent.ca.text
        credential = _credential(agent)
        places = ((names.a2a_service(name), agent.url), (names.a2a_grpc_service(name), agent.grpc))
        for service, url in places:
            if url is None:
                continue
            upstream = replace(place(url).upstream(_CONNECT_SECONDS), ca=ca)
            is_grpc = service == names.a2a_grpc_service(name)
            yield Service(service, upstream, credential, is_grpc=is_grpc)
        jwks = None if agent.signatures is None else agent.signatures.jwks
        if jwks is not None and jwks.url is not None:
            ca = None if jwks.ca is None else jwks.ca.text
            upstream = replace(place(jwks.url).upstream(_CONNECT_SECONDS), ca=ca)
            yield Service(names.a2a_keys_service(name), upstream)


def agents_are_apart(written: Written) -> Iterator[Finding]:
    """Agents and MCP servers at one path."""
    config = written.config
    whole = config.a2a.path.rstrip("/")
    if not config.a2a.agents:
        return
    if not whole:
        yield Finding(("a2a", "path"), "nothing else would be served", "such as /a2a")
    if not config.mcp.servers:
        return
    others = {"mcp.path": config.mcp.path, "mcp.sse_path": config.mcp.sse_path or ""}
    for name, path in others.items():
        other = path.rstrip("/")
        if other and (f"{other}/".startswith(f"{whole}/") or f"{whole}/".startswith(f"{other}/")):
            finding = f"it must not be at {name}, below or above it"
            yield Finding(("a2a", "path"), finding, "such as /a2a")


def card_keys_are_keys(written: Written) -> Iterator[Finding]:
    """Those that sign agents' cards, and the gateway's own."""
    config = written.config.a2a
    if config.signing is not None:
        yield from a2a_keys.signing_key(("a2a", "signing"), config.signing)
    for name, agent in config.agents.items():
        if agent.signatures is not None:
            path = ("a2a", "agents", name, "signatures")
            yield from a2a_keys.trusted_keys(path, agent.signatures)


def _agent(name: str, block: A2aAgentBlock) -> A2aAgent:
    at = place(block.url)
    return A2aAgent(
        name,
        at.authority,
        block.card or f"{at.path}{CARD_PATH}",
        "" if block.grpc is None else place(block.grpc).authority,
        tuple(block.headers.items()),
        block.timeout,
        block.refresh,
        0 if block.price is None else int(block.price * NANODOLLARS_PER_DOLLAR),
        None if block.signatures is None else block.signatures.meaning,
    )


def _credential(block: A2aAgentBlock) -> Credential | None:
    if block.key is not None:
        return StaticKey(_BEARER.header, _BEARER.prefix, block.key.get_secret_value())
    if block.auth is None or isinstance(block.auth, NoAuthBlock):
        return None
    return written_credential(block.auth, _BEARER, "")
