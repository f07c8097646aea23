"""Which plans there may be, and which of their tries need another model name in the body than the
first try has.

The control plane makes a cluster for each of them, whose upstream filter asks extproc for the
body; the request path names those clusters in its plans. Both read the rule here.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

from gateway.model import Model, Target


def is_renamed(first: Target, later: Target) -> bool:
    """True when the later try must ask for another model than the first one did."""
    return first.model != later.model


def renamed_attempts(models: Iterable[Model]) -> tuple[tuple[str, int], ...]:
    """Every (provider, place in the plan) that some plan of these models may have to rename.

    Places count from 1; the first try never needs it.
    """
    found = {
        (later.provider, place)
        for model in models
        for place, tier in enumerate(model.tiers[1:], 2)
        for later in tier
        if any(is_renamed(first, later) for first in model.tiers[0])
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


def _providers(tier: tuple[Target, ...]) -> tuple[str, ...]:
    return tuple({target.provider: None for target in tier})
