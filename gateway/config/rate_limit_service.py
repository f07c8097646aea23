"""What other Envoys ask of us: limits by domain and descriptors, as Envoy's own service has them.

https://github.com/envoyproxy/ratelimit#configuration
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema, model_validator

from gateway.config.block import Block, refusal
from gateway.config.scalars import Flag, Text
from gateway.limits import UNITS, Algorithm, Descriptor, RateLimitService, ServedLimit

_MOST = 2**32 - 1


def _unit(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _known(value: str) -> str:
    if value not in UNITS:
        raise refusal(f"must be one of {', '.join(UNITS)}")
    return value


def _amount(value: Any) -> Any:
    """Digits in a text are what a variable was replaced by."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST:
        raise refusal(f"must be a whole number from 0 to {_MOST}")
    return value


Unit: TypeAlias = Annotated[
    str,
    BeforeValidator(_unit),
    AfterValidator(_known),
    WithJsonSchema({"type": "string", "enum": list(UNITS)}),
]
Requests: TypeAlias = Annotated[
    int,
    BeforeValidator(_amount),
    WithJsonSchema({"type": "integer", "minimum": 0, "maximum": _MOST}),
]


class ServedRateBlock(Block):
    """How much is let through; `unlimited`, or a unit and an amount."""

    unit: Unit | None = None
    """`second`, `minute`, `hour`, `day`, `week`, `month` (30 days) or `year` (365 days)."""
    requests_per_unit: Requests | None = None
    """So many hits in each; 0 lets nothing through."""
    unlimited: Flag = False
    """Nothing is counted."""
    name: Text | None = None
    """Told to who asks."""

    @model_validator(mode="after")
    def _says_how_much(self) -> ServedRateBlock:
        said = (self.unit is not None, self.requests_per_unit is not None)
        if self.unlimited and any(said):
            raise refusal("is unlimited, and has a unit or requests_per_unit", is_shown=False)
        if not self.unlimited and not all(said):
            raise refusal("needs unit and requests_per_unit, or unlimited: true", is_shown=False)
        return self

    @property
    def meaning(self) -> ServedLimit:
        return ServedLimit(
            self.requests_per_unit or 0,
            self.unit or "second",
            is_unlimited=self.unlimited,
            name=self.name or "",
        )


class DescriptorBlock(Block):
    """One entry of a descriptor, and what may follow it."""

    key: Text
    """Of the entry."""
    value: Text | None = None
    """Of the entry. With a `*` at its end, any that begins so; without a value, any: each value is
    counted apart. The exact one is taken first, then the longest beginning, then any."""
    rate_limit: ServedRateBlock | None = None
    """For descriptors that end here. Without it, they are not limited."""
    shadow_mode: Flag = False
    """It is counted, and refuses nothing."""
    descriptors: tuple[DescriptorBlock, ...] = ()
    """For the entry that follows."""

    @model_validator(mode="after")
    def _is_once(self) -> DescriptorBlock:
        _differ(self.descriptors)
        return self

    @property
    def meaning(self) -> Descriptor:
        return Descriptor(
            self.key,
            self.value or "",
            None if self.rate_limit is None else self.rate_limit.meaning,
            self.shadow_mode,
            tuple(each.meaning for each in self.descriptors),
        )


class DomainBlock(Block):
    """All that is asked under one domain; what a file of the reference service has."""

    domain: Text
    """As those say it who ask; unique."""
    descriptors: tuple[DescriptorBlock, ...] = ()
    """For the first entry."""

    @model_validator(mode="after")
    def _is_once(self) -> DomainBlock:
        _differ(self.descriptors)
        return self


class RateLimitServiceBlock(Block):
    """A rate limit service for other Envoys, `envoy.service.ratelimit.v3.RateLimitService`, at the
    address where workers serve ext_proc. They count together, as for `limits`."""

    domains: tuple[DomainBlock, ...] = ()
    """What is asked, domain by domain."""
    algorithm: Algorithm = Algorithm.TOKEN_BUCKET
    """As for `limits`."""

    @model_validator(mode="after")
    def _has_each_domain_once(self) -> RateLimitServiceBlock:
        domains = [each.domain for each in self.domains]
        for name in domains:
            if domains.count(name) > 1:
                raise refusal(f"domains: '{name}' is there twice", is_shown=False)
        return self

    @property
    def meaning(self) -> RateLimitService:
        domains = tuple(
            (each.domain, tuple(one.meaning for one in each.descriptors)) for each in self.domains
        )
        return RateLimitService(domains, self.algorithm)


def _differ(descriptors: Iterable[DescriptorBlock]) -> None:
    seen = set()
    for each in descriptors:
        entry = each.key, each.value
        if entry in seen:
            shown = each.key if each.value is None else f"{each.key}={each.value}"
            raise refusal(f"descriptors: '{shown}' is there twice", is_shown=False)
        seen.add(entry)
