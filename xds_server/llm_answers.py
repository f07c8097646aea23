"""Who answers on a route of the LLM API, in whose words, and who waits for the answer."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gateway.choice import is_timed
from gateway.guards import holds_answers, reads_answers
from gateway.model import Dialect, Gateway, Phase, Provider, Route, Scope, dialect_of
from gateway.operations import Operation
from gateway.resolve import is_for_route
from gateway.scopes import EVERYTHING
from gateway.serving import turns
from xds_server.resources import usage
from xds_server.resources.counted import are_answers_judged, are_places_counted, llm_limits
from xds_server.resources.features import Features
from xds_server.resources.llm_route import (
    FILES,
    GEMINI_UPLOADS,
    client_dialect,
    is_watched,
    speaks,
)


@dataclass(frozen=True, slots=True)
class LlmAnswers:
    """What decides which answers extproc is shown."""

    dialect: Dialect
    """The clients'."""
    own: tuple[str, ...]
    """The providers who answer in it."""
    reframed: tuple[str, ...]
    """Those of them whose errors are in another's words, or whose streams are in other frames."""
    foreign: tuple[str, ...]
    """The providers whose answers are translated."""
    is_budgeted: bool
    is_usage_read: bool
    """Envoy reads the usage of conversations that are not translated."""
    is_watched: bool
    """Who fails too often is set aside."""
    is_timed: bool
    """Some model goes to who was fast."""
    is_guarded: bool = False
    """Some guard reads answers."""
    is_held: bool = False
    """Some guard is asked about the request meanwhile."""
    is_limited: bool = False
    """Some limit counts tokens."""
    is_placed: bool = False
    """Some limit counts the requests that are open."""
    is_judged: bool = False
    """Some rule is asked about answers."""
    is_always_judged: bool = False
    """It is for all of them."""

    @property
    def is_counted(self) -> bool:
        """Somebody waits for the usage."""
        return self.is_budgeted or self.is_limited


def llm_answers(gateway: Gateway, route: str, features: Features) -> LlmAnswers:
    """Of a route whose bodies are read."""
    dialect = client_dialect(route)
    own, foreign = list[Provider](), list[Provider]()
    for provider in filter(_talks, gateway.providers):
        offered = {dialect_of(operation) for operation, _ in provider.offers}
        (own if dialect in offered else foreign).append(provider)
    return LlmAnswers(
        dialect,
        tuple(each.name for each in own),
        tuple(each.name for each in own if not speaks(each, dialect)),
        tuple(each.name for each in foreign),
        is_budgeted=gateway.is_counted,
        is_limited=gateway.identity.has_stored_keys
        or any(each.tokens is not None for each in llm_limits(gateway)),
        is_placed=are_places_counted(gateway),
        is_usage_read=features.reads_usage and usage.on_route(dialect) != {},
        is_watched=is_watched(gateway),
        is_timed=any(is_timed(model.choice) for model in gateway.models),
        is_guarded=any(map(reads_answers, gateway.guards)),
        is_held=any(map(holds_answers, gateway.guards)),
        is_judged=are_answers_judged(gateway),
        is_always_judged=is_each_judged(gateway),
    )


@dataclass(frozen=True, slots=True)
class PassedAnswers:
    """The same of a route of the LLM API whose requests nobody reads."""

    is_counted: bool
    """What they say is, where it is about a batch, or in a websocket."""
    is_judged: bool
    is_always_judged: bool
    is_uploaded: bool = False
    """They say where an upload goes on."""


def passed_answers(gateway: Gateway, route: str) -> PassedAnswers:
    """Of a route of files, of batches or of websockets."""
    is_uploaded = route.startswith(GEMINI_UPLOADS)
    return PassedAnswers(
        gateway.is_counted and not is_uploaded and not route.startswith(FILES),
        are_answers_judged(gateway),
        is_each_judged(gateway),
        is_uploaded,
    )


def is_each_judged(gateway: Gateway, route: Route | None = None) -> bool:
    """Whether some rule is for each answer of a plain route, or of the LLM APIs."""
    rules = [rule.scope for rule in gateway.rules if rule.phase is Phase.RESPONSE]
    if route is None:
        return not {EVERYTHING, Scope(llm="*")}.isdisjoint(rules)
    return any(
        is_for_route(scope, route.name) and replace(scope, key=None, user=None, team=None) == scope
        for scope in rules
    )


def _talks(provider: Provider) -> bool:
    """Whether it may be asked for something that has to be translated."""
    offered = [operation for operation, _ in provider.offers]
    return bool(turns(offered)) or Operation.INVOKE in offered
