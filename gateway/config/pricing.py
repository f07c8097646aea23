"""Prices: what the operator wrote over what the catalog knows."""

from __future__ import annotations

from gateway.catalog import catalog, price_of
from gateway.config.llm import LlmBlock
from gateway.config.price import PriceBlock
from gateway.model import Target
from gateway.price import Price
from gateway.price_rows import price_of_row


def prices(llm: LlmBlock) -> dict[str, Price]:
    """The catalog under the overrides. A bare model name overrides it for every vendor."""
    written = {name: price(block) for name, block in llm.prices.items()}
    listed = {
        name: known for name, known in catalog().items() if name.partition("/")[2] not in written
    }
    return {**listed, **written}


def price(block: PriceBlock) -> Price:
    """USD as integers."""
    return price_of_row(block.model_dump(exclude_none=True))


def is_priced(target: Target, llm: LlmBlock, known: dict[str, Price]) -> bool:
    """Whether a target's calls can be counted in money."""
    vendor = llm.providers[target.provider].type
    return price_of(known, target.provider, vendor, target.model) is not None
