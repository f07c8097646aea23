"""What the providers' own libraries have against what clients are answered.

Their types judge; fields that they do not know count, but for those that others have added.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import anthropic.types as anthropic
from botocore.eventstream import EventStreamBuffer
from botocore.validate import ParamValidator
from google.genai import types as google
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from openai.types.shared import ErrorObject
from pydantic import BaseModel, TypeAdapter, ValidationError

from extproc.protocols.sse import SseDecoder
from gateway.model import Dialect
from tests.kit import bedrock

_ADDED = re.compile(
    r".*\.(reasoning_content"  # DeepSeek, vLLM and many more
    r"|reasoning_details"  # OpenRouter
    r"|images"  # OpenRouter
    r"|extra_content"  # Google's OpenAI-compatible API
    r"|choices\[0\]\.stop_reason"  # vLLM
    r"|prompt_tokens_details\.(cache_write_tokens|image_tokens)"  # OpenRouter
    r"|store|delta\.annotations|bytes)"  # OpenAI tells them; its library leaves them out
    r"|\.name"  # of `function_call_arguments.done`: likewise
    r"|\.usage\.cache_creation"  # of a `message_delta`; Anthropic tells it at the beginning
)
"""Fields of APIs that are not in their libraries, or that others have added."""
_RESPONSE_EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
_MESSAGE_EVENT: TypeAdapter[Any] = TypeAdapter(anthropic.RawMessageStreamEvent)


def answer_faults(dialect: Dialect, body: bytes) -> list[str]:
    """Of a whole answer."""
    return list(_ANSWERS[dialect](json.loads(body)))


def stream_faults(dialect: Dialect, stream: bytes) -> list[str]:
    """Of every event of a stream, and of its frames."""
    if dialect is Dialect.BEDROCK:
        return list(_bedrock_stream(stream))
    return [
        fault
        for event in SseDecoder().feed(stream)
        if event.data != b"[DONE]"
        for fault in _EVENTS[dialect](json.loads(event.data))
    ]


def error_faults(dialect: Dialect, body: bytes) -> list[str]:
    """Of an error instead of an answer."""
    return list(_ERRORS[dialect](json.loads(body)))


def _by(model: type[BaseModel], **settings: Any) -> Callable[[Any], Iterator[str]]:
    def judge(document: Any) -> Iterator[str]:
        try:
            yield from unknown(model.model_validate(document, **settings))
        except ValidationError as error:
            yield str(error)

    return judge


def _event(types: TypeAdapter[Any]) -> Callable[[Any], Iterator[str]]:
    def judge(document: Any) -> Iterator[str]:
        try:
            yield from unknown(types.validate_python(document))
        except ValidationError as error:
            yield str(error)

    return judge


def unknown(value: Any, where: str = "") -> Iterator[str]:
    """Fields that the library has no place for."""
    if isinstance(value, BaseModel):
        for name in value.model_extra or ():
            if not _ADDED.fullmatch(f"{where}.{name}"):
                yield f"{where}.{name} is unknown"
        for name in type(value).model_fields:
            yield from unknown(getattr(value, name), f"{where}.{name}")
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from unknown(each, f"{where}[{index}]")


def _chat_chunk(document: Any) -> Iterator[str]:
    judge = _openai_error if "error" in document else _by(ChatCompletionChunk, strict=True)
    yield from judge(document)


def _openai_error(document: Any) -> Iterator[str]:
    if set(document) != {"error"}:
        yield f"beside the error: {sorted(document)}"
    yield from _by(ErrorObject)(document["error"])


def _message_event(document: Any) -> Iterator[str]:
    judge = _anthropic_error if document["type"] == "error" else _event(_MESSAGE_EVENT)
    yield from judge(document)


def _anthropic_error(document: Any) -> Iterator[str]:
    """Of status 413, which the library has no type for: https://docs.claude.com/en/api/errors."""
    if document["error"]["type"] == "request_too_large":
        document = {**document, "error": {**document["error"], "type": "invalid_request_error"}}
    yield from _by(anthropic.ErrorResponse)({"request_id": None, **document})


def _gemini_chunk(document: Any) -> Iterator[str]:
    judge = _gemini_error if "error" in document else _by(google.GenerateContentResponse)
    yield from judge(document)


def _gemini_error(document: Any) -> Iterator[str]:
    """https://cloud.google.com/apis/design/errors: a `google.rpc.Status`, as JSON."""
    error = document["error"]
    if set(document) != {"error"} or set(error) - {"code", "message", "status", "details"}:
        yield f"not a Status: {document}"
    if type(error["code"]) is not int or type(error["message"]) is not str:
        yield f"not a Status: {error}"
    yield from (f"no type: {each}" for each in error.get("details", ()) if "@type" not in each)


def _converse(document: Any) -> Iterator[str]:
    yield from _shaped(document, bedrock.service().operation_model(bedrock.CONVERSE).output_shape)


def _bedrock_stream(stream: bytes) -> Iterator[str]:
    events = bedrock.service().operation_model(bedrock.CONVERSE_STREAM).get_event_stream_output()
    buffer = EventStreamBuffer()
    buffer.add_data(stream)
    for message in buffer:
        name = message.headers.get(":event-type") or message.headers[":exception-type"]
        if name not in events.members:
            yield f"{name} is unknown"
        else:
            yield from _shaped(json.loads(message.payload), events.members[name])


def _shaped(document: Any, shape: Any) -> Iterator[str]:
    report = ParamValidator().validate(bedrock.as_params(document, shape), shape)
    if report.has_errors():
        yield report.generate_report()
    yield from bedrock.unmatched(document, shape)


def _bedrock_error(document: Any) -> Iterator[str]:
    if type(document.get("message")) is not str or set(document) - {"message", "__type", "code"}:
        yield f"not an error of AWS: {document}"


_ANSWERS: Mapping[Dialect, Callable[[Any], Iterator[str]]] = MappingProxyType(
    {
        Dialect.OPENAI_CHAT: _by(ChatCompletion, strict=True),
        Dialect.OPENAI_RESPONSES: _by(Response, strict=True),
        Dialect.ANTHROPIC: _by(anthropic.Message, strict=True),
        Dialect.GEMINI: _by(google.GenerateContentResponse),
        Dialect.BEDROCK: _converse,
    }
)
_EVENTS: Mapping[Dialect, Callable[[Any], Iterator[str]]] = MappingProxyType(
    {
        Dialect.OPENAI_CHAT: _chat_chunk,
        Dialect.OPENAI_RESPONSES: _event(_RESPONSE_EVENT),
        Dialect.ANTHROPIC: _message_event,
        Dialect.GEMINI: _gemini_chunk,
    }
)
_ERRORS: Mapping[Dialect, Callable[[Any], Iterator[str]]] = MappingProxyType(
    {
        Dialect.OPENAI_CHAT: _openai_error,
        Dialect.OPENAI_RESPONSES: _openai_error,
        Dialect.ANTHROPIC: _anthropic_error,
        Dialect.GEMINI: _gemini_error,
        Dialect.BEDROCK: _bedrock_error,
    }
)
