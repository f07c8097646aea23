"""What the block of the A2A gateway means: whom Envoy connects to, and what clients find where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from gateway import names
from gateway.a2a import INSTANCE_SEPARATOR, A2a, A2aAgent, Choosing, Member, Pool
from gateway.config import a2a_keys
from gateway.config.a2a import A2aAgentBlock, A2aBlock, GroupBlock
from gateway.config.finding import Finding, Path
from gateway.config.ledger import SqliteLedgerBlock
from gateway.config.policies import GuardTermsBlock
from gateway.config.provider_auth import NoAuthBlock
from gateway.config.provider_meaning import written_credential
from gateway.config.urls import place
from gateway.config.vendors import KeyForm
from gateway.config.written import Written
from gateway.credentials import Credential, StaticKey
from gateway.guards import Guard, RemoteGuard
from gateway.model import Service
from gateway.price_rows import NANODOLLARS_PER_DOLLAR
from gateway.problem import did_you_mean

CARD_PATH = "/.well-known/agent-card.json"
"""Where agents have their card ("Agent Discovery")."""
_CONNECT_SECONDS = 5.0
_PUSH = ("a2a", "push")
_BEARER = KeyForm("authorization", "Bearer ")


def a2a(block: A2aBlock, guards: Sequence[Guard] = ()) -> A2a:
    """What was written. `guards`: those of A2A."""
    agents = {name: _agent(name, written) for name, written in block.agents.items()}
    groups = (_group(name, written, agents) for name, written in block.groups.items())
    return A2a(
        (*agents.values(), *groups),
        block.path.rstrip("/"),
        block.url or "",
        block.public_cards,
        None if block.signing is None else block.signing.meaning,
        block.max_hops,
        block.loops == "allow",
        block.registry,
        None if block.push is None else block.push.meaning(block.url or ""),
        sum(each.timeout_seconds for each in guards if isinstance(each, RemoteGuard)),
    )


def a2a_services(block: A2aBlock) -> Iterator[Service]:
    """Whom Envoy connects to: an agent, where it speaks gRPC, where the keys of its cards are."""
    for name, agent in block.agents.items():
        ca = None if agent.ca is None else agent.ca.text
        credential = _credential(agent)
        for at, (url, grpc) in zip(_place_names(name, agent), agent.places, strict=True):
            upstream = replace(place(url).upstream(_CONNECT_SECONDS), ca=ca)
            yield Service(names.a2a_service(at), upstream, credential)
            if grpc is not None:
                upstream = replace(place(grpc).upstream(_CONNECT_SECONDS), ca=ca)
                yield Service(names.a2a_grpc_service(at), upstream, credential, is_grpc=True)
            yield from _keys_service(at, agent)


def _keys_service(at: str, agent: A2aAgentBlock) -> Iterator[Service]:
    jwks = None if agent.signatures is None else agent.signatures.jwks
    if jwks is not None and jwks.url is not None:
        ca = None if jwks.ca is None else jwks.ca.text
        upstream = replace(place(jwks.url).upstream(_CONNECT_SECONDS), ca=ca)
        yield Service(names.a2a_keys_service(at), upstream)


def groups_are_judged_by_agent(written: Written) -> Iterator[Finding]:
    """Limits, budgets, guards and rules of answers of a group, which know its agents alone."""
    config = written.config
    message = "this is a group: what is said counts, and is looked at, by agent"
    scopes: list[tuple[Path, str | None]] = [
        *((("limits", index), each.scope.a2a) for index, each in enumerate(config.limits)),
        *((("budgets", index), each.scope.a2a) for index, each in enumerate(config.budgets)),
        *(
            (("guardrails", index), each.who.a2a)
            for index, each in enumerate(config.guardrails)
            if isinstance(each, GuardTermsBlock)
        ),
        *(
            (("authorize", index), each.scope.a2a)
            for index, each in enumerate(config.authorize)
            if each.phase == "response"
        ),
    ]
    for path, name in scopes:
        if name is not None and name in config.a2a.groups and name not in written.agents:
            hint = f"such as {next(iter(config.a2a.groups[name].agents))}"
            yield Finding((*path, "for", "a2a"), message, hint)


def groups_have_agents(written: Written) -> Iterator[Finding]:
    """Names of groups are no agents', those in them are."""
    for name, group in written.config.a2a.groups.items():
        path = ("a2a", "groups", name)
        if name in written.agents:
            yield Finding(path, f"an agent is called '{name}', too")
        for each in group.agents:
            if each not in written.agents:
                hint = did_you_mean(each, written.agents)
                yield Finding((*path, "agents", each), f"no agent '{each}'", hint)


def agents_are_apart(written: Written) -> Iterator[Finding]:
    """Agents and MCP servers at one path."""
    config = written.config
    whole = config.a2a.path.rstrip("/")
    if not config.a2a.agents:
        return
    if not whole:
        yield Finding(("a2a", "path"), "nothing else would be served", "such as /a2a")
    registry = config.a2a.registry
    others = {"mcp.path": config.mcp.path, "mcp.sse_path": config.mcp.sse_path or ""}
    for name, path in others.items() if config.mcp.servers else ():
        finding = f"it must not be at {name}, below or above it"
        if _is_near(path, whole):
            yield Finding(("a2a", "path"), finding, "such as /a2a")
        if _is_near(path, registry):
            yield Finding(("a2a", "registry"), finding, "such as /agents")
    if whole and _is_near(whole, registry):
        yield Finding(("a2a", "registry"), "it must not be at a2a.path, below or above it")
    for index, route in enumerate(config.routes):
        match = route.match.path
        field = "prefix" if match.exact is None else "exact"
        said = (match.exact or match.prefix or "").rstrip("/")
        if said in (registry, f"{registry}/events"):
            finding = f"'{said}' is where the list of agents is, which comes first"
            hint = "give the route another path, or the list another a2a.registry"
            yield Finding(("routes", index, "match", "path", field), finding, hint)


def _is_near(one: str, other: str) -> bool:
    """One path is below the other, or the same."""
    first, second = f"{one.rstrip('/')}/", f"{other.rstrip('/')}/"
    return len(first) > 1 and (first.startswith(second) or second.startswith(first))


def card_keys_are_keys(written: Written) -> Iterator[Finding]:
    """Those that sign agents' cards, and the gateway's own."""
    config = written.config.a2a
    if config.signing is not None:
        yield from a2a_keys.signing_key(("a2a", "signing"), config.signing)
    for name, agent in config.agents.items():
        if agent.signatures is not None:
            path = ("a2a", "agents", name, "signatures")
            yield from a2a_keys.trusted_keys(path, agent.signatures)


def _place_names(name: str, block: A2aAgentBlock) -> tuple[str, ...]:
    if not block.instances:
        return (name,)
    return tuple(f"{name}{INSTANCE_SEPARATOR}{each}" for each in block.instances)


def push_can_be_had(written: Written) -> Iterator[Finding]:
    """An address that agents know, a key that signs, and secrets that all machines have."""
    config = written.config
    push = config.a2a.push
    if push is None:
        return
    url = push.url or config.a2a.url
    if url is None:
        message = (
            "agents have to be told an address, and it must not be what a client's request says"
        )
        yield Finding(_PUSH, message, "say url here, or a2a.url")
    if push.sign and config.a2a.signing is None:
        yield Finding((*_PUSH, "sign"), "there is no key to sign with", "say a2a.signing")
    if not push.secrets and not isinstance(config.ledger, SqliteLedgerBlock):
        message = "other machines cannot open addresses that this one seals"
        yield Finding(_PUSH, message, "say secrets")


def _agent(name: str, block: A2aAgentBlock) -> A2aAgent:
    if not block.instances:
        ((url, grpc),) = block.places
        return _at(name, url, grpc, block)
    members = tuple(
        Member(_at(at, each.url, each.grpc, block), key, name, each.weight, is_draining=each.drain)
        for at, (key, each) in zip(_place_names(name, block), block.instances.items(), strict=True)
    )
    return replace(
        members[0].agent,
        name=name,
        authority="",
        grpc_authority="",
        pool=Pool(_in_order(members, block.choose), block.choose),
    )


def _in_order(members: tuple[Member, ...], choosing: Choosing) -> tuple[Member, ...]:
    if choosing is not Choosing.FAILOVER:
        return members
    return tuple(replace(each, turn=turn) for turn, each in enumerate(members))


def _group(name: str, block: GroupBlock, agents: Mapping[str, A2aAgent]) -> A2aAgent:
    """Instances of an agent in it share its weight, and its place."""
    members: list[Member] = []
    for place_in_order, (key, terms) in enumerate(block.agents.items()):
        agent = agents.get(key)
        if agent is None:  # which is a problem of its own
            continue
        pool = (Member(agent, "", key),) if agent.pool is None else agent.pool.members
        weights = sum(each.weight for each in pool)
        members += (
            Member(
                each.agent,
                f"{each.key}{INSTANCE_SEPARATOR}{key}" if each.key else key,
                key,
                terms.weight * each.weight / weights,
                place_in_order if block.choose is Choosing.FAILOVER else 0,
                each.turn,
                frozenset(terms.skills),
                each.is_draining,
            )
            for each in pool
        )
    pooled = Pool(tuple(members), block.choose, True, block.title or name, block.description or "")
    return A2aAgent(name, "", "", pool=pooled)


def _at(name: str, url: str, grpc: str | None, block: A2aAgentBlock) -> A2aAgent:
    at = place(url)
    return A2aAgent(
        name,
        at.authority,
        block.card or f"{at.path}{CARD_PATH}",
        "" if grpc is None else place(grpc).authority,
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


RULES_OF_AGENTS: Final = (
    agents_are_apart,
    card_keys_are_keys,
    groups_have_agents,
    groups_are_judged_by_agent,
    push_can_be_had,
)
