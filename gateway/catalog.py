"""What models cost: a catalog of public prices as data, and the sums done with it.

Everything is an integer: nanodollars, and nanodollars per million tokens.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from types import MappingProxyType

from gateway.model import Price
from gateway.usage import Usage

NANODOLLARS_PER_DOLLAR = 1_000_000_000
_MILLION = 1_000_000


def usd_per_million(amount: str | Decimal) -> int:
    """Nanodollars per million tokens, from dollars per million tokens: `"0.075"`.

    Raises ValueError for what is no price: no number, below zero, or finer than a nanodollar.
    """
    try:
        nanodollars = Decimal(amount) * NANODOLLARS_PER_DOLLAR
    except InvalidOperation:
        raise ValueError(f"not a number of dollars: '{amount}'") from None
    if not nanodollars.is_finite() or nanodollars < 0 or nanodollars != int(nanodollars):
        raise ValueError(f"not a price in dollars: '{amount}'")
    return int(nanodollars)


def cost(price: Price, usage: Usage) -> int:
    """Nanodollars for one call, rounded up. `usage.input_tokens` has all parts of the input."""
    cached, written = usage.cached_input_tokens, usage.cache_write_tokens
    plain = max(0, usage.input_tokens - cached - written)
    total = (
        plain * price.input
        + cached * price.cached_input
        + written * price.cache_write
        + usage.output_tokens * price.output
    )
    return -(-total // _MILLION)


def price_of(prices: Mapping[str, Price], provider: str, vendor: str, model: str) -> Price | None:
    """The price of a provider's model: the provider's own, the vendor's, or the bare model's.

    A dated version, `gpt-5-2025-08-07`, costs what the model without the date costs.
    """
    for name in _names(model):
        for key in (f"{provider}/{name}", f"{vendor}/{name}", name):
            price = prices.get(key)
            if price is not None:
                return price
    return None


def _names(model: str) -> Iterator[str]:
    yield model
    for size in (len("-2026-01-15"), len("-20260115")):
        name, suffix = model[:-size], model[-size:]
        digits = suffix[1:].replace("-", "")
        if name and suffix[0] in "-@" and len(digits) == 8 and digits.isdecimal():
            yield name


@cache
def catalog() -> Mapping[str, Price]:
    """Public list prices by `vendor/model`."""
    document = json.loads(Path(__file__).with_name("catalog.json").read_text("utf-8"))
    return MappingProxyType({key: _price(row) for key, row in document["prices"].items()})


def _price(row: Mapping[str, str]) -> Price:
    """What a row leaves out costs what plain input costs."""
    plain = row["input"]
    return Price(
        input=usd_per_million(plain),
        output=usd_per_million(row["output"]),
        cached_input=usd_per_million(row.get("cached_input", plain)),
        cache_write=usd_per_million(row.get("cache_write", plain)),
    )
