"""What each dialect says and carries, as one table, and as the page that people read.

The page is generated from the dialects' own claims, which a test over all pairs holds them to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType

from msgspec import Struct

from extproc.llm.anthropic import capabilities as anthropic
from extproc.llm.bedrock import capabilities as bedrock
from extproc.llm.gemini import capabilities as gemini
from extproc.llm.losses import HINTS, Feature
from extproc.llm.openai_chat import capabilities as openai_chat
from extproc.llm.openai_responses import capabilities as openai_responses
from extproc.llm.reference_answers import PROBES, told
from gateway.model import Dialect


class Capabilities(Struct, frozen=True):
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

OF_ANSWERS = frozenset({Feature.CITATIONS})
"""What is carried of it is carried back: none can be asked for."""
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
    if feature in able.roughly and feature not in BOUND | OF_ANSWERS:
        return Carried.ROUGHLY
    return Carried.DROPPED if feature in HINTS else Carried.REFUSED


_PREFACE = """# What translation carries

<!-- Generated from the dialects' own claims; `make reference` writes it anew. -->

A client that speaks one API can be served by a provider that speaks another. This page says what
becomes of everything that a client can ask for. Where both speak the same API, nothing is
translated and everything arrives. A test asks every provider's API for all of it, and holds what is
written here against what is sent.

| | |
|---|---|
| yes | arrives in full |
| roughly | arrives, with the loss that the note names |
| its own | its maker alone can read it: it comes back to that one through any API |
| dropped | a hint: the request goes on without it, unless `llm.lossy: none` |
| refused | essential: the client gets a 400 that names it, unless `llm.lossy: all` |

What a setting may be depends on the model, too: notes say so. Claims of OpenAI Chat are those of
OpenAI's own API; [other servers](../providers.md) that speak it take more or less.
"""
_WORDS: Mapping[Feature, str] = MappingProxyType(
    {
        Feature.SYSTEM: "system prompt",
        Feature.SYSTEM_MIDWAY: "instructions within the conversation",
        Feature.NAMES: "names of participants",
        Feature.IMAGE_INLINE: "images in the request",
        Feature.IMAGE_URL: "images by address",
        Feature.IMAGE_DETAIL: "detail of images",
        Feature.DOCUMENT_INLINE: "documents in the request",
        Feature.DOCUMENT_URL: "documents by address",
        Feature.DOCUMENT_TEXT: "documents that are text",
        Feature.UPLOADED_FILE: "uploaded files",
        Feature.BETAS: "betas",
        Feature.AUDIO_INPUT: "sound",
        Feature.AUDIO_OUTPUT: "spoken answers",
        Feature.VIDEO_INPUT: "video",
        Feature.IMAGE_OUTPUT: "images in the answer",
        Feature.IMAGE_OUTPUT_FORM: "their size and quality",
        Feature.TOOLS: "tools, their calls and results",
        Feature.TOOL_CHOICE: "choice of tools",
        Feature.PARALLEL_CALLS: "calls one at a time",
        Feature.TOOL_RESULT_IMAGE: "images in results of tools",
        Feature.TOOL_ERROR: "that a tool failed",
        Feature.CUSTOM_TOOLS: "tools with free text or a grammar",
        Feature.PROVIDER_TOOLS: "tools that the provider runs",
        Feature.JSON_OBJECT: "answers that are JSON",
        Feature.JSON_SCHEMA: "answers that fit a schema",
        Feature.REASONING_EFFORT: "effort of reasoning",
        Feature.REASONING_BUDGET: "budget of reasoning",
        Feature.REASONING_TEXT: "reasoning, shown and played back",
        Feature.REASONING_SIGNATURE: "sealed reasoning, played back",
        Feature.MAX_OUTPUT_TOKENS: "most tokens of the answer",
        Feature.TOP_P: "top p",
        Feature.TOP_K: "top k",
        Feature.STOP: "stop sequences",
        Feature.CHOICES: "several answers",
        Feature.LOGIT_BIAS: "bias of tokens",
        Feature.PREDICTION: "predicted output",
        Feature.USER: "id of the end user",
        Feature.CACHE_MARKS: "marks for the cache",
        Feature.CACHE_KEY: "key for the cache",
        Feature.STORED_STATE: "what the provider has stored",
        Feature.REFUSAL: "refusals, played back",
        Feature.CITATIONS: "citations of documents",
        Feature.OTHER: "fields unknown here",
    }
)
"""Where the name does not say enough."""


def page() -> str:
    """docs/reference/dialects.md."""
    sections = [_PREFACE]
    sections += [_requests(dialect) for dialect in Dialect]
    sections += [_answers(), _notes()]
    return "\n".join(sections)


def _requests(client: Dialect) -> str:
    providers = [dialect for dialect in Dialect if dialect is not client]
    lines = [f"## Clients of {CAPABILITIES[client].title}", "", *_head("asks for", providers)]
    lines += [
        _row(_word(feature), [_cell(feature, provider) for provider in providers])
        for feature in Feature
        if feature in CAPABILITIES[client].says
    ]
    return "\n".join([*lines, ""])


def _cell(feature: Feature, provider: Dialect) -> str:
    found = carried(feature, provider)
    has_note = found in (Carried.ROUGHLY, Carried.OWN)
    return f"{found}[^{_note(feature, provider)}]" if has_note else found


def _answers() -> str:
    lines = [
        "## Answers",
        "",
        "What clients are told of an answer, whichever API it came from, whole or streamed.",
        "",
        *_head("the answer has", Dialect),
        *(_row(probe.title, [told(probe, client) for client in Dialect]) for probe in PROBES),
    ]
    return "\n".join([*lines, ""])


def _notes() -> str:
    lines = [
        f"[^{_note(feature, provider)}]: {able.title}: {able.roughly[feature]}."
        for provider, able in CAPABILITIES.items()
        for feature in Feature
        if carried(feature, provider) in (Carried.ROUGHLY, Carried.OWN)
    ]
    return "\n".join([*lines, ""])


def _word(feature: Feature) -> str:
    return _WORDS.get(feature, feature.value.replace("_", " "))


def _note(feature: Feature, provider: Dialect) -> str:
    return f"{provider}-{feature}".replace("_", "-")


def _head(first: str, dialects: Iterable[Dialect]) -> list[str]:
    titles = [CAPABILITIES[dialect].title for dialect in dialects]
    return [_row(first, titles), f"|{'---|' * (len(titles) + 1)}"]


def _row(first: str, cells: Iterable[str]) -> str:
    return f"| {' | '.join((first, *cells))} |"
