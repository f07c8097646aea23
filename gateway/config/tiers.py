"""What the references of models lead to: failover flattens to tiers, weighted fills one tier."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from gateway.config.finding import Path
from gateway.config.llm import LlmBlock, ModelBlock
from gateway.model import Target

MAX_TIERS = 16
MAX_NAMES = 16
"""Between a model and its targets."""


def meaning(name: str, reference: str, llm: LlmBlock) -> Target | str | None:
    """What a reference in the model `name` stands for: a target, another model, or nothing."""
    if reference != name and reference in llm.models:
        return reference
    provider, _, model = reference.partition("/")
    return Target(provider, model) if model and provider in llm.providers else None


def references(block: ModelBlock) -> Iterator[tuple[Path, str]]:
    """Every reference of a model, and where in its block it stands."""
    for index, reference in enumerate(block.failover or ()):
        yield ("failover", index), reference
    for reference in block.weighted or {}:
        yield ("weighted", reference), reference


def tiers(name: str, llm: LlmBlock) -> tuple[tuple[Target, ...], ...]:
    """Where a model is served. Total on a checked configuration."""
    block = llm.models[name]
    if block.provider is not None:
        own = "*" if "*" in name else name
        return ((Target(block.provider, block.model or own),),)
    if block.weighted is not None:
        return (
            tuple(
                replace(followed(name, reference, llm)[0][0], weight=weight)
                for reference, weight in block.weighted.items()
            ),
        )
    return tuple(
        tier for reference in block.failover or () for tier in followed(name, reference, llm)
    )


def followed(name: str, reference: str, llm: LlmBlock) -> tuple[tuple[Target, ...], ...]:
    """The tiers behind one reference of the model `name`."""
    match meaning(name, reference, llm):
        case Target() as target:
            return ((target,),)
        case str() as other:
            return tiers(other, llm)
        case None:
            raise KeyError(reference)


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
    """How many tiers a model flattens to, without flattening it. Only for what is followable."""
    counts: dict[str, int] = {}

    def count(each: str) -> int:
        if each not in counts:
            block = llm.models.get(each)
            if block is None or block.failover is None:
                counts[each] = 1
            else:
                behind = [meaning(each, text, llm) for text in block.failover]
                counts[each] = sum(count(b) if isinstance(b, str) else 1 for b in behind)
        return counts[each]

    return count(name)


def is_single(name: str, llm: LlmBlock) -> bool:
    """Whether a model is one target, perhaps through aliases. Only for what is followable."""
    block = llm.models.get(name)
    if block is None or block.provider is not None:
        return True
    if block.failover is None or len(block.failover) != 1:
        return False
    behind = meaning(name, block.failover[0], llm)
    return is_single(behind, llm) if isinstance(behind, str) else True
