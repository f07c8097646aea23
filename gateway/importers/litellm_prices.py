"""What LiteLLM says that a model costs → `llm.prices`: rates, large inputs, kinds of service.

A key names a rate, then how large the input has to be, then the kind of service:
`input_cost_per_token_above_200k_tokens_priority`. https://docs.litellm.ai/docs/proxy/custom_pricing
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_UP, Decimal
from types import MappingProxyType

from gateway.importers.litellm_values import number
from gateway.importers.walk import Node

_MILLION = 1_000_000
_THOUSAND = 1_000
_DEAREST = 1_000_000
_FINEST = Decimal("1e-9")
_PER_TOKEN: Mapping[str, str] = MappingProxyType(
    {
        "input_cost_per_token": "input",
        "output_cost_per_token": "output",
        "cache_read_input_token_cost": "cached_input",
        "cache_creation_input_token_cost": "cache_write",
        "cache_creation_input_token_cost_above_1hr": "cache_write_1h",
        "output_cost_per_reasoning_token": "reasoning",
        "input_cost_per_audio_token": "audio_input",
        "output_cost_per_audio_token": "audio_output",
        "input_cost_per_image_token": "image_input",
        "output_cost_per_image_token": "image_output",
    }
)
_PER_UNIT: Mapping[str, tuple[str, int]] = MappingProxyType(
    {
        "input_cost_per_character": ("characters", _MILLION),
        "input_cost_per_second": ("second", 1),
        "output_cost_per_second": ("second", 1),
        "output_cost_per_image": ("image", 1),
    }
)
"""What is no token, and how many of it a price of ours is for."""
_ABOVE = re.compile(r"(.+)_above_(\d{1,5})k_tokens")
_SERVICES: Mapping[str, str] = MappingProxyType(
    {"_batches": "batch", "_flex": "flex", "_priority": "priority"}
)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a rate stands in a price of ours."""

    rate: str
    above: int = 0
    service: str = ""


@dataclass(slots=True)
class _Written:
    """Rates of one deployment."""

    rates: dict[_Place, Decimal] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    is_exact: bool = True


def read_price(
    reference: str, params: Node, info: Node, prices: dict[str, dict[str, object]]
) -> None:
    """Takes over the price of a model, as far as it has one."""
    written = _Written()
    for block in (params, info):
        for key, node in block.fields():
            found = _place(key)
            if found is None or node.is_answered:
                continue
            _read(node, *found, written)
    if not written.nodes:
        return
    price = _price(written.rates)
    refusal = _why_none(price, reference, prices)
    for node in written.nodes:
        if refusal:
            node.unsupported(refusal)
        elif written.is_exact:
            node.exact(f"llm.prices.{reference}")
        else:
            node.different(f"llm.prices.{reference}", "rounded up to a billionth of a dollar")
    if not refusal:
        prices[reference] = price


def _place(key: str) -> tuple[_Place, int] | None:
    """Where it belongs, and how many of the unit ours is for. None: ours has no such price."""
    service = next((each for each in _SERVICES if key.endswith(each)), "")
    plain = key.removesuffix(service)
    matched = _ABOVE.fullmatch(plain)
    above = int(matched[2]) * _THOUSAND if matched else 0
    plain = matched[1] if matched else plain
    kind = _SERVICES.get(service, "")
    if plain in _PER_TOKEN:
        return _Place(_PER_TOKEN[plain], above, kind), _MILLION
    if plain in _PER_UNIT and not above:
        rate, count = _PER_UNIT[plain]
        return _Place(rate, 0, kind), count
    return None


def _read(node: Node, place: _Place, count: int, written: _Written) -> None:
    amount = number(node)
    if amount is None:
        return
    if place in written.rates:
        node.unsupported("the one in litellm_params counts, or the one before")
        return
    exactly = amount * count
    if not 0 <= exactly <= _DEAREST:
        node.problem("must be a price in dollars")
        return
    rounded = exactly.quantize(_FINEST, ROUND_UP).normalize()
    written.nodes.append(node)
    written.rates[place] = rounded
    written.is_exact = written.is_exact and rounded == exactly


def _price(rates: Mapping[_Place, Decimal]) -> dict[str, object]:
    price = _of_service(rates, "")
    services = {
        service: block for service in _SERVICES.values() if (block := _of_service(rates, service))
    }
    return {**price, "service_tiers": services} if services else price


def _of_service(rates: Mapping[_Place, Decimal], service: str) -> dict[str, object]:
    own = {place: amount for place, amount in rates.items() if place.service == service}
    block: dict[str, object] = {
        place.rate: amount for place, amount in own.items() if not place.above
    }
    tiers = [
        {
            "above": above,
            **{place.rate: amount for place, amount in own.items() if place.above == above},
        }
        for above in sorted({place.above for place in own} - {0})
    ]
    return {**block, "tiers": tiers} if tiers else block


def _why_none(
    price: Mapping[str, object], reference: str, prices: Mapping[str, dict[str, object]]
) -> str:
    if "*" in reference:
        return "prices are of one model, not of a wildcard"
    has_tokens = "input" in price or "output" in price
    has_units = any(rate in price for rate, _ in _PER_UNIT.values())
    if not ({"input", "output"} <= price.keys() or (has_units and not has_tokens)):
        return "a price needs both input and output: the catalog's counts"
    if prices.get(reference, price) != price:
        return "another deployment of the same model has another price, which counts"
    return ""
