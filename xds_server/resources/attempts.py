"""What runs once for each try at an LLM provider, as upstream filters of its cluster, or of the
cluster of a whole plan.

Envoy restores the body between tries, but not the headers: what the first provider's filters set
reaches the second provider's. So every chain begins by wiping, and sets what it needs absolutely.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway import names
from gateway.model import Provider, Service, dialect_of
from xds_server.resources.credentials import credential_filter, token_filter
from xds_server.resources.ext_proc import attempt_filter, mirror_filter
from xds_server.resources.extension import Json, extension
from xds_server.resources.judge import Judge, judge
from xds_server.resources.lua import lua, lua_text
from xds_server.resources.matching import only_at, only_in, unless_translated, unless_well
from xds_server.resources.topology import Topology
from xds_server.resources.try_headers import NOTHING_SHARED, Shared, choose_betas, keep, send
from xds_server.resources.usage import usage_filter

_WIPED = (
    # credentials, the client's or an earlier try's
    *names.CREDENTIAL_HEADERS,
    "proxy-authorization",
    "cookie",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-security-token",
    # whose account pays, and how a server may be told to read a request
    "openai-organization",
    "openai-project",
    "sec-websocket-protocol",
    "x-goog-user-project",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    # what Envoy and other proxies add
    "forwarded",
    "via",
    "cf-connecting-ip",
    "true-client-ip",
    "x-client-ip",
    "x-forwarded-client-cert",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-real-ip",
    "x-request-id",
)
_OWN_AND_ENVOYS: tuple[Json, ...] = tuple(
    {"remove_on_match": {"key_matcher": {"prefix": prefix}}}
    for prefix in ("x-envoy-", names.OWN_HEADER_PREFIX)
)
_CODEC: Json = extension(
    "envoy.filters.http.upstream_codec",
    "envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec",
)

_SET_PATH = """\
function envoy_on_request(handle)
  local metadata = handle:streamInfo():dynamicMetadata()
  local request = metadata:get({namespace}) or {{}}
  local path = (request["paths"] or {{}})[{cluster}] or request["path"]
  if path == nil then
    handle:respond({{[":status"] = "503"}}, "no plan")
    return
  end
  local headers = handle:headers()
  headers:replace(":path", path)
  if request["last"] == nil then
    return
  end
  local length = (metadata:get({tries}) or {{}})["length"]
  if length == nil then
    metadata:set({tries}, "length", headers:get("content-length") or "")
  elseif length == "" then
    headers:remove("content-length")
  else
    headers:replace("content-length", length)
  end
end
"""
"""The length of the body is put back, too: an earlier try may have been told another."""


_SET_MIRRORS_PATH = """\
function envoy_on_request(handle)
  local headers = handle:headers()
  local path = headers:get({header})
  if path == nil then
    handle:respond({{[":status"] = "503"}}, "no plan")
    return
  end
  headers:replace(":path", path)
  headers:replace(":authority", {authority})
end
"""
"""Envoy rewrites the authority of no copy."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """The kind of try that a cluster of a provider serves."""

    cluster: str
    is_rewritten: bool
    """The body may have to be said otherwise than it is forwarded."""
    sets_path: bool
    """The path may be another than the client asked for."""
    reports_usage: bool
    """A budget waits for what the answer says of its usage."""
    buffer_limit_bytes: int
    """The largest request body."""
    shared: Shared = NOTHING_SHARED
    judge: Judge | None = None
    """What its failures are looked at for; None: they are not."""
    is_copy: bool = False
    """Of a request that another provider answers."""


@dataclass(frozen=True, slots=True)
class PlanOfTries:
    """The tries that the cluster of a plan serves, one after the other."""

    providers: tuple[Provider, ...]
    """Of each try, in order."""
    rewritten: frozenset[int]
    """The places, counted from 1, whose body may have to be said otherwise."""
    buffer_limit_bytes: int
    shared: Shared = NOTHING_SHARED
    judge: Judge | None = None

    @property
    def cluster(self) -> str:
        return names.plan_cluster([provider.name for provider in self.providers])


def upstream_filters(provider: Provider, attempt: Attempt, topology: Topology) -> list[Json]:
    """The chain of a provider's cluster."""
    filters = MIRROR_FILTERS if attempt.is_copy else UPSTREAM_FILTERS
    made = (build(provider, attempt, topology) for build in filters)
    return [each for each in made if each is not None]


def plan_filters(plan: PlanOfTries, topology: Topology) -> list[Json]:
    """The chain of a plan's cluster: each provider's own filters run at its own endpoints only."""
    providers = tuple({each.name: each for each in plan.providers}.values())
    forwarded = frozenset[str]().union(*(each.forward_headers for each in providers))
    places = [
        (place, names.attempt_cluster(each.name, place))
        for place, each in enumerate(plan.providers, 1)
    ]
    wiped = _wiped(plan.shared)
    rest = [(each, _remove(wiped, forwarded - each.forward_headers)) for each in providers]
    kept = keep(plan.shared)
    sent = (
        (each.name, make(each, plan.shared)) for each in providers for make in (choose_betas, send)
    )
    shown = (
        (each.name, make(each)) for each in providers for make in (credential_filter, token_filter)
    )
    return [
        *([kept] if kept is not None else []),
        # before everything: an earlier try's key must not be seen
        _mutation([*_remove(wiped, frozenset(wiped) - forwarded), *_OWN_AND_ENVOYS]),
        *(only_at(each.name, _mutation(removals)) for each, removals in rest if removals),
        *(only_at(name, each) for name, each in sent if each is not None),
        *(only_in(place, _path(cluster)) for place, cluster in places),
        *(
            only_in(place, attempt_filter(cluster, topology))
            for place, cluster in places
            if place in plan.rewritten
        ),
        # after the wipe, and after all that reads headers or changes the body
        *(only_at(name, each) for name, each in shown if each is not None),
        *_judges(plan, places),
        _CODEC,  # terminal: always last
    ]


def webhook_filters() -> list[Json]:
    """The chain of the clusters of webhooks: where they are is for Envoy alone."""
    return [_mutation([{"remove": "x-forwarded-proto"}, *_OWN_AND_ENVOYS]), _CODEC]


def service_filters(service: Service) -> list[Json]:
    """The chain of the cluster of a service that extproc asks."""
    made = (credential_filter(service), token_filter(service))
    return [
        _mutation([{"remove": "x-forwarded-proto"}, *_OWN_AND_ENVOYS]),
        *(each for each in made if each is not None),
        _CODEC,  # terminal: always last
    ]


def _judges(plan: PlanOfTries, places: list[tuple[int, str]]) -> list[Json]:
    if plan.judge is None:
        return []
    return [
        only_in(place, judge(cluster, plan.providers[place - 1], plan.judge))
        for place, cluster in places
    ]


def _keep(_provider: Provider, attempt: Attempt, _topology: Topology) -> Json | None:
    return keep(attempt.shared)


def _wipe(provider: Provider, attempt: Attempt, _topology: Topology) -> Json:
    wiped = _wiped(attempt.shared)
    rest = frozenset(wiped) - provider.forward_headers
    return _mutation([*_remove(wiped, rest), *_OWN_AND_ENVOYS])


def _wiped(found: Shared) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*_WIPED, *found.passed)))


def _betas(provider: Provider, attempt: Attempt, _topology: Topology) -> Json | None:
    return choose_betas(provider, attempt.shared)


def _headers(provider: Provider, attempt: Attempt, _topology: Topology) -> Json | None:
    return send(provider, attempt.shared)


def _remove(order: tuple[str, ...], headers: frozenset[str]) -> list[Json]:
    return [{"remove": header} for header in order if header in headers]


def _mutation(mutations: list[Json]) -> Json:
    return extension(
        names.WIPE_FILTER,
        "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
        mutations={"request_mutations": mutations},
    )


def _address(_provider: Provider, attempt: Attempt, _topology: Topology) -> Json | None:
    return _path(attempt.cluster) if attempt.sets_path else None


def _path(cluster: str) -> Json:
    """The path that the plan has for its try at this cluster, or for all."""
    script = _SET_PATH.format(
        namespace=lua_text(names.REQUEST_NAMESPACE),
        cluster=lua_text(cluster),
        tries=lua_text(names.TRY_NAMESPACE),
    )
    return lua(names.ADDRESS_FILTER, script)


def _rewrite(_provider: Provider, attempt: Attempt, topology: Topology) -> Json | None:
    return attempt_filter(attempt.cluster, topology) if attempt.is_rewritten else None


def _mirrors_address(provider: Provider, _attempt: Attempt, _topology: Topology) -> Json:
    script = _SET_MIRRORS_PATH.format(
        header=lua_text(names.MIRROR_PATH_HEADER), authority=lua_text(provider.upstream.authority)
    )
    return lua(names.ADDRESS_FILTER, script)


def _mirrors_body(_provider: Provider, _attempt: Attempt, topology: Topology) -> Json:
    return mirror_filter(topology)


def _credential(provider: Provider, _attempt: Attempt, _topology: Topology) -> Json | None:
    return credential_filter(provider)


def _token(provider: Provider, _attempt: Attempt, _topology: Topology) -> Json | None:
    return token_filter(provider)


def _usage(provider: Provider, attempt: Attempt, _topology: Topology) -> Json | None:
    dialects = map(dialect_of, (operation for operation, _ in provider.offers))
    preferred = next((each for each in dialects if each is not None), None)
    if preferred is None or not attempt.reports_usage:
        return None
    made = usage_filter(preferred)
    if made is None or not (attempt.sets_path or attempt.is_rewritten):
        return made
    # the trailers that it adds would hide the end of an answer from who translates it
    return unless_translated(attempt.cluster, made)


def _judge(provider: Provider, attempt: Attempt, _topology: Topology) -> Json | None:
    if attempt.judge is None:
        return None
    # a script takes Envoy longer than the rest of a chain, and most answers need none
    made = judge(attempt.cluster, provider, attempt.judge)
    return unless_well(names.RETRY_HEADER, made)


def _codec(_provider: Provider, _attempt: Attempt, _topology: Topology) -> Json:
    return _CODEC


UPSTREAM_FILTERS: tuple[Callable[[Provider, Attempt, Topology], Json | None], ...] = (
    _keep,  # of the client's headers, what the wipe takes and a later try may need
    _wipe,  # before everything else: an earlier try's key must not be seen
    _betas,  # of the client's, before fixed headers, and before who puts them into a body
    _headers,
    _address,
    _rewrite,
    _credential,  # after the wipe, and after all that reads headers or changes the body
    _token,
    _usage,
    _judge,  # before all others that see the answer
    _codec,  # terminal: always last
)

MIRROR_FILTERS: tuple[Callable[[Provider, Attempt, Topology], Json | None], ...] = (
    _betas,
    _mirrors_address,  # of our headers, which the wipe takes
    _mirrors_body,
    _wipe,  # of all that the client and the first provider's plan have put there
    _headers,
    _credential,  # after the wipe, and after all that reads headers or changes the body
    _token,
    _codec,  # terminal: always last
)
"""For copies: they see none of the metadata of their request."""
