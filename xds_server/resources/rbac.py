"""The RBAC filter: what Envoy decides on a plain route without asking Python, and what it says to
who is refused.

Each check is a row of a matcher list: the first whose condition does not hold refuses, and what
errs does not hold. The policy's name is in `response.code_details`; the route's metadata has the
reason for each, so that the listener, which puts it into the answer, never changes with the rules.

https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/rbac_filter
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gateway import names
from gateway.model import Effect, Rule
from xds_server.resources import expr
from xds_server.resources.envoy_cel import InPython, has_claims, has_header, header, said_to_envoy
from xds_server.resources.envoy_rules import EnvoyRules
from xds_server.resources.extension import Json, extension, typed
from xds_server.resources.matching import holds

FILTER = "envoy.extensions.filters.http.rbac.v3.RBAC"
_PER_ROUTE = "envoy.extensions.filters.http.rbac.v3.RBACPerRoute"
_ACTION = "envoy.config.rbac.v3.Action"

_PASSED = "dragoman/passed"
REASON = f'xds.route_metadata.filter_metadata["{names.RULES_NAMESPACE}"][response.code_details]'
"""CEL over an answer of this filter's: why it was refused."""
IS_REFUSED = f'response.code_details.startsWith("{names.RULES_REFUSED}")'


def details(policy: str) -> str:
    """`response.code_details` of a request that a policy refused."""
    return f"{names.RULES_REFUSED}{policy}]"


def rbac_filter() -> Json:
    """Passed over but on routes that have rules for it."""
    return {**extension(names.RULES_FILTER, FILTER), "disabled": True}


def enforced(rules: EnvoyRules) -> Json:
    """For a route."""
    refused = [_refused(check) for check in _checks(rules)]
    matcher = {"on_no_match": _action(_PASSED, "ALLOW")}
    if refused:
        matcher["matcher_list"] = {"matchers": refused}
    return typed(_PER_ROUTE, rbac={"matcher": matcher, "track_per_rule_stats": True})


def reasons(rules: EnvoyRules) -> dict[str, str]:
    """The route's metadata in `RULES_NAMESPACE`, by `response.code_details`."""
    return {details(check.policy): check.reason for check in _checks(rules)}


@dataclass(frozen=True, slots=True)
class _Check:
    policy: str
    reason: str
    conditions: list[Json]
    """CEL; one of them must hold."""


def _checks(rules: EnvoyRules) -> Iterator[_Check]:
    if rules.checks_tokens:
        yield _Check(names.INVALID_TOKEN_POLICY, "the token is not valid", [_no_other_credential()])
    if rules.missing:
        yield _Check(names.MISSING_CREDENTIAL_POLICY, rules.missing, [has_claims()])
    for rule in rules.rules:
        if rule.effect is not Effect.ALLOW:
            said = _said(rule, rules.route)
            condition = expr.call("!_", said) if rule.effect is Effect.DENY else said
            yield _Check(rule.name, f"denied by '{rule.name}'", [condition])
    allowing = [rule for rule in rules.rules if rule.effect is Effect.ALLOW]
    if allowing:
        yield _Check(
            ",".join(rule.name for rule in allowing),
            "denied by " + ", ".join(f"'{rule.name}'" for rule in allowing),
            [_said(rule, rules.route) for rule in allowing],
        )


def _said(rule: Rule, route: str) -> Json:
    said = said_to_envoy(rule.expression, route)
    if isinstance(said, InPython):
        raise ValueError(f"rule {rule.name!r} is Python's: {said.reason}")
    return said


def _no_other_credential() -> Json:
    """A token that was taken is out of the headers. What is there is none, or one too many."""
    bearer = expr.member(header("authorization"), "matches", expr.const("^(?i)bearer "))
    there = expr.call("_&&_", has_header("authorization"), bearer)
    for name in names.CREDENTIAL_HEADERS:
        if name != "authorization":
            there = expr.call("_||_", has_header(name), there)
    return expr.call("!_", there)


def _refused(check: _Check) -> Json:
    predicates = [holds(condition) for condition in check.conditions]
    one = predicates[0] if len(predicates) == 1 else {"or_matcher": {"predicate": predicates}}
    return {"predicate": {"not_matcher": one}, "on_match": _action(check.policy, "DENY")}


def _action(policy: str, action: str) -> Json:
    decision = {**typed(_ACTION), "name": policy, "action": action}
    return {"action": {"name": "decision", "typed_config": decision}}
