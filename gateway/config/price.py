"""What a model costs, as it is written: by tokens, images, seconds, searches, size and service."""

from __future__ import annotations

from pydantic import Field, model_validator

from gateway.config.block import Block, refusal
from gateway.config.scalars import Dollars, Factor, Text, TokenCount


class TokenRates(Block):
    """Rates for tokens, in USD per million."""

    input: Dollars | None = None
    """Tokens sent."""
    output: Dollars | None = None
    """Tokens received, with those of reasoning."""
    cached_input: Dollars | None = None
    """Tokens sent that the provider had cached. Default: the price of input."""
    cache_write: Dollars | None = None
    """Tokens that the provider wrote to its cache. Default: the price of input."""
    cache_write_1h: Dollars | None = None
    """Tokens that it keeps there for an hour. Default: the price of `cache_write`."""
    reasoning: Dollars | None = None
    """Tokens of reasoning. Default: the price of output."""
    audio_input: Dollars | None = None
    """Tokens of sound sent. Default: the price of input."""
    image_input: Dollars | None = None
    """Tokens of images sent. Default: the price of input."""
    audio_output: Dollars | None = None
    """Tokens of sound received. Default: the price of output."""
    image_output: Dollars | None = None
    """Tokens of images received. Default: the price of output."""


class SizeTier(TokenRates):
    """Rates of calls with a large input, in USD per million tokens. They count for the whole call;
    what is left out costs what it does without the tier."""

    above: TokenCount
    """How many tokens the input must exceed, cached ones included."""


class UnitPrices(TokenRates):
    """Rates for tokens, and prices of what is no token, in USD."""

    characters: Dollars | None = None
    """A million characters of text that is spoken."""
    image: Dollars | None = None
    """An image that is made, of a kind that `images` does not name."""
    images: dict[Text, Dollars] = Field(default={})
    """An image that is made, by size or by quality and size: `1024x1024`, `hd/1024x1792`."""
    second: Dollars | None = None
    """A second of sound, heard or spoken."""
    search: Dollars | None = None
    """A search, where the provider charges for each."""
    request: Dollars | None = None
    """A call."""
    tiers: tuple[SizeTier, ...] = ()
    """Rates of calls with large inputs."""

    @model_validator(mode="after")
    def _has_each_size_once(self) -> UnitPrices:
        sizes = [tier.above for tier in self.tiers]
        if len(set(sizes)) < len(sizes):
            raise refusal("has two tiers above the same number of tokens", is_shown=False)
        return self


class ServiceTier(UnitPrices):
    """What calls cost that the provider serves otherwise. What is left out costs what it does at
    the standard, times `factor`."""

    factor: Factor | None = None
    """Times what the standard costs: `0.5`. Searches and calls are not multiplied. With a factor,
    the standard's tiers count too, multiplied; without one, there are none but those written
    here."""


class PriceBlock(UnitPrices):
    """What a model costs: input and output in USD per million tokens, or a price for what else is
    paid for."""

    service_tiers: dict[Text, ServiceTier] = Field(default={})
    """What is paid where the answer says that it was served as `flex`, `priority`, `batch`. A tier
    that is not named here costs the standard."""
    as_of: Text | None = None
    """On which day this was seen. For readers alone."""

    @model_validator(mode="after")
    def _says_what_is_paid_for(self) -> PriceBlock:
        if (self.input is None) != (self.output is None):
            missing = "input" if self.input is None else "output"
            raise refusal(f"needs {missing} too; '{missing}: 0' if it is free", is_shown=False)
        others = (self.characters, self.image, self.second, self.search, self.request)
        if self.input is None and not self.images and all(each is None for each in others):
            raise refusal("needs input and output, or another price", is_shown=False)
        return self
