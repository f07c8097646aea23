"""What each dialect says and carries, as one table, and as the page that people read.

The page is generated from the dialects' own claims, which a test over all pairs holds them to.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from extproc.llm.anthropic import capabilities as anthropic
from extproc.llm.bedrock import capabilities as bedrock
from extproc.llm.gemini import capabilities as gemini
from extproc.llm.losses import HINTS, Feature
from extproc.llm.openai_chat import capabilities as openai_chat
from extproc.llm.openai_responses import capabilities as openai_responses
from gateway.model import Dialect


class Capabilities(NamedTuple):
    """A dialect's claims."""

    title: str
    says: frozenset[Feature]
    """By its clients."""
    expresses: frozenset[Feature]
    """To its providers, in full."""
    roughly: Mapping[Feature, str]
    """To its providers, with a loss, and which."""


CAPABILITIES: Mapping[Dialect, Capabilities] = MappingProxyType(
    {
        Dialect.OPENAI_CHAT: Capabilities(
            "OpenAI Chat", openai_chat.SAYS, openai_chat.EXPRESSES, openai_chat.ROUGHLY
        ),
        Dialect.OPENAI_RESPONSES: Capabilities(
            "OpenAI Responses",
            openai_responses.SAYS,
            openai_responses.EXPRESSES,
            openai_responses.ROUGHLY,
        ),
        Dialect.ANTHROPIC: Capabilities(
            "Anthropic", anthropic.SAYS, anthropic.EXPRESSES, anthropic.ROUGHLY
        ),
        Dialect.GEMINI: Capabilities("Gemini", gemini.SAYS, gemini.EXPRESSES, gemini.ROUGHLY),
        Dialect.BEDROCK: Capabilities("Bedrock", bedrock.SAYS, bedrock.EXPRESSES, bedrock.ROUGHLY),
    }
)

BOUND = frozenset({Feature.REASONING_SIGNATURE, Feature.UPLOADED_FILE})
"""What means something to the provider alone that made it, whatever dialect it passed through."""


class Carried(StrEnum):
    """What becomes of a feature on its way to a provider."""

    FULLY = "yes"
    ROUGHLY = "roughly"
    OWN = "its own"
    DROPPED = "dropped"
    REFUSED = "refused"


def carried(feature: Feature, provider: Dialect) -> Carried:
    """Of what a client of another dialect says, under `llm.lossy: hints`."""
    able = CAPABILITIES[provider]
    if feature in able.expresses:
        return Carried.FULLY
    if feature is Feature.REASONING_SIGNATURE and feature in able.roughly:
        return Carried.OWN
    if feature in able.roughly and feature not in BOUND:
        return Carried.ROUGHLY
    return Carried.DROPPED if feature in HINTS else Carried.REFUSED
