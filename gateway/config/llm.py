"""LLM providers, the models that clients may ask for, and what they cost."""

from __future__ import annotations

import re
from typing import Annotated, TypeAlias

from pydantic import (
    AfterValidator,
    Field,
    GetJsonSchemaHandler,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from gateway.config.block import Block, refusal
from gateway.config.failover import FailoverBlock
from gateway.config.paths import PathsBlock
from gateway.config.price import PriceBlock
from gateway.config.providers import ProviderBlock
from gateway.config.scalars import FilePattern, Flag, Name, Text, Weight
from gateway.model import Lossiness

REFUSE = "refuse"
"""In the place of a provider."""

_MODEL_NAME = re.compile(r"[^\s\x00-\x1f\x7f]{1,256}")


def _model_name(value: str) -> str:
    if not _MODEL_NAME.fullmatch(value):
        raise refusal("must be the name of a model, without spaces")
    if value.count("*") > 1:
        raise refusal("may contain one '*'")
    return value


ModelName: TypeAlias = Annotated[
    str, AfterValidator(_model_name), WithJsonSchema({"type": "string", "format": "model"})
]
Reference: TypeAlias = Annotated[
    str, AfterValidator(_model_name), WithJsonSchema({"type": "string", "format": "reference"})
]


class ModelBlock(Block):
    """One model that clients may ask for. Instead of a block: one reference, `openai/gpt-5`.

    A reference is `provider/model`, or the name of another model here; a model's own name
    stands for the provider's model of that name.
    """

    provider: Name | None = None
    """The provider that serves it."""
    model: ModelName | None = None
    """What the provider calls it. Default: the same name, or for `local/*` whatever the `*` stands
    for. A `*` here stands for what the `*` of the name matched."""
    failover: Annotated[tuple[Reference, ...], Field(min_length=1)] | None = None
    """References tried in order, within the same request, until one answers."""
    weighted: Annotated[dict[Reference, Weight], Field(min_length=1)] | None = None
    """References and the share of requests that each gets."""
    listed: Flag = True
    """Whether `/v1/models` shows it. Names with a `*` are never shown."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        found = handler(core_schema)
        block = handler.resolve_ref_schema(found)
        as_block = dict(block)
        block.clear()
        block |= {"anyOf": [as_block, {"type": "string", "format": "reference"}]}
        return found

    @model_validator(mode="before")
    @classmethod
    def _from_reference(cls, data: object) -> object:
        return {"failover": [data]} if isinstance(data, str) else data

    @model_validator(mode="after")
    def _says_one_thing(self) -> ModelBlock:
        said = [self.provider, self.failover, self.weighted]
        if sum(each is not None for each in said) != 1:
            raise refusal("needs exactly one of provider, failover and weighted")
        if self.model is not None and self.provider is None:
            raise refusal("has a model without a provider", "write provider/model in the list")
        return self


class LlmBlock(Block):
    """Large language models."""

    providers: dict[Name, ProviderBlock] = Field(default={})
    """Who serves models, by a name of your choice."""
    models: dict[ModelName, ModelBlock] = Field(default={})
    """What clients may ask for. A name may contain one `*`; exact names go first, then the
    longest."""
    prices: dict[Text, PriceBlock] = Field(default={})
    """Prices over those of the built-in catalog, by `provider/model`, `vendor/model` or `model`;
    the first that is known counts, in this order."""
    price_files: tuple[FilePattern, ...] = ()
    """Files of prices, in YAML or JSON, with what could stand under `prices`; relative to the file
    that names them. A copy of the built-in catalog, `gateway/catalog.json`, is one too. A file that
    changes counts for new requests at once."""
    paths: PathsBlock = PathsBlock()
    """Where clients find the APIs."""
    unknown_paths: Name = REFUSE
    """What becomes of requests under these prefixes at paths that are none of an API known here:
    they are refused, or go to this provider as they are, with its credentials. Nothing of their
    bodies is read: rules and limits that are about models do not hold for them."""
    failover: FailoverBlock = FailoverBlock()
    """How a request goes through the targets of its model."""
    lossy: Lossiness = Lossiness.HINTS
    """How much of a request may be lost when a provider speaks another dialect than the client:
    nothing, hints that leave the question what it was (a seed, a penalty, a cache mark), or
    whatever cannot be expressed. What may not be lost is refused with 400."""
