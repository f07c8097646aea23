"""A chat request in no dialect: what every dialect is read into, and written from.

JSON values (schemas, arguments) are those of `protocols.json_spans.decode`. Order is kept
everywhere. What a dialect says beyond this is a `Feature` that only it has: its decoder names it in
`Request.extras`, and it is lost in translation (`losses`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeAlias

from extproc.llm.losses import Feature
from gateway.model import Dialect


class Role(StrEnum):
    """Who speaks."""

    SYSTEM = "system"
    """The operator: OpenAI's `developer` and `system`, wherever in the conversation."""
    USER = "user"
    """The results of tools come from the user, too."""
    ASSISTANT = "assistant"


@dataclass(frozen=True, slots=True)
class CacheMark:
    """Everything up to here may be cached by the provider."""

    ttl: str | None = None
    """`5m` or `1h`; None: the provider's default."""


@dataclass(frozen=True, slots=True)
class Inline:
    """Bytes in the request."""

    media_type: str
    """`image/png`; empty where the dialect does not say."""
    data: str
    """Base64, standard alphabet with padding."""


@dataclass(frozen=True, slots=True)
class Remote:
    """Fetched by the provider."""

    url: str
    media_type: str = ""


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A file that the provider of this dialect already has; means nothing to another."""

    file_id: str
    media_type: str = ""


@dataclass(frozen=True, slots=True)
class Plain:
    """A document that is text."""

    text: str


Source: TypeAlias = Inline | Remote | Uploaded | Plain


@dataclass(frozen=True, slots=True)
class Signature:
    """A provider's seal on its own reasoning: opaque, and worthless to any other provider."""

    value: str
    origin: Dialect
    """Of the provider that sealed it."""


@dataclass(frozen=True, slots=True)
class Text:
    text: str
    cache: CacheMark | None = None
    signature: Signature | None = None
    """Gemini seals parts of any kind."""


@dataclass(frozen=True, slots=True)
class Image:
    source: Source
    detail: str = ""
    """OpenAI's `low`, `high`, `auto`; empty: not said."""
    cache: CacheMark | None = None
    signature: Signature | None = None
    """Of one that a model made."""


@dataclass(frozen=True, slots=True)
class Document:
    """A file to be read: PDF, text, …"""

    source: Source
    name: str = ""
    cache: CacheMark | None = None


@dataclass(frozen=True, slots=True)
class Audio:
    source: Source
    """Inline media types: `audio/wav`, `audio/mp3`."""


@dataclass(frozen=True, slots=True)
class Video:
    source: Source


@dataclass(frozen=True, slots=True)
class Thinking:
    """Reasoning that was shown or sealed, played back."""

    text: str
    """Empty where only the seal is known."""
    signature: Signature | None = None
    is_redacted: bool = False
    """The text itself is sealed: `signature` holds it (Anthropic's `redacted_thinking`)."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The assistant wants a tool called."""

    call_id: str
    """Never empty: decoders whose dialect has none make one (`identifiers`)."""
    name: str
    arguments: str
    """A JSON object, as text, as the model wrote it; `{}` for none."""
    signature: Signature | None = None
    cache: CacheMark | None = None


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool gave; stands in a message of the user."""

    call_id: str
    name: str
    """Of the tool. Decoders whose dialect does not say it look it up in the calls before."""
    content: tuple[Text | Image | Document, ...]
    is_error: bool = False
    cache: CacheMark | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """The assistant said that it will not."""

    text: str


Part: TypeAlias = (
    Text | Image | Document | Audio | Video | Thinking | ToolCall | ToolResult | Refusal
)


@dataclass(frozen=True, slots=True)
class Message:
    role: Role
    parts: tuple[Part, ...]
    name: str = ""
    """OpenAI's name of a participant."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may want called."""

    name: str
    description: str = ""
    parameters: Mapping[str, object] | None = None
    """JSON Schema; None: it takes no arguments."""
    is_strict: bool | None = None
    """The arguments must fit the schema; None: not said."""
    cache: CacheMark | None = None


class Choice(StrEnum):
    """Whether tools are to be called."""

    AUTO = "auto"
    NONE = "none"
    REQUIRED = "required"
    """Any of them."""
    NAMED = "named"
    """The one that `Request.tool_name` names."""


@dataclass(frozen=True, slots=True)
class JsonFormat:
    """The answer must be JSON."""

    schema: Mapping[str, object] | None = None
    """None: any JSON object."""
    name: str = "answer"
    description: str = ""
    is_strict: bool | None = None


class Effort(StrEnum):
    """How much a model is to think, in words."""

    NONE = "none"
    MINIMAL = "minimal"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    XHIGH = "xhigh"
    MAX = "max"


@dataclass(frozen=True, slots=True)
class Reasoning:
    """How much a model is to think; in words, in tokens, or as it likes (both None)."""

    effort: Effort | None = None
    budget_tokens: int | None = None
    """0: not at all."""
    is_shown: bool | None = None
    """Whether the answer is to hold the reasoning, or its summary; None: not said."""


@dataclass(frozen=True, slots=True)
class ImageOutput:
    """That the answer may hold images, and of which form."""

    is_required: bool = False
    """An image, with or without words; else the model decides."""
    aspect_ratio: str = ""
    """`16:9`; empty: not said."""
    resolution: str = ""
    """Gemini's `1K`, `2K`, `4K`; empty: not said."""

    @property
    def has_form(self) -> bool:
        return bool(self.aspect_ratio or self.resolution)


@dataclass(frozen=True, slots=True)
class Sampling:
    """How an answer is drawn. None: not said."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A conversation, and what is wanted of its continuation."""

    model: str
    messages: tuple[Message, ...]
    """System messages are in it, where they stood; those before all others come first."""
    is_stream: bool = False
    tools: tuple[Tool, ...] = ()
    tool_choice: Choice | None = None
    tool_name: str = ""
    """Of the tool that must be called, with `Choice.NAMED`."""
    is_parallel: bool | None = None
    """Whether several tools may be called at once; None: not said."""
    max_output_tokens: int | None = None
    sampling: Sampling = Sampling()
    stop: tuple[str, ...] = ()
    choices: int = 1
    format: JsonFormat | None = None
    """None: text."""
    reasoning: Reasoning | None = None
    logprobs: int | None = None
    """How many alternatives to each token are told; None: no logprobs at all."""
    verbosity: str = ""
    """OpenAI's `low`, `medium`, `high`; empty: not said."""
    user: str = ""
    """An opaque id of the end user: OpenAI's `user` or `safety_identifier`, Anthropic's
    `metadata.user_id`."""
    metadata: Mapping[str, str] | None = None
    service_tier: str = ""
    cache_key: str = ""
    """OpenAI's `prompt_cache_key`."""
    extras: tuple[Feature, ...] = ()
    """What was said beyond all this, without repetition."""
    betas: tuple[str, ...] = ()
    """Of Anthropic's: `context-1m-2025-08-07`."""
    image_output: ImageOutput | None = None
    """None: no images are asked for."""

    def for_model(self, model: str) -> Request:
        """The same, asked of a model by the name that a provider knows."""
        return replace(self, model=model)
