"""Which targets serve a model, in order: the model that was asked for → one target of each tier."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from gateway.model import Model, Target


class Chosen(NamedTuple):
    """The targets of a request, in order."""

    targets: tuple[Target, ...]
    is_fixed: bool
    """Nothing was to be chosen: they are the same for every request for this model."""


class Chooser:
    """The models of a program."""

    def __init__(self, models: Sequence[Model], choose: Callable[[], float]) -> None:
        """`choose` gives numbers in [0, 1): it decides between the targets of a tier."""
        self._exact = {model.name: model for model in models if "*" not in model.name}
        self._patterns = tuple(_pattern(model) for model in models if "*" in model.name)
        self._choose = choose
        self._fixed = {
            name: Chosen(tuple(tier[0] for tier in model.tiers), True)
            for name, model in self._exact.items()
            if all(len(tier) == 1 for tier in model.tiers)
        }
        """Of the models that leave nothing to choose."""

    def knows(self, asked: str) -> bool:
        """Whether there is such a model."""
        return self.targets(asked) is not None

    def targets(self, asked: str) -> Chosen | None:
        """None: nobody serves it."""
        fixed = self._fixed.get(asked)
        if fixed is not None:
            return fixed
        model = self._exact.get(asked)
        if model is not None:
            return Chosen(self._chosen(model), False)
        for prefix, suffix, pattern in self._patterns:
            if (
                len(asked) >= len(prefix) + len(suffix)
                and asked.startswith(prefix)
                and asked.endswith(suffix)
            ):
                matched = asked[len(prefix) : len(asked) - len(suffix)]
                return Chosen(_filled(self._chosen(pattern), matched), False)
        return None

    def _chosen(self, model: Model) -> tuple[Target, ...]:
        return tuple(
            tier[0] if len(tier) == 1 else _weighted(tier, self._choose()) for tier in model.tiers
        )


def _filled(targets: tuple[Target, ...], matched: str) -> tuple[Target, ...]:
    return tuple(
        Target(target.provider, target.model.replace("*", matched, 1), target.weight)
        for target in targets
    )


def _pattern(model: Model) -> tuple[str, str, Model]:
    prefix, _, suffix = model.name.partition("*")
    return prefix, suffix, model


def _weighted(tier: tuple[Target, ...], chosen: float) -> Target:
    left = chosen * sum(target.weight for target in tier)
    for target in tier:
        left -= target.weight
        if left < 0:
            return target
    return tier[-1]
