"""RULES: what a schema cannot say: references, duplicates, conflicts. And what to warn of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import TypeAlias

from gateway.cel import compile_expression, is_literal
from gateway.cel_variables import OF_ANSWERS
from gateway.config import basic, introspection, issuers, logins, mcp_consent, stars
from gateway.config.a2a_guard_rules import a2a_guards_can_judge
from gateway.config.a2a_meaning import RULES_OF_AGENTS
from gateway.config.budget_rules import (
    alerts_reach_somebody,
    low_budgets_can_be_followed,
    low_budgets_lead_somewhere,
)
from gateway.config.budgets import BudgetScopeBlock
from gateway.config.certificates import certificates_fit_their_keys, dated_certificates
from gateway.config.external_authz import findings as external_findings
from gateway.config.finding import Finding, Path, dotted
from gateway.config.issuers import findings as issuer_findings
from gateway.config.ledger import RedisLedgerBlock
from gateway.config.limit_rules import (
    envoy_can_count,
    limit_services_are_there,
    limits_can_apply,
    tools_are_of_servers,
)
from gateway.config.limits import LimitScopeBlock
from gateway.config.mcp_guard_rules import mcp_guards_can_judge
from gateway.config.mcp_meaning import (
    agents_are_there,
    chosen_tools_are_of_servers,
    consents_can_be_had,
    documents_are_apis,
    servers_are_known,
    sse_clients_can_be_told_apart,
    tokens_can_be_had,
    tools_have_names,
)
from gateway.config.model_rules import (
    conditions_can_hold,
    providers_are_known,
    references_are_known,
    references_do_not_circle,
    repeated_references,
    stars_stand_for_something,
    tiers_can_be_served,
    unheard_first_bytes,
    unpriced_choices,
    unreachable_models,
)
from gateway.config.path_rules import (
    routes_below_the_llm_apis,
    stores_are_providers,
    unknown_paths_have_a_provider,
)
from gateway.config.policies import GuardScopeBlock, GuardTermsBlock, ScopeBlock
from gateway.config.pricing import is_priced, prices
from gateway.config.provider_meaning import credential
from gateway.config.provider_rules import (
    passed_keys_are_no_keys_of_ours,
    prefixes_without_a_space,
    vendors_without_a_key,
)
from gateway.config.remote_rules import parallel_guards, plain_services, unauthorized_guards
from gateway.config.route_guards import route_guards_can_judge
from gateway.config.scalars import host_and_port
from gateway.config.schema import Config
from gateway.config.shaping_meaning import mirrors_lead_somewhere
from gateway.config.tiers import tiers
from gateway.config.unread import unread_by_guards
from gateway.config.written import Written
from gateway.config.xds_rules import (
    group_gateways_are_known,
    groups_by_their_own_word,
    plain_tokens,
    resources_are_unique,
    secrets_for_everybody,
    xds_clients_can_prove_themselves,
)
from gateway.credentials import PassThrough
from gateway.ledger_place import LARGEST_REDIS_LIMIT
from gateway.model import Unit
from gateway.problem import Problem, did_you_mean

Rule: TypeAlias = Callable[[Written], Iterable[Finding]]
_EVERYWHERE = frozenset({"0.0.0.0", "::"})
_KINDS = {"llm": "model", "mcp": "MCP server", "a2a": "agent"}
"""What a scope's field names, where that is called otherwise."""


def check(written: Written) -> list[Finding]:
    """Everything that any rule finds."""
    return [finding for rule in RULES for finding in rule(written)]


def warnings(config: Config, now: datetime | None = None) -> tuple[Problem, ...]:
    """What is not wrong, but will surprise. For a Config that has been loaded."""
    found = [each for rule in WARNINGS for each in rule(config)]
    found += dated_certificates(config, now or datetime.now(UTC))
    places = [config.source.place(each.path) for each in found]
    return (
        *config.source.warnings,
        *(
            Problem(dotted(place.path), each.message, place.line, place.file, each.hint)
            for each, place in zip(found, places, strict=True)
        ),
    )


def addresses_are_free(written: Written) -> Iterator[Finding]:
    """Two listeners cannot have one port of one address."""
    taken: list[tuple[str, int, str]] = []
    places: list[tuple[Path, str, int, str]] = []
    admin = host_and_port(written.config.admin.address)
    if admin is not None:
        places.append((("admin", "address"), admin.host, admin.port, "admin"))
    for name, block in written.config.gateways.items():
        path: Path = ("gateways", name, "port")
        places.append((path, block.address, block.port, f"gateway '{name}'"))
    for path, address, port, owner in places:
        for other_address, other_port, other in taken:
            is_same = address == other_address or not _EVERYWHERE.isdisjoint(
                {address, other_address}
            )
            if port == other_port and is_same:
                yield Finding(path, f"port {port} is already taken by {other}")
        taken.append((address, port, owner))


def names_are_unique(written: Written) -> Iterator[Finding]:
    """Names of things in lists."""
    config = written.config
    lists: tuple[tuple[Path, list[str]], ...] = (
        (("identity", "api_keys", "keys"), [key.name for key in config.identity.api_keys.keys]),
        (("authorize",), [rule.name for rule in config.authorize]),
        (("guardrails",), guard_names(config)),
        (("budgets",), [budget.name for budget in config.budgets]),
        (("limits",), [limit.name for limit in config.limits]),
        (("routes",), [route.name for route in config.routes]),
    )
    for path, names in lists:
        seen: set[str] = set()
        for index, name in enumerate(names):
            if name in seen:
                yield Finding((*path, index, "name"), f"the name '{name}' is taken")
            seen.add(name)


def api_keys_are_unique(written: Written) -> Iterator[Finding]:
    """One key cannot belong to two."""
    holders: dict[str, str] = {}
    for index, key in enumerate(written.config.identity.api_keys.keys):
        holder = holders.setdefault(key.sha256, key.name)
        if holder != key.name:
            path: Path = ("identity", "api_keys", "keys", index)
            yield Finding(path, f"'{key.name}' has the same key as '{holder}'")


def scopes_name_what_exists(written: Written) -> Iterator[Finding]:
    """A scope that can match nothing is a typing mistake, and would silently protect nothing."""
    scopes: list[tuple[Path, ScopeBlock | BudgetScopeBlock | GuardScopeBlock | LimitScopeBlock]] = [
        *((("authorize", i, "for"), rule.scope) for i, rule in enumerate(written.config.authorize)),
        *((("budgets", i, "for"), each.scope) for i, each in enumerate(written.config.budgets)),
        *((("limits", i, "for"), each.scope) for i, each in enumerate(written.config.limits)),
        *(
            (("guardrails", i, "for"), each.who)
            for i, each in enumerate(written.config.guardrails)
            if isinstance(each, GuardTermsBlock)
        ),
    ]
    for path, scope in scopes:
        for field, known in (
            ("provider", written.providers),
            ("model", written.models),
            ("llm", written.models),
            ("route", written.routes),
            ("key", written.keys),
            ("mcp", written.mcp_servers),
            ("a2a", written.agents | written.agent_groups),
        ):
            value: str | None = getattr(scope, field, None)
            if value is None or "*" in value or value in known:
                continue
            if field == "key" and written.config.identity.has_stored_keys:
                continue  # it may be made at any time
            if not any(stars.matches(name, value) for name in known if "*" in name):
                kind = _KINDS.get(field, field)
                yield Finding((*path, field), f"no {kind} '{value}'", did_you_mean(value, known))


def rules_reach_their_routes(written: Written) -> Iterator[Finding]:
    """No rule is asked on an open route, so a rule that names one would protect nothing."""
    is_open = {route.name for route in written.config.routes if route.auth == "none"}
    for index, rule in enumerate(written.config.authorize):
        if rule.scope.route in is_open:
            yield Finding(
                ("authorize", index, "for", "route"),
                f"the route '{rule.scope.route}' is open: its auth is none",
                "write auth: key on the route",
            )


def rules_depend_on_something(written: Written) -> Iterator[Finding]:
    """`request.method != "GET" || request.method != "POST"`. Who means `true` can write it."""
    for index, rule in enumerate(written.config.authorize):
        path: Path = ("authorize", index, rule.effect.value)
        always = _always(rule.expression)
        if always is not None and not is_literal(rule.expression):
            is_so = "always" if always else "never"
            hint = f"write '{str(always).lower()}' if that is meant"
            yield Finding(path, f"this is {is_so} true, whatever the request is", hint)
        kinds = _kinds(rule.scope) if always is None else ()
        for kind in kinds:
            if _always(f'({rule.expression}\n) && resource.kind == "{kind}"') is False:
                yield Finding(path, f"this is never true of {_OF_KINDS[kind][0]}, which it is for")


def _always(expression: str) -> bool | None:
    compiled = compile_expression(expression)
    return None if isinstance(compiled, str) else compiled.always


def _kinds(scope: ScopeBlock) -> tuple[str, ...]:
    """What kinds of requests a scope is about; none: of any."""
    return tuple(
        kind
        for kind, (_, fields) in _OF_KINDS.items()
        if any(getattr(scope, field) is not None for field in fields)
    )


def rules_read_what_is_known(written: Written) -> Iterator[Finding]:
    """`response.status` in a rule of requests."""
    for index, rule in enumerate(written.config.authorize):
        compiled = compile_expression(rule.expression)
        if rule.phase == "response" or isinstance(compiled, str):
            continue
        for name in sorted(compiled.names & OF_ANSWERS):
            yield Finding(
                ("authorize", index, rule.effect.value),
                f"'{name}' is not known before there is an answer",
                "write phase: response",
            )


_OF_KINDS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "llm": ("LLM calls", ("llm", "model", "provider")),
    "mcp": ("MCP calls", ("mcp",)),
    "http": ("plain routes", ("route",)),
    "a2a": ("A2A calls", ("a2a",)),
}
"""Kinds of requests, and which fields of a scope are about them alone."""


def rules_read_what_their_requests_have(written: Written) -> Iterator[Finding]:
    """`{for: {llm: "*"}, deny: mcp.tool == "x"}`: for every request that it is for, it errs."""
    for index, rule in enumerate(written.config.authorize):
        compiled = compile_expression(rule.expression)
        if isinstance(compiled, str):
            continue
        for kind in _kinds(rule.scope):
            what = _OF_KINDS[kind][0]
            for name in sorted(compiled.names):
                of = name.partition(".")[0]
                if of in _OF_KINDS and of != kind:
                    path: Path = ("authorize", index, rule.effect.value)
                    yield Finding(path, f"'{name}' is nothing of {what}, which the rule is for")


def route_gateways_are_known(written: Written) -> Iterator[Finding]:
    """`gateways: [defualt]`."""
    for index, route in enumerate(written.config.routes):
        for position, name in enumerate(route.gateways or ()):
            if name not in written.gateways:
                yield Finding(
                    ("routes", index, "gateways", position),
                    f"no gateway '{name}'",
                    did_you_mean(name, written.gateways),
                )


def tokens_can_be_checked(written: Written) -> Iterator[Finding]:
    """Issuers are unique and have usable keys, and a route asks for what somebody issues."""
    identity = written.config.identity
    yield from issuer_findings(identity.jwt)
    for index, route in enumerate(written.config.routes):
        if route.auth == "jwt" and not identity.jwt and not written.has_issuers:
            yield Finding(
                ("routes", index, "auth"),
                "asks for a token, and there is no issuer",
                "add identity.jwt",
            )


def passwords_can_be_checked(written: Written) -> Iterator[Finding]:
    """The lines of password files are usable, and a route asks for what there is."""
    block = written.config.identity.basic
    if block is not None:
        yield from basic.findings(block)
    for index, route in enumerate(written.config.routes):
        if route.auth == "basic" and block is None and not written.has_passwords:
            yield Finding(
                ("routes", index, "auth"),
                "asks for a password, and there are none",
                "add identity.basic",
            )


def external_services_are_known(written: Written) -> Iterator[Finding]:
    """`external_authz: entitlments`."""
    config = written.config
    known = frozenset(config.external_authz) | written.services
    yield from external_findings(known, config.routes, config.llm)


def tokens_can_be_asked_about(written: Written) -> Iterator[Finding]:
    """A route that takes such tokens alone needs somebody who knows them."""
    is_asked = written.config.identity.introspection is not None or written.has_introspection
    for index, route in enumerate(written.config.routes):
        if route.auth == "introspection" and not is_asked:
            path: Path = ("routes", index, "auth")
            yield Finding(path, "nobody is asked about tokens", "add identity.introspection")


def people_can_log_in(written: Written) -> Iterator[Finding]:
    """`login: staf`; two logins that would have one path, or one cookie."""
    config = written.config
    blocks = config.identity.logins
    yield from logins.findings(blocks, frozenset(blocks) | written.logins, config.routes)


def limits_can_be_counted(written: Written) -> Iterator[Finding]:
    """Redis counts in doubles: above what they hold exactly, a budget would not be one."""
    if isinstance(written.config.ledger, RedisLedgerBlock):
        for index, budget in enumerate(written.config.budgets):
            if budget.limit.amount > LARGEST_REDIS_LIMIT:
                path: Path = ("budgets", index, "limit")
                hint = "at most 9 million USD or 9e15 tokens"
                yield Finding(path, "is more than a ledger in Redis counts exactly", hint)


RULES: tuple[Rule, ...] = (
    addresses_are_free,
    names_are_unique,
    api_keys_are_unique,
    tokens_can_be_checked,
    passwords_can_be_checked,
    tokens_can_be_asked_about,
    people_can_log_in,
    external_services_are_known,
    passed_keys_are_no_keys_of_ours,
    providers_are_known,
    references_are_known,
    stars_stand_for_something,
    references_do_not_circle,
    tiers_can_be_served,
    mirrors_lead_somewhere,
    conditions_can_hold,
    scopes_name_what_exists,
    low_budgets_lead_somewhere,
    low_budgets_can_be_followed,
    alerts_reach_somebody,
    rules_reach_their_routes,
    rules_depend_on_something,
    rules_read_what_is_known,
    rules_read_what_their_requests_have,
    limits_can_apply,
    tools_are_of_servers,
    envoy_can_count,
    limit_services_are_there,
    route_gateways_are_known,
    stores_are_providers,
    unknown_paths_have_a_provider,
    certificates_fit_their_keys,
    xds_clients_can_prove_themselves,
    group_gateways_are_known,
    resources_are_unique,
    limits_can_be_counted,
    servers_are_known,
    sse_clients_can_be_told_apart,
    tokens_can_be_had,
    consents_can_be_had,
    tools_have_names,
    chosen_tools_are_of_servers,
    mcp_guards_can_judge,
    a2a_guards_can_judge,
    route_guards_can_judge,
    documents_are_apis,
    *RULES_OF_AGENTS,
    agents_are_there,
)


def guard_names(config: Config) -> list[str]:
    """The names of guards, given or made from type and position."""
    return [
        guard.name or f"{guard.type}-{position}"
        for position, guard in enumerate(config.guardrails, start=1)
    ]


def _unpriced_models(config: Config) -> Iterator[Finding]:
    if not any(budget.limit.unit is Unit.NANODOLLARS for budget in config.budgets):
        return
    known = prices(config.llm)
    for name in config.llm.models:
        targets = [
            f"{target.provider}/{target.model}"
            for tier in tiers(name, config.llm)
            for target in tier
            if "*" not in target.model and not is_priced(target, config.llm, known)
        ]
        for where in dict.fromkeys(targets):
            yield Finding(
                ("llm", "models", name),
                f"'{where}' has no price, so budgets in USD refuse it",
                f"write one under llm.prices: '{where}'",
            )


def _locked_doors(config: Config) -> Iterator[Finding]:
    identity = config.identity
    has_keys = identity.accepted_keys or identity.has_stored_keys
    if identity.certificates and not any(
        each.tls is not None and each.tls.client_ca is not None for each in config.gateways.values()
    ):
        yield Finding(
            ("identity", "certificates"),
            "no gateway asks for certificates",
            "write client_ca under tls of one",
        )
    others = identity.jwt or identity.certificates or identity.basic or identity.introspection
    if identity.required and not (has_keys or others):
        yield Finding(
            ("identity", "required"), "nobody can come in: there are no keys", "add api_keys or jwt"
        )


def _open_doors(config: Config) -> Iterator[Finding]:
    paid = [
        name
        for name, block in config.llm.providers.items()
        if not isinstance(credential(block), PassThrough | None)
    ]
    if config.identity.is_required or not paid:
        return
    for name, block in config.gateways.items():
        if not ip_address(block.address).is_loopback:
            yield Finding(
                ("gateways", name),
                f"everybody who reaches {block.address}:{block.port} can spend the key"
                f" of '{paid[0]}'",
                "add identity.api_keys or identity.jwt, or listen on 127.0.0.1",
            )


def _issuers(config: Config) -> Iterator[Finding]:
    yield from issuers.warnings(config.identity.jwt)


def _weak_credentials(config: Config) -> Iterator[Finding]:
    if config.identity.basic is not None:
        yield from basic.warnings(config.identity.basic)
    if config.identity.introspection is not None:
        yield from introspection.warnings(config.identity.introspection)
    plain = (name for name, block in config.gateways.items() if block.tls is None)
    yield from logins.warnings(config.identity.logins, plain)
    are_any = any(each.consent is not None for each in config.mcp.servers.values())
    yield from mcp_consent.warnings(are_any, config.mcp.consents)


WARNINGS: tuple[Callable[[Config], Iterable[Finding]], ...] = (
    unread_by_guards,
    unauthorized_guards,
    parallel_guards,
    plain_services,
    repeated_references,
    _unpriced_models,
    unpriced_choices,
    unreachable_models,
    unheard_first_bytes,
    vendors_without_a_key,
    prefixes_without_a_space,
    _locked_doors,
    _open_doors,
    _issuers,
    _weak_credentials,
    routes_below_the_llm_apis,
    plain_tokens,
    groups_by_their_own_word,
    secrets_for_everybody,
)
