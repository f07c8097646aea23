"""Rules about models: every reference leads somewhere, and to something that can be served."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.config.finding import Finding, Path
from gateway.config.tiers import (
    MAX_NAMES,
    MAX_TIERS,
    cycle,
    is_followable,
    is_single,
    meaning,
    neighbours,
    references,
    tier_count,
)
from gateway.config.written import Written
from gateway.problem import did_you_mean


def _at(name: str) -> Path:
    return ("llm", "models", name)


def providers_are_known(written: Written) -> Iterator[Finding]:
    """`provider: opnai`."""
    for name, block in written.config.llm.models.items():
        if block.provider is not None and block.provider not in written.providers:
            yield Finding(
                (*_at(name), "provider"),
                f"no provider '{block.provider}'",
                did_you_mean(block.provider, written.providers),
            )


def references_are_known(written: Written) -> Iterator[Finding]:
    """`failover: [opnai/gpt-5, fats]`."""
    for name, block in written.config.llm.models.items():
        for place, reference in references(block):
            if not written.knows_reference(name, reference):
                provider, slash, _ = reference.partition("/")
                known = written.providers if slash else written.models - {name}
                kind, wrong = ("provider", provider) if slash else ("model", reference)
                yield Finding(
                    (*_at(name), *place),
                    f"no {kind} '{wrong}'",
                    did_you_mean(wrong, known)
                    or "a reference is provider/model, or the name of another model",
                )


def stars_stand_for_something(written: Written) -> Iterator[Finding]:
    """A `*` on the right side needs one on the left."""
    for name, block in written.config.llm.models.items():
        if "*" in name:
            continue
        if "*" in (block.model or ""):
            yield Finding(
                (*_at(name), "model"),
                f"'*' stands for nothing, since '{name}' has none",
                "name the model",
            )
        for place, reference in references(block):
            if "*" in reference:
                yield Finding(
                    (*_at(name), *place),
                    f"'*' in '{reference}' stands for nothing, since '{name}' has none",
                    "name the model",
                )


def references_do_not_circle(written: Written) -> Iterator[Finding]:
    """`a: {failover: [b]}, b: {failover: [a]}`: reported once for the circle."""
    reported: set[str] = set()
    for name in written.config.llm.models:
        way = cycle(name, written.config.llm)
        if way and reported.isdisjoint(way):
            reported.update(way)
            yield Finding(_at(name), f"refers to itself: {' → '.join(way)}", "break the circle")


def tiers_can_be_served(written: Written) -> Iterator[Finding]:
    """A weighted model chooses among single targets, and failover ends somewhere."""
    llm = written.config.llm
    for name, block in llm.models.items():
        if not is_followable(name, llm):
            if not _reaches_circle(name, written):
                yield Finding(_at(name), f"leads through more than {MAX_NAMES} names")
            continue
        for reference in block.weighted or {}:
            behind = meaning(name, reference, llm)
            if isinstance(behind, str) and not is_single(behind, llm):
                yield Finding(
                    (*_at(name), "weighted", reference),
                    f"'{reference}' is not a single target",
                    "put weighted models inside a failover, not the other way round",
                )
        count = tier_count(name, llm)
        if count > MAX_TIERS:
            yield Finding(
                (*_at(name), "failover"),
                f"leads to {count} targets in turn, more than {MAX_TIERS}",
                "leave some out",
            )


def _reaches_circle(name: str, written: Written) -> bool:
    llm = written.config.llm
    seen = {name}
    waiting = [name]
    while waiting:
        here = waiting.pop()
        if cycle(here, llm):
            return True
        fresh = [there for there in neighbours(here, llm) if there not in seen]
        seen.update(fresh)
        waiting += fresh
    return False
