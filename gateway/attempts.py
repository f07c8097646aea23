"""Which plans there may be, and which of their tries may need another body than the one that is
forwarded: another model name in it, or another dialect.

The control plane makes a cluster for each of them, whose upstream filter asks extproc for the
body; the request path names those clusters in its plans. Both read the rules here.

What is forwarded is said as the first try wants it, when all tries want one dialect; else as the
client said it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations, product
from typing import TypeAlias

from gateway.betas import Betas
from gateway.choice import (
    Choice,
    InTurn,
    One,
    Share,
    Target,
    Weighted,
    children,
    is_in_written_order,
    leaves,
    nodes,
    tries_one_branch,
)
from gateway.model import HAVE_OWN_TERMS, BodyForm, Gateway, Model, Provider, dialect_of
from gateway.operations import Operation
from gateway.serving import serving, turns
from gateway.shaping import HAVE_CACHE_KEYS, Fields

MAX_ORDERS = 256
"""Of the providers of one model. An Envoy that reads no plans has a cluster for each."""

Providers: TypeAlias = tuple[str, ...]
"""The providers of a plan."""

_Way = tuple[tuple[Operation, ...], str, BodyForm, Fields, bool, Betas | None]
"""How a provider wants a conversation: what it offers, in whose terms, in which form, which fields
it is sent, whether the cache is told, and which betas it takes."""


class TooManyOrders(ValueError):
    """A model may be tried at its providers in more than `MAX_ORDERS` orders."""


def rewritten_attempts(
    models: Iterable[Model], providers: Mapping[str, Provider]
) -> tuple[tuple[str, int], ...]:
    """Every (provider, place) whose body may have to be rewritten.

    Places are those of `choice.One`. A try needs it that may follow one with another model; all
    do, when those of a plan may want several dialects.
    """
    found: set[tuple[str, int]] = set()
    for model in models:
        whole = choice_of(model)
        if _may_mix(whole, providers, is_marked=model.cache_marks is not None):
            found |= {(leaf.target.provider, leaf.place) for leaf in leaves(whole)}
            continue
        found |= {
            (later.target.provider, later.place)
            for earlier, later in _followers(whole)
            if earlier.target.model != later.target.model
        }
    return tuple(sorted(found))


def provider_sequences(models: Iterable[Model]) -> tuple[Providers, ...]:
    """The providers of every plan of several tries that these models may have, in order."""
    found = {each for model in models for each in sequences(choice_of(model)) if len(each) > 1}
    return tuple(sorted(found))


def plan_sequences(gateway: Gateway) -> tuple[Providers, ...]:
    """Those; what is left of them where not all providers have what is asked for, or can be told
    it; and, where targets may be set aside, every pair the other way round."""
    whole = provider_sequences(gateway.models)
    parts = _left(gateway.providers)
    found = {tuple(name for name in each if name in part) for each in whole for part in parts}
    found = {each for each in found if len(each) > 1} | set(whole)
    if gateway.llm.failover.health.failures:
        found |= {(second, first) for first, second in (each for each in found if len(each) == 2)}
    return tuple(sorted(found))


def _left(providers: Iterable[Provider]) -> frozenset[frozenset[str]]:
    """The providers that may be asked for an operation: those that have it, without those in whose
    dialects some request cannot be said."""
    offers = {each.name: tuple(operation for operation, _ in each.offers) for each in providers}
    found: set[frozenset[str]] = set()
    for operation, is_stream in product(Operation, (False, True)):
        served = {
            name: dialect_of(by)
            for name, offered in offers.items()
            if (by := serving(offered, operation, is_stream=is_stream)) is not None
        }
        dialects = sorted({each for each in served.values() if each is not None})
        for count in range(len(dialects) + 1):
            for unsaid in combinations(dialects, count):
                found.add(frozenset(name for name, each in served.items() if each not in unsaid))
    return frozenset(found)


def sequences(choice: Choice) -> frozenset[Providers]:
    """The providers of every plan that may be made of a choice. Raises `TooManyOrders`."""
    if isinstance(choice, One):
        return frozenset([(choice.target.provider,)])
    each = [sequences(child) for child in children(choice)]
    if tries_one_branch(choice):
        return _bounded(one for of_child in each for one in of_child)
    if is_in_written_order(choice):
        return _joined(each)
    orders = _orders(Counter(each))
    return _bounded(one for order in orders for one in _joined(order))


def choice_of(model: Model) -> Choice:
    """That of a model whose tiers say it all, too."""
    if model.choice is not None:
        return model.choice
    tiers = (_tier(tier, place) for place, tier in enumerate(model.tiers, 1))
    return InTurn(tuple(tiers))


def _tier(tier: tuple[Target, ...], place: int) -> Choice:
    shares = [Share("", target.weight, One(target, place)) for target in tier]
    return shares[0].choice if len(shares) == 1 else Weighted(tuple(shares))


def _may_mix(choice: Choice, providers: Mapping[str, Provider], *, is_marked: bool) -> bool:
    """Whether the tries of some plan may want several dialects, or several additions."""
    return any(
        _way(providers[earlier.target.provider], is_marked)
        != _way(providers[later.target.provider], is_marked)
        for earlier, later in _followers(choice)
    )


def _followers(choice: Choice) -> Iterator[tuple[One, One]]:
    """All that may be in one plan, the earlier and the later."""
    for node in nodes(choice):
        if isinstance(node, One) or tries_one_branch(node):
            continue
        below = [tuple(leaves(child)) for child in children(node)]
        for place, earlier in enumerate(below):
            later = below[place + 1 :] if is_in_written_order(node) else below
            for each in later:
                if each is not earlier:
                    yield from product(earlier, each)


def _joined(parts: Iterable[frozenset[Providers]]) -> frozenset[Providers]:
    """One of each part, one after the other."""
    found = frozenset[Providers]([()])
    for part in parts:
        found = _bounded(before + after for before in found for after in part)
    return found


def _orders(
    left: Counter[frozenset[Providers]],
) -> Iterator[tuple[frozenset[Providers], ...]]:
    """Every order of the parts; equal ones are not told apart."""
    if not left.total():
        yield ()
        return
    for part in [part for part, count in left.items() if count]:
        rest = left.copy()
        rest[part] -= 1
        for order in _orders(rest):
            yield (part, *order)


def _bounded(found: Iterable[Providers]) -> frozenset[Providers]:
    kept: set[Providers] = set()
    for each in found:
        kept.add(each)
        if len(kept) > MAX_ORDERS:
            raise TooManyOrders
    return frozenset(kept)


def _way(provider: Provider, is_marked: bool) -> _Way:
    return (
        turns(operation for operation, _ in provider.offers),
        provider.vendor if provider.vendor in HAVE_OWN_TERMS else "",
        provider.body_form,
        provider.fields,
        is_marked and provider.vendor in HAVE_CACHE_KEYS,
        provider.betas,
    )
