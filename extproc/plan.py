"""Where a request may be served, in order: the model that was asked for → a Plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from extproc import wire
from gateway import names
from gateway.attempts import is_renamed
from gateway.catalog import price_of
from gateway.model import Model, Price, Provider, Target

_CHAT_PATH = "/chat/completions"
_REMOVED_HEADERS = ("accept-encoding",)  # so that Envoy can read the usage in the answer


class Steering(StrEnum):
    """How an Envoy is told where a request is to go."""

    METADATA = "metadata"
    """It goes through the plan itself (`priority_group`, 1.40)."""
    HEADER = names.STEERED_BY_HEADER
    """It has a cluster for each plan, and is told its name."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The tries of one request, in order."""

    model: str
    """The name that the first provider knows."""
    provider: str
    """The first provider."""
    prices: Mapping[str, Price | None]
    """Of each try, by cluster."""
    clusters: tuple[str, ...]
    """Of each try, in order."""
    dearest: Price | None
    """Of all tries, field by field; None when some try has no price."""
    reply: bytes
    """What `events.Forward` carries."""


class Planner:
    """The models of a program. Plans are made once for each choice of targets, and kept."""

    def __init__(
        self,
        models: Sequence[Model],
        providers: Sequence[Provider],
        prices: Mapping[str, Price],
        choose: Callable[[], float],
        steering: Steering = Steering.METADATA,
    ) -> None:
        """`choose` gives numbers in [0, 1): it decides between the targets of a tier."""
        self._steering = steering
        self._exact = {model.name: model for model in models if "*" not in model.name}
        self._patterns = tuple(_pattern(model) for model in models if "*" in model.name)
        self._vendors = {provider.name: provider.vendor for provider in providers}
        self._prices = prices
        self._choose = choose
        self._made: dict[tuple[Target, ...], Plan] = {}
        self._fixed = {
            name: self._planned(tuple(tier[0] for tier in model.tiers))
            for name, model in self._exact.items()
            if all(len(tier) == 1 for tier in model.tiers)
        }
        """Of the models that leave nothing to choose."""

    def plan(self, asked: str) -> Plan | None:
        """The plan for a model, None when nobody serves it."""
        plan = self._fixed.get(asked)
        if plan is not None:
            return plan
        model = self._exact.get(asked)
        if model is not None:
            return self._planned(self._chosen(model))
        for prefix, suffix, pattern in self._patterns:
            if (
                len(asked) >= len(prefix) + len(suffix)
                and asked.startswith(prefix)
                and asked.endswith(suffix)
            ):
                matched = asked[len(prefix) : len(asked) - len(suffix)]
                return self._made_for(self._filled(self._chosen(pattern), matched))
        return None

    def _chosen(self, model: Model) -> tuple[Target, ...]:
        return tuple(
            tier[0] if len(tier) == 1 else _weighted(tier, self._choose()) for tier in model.tiers
        )

    def _planned(self, targets: tuple[Target, ...]) -> Plan:
        plan = self._made.get(targets)
        if plan is None:
            plan = self._made[targets] = self._made_for(targets)
        return plan

    @staticmethod
    def _filled(targets: tuple[Target, ...], matched: str) -> tuple[Target, ...]:
        return tuple(
            Target(target.provider, target.model.replace("*", matched, 1), target.weight)
            for target in targets
        )

    def _made_for(self, targets: tuple[Target, ...]) -> Plan:
        first = targets[0]
        prices: dict[str, Price | None] = {}
        models: dict[str, str] = {}
        clusters: list[str] = []
        for place, target in enumerate(targets, 1):
            if is_renamed(first, target):
                cluster = names.attempt_cluster(target.provider, place)
                models[cluster] = target.model
            else:
                cluster = names.provider_cluster(target.provider)
            clusters.append(cluster)
            prices[cluster] = price_of(
                self._prices, target.provider, self._vendors[target.provider], target.model
            )
        return Plan(
            model=first.model,
            provider=first.provider,
            prices=prices,
            clusters=tuple(clusters),
            dearest=_dearest(tuple(prices.values())),
            reply=self._reply(targets, clusters, models),
        )

    def _reply(
        self, targets: Sequence[Target], clusters: Sequence[str], models: Mapping[str, str]
    ) -> bytes:
        steered = wire.Steered(len(targets), _CHAT_PATH, models, _REMOVED_HEADERS)
        match self._steering:
            case Steering.METADATA:
                return wire.encode_plan(steered, clusters)
            case Steering.HEADER:
                plan = names.plan_cluster([target.provider for target in targets])
                return wire.encode_plan_in_header(steered, plan)


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


def _dearest(prices: tuple[Price | None, ...]) -> Price | None:
    known = [price for price in prices if price is not None]
    if len(known) < len(prices):
        return None
    return Price(
        input=max(price.input for price in known),
        output=max(price.output for price in known),
        cached_input=max(price.cached_input for price in known),
        cache_write=max(price.cache_write for price in known),
    )
