"""Whether a rule or a budget is for a request, and for whom it counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from extproc.facts import Facts
from extproc.policies.variables import getters, known_values, sources
from gateway.cel import CelError, compile_text
from gateway.cel_secrets import SECRETS
from gateway.counters import counted_by, hashed
from gateway.model import Scope


@dataclass(frozen=True, slots=True)
class Pattern:
    """A text in which `*` stands for anything."""

    text: str
    pieces: tuple[str, ...]
    """What stands between the `*`s; one piece when there is none."""

    @classmethod
    def of(cls, text: str) -> Pattern:
        return cls(text, tuple(text.split("*")))

    def matches(self, value: str) -> bool:
        if len(self.pieces) == 1:
            return value == self.text
        first, last = self.pieces[0], self.pieces[-1]
        end = len(value) - len(last)
        if not value.startswith(first) or not value.endswith(last) or end < len(first):
            return False
        position = len(first)
        for piece in self.pieces[1:-1]:
            position = value.find(piece, position, end)
            if position < 0:
                return False
            position += len(piece)
        return True


def _key(facts: Facts) -> str | None:
    return (facts.principal.key or None) if facts.principal is not None else None


def _user(facts: Facts) -> str | None:
    return (facts.principal.user or None) if facts.principal is not None else None


def _team(facts: Facts) -> str | None:
    return (facts.principal.team or None) if facts.principal is not None else None


def _model(facts: Facts) -> str | None:
    return facts.model or None


def _llm(facts: Facts) -> str | None:
    if facts.route or facts.mcp is not None or facts.a2a is not None:
        return None
    return facts.model


def _provider(facts: Facts) -> str | None:
    return facts.provider or None


def _route(facts: Facts) -> str | None:
    return facts.route or None


def _mcp(facts: Facts) -> str | None:
    return (facts.mcp.server or None) if facts.mcp is not None else None


def _tool(facts: Facts) -> str | None:
    """Clients may say any name; a long one is known by its hash."""
    return (counted_by(facts.mcp.tool) or None) if facts.mcp is not None else None


def _a2a(facts: Facts) -> str | None:
    return facts.a2a.agent if facts.a2a is not None else None


_DIMENSIONS: tuple[tuple[str, Callable[[Facts], str | None]], ...] = (
    ("key", _key),
    ("user", _user),
    ("team", _team),
    ("model", _model),
    ("provider", _provider),
    ("llm", _llm),
    ("mcp", _mcp),
    ("tool", _tool),
    ("a2a", _a2a),
    ("route", _route),
)


def compile_by(expression: str) -> Callable[[Facts], str]:
    """What CEL counts a request by; empty where there is no such text. ValueError: no such CEL."""
    compiled = compile_text(expression)
    if isinstance(compiled, str):
        raise ValueError(f"{expression}: {compiled}")
    read = sources(compiled.names, getters(compiled.headers))
    is_secret = not compiled.names.isdisjoint(SECRETS)

    def value(facts: Facts) -> str:
        found = compiled.evaluate(known_values(read, facts))
        if isinstance(found, CelError):
            return ""
        return hashed(found) if is_secret and found else counted_by(found)

    return value


@dataclass(frozen=True, slots=True)
class Matcher:
    """A scope made ready: only the dimensions that it asks for."""

    asked: tuple[tuple[str, Callable[[Facts], str | None], Pattern], ...]

    def matches(self, facts: Facts) -> bool:
        for _, value_of, pattern in self.asked:
            value = value_of(facts)
            if value is None or not pattern.matches(value):
                return False
        return True

    def subjects(self, facts: Facts) -> tuple[tuple[str, str], ...] | None:
        """Dimension and actual value of each that the scope names; None when it does not match."""
        found = []
        for dimension, value_of, pattern in self.asked:
            value = value_of(facts)
            if value is None or not pattern.matches(value):
                return None
            found.append((dimension, value))
        return tuple(found)


def compile_scope(scope: Scope) -> Matcher:
    """Made once per program, so that a request pays only for what is asked."""
    asked = []
    for dimension, value_of in _DIMENSIONS:
        wanted: str | None = getattr(scope, dimension)
        if wanted is not None:
            asked.append((dimension, value_of, Pattern.of(wanted)))
    return Matcher(tuple(asked))
