"""What is added to a body as it is written: to the client's own before it is decided on, and to a
provider's after it was translated.

Bodies are spliced: what is not named stays as it is written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import msgspec

from extproc.llm.anthropic import shaping as anthropic
from extproc.llm.bedrock import shaping as bedrock
from extproc.llm.gemini import shaping as gemini
from extproc.llm.members import steps_of, with_steps
from extproc.llm.openai_chat import shaping as openai_chat
from extproc.llm.openai_responses import shaping as openai_responses
from extproc.protocols import json_spans
from gateway.model import Dialect, Provider
from gateway.shaping import HAVE_CACHE_KEYS, NO_FIELDS, CacheMarks, Fields

PROMPTED: Mapping[Dialect, Callable[[Mapping[str, bytes], str, str], dict[str, bytes]]] = (
    MappingProxyType(
        {
            Dialect.OPENAI_CHAT: openai_chat.prompted,
            Dialect.OPENAI_RESPONSES: openai_responses.prompted,
            Dialect.ANTHROPIC: anthropic.prompted,
            Dialect.GEMINI: gemini.prompted,
            Dialect.BEDROCK: bedrock.prompted,
        }
    )
)
"""The members that tell a model something before and after the client's system prompt."""

_MARKED: Mapping[Dialect, Callable[[Mapping[str, bytes], CacheMarks], dict[str, bytes]]] = (
    MappingProxyType(
        {
            Dialect.OPENAI_CHAT: openai_chat.marked,
            Dialect.OPENAI_RESPONSES: openai_responses.marked,
            Dialect.ANTHROPIC: anthropic.marked,
            Dialect.BEDROCK: bedrock.marked,
        }
    )
)
_OPENAI = frozenset({Dialect.OPENAI_CHAT, Dialect.OPENAI_RESPONSES})


@dataclass(frozen=True, slots=True)
class Additions:
    """To the bodies of one provider."""

    fields: Fields = NO_FIELDS
    marks: CacheMarks | None = None


_additions = msgspec.json.Decoder(Additions)


def for_provider(provider: Provider, dialect: Dialect | None, marks: CacheMarks | None) -> str:
    """What is added to conversations with a provider, as `added` reads it; empty: nothing."""
    if dialect is None:
        return ""
    if dialect not in _MARKED or (dialect in _OPENAI and provider.vendor not in HAVE_CACHE_KEYS):
        marks = None
    if not provider.fields and marks is None:
        return ""
    return msgspec.json.encode(Additions(provider.fields, marks)).decode()


def added(body: bytes, additions: str, dialect: Dialect | None) -> bytes:
    """The body with what `for_provider` says."""
    if not additions or dialect is None:
        return body
    found = _additions.decode(additions)
    if found.fields:
        body = with_steps(body, json_spans.members(body), steps_of(found.fields))
    if found.marks is not None:
        body = json_spans.replace(body, _MARKED[dialect](json_spans.members(body), found.marks))
    return body
