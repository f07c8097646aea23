"""Virtual models of theirs → models that lead to others: by shares, one after the other, or by
conditions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gateway.attempts import MAX_ORDERS
from gateway.config import stars
from gateway.config.llm import ModelName
from gateway.config.scalars import Weight
from gateway.config.tiers import MAX_TIERS
from gateway.importers.agentgateway import llm_keys
from gateway.importers.agentgateway.cel import Untranslated, translate
from gateway.importers.agentgateway.draft import OPEN, Draft, Served, Terms
from gateway.importers.agentgateway.fitting import fits, is_model
from gateway.importers.agentgateway.keys import settle
from gateway.importers.walk import Node

_SAME_REQUEST = "the next one is tried within the same request; theirs waits for the one after"
_OVERRIDDEN = "what it overrides holds here for requests by its own name alone"
_OWN_NAME = "what that model writes into bodies holds here for requests by its own name alone"
_WRITTEN = frozenset({"defaults", "system_prompt", "prompt_caching"})
_EQUAL = "those of one priority get equal shares; theirs goes by their latency"
_FASTEST = "of one priority the fastest is tried first; theirs also goes by their health and load"


@dataclass(frozen=True, slots=True)
class Concrete:
    """A model of theirs that has a provider."""

    name: str
    node: Node
    block: Mapping[str, object]
    terms: Terms
    refusal: str | None = None
    """Why it cannot be served."""
    is_security: bool = False


@dataclass(slots=True)
class _Virtual:
    """One virtual model while it is read."""

    name: str
    concrete: Sequence[Concrete]
    taken: frozenset[str]
    """Names that mean something else in a list of references."""
    terms: Terms = field(default=OPEN)

    def target(self, node: Node) -> str | None:
        """`provider/model` of a target."""
        wanted = node.take("model")
        name = wanted.text() or ""
        found = _resolved(name, self.concrete)
        reference = _reference(name, found) if found is not None else None
        if found is None or reference is None or reference in self.taken:
            reason = found.refusal if found is not None else f"no model '{name}' in the file"
            if found is not None and "overrides" in found.block:
                reason = _OVERRIDDEN
            node.unsupported(f"it is left out: {reason or 'its name stands for another model'}")
            return None
        if _WRITTEN.isdisjoint(found.block):
            wanted.exact(f"llm.models.{self.name}")
        else:
            wanted.different(f"llm.models.{self.name}", _OWN_NAME, is_security=True)
        self.terms += found.terms
        return reference


def read_virtual_models(node: Node, concrete: Sequence[Concrete], draft: Draft) -> None:
    """All virtual models; they go before models of the same name."""
    for item in node.items():
        if not item.block():
            continue
        settle(item, llm_keys.VIRTUAL_MODEL)
        name, routing = item.take("name"), item.take("routing")
        text = name.text() or ""
        if not is_model(text) or "*" in text:
            item.unsupported("no name that such a model can have", is_security=True)
            continue
        name.exact(f"llm.models.{text}")
        virtual = _Virtual(text, concrete, frozenset(draft.models) - {text})
        block = None if settle(routing, llm_keys.ROUTING) else _block(routing, virtual, draft)
        if block is not None:
            draft.models[text] = block
            draft.served = [each for each in draft.served if each.name != text]
            draft.served.append(Served(text, virtual.terms))
        else:
            _keep_closed(item, text, draft)


def _block(routing: Node, virtual: _Virtual, draft: Draft) -> dict[str, object] | None:
    if routing.has("weighted"):
        block = routing.take("weighted")
        settle(block, llm_keys.WEIGHTED)
        shares: dict[str, int] = {}
        for item in block.take("targets").items():
            for reference, weight in _share(item, virtual):
                shares[reference] = shares.get(reference, 0) + weight
        return {"weighted": shares} if shares else None
    if routing.has("conditional"):
        return _conditional(routing.take("conditional"), virtual, draft)
    if not routing.has("failover"):
        return None
    block = routing.take("failover")
    settle(block, llm_keys.FAILOVER)
    tiers: dict[int, list[str]] = {}
    for item in block.take("targets").items():
        settle(item, llm_keys.FAILOVER_TARGET)
        place = item.take("priority")
        priority = place.integer()
        found = virtual.target(item)
        if found is not None and not isinstance(priority, str):
            place.different(f"llm.models.{virtual.name}.failover", _SAME_REQUEST)
            tiers.setdefault(priority or 0, []).append(found)
    ordered = [tiers[priority] for priority in sorted(tiers)][:MAX_TIERS]
    way = "fastest" if _may_vary(ordered) else "weighted"
    references = [
        _tier((place, way), tier, virtual, draft) for place, tier in enumerate(ordered, 1)
    ]
    if any(len(tier) > 1 for tier in ordered):
        note = _FASTEST if way == "fastest" else _EQUAL
        block.different(f"llm.models.{virtual.name}.failover", note)
    return {"failover": references} if references else None


def _may_vary(tiers: Sequence[list[str]]) -> bool:
    """Whether ours can try the targets of each tier in any order."""
    orders = math.prod(math.factorial(len(tier)) for tier in tiers)
    return orders <= MAX_ORDERS and sum(map(len, tiers)) <= MAX_TIERS


def _conditional(block: Node, virtual: _Virtual, draft: Draft) -> dict[str, object] | None:
    """None: a branch cannot be taken over, and what it would get must not go to another."""
    settle(block, llm_keys.CONDITIONAL)
    branches: list[dict[str, str]] = []
    is_whole, is_over = True, False
    for item in block.take("targets").items():
        settle(item, llm_keys.CONDITIONAL_TARGET)
        place = item.take("when")
        reference = virtual.target(item)
        if is_over:
            item.unsupported("it is never reached: the one before has no condition")
            continue
        branch = {} if reference is None else {"use": reference}
        is_over = place.is_empty
        if not is_over:
            condition = _condition(place, virtual, draft)
            branch |= {} if condition is None else {"when": condition}
            is_whole = is_whole and condition is not None
        is_whole = is_whole and reference is not None
        branches.append(branch)
    return {"conditional": branches} if branches and is_whole else None


def _condition(place: Node, virtual: _Virtual, draft: Draft) -> str | None:
    expression = translate(place.text() or "", is_llm=True, unusable=draft.unusable)
    if isinstance(expression, Untranslated):
        place.unsupported(expression.reason, is_security=True)
        return None
    place.exact(f"llm.models.{virtual.name}.conditional")
    return expression


def _share(item: Node, virtual: _Virtual) -> list[tuple[str, int]]:
    settle(item, llm_keys.WEIGHTED_TARGET)
    place = item.take("weight")
    weight = place.integer()
    weight = 1 if weight is None else weight
    if weight == 0:
        item.exact(note="it gets no requests, and is left out")
        return []
    reference = virtual.target(item)
    if not isinstance(weight, int) or not fits(Weight, weight):
        place.problem("must be from 0 to 1000000")
        return []
    place.exact(f"llm.models.{virtual.name}.weighted")
    if reference is not None and not is_model(reference):
        item.unsupported("it is left out: shares go by names, and a variable is none")
        return []
    return [] if reference is None else [(reference, weight)]


def _tier(kind: tuple[int, str], tier: list[str], virtual: _Virtual, draft: Draft) -> str:
    """The reference of a tier; one of several is a model of its own."""
    place, way = kind
    if len(set(tier)) == 1:
        return tier[0]
    name = f"{virtual.name}.tier-{place}"
    while name in draft.models:
        name += "-2"
    equal: object = dict.fromkeys(tier, 1) if way == "weighted" else list(dict.fromkeys(tier))
    draft.models[name] = {way: equal, "internal": True}
    return name


def _resolved(name: str, concrete: Sequence[Concrete]) -> Concrete | None:
    """The model that theirs would take: exact, then the longest pattern."""
    exact = [model for model in concrete if model.name == name]
    wild = [model for model in concrete if "*" in model.name and stars.matches(model.name, name)]
    return next(iter([*exact, *sorted(wild, key=lambda model: -len(model.name))]), None)


def _reference(name: str, model: Concrete) -> str | None:
    if model.refusal is not None or "overrides" in model.block:
        return None
    before, star, after = model.name.partition("*")
    matched = name[len(before) : len(name) - len(after)] if star else name
    asked = str(model.block.get("model", "*" if star else model.name))
    reference = f"{model.block['provider']}/{asked.replace('*', matched)}"
    return reference if fits(ModelName, reference) and "*" not in reference else None


def _keep_closed(item: Node, name: str, draft: Draft) -> None:
    """Keeps the name from falling to another model, or to a `*`."""
    draft.gone.add(item.path)
    own = draft.models.get(name)
    cover = [each for each in draft.models if "*" in each and stars.matches(each, name)]
    if own is None and not cover:
        item.unsupported("it is left out: it cannot be routed as theirs is")
        return
    item.unsupported("it is refused: it cannot be routed as theirs is", is_security=True)
    draft.models[name] = draft.refused_model()
    draft.served.append(Served(name, Terms(locks=("routing",))))
