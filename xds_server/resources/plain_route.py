"""Plain HTTP routes: bytes to an upstream, under header policy, and guards where there are some."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from gateway import names
from gateway.identity import Accepts, Login
from gateway.model import Match, Route
from xds_server.resources import (
    asked_limit,
    ext_authz,
    ext_proc,
    jwt,
    local_limit,
    login,
    rbac,
    refusing,
    told,
)
from xds_server.resources.clusters import route_cluster_name
from xds_server.resources.envoy_rules import EnvoyRules
from xds_server.resources.extension import Json, duration

_RETRY_ON = "connect-failure,refused-stream,reset-before-request,gateway-error"
_NOT_FOUND = json.dumps(
    {
        "error": {
            "message": "no route takes this path; the OpenAI API is under /v1/",
            "type": "invalid_request_error",
            "param": None,
            "code": "unknown_url",
        }
    }
)
UNMATCHED = "dragoman/unmatched"
_MOST_FORM_BYTES = 65536
"""Of what an issuer says of somebody who has gone."""
_IDLE_SECONDS = 3600.0
"""Of a stream that has no timeout."""


def plain_route(
    route: Route,
    rules: EnvoyRules | None = None,
    logs_in: Login | None = None,
    limit_bytes: int = 0,
) -> Json:
    """One route of the table; its name is the one that extproc sees. `rules`: Envoy decides;
    `logs_in`: where people log in; `limit_bytes`: of bodies, where guards read them."""
    policy = ext_proc.disabled()
    held, answered = route.holds_places, route.is_answer_judged or route.guarded.answers
    if route.guarded.requests:
        policy = ext_proc.route_bodies(
            route.name, limit_bytes, holds_places=held, is_answered=answered
        )
    elif rules is None and (route.needs_identity or route.is_limited or route.guarded.answers):
        policy = ext_proc.headers_only(route.name, holds_places=held, is_answered=answered)
    per_filter = {names.EXT_PROC_FILTER: policy}
    if route.passes_tokens:
        per_filter[names.TOKENS_FILTER] = jwt.passed()
    if logs_in is not None:
        takes_tokens = route.accepts in (Accepts.ANY, Accepts.JWT)
        per_filter |= login.asked(logs_in, jwt.requirement(logs_in.name, takes_tokens=takes_tokens))
    if route.external:
        per_filter[names.external_filter(route.external)] = ext_authz.asked(route.name)
        per_filter[names.RULES_FILTER] = ext_authz.only_if_asked(route.external)
    if route.envoys_limits:
        per_filter[names.COUNT_FILTER] = local_limit.counted(route.envoys_limits)
        per_filter[names.COUNT_TELLING_FILTER] = local_limit.told()
    for service in dict.fromkeys(each.service for each in route.asked_limits):
        limits = [each for each in route.asked_limits if each.service == service]
        per_filter[names.limit_service_filter(service)] = asked_limit.asked(route.name, limits)
    shown = _metadata(route, rules, "" if logs_in is None else logs_in.name)
    if logs_in is not None and logs_in.is_kept:
        shown["request_headers_to_remove"] = [names.LOGIN_SESSION_HEADER]
    if rules is not None:
        per_filter[names.RULES_FILTER] = rbac.enforced(rules)
        if rules.checks_tokens:
            shown["request_headers_to_remove"] = [names.CLAIMS_HEADER]
    if route.is_told:
        shown["response_headers_to_remove"] = told.removed(route.limit_headers)
    if route.is_told or route.takes_stored_keys:
        shown["response_headers_to_add"] = told.added(route.limit_headers)
    return {
        "name": route.name,
        "match": _match(route.match),
        "route": _action(route),
        **shown,
        "typed_per_filter_config": per_filter,
    }


def login_routes(of: Login) -> Iterator[Json]:
    """Where browsers come back from an authorization server, and where people sign out. Envoy's
    filter answers there, but to those that bring another credential."""
    if of.is_kept:
        yield from _kept_login_routes(of)
        return
    off = {names.EXT_PROC_FILTER: ext_proc.disabled()}
    for end, path in (("callback", of.redirect_path), ("sign-out", of.sign_out_path)):
        yield {
            "name": f"{names.LOGIN_ROUTE_PREFIX}{of.name}/{end}",
            "match": {"path": path},
            "direct_response": {"status": 404},
            **refusing.metadata({}, {names.LOGIN_FAILED: of.name}),
            "typed_per_filter_config": {
                **off,
                **login.asked(of, jwt.requirement(of.name, takes_tokens=False)),
            },
        }


def _kept_login_routes(of: Login) -> Iterator[Json]:
    """Where extproc answers."""
    places = (
        ("callback", of.redirect_path),
        ("sign-out", of.sign_out_path),
        ("back-channel-logout", of.back_channel_path),
    )
    for end, path in places:
        yield {
            "name": f"{names.LOGIN_ROUTE_PREFIX}{of.name}/{end}",
            "match": {"path": path},
            "direct_response": {"status": 404},
            "typed_per_filter_config": {
                names.EXT_PROC_FILTER: ext_proc.login_bodies(_MOST_FORM_BYTES),
                **login.left_alone(),
            },
        }


def _metadata(route: Route, rules: EnvoyRules | None, login: str) -> Json:
    """What Envoy says when it refuses, and who that is."""
    reasons = {} if rules is None else rbac.reasons(rules)
    if route.external:
        reasons[names.NOT_ASKED] = ext_authz.not_asked(route.external)
    by = refusing.refusing(
        external=route.external,
        counted=route.envoys_limits,
        asked=route.asked_limits,
        login=login,
    )
    return refusing.metadata(reasons, by)


def unmatched() -> Json:
    """The end of every table. Without it, a path that nobody serves would be shown to extproc."""
    return {
        "name": UNMATCHED,
        "match": {"prefix": "/"},
        "direct_response": {"status": 404, "body": {"inline_string": _NOT_FOUND}},
        "response_headers_to_add": [
            {"header": {"key": "content-type", "value": "application/json"}}
        ],
        "typed_per_filter_config": {names.EXT_PROC_FILTER: ext_proc.disabled()},
    }


def _match(match: Match) -> Json:
    headers = [
        {"name": name.lower(), "string_match": {"exact": value}} for name, value in match.headers
    ]
    if match.methods:
        headers.append({"name": ":method", "string_match": _one_of(match.methods)})
    return {**_path(match), **({"headers": headers} if headers else {})}


def _path(match: Match) -> Json:
    if match.exact is not None:
        return {"path": match.exact}
    prefix = match.prefix or "/"
    if prefix.endswith("/"):
        return {"prefix": prefix}
    return {"path_separated_prefix": prefix}  # `/api` takes `/api/x`, and not `/apis`


def _one_of(methods: tuple[str, ...]) -> Json:
    if len(methods) == 1:
        return {"exact": methods[0]}
    return {"safe_regex": {"regex": "|".join(re.escape(method) for method in methods)}}


def _action(route: Route) -> Json:
    action: Json = {
        **_clusters(route),
        **_rewrite(route),
        "auto_host_rewrite": True,
        "timeout": duration(route.timeout_seconds),
    }
    if route.timeout_seconds == 0:
        action["idle_timeout"] = duration(_IDLE_SECONDS)
    if route.retries:
        action["retry_policy"] = {"retry_on": _RETRY_ON, "num_retries": route.retries}
    return action


def _clusters(route: Route) -> Json:
    clusters = [route_cluster_name(backend.upstream) for backend in route.backends]
    if len(clusters) == 1:
        return {"cluster": clusters[0]}
    return {
        "weighted_clusters": {
            "clusters": [
                {"name": cluster, "weight": backend.weight}
                for cluster, backend in zip(clusters, route.backends, strict=True)
            ]
        }
    }


def _rewrite(route: Route) -> Json:
    """Whole path segments take the place of whole path segments, with one slash between."""
    replacement = route.replace_prefix
    if replacement is None:
        return {}
    if route.match.exact is not None:
        return {"prefix_rewrite": replacement}
    prefix = route.match.prefix or "/"
    if prefix.endswith("/"):
        return {"prefix_rewrite": replacement.rstrip("/") + "/"}
    if not replacement.endswith("/"):
        return {"prefix_rewrite": replacement}
    return {
        "regex_rewrite": {
            "pattern": {"regex": f"^{re.escape(prefix)}/?"},
            "substitution": replacement.replace("\\", "\\\\"),
        }
    }
