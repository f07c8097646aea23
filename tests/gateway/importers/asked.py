"""What an imported configuration lets in of the LLM APIs, asked as clients ask."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from gateway.apis import DEFAULT_PREFIXES, Found, Paths
from gateway.cel import Expression, compile_expression
from gateway.config import stars
from gateway.importers.opened import PLACES, STORED
from gateway.model import Effect, Gateway
from gateway.operations import Operation


def requests() -> list[tuple[str, str, Operation]]:
    """Method, path and operation, of each at each default prefix."""
    known = Paths(DEFAULT_PREFIXES)
    asked = []
    for place in PLACES:
        for method in place.row.methods:
            below = ("/id_1", "/resp_1/cancel") if place.path.endswith("/*") else ()
            asked += [(method, place.sample + each) for each in ("", *below)]
    found = [(method, path, known.find(method, path)) for method, path in dict.fromkeys(asked)]
    return [(method, path, at.operation) for method, path, at in found if isinstance(at, Found)]


def asked_for(gateway: Gateway, method: str, path: str) -> Operation | None:
    """The operation that is at a path here."""
    found = Paths(gateway.llm.prefixes).find(method, path)
    return found.operation if isinstance(found, Found) else None


def lets_in(gateway: Gateway, method: str, path: str, model: str = "m") -> bool:
    """Whether somebody without a key gets to a provider, as far as rules about paths go."""
    operation = asked_for(gateway, method, path)
    if operation is None or (operation in STORED and not gateway.llm.stored_at):
        return False
    name = "" if operation in STORED else model
    values = {"request.path": path, "request.method": method, "llm.model": name}
    for rule in gateway.rules:
        if rule.scope.llm is None or not stars.matches(rule.scope.llm, name):
            continue
        says = _compiled(rule.expression).evaluate(values)
        if says is not (rule.effect is not Effect.DENY):
            return False
    return True


def let_in(gateway: Gateway, paths: Sequence[tuple[str, str, Operation]]) -> set[str]:
    """Of many."""
    return {path for method, path, _ in paths if lets_in(gateway, method, path)}


@cache
def _compiled(expression: str) -> Expression:
    found = compile_expression(expression)
    assert isinstance(found, Expression), found
    return found
