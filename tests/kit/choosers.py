"""Choosers of models, and what may be known of a request for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from extproc.choosing import Chooser, World
from extproc.facts import Facts
from extproc.latencies import Latencies
from extproc.principal import of_key
from extproc.turns import AS_WRITTEN, Turns
from gateway.catalog import price_of
from gateway.config.load import load
from gateway.model import ApiKey, Model, Target
from gateway.price import Price
from gateway.resolve import resolve

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def facts(user: str = "", team: str = "", tokens: int = 0, **headers: str) -> Facts:
    """A request of this user, for the model `m`; `x_session` is the header `x-session`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    found = Facts(NOW, headers=named, model="m", estimated_input_tokens=tokens)
    found.principal = of_key(ApiKey("k", "", user, team)) if user or team else None
    return found


def chooser(
    models: Sequence[Model],
    choose: Callable[[], float] = lambda: 0.0,
    prices: Mapping[str, Price] | None = None,
    latencies: Latencies | None = None,
    turns: Turns = AS_WRITTEN,
) -> Chooser:
    def price(target: Target) -> Price | None:
        return price_of(prices or {}, target.provider, "", target.model)

    return Chooser(models, World(choose, price, latencies or Latencies(lambda: 0.0), turns))


def models(written: str, providers: str = "a b c d e f") -> tuple[Model, ...]:
    """What is written under `llm.models`, with providers of these names."""
    known = ", ".join(f"{name}: {{type: openai, key: k}}" for name in providers.split())
    text = f"llm: {{providers: {{{known}}}, models: {{{written}}}}}"
    config = load(text, file="test.yaml", environment={})
    assert not isinstance(config, tuple), config
    return resolve(config).models
