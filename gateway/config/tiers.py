"""What the references of models lead to: a tree of choices, and its targets by place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final, TypeAlias

from gateway.choice import (
    Branch,
    Cheapest,
    Choice,
    Conditional,
    Fastest,
    InTurn,
    One,
    Share,
    Target,
    Weighted,
    by_place,
)
from gateway.config.finding import Path
from gateway.config.llm import LlmBlock, ModelBlock

MAX_TIERS = 16
"""Targets that a request may be tried at."""
MAX_NAMES = 16
"""Between a model and its targets."""
MAX_LEAVES = 256
"""Targets of a model, by all ways that lead to them."""


def meaning(name: str, reference: str, llm: LlmBlock) -> Target | str | None:
    """What a reference in the model `name` stands for: a target, another model, or nothing."""
    if reference != name and reference in llm.models:
        return reference
    provider, _, model = reference.partition("/")
    return Target(provider, model) if model and provider in llm.providers else None


LISTS: Final = ("failover", "cheapest", "fastest")
"""Ways of a model that are lists of references."""


def references(block: ModelBlock) -> Iterator[tuple[Path, str]]:
    """Every reference of a model, and where in its block it stands; in lists, each one once."""
    for field in LISTS:
        there: tuple[str, ...] = getattr(block, field) or ()
        for reference in dict.fromkeys(there):
            yield (field, there.index(reference)), reference
    for reference in block.weighted or {}:
        yield ("weighted", reference), reference
    for index, branch in enumerate(block.conditional or ()):
        yield ("conditional", index, "use"), branch.use


def tiers(name: str, llm: LlmBlock) -> tuple[tuple[Target, ...], ...]:
    """Where a model is served, by place. Total on a checked configuration."""
    return by_place(choice(name, llm))


def choice(name: str, llm: LlmBlock, place: int = 1) -> Choice:
    """Who serves a model, the first try at this place. Total on a checked configuration."""
    block = llm.models[name]
    if block.provider is not None:
        own = "*" if "*" in name else name
        return One(Target(block.provider, block.model or own), place)
    if block.weighted is not None:
        weights = tuple(block.weighted.values())
        behind = _behind(name, llm, place)
        shares = zip(block.weighted, weights, map(_weighing, behind, weights), strict=True)
        return Weighted(tuple(Share(*each) for each in shares), block.sticky or "")
    if block.conditional is not None:
        conditions = (branch.when for branch in block.conditional)
        behind = _behind(name, llm, place)
        return Conditional(tuple(map(Branch, conditions, behind)))
    if block.cheapest is not None:
        return Cheapest(tuple(_behind(name, llm, place)))
    if block.fastest is not None:
        return Fastest(tuple(_behind(name, llm, place)))
    found = tuple(_behind(name, llm, place))
    return found[0] if len(found) == 1 else InTurn(found)


def _behind(name: str, llm: LlmBlock, place: int) -> Iterator[Choice]:
    """What the references of a model lead to, in the order of writing."""
    block = llm.models[name]
    for _, reference in references(block):
        match meaning(name, reference, llm):
            case Target() as target:
                yield One(target, place)
                width = 1
            case str() as other:
                yield choice(other, llm, place)
                width = tier_count(other, llm)
            case None:
                raise KeyError(reference)
        if not _takes_one(block):
            place += width


def _weighing(found: Choice, weight: int) -> Choice:
    if isinstance(found, One):
        return replace(found, target=replace(found.target, weight=weight))
    return found


def _takes_one(block: ModelBlock) -> bool:
    """Whether a request gets one of the references alone."""
    return block.conditional is not None or (block.weighted is not None and block.sticky is None)


def is_plain(found: Choice) -> bool:
    """Whether the targets by place say it all: in turn, one of each place by weight."""
    match found:
        case One():
            return True
        case InTurn():
            return all(map(is_plain, found.choices))
        case Weighted():
            return not found.sticky and all(isinstance(each.choice, One) for each in found.shares)
        case _:
            return False


def neighbours(name: str, llm: LlmBlock) -> list[str]:
    """The other models that a model refers to."""
    block = llm.models.get(name)
    found = [meaning(name, text, llm) for _, text in references(block)] if block else []
    return [each for each in found if isinstance(each, str)]


def cycle(name: str, llm: LlmBlock) -> tuple[str, ...]:
    """The way from a model back to itself, if there is one."""
    came_from: dict[str, str] = {}
    waiting = [name]
    while waiting:
        here = waiting.pop()
        for there in neighbours(here, llm):
            if there == name:
                way = [here]
                while way[-1] != name:
                    way.append(came_from[way[-1]])
                return (*reversed(way), name)
            if there not in came_from:
                came_from[there] = here
                waiting.append(there)
    return ()


def is_followable(name: str, llm: LlmBlock) -> bool:
    """Whether every way from a model ends within `MAX_NAMES` names; no circle does."""
    reached = {name}
    for _ in range(MAX_NAMES):
        reached = {there for here in reached for there in neighbours(here, llm)}
        if not reached:
            return True
    return False


def tier_count(name: str, llm: LlmBlock) -> int:
    """How many tries a model may take, without following all ways. Only for what is followable."""
    return _counted(name, llm, {}, lambda block: max if _takes_one(block) else sum)


def leaf_count(name: str, llm: LlmBlock) -> int:
    """How many targets a model leads to, by all ways. Only for what is followable."""
    return _counted(name, llm, {}, lambda _: sum)


_Together: TypeAlias = Callable[[ModelBlock], Callable[[list[int]], int]]


def _counted(name: str, llm: LlmBlock, counts: dict[str, int], together: _Together) -> int:
    """`together` makes one number of those of the references."""
    if name not in counts:
        block = llm.models.get(name)
        if block is None or block.provider is not None:
            return 1
        behind = [meaning(name, text, llm) for _, text in references(block)]
        counts[name] = together(block)(
            [
                _counted(each, llm, counts, together) if isinstance(each, str) else 1
                for each in behind
            ]
        )
    return counts[name]
