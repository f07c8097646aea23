"""What a configuration makes of requests: filters, checks and messages, per gateway and route.

Read from the compiled resources, so that it says what Envoy is told. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, TypeAlias

from gateway import names
from gateway.attempts import choice_of, sequences
from gateway.choice import described
from gateway.guards import reads_answers
from gateway.model import Gateway, Identity, Model, Route, Target
from gateway.operations import Operation
from xds_server.a2a_checks import a2a_checks, a2a_clusters, answers_are_read, other_tries
from xds_server.audience import Level
from xds_server.check import Check
from xds_server.checks import (
    CERTIFICATE,
    batch_checks,
    checks_of_what_is_made,
    llm_checks,
    passed_checks,
    route_checks,
    unasked_checks,
    websocket_checks,
)
from xds_server.envoy_json import (
    MUTUAL,
    address_text,
    http_connection_manager,
    listens_at,
    match_text,
    named_clusters,
    retries,
    timeouts,
    tls_of,
    upstream_filters,
)
from xds_server.explained import (
    Cluster,
    Explanation,
    Filter,
    GatewayPart,
    ModelPart,
    RoutePart,
    Try,
    Way,
)
from xds_server.explained_routes import (
    attempt_of,
    body_limit,
    envoys_checks,
    is_kept_login,
    is_shown,
    service,
    unseen,
    when_failing,
)
from xds_server.llm_answers import LlmAnswers, is_each_judged, llm_answers, passed_answers
from xds_server.mcp_checks import mcp_checks, rules_of_results
from xds_server.python_messages import (
    Caller,
    Message,
    a2a_messages,
    answered,
    authorization_messages,
    batch_messages,
    least,
    llm_messages,
    login_messages,
    mcp_messages,
    messages,
    mode_of,
    most,
    session_messages,
)
from xds_server.render import to_json
from xds_server.resources import a2a_route, ext_proc, llm_route, mcp_auth_route, mcp_route, webhooks
from xds_server.resources.envoy_rules import EnvoyRules, decided_by_envoy, who_decides
from xds_server.resources.features import FEATURES
from xds_server.resources.plain_route import UNMATCHED
from xds_server.snapshot import CLUSTER, FILTER, LISTENER, ROUTES, Snapshot, short_type

Json: TypeAlias = Mapping[str, Any]

_OWN = "read in the client's dialect"
_BOTH = "read in the client's dialect, or translated"
_TRANSLATED = "translated"
UNREAD = "passed on unread"
COUNTED = "passed on unread, answers counted"
WEBSOCKET = "a websocket"
_READINGS = (_OWN, _BOTH, _TRANSLATED, UNREAD, COUNTED, WEBSOCKET, "")
"""What becomes of the bodies of an LLM API, in the order in which it is told."""
_CHECKS = {COUNTED: batch_checks, UNREAD: passed_checks, WEBSOCKET: websocket_checks}


def explain(gateway: Gateway, snapshot: Snapshot, level: Level) -> Explanation:
    """What the snapshot, which was compiled from this gateway, makes of requests."""
    return _Explaining(gateway, snapshot, level).whole()


def to_document(explanation: Explanation) -> dict[str, Any]:
    """The JSON form; `docs/explain.md` describes it."""
    return asdict(explanation)


class _Explaining:
    """The compiled resources in their JSON form, and the gateway that they were made from."""

    def __init__(self, gateway: Gateway, snapshot: Snapshot, level: Level) -> None:
        self.gateway = gateway
        self.level = level
        self.features = FEATURES[level]
        self.routes = {route.name: route for route in gateway.routes}
        self.decided = decided_by_envoy(gateway)
        self.places = {route.name: place for place, route in enumerate(gateway.routes)}
        self.tables, self.filters, self.clusters, self.listeners = (
            {name: to_json(each) for name, each in snapshot.resources.get(type_url, {}).items()}
            for type_url in (ROUTES, FILTER, CLUSTER, LISTENER)
        )
        asking = self.filters.get(names.EXT_PROC_FILTER)
        self.asking: Json | None = None if asking is None else asking["typed_config"]
        self.models = tuple(self.model_part(model) for model in gateway.models)

    def whole(self) -> Explanation:
        parts = tuple(
            self.gateway_part(name, each)
            for name, each in self.listeners.items()
            if name != names.SERVICES  # no client comes there
        )
        routes = [route for part in parts for route in part.routes]
        found = (
            *(name for route in routes for name in (*route.clusters, *route.copies)),
            *(name for model in self.models for each in model.tries for name in each.clusters),
            *(names.service_cluster(each.name) for each in self.gateway.services),
        )
        return Explanation(
            self.level.value,
            None if self.asking is None else service(self.asking),
            parts,
            self.models,
            tuple(self.cluster(name) for name in dict.fromkeys(found)),
        )

    def gateway_part(self, name: str, listener: Json) -> GatewayPart:
        manager = http_connection_manager(listener)
        table = manager.get("route_config") or self.tables.get(
            manager.get("rds", {}).get("route_config_name", ""), {}
        )
        chain = tuple(self.described(each) for each in manager.get("http_filters", ()))
        tls = tls_of(listener)
        before = (CERTIFICATE,) if tls == MUTUAL else ()
        return GatewayPart(
            name.removeprefix(names.listener("")),
            listens_at(listener),
            tls,
            chain,
            tuple(
                replace(route, checks=(*before, *route.checks))
                for route in _together(self.route_parts(table, manager, chain))
            ),
            _unexplained(table, manager),
        )

    def described(self, found: Json) -> Filter:
        """A filter by its type, also when it is discovered, or runs for some tries only."""
        config = found.get("typed_config")
        if config is None and "config_discovery" in found:
            config = self.filters.get(found["name"], {}).get("typed_config")
        config = config or {}
        wrapped = config.get("extension_config", {}).get("typed_config", config)
        return Filter(found.get("name", ""), short_type(wrapped.get("@type", "")))

    def route_parts(
        self, table: Json, manager: Json, chain: Sequence[Filter]
    ) -> Iterator[RoutePart]:
        """Every route once, with all of its hosts, in the order in which they are asked."""
        found: dict[str, tuple[Json, Json, list[str]]] = {}
        for host in table.get("virtual_hosts", ()):
            for place, route in enumerate(host.get("routes", ())):
                name = route.get("name") or f"{host.get('name', '')}#{place}"
                hosts = found.setdefault(name, (route, host, []))[2]
                hosts.extend(host.get("domains", ()))
        is_asking = any(each.name == names.EXT_PROC_FILTER for each in chain)
        asking = self.asking if is_asking else None
        taken = (*mcp_route.TAKEN, a2a_route.FOUND, a2a_route.FOUND_SEVERAL, *webhooks.ROUTES)
        for name in taken:
            found.pop(name, None)  # no client comes there before extproc has said so
        for name, (route, host, hosts) in sorted(found.items(), key=self.place):
            yield self.route_part(name, (route, host, manager), tuple(hosts), asking)

    def place(self, named: tuple[str, object]) -> int:
        """Each host has its routes in the order of the configuration, and some of them only."""
        name, _ = named
        if llm_route.is_llm(name) or name in _KINDS:
            return -1
        return self.places.get(name, len(self.places) + (name == UNMATCHED))

    def route_part(
        self,
        name: str,
        compiled: tuple[Json, Json, Json],
        hosts: tuple[str, ...],
        asking: Json | None,
    ) -> RoutePart:
        route, host, manager = compiled
        plain = self.routes.get(name)
        kind = _kind(name, route, plain)
        per_route = route.get("typed_per_filter_config", {}).get(names.EXT_PROC_FILTER)
        mode = mode_of(asking, per_route)
        shown = messages(mode, Caller.LLM if kind == "llm" else Caller.PLAIN)
        action = route.get("route", {})
        answers = None
        if kind == "llm" and is_shown("request body", shown) and not llm_route.is_of_batches(name):
            answers = llm_answers(self.gateway, name, self.features)
            shown = llm_messages(mode, answers)
        elif kind == "llm" and "upgrade_configs" in action:
            shown = session_messages(mode, passed_answers(self.gateway, name))
        elif kind == "mcp":
            shown = self.mcp_messages(mode)
        elif kind == "a2a":
            has_pools = self.gateway.a2a.has_pools
            is_read = answers_are_read(self.gateway)
            shown = a2a_messages(mode, is_read=is_read, has_pools=has_pools)
        elif kind in ("mcp authorization", "login"):
            shown = _OF_PLACES[kind](mode)
        elif kind == "llm":
            shown = batch_messages(mode, passed_answers(self.gateway, name))
        elif plain is not None and (plain.needs_identity or any(plain.guarded)):
            shown = self.asked_why(plain, shown)
        reading = _reading(kind, action, answers, shown)
        limit = route.get("request_body_buffer_limit", host.get("request_body_buffer_limit"))
        own, foreign = (answers.own, answers.foreign) if answers is not None else ((), ())
        return RoutePart(
            ways=(Way(_match(route), (name,), own, foreign),),
            kind=kind,
            reading=reading,
            hosts=hosts,
            messages=shown,
            messages_least=least(shown),
            messages_most=most(shown),
            checks=(*envoys_checks(limit, shown), *self.checks(kind, reading, plain, shown)),
            when_extproc_fails=when_failing(self.asking, shown),
            body_limit=body_limit(kind, limit, action, shown),
            timeouts=timeouts(action, manager),
            retries=retries(kind, action) + other_tries(kind, self.gateway, self.features),
            clusters=tuple(self.clusters_of(kind, reading, action)),
            copies=tuple(each["cluster"] for each in action.get("request_mirror_policies", ())),
            unseen=unseen(kind, shown, answers, is_ruled=name in self.decided),
        )

    def mcp_messages(self, mode: Json | None) -> tuple[Message, ...]:
        mcp, identity = self.gateway.mcp, self.gateway.identity
        is_federated = any(each.is_federated for each in mcp.views)
        is_read = any(map(reads_answers, self.gateway.mcp_guards))
        is_read = is_read or bool(rules_of_results(self.gateway))
        known = _is_known(identity)
        return mcp_messages(mode, is_federated=is_federated, is_known=known, is_read=is_read)

    def asked_why(self, plain: Route, shown: tuple[Message, ...]) -> tuple[Message, ...]:
        """What is shown on a plain route, with the reasons for which Envoy cannot decide there."""
        decided = who_decides(self.gateway, plain)
        if isinstance(decided, EnvoyRules):
            return shown
        why = "; ".join(decided.reasons)
        return tuple(
            replace(each, why=f"{each.why}: {why}") if each.name == "request headers" else each
            for each in answered(plain, shown, is_certain=is_each_judged(self.gateway, plain))
        )

    def checks(
        self, kind: str, reading: str, plain: Route | None, shown: tuple[Message, ...]
    ) -> tuple[Check, ...]:
        """Those that extproc makes, where it is asked, else Envoy; then Envoy's limits."""
        if not shown and plain is not None:
            return unasked_checks(self.gateway, plain, self.decided.get(plain.name))
        if not shown:
            return ()
        if kind == "mcp":
            return mcp_checks(self.gateway)
        if kind == "a2a":
            return a2a_checks(self.gateway)
        if reading:
            is_guarded = reading in _CHECKS and is_shown("request body", shown)
            guards = checks_of_what_is_made(self.gateway) if is_guarded else ()
            return *_CHECKS.get(reading, llm_checks)(self.gateway), *guards
        return () if plain is None else route_checks(self.gateway, plain)

    def clusters_of(self, kind: str, reading: str, action: Json) -> Iterator[str]:
        """Those that may be chosen here."""
        found: Iterable[str]
        if kind == "mcp":
            services = (names.mcp_service(each.name) for each in self.gateway.mcp.servers)
            found = (*map(names.service_cluster, services), names.HUB_CLUSTER)
        elif kind == "a2a":
            found = a2a_clusters(self.gateway.a2a)
        elif kind == "mcp authorization":
            found = (names.service_cluster(names.MCP_AUTHORIZATION),)
        elif reading == WEBSOCKET:
            found = (
                names.websocket_cluster(each.name)
                for each in self.gateway.providers
                if each.path_of(Operation.REALTIME) is not None
            )
        elif reading in (UNREAD, COUNTED):
            found = (
                cluster
                for provider in self.gateway.llm.stored_at
                for cluster in self.unread_clusters(provider)
            )
        elif reading:
            found = (each for model in self.models for one in model.tries for each in one.clusters)
        else:
            found = named_clusters(action)
        return (each for each in dict.fromkeys(found) if each in self.clusters)

    def unread_clusters(self, provider: str) -> tuple[str, ...]:
        addressed = names.addressed_cluster(provider)
        if not self.features.reads_plans:
            return (addressed,)
        return (names.provider_cluster(provider), addressed)

    def cluster(self, name: str) -> Cluster:
        body = self.clusters[name]
        asking = [config for config, _ in self.asking_filters(name)]
        hosts = [
            address_text(host["endpoint"].get("address", {}))
            for place in body.get("load_assignment", {}).get("endpoints", ())
            for host in place.get("lb_endpoints", ())
        ]
        if body.get("type") == "ORIGINAL_DST":
            hosts = ["where extproc says"]
        return Cluster(
            name,
            tuple(hosts),
            "transport_socket" in body,
            tuple(map(self.described, upstream_filters(body))),
            tuple(
                each for config in asking for each in messages(mode_of(config, None), Caller.TRY)
            ),
        )

    def asking_filters(self, cluster: str) -> list[tuple[Json, str]]:
        """The ext_proc filters of a cluster, and the try that each is for; empty: for every try."""
        chain = upstream_filters(self.clusters.get(cluster, {}))
        return [(config, attempt_of(config)) for each in chain for config in _asking_in(each)]

    def model_part(self, model: Model) -> ModelPart:
        tries = (
            self.one_try(model, place, target)
            for place, tier in enumerate(model.tiers, 1)
            for target in dict.fromkeys(tier)
        )
        chosen = "" if model.choice is None else described(model.choice)
        return ModelPart(model.name, tuple(tries), chosen)

    def clusters_of_try(self, model: Model, place: int, target: Target) -> tuple[str, ...]:
        """Where a try may go: the cluster of the whole plan, where Envoy cannot go through it; else
        the provider's own, as the client asked or with another path, or the one that rewrites."""
        if not self.features.reads_plans:
            is_open = model.choice is not None  # the place says nothing of the order
            plans = (
                plan
                for plan in sorted(sequences(choice_of(model)))
                if (target.provider in plan if is_open else plan[place - 1] == target.provider)
            )
            return tuple(dict.fromkeys(map(names.plan_cluster, plans)))
        attempt = names.attempt_cluster(target.provider, place)
        own = self.unread_clusters(target.provider)
        return (*own, attempt) if attempt in self.clusters else own

    def one_try(self, model: Model, place: int, target: Target) -> Try:
        clusters = self.clusters_of_try(model, place, target)
        places = [place]
        if model.choice is not None and not self.features.reads_plans:
            places = list(range(1, len(model.tiers) + 1))  # wherever it comes in a plan
        counts = (
            sum(
                len(messages(mode_of(config, None), Caller.TRY))
                for config, attempt in self.asking_filters(cluster)
                if attempt in ("", names.attempt_cluster(target.provider, each))
            )
            for cluster in clusters
            for each in places
        )
        return Try(place, target.provider, target.model, target.weight, clusters, max(counts))


def _together(routes: Iterable[RoutePart]) -> list[RoutePart]:
    """Routes of the LLM API that are equal but for their matches as one, wherever they stand: the
    closest match counts there. Others are asked in their order, after those."""
    found: list[RoutePart] = []
    for route in routes:
        (way,) = route.ways
        place = next((place for place, each in enumerate(found) if _are_one(each, route)), None)
        if place is None:
            found.append(route)
            continue
        before = found[place]
        found[place] = replace(
            before,
            ways=_with(before.ways, way),
            copies=tuple(dict.fromkeys((*before.copies, *route.copies))),
        )
    return sorted(found, key=lambda each: _READINGS.index(each.reading))


def _are_one(one: RoutePart, other: RoutePart) -> bool:
    is_llm = one.kind == other.kind == "llm"
    return is_llm and replace(one, ways=(), copies=()) == replace(other, ways=(), copies=())


def _with(ways: tuple[Way, ...], way: Way) -> tuple[Way, ...]:
    """A way that is there already has one name more."""
    if ways and ways[-1] == replace(way, names=ways[-1].names):
        return (*ways[:-1], replace(way, names=(*ways[-1].names, *way.names)))
    return (*ways, way)


def _match(route: Json) -> str:
    """Without the header by which extproc has a copy sent: clients cannot send it."""
    match = route.get("match", {})
    asked = [each for each in match.get("headers", ()) if each["name"] != names.MIRROR_HEADER]
    return match_text({**match, "headers": asked})


def _reading(
    kind: str, action: Json, answers: LlmAnswers | None, shown: tuple[Message, ...]
) -> str:
    if kind != "llm":
        return ""
    if answers is None:
        if "upgrade_configs" in action:
            return WEBSOCKET
        return COUNTED if is_shown("response body", shown) else UNREAD
    if not answers.foreign:
        return _OWN
    return _BOTH if answers.own else _TRANSLATED


def _unexplained(table: Json, manager: Json) -> str:
    if not manager:
        return "it serves no HTTP, and its filters are not explained"
    if "scoped_routes" in manager:
        return "its routes are chosen by scope, and are not explained"
    if not table:
        return "its routes come from somewhere else"
    return "more hosts come when they are asked for" if "vhds" in table else ""


def _is_known(identity: Identity) -> bool:
    """Whether callers may have credentials."""
    return bool(
        identity.api_keys
        or identity.issuers
        or identity.has_stored_keys
        or identity.certificates
        or identity.passwords
        or identity.introspection
    )


_OF_PLACES = {"mcp authorization": authorization_messages, "login": login_messages}
_KINDS = {
    mcp_route.NAME: "mcp",
    mcp_route.SSE: "mcp sse",
    a2a_route.NAME: "a2a",
    **dict.fromkeys((a2a_route.REGISTRY, a2a_route.GRPC), "a2a"),
}
"""Of routes that are there where there are servers or agents; before plain ones."""


def _kind(name: str, route: Json, plain: Route | None) -> str:
    if llm_route.is_llm(name):
        return "llm"
    if name in _KINDS:
        return _KINDS[name]
    if name.partition("#")[0] == mcp_auth_route.AUTHORIZATION and "direct_response" in route:
        return "mcp authorization"
    if plain is not None:
        return "plain"
    if is_kept_login(name, route):
        return "login"
    return "answer" if "direct_response" in route or "redirect" in route else "other"


def _asking_in(value: object) -> list[Json]:
    """Every ext_proc configuration in a filter, also in one that runs only under a condition."""
    match value:
        case {"@type": str(kind)} if kind.endswith(ext_proc.FILTER) and isinstance(value, dict):
            return [value]
        case dict():
            return [found for item in value.values() for found in _asking_in(item)]
        case list():
            return [found for item in value for found in _asking_in(item)]
    return []
