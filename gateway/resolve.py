"""Config → Gateway: the only place that knows defaults and inheritance.

Total on a loaded Config.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gateway.choice import by_place
from gateway.config import introspection, logins, stars
from gateway.config.a2a_meaning import a2a, a2a_services
from gateway.config.budgets import BudgetBlock, BudgetMode, BudgetScopeBlock
from gateway.config.check import guard_names
from gateway.config.failover import failover
from gateway.config.finding import Path, dotted
from gateway.config.gateways import GatewayBlock
from gateway.config.identity import IdentityBlock
from gateway.config.limits import LimitBlock, LimitScopeBlock
from gateway.config.llm import REFUSE, LlmBlock
from gateway.config.local_guards import (
    KeywordGuardBlock,
    LengthGuardBlock,
    LocalBlock,
    SchemaGuardBlock,
)
from gateway.config.mcp_meaning import mcp, mcp_services
from gateway.config.paths import prefixes
from gateway.config.policies import (
    GuardScopeBlock,
    GuardTermsBlock,
    InjectionGuardBlock,
    PiiGuardBlock,
    RegexGuardBlock,
    ScopeBlock,
    SecretsGuardBlock,
)
from gateway.config.pricing import prices
from gateway.config.provider_meaning import endpoint, provider
from gateway.config.remote_guards import GuardBlock, RemoteGuardBlock
from gateway.config.remote_meaning import asked, guard_service
from gateway.config.route_guards import what_is_guarded
from gateway.config.routes import RouteBlock
from gateway.config.schema import Config
from gateway.config.shaping_meaning import mirror, shaping
from gateway.config.tiers import choice, is_plain
from gateway.config.urls import place
from gateway.config.xds import ResourceBlock
from gateway.identity import Accepts
from gateway.kinds import PII_GROUPS, SECRET_GROUPS, Kind, kinds_of
from gateway.limits import CountedBy, LimitHeaders
from gateway.model import (
    ApiKey,
    Budget,
    DetectionGuard,
    Gateway,
    Guard,
    GuardTerms,
    Identity,
    InjectionGuard,
    KeywordGuard,
    LengthGuard,
    Limit,
    Listener,
    Llm,
    Mask,
    Match,
    Model,
    NodeGroup,
    NodeMatch,
    Phase,
    RawResource,
    RegexGuard,
    RemoteGuard,
    Route,
    RouteBackend,
    Rule,
    SchemaGuard,
    Scope,
    Service,
    Xds,
    XdsClient,
)

TYPE_URL_PREFIX = "type.googleapis.com/"


def resolve(config: Config) -> Gateway:
    """What the configuration means. Whoever resolves again keeps a `Resolver`."""
    return Resolver().resolve(config)


@dataclass(frozen=True, slots=True)
class _Around:
    """What the meaning of a route depends on, beside its own block."""

    listeners: tuple[str, ...]
    identity: Identity
    rules: tuple[Rule, ...]
    limits: tuple[Limit, ...]
    limit_headers: LimitHeaders
    guards: tuple[Guard, ...]


class Resolver:
    """Resolves one configuration after another; routes that have not changed are not made again."""

    def __init__(self) -> None:
        self._around: _Around | None = None
        self._routes: dict[int, tuple[RouteBlock, Route]] = {}
        """By `id` of the block, which lives as long as it stands here: loading keeps blocks."""

    def resolve(self, config: Config) -> Gateway:
        """What the configuration means."""
        identity = _identity(config.identity)
        rules = tuple(
            Rule(
                rule.name,
                _scope(rule.scope),
                rule.effect,
                rule.expression,
                rule.mode,
                Phase(rule.phase),
            )
            for rule in config.authorize
        )
        listeners = tuple(_listener(*item) for item in config.gateways.items())
        names = tuple(listener.name for listener in listeners)
        limits = tuple(map(_limit, config.limits))
        guards = tuple(zip(guard_names(config), config.guardrails, strict=True))
        meant = tuple(_guard(name, block) for name, block in guards)
        of_mcp, of_a2a, of_routes = _of_others(meant)
        around = _Around(names, identity, rules, limits, config.limit_headers, of_routes)
        return Gateway(
            listeners=listeners,
            identity=identity,
            providers=tuple(provider(*item) for item in config.llm.providers.items()),
            models=_models(config.llm),
            rules=rules,
            guards=tuple(each for each in meant if each not in (*of_mcp, *of_a2a, *of_routes)),
            mcp_guards=of_mcp,
            a2a_guards=of_a2a,
            route_guards=of_routes,
            budgets=tuple(map(_budget, config.budgets)),
            prices=tuple(prices(config.llm).items()),
            routes=self._resolved(config.routes, around),
            admin=endpoint(config.admin.address),
            xds=resolve_xds(config),
            llm=_llm(config.llm),
            mcp=mcp(config.mcp, config.identity, of_mcp),
            a2a=a2a(config.a2a, of_a2a),
            ledger=config.ledger.place,
            alerts_to=config.alerts.meaning,
            audit=None if config.audit is None else config.audit.terms,
            limits=limits,
            services=(
                *_guard_services(guards),
                *introspection.services(config.identity.introspection),
                *logins.services(config.identity.logins),
                *mcp_services(config.mcp, config.identity),
                *a2a_services(config.a2a),
            ),
            limit_headers=config.limit_headers,
            limit_services=tuple(
                (each.meaning(name), each.upstream())
                for name, each in config.limit_services.items()
            ),
            rate_limit_service=config.rate_limit_service.meaning,
            external=tuple(each.meaning(name) for name, each in config.external_authz.items()),
        )

    def _resolved(self, blocks: tuple[RouteBlock, ...], around: _Around) -> tuple[Route, ...]:
        known = self._routes if around == self._around else {}
        routes = {id(each): known.get(id(each)) or (each, _route(each, around)) for each in blocks}
        self._around, self._routes = around, routes
        return tuple(routes[id(each)][1] for each in blocks)


def resolve_xds(config: Config) -> Xds:
    """The control plane alone."""
    block = config.xds
    return Xds(
        tls=block.tls.texts if block.tls is not None else None,
        clients=tuple(
            XdsClient(
                each.name,
                each.san,
                each.token_digest,
                each.nodes,
                each.secrets,
                each.secrets if each.workers is None else each.workers,
                each.groups,
            )
            for each in block.clients
        ),
        groups=tuple(
            NodeGroup(
                name,
                NodeMatch(
                    group.match.id,
                    group.match.cluster,
                    group.match.user_agent,
                    tuple(group.match.metadata.items()),
                ),
                tuple(config.gateways) if group.gateways is None else group.gateways,
                _raw_resources(("xds", "groups", name, "resources"), group.resources),
            )
            for name, group in block.groups.items()
        ),
        resources=_raw_resources(("xds", "resources"), block.resources),
        history_limit=block.history,
    )


def _raw_resources(path: Path, blocks: tuple[ResourceBlock, ...]) -> tuple[RawResource, ...]:
    return tuple(
        RawResource(
            type_url=f"{TYPE_URL_PREFIX}{block.message_type}",
            name=block.known_as,
            json=block.json_text,
            path=dotted((*path, index)),
            ttl_seconds=block.ttl,
            at=(*path, index),
        )
        for index, block in enumerate(blocks)
    )


def _listener(name: str, block: GatewayBlock) -> Listener:
    return Listener(
        name,
        block.address,
        block.port,
        block.max_request_bytes,
        block.tls.texts if block.tls is not None else None,
        block.compress,
    )


def _guard_services(guards: Iterable[tuple[str, GuardBlock]]) -> Iterator[Service]:
    for name, block in guards:
        if isinstance(block, RemoteGuardBlock):
            yield guard_service(name, block)


def _identity(block: IdentityBlock) -> Identity:
    keys = tuple(
        ApiKey(
            name=key.name,
            digest=key.sha256,
            user=key.user or "",
            team=key.team or "",
            groups=key.groups,
            tags=tuple(key.tags.items()),
            models=key.models,
            tools=key.tools,
        )
        for key in block.accepted_keys
    )
    return Identity(
        keys,
        tuple(each.meaning for each in block.jwt),
        block.is_required,
        block.has_stored_keys,
        tuple(each.meaning for each in block.certificates),
        None if block.basic is None else block.basic.meaning,
        None if block.introspection is None else block.introspection.meaning,
        block.api_keys.stale_if_error,
        tuple(each.meaning(name) for name, each in block.logins.items()),
    )


def _llm(block: LlmBlock) -> Llm:
    unknown = block.unknown_paths
    return Llm(
        prefixes(block.paths),
        None if unknown == REFUSE else unknown,
        block.lossy,
        failover(block.failover),
        block.stored_at,
        block.external_authz or "",
    )


def _models(llm: LlmBlock) -> tuple[Model, ...]:
    models = [_model(name, llm) for name in llm.models]
    exact = [model for model in models if "*" not in model.name]
    patterns = [model for model in models if "*" in model.name]
    return (*exact, *sorted(patterns, key=lambda model: (-len(model.name), model.name)))


def _model(name: str, llm: LlmBlock) -> Model:
    block, found = llm.models[name], choice(name, llm)
    return Model(
        name,
        by_place(found),
        is_listed=block.listed and not block.internal and "*" not in name,
        choice=None if is_plain(found) else found,
        is_internal=block.internal,
        shaping=shaping(block),
        cache_marks=block.prompt_caching.meaning() if block.prompt_caching is not None else None,
        mirror=mirror(name, llm),
    )


def _limit(block: LimitBlock) -> Limit:
    return Limit(
        block.name,
        _scope(block.scope),
        block.requests,
        block.tokens,
        block.bytes,
        block.concurrent,
        block.algorithm,
        block.mode,
        block.counted_by is CountedBy.ENVOY,
        block.by or "",
        block.service or "",
        tuple(block.descriptor.items()),
        block.counted_by is CountedBy.MACHINE,
    )


def _budget(block: BudgetBlock) -> Budget:
    return Budget(
        name=block.name,
        scope=_scope(block.scope),
        unit=block.limit.unit,
        limit=block.limit.amount,
        span=block.span,
        by=block.by or "",
        is_soft=block.mode is BudgetMode.SOFT,
        when_low=block.lowering,
        alerts=tuple(sorted({alert.at for alert in block.alerts})),
    )


def _of_others(guards: Iterable[Guard]) -> Iterator[tuple[Guard, ...]]:
    """Those of MCP servers, those of agents, and those of plain routes."""
    scopes = [(each, each.terms.scope) for each in guards]
    yield tuple(each for each, scope in scopes if scope.mcp is not None)
    yield tuple(each for each, scope in scopes if scope.a2a is not None)
    yield tuple(each for each, scope in scopes if scope.route is not None)


def _scope(block: ScopeBlock | BudgetScopeBlock | GuardScopeBlock | LimitScopeBlock) -> Scope:
    return Scope(**{name: getattr(block, name) for name in type(block).model_fields})


def _guard_terms(block: GuardTermsBlock) -> GuardTerms:
    texts = None if block.texts is None else frozenset(block.texts)
    return GuardTerms(_scope(block.who), block.phase, texts, block.mode, block.window)


def _detections(name: str, block: PiiGuardBlock | SecretsGuardBlock) -> DetectionGuard:
    groups = PII_GROUPS if isinstance(block, PiiGuardBlock) else SECRET_GROUPS
    kinds = dict.fromkeys(kind for named in block.kinds for kind in kinds_of(named, groups))
    masks: dict[Kind, Mask] = {}
    written = [(name, Mask(style)) for name, style in block.masks.items()]
    written += [(name, Mask(text=text)) for name, text in block.replacements.items()]
    for named, mask in sorted(written, key=lambda each: -len(kinds_of(each[0], groups))):
        masks |= dict.fromkeys(kinds_of(named, groups), mask)  # a kind is stronger than its group
    return DetectionGuard(
        name=name,
        type=block.type,
        kinds=tuple(kinds),
        regions=block.regions if isinstance(block, PiiGuardBlock) else (),
        action=block.action,
        masks=masks,
        message=_message(name, block.message, block.phase),
        terms=_guard_terms(block),
    )


def _message(name: str, written: str | None, phase: Phase) -> str:
    """What a client is told."""
    read = {Phase.REQUEST: "request", Phase.RESPONSE: "answer", Phase.BOTH: "conversation"}
    return written or f"the {read[phase]} has text that '{name}' does not allow"


def _guard(name: str, block: GuardBlock) -> Guard:
    if isinstance(block, RegexGuardBlock):
        message = _message(name, block.message, block.phase)
        terms = _guard_terms(block)
        return RegexGuard(name, block.patterns, block.action, block.replacement, message, terms)
    if isinstance(block, PiiGuardBlock | SecretsGuardBlock):
        return _detections(name, block)
    if isinstance(block, InjectionGuardBlock):
        message = _message(name, block.message, block.phase)
        return InjectionGuard(name, float(block.threshold), message, _guard_terms(block))
    if isinstance(block, LocalBlock):
        return _local(name, block)
    return RemoteGuard(
        name=name,
        kind=block.type,
        service=asked(block),
        message=block.message or "",
        timeout_seconds=block.timeout,
        is_open_on_error=block.on_error == "allow",
        is_parallel=block.parallel and block.phase is not Phase.RESPONSE,
        terms=_guard_terms(block),
    )


def _local(name: str, block: LocalBlock) -> Guard:
    message, terms = _message(name, block.message, block.phase), _guard_terms(block)
    match block:
        case KeywordGuardBlock():
            words = block.all_words
            return KeywordGuard(name, words, block.action, block.replacement, message, terms)
        case LengthGuardBlock():
            said = block.message or ""
            return LengthGuard(name, block.characters, said, terms, block.tokens)
        case SchemaGuardBlock():
            is_held = block.stream == "hold"
            said = block.message or ""
            return SchemaGuard(name, block.text, block.of, block.tools, is_held, said, terms)


def _route(block: RouteBlock, around: _Around) -> Route:
    is_open = block.auth == "none"
    identity = around.identity
    accepts = Accepts.ANY if block.auth in (None, "none") else Accepts(block.auth)
    if block.login is not None and block.auth is None:
        accepts = Accepts.LOGIN
    is_asked = block.auth is not None or block.login is not None
    is_caller_required = not is_open and (is_asked or identity.is_required)
    rules = [rule for rule in around.rules if is_for_route(rule.scope, block.name)]
    is_ruled = not is_open and bool(rules)
    match = block.match
    limits = [each for each in around.limits if is_limited(each, block.name, is_open=is_open)]
    guarded = what_is_guarded(around.guards, block.name, is_open=is_open)
    needs_identity = is_caller_required or is_ruled
    takes_no_keys = accepts in (Accepts.JWT, Accepts.LOGIN)
    takes_stored = needs_identity and identity.has_stored_keys and not takes_no_keys
    is_known = is_caller_required or is_ruled or (bool(limits or any(guarded)) and not is_open)
    return Route(
        name=block.name,
        listeners=block.gateways or around.listeners,
        match=Match(
            hostnames=match.hostnames,
            prefix=match.path.prefix,
            exact=match.path.exact,
            methods=match.methods,
            headers=tuple(match.headers.items()),
        ),
        backends=tuple(
            RouteBackend(place(each.url).upstream(each.timeouts.connect), each.weight)
            for each in block.upstreams
        ),
        replace_prefix=block.replace_prefix,
        timeout_seconds=block.timeout,
        retries=block.retries,
        needs_identity=needs_identity,
        is_caller_required=is_caller_required,
        accepts=accepts,
        login=block.login or "",
        passes_tokens=bool(identity.issuers) and not is_known,
        is_open=is_open,
        external=block.external_authz or "",
        is_limited=bool(limits),
        guarded=guarded,
        is_told=any(each.requests is not None for each in limits),
        limit_headers=around.limit_headers,
        takes_stored_keys=takes_stored,
        envoys_limits=tuple(
            each
            for each in around.limits
            if each.is_envoys and is_for_route(each.scope, block.name)
        ),
        asked_limits=tuple(
            each for each in around.limits if each.service and is_for_route(each.scope, block.name)
        ),
        holds_places=takes_stored or any(each.concurrent is not None for each in limits),
        is_answer_judged=is_ruled and any(rule.phase is Phase.RESPONSE for rule in rules),
    )


def is_for_route(scope: Scope, route: str) -> bool:
    """Whether a rule may have to be asked about a plain route."""
    others = (scope.model, scope.provider, scope.llm, scope.mcp, scope.a2a)
    if any(each is not None for each in others):
        return False
    return scope.route is None or stars.matches(scope.route, route)


def is_limited(limit: Limit, route: str, *, is_open: bool) -> bool:
    """Whether extproc may have to count a plain route's requests; on an open one, nobody's."""
    scope = limit.scope
    if limit.is_envoys or not (limit.requests or limit.bytes or limit.concurrent):
        return False
    if is_open and any(each is not None for each in (scope.key, scope.user, scope.team)):
        return False
    return is_for_route(scope, route)
