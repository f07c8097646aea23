"""Gateway → Snapshot: everything that Envoy is told about a configuration. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import TypeVar

from gateway import names
from gateway.a2a import NOTIFICATION_TOKEN
from gateway.apis import UPLOAD_HEADERS
from gateway.attempts import plan_sequences, rewritten_attempts
from gateway.cel import (
    Expression,
    TextExpression,
    ValueExpression,
    compile_expression,
    compile_text,
    compile_value,
)
from gateway.cel_variables import OF_CERTIFICATES
from gateway.choice import expressions, headers_stuck_to
from gateway.model import Gateway, RemoteGuard, Rule
from gateway.operations import Operation
from gateway.resolve import is_for_route
from xds_server.audience import Level
from xds_server.resources import clusters, filters, listeners, raw, routes, secrets, services
from xds_server.resources.attempts import Attempt, PlanOfTries
from xds_server.resources.counted import is_usage_counted
from xds_server.resources.credentials import token_endpoint
from xds_server.resources.envoy_rules import decided_by_envoy
from xds_server.resources.ext_proc import (
    A2A_HEADERS,
    MCP_HEADERS,
    READ_OF_LOGINS,
    SOURCE,
    RulesRead,
)
from xds_server.resources.features import FEATURES, Features
from xds_server.resources.judge import Judge, judge_of
from xds_server.resources.llm_route import is_uploaded_to
from xds_server.resources.mcp_auth_route import mcp_issuers
from xds_server.resources.memo import Memo
from xds_server.resources.mirrors import mirrored
from xds_server.resources.topology import Topology
from xds_server.resources.try_headers import shared
from xds_server.snapshot import Resource, Snapshot, dangling, snapshot_of


class BrokenSnapshot(ValueError):
    """The compile step made references to nothing."""


class Compiler:
    """The compile step, which makes again only what has changed since it was last made."""

    def __init__(self) -> None:
        self._memo = Memo()

    def compile(self, gateway: Gateway, topology: Topology, level: Level = Level.V1_40) -> Snapshot:
        """The resources of a gateway whose configuration was checked, for Envoys of a level."""
        self._memo.begin()
        memo, features = self._memo, FEATURES[level]
        issuers, logins = gateway.identity.issuers, gateway.identity.envoys_logins
        of_mcp = mcp_issuers(gateway)
        decided = decided_by_envoy(gateway)
        tells_rules = any(each.checks_tokens for each in decided.values())
        parts = filters.parts_of(gateway, features)
        tables = (
            routes.route_table(gateway, listener, features, memo, decided)
            for listener in gateway.listeners
        )
        snapshot = snapshot_of(
            (
                *_clusters(gateway, topology, features, memo),
                *_secrets(gateway, topology),
                *(
                    memo.of(listeners.listener, listener, features, parts)
                    for listener in gateway.listeners
                ),
                *(
                    (memo.of(filters.token_filter, issuers, logins, tells_rules, of_mcp),)
                    if issuers or logins
                    else ()
                ),
                *_logins(gateway, features),
                *(memo.of(filters.external_filter, each, features) for each in gateway.external),
                filters.ext_proc_filter(
                    _patient(topology, gateway),
                    _read_by(gateway, decided),
                    features,
                    is_limited=gateway.is_telling,
                    longest_seconds=max(gateway.mcp.longest_seconds, gateway.a2a.longest_seconds),
                ),
                *(
                    memo.of(filters.limit_service_filter, each)
                    for each, _ in gateway.limit_services
                ),
                *tables,
                *_services(gateway, topology, memo),
                *(raw.raw_resource(each) for each in gateway.xds.resources),
            )
        )
        if broken := dangling(snapshot):
            raise BrokenSnapshot("; ".join(broken))
        return snapshot


def compile_gateway(gateway: Gateway, topology: Topology, level: Level = Level.V1_40) -> Snapshot:
    """Once, with nothing kept."""
    return Compiler().compile(gateway, topology, level)


def _clusters(
    gateway: Gateway, topology: Topology, features: Features, memo: Memo
) -> Iterator[Resource]:
    yield clusters.extproc_cluster(topology)
    if features.reads_plans:
        yield clusters.unplanned_cluster()
    providers = {provider.name: provider for provider in gateway.providers}
    for name, attempt in _attempts(gateway, features):
        yield memo.of(clusters.provider_cluster, providers[name], attempt, topology, features)
    if not features.reads_plans:
        for plan in _plans(gateway):
            yield memo.of(clusters.plan_cluster, plan, topology)
    upstreams = {backend.upstream: None for route in gateway.routes for backend in route.backends}
    asked = map(token_endpoint, gateway.callees)
    upstreams |= {upstream: None for upstream in asked if upstream is not None}
    for upstream in upstreams:
        yield memo.of(clusters.route_cluster, upstream, topology)
    for service in gateway.services:
        yield memo.of(clusters.service_cluster, service, topology)
    if gateway.a2a.push is not None and gateway.a2a.agents:
        yield from clusters.webhook_clusters(gateway.a2a.push, topology)
    if gateway.mcp.has_hub:
        yield clusters.hub_cluster(topology)
    if gateway.a2a.agents:
        yield clusters.a2a_bridge_cluster(topology)
    if gateway.mcp.sse_path and gateway.mcp.servers:
        for listener in gateway.listeners:
            yield memo.of(clusters.own_listener_cluster, listener, topology)
    for limit_service, upstream in gateway.limit_services:
        yield memo.of(clusters.limit_service_cluster, limit_service, upstream, topology)
    for external in gateway.external:
        yield memo.of(clusters.external_cluster, external, topology)
    for issuer in gateway.identity.issuers:
        if issuer.jwks_url:
            yield memo.of(clusters.jwks_cluster, issuer, topology)
    for login in gateway.identity.envoys_logins:
        yield memo.of(clusters.login_cluster, login, topology)
        if login.issuer.jwks_url:
            yield memo.of(clusters.jwks_cluster, login.issuer, topology, login.name)


def _logins(gateway: Gateway, features: Features) -> Iterator[Resource]:
    if gateway.identity.logins:
        yield from filters.login_filters(gateway.identity.logins, features)


def _patient(topology: Topology, gateway: Gateway) -> Topology:
    """extproc answers when the services of all guards have answered, or are too late."""
    waits = max(
        sum(each.timeout_seconds for each in guards if isinstance(each, RemoteGuard))
        for guards in (gateway.guards, gateway.route_guards)
    )
    if not waits:
        return topology
    return replace(topology, message_timeout_seconds=topology.message_timeout_seconds + waits)


def _services(gateway: Gateway, topology: Topology, memo: Memo) -> Iterator[Resource]:
    if gateway.services or gateway.mcp.servers:
        is_streaming = bool(gateway.mcp.servers)
        leads_back = is_streaming and bool(gateway.mcp.sse_path)
        asks_agents = bool(gateway.a2a.agents)
        yield memo.of(services.services_listener, topology, is_streaming, leads_back, asks_agents)


def _attempts(gateway: Gateway, features: Features) -> Iterator[tuple[str, Attempt]]:
    """For each provider a cluster of tries whose path is the client's, and one of those whose path
    is not; and one for each place in a plan whose body may be said otherwise, unless plans have
    their own."""
    names_of = [provider.name for provider in gateway.providers]
    # without plans in Envoy, every try has its path set, and these are parts of plans alone
    parts = names_of if features.reads_plans else _planned(gateway)
    kinds = [
        *((name, names.provider_cluster(name), False, False) for name in parts),
        *((name, names.addressed_cluster(name), False, True) for name in names_of),
        *(
            (provider.name, names.websocket_cluster(provider.name), False, True)
            for provider in gateway.providers
            if provider.path_of(Operation.REALTIME) is not None
        ),
        *(
            (name, names.attempt_cluster(name, place), True, True)
            for name, place in _rewritten(gateway)
            if features.reads_plans
        ),
    ]
    limit, between = _buffer_limit(gateway), shared(gateway.providers)
    reports_usage = is_usage_counted(gateway) and features.reads_usage
    judges = _judges(gateway)
    for name in mirrored(gateway.models):
        cluster = names.mirror_cluster(name)
        yield name, Attempt(cluster, True, True, False, limit, between, is_copy=True)
    for name, cluster, is_rewritten, sets_path in kinds:
        yield (
            name,
            Attempt(
                cluster,
                is_rewritten,
                sets_path,
                reports_usage and cluster != names.websocket_cluster(name),  # its answers have none
                limit,
                between,
                judges.get(name),
            ),
        )


def _plans(gateway: Gateway) -> Iterator[PlanOfTries]:
    """Every order of providers that extproc may choose."""
    providers = {provider.name: provider for provider in gateway.providers}
    rewritten = {name for name, _ in _rewritten(gateway)}
    limit, between = _buffer_limit(gateway), shared(gateway.providers)
    for sequence in plan_sequences(gateway):
        places = (place for place, name in enumerate(sequence, 1) if name in rewritten)
        tried = tuple(providers[name] for name in sequence)
        yield PlanOfTries(tried, frozenset(places), limit, between, judge_of(gateway.llm.failover))


def _planned(gateway: Gateway) -> list[str]:
    """The providers that may be tried before or after others."""
    return sorted({name for sequence in plan_sequences(gateway) for name in sequence})


def _judges(gateway: Gateway) -> dict[str, Judge | None]:
    """Of the providers that are tried before or after others."""
    judge = judge_of(gateway.llm.failover)
    return {
        target.provider: judge
        for model in gateway.models
        if len(model.tiers) > 1
        for tier in model.tiers
        for target in tier
    }


def _rewritten(gateway: Gateway) -> tuple[tuple[str, int], ...]:
    providers = {provider.name: provider for provider in gateway.providers}
    return rewritten_attempts(gateway.models, providers)


def _buffer_limit(gateway: Gateway) -> int:
    return max((each.max_request_bytes for each in gateway.listeners), default=0)


def _secrets(gateway: Gateway, topology: Topology) -> Iterator[Resource]:
    for provider in gateway.callees:
        yield from secrets.provider_secrets(provider)
    for listener in gateway.listeners:
        yield from secrets.gateway_secrets(listener)
    for login in gateway.identity.envoys_logins:
        yield from secrets.login_secrets(login, topology.seed)


def _may_be_pythons(rule: Rule, gateway: Gateway, decided: Collection[str]) -> bool:
    """Whether there is a request that Python is asked about, and the rule is for."""
    asking = (each for each in gateway.routes if each.needs_identity and each.name not in decided)
    is_of_llm = rule.scope.route is None
    return is_of_llm or any(is_for_route(rule.scope, each.name) for each in asking)


def _read_by(gateway: Gateway, decided: Collection[str]) -> RulesRead:
    """What is read of a request: by rules, budgets, choices of targets, and what shapes bodies."""
    choices = [model.choice for model in gateway.models if model.choice is not None]
    compiled: list[Expression | TextExpression | ValueExpression] = [
        _checked(compile_expression(rule.expression), f"rule {rule.name!r}")
        for rule in gateway.rules
        if _may_be_pythons(rule, gateway, decided)
    ]
    for conditions, texts in map(expressions, choices):
        compiled += (_checked(compile_expression(text), repr(text)) for text in conditions)
        compiled += (_checked(compile_text(text), repr(text)) for text in texts)
    compiled += (
        _checked(compile_text(by), repr(by))
        for by in (
            *(each.by for each in gateway.budgets),
            *(each.by for each in gateway.limits if each.is_workers),
        )
        if by
    )
    for model in gateway.models:
        fields = model.shaping.transformations
        compiled += (_checked(compile_value(text), repr(text)) for _, text in fields)
    return RulesRead(
        headers=frozenset().union(
            *map(headers_stuck_to, choices),
            *(each.headers | each.answer_headers for each in compiled),
            {names.CLAIMS_HEADER} if gateway.identity.issuers else (),
            {names.LOGIN_CLAIMS_HEADER} if gateway.identity.envoys_logins else (),
            READ_OF_LOGINS if gateway.identity.kept_logins else (),
            MCP_HEADERS if gateway.mcp.servers else (),
            A2A_HEADERS if gateway.a2a.agents else (),
            (NOTIFICATION_TOKEN,) if gateway.a2a.push is not None else (),
            {"cookie"} if gateway.mcp.asks_for_consent else (),
            UPLOAD_HEADERS if is_uploaded_to(gateway) else (),
        ),
        is_source_read=any(SOURCE in each.names for each in compiled),
        is_certificate_read=_asks_for_certificates(gateway)
        and (
            bool(gateway.identity.certificates)
            or any(not OF_CERTIFICATES.isdisjoint(each.names) for each in compiled)
        ),
        is_external_read=bool(gateway.external)
        and any("external" in each.names for each in compiled),
    )


def _asks_for_certificates(gateway: Gateway) -> bool:
    return any(each.tls and each.tls.client_ca is not None for each in gateway.listeners)


_Checked = TypeVar("_Checked", Expression, TextExpression, ValueExpression)


def _checked(found: _Checked | str, what: str) -> _Checked:
    if isinstance(found, str):
        raise ValueError(f"{what} was not checked: {found}")
    return found
