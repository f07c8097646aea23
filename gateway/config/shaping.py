"""What a model or a provider adds to the bodies of requests, takes from them, and copies."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)

from gateway.cel import compile_value
from gateway.config.block import Block, refusal
from gateway.config.policies import refuse_answers
from gateway.config.referenced import TextFile
from gateway.config.scalars import Flag, TokenCount
from gateway.shaping import NULL, CacheMarks, Fields, path_of

_DECIDED: Mapping[str, str] = {
    "model": "rules and budgets are about the model that was asked for",
    "stream": "whether an answer is streamed, the client decides",
    **dict.fromkeys(
        ("system", "instructions", "systeminstruction"), "write system_prompt at the model"
    ),
    **dict.fromkeys(("messages", "input", "contents", "prompt"), "what is asked, the client says"),
}
"""Folded names of fields that are not shaped, nor what is in them, and what to do instead."""
_COUNTED = frozenset(
    {
        "candidatecount",
        "generationconfig",
        "inferenceconfig",
        "maxcompletiontokens",
        "maxoutputtokens",
        "maxtokens",
        "n",
    }
)
"""Those that budgets count, which is before a provider is told, and objects that hold them."""
_LONGEST_NAME = 128
_UNKNOWN_YET = ("llm.provider", "resource.namespace")


def folded(name: str) -> str:
    """Names that some reader takes for one."""
    return name.replace("_", "").casefold()


def _field(name: str) -> str:
    path = path_of(name)
    if not name.isascii() or not name.isprintable() or len(name) > _LONGEST_NAME or "" in path:
        example = "'a.b' is the field b of the object a"
        raise refusal("must be the name of a field of a body", example, is_shown=False)
    hint = _DECIDED.get(folded(path[0]))
    if hint is not None:
        raise refusal(f"'{name}' cannot be set", hint, is_shown=False)
    return name


def _late_field(name: str) -> str:
    outer, *inner = map(folded, path_of(name))
    if not _COUNTED.isdisjoint(inner) or (outer in _COUNTED and not inner):
        hint = "write it at the model: budgets count it before a provider is chosen"
        raise refusal(f"'{name}' cannot be set at a provider", hint, is_shown=False)
    return name


@dataclass(frozen=True, slots=True)
class Json:
    """Any value, as JSON."""

    text: str


def _json(value: object) -> Json:
    return Json(json.dumps(value, ensure_ascii=False, default=_fraction))


def _fraction(value: object) -> float:
    if isinstance(value, Decimal):
        return float(value)
    raise refusal("must be a value that JSON has", is_shown=False)


def _written(value: Json) -> object:
    return json.loads(value.text)


def _value_expression(value: str) -> str:
    compiled = compile_value(value)
    if isinstance(compiled, str):
        raise refusal(f"in the expression, {compiled}", is_shown=False)
    refuse_answers(compiled.names)
    for name in _UNKNOWN_YET:
        if name in compiled.names:
            hint = "bodies are shaped before a provider is chosen"
            raise refusal(f"'{name}' is not known here", hint, is_shown=False)
    return value


def _percent(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise refusal("must be a number")
    try:
        number = float(value)
    except ValueError:
        raise refusal("must be a number") from None
    if not 0 <= number <= 100:
        raise refusal("must be from 0 to 100")
    return number


def _prompt(value: str) -> str:
    if not value.strip():
        raise refusal("must not be empty", is_shown=False)
    return value


def _unique(names: Iterable[str]) -> None:
    known: dict[tuple[str, ...], str] = {}
    for name in names:
        other = known.setdefault(tuple(map(folded, path_of(name))), name)
        if other != name:
            raise refusal(f"has both '{other}' and '{name}', which are one field", is_shown=False)
    for path, name in known.items():
        for length in range(1, len(path)):
            outer = known.get(path[:length])
            if outer is not None:
                hint = f"write '{outer}' whole, or each of its fields by itself"
                raise refusal(f"has both '{outer}' and '{name}' in it", hint, is_shown=False)


FieldName: TypeAlias = Annotated[str, AfterValidator(_field)]
LateFieldName: TypeAlias = Annotated[FieldName, AfterValidator(_late_field)]
FieldValue: TypeAlias = Annotated[
    Json, PlainValidator(_json), PlainSerializer(_written), WithJsonSchema({"format": "json"})
]
ValueExpression: TypeAlias = Annotated[
    str, AfterValidator(_value_expression), WithJsonSchema({"type": "string", "format": "cel"})
]
Percent: TypeAlias = Annotated[
    float,
    PlainValidator(_percent),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0, "maximum": 100}]}),
]
Prompt: TypeAlias = Annotated[str, AfterValidator(_prompt), WithJsonSchema({"type": "string"})]
FieldValues: TypeAlias = dict[FieldName, FieldValue]
LateFieldValues: TypeAlias = dict[LateFieldName, FieldValue]


class SystemPromptBlock(Block):
    """What a model is told before and after the client's own system prompt, in the client's
    dialect."""

    prepend: Prompt | None = None
    """Before it."""
    append: Prompt | None = None
    """After it."""
    prepend_file: TextFile | None = None
    """Instead of `prepend`: the path of a file with the text."""
    append_file: TextFile | None = None
    """Instead of `append`: the path of a file with the text."""

    @model_validator(mode="after")
    def _says_something_once(self) -> SystemPromptBlock:
        for place in ("prepend", "append"):
            text, file = getattr(self, place), getattr(self, f"{place}_file")
            if text is not None and file is not None:
                raise refusal(f"has both {place} and {place}_file", is_shown=False)
            if file is not None and not file.text.strip():
                raise refusal(f"has a {place}_file that is empty", is_shown=False)
        if not (self.before or self.after):
            raise refusal("needs prepend or append", is_shown=False)
        return self

    @property
    def before(self) -> str:
        """The text, wherever it stands."""
        file = self.prepend_file
        return self.prepend or (file.text.strip() if file is not None else "")

    @property
    def after(self) -> str:
        """The text, wherever it stands."""
        file = self.append_file
        return self.append or (file.text.strip() if file is not None else "")


class PromptCachingBlock(Block):
    """Marks for the prompt caches of Anthropic, of Claude elsewhere, of Bedrock and of OpenAI, put
    where the client has set none of its own."""

    system: Flag = True
    """The system prompt is marked."""
    tools: Flag = True
    """The tools are marked."""
    messages: Literal["last", "none"] = "none"
    """`last`: the conversation is marked at its end, for the next turn."""
    ttl: Literal["5m", "1h", "24h"] = "5m"
    """How long it is kept. Anthropic and Bedrock keep for 5m or 1h; of OpenAI's models 24h asks for
    extended retention."""
    min_tokens: TokenCount = 1024
    """No prompt is marked that is shorter, by an estimate of four bytes for a token."""

    def meaning(self) -> CacheMarks:
        """What was written."""
        is_last = self.messages == "last"
        return CacheMarks(self.system, self.tools, is_last, self.ttl, self.min_tokens)


class MirrorBlock(Block):
    """Some requests are sent a second time, to another model, whose answer nobody gets."""

    to: str = Field(min_length=1, max_length=256)
    """A reference: `provider/model`, or the name of another model, of which the first target is
    taken."""
    percent: Percent
    """Of the requests; 0 to 100."""


def set_once(*blocks: Iterable[str]) -> None:
    """Refuses two names of one block that stand for one field."""
    for names in blocks:
        _unique(names)


def fields(defaults: Mapping[str, Json], overrides: Mapping[str, Json]) -> Fields:
    """What these fields are to be. A default that is null says nothing."""
    return Fields(
        tuple((name, each.text) for name, each in defaults.items() if each.text != NULL),
        tuple((name, each.text) for name, each in overrides.items()),
    )
