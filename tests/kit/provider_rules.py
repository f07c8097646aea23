"""What providers document of the requests that they take: who breaks a rule is told which.

Bodies are judged by the types of the providers' own libraries; by hand only what those leave to the
service: which turn may follow which, and what answers what.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from anthropic.types import message_create_params
from google.genai import types as google
from openai.types.chat import completion_create_params
from openai.types.responses import response_create_params
from pydantic import BaseModel, TypeAdapter, ValidationError

from tests.kit import bedrock

Rule = Callable[[Mapping[str, Any]], Iterator[str]]

_HOP = (
    "accept-encoding", "cookie", "forwarded", "proxy-authorization", "via", "x-envoy-", "x-amz-",
    "x-dragoman-", "x-forwarded-", "x-real-ip", "x-request-id",
)  # fmt: skip
"""No header begins so: it speaks of the client or of the gateway, not of the request."""
_CREDENTIALS = ("authorization", "x-api-key", "api-key", "x-goog-api-key")

CLIENT_KEY = "sk-client-of-the-gateway"
"""What clients show to the gateway, and no provider may see."""


@dataclass(frozen=True, slots=True)
class Api:
    """How one provider wants to be asked."""

    paths: tuple[str, ...]
    key: tuple[str, str]
    """The header and its whole value."""
    rule: Rule
    headers: tuple[str, ...] = ()
    """Others that it needs."""


def faults(
    dialect: str, path: str, headers: Sequence[tuple[str, str]], body: Mapping[str, Any]
) -> list[str]:
    """All that is wrong with a request."""
    api = APIS[dialect]
    return [*_about_line(api, path), *_about_headers(api, headers), *api.rule(body)]


def _about_line(api: Api, path: str) -> Iterator[str]:
    if not any(re.fullmatch(pattern, path) for pattern in api.paths):
        yield f"path: {path}"


def _about_headers(api: Api, headers: Sequence[tuple[str, str]]) -> Iterator[str]:
    names = [name.lower() for name, _ in headers]
    yield from (
        f"header twice: {name}" for name in sorted({n for n in names if names.count(n) > 1})
    )
    found = {name.lower(): value for name, value in headers}
    name, value = api.key
    if found.get(name) != value:
        yield f"header {name}: not the provider's key"
    yield from (
        f"foreign credential: {each}" for each in _CREDENTIALS if each in found.keys() - {name}
    )
    yield from (f"header {each}: the client's key" for each in found if CLIENT_KEY in found[each])
    yield from (f"header of a hop: {each}" for each in found if each.startswith(_HOP))
    yield from (f"header missing: {each}" for each in api.headers if each not in found)
    if found.get("content-type", "").split(";")[0] != "application/json":
        yield f"content-type: {found.get('content-type')}"
    if ("content-length" in found) == ("transfer-encoding" in found):
        yield "neither or both of content-length and transfer-encoding"


# --- by the types of libraries -------------------------------------------------------------------


def _held_to(adapter: TypeAdapter[Any], body: Mapping[str, Any]) -> Iterator[str]:
    try:
        read = _whole(adapter.validate_python(body))
    except ValidationError as error:
        yield str(error)
    else:
        yield from _unknown(body, read, "")


def _whole(value: Any) -> Any:
    """Pydantic checks an `Iterable` as it is read."""
    if isinstance(value, Mapping):
        return {key: _whole(each) for key, each in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return [_whole(each) for each in value]
    return value


def _unknown(said: Any, read: Any, where: str) -> Iterator[str]:
    """Fields that the library does not know are not read."""
    if isinstance(said, Mapping) and isinstance(read, Mapping):
        for key, each in said.items():
            if key in read:
                yield from _unknown(each, read[key], f"{where}.{key}")
            else:
                yield f"unknown field {where}.{key}"
    elif isinstance(said, list) and isinstance(read, list):
        for index, (left, right) in enumerate(zip(said, read, strict=True)):
            yield from _unknown(left, right, f"{where}[{index}]")


_CHAT: TypeAdapter[Any] = TypeAdapter(completion_create_params.CompletionCreateParamsBase)
_RESPONSES: TypeAdapter[Any] = TypeAdapter(response_create_params.ResponseCreateParamsBase)
_MESSAGES: TypeAdapter[Any] = TypeAdapter(message_create_params.MessageCreateParamsBase)
_OF_COMPATIBLE_SERVERS = ("reasoning_content", "reasoning_details", "extra_content")
"""What servers that imitate OpenAI take beside."""
_OF_OLDER_CLAUDES = ("temperature", "top_p", "top_k")
"""What the library has no types for, since the newest refuse it."""


def _without(names: Iterable[str], value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without(names, each) for key, each in value.items() if key not in names}
    return [_without(names, each) for each in value] if isinstance(value, list) else value


def _chat(body: Mapping[str, Any]) -> Iterator[str]:
    plain = _without(_OF_COMPATIBLE_SERVERS, body)
    if "image" in plain.get("modalities", ()):  # OpenRouter's
        plain = _without(("modalities", "image_config"), plain)
    yield from _held_to(_CHAT, {key: each for key, each in plain.items() if key != "stream"})
    if not isinstance(body.get("stream", False), bool):
        yield "stream is no boolean"
    if "stream_options" in body and body.get("stream") is not True:
        yield "stream_options without stream"
    open_calls: list[str] = []
    for message in body["messages"]:
        if message["role"] == "tool":
            if message["tool_call_id"] not in open_calls:
                yield f"no call {message['tool_call_id']} is open"
                continue
            open_calls.remove(message["tool_call_id"])
            continue
        if open_calls:
            yield f"calls without a result: {open_calls}"
        open_calls = [call["id"] for call in message.get("tool_calls", ())]
        said = message.get("content") or message.get("refusal")
        if message["role"] == "assistant" and not (open_calls or said):
            yield "a message of the assistant says nothing"
    yield from _json_arguments(
        call["function"]["arguments"]
        for message in body["messages"]
        for call in message.get("tool_calls", ())
    )


def _responses(body: Mapping[str, Any]) -> Iterator[str]:
    items = body["input"] if isinstance(body["input"], list) else []
    yield from _held_to(_RESPONSES, {k: v for k, v in body.items() if k not in ("stream", "input")})
    calls: set[str] = set()
    for item in items:
        judged = item
        if item.get("type") == "reasoning":  # the id may be missing where state is not stored
            judged = {"id": "rs_1", **item}
        yield from _held_to(_RESPONSES, {"input": [judged]})
        if item.get("type") == "function_call":
            calls.add(item["call_id"])
            yield from _json_arguments([item["arguments"]])
        elif item.get("type") == "function_call_output" and item["call_id"] not in calls:
            yield f"no tool call found for function call output with call_id {item['call_id']}"


def _json_arguments(arguments: Iterable[str]) -> Iterator[str]:
    for each in arguments:
        if not isinstance(json.loads(each), dict):
            yield f"arguments are no object: {each}"


def _anthropic(body: Mapping[str, Any]) -> Iterator[str]:
    beside = ("stream", *_OF_OLDER_CLAUDES)
    yield from _held_to(_MESSAGES, {key: each for key, each in body.items() if key not in beside})
    yield from (f"{key} is no number" for key in _OF_OLDER_CLAUDES if _is_odd(body.get(key, 0)))
    if body.get("max_tokens", 0) < 1:
        yield "max_tokens: field required"
    yield from _alternating([message["role"] for message in body["messages"]], "user", "assistant")
    budget = body.get("thinking", {}).get("budget_tokens")
    if budget is not None and not 1024 <= budget < body["max_tokens"]:
        yield f"thinking.budget_tokens: {budget} of {body['max_tokens']}"
    open_calls: list[str] = []
    for number, message in enumerate(body["messages"]):
        blocks = message["content"] if isinstance(message["content"], list) else []
        if not message["content"]:
            yield f"messages.{number}: content is empty"
        answered = [each["tool_use_id"] for each in blocks if each["type"] == "tool_result"]
        if sorted(answered) != sorted(open_calls):
            yield f"messages.{number}: results of {answered} for the calls {open_calls}"
        kinds = [each["type"] == "tool_result" for each in blocks]
        if kinds != sorted(kinds, reverse=True):
            yield f"messages.{number}: results come first"
        open_calls = [each["id"] for each in blocks if each["type"] == "tool_use"]
        for block in blocks:
            if block["type"] == "text" and not block["text"].strip():
                yield f"messages.{number}: text content blocks must be non-empty"
            if block["type"] == "tool_use" and not re.fullmatch(r"[a-zA-Z0-9_-]+", block["id"]):
                yield f"messages.{number}: tool_use.id: {block['id']}"


def _is_odd(value: object) -> bool:
    return type(value) not in (int, float)


def _alternating(roles: Sequence[str], first: str, second: str) -> Iterator[str]:
    for number, role in enumerate(roles):
        if role != (first, second)[number % 2]:
            yield f"roles do not alternate: {roles}"
            return


class _GenerationConfig(google.GenerationConfig):
    """With what the library has in another type alone."""

    imageConfig: google.ImageConfig | None = None


class _Generate(BaseModel, extra="forbid"):
    """The body of generateContent; the library has types for its parts alone."""

    contents: list[google.Content]
    systemInstruction: google.Content | None = None
    tools: list[google.Tool] | None = None
    toolConfig: google.ToolConfig | None = None
    safetySettings: list[google.SafetySetting] | None = None
    generationConfig: _GenerationConfig | None = None
    cachedContent: str | None = None
    serviceTier: str | None = None
    labels: dict[str, str] | None = None


def _gemini(body: Mapping[str, Any]) -> Iterator[str]:
    try:
        said = _Generate.model_validate(body)
    except ValidationError as error:
        yield str(error)
        return
    answers = [any(p.function_response for p in c.parts or ()) for c in said.contents]
    roles = [
        content.role or ""
        for place, content in enumerate(said.contents)
        if not (place and answers[place - 1] and content.role == "user")  # goes on after results
    ]
    yield from _alternating(roles, "user", "model")
    calls: list[str | None] = []
    for number, content in enumerate(said.contents):
        parts = content.parts or []
        if not parts:
            yield f"contents[{number}]: no parts"
        results = [each.function_response.name for each in parts if each.function_response]
        if sorted(map(str, results)) != sorted(map(str, calls)):
            yield f"contents[{number}]: responses of {results} for the calls {calls}"
        calls = [each.function_call.name for each in parts if each.function_call]


def _bedrock(body: Mapping[str, Any]) -> Iterator[str]:
    found = bedrock.faults(json.dumps(body).encode())
    if found:
        yield found
    yield from _alternating([message["role"] for message in body["messages"]], "user", "assistant")
    calls: list[str] = []
    for number, message in enumerate(body["messages"]):
        blocks = message["content"]
        if not blocks:
            yield f"messages.{number}: content is empty"
        results = [each["toolResult"]["toolUseId"] for each in blocks if "toolResult" in each]
        if sorted(results) != sorted(calls):
            yield f"messages.{number}: results of {results} for the calls {calls}"
        calls = [each["toolUse"]["toolUseId"] for each in blocks if "toolUse" in each]
        if any("text" in each and not each["text"].strip() for each in blocks):
            yield f"messages.{number}: the text field is blank"
    has_tool_blocks = any(
        {"toolUse", "toolResult"} & each.keys() for m in body["messages"] for each in m["content"]
    )
    if has_tool_blocks and not body.get("toolConfig"):
        yield "toolConfig is missing where messages have tool blocks"


APIS: Mapping[str, Api] = MappingProxyType(
    {
        "openai_chat": Api(("/v1/chat/completions",), ("authorization", "Bearer sk-chat"), _chat),
        "openai_responses": Api(
            ("/v1/responses",), ("authorization", "Bearer sk-resp"), _responses
        ),
        "anthropic": Api(
            ("/v1/messages", r"/v1/messages\?beta=true"),
            ("x-api-key", "sk-ant"),
            _anthropic,
            ("anthropic-version",),
        ),
        "gemini": Api(
            (
                r"/v1(beta)?/models/[^/:?]+:generateContent",
                r"/v1(beta)?/models/[^/:?]+:streamGenerateContent\?alt=sse",
            ),
            ("x-goog-api-key", "AIza"),
            _gemini,
        ),
        "bedrock": Api(
            (r"/model/[^/?]+/converse(-stream)?",),
            ("authorization", "Bearer bedrock-key"),
            _bedrock,
        ),
    }
)
