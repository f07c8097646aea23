"""The configuration compiled for requests: immutable, swapped whole."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import NamedTuple, Protocol

from msgspec import structs

from extproc.a2a_serving.guarding import A2aGuards
from extproc.a2a_serving.serving import Serving as A2aServing
from extproc.audits import Audits, uncounted
from extproc.batches import Batches
from extproc.bills import Books
from extproc.choosing import Chooser, World
from extproc.conforming import Forms
from extproc.cut_streams import CutStreams, alone
from extproc.facts import Facts
from extproc.health import Health, States
from extproc.inquiring import Inquirer
from extproc.latencies import Latencies
from extproc.leading import Leading
from extproc.llm.estimate import expected
from extproc.llm.token_weights import Family
from extproc.logging_in.desk import LoginDesk
from extproc.mcp.protection import protection
from extproc.mcp_serving.guarding import McpGuards
from extproc.mcp_serving.serving import Serving
from extproc.named import Models
from extproc.outages import Outages
from extproc.plan import Planner, Steering
from extproc.policies.authenticate import NO_WITNESSES, Authenticate, Witnesses
from extproc.policies.authorize import Authorize
from extproc.policies.budget import Budgets
from extproc.policies.guard import Guards
from extproc.policies.kept_logins import kept_logins_of
from extproc.policies.key_models import KeyModels
from extproc.policies.key_tools import KeyTools
from extproc.policies.limit import Limits
from extproc.policies.logins import logins_of
from extproc.policies.tokens import Tokens
from extproc.policies.variables import ESTIMATE, OF_ONE_CALL, PROMPT
from extproc.ports import Ledger, Limiter
from extproc.principal import Kind
from extproc.route_guarding import RouteGuards
from extproc.saying import Sayer
from extproc.served_limits import ServedLimits
from extproc.shaping import Shaper, shaper
from extproc.turns import Turns
from extproc.uploads import Uploads
from extproc.verdict import PASS, By, Deny, PolicyKind, Verdict
from extproc.wellformed import WellFormed
from gateway.a2a import A2a
from gateway.apis import Paths
from gateway.attempts import plan_sequences
from gateway.catalog import price_of
from gateway.cel import compile_expression
from gateway.guards import reads_answers
from gateway.identity import Identity
from gateway.mcp import Mcp
from gateway.mcp_auth import is_apart, protected
from gateway.model import Effect, Gateway, Llm, Lossiness, Mode, Phase, Rule, Target
from gateway.price import Price

_TOKENS_OF = partial(expected, family=Family.OTHER)
"""Of texts, as guards count them, whatever model they are for."""
_MOST_PRICES = 10_000
"""Clients choose the names that stand for `*`, so targets have no natural end."""
NOT_READY = Deny(503, "not_ready", "no configuration yet", by=By(PolicyKind.GATEWAY))
"""The answer to everybody while there is no program."""


class Policy(Protocol):
    """Facts in, verdict out."""

    def on_request(self, facts: Facts) -> Verdict: ...


class Rules(NamedTuple):
    """Those of a program, by what they are asked about."""

    early: Authorize
    """Requests."""
    late: Authorize | None
    """Answers, when they have begun; None: nobody is asked."""
    of_entries: Authorize
    """Entries of MCP servers' lists, and of the list of agents."""


@dataclass(frozen=True, slots=True)
class Program:
    """What a request is answered by, from its start to its end."""

    version: str
    authenticate: Authenticate
    key_models: KeyModels | None
    """Which models keys are for; None: each is for all."""
    key_tools: KeyTools | None
    """Which tools of MCP servers keys are for; None: each is for all."""
    header_policies: tuple[Policy, ...]
    """For requests whose body is not read, in order."""
    request_policies: tuple[Policy, ...]
    """For requests whose body is read, in order, before anything is read closely: what the key is
    for, who may; after authenticate, before the guards."""
    guards: Guards
    """What may be said, or is masked; before the budgets."""
    inquirer: Inquirer
    """Asks the services of guards."""
    rules: Rules
    """Who may do what."""
    mcp: Serving | None
    """MCP servers; None: there are none."""
    mcp_guards: McpGuards | None
    """What may be said to them, and by them; None: anything."""
    route_guards: RouteGuards | None
    """What may be said on plain routes; None: anything."""
    a2a: A2aServing | None
    """A2A agents; None: there are none."""
    login_desk: LoginDesk | None
    """Where people come back who log in; None: Envoy sees to that, or nobody logs in."""
    routes: frozenset[str]
    """The plain routes that it knows."""
    open_routes: frozenset[str]
    """Those on which nobody is asked who they are."""
    answer_guards: Guards | None
    """What may be said in answers; None: nobody looks."""
    forms: Forms
    """In which answers have to be."""
    reads_calls: bool
    """Something looks at the calls of tools that a request tells of."""
    reads_texts: bool
    """Something looks at what a model would read."""
    reads_estimates: bool
    """Something asks how many tokens that may be."""
    limits: Limits
    """Asked before the budgets: it is they who may have to wait."""
    served_limits: ServedLimits
    """What other Envoys ask."""
    budgets: Budgets
    batches: Batches
    planners: Mapping[Steering, Planner]
    sayers: Mapping[Steering, Sayer]
    paths: Paths
    """Where clients find the APIs."""
    stored_at: tuple[str, ...]
    """Who may be asked for files, batches and the like."""
    uploads: Uploads | None
    """Who knows whose an upload to Google is; None: nobody has keys."""
    llm: Llm
    """How clients see the APIs."""
    shaper: Shaper | None
    """Of requests, before anything is decided on them; None: no model adds anything."""
    choose: Callable[[], float]
    """Gives numbers in [0, 1)."""
    latencies: Latencies | None
    """Where is written down who was fast; None: no model asks for it."""
    health: Health | None
    """Where is written down who failed; None: nobody is set aside."""
    cut_streams: CutStreams
    """Who is told of streams that nobody here sees."""
    models: tuple[str, ...]
    """Those that are listed."""
    created: int
    """When this program was built, Unix seconds: the models' `created`."""
    audits: Audits
    """Who is told of verdicts."""
    clock: Callable[[], float] = time.monotonic
    """Seconds that never go back."""
    outages: Outages = field(default_factory=lambda: Outages(time.monotonic))
    """Who is told of providers that could not be asked."""

    def mcp_refusal(self, facts: Facts) -> Deny | None:
        """Why an MCP request may not be: the key is not for it, or a rule says so; None: it may."""
        verdict = PASS if self.key_tools is None else self.key_tools.on_request(facts)
        if not isinstance(verdict, Deny):
            verdict = self.rules.early.on_request(facts)
        return verdict if isinstance(verdict, Deny) else None


class Serve(NamedTuple):
    """Who answers for servers and agents."""

    mcp: Callable[[Mcp], Serving | None]
    a2a: Callable[[A2a, Identity], A2aServing | None]
    logins: Callable[[Identity], LoginDesk | None]
    secrets: tuple[str, ...] = ()
    """With which workers of a machine seal what they will see again."""


NOTHING_SERVED = Serve(lambda _: None, lambda _, __: None, lambda _: None)


def build(
    gateway: Gateway,
    version: str,
    *,
    ledger: Ledger,
    choose: Callable[[], float],
    created: int,
    latencies: Latencies | None = None,
    states: States | None = None,
    books: Books | None = None,
    cut_streams: CutStreams | None = None,
    audits: Audits | None = None,
    witnesses: Witnesses = NO_WITNESSES,
    limiter: Limiter | None = None,
    inquirer: Inquirer | None = None,
    serve: Serve = NOTHING_SERVED,
) -> Program:
    key_models, rules, formed, guards, limits = _policies(gateway, audits, limiter)
    pricing, seen, health, chooser = _choosing(gateway, choose, latencies, states)
    return Program(
        version=version,
        login_desk=(desk := serve.logins(gateway.identity)),
        authenticate=_authenticate(gateway, witnesses, desk),
        key_models=key_models,
        key_tools=KeyTools() if gateway.identity.are_keys_for_tools else None,
        header_policies=_in_order(key_models, rules.early),
        request_policies=_in_order(key_models, rules.early, formed if formed.is_any else None),
        guards=guards,
        inquirer=inquirer or Inquirer.of_nobody(),
        rules=rules,
        mcp=_mcp(gateway, serve.mcp(gateway.mcp), witnesses),
        mcp_guards=_mcp_guards(gateway, audits),
        route_guards=_route_guards(gateway, audits),
        a2a=_a2a(gateway, serve.a2a(gateway.a2a, gateway.identity), audits),
        routes=frozenset(each.name for each in gateway.routes),
        open_routes=frozenset(each.name for each in gateway.routes if each.is_open),
        answer_guards=_answer_guards(gateway, audits),
        forms=Forms(gateway.guards, audits or uncounted()),
        reads_calls=formed.reads_calls,
        reads_texts=guards.is_any or _is_kept(gateway) or _is_read(PROMPT, rules, chooser),
        reads_estimates=_is_estimated(gateway, limits) or _is_read(ESTIMATE, rules, chooser),
        limits=limits,
        served_limits=ServedLimits(gateway.rate_limit_service, limiter),
        budgets=(budgets := _budgets(gateway, ledger)),
        batches=Batches(budgets, pricing, Leading(gateway.models), books or Books(ledger)),
        planners=(planners := _planners(gateway, chooser, dict(gateway.prices))),
        sayers=_sayers(planners, gateway.llm.lossiness, guards if guards.is_any else None),
        paths=Paths(dict(gateway.llm.prefixes)),
        stored_at=gateway.llm.stored_at,
        uploads=_uploads(gateway, serve.secrets),
        llm=gateway.llm,
        shaper=shaper(gateway.models),
        choose=choose,
        latencies=seen if chooser.is_timed else None,
        health=health if health.is_asked else None,
        cut_streams=cut_streams or alone(),
        models=_listed(gateway),
        created=created,
        audits=audits or uncounted(),
    )


def _policies(
    gateway: Gateway, audits: Audits | None, limiter: Limiter | None
) -> tuple[KeyModels | None, Rules, WellFormed, Guards, Limits]:
    has_late = any(rule.phase is Phase.RESPONSE for rule in gateway.rules)
    late = Authorize(gateway.rules, audits, Phase.RESPONSE) if has_late else None
    return (
        KeyModels() if gateway.identity.are_keys_for_models else None,
        Rules(Authorize(gateway.rules, audits), late, Authorize(_of_entries(gateway.rules))),
        WellFormed(gateway.guards, audits or uncounted()),
        Guards(gateway.guards, audits, measure=_TOKENS_OF),
        _limits(gateway, limiter, audits),
    )


def _of_entries(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """Whether a tool is shown, whatever it may be called with, or an agent, whatever it may be
    asked: rules that read that hide nothing."""
    shown: list[Rule] = []
    for rule in rules:
        is_asked = rule.mode is Mode.ENFORCE and rule.phase is Phase.REQUEST
        compiled = compile_expression(rule.expression)
        if isinstance(compiled, str) or compiled.names.isdisjoint(OF_ONE_CALL):
            shown += [rule] if is_asked else []
        elif is_asked and rule.effect is Effect.ALLOW:
            shown.append(replace(rule, expression="true"))
    return tuple(shown)


def _in_order(*policies: Policy | None) -> tuple[Policy, ...]:
    return tuple(each for each in policies if each is not None)


class _Choosing(NamedTuple):
    pricing: Callable[[Target], Price | None]
    seen: Latencies
    health: Health
    chooser: Chooser


def _choosing(
    gateway: Gateway,
    choose: Callable[[], float],
    latencies: Latencies | None,
    states: States | None,
) -> _Choosing:
    seen = Latencies(time.monotonic) if latencies is None else latencies
    health = Health(gateway.llm.failover.health, states or States(), time.monotonic, choose)
    pricing = _pricing(gateway, dict(gateway.prices))
    turns = Turns(gateway.llm.failover, health, plan_sequences(gateway))
    chooser = Chooser(gateway.models, World(choose, pricing, seen, turns))
    return _Choosing(pricing, seen, health, chooser)


def _planners(
    gateway: Gateway, chooser: Chooser, prices: Mapping[str, Price]
) -> Mapping[Steering, Planner]:
    models = Models(gateway.models) if _is_told(gateway) else None
    return {
        steering: Planner(chooser, gateway.providers, prices, steering, models)
        for steering in Steering
    }


def _sayers(
    planners: Mapping[Steering, Planner], lossiness: Lossiness, guards: Guards | None
) -> Mapping[Steering, Sayer]:
    return {steering: Sayer(planner, lossiness, guards) for steering, planner in planners.items()}


def _answer_guards(gateway: Gateway, audits: Audits | None) -> Guards | None:
    guards = Guards(gateway.guards, audits, Phase.RESPONSE)
    is_read = guards.is_any or any(map(reads_answers, gateway.guards))
    return guards if is_read else None


def _mcp_guards(gateway: Gateway, audits: Audits | None) -> McpGuards | None:
    guards = gateway.mcp_guards
    return McpGuards(guards, audits, _TOKENS_OF) if guards else None


def _budgets(gateway: Gateway, ledger: Ledger) -> Budgets:
    of_keys = gateway.identity.has_stored_keys
    return Budgets(gateway.budgets, ledger, are_keys_budgeted=of_keys)


def _route_guards(gateway: Gateway, audits: Audits | None) -> RouteGuards | None:
    guards = gateway.route_guards
    return RouteGuards(guards, audits, _TOKENS_OF) if guards else None


def _a2a(gateway: Gateway, served: A2aServing | None, audits: Audits | None) -> A2aServing | None:
    """With what may be said."""
    if served is None or not gateway.a2a_guards:
        return served
    return structs.replace(served, guards=A2aGuards(gateway.a2a_guards, audits, _TOKENS_OF))


def _is_kept(gateway: Gateway) -> bool:
    """What a model would read is written down."""
    return gateway.audit is not None and gateway.audit.has_content


def _limits(gateway: Gateway, limiter: Limiter | None, audits: Audits | None) -> Limits:
    return Limits(
        gateway.limits,
        limiter,
        audits,
        are_keys_limited=gateway.identity.has_stored_keys,
        headers=gateway.limit_headers,
    )


def _is_estimated(gateway: Gateway, limits: Limits) -> bool:
    """Something reserves tokens."""
    return bool(gateway.budgets) or limits.counts_tokens


def _is_read(name: str, rules: Rules, chooser: Chooser) -> bool:
    is_ruled = any(each.reads(name) for each in rules if each is not None)
    return is_ruled or chooser.reads(name)


def _authenticate(gateway: Gateway, witnesses: Witnesses, desk: LoginDesk | None) -> Authenticate:
    routes = gateway.routes
    asking = {route.name: route.accepts for route in routes if route.is_caller_required}
    kept = kept_logins_of(gateway, None if desk is None else desk.sessions)
    return Authenticate(gateway.identity, asking, witnesses, logins_of(gateway), kept)


def _mcp(gateway: Gateway, served: Serving | None, witnesses: Witnesses) -> Serving | None:
    """With who may come in there, where that is not as anywhere."""
    if served is None:
        return None
    login = gateway.mcp.consent_login
    issuers = tuple(each.issuer for each in gateway.identity.logins if each.name == login)
    if served.desk is not None and issuers:
        desk = served.desk.with_logins(Tokens(issuers, Kind.LOGIN).principal)
        served = structs.replace(served, desk=desk)
    if not is_apart(gateway.mcp):
        return served
    guard = protection(gateway.mcp, gateway.identity)
    entrance = Authenticate(protected(gateway.identity, gateway.mcp), witnesses=witnesses)
    return structs.replace(served, authenticate=entrance, protection=guard)


def _pricing(gateway: Gateway, prices: Mapping[str, Price]) -> Callable[[Target], Price | None]:
    vendors = {provider.name: provider.vendor for provider in gateway.providers}

    @lru_cache(_MOST_PRICES)
    def price(target: Target) -> Price | None:
        return price_of(prices, target.provider, vendors[target.provider], target.model)

    return price


def _uploads(gateway: Gateway, secrets: tuple[str, ...]) -> Uploads | None:
    identity = gateway.identity
    are_keys = bool(identity.api_keys or identity.has_stored_keys)
    sealed_with = gateway.mcp.session_keys or secrets
    return Uploads(sealed_with) if are_keys and gateway.llm.stored_at and sealed_with else None


def _is_told(gateway: Gateway) -> bool:
    """Plans depend on which model was asked for: some have marks, or a mirror."""
    return any(each.cache_marks or each.mirror for each in gateway.models)


def _listed(gateway: Gateway) -> tuple[str, ...]:
    return tuple(each.name for each in gateway.models if each.is_listed and "*" not in each.name)
