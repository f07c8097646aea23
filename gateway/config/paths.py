"""Where clients find the LLM APIs: the prefixes of each vendor's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, WithJsonSchema

from gateway.apis import DEFAULT_PREFIXES, Family
from gateway.config.block import Block, refusal

_PREFIX = re.compile(r"/|(/[A-Za-z0-9._~-]+)+/?")
_DOTS = frozenset({".", ".."})


def _prefix(value: str) -> str:
    if not _PREFIX.fullmatch(value) or not _DOTS.isdisjoint(value.split("/")):
        raise refusal(
            "must be a path that begins with '/', of letters, digits, '.', '_', '~' and '-'",
            "such as /v1, /openai/v1, or / for none",
        )
    return value.rstrip("/") or "/"


Prefix: TypeAlias = Annotated[
    str, AfterValidator(_prefix), WithJsonSchema({"type": "string", "format": "path"})
]


def _written(family: Family) -> tuple[str, ...]:
    return tuple(prefix or "/" for prefix in DEFAULT_PREFIXES[family])


class PathsBlock(Block):
    """The prefixes under which clients find the APIs, for each vendor whose API is served. Several
    vendors may share one: their paths differ. `[]` switches an API off."""

    openai: tuple[Prefix, ...] = _written(Family.OPENAI)
    """OpenAI's: `/chat/completions`, `/responses`, `/embeddings` and so on come after it."""
    azure: tuple[Prefix, ...] = _written(Family.AZURE)
    """OpenAI's as Azure serves it, `/deployments/{model}/chat/completions`; Azure's own prefix is
    `/openai`. Default: it is not served."""
    anthropic: tuple[Prefix, ...] = _written(Family.ANTHROPIC)
    """Anthropic's: `/messages`."""
    gemini: tuple[Prefix, ...] = _written(Family.GEMINI)
    """Gemini's, `/models/{model}:generateContent`, and the same of Vertex, with
    `/projects/{project}/locations/{location}/publishers/google` before it. Files are uploaded at
    `/upload` before the last segment: `/upload/v1beta/files`."""
    vertex: tuple[Prefix, ...] = _written(Family.VERTEX)
    """Anthropic's as Vertex serves it, `…/publishers/anthropic/models/{model}:rawPredict`; Vertex's
    own prefix is `/v1`. Default: it is not served."""
    bedrock: tuple[Prefix, ...] = _written(Family.BEDROCK)
    """Bedrock's: `/model/{model}/converse`, `/model/{model}/invoke`."""
    cohere: tuple[Prefix, ...] = _written(Family.COHERE)
    """Cohere's: `/rerank`."""


def prefixes(block: PathsBlock) -> Mapping[Family, tuple[str, ...]]:
    """As `gateway.apis` takes them: nothing stands for `/`."""
    written: Mapping[Family, tuple[str, ...]] = {
        Family.OPENAI: block.openai,
        Family.AZURE: block.azure,
        Family.ANTHROPIC: block.anthropic,
        Family.GEMINI: block.gemini,
        Family.VERTEX: block.vertex,
        Family.BEDROCK: block.bedrock,
        Family.COHERE: block.cohere,
    }
    return {
        family: tuple(dict.fromkeys("" if each == "/" else each for each in of_family))
        for family, of_family in written.items()
    }
