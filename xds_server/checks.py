"""What is checked of a request, where and in which order, and what happens when it cannot be.

The order is that of `extproc.exchange` and `extproc.program`; tests hold one to the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from gateway.config.route_guards import is_guarded
from gateway.config.scalars import written_permille
from gateway.guards import reads_answers
from gateway.model import (
    Budget,
    Gateway,
    Limit,
    Period,
    Phase,
    Route,
    Scope,
    Unit,
)
from gateway.resolve import is_for_route, is_limited
from xds_server.caller_checks import (
    credential_checks,
    external_checks,
    login_checks,
    token_check,
)
from xds_server.check import Check, Failing, Where
from xds_server.guard_checks import OBJECTION, guard_checks
from xds_server.limit_checks import (
    envoys_limits,
    limit_check,
    limits_of_key,
    scope_words,
)
from xds_server.resources.envoy_rules import EnvoyRules
from xds_server.rule_checks import in_order, rule_check

_UNRESERVED = "503 ledger_unavailable when nothing can be reserved"
CERTIFICATE = Check(
    "certificate of the client", Where.ENVOY, "connection", "the handshake", Failing.CLOSED, ""
)
"""Where TLS is mutual; before everything."""


def llm_checks(gateway: Gateway) -> tuple[Check, ...]:
    """Of a request that is read, in order; all of them in extproc."""
    return tuple(check for step in LLM_STEPS for check in step(gateway))


def passed_checks(gateway: Gateway) -> tuple[Check, ...]:
    """Of a request of an LLM API whose body nobody reads."""
    return (*_passed_checks(gateway), *_answer_rules(gateway))


def _passed_checks(gateway: Gateway) -> Iterator[Check]:
    return (check for step in PASSED_STEPS for check in step(gateway))


def batch_checks(gateway: Gateway) -> tuple[Check, ...]:
    """The same of batches: before one is made, something must be left, whatever its model is."""
    budgets = (
        replace(
            _budget(each),
            name=f"{_budget(each).name}, before a batch is made",
            reads="headers",
            failure=_UNRESERVED,
        )
        for each in gateway.budgets
        if is_for_llm(each.scope) and each.scope.model is None and each.scope.llm is None
    )
    of_key = replace(
        _BUDGETS_OF_KEY, name=f"{_BUDGETS_OF_KEY.name}, before a batch is made", reads="headers"
    )
    of_keys = [of_key] * gateway.identity.has_stored_keys
    return (*_passed_checks(gateway), *budgets, *of_keys, *_answer_rules(gateway))


def checks_of_what_is_made(gateway: Gateway) -> tuple[Check, ...]:
    """Beside these, of a batch of messages."""
    return tuple(guard_checks(each for each in gateway.guards if each.terms.reads_requests))


def websocket_checks(gateway: Gateway) -> tuple[Check, ...]:
    """Of a websocket; of what is said in it, only what the provider tells of its usage counts."""
    return tuple(check for step in WEBSOCKET_STEPS for check in step(gateway))


def route_checks(gateway: Gateway, route: Route) -> tuple[Check, ...]:
    """Of a plain route on which extproc is asked, in order."""
    limits = (
        limit_check(each, reads="headers", ledger=gateway.ledger)
        for each in gateway.limits
        if is_limited(each, route.name, is_open=route.is_open)
    )
    external = (*login_checks(gateway, route), *external_checks(gateway, route.external))
    guards = tuple(_route_guards(gateway, route))
    if route.is_open or not (route.needs_identity or route.is_limited or any(route.guarded)):
        return (*external, *guards, *limits, *envoys_limits(gateway, route))
    return (
        *external,
        *credential_checks(gateway, is_required=route.is_caller_required, accepts=route.accepts),
        *(
            rule_check(rule, "headers")
            for rule in in_order(gateway.rules)
            if is_for_route(rule.scope, route.name)
        ),
        *guards,
        *limits,
        *[limits_of_key(gateway, reads="headers")] * route.takes_stored_keys,
        *envoys_limits(gateway, route),
        *(
            rule_check(rule, _ANSWER)
            for rule in in_order(gateway.rules, Phase.RESPONSE)
            if is_for_route(rule.scope, route.name)
        ),
    )


def _route_guards(gateway: Gateway, route: Route) -> Iterator[Check]:
    """What guards cannot read does not pass them; what they object to is forbidden."""
    found = [
        each
        for each in gateway.route_guards
        if is_guarded((each,), route.name, is_open=route.is_open)
    ]
    if any(each.terms.reads_requests for each in found):
        refusal = "415 unsupported_encoding, 400 invalid_encoding, 413 request_too_large"
        name = "one reading of JSON, text, forms and the query"
        refusal = f"{refusal}, 400 unreadable_request"
        yield Check(name, Where.EXTPROC, "body", refusal, Failing.CLOSED, "")
    if any(map(reads_answers, found)):
        name = "one reading of JSON, text, forms and events"
        refusal = "502 unreadable_answer, 502 answer_too_large"
        yield Check(name, Where.EXTPROC, "answer", refusal, Failing.CLOSED, "")
    for check in guard_checks(found):
        yield replace(check, refusal=check.refusal.replace(OBJECTION, f"403{OBJECTION[3:]}"))


def envoys_checks(gateway: Gateway, rules: EnvoyRules) -> tuple[Check, ...]:
    """Of a plain route on which Envoy decides, in order."""
    identity, found = gateway.identity, []
    if rules.checks_tokens:
        found += [token_check(issuer) for issuer in identity.issuers]
        refusal = "401 invalid_token" + ", 401 missing_credential" * bool(rules.missing)
        name = "token" if rules.missing else "token, when there is one"
        found.append(Check(name, Where.ENVOY, "headers", refusal, Failing.CLOSED, ""))
    found += [replace(rule_check(rule, "headers"), where=Where.ENVOY) for rule in rules.rules]
    return tuple(found)


def unasked_checks(
    gateway: Gateway, route: Route, rules: EnvoyRules | None = None
) -> tuple[Check, ...]:
    """Of a plain route on which extproc is not asked; `rules`: those that Envoy decides."""
    decided = () if rules is None else envoys_checks(gateway, rules)
    return (*external_checks(gateway, route.external), *decided, *envoys_limits(gateway, route))


def is_for_llm(scope: Scope) -> bool:
    """Whether something may have to be asked about a request of an LLM API."""
    return scope.route is None and scope.mcp is None and scope.a2a is None


def _external(gateway: Gateway) -> Iterator[Check]:
    yield from external_checks(gateway, gateway.llm.external)


def _caller(gateway: Gateway) -> Iterator[Check]:
    yield from credential_checks(gateway, is_required=gateway.identity.is_required)


def _operation(_gateway: Gateway) -> Iterator[Check]:
    yield Check(
        "method and path",
        Where.EXTPROC,
        "headers",
        "404 unknown_url, 405 method_not_allowed",
        Failing.CLOSED,
        "",
    )


def _encoding(_gateway: Gateway) -> Iterator[Check]:
    yield Check(
        "content-encoding",
        Where.EXTPROC,
        "headers",
        "415 unsupported_encoding, 400 invalid_encoding, 413 request_too_large",
        Failing.CLOSED,
        "",
    )


def _document(_gateway: Gateway) -> Iterator[Check]:
    yield Check(
        "one reading of the body",
        Where.EXTPROC,
        "body",
        "400 invalid_json, 400 invalid_value",
        Failing.CLOSED,
        "what can be read in two ways is refused",
    )


def _model(_gateway: Gateway) -> Iterator[Check]:
    yield Check(
        "model, and what its providers offer",
        Where.EXTPROC,
        "body",
        "404 model_not_found, 400 operation_not_offered, 400 unsupported_parameter",
        Failing.CLOSED,
        "",
    )


def _offered(_gateway: Gateway) -> Iterator[Check]:
    refusal = "404 operation_not_offered"
    yield Check("a provider that keeps it", Where.EXTPROC, "headers", refusal, Failing.CLOSED, "")


def _asked_model(_gateway: Gateway) -> Iterator[Check]:
    yield Check(
        "model in the query, and what its providers offer",
        Where.EXTPROC,
        "headers",
        "400 invalid_query, 404 model_not_found, 400 operation_not_offered",
        Failing.CLOSED,
        "",
    )


def _rules(gateway: Gateway) -> Iterator[Check]:
    yield from _llm_rules(gateway, "body")


def _rules_of_headers(gateway: Gateway) -> Iterator[Check]:
    yield from _llm_rules(gateway, "headers")


def _llm_rules(gateway: Gateway, reads: str, phase: Phase = Phase.REQUEST) -> Iterator[Check]:
    for rule in in_order(gateway.rules, phase):
        if is_for_llm(rule.scope):
            yield rule_check(rule, reads)


def _answer_rules(gateway: Gateway) -> Iterator[Check]:
    yield from _llm_rules(gateway, _ANSWER, Phase.RESPONSE)


_ANSWER = "response headers"


def _guards(gateway: Gateway) -> Iterator[Check]:
    yield from guard_checks(gateway.guards)


def _key_models(gateway: Gateway) -> Iterator[Check]:
    if gateway.identity.are_keys_for_models:
        name = "models of the key, where it is for some"
        yield Check(name, Where.EXTPROC, "body", "403 model_not_allowed", Failing.CLOSED, "")


def _key_models_of_headers(gateway: Gateway) -> Iterator[Check]:
    yield from (replace(check, reads="headers") for check in _key_models(gateway))


def _limits(gateway: Gateway) -> Iterator[Check]:
    for each in _llm_limits(gateway):
        yield limit_check(each, reads="body", ledger=gateway.ledger)
    if gateway.identity.has_stored_keys:
        yield limits_of_key(gateway, reads="body")


def _limits_of_headers(gateway: Gateway) -> Iterator[Check]:
    """Nobody knows the tokens."""
    for each in _llm_limits(gateway):
        if each.requests or each.bytes or each.concurrent:
            yield limit_check(each, reads="headers", ledger=gateway.ledger)
    if gateway.identity.has_stored_keys:
        yield limits_of_key(gateway, reads="headers")


def _llm_limits(gateway: Gateway) -> Iterator[Limit]:
    return (each for each in gateway.limits if is_for_llm(each.scope))


def _budgets(gateway: Gateway) -> Iterator[Check]:
    yield from (_budget(budget) for budget in gateway.budgets if is_for_llm(budget.scope))
    if gateway.identity.has_stored_keys:
        yield _BUDGETS_OF_KEY


_BUDGETS_OF_KEY = Check(
    "budgets of the key, where it has some",
    Where.EXTPROC,
    "body",
    "429 budget_exhausted",
    Failing.CLOSED,
    f"{_UNRESERVED}; 403 unpriced_model where a target has no price",
)


def _budgets_of_sessions(gateway: Gateway) -> Iterator[Check]:
    """Asked at the beginning, and again after each response."""
    yield from (replace(check, reads="headers") for check in _budgets(gateway))


def _budget(budget: Budget) -> Check:
    failures = [_UNRESERVED]
    if budget.unit is Unit.NANODOLLARS:
        failures.append("403 unpriced_model where a target has no price")
    whose = scope_words(budget.scope) + (f", by {budget.by}" if budget.by else "")
    if budget.when_low is not None:
        share = written_permille(budget.when_low.below_permille)
        whose += f", below {share} left: {budget.when_low.route_to}"
    name = (
        f"budget {budget.name} (each {budget.span}{whose})"
        if budget.span.period is not Period.TOTAL
        else f"budget {budget.name} (once and for all{whose})"
    )
    if budget.is_soft:
        return Check(f"{name}, soft", Where.EXTPROC, "body", "", Failing.OPEN, "counted alone")
    return Check(
        name,
        Where.EXTPROC,
        "body",
        "429 budget_exhausted",
        Failing.CLOSED,
        "; ".join(failures),
    )


LLM_STEPS: tuple[Callable[[Gateway], Iterator[Check]], ...] = (
    _external,
    _caller,  # before everything else: who nobody knows learns nothing
    _operation,
    _encoding,
    _document,
    _model,
    _key_models,
    _rules,
    _guards,
    _limits,
    _budgets,  # last of the request: what is refused costs nothing
    _answer_rules,
)

PASSED_STEPS: tuple[Callable[[Gateway], Iterator[Check]], ...] = (
    _external,
    _caller,
    _operation,
    _offered,
    _key_models_of_headers,
    _rules_of_headers,
    _limits_of_headers,
)

WEBSOCKET_STEPS: tuple[Callable[[Gateway], Iterator[Check]], ...] = (
    _external,
    _caller,
    _operation,
    _asked_model,
    _key_models_of_headers,
    _rules_of_headers,
    _limits_of_headers,
    _budgets_of_sessions,  # last of the request: what is refused costs nothing
    _answer_rules,
)
