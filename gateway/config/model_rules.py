"""Rules about models: every reference leads somewhere, and to something that can be served."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from gateway.attempts import MAX_ORDERS, TooManyOrders, sequences
from gateway.cel import (
    Expression,
    TextExpression,
    compile_expression,
    compile_text,
    is_literal,
)
from gateway.choice import Choice, Target, is_expression
from gateway.config.finding import Finding, Path
from gateway.config.llm import WAYS
from gateway.config.pricing import is_priced, prices
from gateway.config.schema import Config
from gateway.config.tiers import (
    LISTS,
    MAX_LEAVES,
    MAX_NAMES,
    MAX_TIERS,
    choice,
    cycle,
    is_followable,
    leaf_count,
    meaning,
    neighbours,
    references,
    tier_count,
    tiers,
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
    """Every model ends somewhere, and there are not too many ways to get there."""
    llm = written.config.llm
    for name, block in llm.models.items():
        if not is_followable(name, llm):
            if not _reaches_circle(name, written):
                yield Finding(_at(name), f"leads through more than {MAX_NAMES} names")
            continue
        way = next(way for way in WAYS if getattr(block, way) is not None)
        tries, targets = tier_count(name, llm), leaf_count(name, llm)
        if tries > MAX_TIERS:
            said = f"leads to {tries} targets in turn, more than {MAX_TIERS}"
        elif targets > MAX_LEAVES:
            said = f"leads to {targets} targets, more than {MAX_LEAVES}"
        elif _is_known(name, written) and _has_too_many_orders(choice(name, llm)):
            said = f"may be tried in more than {MAX_ORDERS} orders of providers"
        else:
            continue
        yield Finding((*_at(name), way), said, "leave some out")


def targets(name: str, written: Written) -> tuple[Target, ...]:
    """Where a model is served; nothing, where it is none, or mistaken."""
    llm = written.config.llm
    if name not in llm.models or not is_followable(name, llm) or not _is_known(name, written):
        return ()
    return tuple(target for tier in tiers(name, llm) for target in tier)


def _has_too_many_orders(found: Choice) -> bool:
    try:
        sequences(found)
    except TooManyOrders:
        return True
    return False


def _is_known(name: str, written: Written) -> bool:
    """Whether every reference behind a model leads somewhere. Only for what is followable."""
    llm = written.config.llm
    behind = {name}
    while behind:
        for each in behind:
            found = references(llm.models[each])
            if any(meaning(each, reference, llm) is None for _, reference in found):
                return False
        behind = {there for here in behind for there in neighbours(here, llm)}
    return True


def conditions_can_hold(written: Written) -> Iterator[Finding]:
    """A condition is asked before there is a provider; and what always holds comes last."""
    for name, block in written.config.llm.models.items():
        branches = block.conditional or ()
        for index, branch in enumerate(branches):
            path: Path = (*_at(name), "conditional", index)
            if branch.when is None:
                if index < len(branches) - 1:
                    yield Finding(
                        path,
                        "has no condition, so what follows is never reached",
                        "only the last needs no 'when'",
                    )
                continue
            compiled = compile_expression(branch.when)
            early = _unknown_yet(compiled)
            if early is not None:
                yield Finding((*path, "when"), f"{early} is known only when this is decided")
            elif isinstance(compiled, Expression) and not is_literal(branch.when):
                yield from _constant(compiled, (*path, "when"), index == len(branches) - 1)
        if block.sticky is not None and is_expression(block.sticky):
            early = _unknown_yet(compile_text(block.sticky))
            if early is not None:
                path = (*_at(name), "sticky")
                yield Finding(path, f"{early} is known only when this is decided")


def _constant(condition: Expression, path: Path, is_last: bool) -> Iterator[Finding]:
    """The last may say what is always so: it is what is left."""
    if condition.always is False:
        yield Finding(path, "this is never true, whatever the request is", "write 'false'")
    elif condition.always and not is_last:
        message = "this is always true, whatever the request is, so what follows is never reached"
        yield Finding(path, message)


def _unknown_yet(compiled: Expression | TextExpression | str) -> str | None:
    """A variable that is absent while a model is looked for."""
    if isinstance(compiled, str):
        return None
    return min(compiled.names & _OF_THE_PROVIDER, default=None)


_OF_THE_PROVIDER = frozenset({"llm.provider", "resource.namespace"})


def unreachable_models(config: Config) -> Iterator[Finding]:
    """Warns of what nobody can ask for."""
    llm = config.llm
    reached = {there for name in llm.models for there in neighbours(name, llm)}
    for name, block in llm.models.items():
        if block.internal and name not in reached:
            yield Finding(
                (*_at(name), "internal"), f"no model leads to '{name}', so nobody can reach it"
            )


def repeated_references(config: Config) -> Iterator[Finding]:
    """Warns of lists that name a target twice: it is tried once."""
    for name, block in config.llm.models.items():
        for field in LISTS:
            there: tuple[str, ...] = getattr(block, field) or ()
            for index, reference in enumerate(there):
                if reference in there[:index]:
                    yield Finding(
                        (*_at(name), field, index),
                        f"'{reference}' stands here twice, and is tried once",
                        "leave one out",
                    )


def unpriced_choices(config: Config) -> Iterator[Finding]:
    """Warns of models that are to be cheap, while no price is known."""
    known = prices(config.llm)
    for name, block in config.llm.models.items():
        if block.cheapest is None:
            continue
        targets = [target for tier in tiers(name, config.llm) for target in tier]
        if not any("*" in each.model or is_priced(each, config.llm, known) for each in targets):
            yield Finding(
                (*_at(name), "cheapest"),
                "none of these has a price, so they are tried as they are written",
                "write prices under llm.prices",
            )


def unheard_first_bytes(config: Config) -> Iterator[Finding]:
    """Warns of providers whose `first_byte` changes nothing: of a request, the longest counts."""
    llm = config.llm
    told: set[str] = set()
    for model, block in llm.models.items():
        places = tiers(model, llm)
        if len(places) == 1 or block.conditional is not None or llm.failover.time is not None:
            continue
        found = {each.provider: llm.providers[each.provider].timeouts for each in chain(*places)}
        longest, wait = max(
            ((name, each.first_byte or each.silence) for name, each in found.items()),
            key=lambda each: each[1],
        )
        for name, each in found.items():
            is_drowned = each.first_byte is not None and each.first_byte < wait
            if is_drowned and found[longest].first_byte is None and name not in told:
                told.add(name)
                yield Finding(
                    ("llm", "providers", name, "timeouts", "first_byte"),
                    f"changes nothing for '{model}': the longest of a request counts, and"
                    f" '{longest}' has none",
                    "write a first_byte there too, or llm.failover.time",
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
