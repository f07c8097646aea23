"""What is added to a body as it is written: to the client's own before it is decided on, and to a
provider's after it was translated.

Bodies are spliced: what is not named stays as it is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import msgspec

from extproc.llm.anthropic import shaping as anthropic
from extproc.llm.bedrock import shaping as bedrock
from extproc.llm.gemini import shaping as gemini
from extproc.llm.openai_chat import shaping as openai_chat
from extproc.llm.openai_responses import shaping as openai_responses
from extproc.protocols import json_spans
from gateway.model import Dialect, Provider
from gateway.shaping import HAVE_CACHE_KEYS, NO_FIELDS, NULL, CacheMarks, Fields

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
_NULL = NULL.encode()
_OPENAI = frozenset({Dialect.OPENAI_CHAT, Dialect.OPENAI_RESPONSES})
_ALIKE: Mapping[str, str] = {"maxcompletiontokens": "maxtokens"}
"""Two names of what is one limit, in OpenAI's chat dialect."""


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
        members = json_spans.members(body)
        body = with_fields(body, members, values_of(found.fields, members))
    if found.marks is not None:
        body = json_spans.replace(body, _MARKED[dialect](json_spans.members(body), found.marks))
    return body


def folded(name: str) -> str:
    """Names that some reader takes for one: no default beside them, no override that leaves one."""
    plain = name.replace("_", "").casefold()
    return _ALIKE.get(plain, plain)


def values_of(fields: Fields, names: Iterable[str]) -> dict[str, bytes]:
    """What these fields become in a body that has members of these names."""
    values: dict[str, bytes] = {}
    if fields.defaults:
        there = set(map(folded, names))
        values = {
            name: text.encode() for name, text in fields.defaults if folded(name) not in there
        }
    return behind(values, {name: text.encode() for name, text in fields.overrides})


def behind(values: Mapping[str, bytes], later: Mapping[str, bytes]) -> dict[str, bytes]:
    """Both, in this order: of two names for one field, the last counts."""
    return {**{name: each for name, each in values.items() if name not in later}, **later}


def with_fields(body: bytes, names: Iterable[str], values: Mapping[str, bytes]) -> bytes:
    """The body with these values in the place of all that could be taken for them; null removes.

    `names` are those of its members.
    """
    if not values:
        return body
    last = {folded(name): name for name in values}  # of two names for one, the later counts
    kept = {name: value for name in last.values() if (value := values[name]) != _NULL}
    shaped = last.keys()
    gone = [name for name in names if name not in kept and folded(name) in shaped]
    if gone:
        body = json_spans.remove(body, gone)
    return json_spans.replace(body, kept) if kept else body
