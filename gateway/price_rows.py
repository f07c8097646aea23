"""A written price, in dollars, as integers: what it leaves out, scales and repeats.

The catalog's rows and the prices of a configuration are written alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from math import ceil
from typing import TypeAlias

from gateway.price import Price

NANODOLLARS_PER_DOLLAR = 1_000_000_000

PER_MILLION_TOKENS = (
    "input",
    "output",
    "cached_input",
    "cache_write",
    "cache_write_1h",
    "reasoning",
    "audio_input",
    "image_input",
    "audio_output",
    "image_output",
)
_MADE = ("characters", "image", "second")
_NEVER_SCALED = ("search", "request")

Row: TypeAlias = Mapping[str, "str | Decimal | int | Row | Sequence[Row]"]
"""As `llm.prices` describes it."""

Amounts: TypeAlias = Mapping[str, int]
"""Nanodollars, by the name of what they are for."""


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


def price_of_row(row: Row) -> Price:
    """Parts of the input that a row leaves out cost what plain input costs.

    What `tiers` leave out costs what it does otherwise; so with `service_tiers`, times their
    `factor`. A service tier with a factor has the row's tiers too; another has none but its own.
    """
    standard = _written(row)
    served = _rows_by_name(row, "service_tiers")
    return replace(
        _price(standard),
        service_tiers=tuple(
            (name.lower(), _price(_served(standard, each))) for name, each in served.items()
        ),
    )


@dataclass(frozen=True, slots=True)
class _Written:
    """What a row says, and nothing that it leaves out."""

    amounts: Amounts
    images: Amounts
    tiers: tuple[tuple[int, Amounts], ...]


def _written(row: Row) -> _Written:
    tiers = row.get("tiers", ())
    images = row.get("images", {})
    if not isinstance(tiers, Sequence) or isinstance(tiers, str) or not isinstance(images, Mapping):
        raise TypeError("tiers are a list of rows, and images a row")
    return _Written(
        _amounts(row, (*PER_MILLION_TOKENS, *_MADE, *_NEVER_SCALED)),
        _amounts(images, tuple(images)),
        tuple((_above(tier), _amounts(tier, PER_MILLION_TOKENS)) for tier in tiers),
    )


def _amounts(row: Row, names: Sequence[str]) -> Amounts:
    found = ((name, row.get(name)) for name in names)
    return {
        name: usd_per_million(value) for name, value in found if isinstance(value, str | Decimal)
    }


def _above(tier: Row) -> int:
    above = tier["above"]
    if not isinstance(above, int):
        raise TypeError(f"a number of tokens is whole, not '{above}'")
    return above


def _rows_by_name(row: Row, name: str) -> Mapping[str, Row]:
    found = row.get(name, {})
    if not isinstance(found, Mapping):
        raise TypeError(f"{name} are rows by name")
    return {key: value for key, value in found.items() if isinstance(value, Mapping)}


def _served(standard: _Written, row: Row) -> _Written:
    own = _written(row)
    factor = row.get("factor")
    base = standard
    if isinstance(factor, str | Decimal):
        base = _scaled(standard, Fraction(factor))
    return _Written(
        {**base.amounts, **own.amounts},
        {**base.images, **own.images},
        own.tiers if own.tiers or factor is None else base.tiers,
    )


def _scaled(written: _Written, factor: Fraction) -> _Written:
    def scaled(amounts: Amounts) -> Amounts:
        return {
            name: amount if name in _NEVER_SCALED else ceil(amount * factor)
            for name, amount in amounts.items()
        }

    tiers = tuple((above, scaled(amounts)) for above, amounts in written.tiers)
    return _Written(scaled(written.amounts), scaled(written.images), tiers)


def _price(written: _Written) -> Price:
    tiers = sorted(written.tiers, key=lambda tier: tier[0])
    above: list[tuple[int, Price]] = []
    amounts = written.amounts
    for size, dearer in tiers:
        amounts = {**amounts, **dearer}
        above.append((size, _flat(amounts, written.images)))
    return replace(_flat(written.amounts, written.images), above=tuple(above))


def _flat(amounts: Amounts, images: Amounts) -> Price:
    plain = amounts.get("input", 0)
    return Price(
        input=plain,
        output=amounts.get("output", 0),
        cached_input=amounts.get("cached_input", plain),
        cache_write=amounts.get("cache_write", plain),
        cache_write_1h=amounts.get("cache_write_1h"),
        reasoning=amounts.get("reasoning"),
        audio_input=amounts.get("audio_input"),
        image_input=amounts.get("image_input"),
        audio_output=amounts.get("audio_output"),
        image_output=amounts.get("image_output"),
        characters=amounts.get("characters", 0),
        image=amounts.get("image", 0),
        images=tuple(images.items()),
        second=amounts.get("second", 0),
        search=amounts.get("search", 0),
        request=amounts.get("request", 0),
    )
