"""The table of dialects and operations: who reads, says and counts each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from extproc.events import Respond
from extproc.llm.anthropic import codec as anthropic
from extproc.llm.anthropic import counting as anthropic_counting
from extproc.llm.anthropic import reading as anthropic_reading
from extproc.llm.anthropic import usage as anthropic_usage
from extproc.llm.bedrock import codec as bedrock
from extproc.llm.bedrock import reading as bedrock_reading
from extproc.llm.bedrock import invoke as bedrock_invoke
from extproc.llm.bedrock import usage as bedrock_usage
from extproc.llm.dialect import Codec, Reading
from extproc.llm.gemini import codec as gemini
from extproc.llm.gemini import counting as gemini_counting
from extproc.llm.gemini import embedding as gemini_embedding
from extproc.llm.gemini import reading as gemini_reading
from extproc.llm.gemini import usage as gemini_usage
from extproc.llm.openai_chat import codec as openai_chat
from extproc.llm.openai_chat import reading as openai_chat_reading
from extproc.llm.openai_responses import codec as openai_responses
from extproc.llm.openai_responses import counting as openai_responses_counting
from extproc.llm.openai_responses import reading as openai_responses_reading
from extproc.llm.openai_responses import usage as openai_responses_usage
from extproc.llm.others import multipart as forms
from extproc.llm.others import reading as others
from extproc.llm.others import usage as others_usage
from extproc.llm.others.multipart import MultipartReading
from extproc.llm.usage_reader import OPENAI_CHAT, Told
from extproc.verdict import Deny
from gateway.apis import Family
from gateway.model import Dialect, dialect_of
from gateway.operations import Operation


class Speaker(NamedTuple):
    """A dialect of conversations."""

    reading: Reading
    codec: Codec
    told: Told
    is_read_by_envoy: bool
    """Envoy 1.40 can read the usage of its answers."""


SPEAKERS: Mapping[Dialect, Speaker] = MappingProxyType(
    {
        Dialect.OPENAI_CHAT: Speaker(
            openai_chat_reading.READING, openai_chat.CODEC, OPENAI_CHAT, True
        ),
        Dialect.OPENAI_RESPONSES: Speaker(
            openai_responses_reading.READING,
            openai_responses.CODEC,
            Told(
                openai_responses_usage.USAGE_MEMBER,
                openai_responses_usage.usage_of,
                openai_responses.CODEC.decoding,
            ),
            True,
        ),
        Dialect.ANTHROPIC: Speaker(
            anthropic_reading.READING,
            anthropic.CODEC,
            Told(anthropic_usage.USAGE_MEMBER, anthropic_usage.usage_of, anthropic.CODEC.decoding),
            True,
        ),
        Dialect.GEMINI: Speaker(
            gemini_reading.READING,
            gemini.CODEC,
            Told(gemini_usage.USAGE_MEMBER, gemini_usage.usage_of, gemini.CODEC.decoding),
            True,
        ),
        Dialect.BEDROCK: Speaker(
            bedrock_reading.READING,
            bedrock.CODEC,
            Told(bedrock_usage.USAGE_MEMBER, bedrock_usage.usage_of, bedrock.CODEC.decoding),
            False,
        ),
    }
)


class Handling(NamedTuple):
    """What is done with an operation."""

    reading: Reading
    dialect: Dialect | None = None
    """Of a conversation, which can be translated."""
    told: Told | None = None
    """How its answers tell their usage; None: they do not."""
    is_read_by_envoy: bool = False
    form: MultipartReading | None = None
    """Reads bodies that may be forms, by their content type."""


def _form(reading: MultipartReading, told: Told) -> Handling:
    return Handling(reading, told=told, form=reading)


_GEMINI_EMBEDDED = Told(gemini_usage.USAGE_MEMBER, gemini_usage.usage_of)
_INVOKED = Told("usage", bedrock_invoke.usage_of, bedrock_invoke.InvokeDecoding)

_OTHERS: Mapping[Operation, Handling] = {
    Operation.COMPLETIONS: Handling(others.COMPLETIONS, None, OPENAI_CHAT, True),
    Operation.EMBEDDINGS: Handling(others.EMBEDDINGS, None, others_usage.EMBEDDINGS),
    Operation.EMBED_CONTENT: Handling(gemini_embedding.EMBED_READING, None, _GEMINI_EMBEDDED),
    Operation.BATCH_EMBED_CONTENTS: Handling(
        gemini_embedding.BATCH_EMBED_READING, None, _GEMINI_EMBEDDED
    ),
    Operation.RERANK: Handling(others.RERANK, None, others_usage.RERANK),
    Operation.MODERATIONS: Handling(others.MODERATIONS),
    Operation.IMAGE_GENERATIONS: Handling(others.IMAGE_GENERATIONS, None, others_usage.IMAGES),
    Operation.IMAGE_EDITS: _form(forms.IMAGE_EDITS, others_usage.IMAGES),
    Operation.IMAGE_VARIATIONS: _form(forms.IMAGE_VARIATIONS, others_usage.IMAGES),
    Operation.SPEECH: Handling(others.SPEECH, None, others_usage.SPEECH),
    Operation.TRANSCRIPTIONS: _form(forms.TRANSCRIPTIONS, others_usage.TRANSCRIPTIONS),
    Operation.TRANSLATIONS: _form(forms.TRANSLATIONS, others_usage.TRANSCRIPTIONS),
    Operation.INVOKE: Handling(bedrock_invoke.INVOKE_READING, None, _INVOKED),
    Operation.INVOKE_STREAM: Handling(bedrock_invoke.INVOKE_READING, None, _INVOKED),
}

_CONVERSATIONS: Mapping[Operation, Handling] = {
    operation: Handling(speaker.reading, dialect, speaker.told, speaker.is_read_by_envoy)
    for operation in Operation
    if (dialect := dialect_of(operation)) is not None and (speaker := SPEAKERS[dialect])
}

HANDLINGS: Mapping[Operation, Handling] = MappingProxyType(
    {
        **_CONVERSATIONS,
        **_OTHERS,
        Operation.MESSAGE_TOKENS: Handling(anthropic_counting.READING),
        Operation.RESPONSE_TOKENS: Handling(openai_responses_counting.READING),
        Operation.COUNT_TOKENS: Handling(gemini_counting.READING),
    }
)
"""Of the operations whose body is read."""

UNREAD = frozenset(
    {
        Operation.BATCHES,
        Operation.FILES,
        Operation.MESSAGE_BATCHES,
        Operation.REALTIME,
        Operation.RESPONSE,
        Operation.UPLOADS,
    }
)
"""Operations of which nothing is read but the headers."""

PASSED = Handling(openai_chat_reading.READING)
"""How answers to those are handled: they pass."""

COUNTING: Mapping[Operation, Callable[[int], bytes]] = MappingProxyType(
    {
        Operation.MESSAGE_TOKENS: anthropic_counting.encode_count,
        Operation.RESPONSE_TOKENS: openai_responses_counting.encode_count,
        Operation.COUNT_TOKENS: gemini_counting.encode_count,
    }
)
"""What can be answered here, by an estimate, when no provider of the model offers it."""

FAMILIES: Mapping[Family, Dialect] = MappingProxyType(
    {
        Family.OPENAI: Dialect.OPENAI_CHAT,
        Family.AZURE: Dialect.OPENAI_CHAT,
        Family.COHERE: Dialect.OPENAI_CHAT,
        Family.ANTHROPIC: Dialect.ANTHROPIC,
        Family.GEMINI: Dialect.GEMINI,
        Family.BEDROCK: Dialect.BEDROCK,
    }
)
"""In which the clients of a family expect to be refused."""


def refusal(dialect: Dialect | None, deny: Deny) -> Respond:
    """The answer to who is refused; None: nobody knows what he speaks."""
    error = SPEAKERS[dialect or Dialect.OPENAI_CHAT].reading.encode_error(deny)
    headers = (*error.headers, *deny.headers)
    return Respond(deny.status, headers, error.body, f"dragoman_{deny.code}")
