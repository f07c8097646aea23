"""The checks of A2A requests, in the order in which extproc makes them."""

from __future__ import annotations

from collections.abc import Iterator

from gateway import names
from gateway.a2a import A2a
from gateway.guards import reads_answers
from gateway.model import Gateway, Phase, Rule, Scope
from xds_server.caller_checks import credential_checks
from xds_server.check import Check, Failing, Where
from xds_server.guard_checks import guard_checks
from xds_server.limit_checks import limit_check, limits_of_key
from xds_server.resources.features import Features
from xds_server.rule_checks import in_order, rule_check

_UNRESERVED = "503 ledger_unavailable when nothing can be reserved"


def a2a_checks(gateway: Gateway) -> tuple[Check, ...]:
    """Of a request for an agent; all of them in extproc."""
    return (
        *credential_checks(gateway, is_required=gateway.identity.is_required),
        _check("path and method", "headers", "404 unknown_agent, 405 method_not_allowed"),
        _check("one reading of the request", "body", "400, as its binding has it"),
        *_rules(gateway),
        *_choice(gateway),
        *guard_checks(gateway.a2a_guards),
        *_limits(gateway),
        *_budgets(gateway),
        _check("modes of the message, by the agent's card", "body", "CONTENT_TYPE_NOT_SUPPORTED"),
        *_webhooks(gateway),
        *(rule_check(each, "answer") for each in rules_of_answers(gateway)),
    )


def _choice(gateway: Gateway) -> Iterator[Check]:
    """Of agents that stand for several."""
    if gateway.a2a.has_pools:
        name = "whose the task is, or who gets it of those that an agent stands for; its rules"
        yield _check(name, "body", "UNSUPPORTED_OPERATION, 503 agent_unavailable")


def rules_of_answers(gateway: Gateway) -> list[Rule]:
    """Those that may be asked about what agents answer."""
    rules = in_order(gateway.rules, Phase.RESPONSE)
    return [each for each in rules if _is_for_a2a(each.scope)]


def answers_are_read(gateway: Gateway) -> bool:
    """Whether guards, or rules of responses, may read what agents answer."""
    return any(map(reads_answers, gateway.a2a_guards)) or bool(rules_of_answers(gateway))


def a2a_clusters(a2a: A2a) -> tuple[str, ...]:
    """Where requests may go: agents, what is before those of JSON, and webhooks of clients."""
    services = (
        service
        for each in a2a.places
        for service in (names.a2a_service(each.name), names.a2a_grpc_service(each.name))
        if each.grpc_authority or service == names.a2a_service(each.name)
    )
    webhooks = () if a2a.push is None else (names.WEBHOOKS, names.PLAIN_WEBHOOKS)
    return (*map(names.service_cluster, services), names.A2A_BRIDGE_CLUSTER, *webhooks)


def _check(name: str, reads: str, refusal: str) -> Check:
    return Check(name, Where.EXTPROC, reads, refusal, Failing.CLOSED, "")


def _rules(gateway: Gateway) -> Iterator[Check]:
    for rule in in_order(gateway.rules, Phase.REQUEST):
        if _is_for_a2a(rule.scope):
            yield rule_check(rule, "body")


def _limits(gateway: Gateway) -> Iterator[Check]:
    for each in gateway.limits:
        if _is_for_a2a(each.scope) and each.is_workers:
            yield limit_check(each, reads="headers", ledger=gateway.ledger)
    if gateway.identity.has_stored_keys:
        yield limits_of_key(gateway, reads="body")


def _budgets(gateway: Gateway) -> Iterator[Check]:
    """Of agents whose messages have a price."""
    if any(each.price for each in gateway.a2a.places):
        refusal = "429 budget_exhausted"
        name = "budgets of money, for agents that have a price"
        yield Check(name, Where.EXTPROC, "body", refusal, Failing.CLOSED, _UNRESERVED)


def _webhooks(gateway: Gateway) -> Iterator[Check]:
    """Of clients who want to be called back."""
    if gateway.a2a.push is not None:
        yield _check("where the client's webhook is, if it says one", "body", "INVALID_PARAMS")


def _is_for_a2a(scope: Scope) -> bool:
    """Whether something may have to be asked about a request for an agent."""
    others = (scope.route, scope.model, scope.provider, scope.llm, scope.mcp)
    return all(each is None for each in others)


def other_tries(kind: str, gateway: Gateway, features: Features) -> str:
    """Behind the retries of a route of that kind, in words."""
    if kind != "a2a" or not features.reads_plans or not gateway.a2a.has_instances:
        return ""
    return "; what belongs to no instance of an agent: at up to two others"
