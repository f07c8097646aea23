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

from gateway.cel import compile_text
from gateway.choice import STICKY_HEADER, is_expression
from gateway.config.block import Block, block_or_text, refusal
from gateway.config.failover import FailoverBlock
from gateway.config.paths import PathsBlock
from gateway.config.policies import Condition, refuse_answers
from gateway.config.price import PriceBlock
from gateway.config.providers import ProviderBlock
from gateway.config.scalars import FilePattern, Flag, Name, Text, Weight, header_name
from gateway.config.shaping import (
    FieldName,
    FieldValues,
    MirrorBlock,
    PromptCachingBlock,
    SystemPromptBlock,
    ValueExpression,
    set_once,
)
from gateway.model import Lossiness

REFUSE = "refuse"
"""In the place of a provider."""
WAYS = ("provider", "failover", "weighted", "conditional", "cheapest", "fastest")
"""In which a model can be served."""

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


def _sticky(value: str) -> str:
    if value.startswith(STICKY_HEADER):
        return STICKY_HEADER + header_name(value.removeprefix(STICKY_HEADER))
    if not is_expression(value):
        return value
    compiled = compile_text(value)
    if isinstance(compiled, str):
        raise refusal(
            f"in the expression, {compiled}",
            "key, user, team, header:NAME, or CEL that yields a text",
            is_shown=False,
        )
    refuse_answers(compiled.names)
    return value


Sticky: TypeAlias = Annotated[
    str, AfterValidator(_sticky), WithJsonSchema({"type": "string", "format": "sticky"})
]


class BranchBlock(Block):
    """One branch of a conditional model."""

    when: Condition | None = None
    """When it is taken. One that cannot be evaluated does not hold. The last needs none."""
    use: Reference
    """Where the request goes then."""


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
    sticky: Sticky | None = None
    """With `weighted`: what always gets the same reference, as long as that answers: `key`, `user`,
    `team`, `header:x-session-id`, or CEL that yields a text. The others follow when it fails.
    Requests without it are shared out by chance."""
    conditional: Annotated[tuple[BranchBlock, ...], Field(min_length=1)] | None = None
    """References and their conditions; the first counts whose condition holds. When none does, the
    request is refused with 404."""
    cheapest: Annotated[tuple[Reference, ...], Field(min_length=1)] | None = None
    """References, of which the one is tried first that costs least for the request: by its
    estimated input, and its limit on the output or 1024 tokens. The others follow when it fails,
    the unpriced last."""
    fastest: Annotated[tuple[Reference, ...], Field(min_length=1)] | None = None
    """References, of which the one is tried first that was last seen to begin its answers soonest.
    The others follow when it fails. Each worker sees for itself, and now and then tries one of
    which it has seen nothing for five minutes."""
    listed: Flag = True
    """Whether `/v1/models` shows it. Names with a `*` are never shown."""
    internal: Flag = False
    """Only other models lead to it: to clients it does not exist."""
    defaults: FieldValues = Field(default={})
    """Fields of the client's body, in the client's dialect, where it has none; `a.b` is the field
    `b` of the object `a`. This and what follows counts for requests that ask for this model by its
    own name."""
    overrides: FieldValues = Field(default={})
    """Fields of the client's body, whatever it has there; `null` removes."""
    transformations: dict[FieldName, ValueExpression] = Field(default={})
    """Fields of the client's body, and CEL that yields what they are to be, whatever it
    has there and whatever `overrides` says. `null`, and what cannot be evaluated, removes."""
    system_prompt: SystemPromptBlock | None = None
    """What is said before and after the client's system prompt."""
    prompt_caching: PromptCachingBlock | None = None
    """What providers are asked to keep for the next request."""
    mirror: MirrorBlock | None = None
    """Who gets a copy of some requests."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return block_or_text(core_schema, handler, "reference")

    @model_validator(mode="before")
    @classmethod
    def _from_reference(cls, data: object) -> object:
        return {"failover": [data]} if isinstance(data, str) else data

    @model_validator(mode="after")
    def _says_one_thing(self) -> ModelBlock:
        said = [getattr(self, name) for name in WAYS]
        if sum(each is not None for each in said) != 1:
            raise refusal(f"needs exactly one of {', '.join(WAYS[:-1])} and {WAYS[-1]}")
        if self.sticky is not None and self.weighted is None:
            raise refusal("is sticky without being weighted", "give each reference a weight")
        if self.model is not None and self.provider is None:
            raise refusal("has a model without a provider", "write provider/model in the list")
        return self

    @model_validator(mode="after")
    def _sets_each_field_once(self) -> ModelBlock:
        set_once(self.defaults, self.overrides, self.transformations)
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
    stored_at: tuple[Name, ...] = ()
    """Who keeps files, uploads, batches and stored responses: of these providers the first that has
    such an API. They belong to the account and not to who asks: everybody who may ask at all can
    read and delete those of everybody else. So by default such requests are refused. Nothing of
    them is read but the headers, and, where guards read requests, batches of Anthropic's messages
    that are made; what is to be cached at Google is read as any prompt. Rules may look at
    `request.path` and `request.method`. What batches cost is counted: the answers tell it."""
    external_authz: Name | None = None
    """Which of the services in `external_authz` is asked about requests of the LLM APIs."""
    failover: FailoverBlock = FailoverBlock()
    """When the next target of a model is tried, and when one is set aside."""
    lossy: Lossiness = Lossiness.HINTS
    """How much of a request may be lost when a provider speaks another dialect than the client:
    nothing, hints that leave the question what it was (a seed, a penalty, a cache mark), or
    whatever cannot be expressed. What may not be lost is refused with 400."""
