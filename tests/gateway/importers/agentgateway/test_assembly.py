"""The order of routes, who is let in, and that no import opens what was closed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config import stars
from gateway.identity import Accepts
from gateway.model import Effect, Gateway, Route
from tests.gateway.importers.agentgateway.imports import guarded, ours

HOSTS = ("api.example.com", "www.example.com", "example.org")
PATHS = ("/", "/a", "/a/", "/a/b", "/ab", "/a/b/c", "/x1")
PATTERNS = (
    *("/a/.*", "/a.*", "/a/?b", "/a(/.*)?", "/a/b", "/a/b/?.*", "/(a|ab)/.*", "/a/b|/x1", ".*"),
    *("(?i)/A/B.*", "^/a/b/c$", "/[a-x]1?", "/a/b*/?c?"),
)
QUERY = [{"name": "q", "value": {"exact": "1"}}]
HEADERS = [{"name": "x-h", "value": {"regex": "on|1"}}]
OIDC = {
    "issuer": "https://idp.example",
    "authorizationEndpoint": "https://idp.example/a",
    "tokenEndpoint": "https://idp.example/t",
    "jwks": {"url": "https://idp.example/k"},
    "clientId": "us",
    "clientSecret": "hush",
    "redirectURI": "https://app.example/back",
}
POLICIES: tuple[dict[str, object], ...] = (
    {},
    {"extProc": {"host": "auth:1"}},
    {"apiKey": {"mode": "strict", "keys": [{"key": "one"}]}},
    {"apiKey": {"mode": "strict", "keys": [{"key": "two"}]}},
    {"authorization": {"rules": ["request.method == 'GET'"]}},
    {"oidc": OIDC},
    {"basicAuth": {"htpasswd": "ann:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "mode": "strict"}},
    {"extAuthz": {"host": "authz:1"}},
    {"extAuthz": {"host": "other:1"}, "apiKey": {"mode": "strict", "keys": [{"key": "one"}]}},
    {"directResponse": {"status": 403}},
    {"unheard": {"of": 1}},
    {"urlRewrite": {"path": {"full": "/y"}}},
)


@dataclass(frozen=True)
class Request:
    host: str
    path: str
    method: str
    extra: str = ""
    """What else it has: the parameter `query` or the header `headers` that matches ask for."""


def closeness(hostname: str | None, host: str) -> tuple[int, int] | None:
    """How close a hostname of theirs is to a host; None: it is another's."""
    if hostname is None:
        return (0, 0)
    if hostname == host:
        return (2, 0)
    if hostname.startswith("*.") and host.endswith(hostname[1:]):
        return (1, len(hostname))
    return None


def takes(match: dict[str, dict[str, str]], request: Request) -> tuple[int, ...] | None:
    """How precise a match of theirs is for a request; None: it does not match."""
    path = match.get("path", {"pathPrefix": "/"})
    method = match.get("method")
    if method is not None and method != request.method:
        return None
    if any(part in match and part != request.extra for part in ("headers", "query")):
        return None
    counts = (method is not None, "headers" in match, "query" in match)
    if "exact" in path:
        return (3, len(path["exact"]), *counts) if path["exact"] == request.path else None
    if "regex" in path:
        is_whole = re.fullmatch(path["regex"], request.path) is not None
        return (2, len(path["regex"]), *counts) if is_whole else None
    prefix = path["pathPrefix"]
    bare = prefix.rstrip("/")
    rest = request.path.rstrip("/").removeprefix(bare)
    is_below = request.path.rstrip("/").startswith(bare) and (not rest or rest.startswith("/"))
    return (2, len(prefix), *counts) if is_below else None


def theirs(routes: list[dict[str, object]], request: Request) -> list[dict[str, object]]:
    """The route that AgentGateway chooses; several that are equally close."""
    ranked = [
        ((close, precise), route)
        for route in routes
        for hostname in route.get("hostnames") or [None]
        for match in route.get("matches") or [{}]
        if (close := closeness(hostname, request.host)) is not None
        and (precise := takes(match, request)) is not None
    ]
    best = max((rank for rank, _ in ranked), default=None)
    found = {route["name"]: route for rank, route in ranked if rank == best}
    return list(found.values())


def chosen(gateway: Gateway, request: Request) -> Route | None:
    """The route that our Envoy chooses: the first that matches."""
    for route in gateway.routes:
        match = route.match
        is_host = not match.hostnames or any(
            each == request.host or (each[0] == "*" and request.host.endswith(each[1:]))
            for each in match.hostnames
        )
        prefix = (match.prefix or "/").rstrip("/")
        is_path = (
            request.path == match.exact
            if match.exact is not None
            else request.path == prefix or request.path.startswith(f"{prefix}/")
        )
        if is_host and is_path and (not match.methods or request.method in match.methods):
            return route
    return None


def may_enter(gateway: Gateway, route: Route | None, key: str | None, method: str) -> bool:
    """Whether a request gets to the backend of a route of ours. Nobody here has logged in,
    or a password, and services refuse everybody."""
    if route is None or route.login or route.external or route.accepts is Accepts.BASIC:
        return False
    if route.is_caller_required and key is None:
        return False
    names = [each.name for each in gateway.identity.api_keys if each.name == key]
    for rule in gateway.rules:
        if rule.scope.route is None or not stars.matches(rule.scope.route, route.name):
            continue
        says = {
            "true": True,
            "request.method == 'GET'": method == "GET",
        }.get(rule.expression)
        if says is None:  # the names of keys that open it
            says = any(f'"{name}"' in rule.expression for name in names)
        if says is (rule.effect is Effect.DENY):
            return False
    return True


def let_in(route: dict[str, object], key: str | None, method: str) -> bool:
    """Whether AgentGateway would send a request on to a backend."""
    policies = route.get("policies") or {}
    assert isinstance(policies, dict)
    if not {"oidc", "extAuthz", "basicAuth"}.isdisjoint(policies):
        return False
    if "apiKey" in policies:
        return bool(policies["apiKey"]["keys"][0]["key"] == key)
    if "authorization" in policies:
        return method == "GET"
    return policies == {}


def exactly_or_below(path: str) -> st.SearchStrategy[dict[str, str]]:
    return st.sampled_from(({"pathPrefix": path}, {"exact": path}))


plain_paths = st.sampled_from(PATHS).flatmap(exactly_or_below)
patterns = st.sampled_from(PATTERNS).map(lambda pattern: {"regex": pattern})
methods = st.sampled_from(("GET", "POST"))
matches = st.fixed_dictionaries({"path": plain_paths}, optional={"method": methods})
strange_matches = st.fixed_dictionaries(
    {"path": plain_paths | patterns},
    optional={
        "method": methods | st.just("BREW"),
        "query": st.just(QUERY),
        "headers": st.just(HEADERS),
    },
)


def routes_with(matches: st.SearchStrategy[object]) -> st.SearchStrategy[list[dict[str, object]]]:
    hosts = st.sampled_from((*HOSTS, "*.example.com", "*.com"))
    return st.lists(
        st.fixed_dictionaries(
            {"policies": st.sampled_from(POLICIES)},
            optional={
                "hostnames": st.lists(hosts, min_size=1, max_size=2),
                "matches": st.lists(matches, min_size=1, max_size=3),
            },
        ),
        min_size=1,
        max_size=6,
    )


def named(routes: list[dict[str, object]]) -> list[dict[str, object]]:
    """With a name and a backend for each."""
    return [
        {**route, "name": f"r{index}", "backends": [{"host": f"b{index}:80"}]}
        for index, route in enumerate(routes)
    ]


def requests(extras: tuple[str, ...] = ("",)) -> list[Request]:
    return [
        Request(host, path, method, extra)
        for host in HOSTS
        for path in PATHS
        for method in ("GET", "POST")
        for extra in extras
    ]


def doors(gateway: Gateway) -> list[tuple[str | None, str | None]]:
    """Keys that a client may have, and their names in ours."""
    names = {key.digest: key.name for key in gateway.identity.api_keys}
    secrets = ("one", "two")
    return [
        (None, None),
        *((each, names.get(sha256(each.encode()).hexdigest())) for each in secrets),
    ]


def one_listener(routes: list[dict[str, object]]) -> str:
    return yaml.safe_dump({"binds": [{"port": 80, "listeners": [{"routes": routes}]}]})


@given(routes_with(matches))
@settings(max_examples=150, deadline=None)
def test_who_comes_in_there_comes_in_here_and_nobody_else(written: list[dict[str, object]]) -> None:
    routes = named(written)
    gateway = ours(one_listener(routes))
    for request in requests():
        there, here = theirs(routes, request), chosen(gateway, request)
        for secret, key in doors(gateway):
            expected = [let_in(route, secret, request.method) for route in there]
            entered = may_enter(gateway, here, key, request.method)
            assert not entered or (expected and all(expected)), (request, secret, there)
            assert entered or expected != [True], (request, secret, there, here)
        if here is not None and [route["policies"] for route in there] == [{}]:
            (backend,) = here.backends
            assert backend.upstream.endpoints[0].host == f"b{str(there[0]['name'])[1:]}"


@given(routes_with(matches | strange_matches))
@settings(max_examples=300, deadline=None)
def test_no_request_gets_in_that_was_kept_out_whatever_matches_ask(
    written: list[dict[str, object]],
) -> None:
    routes = named(written)
    gateway = ours(one_listener(routes))
    for request in requests(("", "query", "headers")):
        there, here = theirs(routes, request), chosen(gateway, request)
        for secret, key in doors(gateway):
            expected = [let_in(route, secret, request.method) for route in there]
            entered = may_enter(gateway, here, key, request.method)
            assert not entered or (expected and all(expected)), (request, secret, there)


LISTENERS = (None, *HOSTS, "*.example.com", "*.com")
several_listeners = st.lists(
    st.tuples(
        st.sampled_from(LISTENERS),
        st.sampled_from(("HTTP", "HTTP", "TLS")),
        routes_with(matches | strange_matches),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda listener: listener[0],
)


@given(several_listeners)
@settings(max_examples=200, deadline=None)
def test_no_request_gets_in_through_another_listener(
    written: list[tuple[str | None, str, list[dict[str, object]]]],
) -> None:
    listeners = [
        {
            "protocol": protocol,
            "routes": named(routes),
            **({} if hostname is None else {"hostname": hostname}),
        }
        for hostname, protocol, routes in written
    ]
    gateway = ours(yaml.safe_dump({"binds": [{"port": 80, "listeners": listeners}]}))
    for request in requests(("", "query", "headers")):
        ranked = [
            (close, index)
            for index, (hostname, _, _) in enumerate(written)
            if (close := closeness(hostname, request.host)) is not None
        ]
        there: list[dict[str, object]] = []
        if ranked and written[max(ranked)[1]][1] == "HTTP":
            there = theirs(listeners[max(ranked)[1]]["routes"], request)
        here = chosen(gateway, request)
        for secret, key in doors(gateway):
            expected = [let_in(route, secret, request.method) for route in there]
            entered = may_enter(gateway, here, key, request.method)
            assert not entered or (expected and all(expected)), (request, secret, there)


@given(routes_with(matches | strange_matches), routes_with(matches), st.sets(st.integers(0, 5)))
@settings(max_examples=200, deadline=None)
def test_no_request_gets_in_that_a_group_kept_out(
    written: list[dict[str, object]], in_group: list[dict[str, object]], leading: set[int]
) -> None:
    routes, group = named(written), named(in_group)
    for index in leading & {*range(len(routes))}:
        routes[index] |= {"policies": {}, "backends": [{"routeGroup": "g"}]}
    document = {
        "binds": [{"port": 80, "listeners": [{"routes": routes}]}],
        "routeGroups": [{"name": "g", "routes": group}],
    }
    gateway = ours(yaml.safe_dump(document))
    for request in requests(("", "query", "headers")):
        there: list[list[dict[str, object]]] = [
            theirs(group, request) if int(str(route["name"])[1:]) in leading else [route]
            for route in theirs(routes, request)
        ]
        here = chosen(gateway, request)
        for secret, key in doors(gateway):
            expected = [
                bool(each) and all(let_in(route, secret, request.method) for route in each)
                for each in there
            ]
            entered = may_enter(gateway, here, key, request.method)
            assert not entered or (expected and all(expected)), (request, secret, there)


def test_a_locked_pattern_is_closed_before_an_open_route() -> None:
    text = """
    binds:
    - port: 3000
      listeners:
      - routes:
        - name: adm
          matches: [{path: {regex: "/adm/.*"}}]
          policies: {apiKey: {mode: strict, keys: [{key: k1}]}}
          backends: [{host: "10.0.0.2:80"}]
        - name: open
          backends: [{host: "10.0.0.2:80"}]
    """
    gateway = ours(text)
    assert [route.name for route in gateway.routes] == ["adm", "open"]
    for path in ("/adm/x", "/adm"):
        assert not may_enter(gateway, chosen(gateway, Request("a.com", path, "GET")), "k1", "GET")
    assert may_enter(gateway, chosen(gateway, Request("a.com", "/admin", "GET")), None, "GET")
    assert "binds.0.listeners.0.routes.0" in guarded(text)
