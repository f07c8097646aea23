"""Plain routes on which Envoy itself decides who may come in, and why others ask Python."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from gateway import names
from gateway.identity import Accepts, Identity, TokenMode
from gateway.model import Effect, Gateway, Mode, Phase, Route, Rule
from gateway.resolve import is_for_route
from xds_server.resources.envoy_cel import InPython, said_to_envoy
from xds_server.snapshot import LISTENER


@dataclass(frozen=True, slots=True)
class EnvoyRules:
    """What Envoy checks on a route, in this order."""

    route: str
    checks_tokens: bool = False
    """There are issuers: what stands where tokens are, and is none that Envoy takes, is refused."""
    missing: str = ""
    """What is said to who has no token; empty: nobody needs one."""
    rules: tuple[Rule, ...] = ()
    """Those that deny, then those that require, then those that allow."""


@dataclass(frozen=True, slots=True)
class AskPython:
    """Envoy cannot decide alone."""

    reasons: tuple[str, ...]
    """One line each: `rule office reads principal.team`."""


_ORDER = (Effect.DENY, Effect.REQUIRE, Effect.ALLOW)
_NO_TOKEN = {Accepts.ANY: "no credential was given", Accepts.JWT: "no token was given"}


def decided_by_envoy(gateway: Gateway) -> dict[str, EnvoyRules]:
    """By name, the routes on which it decides."""
    return {
        route.name: found
        for route in gateway.routes
        if route.needs_identity and isinstance(found := who_decides(gateway, route), EnvoyRules)
    }


def who_decides(gateway: Gateway, route: Route) -> EnvoyRules | AskPython:
    """Of a plain route on which somebody must be known, or a rule holds."""
    rules = [rule for rule in gateway.rules if is_for_route(rule.scope, route.name)]
    identity = gateway.identity
    reasons = (
        *(["the audit log is written by Python"] if gateway.audit is not None else ()),
        *(["a limit counts its requests"] if route.is_limited else ()),
        *(["guards read its requests"] if route.guarded.requests else ()),
        *(["guards read its answers"] if route.guarded.answers else ()),
        *(["a listener of xds.resources may serve it"] if _is_served(gateway, route) else ()),
        *(["an external service is asked"] if route.external else ()),
        *(["people log in"] if route.login else ()),
        *_of_callers(identity, route),
        *(reason for rule in rules for reason in _of_rule(rule, route.name)),
    )
    is_asked_elsewhere = any(each.is_caller_required for each in gateway.routes)
    if not identity.issuers and is_asked_elsewhere and not reasons:
        reasons = ("a credential that nobody knows is refused",)
    if reasons:
        return AskPython(tuple(dict.fromkeys(reasons)))
    return EnvoyRules(
        route.name,
        bool(identity.issuers),
        _NO_TOKEN[route.accepts] if route.is_caller_required else "",
        tuple(sorted(rules, key=lambda rule: _ORDER.index(rule.effect))),
    )


def _is_served(gateway: Gateway, route: Route) -> bool:
    """Whether a listener that is not ours may have its table, and not our filter."""
    groups = (group.resources for group in gateway.xds.groups)
    written = (each for found in (gateway.xds.resources, *groups) for each in found)
    tables = [names.route_table(listener) for listener in route.listeners]
    return any(
        each.type_url == LISTENER and table in each.json for each in written for table in tables
    )


def _of_callers(identity: Identity, route: Route) -> Iterator[str]:
    """Why Python must see who calls."""
    issuers, accepts = identity.issuers, route.accepts
    known = replace(
        identity,
        api_keys=(),
        has_stored_keys=False,
        issuers=(),
        certificates=(),
        is_required=False,
        logins=(),
    )
    if known != Identity():
        yield "only Python knows all callers"
    has_keys = bool(identity.api_keys) or identity.has_stored_keys
    is_of_keys = accepts not in _NO_TOKEN and accepts is not Accepts.LOGIN
    if is_of_keys or (accepts is Accepts.ANY and has_keys):
        yield "only Python knows the API keys"
    if accepts is Accepts.ANY and identity.certificates:
        yield "only Python knows whose certificates are whose"
    if not issuers and route.is_caller_required:
        yield "a credential is asked for"
    for issuer in issuers:
        if issuer.mode is TokenMode.PERMISSIVE:
            yield f"a token of {issuer.issuer} that is not valid counts as none"
        if issuer.is_forwarded:
            yield f"a token of {issuer.issuer} is forwarded"


def _of_rule(rule: Rule, route: str) -> Iterator[str]:
    """Why Python must decide it."""
    scope = rule.scope
    if rule.phase is Phase.RESPONSE:
        yield f"rule {rule.name} is asked about the response"
        return
    if rule.mode is not Mode.ENFORCE:
        yield f"rule {rule.name} is in {rule.mode}"
    for whose in ("key", "user", "team"):
        if getattr(scope, whose) is not None:
            yield f"rule {rule.name} is for a {whose}"
    said = said_to_envoy(rule.expression, route)
    if isinstance(said, InPython):
        yield f"rule {rule.name} {said.reason}"
