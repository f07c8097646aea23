"""What in requests to Gemini is structure and not text, field by field, in both spellings.

https://ai.google.dev/api/generate-content. What is not listed is text: other fields with their
names, other words where these words are listed.
"""

from __future__ import annotations

from extproc.llm.gemini.names import both, known
from extproc.llm.shapes import FREE, Fields, Parts, Unread

ROLES = frozenset({"user", "model", "function", "system"})

_MEDIA_TYPES = frozenset(
    {
        "application/pdf",
        "audio/mp3",
        "audio/mpeg",
        "audio/wav",
        "image/gif",
        "image/jpeg",
        "image/png",
        "image/webp",
        "text/plain",
        "video/mp4",
    }
)
"""The usual ones. Others are read, as all that a client may choose."""

_BLOB: Fields = {"mimeType": _MEDIA_TYPES, "data": Unread.STRING, "displayName": FREE}
_FILE: Fields = {"mimeType": _MEDIA_TYPES, "fileUri": Unread.DATA_URL, "displayName": FREE}
_FUNCTION_CALL: Fields = {"id": Unread.STRING, "name": FREE, "args": FREE}
_FUNCTION_RESPONSE: Fields = {
    "id": Unread.STRING,
    "name": FREE,
    "response": FREE,
    "parts": Parts({"inlineData": _BLOB, "fileData": _FILE}),
    "willContinue": Unread.ALL,
    "scheduling": Unread.ALL,
}
_PART = Parts(
    {
        "text": FREE,
        "thought": Unread.ALL,
        "thoughtSignature": Unread.STRING,
        "inlineData": _BLOB,
        "fileData": _FILE,
        "functionCall": _FUNCTION_CALL,
        "functionResponse": _FUNCTION_RESPONSE,
        "executableCode": {"id": Unread.STRING, "language": frozenset({"PYTHON"}), "code": FREE},
        "codeExecutionResult": {"id": Unread.STRING, "outcome": Unread.ALL, "output": FREE},
        "toolCall": {"id": Unread.STRING, "toolType": Unread.ALL, "args": FREE},
        "toolResponse": {"id": Unread.STRING, "toolType": Unread.ALL, "response": FREE},
        "videoMetadata": Unread.ALL,
        "mediaResolution": {"level": Unread.ALL, "numTokens": Unread.ALL},
        "partMetadata": FREE,
    }
)
CONTENT: Fields = {"role": ROLES, "parts": _PART}

_FUNCTION: Fields = {
    "name": FREE,
    "description": FREE,
    "parameters": FREE,
    "parametersJsonSchema": FREE,
    "response": FREE,
    "responseJsonSchema": FREE,
    "behavior": Unread.ALL,
}
_TOOL: Fields = {
    "functionDeclarations": _FUNCTION,
    "codeExecution": FREE,
    "computerUse": FREE,
    "fileSearch": FREE,
    "googleMaps": FREE,
    "googleSearch": FREE,
    "googleSearchRetrieval": FREE,
    "mcpServers": FREE,
    "urlContext": FREE,
}
_TOOL_CONFIG: Fields = {
    "functionCallingConfig": {
        "mode": Unread.ALL,
        "allowedFunctionNames": Unread.ALL,
        "streamFunctionCallArguments": Unread.ALL,
    },
    "retrievalConfig": FREE,
    "includeServerSideToolInvocations": Unread.ALL,
}
_NUMBERS = (
    "audioTimestamp",
    "candidateCount",
    "enableEnhancedCivicAnswers",
    "frequencyPenalty",
    "logprobs",
    "maxOutputTokens",
    "mediaResolution",
    "presencePenalty",
    "responseLogprobs",
    "responseModalities",
    "seed",
    "temperature",
    "topK",
    "topP",
)
_GENERATION: Fields = {
    **dict.fromkeys(_NUMBERS, Unread.ALL),
    "thinkingConfig": {
        "includeThoughts": Unread.ALL,
        "thinkingBudget": Unread.ALL,
        "thinkingLevel": Unread.ALL,
    },
    "imageConfig": {"aspectRatio": FREE, "imageSize": FREE},
    "responseMimeType": frozenset({"text/plain", "application/json", "text/x.enum"}),
    "responseSchema": FREE,
    "responseJsonSchema": FREE,
    "responseFormat": FREE,
    "speechConfig": FREE,
    "stopSequences": FREE,
}
_REQUEST: Fields = {
    "model": Unread.STRING,
    "contents": CONTENT,
    "systemInstruction": CONTENT,
    "tools": _TOOL,
    "toolConfig": _TOOL_CONFIG,
    "safetySettings": {
        "category": Unread.ALL,
        "threshold": Unread.ALL,
        "method": Unread.ALL,
    },
    "generationConfig": _GENERATION,
    "cachedContent": Unread.STRING,
    "labels": FREE,
    "serviceTier": Unread.ALL,
    "store": Unread.ALL,
}
_COUNT: Fields = {**_REQUEST, "generateContentRequest": _REQUEST}
_EMBED: Fields = {
    "model": Unread.STRING,
    "content": CONTENT,
    "taskType": Unread.ALL,
    "title": FREE,
    "outputDimensionality": Unread.ALL,
    "autoTruncate": Unread.ALL,
    "embedContentConfig": {
        "taskType": Unread.ALL,
        "title": FREE,
        "outputDimensionality": Unread.ALL,
        "autoTruncate": Unread.ALL,
        "documentOcr": Unread.ALL,
        "audioTrackExtraction": Unread.ALL,
    },
}
_BATCH: Fields = {"requests": _EMBED, "model": Unread.STRING}
_CACHE: Fields = {
    "model": Unread.STRING,
    "contents": CONTENT,
    "systemInstruction": CONTENT,
    "tools": _TOOL,
    "toolConfig": _TOOL_CONFIG,
    "displayName": FREE,
    "name": FREE,
    "ttl": FREE,
    "expireTime": FREE,
}

REPEATED = frozenset(
    {"contents", "functionDeclarations", "parts", "requests", "safetySettings", "tools"}
)

REQUEST = both(_REQUEST)
"""Of generateContent and streamGenerateContent."""
REQUEST_NAMES = known(_REQUEST, REPEATED)
COUNT = both(_COUNT)
COUNT_NAMES = known(_COUNT, REPEATED)
EMBED = both(_EMBED)
EMBED_NAMES = known(_EMBED, REPEATED)
BATCH = both(_BATCH)
BATCH_NAMES = known(_BATCH, REPEATED)
CACHE = both(_CACHE)
"""Of what is to be cached."""
CACHE_NAMES = known(_CACHE, REPEATED)
