"""The table of dialects and operations: who reads, says and counts each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import assert_never

from msgspec import Struct

from extproc.events import Respond
from extproc.llm.anthropic import codec as anthropic
from extproc.llm.anthropic import counting as anthropic_counting
from extproc.llm.anthropic import reading as anthropic_reading
from extproc.llm.anthropic import usage as anthropic_usage
from extproc.llm.anthropic.request_writer import encode_request_with_betas
from extproc.llm.bedrock import codec as bedrock
from extproc.llm.bedrock import invoke as bedrock_invoke
from extproc.llm.bedrock import reading as bedrock_reading
from extproc.llm.bedrock import usage as bedrock_usage
from extproc.llm.bedrock.claude import ClaudeDecoding, ClaudeEncoding
from extproc.llm.bedrock.embedded import EmbeddedAnswer
from extproc.llm.bedrock.embeddings import encode_embeddings
from extproc.llm.bedrock.reranking import RankedAnswer, encode_rerank
from extproc.llm.dialect import Asked, Call, Codec, Reading
from extproc.llm.gemini import caching as gemini_caching
from extproc.llm.gemini import codec as gemini
from extproc.llm.gemini import counting as gemini_counting
from extproc.llm.gemini import embedding as gemini_embedding
from extproc.llm.gemini import reading as gemini_reading
from extproc.llm.gemini import usage as gemini_usage
from extproc.llm.openai_chat import codec as openai_chat
from extproc.llm.openai_chat import reading as openai_chat_reading
from extproc.llm.openai_chat.servers import server_of
from extproc.llm.openai_responses import codec as openai_responses
from extproc.llm.openai_responses import counting as openai_responses_counting
from extproc.llm.openai_responses import reading as openai_responses_reading
from extproc.llm.openai_responses import usage as openai_responses_usage
from extproc.llm.others import multipart as forms
from extproc.llm.others import reading as others
from extproc.llm.others import usage as others_usage
from extproc.llm.others.multipart import FormReading, MultipartReading
from extproc.llm.others.reading import JsonReading
from extproc.llm.request import Request
from extproc.llm.request_tokens import tokens_of
from extproc.llm.translate import Refused, Translation
from extproc.llm.usage_reader import OPENAI_CHAT, Told
from extproc.verdict import Deny
from gateway.apis import Family
from gateway.model import BodyForm, Dialect, dialect_of
from gateway.operations import Operation
from gateway.usage import Usage


class Speaker(Struct, frozen=True):
    """A dialect of conversations."""

    reading: Reading
    codec: Codec
    told: Told
    is_read_by_envoy: bool
    """Envoy 1.40 can read the usage of its answers."""
    tells_more: Callable[[Mapping[str, object]], bool] | None = None
    """Whether the answer to a request may tell what Envoy does not read of it."""


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
                openai_responses_usage.TIER_MEMBER,
                besides=openai_responses_usage.TOOLS_MEMBERS,
                with_besides=openai_responses_usage.usage_with_tools,
            ),
            True,
            openai_responses_usage.are_tools_told,
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


_CLAUDE_ON_BEDROCK = replace(
    anthropic.CODEC,
    encode_request=encode_request_with_betas,
    decoding=ClaudeDecoding,
    decode_error=bedrock.CODEC.decode_error,
)
CLAUDE_IN_FRAMES = replace(
    anthropic.CODEC,
    encoding=ClaudeEncoding,
    encode_error=bedrock.CODEC.encode_error,
    stream_type=bedrock.CODEC.stream_type,
)
"""For clients that invoke Claude as on Bedrock, whoever serves it."""
_CLAUDE_ON_VERTEX = replace(anthropic.CODEC, decode_error=gemini.CODEC.decode_error)


def codec_of(dialect: Dialect, vendor: str, form: BodyForm = BodyForm.PLAIN) -> Codec:
    """A dialect as a vendor's servers have it."""
    match form:
        case BodyForm.BEDROCK_CLAUDE:
            return _CLAUDE_ON_BEDROCK
        case BodyForm.VERTEX_CLAUDE:
            return _CLAUDE_ON_VERTEX
        case BodyForm.PLAIN:
            if dialect is Dialect.OPENAI_CHAT:
                return openai_chat.codec_for(server_of(vendor))
            return SPEAKERS[dialect].codec
        case _:
            assert_never(form)


class Handling(Struct, frozen=True):
    """What is done with an operation."""

    reading: Reading
    dialect: Dialect | None = None
    """Of a conversation, which can be translated."""
    told: Told | None = None
    """How its answers tell their usage; None: they do not."""
    is_read_by_envoy: bool = False
    tells_more: Callable[[Mapping[str, object]], bool] | None = None
    """Of a request: its answer may tell more than Envoy reads."""
    form: MultipartReading | None = None
    """Reads bodies that may be forms, by their content type."""
    demands: Callable[[Call], Usage] | None = None
    """What is paid for beside tokens; None: nothing."""


def _paid(reading: JsonReading, told: Told) -> Handling:
    return Handling(reading, told=told, demands=reading.demands)


def _form(reading: FormReading, told: Told) -> Handling:
    return Handling(reading, told=told, form=reading, demands=reading.demands)


_GEMINI_EMBEDDED = Told(gemini_usage.USAGE_MEMBER, gemini_usage.usage_of)
_INVOKED = Told(
    "usage",
    bedrock_invoke.usage_of,
    bedrock_invoke.InvokeDecoding,
    of_whole=bedrock_invoke.usage_of_invoke,
    of_headers=bedrock_invoke.usage_of_headers,
)

_OTHERS: Mapping[Operation, Handling] = {
    Operation.COMPLETIONS: Handling(others.COMPLETIONS, None, OPENAI_CHAT, True),
    Operation.EMBEDDINGS: Handling(others.EMBEDDINGS, None, others_usage.EMBEDDINGS),
    Operation.EMBED_CONTENT: Handling(gemini_embedding.EMBED_READING, None, _GEMINI_EMBEDDED),
    Operation.BATCH_EMBED_CONTENTS: Handling(
        gemini_embedding.BATCH_EMBED_READING, None, _GEMINI_EMBEDDED
    ),
    Operation.GEMINI_CACHE: Handling(
        gemini_caching.READING, told=Told(gemini_usage.USAGE_MEMBER, gemini_caching.usage_of)
    ),
    Operation.RERANK: _paid(others.RERANK, others_usage.RERANK),
    Operation.MODERATIONS: Handling(others.MODERATIONS),
    Operation.IMAGE_GENERATIONS: _paid(others.IMAGE_GENERATIONS, others_usage.IMAGES),
    Operation.IMAGE_EDITS: _form(forms.IMAGE_EDITS, others_usage.IMAGES),
    Operation.IMAGE_VARIATIONS: _form(forms.IMAGE_VARIATIONS, others_usage.IMAGES),
    Operation.SPEECH: _paid(others.SPEECH, others_usage.SPEECH),
    Operation.TRANSCRIPTIONS: _form(forms.TRANSCRIPTIONS, others_usage.TRANSCRIPTIONS),
    Operation.TRANSLATIONS: _form(forms.TRANSLATIONS, others_usage.TRANSCRIPTIONS),
    Operation.INVOKE: Handling(bedrock_invoke.INVOKE_READING, None, _INVOKED),
    Operation.INVOKE_STREAM: Handling(bedrock_invoke.INVOKE_READING, None, _INVOKED),
}

_CONVERSATIONS: Mapping[Operation, Handling] = {
    operation: Handling(
        speaker.reading, dialect, speaker.told, speaker.is_read_by_envoy, speaker.tells_more
    )
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
        Operation.GEMINI_CACHES,
        Operation.GEMINI_FILES,
        Operation.GEMINI_UPLOADS,
        Operation.MESSAGE_BATCHES,
        Operation.MESSAGE_FILES,
        Operation.REALTIME,
        Operation.RESPONSE,
        Operation.UPLOADS,
    }
)
"""Operations of which nothing is read but the headers."""

KEPT = frozenset({Operation.GEMINI_CACHE})
"""Operations whose body is read, and whose model is the provider's own: who keeps what they make,
`llm.stored_at` says."""

PASSED = Handling(openai_chat_reading.READING)
"""How answers to those are handled: they pass."""


class Counting(Struct, frozen=True):
    """How tokens are counted here, when no provider of the model offers to."""

    decode: Callable[[Call], Request | Deny]
    estimate: Callable[[Call], int]
    """For what cannot be read as a conversation."""
    encode: Callable[[int], bytes]

    def answer(self, call: Call) -> bytes:
        """The number, in the words of who asks."""
        said = self.decode(call)
        if isinstance(said, Deny):
            return self.encode(self.estimate(call))
        return self.encode(tokens_of(said))


COUNTING: Mapping[Operation, Counting] = MappingProxyType(
    {
        Operation.MESSAGE_TOKENS: Counting(
            anthropic.CODEC.decode_request,
            anthropic_counting.READING.estimate_input_tokens,
            anthropic_counting.encode_count,
        ),
        Operation.RESPONSE_TOKENS: Counting(
            openai_responses.CODEC.decode_request,
            openai_responses_counting.READING.estimate_input_tokens,
            openai_responses_counting.encode_count,
        ),
        Operation.COUNT_TOKENS: Counting(
            lambda call: gemini.CODEC.decode_request(gemini_counting.counted_request(call)),
            gemini_counting.READING.estimate_input_tokens,
            gemini_counting.encode_count,
        ),
    }
)

FAMILIES: Mapping[Family, Dialect] = MappingProxyType(
    {
        Family.OPENAI: Dialect.OPENAI_CHAT,
        Family.AZURE: Dialect.OPENAI_CHAT,
        Family.COHERE: Dialect.OPENAI_CHAT,
        Family.ANTHROPIC: Dialect.ANTHROPIC,
        Family.GEMINI: Dialect.GEMINI,
        Family.VERTEX: Dialect.ANTHROPIC,
        Family.BEDROCK: Dialect.BEDROCK,
    }
)
"""In which the clients of a family expect to be refused."""


def refusal(dialect: Dialect | None, deny: Deny) -> Respond:
    """The answer to who is refused; None: nobody knows what he speaks."""
    error = SPEAKERS[dialect or Dialect.OPENAI_CHAT].reading.encode_error(deny)
    headers = (*error.headers, *deny.headers)
    return Respond(deny.status, headers, error.body, f"dragoman_{deny.code}")


INSTEAD: Mapping[Operation, Callable[[Mapping[str, object], str], bytes | Deny]] = MappingProxyType(
    {Operation.EMBEDDINGS: encode_embeddings, Operation.RERANK: encode_rerank}
)
"""What a model on Bedrock is told by InvokeModel, where it is asked for that."""


def instead(handled: Handling, asked: Asked, status: int) -> tuple[Translation, str]:
    """How its answer is said to clients of OpenAI's or Cohere's, and its content type."""
    if 200 <= status < 300:
        is_ranked = handled is HANDLINGS[Operation.RERANK]
        return (RankedAnswer if is_ranked else EmbeddedAnswer)(asked), "application/json"
    return Refused((openai_chat.CODEC, bedrock.CODEC), status), "application/json"
