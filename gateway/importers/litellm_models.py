"""LiteLLM's groups of deployments, fallbacks and aliases → `llm.models`.

A name with several deployments shares its requests out by weight; `order` and fallbacks become a
failover. A failover names targets, not names of models, so that fallbacks never go in a circle.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from gateway.config import stars
from gateway.config.llm import ModelName
from gateway.config.tiers import MAX_TIERS
from gateway.importers.litellm_deployments import Deployment
from gateway.importers.litellm_keys import ALIAS, answer_rest
from gateway.importers.litellm_values import flag, is_valid
from gateway.importers.walk import Node

_LARGEST_WEIGHT = 1_000_000
_LONGEST_NAME = 250
_ANY_ORDER_ALONE = 5
_ANY_ORDER_AMONG_OTHERS = 2
"""Targets that may be tried in any order; with more, there would be too many orders."""
_AFTER_ANYTHING = "behind the other fallbacks, and tried after whatever else leads on"
_NOT_FOLLOWED = "the targets behind the names are tried in order, but not their own fallbacks"


@dataclass(slots=True)
class Models:
    """The models of ours, as they come to be."""

    groups: Mapping[str, Sequence[Deployment]]
    aliases: Mapping[str, str]
    way: str = "weighted"
    """How one of several equal deployments is chosen: `weighted`, `cheapest` or `fastest`."""
    blocks: dict[str, dict[str, object]] = field(default_factory=dict)
    _ids: dict[str, Deployment] = field(init=False)
    _plain: set[str] = field(default_factory=set)
    """Names that have one tier and no fallbacks: safe to refer to."""
    _tries: dict[str, int] = field(default_factory=dict)
    """How many targets may be tried of a model that others refer to, where it is not one."""
    _helpers: dict[str, str] = field(default_factory=dict)
    """What a model that clients do not see stands for → its name."""

    def __post_init__(self) -> None:
        everything = [each for group in self.groups.values() for each in group]
        self._ids = {each.id: each for each in reversed(everything) if each.id}

    def build(self, fallbacks: Mapping[str, Sequence[str]], otherwise: Sequence[str]) -> None:
        """Every group, with the fallbacks that it has, else those of all."""
        for name in self.groups:
            behind = fallbacks.get(name, otherwise)
            if all(each == name for each in behind) and len(tiers_of(self.groups[name])) == 1:
                self._plain.add(name)
        for name in self.groups:
            behind = [
                reference
                for fallback in fallbacks.get(name, otherwise)
                if fallback != name
                for reference in self.references(fallback, name)
            ]
            self.blocks[name] = self._block(name, behind)

    def ordered(self) -> dict[str, dict[str, object]]:
        """Those that clients ask for first."""
        helpers = set(self._helpers.values())
        names = [*(n for n in self.blocks if n not in helpers), *self._helpers.values()]
        return {name: self.blocks[name] for name in names}

    def _block(self, name: str, behind: Sequence[str]) -> dict[str, object]:
        tiers = tiers_of(self.groups[name])
        first = tiers[0]
        if not behind and len(tiers) == 1:
            if len(first) == 1:
                return {"provider": first[0].provider, "model": first[0].model}
            return self._equals(name, first, _ANY_ORDER_ALONE)
        own = [each for position in range(len(tiers)) for each in self._tier(name, position, name)]
        return {"failover": self._as_many_as_may_be([*own, *behind])}

    def _as_many_as_may_be(self, references: Iterable[str]) -> list[str]:
        found: list[str] = []
        left = MAX_TIERS
        for reference in dict.fromkeys(references):
            left -= self._tries.get(reference, 1)
            if left < 0:
                break
            found.append(reference)
        return found

    def references(self, wanted: str, for_name: str) -> Iterator[str]:
        """What stands behind the name of a fallback, without that name's own fallbacks."""
        name = self.known(wanted)
        if name is None:
            deployment = self._by_id(wanted)
            if deployment is not None:
                yield self._reference(deployment, for_name)
            return
        star = _star(name, wanted) if "*" in name and name != wanted else None
        for position, tier in enumerate(tiers_of(self.groups[name])):
            if star is not None:
                for each in tier:
                    yield f"{each.provider}/{each.model.replace('*', star)}"
            elif "*" not in name or "*" in for_name:
                yield from self._tier(name, position, for_name)

    def known(self, wanted: str) -> str | None:
        """The group that serves a name: its own, through an alias, or the closest wildcard."""
        seen: set[str] = set()
        while wanted not in self.groups and wanted in self.aliases and wanted not in seen:
            seen.add(wanted)
            wanted = self.aliases[wanted]
        if wanted in self.groups:
            return wanted
        wild = [name for name in self.groups if "*" in name and stars.matches(name, wanted)]
        return max(wild, key=len) if wild else None

    def has(self, wanted: str) -> bool:
        """Whether a fallback or an alias leads somewhere."""
        return self.known(wanted) is not None or self._by_id(wanted) is not None

    def _by_id(self, wanted: str) -> Deployment | None:
        return self._ids.get(wanted)

    def _tier(self, name: str, position: int, for_name: str) -> list[str]:
        """One tier of a group as references for a failover."""
        tier = tiers_of(self.groups[name])[position]
        if len(tier) == 1 or "*" in name:
            return [self._reference(each, for_name) for each in tier]
        block = self._equals(name, tier, _ANY_ORDER_AMONG_OTHERS)
        is_plain = name in self._plain and block == self._equals(name, tier, _ANY_ORDER_ALONE)
        found = name if is_plain else self._helper(f"{name}:{position + 1}", block)
        if "weighted" not in block:
            self._tries[found] = len(tier)
        return [found]

    def _equals(self, name: str, tier: Sequence[Deployment], most: int) -> dict[str, object]:
        """One tier of several deployments; in any order only so many."""
        shares = self._weights(name, tier)
        if self.way == "weighted" or len(shares) > most:
            return {"weighted": shares}
        return {self.way: list(shares)}

    def _weights(self, name: str, tier: Sequence[Deployment]) -> dict[str, object]:
        found: dict[str, int] = {}
        for each, weight in zip(tier, weights_of(tier), strict=True):
            if weight:
                reference = self._reference(each, name)
                found[reference] = min(found.get(reference, 0) + weight, _LARGEST_WEIGHT)
        return dict(found)

    def _reference(self, deployment: Deployment, for_name: str) -> str:
        """A target's name in another model. A model of the very same name would be meant first."""
        reference = deployment.reference
        is_free = reference not in self.groups and reference not in self.aliases
        if is_free or reference == for_name:
            return reference
        return self._helper(
            f"{reference}:target", {"provider": deployment.provider, "model": deployment.model}
        )

    def _helper(self, wanted: str, block: Mapping[str, object]) -> str:
        """The name of a model that only other models refer to."""
        if wanted not in self._helpers:
            name = wanted = wanted[-_LONGEST_NAME:]
            while name in self.groups or name in self.aliases or name in self.blocks:
                name = f"{name}+"
            self._helpers[wanted] = name
            self.blocks[name] = {**block, "internal": True}
        return self._helpers[wanted]


def tiers_of(group: Sequence[Deployment]) -> list[list[Deployment]]:
    """The deployments of a name by their order; those without one are last."""
    orders = sorted({each.order for each in group if each.order is not None})
    tiers = [[each for each in group if each.order == order] for order in orders]
    rest = [each for each in group if each.order is None]
    return [*tiers, rest] if rest else tiers


def weights_of(tier: Sequence[Deployment]) -> list[int]:
    """Whole numbers in the proportion of what is written; equal ones when nothing is."""
    by_weight = any(each.weight is not None for each in tier)
    written = [each.weight if by_weight else each.share for each in tier]
    amounts = [max(each or Decimal(0), Decimal(0)) for each in written]
    if not any(amounts):
        return [1] * len(tier)
    scale = 1
    while any(each * scale != int(each * scale) for each in amounts) and scale < 1000:
        scale *= 10
    largest = max(amounts) * scale
    if largest > _LARGEST_WEIGHT:
        return [
            max(1, int(each * scale * _LARGEST_WEIGHT / largest)) if each else 0 for each in amounts
        ]
    return [max(1, int(each * scale)) if each else 0 for each in amounts]


def groups_of(deployments: Iterable[Deployment]) -> dict[str, list[Deployment]]:
    """By the name that clients ask for."""
    groups: dict[str, list[Deployment]] = {}
    for each in deployments:
        groups.setdefault(each.name, []).append(each)
    return groups


def read_aliases(node: Node) -> dict[str, str]:
    """`model_group_alias`: alias → name. What is wrong with them is said where they are added."""
    found: dict[str, str] = {}
    for alias, below in node.fields():
        target = below.take("model").text() if isinstance(below.value, dict) else below.text()
        if target:
            found[alias] = target
    return found


def add_aliases(node: Node, models: Models) -> None:
    """The aliases as models that stand for one other."""
    for alias, below in node.fields():
        to = f"llm.models.{alias}"
        is_block = isinstance(below.value, dict)
        target = models.aliases.get(alias)
        refusal = _why_no_alias(alias, target, models)
        if refusal or target is None:
            below.unsupported(refusal)
            continue
        references = list(models.references(target, alias))
        block: dict[str, object] = {"failover": references}
        if models.known(target) == target:
            block = {"failover": [target]}
        if is_block:
            below.take("model").exact(to)
            hidden = below.take("hidden")
            if flag(hidden):
                block["listed"] = False
            hidden.exact(f"{to}.listed")
            answer_rest(below, ALIAS)
        else:
            below.exact(to)
        models.blocks[alias] = block


def _why_no_alias(alias: str, target: str | None, models: Models) -> str:
    if target is None:
        return "it stands for nothing"
    if alias in models.groups:
        return "a model of that name is in model_list, and counts"
    if "${" in alias or not is_valid(ModelName, alias):
        return "a name must have no spaces, no variable and at most one '*'"
    if not models.has(target):
        return "there is no model of the name that it stands for"
    if "*" in target and "*" not in alias:
        return "the '*' stands for nothing, since the alias has none"
    return ""


def read_fallbacks(
    node: Node, models: Models, known_already: Container[str], note: str = _NOT_FOLLOWED
) -> dict[str, list[str]]:
    """`[{a: [b, c]}]` → by name; answers for each what became of it."""
    found: dict[str, list[str]] = {}
    for item in node.items():
        for name, below in item.fields():
            if not isinstance(below.value, list):
                below.problem("must be a list of names of models")
                continue
            behind = [each.value for each in below.items()]
            known = [each for each in behind if isinstance(each, str) and models.has(each)]
            group = name if name == "*" else models.known(name)
            if group in known_already:
                below.unsupported("the fallbacks of router_settings count")
            elif group is None or (group != name and "*" in group):
                below.unsupported("no model of that name is taken over")
            elif not known:
                below.unsupported("no model that it names is taken over")
            else:
                rest = "" if len(known) == len(behind) else "; those that are not here are left out"
                to = "llm.models" if group == "*" else f"llm.models.{group}.failover"
                below.different(to, f"{note}{rest}")
                found.setdefault(group, []).extend(known)
    return found


def read_long_fallbacks(node: Node, models: Models) -> dict[str, list[str]]:
    """`context_window_fallbacks`: a failover goes on after a prompt that is too long, too."""
    return read_fallbacks(node, models, (), _AFTER_ANYTHING)


def read_default_fallbacks(node: Node, models: Models, *, is_known: bool) -> list[str]:
    """`[b, c]`, for all names of the file."""
    names = node.texts()
    if is_known and not node.is_empty:
        node.unsupported("the fallbacks of router_settings count")
        return []
    known = [each for each in names if models.has(each)]
    if not node.is_empty:
        if known or not names:
            node.different("llm.models", "for every model of the file without fallbacks of its own")
        else:
            node.unsupported("no model that it names is taken over")
    return known


def _star(pattern: str, name: str) -> str:
    """What the `*` of a pattern stands for in a name that it matches."""
    before, _, after = pattern.partition("*")
    return name[len(before) : len(name) - len(after)]
