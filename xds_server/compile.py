"""Gateway → Snapshot: everything that Envoy is told about a configuration. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gateway import names
from gateway.attempts import provider_sequences, renamed_attempts
from gateway.cel import Expression, compile_expression
from gateway.model import Gateway, Rule, StaticKey
from xds_server.audience import Level
from xds_server.resources import clusters, filters, listeners, raw, routes, secrets
from xds_server.resources.attempts import ORIGINAL_BASE_PATH, Attempt, PlanOfTries
from xds_server.resources.ext_proc import SOURCE, RulesRead
from xds_server.resources.features import FEATURES, Features
from xds_server.resources.memo import Memo
from xds_server.resources.topology import Topology
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
        tables = (
            routes.route_table(gateway, listener, features, memo) for listener in gateway.listeners
        )
        snapshot = snapshot_of(
            (
                *_clusters(gateway, topology, features, memo),
                *_secrets(gateway),
                *(memo.of(listeners.listener, listener) for listener in gateway.listeners),
                filters.ext_proc_filter(topology, _read_by(gateway.rules), features),
                *tables,
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
    for upstream in upstreams:
        yield memo.of(clusters.route_cluster, upstream, topology)


def _attempts(gateway: Gateway, features: Features) -> Iterator[tuple[str, Attempt]]:
    """A cluster for each provider, and one for each place in a plan that renames the model, unless
    plans have their own."""
    plain = [
        (provider.name, names.provider_cluster(provider.name), False)
        for provider in gateway.providers
    ]
    renamed = [
        (provider, names.attempt_cluster(provider, place), True)
        for provider, place in renamed_attempts(gateway.models)
        if features.reads_plans
    ]
    sets_path, limit = _sets_path(gateway), _buffer_limit(gateway)
    reports_usage = bool(gateway.budgets) and features.reads_usage
    for provider, cluster, is_renamed in (*plain, *renamed):
        yield provider, Attempt(cluster, is_renamed, sets_path, reports_usage, limit)


def _plans(gateway: Gateway) -> Iterator[PlanOfTries]:
    """Every order of providers that extproc may choose."""
    providers = {provider.name: provider for provider in gateway.providers}
    renamed = frozenset(renamed_attempts(gateway.models))
    sets_path, limit = _sets_path(gateway), _buffer_limit(gateway)
    for sequence in provider_sequences(gateway.models):
        places = (place for place in enumerate(sequence, 1) if (place[1], place[0]) in renamed)
        yield PlanOfTries(
            tuple(providers[name] for name in sequence),
            tuple(place for place, _ in places),
            sets_path,
            limit,
        )


def _sets_path(gateway: Gateway) -> bool:
    return any(each.base_path != ORIGINAL_BASE_PATH for each in gateway.providers)


def _buffer_limit(gateway: Gateway) -> int:
    return max((each.max_request_bytes for each in gateway.listeners), default=0)


def _secrets(gateway: Gateway) -> Iterator[Resource]:
    for provider in gateway.providers:
        match provider.credential:
            case StaticKey(secret=secret):
                yield secrets.provider_secret(provider.name, secret)
    for listener in gateway.listeners:
        yield from secrets.gateway_secrets(listener)


def _read_by(rules: Iterable[Rule]) -> RulesRead:
    compiled = [_compiled(rule) for rule in rules]
    return RulesRead(
        headers=frozenset().union(*(each.headers for each in compiled)),
        is_source_read=any(SOURCE in each.names for each in compiled),
    )


def _compiled(rule: Rule) -> Expression:
    expression = compile_expression(rule.expression)
    if isinstance(expression, str):
        raise ValueError(f"rule {rule.name!r} was not checked: {expression}")
    return expression
