"""What vendors offer, and at which paths after their address; as they document them.

Conversations stand in the order in which they are preferred when something has to be translated.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeAlias

from gateway.operations import Operation

Offers: TypeAlias = tuple[tuple[Operation, str], ...]
"""`{model}` in a path is the percent-encoded model."""

USUAL_PATHS: Mapping[Operation, str] = MappingProxyType(
    {
        Operation.CHAT: "/chat/completions",
        Operation.RESPONSES: "/responses",
        Operation.MESSAGES: "/messages",
        Operation.COMPLETIONS: "/completions",
        Operation.EMBEDDINGS: "/embeddings",
        Operation.RERANK: "/rerank",
        Operation.MODERATIONS: "/moderations",
        Operation.IMAGE_GENERATIONS: "/images/generations",
        Operation.IMAGE_EDITS: "/images/edits",
        Operation.IMAGE_VARIATIONS: "/images/variations",
        Operation.SPEECH: "/audio/speech",
        Operation.TRANSCRIPTIONS: "/audio/transcriptions",
        Operation.TRANSLATIONS: "/audio/translations",
        Operation.REALTIME: "/realtime",
        Operation.RESPONSE: "/responses",
        Operation.FILES: "/files",
        Operation.UPLOADS: "/uploads",
        Operation.BATCHES: "/batches",
        Operation.MESSAGE_BATCHES: "/messages/batches",
        Operation.MESSAGE_FILES: "/files",
        Operation.MESSAGE_TOKENS: "/messages/count_tokens",
        Operation.RESPONSE_TOKENS: "/responses/input_tokens",
    }
)
"""Where whoever invented the operation has it."""


def openai(*operations: Operation) -> Offers:
    """At their usual paths."""
    return tuple((operation, USUAL_PATHS[operation]) for operation in operations)


OPENAI = openai(
    *(Operation.CHAT, Operation.RESPONSES, Operation.COMPLETIONS, Operation.EMBEDDINGS),
    *(Operation.MODERATIONS, Operation.IMAGE_GENERATIONS, Operation.IMAGE_EDITS),
    *(Operation.IMAGE_VARIATIONS, Operation.SPEECH, Operation.TRANSCRIPTIONS),
    *(Operation.TRANSLATIONS, Operation.REALTIME, Operation.RESPONSE, Operation.RESPONSE_TOKENS),
    *(Operation.FILES, Operation.UPLOADS, Operation.BATCHES),
)
OPENAI_COMPATIBLE = openai(
    *(Operation.CHAT, Operation.COMPLETIONS, Operation.EMBEDDINGS, Operation.RERANK),
    *(Operation.MODERATIONS, Operation.IMAGE_GENERATIONS, Operation.IMAGE_EDITS),
    *(Operation.IMAGE_VARIATIONS, Operation.SPEECH, Operation.TRANSCRIPTIONS),
    *(Operation.TRANSLATIONS, Operation.REALTIME, Operation.FILES, Operation.BATCHES),
)
"""Without responses: most do not have them, and chat completions can stand for them."""
ANTHROPIC = openai(
    *(Operation.MESSAGES, Operation.MESSAGE_TOKENS, Operation.MESSAGE_BATCHES),
    Operation.MESSAGE_FILES,
)
COHERE: Offers = (
    (Operation.CHAT, "/compatibility/v1/chat/completions"),
    (Operation.EMBEDDINGS, "/compatibility/v1/embeddings"),
    (Operation.RERANK, "/v2/rerank"),
)

_GENERATE: Offers = (
    (Operation.GENERATE, "/models/{model}:generateContent"),
    (Operation.GENERATE_STREAM, "/models/{model}:streamGenerateContent?alt=sse"),
    (Operation.COUNT_TOKENS, "/models/{model}:countTokens"),
)
GEMINI: Offers = (
    *_GENERATE,
    (Operation.EMBED_CONTENT, "/models/{model}:embedContent"),
    (Operation.BATCH_EMBED_CONTENTS, "/models/{model}:batchEmbedContents"),
    (Operation.EMBEDDINGS, "/openai/embeddings"),
    (Operation.IMAGE_GENERATIONS, "/openai/images/generations"),
    (Operation.GEMINI_FILES, "/files"),
    (Operation.GEMINI_UPLOADS, "/files"),
    (Operation.GEMINI_CACHE, "/cachedContents"),
    (Operation.GEMINI_CACHES, "/cachedContents"),
)
VERTEX: Offers = tuple((operation, f"/publishers/google{path}") for operation, path in _GENERATE)
VERTEX_CLAUDE: Offers = (
    (Operation.MESSAGES, "/publishers/anthropic/models/{model}:rawPredict"),
    (Operation.MESSAGES_STREAM, "/publishers/anthropic/models/{model}:streamRawPredict"),
)

_INVOKE: Offers = (
    (Operation.INVOKE, "/model/{model}/invoke"),
    (Operation.INVOKE_STREAM, "/model/{model}/invoke-with-response-stream"),
)
BEDROCK: Offers = (
    (Operation.CONVERSE, "/model/{model}/converse"),
    (Operation.CONVERSE_STREAM, "/model/{model}/converse-stream"),
    *_INVOKE,
)
BEDROCK_CLAUDE: Offers = (
    (Operation.MESSAGES, "/model/{model}/invoke"),
    (Operation.MESSAGES_STREAM, "/model/{model}/invoke-with-response-stream"),
    *_INVOKE,
)

AZURE_V1 = ("v1", "preview")
"""The versions of Azure's API that are like OpenAI's own."""
AZURE: Offers = tuple((operation, f"/openai/v1{path}") for operation, path in OPENAI)
_OF_DEPLOYMENTS = (
    *(Operation.CHAT, Operation.COMPLETIONS, Operation.EMBEDDINGS),
    *(Operation.IMAGE_GENERATIONS, Operation.IMAGE_EDITS, Operation.SPEECH),
    *(Operation.TRANSCRIPTIONS, Operation.TRANSLATIONS),
)


def azure(api_version: str) -> Offers:
    """Of a version of Azure's API: `v1`, `preview`, or a date, whose models are deployments."""
    if api_version == "v1":
        return AZURE
    query = f"?api-version={api_version}"
    if api_version in AZURE_V1:
        return tuple((operation, f"{path}{query}") for operation, path in AZURE)
    of_deployments = tuple(
        (operation, f"/openai/deployments/{{model}}{path}{query}")
        for operation, path in openai(*_OF_DEPLOYMENTS)
    )
    of_accounts = tuple(
        (operation, f"/openai{path}{query}")
        for operation, path in openai(Operation.FILES, Operation.BATCHES)
    )
    realtime = (Operation.REALTIME, f"/openai/realtime{query}&deployment={{model}}")
    return (*of_deployments, *of_accounts, realtime)
