"""The routes of the LLM APIs: Envoy goes through the plan that extproc wrote, try by try."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from gateway import names
from gateway.apis import ROWS, Family, uploads
from gateway.choice import is_timed
from gateway.failover import Cause
from gateway.guards import holds_answers, reads_answers
from gateway.model import BodyForm, Dialect, Gateway, Listener, Provider, dialect_of
from gateway.operations import Operation
from xds_server.resources import ext_authz, ext_proc, refusing, told, usage
from xds_server.resources.counted import (
    are_answers_judged,
    are_places_counted,
    is_usage_counted,
    llm_limits,
)
from xds_server.resources.extension import Json, duration
from xds_server.resources.features import Features
from xds_server.resources.judge import JUDGED
from xds_server.resources.mirrors import mirrored, with_copies
from xds_server.resources.plans import PLANNED

NAME = "dragoman/llm"
"""No plain route can have this name, or one that it begins, since theirs have no slash."""
ANTHROPIC_NAME = f"{NAME}/anthropic"
GEMINI_NAME = f"{NAME}/gemini"
BEDROCK_NAME = f"{NAME}/bedrock"
"""What the names of routes begin with whose clients expect errors in these dialects; on the others,
in OpenAI's."""
_RESPONSES_NAME = f"{NAME}/responses"
BATCHES = "/batches"
"""What the names of those end with where batches are."""
_OPENAIS_FILES = (f"{NAME}/files", f"{NAME}/uploads")
FILES = (*_OPENAIS_FILES, f"{ANTHROPIC_NAME}/files", f"{GEMINI_NAME}/files")
"""Those where files are."""
GEMINI_UPLOADS = f"{GEMINI_NAME}/uploads"
_DIALECTS = (
    (ANTHROPIC_NAME, Dialect.ANTHROPIC),
    (GEMINI_NAME, Dialect.GEMINI),
    (BEDROCK_NAME, Dialect.BEDROCK),
    (_RESPONSES_NAME, Dialect.OPENAI_RESPONSES),
    (NAME, Dialect.OPENAI_CHAT),
)

_ASKED_AGAIN = [408, 409, 424]
"""Client errors that are the provider's fault, and after which vendors' libraries ask again: it
took too long, it was busy with the like, its model failed (Bedrock)."""
_SERVER_ERRORS = [500, 502, 503, 504, 520, 521, 522, 523, 524, 529, 530]
"""5xx without the silence and the broken connections that Envoy counts among them."""
_PROVIDERS_OWN = ("set-cookie", "openai-organization", "openai-project")
"""What a provider says to its customer, which is the gateway's operator."""
_SLACK_SECONDS = 30.0

_STEERED: Json = {"cluster_header": names.PLAN_HEADER}
"""The cluster is the plan, and goes through it itself. Without the header: 503."""


def llm_routes(gateway: Gateway, listener: Listener, features: Features) -> tuple[Json, ...]:
    """One for each way in which clients are spoken to, the closest first; all go to the plan, or
    are answered with 503 when extproc wrote none."""
    surface = _Surface(gateway, listener, features)
    prefixes = dict(gateway.llm.prefixes)
    copied = mirrored(gateway.models)
    made: list[Json] = []
    named: Counter[str] = Counter()
    for build in _ROUTES:
        for route in build(surface, prefixes):
            named[route["name"]] += 1
            if (number := named[route["name"]]) > 1:  # of another prefix
                route["name"] += f"#{number}"
            is_read = ext_proc.reads_body(route["typed_per_filter_config"][names.EXT_PROC_FILTER])
            made += with_copies(route, copied) if is_read else [route]
    return tuple(made)


@dataclass(frozen=True, slots=True)
class _Surface:
    """What all routes share."""

    gateway: Gateway
    listener: Listener
    features: Features

    def route(self, name: str, match: Json, dialect: Dialect) -> Json:
        """Bodies are read, and answers too, where something waits for them."""
        gateway, features = self.gateway, self.features
        settles = is_usage_counted(gateway)
        counted = usage.on_route(dialect) if settles and features.reads_usage else {}
        per_filter: Json = {
            names.EXT_PROC_FILTER: ext_proc.whole_bodies(
                self.listener.max_request_bytes,
                features,
                settles=counted != {} or are_places_counted(gateway),
                is_answered=settles
                or are_places_counted(gateway)
                or is_watched(gateway)
                or are_answers_judged(gateway)
                or any(map(reads_answers, gateway.guards))
                or any(map(holds_answers, gateway.guards))
                or any(is_timed(model.choice) for model in gateway.models)
                or _is_foreign_somewhere(gateway, dialect),
            )
        }
        return self._route(name, match, per_filter | counted)

    def unread(self, name: str, match: Json) -> Json:
        """Bodies of any size pass by."""
        is_placed = are_places_counted(self.gateway)
        config = ext_proc.headers_of_llm(
            self.features, is_answered=are_answers_judged(self.gateway), holds_places=is_placed
        )
        return self._route(name, match, {names.EXT_PROC_FILTER: config})

    def uploads(self, name: str, match: Json) -> Json:
        """The same; answers say where an upload goes on, which is told anew."""
        config = ext_proc.headers_of_llm(
            self.features, is_answered=True, holds_places=are_places_counted(self.gateway)
        )
        return self._route(name, match, {names.EXT_PROC_FILTER: config})

    def batches(self, name: str, match: Json) -> Json:
        """The same; where something is counted, answers tell what batches cost."""
        is_answered = self.gateway.is_counted or are_answers_judged(self.gateway)
        is_placed = are_places_counted(self.gateway)
        config = ext_proc.headers_of_llm(
            self.features, is_answered=is_answered, holds_places=is_placed
        )
        return self._route(name, match, {names.EXT_PROC_FILTER: config})

    def message_batches(self, name: str, match: Json) -> Json:
        """The same, of batches whose requests stand in them, which guards read."""
        if not any(each.terms.reads_requests for each in self.gateway.guards):
            return self.batches(name, match)
        config = ext_proc.bodies_of_batches(
            self.listener.max_request_bytes,
            self.features,
            is_answered=self.gateway.is_counted or are_answers_judged(self.gateway),
            holds_places=are_places_counted(self.gateway),
        )
        return self._route(name, match, {names.EXT_PROC_FILTER: config})

    def _route(self, name: str, match: Json, per_filter: Json) -> Json:
        gateway, features = self.gateway, self.features
        if external := gateway.llm.external:
            asked = {
                names.external_filter(external): ext_authz.asked(NAME),
                names.RULES_FILTER: ext_authz.only_if_asked(external),
            }
            per_filter = per_filter | asked
        silence = longest_silence(gateway)
        is_told = gateway.identity.has_stored_keys or told.is_told(llm_limits(gateway))
        added = told.added(gateway.limit_headers) if is_told else []
        added += told.LOW if gateway.is_lowering else []
        return {
            "name": name,
            "match": match,
            **refusing.metadata({}, refusing.refusing(external=gateway.llm.external)),
            "typed_per_filter_config": per_filter,
            "response_headers_to_remove": [
                *_PROVIDERS_OWN,
                names.RETRY_HEADER,
                *(told.removed(gateway.limit_headers) if is_told else ()),
                *((names.LOW_BUDGET_HEADER,) if gateway.is_lowering else ()),
            ],
            **({"response_headers_to_add": added} if added else {}),
            "route": {
                **(PLANNED if features.reads_plans else _STEERED),
                "auto_host_rewrite": True,  # to the endpoint's hostname, at each try
                "timeout": "0s",  # answers stream for as long as they like
                "idle_timeout": duration(silence * _longest_plan(gateway) + _SLACK_SECONDS),
                "retry_policy": {
                    **_retried(gateway.llm.failover.causes),
                    "num_retries": 0,  # extproc raises it to what the plan has
                    **({"refresh_cluster_on_retry": True} if features.reads_plans else {}),
                    "per_try_idle_timeout": duration(silence),
                    "retry_back_off": {"base_interval": "0.010s", "max_interval": "0.050s"},
                },
            },
        }


_Prefixes: TypeAlias = Mapping[Family, Sequence[str]]


def _anthropic(surface: _Surface, prefixes: _Prefixes) -> Iterator[Json]:
    for prefix in prefixes.get(Family.ANTHROPIC, ()):
        if surface.gateway.llm.stored_at:
            below = {"path_separated_prefix": f"{prefix}/messages/batches"}
            yield surface.message_batches(f"{ANTHROPIC_NAME}{BATCHES}", below)
            if prefix not in prefixes.get(Family.OPENAI, ()):  # whose files are at the same path
                below = {"path_separated_prefix": f"{prefix}/files"}
                yield surface.unread(f"{ANTHROPIC_NAME}/files", below)
        match = {"path_separated_prefix": f"{prefix}/messages"}
        if _is_apart(prefix, Family.ANTHROPIC, prefixes):
            match = {"prefix": f"{prefix}/"}
        yield surface.route(ANTHROPIC_NAME, match, Dialect.ANTHROPIC)


def _is_apart(prefix: str, family: Family, prefixes: _Prefixes) -> bool:
    """Whether everything below a prefix is this family's: lists of models, and what nobody has."""
    others = [each for other in prefixes if other is not family for each in prefixes[other]]
    return bool(prefix) and not any(f"{each}/".startswith(f"{prefix}/") for each in others)


def _vertex(surface: _Surface, prefixes: _Prefixes) -> Iterator[Json]:
    for prefix in prefixes.get(Family.VERTEX, ()):
        start = f"{re.escape(prefix)}/(.+/)?publishers/mistralai/models/"
        match = _regex(f"{start}.+:(rawPredict|streamRawPredict)")
        yield surface.route(f"{NAME}/mistral", match, Dialect.OPENAI_CHAT)
        match = _regex(f"{re.escape(prefix)}/(.+/)?models/.+:(rawPredict|streamRawPredict)")
        yield surface.route(ANTHROPIC_NAME, match, Dialect.ANTHROPIC)


def _gemini(surface: _Surface, prefixes: _Prefixes) -> Iterator[Json]:
    shared = {each for family in _AT_PREFIXES for each in prefixes.get(family, ())}
    for prefix in prefixes.get(Family.GEMINI, ()):
        if is_uploaded_to(surface.gateway):
            below = {"path_separated_prefix": f"{uploads(prefix)}/files"}
            yield surface.uploads(GEMINI_UPLOADS, below)
            if prefix not in prefixes.get(Family.OPENAI, ()):  # whose files are at the same path
                below = {"path_separated_prefix": f"{prefix}/files"}
                yield surface.unread(f"{GEMINI_NAME}/files", below)
        if _is_kept(Operation.GEMINI_CACHES, surface.gateway):
            made = {"path": f"{prefix}/cachedContents"}
            yield surface.route(GEMINI_NAME, made, Dialect.GEMINI)
            below = {"path_separated_prefix": f"{prefix}/cachedContents"}
            yield surface.unread(f"{GEMINI_NAME}/files/caches", below)
        match: Json = {"prefix": f"{prefix}/"}
        if prefix in shared or not prefix:
            match = _regex(f"{re.escape(prefix)}/(.+/)?models/.+:[A-Za-z]+")
        yield surface.route(GEMINI_NAME, match, Dialect.GEMINI)


def _bedrock(surface: _Surface, prefixes: _Prefixes) -> Iterator[Json]:
    for prefix in prefixes.get(Family.BEDROCK, ()):
        match = _regex(
            f"{re.escape(prefix)}/model/.+/(converse(-stream)?|invoke(-with-response-stream)?)"
        )
        if _is_apart(prefix, Family.BEDROCK, prefixes):
            match = {"prefix": f"{prefix}/"}
        yield surface.route(BEDROCK_NAME, match, Dialect.BEDROCK)


def _responses(surface: _Surface, prefixes: _Prefixes) -> Iterator[Json]:
    for prefix in prefixes.get(Family.OPENAI, ()):
        match = {"path_separated_prefix": f"{prefix}/responses"}
        yield surface.route(_RESPONSES_NAME, match, Dialect.OPENAI_RESPONSES)


def _files(surface: _Surface, prefixes: _Prefixes) -> Iterator[Json]:
    for prefix in _openais(prefixes) if surface.gateway.llm.stored_at else ():
        for name in _OPENAIS_FILES:
            below = {"path_separated_prefix": prefix + name.removeprefix(NAME)}
            yield surface.unread(name, below)
        below = {"path_separated_prefix": f"{prefix}{BATCHES}"}
        yield surface.batches(f"{NAME}{BATCHES}", below)


def _openais(prefixes: _Prefixes) -> tuple[str, ...]:
    """Where what is OpenAI's stands, with Azure's two places."""
    azures = [f"{each}{above}" for each in prefixes.get(Family.AZURE, ()) for above in ("", "/v1")]
    return tuple(dict.fromkeys((*prefixes.get(Family.OPENAI, ()), *azures)))


def _realtime(surface: _Surface, prefixes: _Prefixes) -> Iterator[Json]:
    for prefix in _openais(prefixes):
        route = surface.unread(f"{NAME}/realtime", {"path": f"{prefix}/realtime"})
        route["route"]["upgrade_configs"] = [{"upgrade_type": "websocket"}]
        yield route


def _others(surface: _Surface, prefixes: _Prefixes) -> Iterator[Json]:
    made: list[Json] = []
    for family in _AT_PREFIXES:
        for prefix in prefixes.get(family, ()):
            for match in _matches(family, prefix):
                if not any(_takes_all(before, match) for before in made):
                    made.append(match)
                    yield surface.route(NAME, match, Dialect.OPENAI_CHAT)


_AT_PREFIXES = (Family.OPENAI, Family.AZURE, Family.COHERE)
_WHOLE = (Family.OPENAI, Family.AZURE)
"""Families that have everything below their prefixes."""

_ROUTES: tuple[Callable[[_Surface, _Prefixes], Iterator[Json]], ...] = (
    _anthropic,
    _vertex,  # among Gemini's paths
    _gemini,  # among OpenAI's paths, too
    _bedrock,
    _responses,
    _files,
    _realtime,
    _others,  # last: whatever is below the prefixes
)


def _matches(family: Family, prefix: str) -> Iterator[Json]:
    if prefix and family in _WHOLE:
        yield {"prefix": f"{prefix}/"}
        return
    for row in ROWS:
        if row.family is family:
            path = row.at(prefix)
            before, name, after = path.partition("{model}")
            if name:
                yield _regex(f"{re.escape(before)}.+{re.escape(after)}")
            elif path.endswith("/*"):
                yield {"path_separated_prefix": path[:-2]}
            else:
                yield {"path": path}


def _takes_all(before: Json, match: Json) -> bool:
    """Whether nothing is left for a match that comes later."""
    path = match.get("prefix") or match.get("path") or match.get("path_separated_prefix") or ""
    return before == match or ("prefix" in before and path.startswith(before["prefix"]))


def _regex(pattern: str) -> Json:
    """Of the whole path."""
    return {"safe_regex": {"regex": pattern}}


def _retried(causes: frozenset[Cause]) -> Json:
    """After what Envoy goes on to the next try, if there is one."""
    retry_on, statuses = [], list[int]()
    if Cause.SERVER_ERROR in causes:
        statuses += _ASKED_AGAIN
        if Cause.TIMEOUT in causes:
            retry_on.append("5xx")
        else:
            statuses += _SERVER_ERRORS
    if Cause.RATE_LIMIT in causes:
        statuses.append(429)
    if Cause.CONNECT in causes:
        retry_on += ["connect-failure", "refused-stream"]
    if Cause.TIMEOUT in causes:
        retry_on.append("reset")
    if statuses:
        retry_on.append("retriable-status-codes")
    found: Json = {"retriable_status_codes": sorted(statuses)} if statuses else {}
    if causes & JUDGED:
        retry_on.append("retriable-headers")
        found["retriable_headers"] = [{"name": names.RETRY_HEADER, "present_match": True}]
    return {"retry_on": ",".join(retry_on), **found}


def is_watched(gateway: Gateway) -> bool:
    """Whether extproc has to know who failed."""
    if not gateway.llm.failover.health.failures:
        return False
    return any(sum(map(len, model.tiers)) > 1 for model in gateway.models)


def _is_foreign_somewhere(gateway: Gateway, dialect: Dialect) -> bool:
    """Whether a client of this dialect may be answered in another."""
    return any(not speaks(provider, dialect) for provider in gateway.providers)


def speaks(provider: Provider, dialect: Dialect) -> bool:
    """Whether all that a provider answers to clients of this dialect is in their own words."""
    is_offered = dialect in {dialect_of(operation) for operation, _ in provider.offers}
    return is_offered and (dialect is not Dialect.ANTHROPIC or provider.body_form is BodyForm.PLAIN)


def is_uploaded_to(gateway: Gateway) -> bool:
    """Whether Gemini's files may be kept by a provider."""
    return _is_kept(Operation.GEMINI_UPLOADS, gateway)


def _is_kept(operation: Operation, gateway: Gateway) -> bool:
    """Whether some provider that is named for it offers it."""
    return any(
        each.name in gateway.llm.stored_at and each.path_of(operation) is not None
        for each in gateway.providers
    )


def client_dialect(route: str) -> Dialect:
    """What the clients speak whose conversations come to a route of this name."""
    return next(dialect for name, dialect in _DIALECTS if route.startswith(name))


def is_of_batches(route: str) -> bool:
    """Whether a route of this name is one of batches, whose answers are no conversations."""
    return route.partition("#")[0].endswith(BATCHES)


def is_llm(route: str) -> bool:
    """Whether a route of this name is one of these."""
    return route.startswith(NAME)


def longest_silence(gateway: Gateway) -> float:
    """How long a try may send nothing. Envoy has one value for all tries of a route.

    The longest of all providers that some model names, since a shorter one would give up a
    provider that was allowed to be silent for longer.
    """
    asked = {target.provider for model in gateway.models for tier in model.tiers for target in tier}
    allowed = [each.silence_seconds for each in gateway.providers if each.name in asked]
    return max(allowed, default=300.0)


def _longest_plan(gateway: Gateway) -> int:
    return max((len(model.tiers) for model in gateway.models), default=1)
