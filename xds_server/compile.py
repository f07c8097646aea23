"""Gateway → Snapshot: everything that Envoy is told about a configuration. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gateway import names
from gateway.attempts import renamed_attempts
from gateway.cel import Expression, compile_expression
from gateway.model import Gateway, Rule
from xds_server.audience import Level
from xds_server.resources import clusters, filters, listeners, routes, secrets
from xds_server.resources.attempts import ORIGINAL_BASE_PATH, Attempt
from xds_server.resources.ext_proc import SOURCE, RulesRead
from xds_server.resources.topology import Topology
from xds_server.snapshot import Resource, Snapshot, dangling, snapshot_of

__all__ = ["BrokenSnapshot", "Topology", "compile_gateway"]


class BrokenSnapshot(ValueError):
    """The compile step made references to nothing."""


def compile_gateway(gateway: Gateway, topology: Topology, level: Level = Level.V1_40) -> Snapshot:
    """The resources of a gateway whose configuration was checked, for Envoys of a level."""
    snapshot = snapshot_of(
        (
            *_clusters(gateway, topology),
            *_secrets(gateway),
            *(listeners.listener(listener) for listener in gateway.listeners),
            *_filters(gateway, topology),
            *(routes.route_table(gateway, listener) for listener in gateway.listeners),
        )
    )
    if broken := dangling(snapshot):
        raise BrokenSnapshot("; ".join(broken))
    return snapshot


def _clusters(gateway: Gateway, topology: Topology) -> Iterator[Resource]:
    yield clusters.extproc_cluster(topology)
    yield clusters.unplanned_cluster()
    providers = {provider.name: provider for provider in gateway.providers}
    for name, attempt in _attempts(gateway):
        yield clusters.provider_cluster(providers[name], attempt, topology)
    for route in gateway.routes:
        for index, backend in enumerate(route.backends):
            yield clusters.route_cluster(route.name, index, backend, topology)


def _attempts(gateway: Gateway) -> Iterator[tuple[str, Attempt]]:
    """A cluster for each provider, and one for each place in a plan that renames the model."""
    plain = [
        (provider.name, names.provider_cluster(provider.name), False)
        for provider in gateway.providers
    ]
    renamed = [
        (provider, names.attempt_cluster(provider, place), True)
        for provider, place in renamed_attempts(gateway.models)
    ]
    sets_path = any(each.base_path != ORIGINAL_BASE_PATH for each in gateway.providers)
    limit = max((each.max_request_bytes for each in gateway.listeners), default=0)
    for provider, cluster, is_renamed in (*plain, *renamed):
        yield provider, Attempt(cluster, is_renamed, sets_path, bool(gateway.budgets), limit)


def _secrets(gateway: Gateway) -> Iterator[Resource]:
    for provider in gateway.providers:
        if provider.key is not None:
            yield secrets.provider_secret(provider.name, provider.key)


def _filters(gateway: Gateway, topology: Topology) -> Iterator[Resource]:
    yield filters.ext_proc_filter(topology, _read_by(gateway.rules))


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
