"""What models cost: a catalog of public prices as data, and the sums done with it.

Everything is an integer: nanodollars, and nanodollars per million tokens.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import MappingProxyType

from msgspec import structs

from gateway import price_names
from gateway.price import Price
from gateway.price_rows import price_of_row
from gateway.usage import Usage

_MILLION = 1_000_000

_SOME_OF_ALL = Usage(
    input_tokens=6,
    output_tokens=4,
    cached_input_tokens=1,
    cache_write_tokens=2,
    cache_write_1h_tokens=1,
    reasoning_tokens=1,
    audio_input_tokens=1,
    image_input_tokens=1,
    audio_output_tokens=1,
    image_output_tokens=1,
    images=1,
    milliseconds=1,
    searches=1,
    characters=1,
)


def cost(price: Price, usage: Usage) -> int:
    """Nanodollars for one call, rounded up once.

    `usage.input_tokens` and `output_tokens` have all their parts. Counts below zero are none.
    """
    if not price.above and usage.is_plain:
        read, written = max(0, usage.input_tokens), max(0, usage.output_tokens)
        total = read * price.input + written * price.output + price.request * _MILLION
        return -(-total // _MILLION)
    at = _in_force(price, usage)
    total = _input_cost(at, usage) + _output_cost(at, usage) + at.request * _MILLION
    if usage.characters > 0:
        total += usage.characters * at.characters
    if usage.images > 0:
        total += usage.images * _image_price(at, usage.image_kind) * _MILLION
    if usage.milliseconds > 0:
        total += usage.milliseconds * at.second * 1000
    if usage.searches > 0:
        total += usage.searches * at.search * _MILLION
    if usage.drawing is not None:  # at the price of its own model
        total += usage.drawing.cost * _MILLION
    return -(-total // _MILLION)


def with_drawing(usage: Usage, price: Price | None) -> Usage:
    """What was used, with what its tool took to draw at the price of the tool's model."""
    drawing = usage.drawing
    if drawing is None or price is None:
        return usage
    return structs.replace(usage, drawing=structs.replace(drawing, cost=cost(price, drawing.usage)))


def is_free(price: Price) -> bool:
    """Whether no call costs anything at it, whatever it takes."""
    others = (*price.above, *price.service_tiers)
    return (
        cost(replace(price, above=(), service_tiers=()), _SOME_OF_ALL) == 0
        and not any(each for _, each in price.images)
        and all(is_free(other) for _, other in others)
    )


def dearest(prices: Sequence[Price | None]) -> Price | None:
    """A price that no call exceeds at any of these; None when one is unknown, or there is none."""
    known = [price for price in prices if price is not None]
    if not known or len(known) < len(prices):
        return None
    if len(known) == 1:
        return known[0]
    tiers = sorted({name for price in known for name, _ in price.service_tiers})
    by_tier = (
        (tier, _dearest_by_size([_served(price, tier) for price in known])) for tier in tiers
    )
    return replace(_dearest_by_size(known), service_tiers=tuple(by_tier))


def price_of(prices: Mapping[str, Price], provider: str, vendor: str, model: str) -> Price | None:
    """The price of a provider's model: the provider's own, the vendor's, or the bare model's.

    A dated version, `gpt-5-2025-08-07`, costs what the model without the date costs.
    """
    for key in price_names.keys(provider, vendor, model):
        price = prices.get(key)
        if price is not None:
            return price
    return None


@cache
def catalog() -> Mapping[str, Price]:
    """Public list prices by `vendor/model`."""
    document = json.loads(Path(__file__).with_name("catalog.json").read_text("utf-8"))
    return MappingProxyType({key: price_of_row(row) for key, row in document["prices"].items()})


def _in_force(price: Price, usage: Usage) -> Price:
    """The part of a price that counts for a call."""
    if usage.service_tier and price.service_tiers:
        price = _served(price, usage.service_tier)
    return _at_size(price, usage.input_tokens)


def _served(price: Price, service_tier: str) -> Price:
    """Of a tier that the price does not know: the standard one. `ON_DEMAND_FLEX` is `flex`."""
    asked = service_tier.lower()
    for name, tier in price.service_tiers:
        if asked == name or asked.endswith(f"_{name}"):
            return tier
    return price


def _at_size(price: Price, input_tokens: int) -> Price:
    for above, tier in reversed(price.above):
        if input_tokens > above:
            return tier
    return price


def _input_cost(price: Price, usage: Usage) -> int:
    """Most calls have few of the parts, so that each is looked at first."""
    plain, total = usage.input_tokens, 0
    if (cached := usage.cached_input_tokens) > 0:
        plain -= cached
        total += cached * price.cached_input
    if (kept := usage.cache_write_1h_tokens) > 0:
        plain -= kept
        total += kept * _or(price.cache_write_1h, price.cache_write)
    if (written := usage.cache_write_tokens - max(0, kept)) > 0:
        plain -= written
        total += written * price.cache_write
    if (audio := usage.audio_input_tokens) > 0:
        plain -= audio
        total += audio * _or(price.audio_input, price.input)
    if (images := usage.image_input_tokens) > 0:
        plain -= images
        total += images * _or(price.image_input, price.input)
    return total + plain * price.input if plain > 0 else total


def _output_cost(price: Price, usage: Usage) -> int:
    plain, total = usage.output_tokens, 0
    if (reasoning := usage.reasoning_tokens) > 0:
        plain -= reasoning
        total += reasoning * _or(price.reasoning, price.output)
    if (audio := usage.audio_output_tokens) > 0:
        plain -= audio
        total += audio * _or(price.audio_output, price.output)
    if (images := usage.image_output_tokens) > 0:
        plain -= images
        total += images * _or(price.image_output, price.output)
    return total + plain * price.output if plain > 0 else total


def _or(price: int | None, otherwise: int) -> int:
    return otherwise if price is None else price


def _image_price(price: Price, kind: str) -> int:
    """Of its quality and size, else of its size alone, else of any image."""
    if kind and price.images:
        known = dict(price.images)
        found = known.get(kind, known.get(kind.rpartition("/")[2]))
        if found is not None:
            return found
    return price.image


def _dearest_by_size(prices: Sequence[Price]) -> Price:
    sizes = sorted({size for price in prices for size, _ in price.above})
    above = ((size, _largest([_at_size(price, size + 1) for price in prices])) for size in sizes)
    return replace(_largest(prices), above=tuple(above))


def _largest(prices: Sequence[Price]) -> Price:
    """Field by field, of one size and tier."""
    kinds = sorted({kind for price in prices for kind, _ in price.images})

    def largest(rate: Callable[[Price], int]) -> int:
        return max(map(rate, prices))

    return Price(
        input=largest(lambda price: price.input),
        output=largest(lambda price: price.output),
        cached_input=largest(lambda price: price.cached_input),
        cache_write=largest(lambda price: price.cache_write),
        cache_write_1h=largest(lambda price: _or(price.cache_write_1h, price.cache_write)),
        reasoning=largest(lambda price: _or(price.reasoning, price.output)),
        audio_input=largest(lambda price: _or(price.audio_input, price.input)),
        image_input=largest(lambda price: _or(price.image_input, price.input)),
        audio_output=largest(lambda price: _or(price.audio_output, price.output)),
        image_output=largest(lambda price: _or(price.image_output, price.output)),
        characters=largest(lambda price: price.characters),
        image=largest(lambda price: price.image),
        images=tuple((kind, max(_image_price(price, kind) for price in prices)) for kind in kinds),
        second=largest(lambda price: price.second),
        search=largest(lambda price: price.search),
        request=largest(lambda price: price.request),
    )
