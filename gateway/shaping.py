"""What becomes of a request's body before it is decided on, and before a provider is told it."""

from __future__ import annotations

from dataclasses import dataclass

NULL = "null"
"""In the place of a value: the field is removed."""


def path_of(name: str) -> tuple[str, ...]:
    """Of a field: `a.b` is the field `b` of the object `a`."""
    return tuple(name.split("."))


@dataclass(frozen=True, slots=True)
class Fields:
    """Fields of a body, at the top or within objects (`path_of`), and what they are to be, in
    JSON."""

    defaults: tuple[tuple[str, str], ...] = ()
    """Where the body has none."""
    overrides: tuple[tuple[str, str], ...] = ()
    """Always."""

    def __bool__(self) -> bool:
        return bool(self.defaults or self.overrides)


NO_FIELDS = Fields()


@dataclass(frozen=True, slots=True)
class Shaping:
    """What a model adds to the requests that ask for it, in the client's own dialect."""

    fields: Fields = NO_FIELDS
    transformations: tuple[tuple[str, str], ...] = ()
    """Fields, and CEL that yields what they are to be; always."""
    prepend: str = ""
    """Before the client's system prompt."""
    append: str = ""
    """After it."""

    def __bool__(self) -> bool:
        return bool(self.fields or self.transformations or self.prepend or self.append)


NO_SHAPING = Shaping()


@dataclass(frozen=True, slots=True)
class CacheMarks:
    """Which parts of a prompt a provider is asked to keep for the next request."""

    system: bool = False
    tools: bool = False
    last_message: bool = False
    ttl: str = "5m"
    """How long: `5m`, `1h` or `24h`. What a provider does not have is the next shorter one."""
    min_tokens: int = 1024
    """No shorter prompt is marked."""


HAVE_CACHE_KEYS = frozenset({"openai", "azure-openai", "azure-foundry"})
"""Vendors whose servers take OpenAI's `prompt_cache_key`; others refuse what they do not know."""


@dataclass(frozen=True, slots=True)
class Mirror:
    """Who gets a copy of some requests, and is not listened to."""

    provider: str
    model: str
    """`*` stands for what the model's own `*` matched."""
    percent: float
