"""Which plans there may be, and which of their tries may need another body than the one that is
forwarded: another model name in it, or another dialect.

The control plane makes a cluster for each of them, whose upstream filter asks extproc for the
body; the request path names those clusters in its plans. Both read the rules here.

What is forwarded is said as the first try wants it, when all tries want one dialect; else as the
client said it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import product

from gateway.model import BodyForm, Model, Provider, Target
from gateway.operations import Operation
from gateway.serving import turns

_Way = tuple[tuple[Operation, ...], BodyForm]
"""How a provider wants a conversation."""


def rewritten_attempts(
    models: Iterable[Model], providers: Mapping[str, Provider]
) -> tuple[tuple[str, int], ...]:
    """Every (provider, place in the plan) whose body may have to be rewritten.

    Places count from 1. A first try never needs it, unless the tries want several dialects.
    """
    found: set[tuple[str, int]] = set()
    for model in models:
        if len(model.tiers) == 1:
            continue
        ways = {_way(providers[each.provider]) for tier in model.tiers for each in tier}
        if len(ways) > 1:
            places = enumerate(model.tiers, 1)
            found |= {(each.provider, place) for place, tier in places for each in tier}
            continue
        found |= {
            (later.provider, place)
            for place, tier in enumerate(model.tiers[1:], 2)
            for later in tier
            if any(first.model != later.model for first in model.tiers[0])
        }
    return tuple(sorted(found))


def provider_sequences(models: Iterable[Model]) -> tuple[tuple[str, ...], ...]:
    """The providers of every plan of several tries that these models may have, in order.

    As many as the product of what may be chosen in each tier: many, where all are weighted.
    """
    found = {
        sequence
        for model in models
        if len(model.tiers) > 1
        for sequence in product(*(_providers(tier) for tier in model.tiers))
    }
    return tuple(sorted(found))


def _way(provider: Provider) -> _Way:
    return turns(operation for operation, _ in provider.offers), provider.body_form


def _providers(tier: tuple[Target, ...]) -> tuple[str, ...]:
    return tuple({target.provider: None for target in tier})
