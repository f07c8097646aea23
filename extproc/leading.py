"""By which of the configuration's names clients may ask for a provider's model."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.model import Model
from gateway.price_names import spellings


class Leading:
    """The models of a program that lead to what a provider has, from the other end."""

    __slots__ = ("_exact", "_patterns")

    def __init__(self, models: Sequence[Model]) -> None:
        self._exact: dict[tuple[str, str], list[str]] = {}
        self._patterns: list[tuple[str, str, str, str]] = []
        """Provider, what stands before and behind the `*` of its model, and the name with one."""
        for model in models:
            for target in () if model.is_internal else _targets(model):
                provider, name = target
                if "*" in model.name and "*" in name:
                    before, _, behind = name.partition("*")
                    self._patterns.append((provider, before, behind, model.name))
                elif "*" not in model.name:
                    self._exact.setdefault(target, []).append(model.name)

    def names(self, provider: str, model: str) -> tuple[str, ...]:
        """In the order of the configuration; last the provider's own name. Dates and the like may
        be in it and not in the configuration: `gpt-5-2025-08-07`."""
        found: dict[str, None] = {}
        for spelling in spellings(model):
            found |= dict.fromkeys(self._exact.get((provider, spelling), ()))
        for of, before, behind, name in self._patterns:
            size = len(before) + len(behind)
            is_one = model.startswith(before) and model.endswith(behind) and len(model) > size
            if of == provider and is_one:
                matched = model[len(before) : len(model) - len(behind)]
                found[name.replace("*", matched, 1)] = None
        return (*found, model) if model not in found else tuple(found)


def _targets(model: Model) -> dict[tuple[str, str], None]:
    return {(each.provider, each.model): None for tier in model.tiers for each in tier}
