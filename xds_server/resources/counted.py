"""What extproc counts or judges of LLM APIs, and so has to be told of their answers."""

from __future__ import annotations

from gateway.guards import Phase
from gateway.model import Gateway, Limit


def llm_limits(gateway: Gateway) -> tuple[Limit, ...]:
    """Those that may apply to requests of an LLM API; all of them in extproc."""
    return tuple(each for each in gateway.limits if each.scope.route is None)


def is_usage_counted(gateway: Gateway) -> bool:
    """Somebody waits for what an answer has cost."""
    return gateway.is_counted or any(each.tokens is not None for each in llm_limits(gateway))


def are_places_counted(gateway: Gateway) -> bool:
    """Somebody waits for the end of an answer."""
    return gateway.identity.has_stored_keys or any(
        each.concurrent is not None for each in llm_limits(gateway)
    )


def are_answers_judged(gateway: Gateway) -> bool:
    """Some rule may be asked about an answer."""
    return any(
        rule.phase is Phase.RESPONSE
        and rule.scope.route is None
        and rule.scope.mcp is None
        and rule.scope.a2a is None
        for rule in gateway.rules
    )
