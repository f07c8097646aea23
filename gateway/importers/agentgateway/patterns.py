"""Names of models with at most one `*`: which they share, and how CEL says them."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.config import stars
from gateway.importers.agentgateway.draft import quoted, text


def may_share(one: str, other: str) -> bool:
    """Whether some name could be meant by both."""
    if "*" not in one or "*" not in other:
        return one == other or stars.matches(one, other) or stars.matches(other, one)
    (before, _, after), (start, _, end) = one.partition("*"), other.partition("*")
    return (before.startswith(start) or start.startswith(before)) and (
        after.endswith(end) or end.endswith(after)
    )


def any_of(names: Iterable[str]) -> str:
    """CEL that holds when the model asked for is one of these; empty for none."""
    names = list(names)
    exact = [name for name in names if "*" not in name]
    tests = [f"llm.model in {quoted(exact)}"] if exact else []
    tests += [_like(name) for name in names if "*" in name]
    return " || ".join(tests)


def _like(pattern: str) -> str:
    before, _, after = pattern.partition("*")
    parts = [f"llm.model.startsWith({text(before)})"] if before else []
    parts += [f"llm.model.endsWith({text(after)})"] if after else []
    if before and after:
        parts.append(f"size(llm.model) >= {len(before) + len(after)}")
    return f"({' && '.join(parts)})" if len(parts) > 1 else "".join(parts) or "true"
