"""Prices: what the operator wrote over what the catalog knows."""

from __future__ import annotations

from gateway.catalog import catalog, price_of, usd_per_million
from gateway.config.llm import LlmBlock, PriceBlock
from gateway.model import Price, Target


def prices(llm: LlmBlock) -> dict[str, Price]:
    """The catalog under the overrides. A bare model name overrides it for every vendor."""
    written = {name: price(block) for name, block in llm.prices.items()}
    listed = {
        name: known for name, known in catalog().items() if name.partition("/")[2] not in written
    }
    return {**listed, **written}


def price(block: PriceBlock) -> Price:
    """USD as integers."""
    cached_input = block.input if block.cached_input is None else block.cached_input
    cache_write = block.input if block.cache_write is None else block.cache_write
    return Price(
        input=usd_per_million(block.input),
        output=usd_per_million(block.output),
        cached_input=usd_per_million(cached_input),
        cache_write=usd_per_million(cache_write),
    )


def is_priced(target: Target, llm: LlmBlock, known: dict[str, Price]) -> bool:
    """Whether a target's calls can be counted in money."""
    vendor = llm.providers[target.provider].type
    return price_of(known, target.provider, vendor, target.model) is not None
