"""The demo's model: reads a chat request, refuses what OpenAI would refuse, and makes an answer.

Deterministic: the same request gets the same words and the same token counts.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xds_server.demo.samples import DIMENSIONS, sample
from xds_server.demo.wire import Answer, Json, ToolCall, error

COUNT_TO = re.compile(r"\bcount to (\d{1,5})\b", re.IGNORECASE)
WANTS_TOOL = re.compile(r"\b(tool|function|weather|call)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the provider answers instead of a completion."""

    status: int
    body: Json


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """The parts of a chat request that the demo acts on."""

    model: str
    messages: Sequence[Mapping[str, object]]
    is_stream: bool
    is_usage_included: bool
    choices: int
    limit_tokens: int | None
    tools: Sequence[Mapping[str, object]]
    tool_choice: object
    schema: object = None
    """Which the answer is to have; True: any JSON. None: it is text."""


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """The same of a request for embeddings."""

    model: str
    texts: Sequence[str]
    dimensions: int
    is_base64: bool


def read(body: bytes, models: Sequence[str]) -> ChatRequest | Refusal:
    """The request in `body`, or the 4xx that OpenAI documents for it."""
    try:
        document = json.loads(body)
    except ValueError:
        return _invalid(
            "We could not parse the JSON body of your request. (HINT: This likely means you "
            "aren't using your HTTP library correctly. The OpenAI API expects a JSON payload, "
            "but what was sent was not valid JSON.)"
        )
    if not isinstance(document, dict):
        return _invalid("The body of the request must be a JSON object.")
    for name, kind, word in (("model", str, "a string"), ("messages", list, "an array")):
        if name not in document:
            message = f"Missing required parameter: '{name}'."
            return _invalid(message, name, "missing_required_parameter")
        if not isinstance(document[name], kind):
            message = f"Invalid type for '{name}': expected {word}."
            return _invalid(message, name, "invalid_type")
    if not document["messages"]:
        message = "Invalid 'messages': empty array. Expected an array with minimum length 1."
        return _invalid(message, "messages", "empty_array")
    if document["model"] not in models:
        message = f"The model `{document['model']}` does not exist or you do not have access to it."
        return Refusal(404, error(message, "invalid_request_error", None, "model_not_found"))
    return _request(document)


def _invalid(message: str, param: str | None = None, code: str | None = None) -> Refusal:
    return Refusal(400, error(message, "invalid_request_error", param, code))


def _request(document: Mapping[str, object]) -> ChatRequest | Refusal:
    messages = document["messages"]
    if not isinstance(messages, list) or not all(isinstance(one, dict) for one in messages):
        message = "Invalid type for 'messages[0]': expected an object."
        return _invalid(message, "messages", "invalid_type")
    limit = document.get("max_completion_tokens", document.get("max_tokens"))
    if limit is not None and (not isinstance(limit, int) or limit < 1):
        message = "Invalid 'max_completion_tokens': integer below minimum value. Expected >= 1."
        return _invalid(message, "max_completion_tokens", "integer_below_min_value")
    choices = document.get("n") or 1
    if not isinstance(choices, int) or not 1 <= choices <= 128:
        return _invalid("Invalid 'n': expected 1 to 128.", "n", "invalid_value")
    options = document.get("stream_options")
    tools = document.get("tools")
    return ChatRequest(
        model=str(document["model"]),
        messages=messages,
        is_stream=document.get("stream") is True,
        is_usage_included=isinstance(options, dict) and options.get("include_usage") is True,
        choices=choices,
        limit_tokens=limit,
        tools=[one for one in tools if isinstance(one, dict)] if isinstance(tools, list) else (),
        tool_choice=document.get("tool_choice", "auto"),
        schema=_schema(document.get("response_format")),
    )


def _schema(wanted: object) -> object:
    """Of `response_format`."""
    if not isinstance(wanted, dict):
        return None
    if wanted.get("type") == "json_object":
        return True
    named = wanted.get("json_schema")
    return named.get("schema") if isinstance(named, dict) else None


def read_embedding(body: bytes, models: Sequence[str]) -> EmbeddingRequest | Refusal:
    """The request in `body`, or a 4xx."""
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        return _invalid("The body of the request must be a JSON object.")
    if document.get("model") not in models:
        message = f"The model `{document.get('model')}` does not exist."
        return Refusal(404, error(message, "invalid_request_error", None, "model_not_found"))
    given = document.get("input")
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(one, str) for one in texts):
        return _invalid("Invalid 'input': expected a text, or texts.", "input", "invalid_type")
    dimensions = document.get("dimensions", DIMENSIONS)
    if not isinstance(dimensions, int) or not 1 <= dimensions <= 3072:
        return _invalid("Invalid 'dimensions': expected 1 to 3072.", "dimensions", "invalid_value")
    is_base64 = document.get("encoding_format") == "base64"
    return EmbeddingRequest(str(document["model"]), texts, dimensions, is_base64)


def answer(request: ChatRequest, provider: str) -> Answer:
    """What the model says to `request`; the text names the provider."""
    asked = last_user_text(request.messages)
    prompt_tokens = 3 + sum(3 + tokens(text_of(one)) for one in request.messages)
    call = _tool_call(request, asked)
    if call is not None:
        is_forced = isinstance(request.tool_choice, dict)
        return Answer(
            pieces=(),
            tool_calls=(call,),
            # OpenAI says "stop" when the caller named the function itself
            finish_reason="stop" if is_forced else "tool_calls",
            prompt_tokens=prompt_tokens,
            completion_tokens=tokens(call.name) + tokens(call.arguments),
        )
    if request.schema is None:
        pieces = _pieces(asked, provider)
    else:
        said = {"answer": asked} if request.schema is True else sample(request.schema, asked)
        pieces = tuple(re.findall(r".{1,4}", json.dumps(said, ensure_ascii=False), re.DOTALL))
    is_cut = request.limit_tokens is not None and len(pieces) > request.limit_tokens
    pieces = pieces[: request.limit_tokens]
    return Answer(pieces, (), "length" if is_cut else "stop", prompt_tokens, len(pieces))


def _pieces(asked: str, provider: str) -> tuple[str, ...]:
    counting = COUNT_TO.search(asked)
    if counting:
        return tuple(f"{number} " for number in range(1, int(counting[1]) + 1))
    quoted = asked if len(asked) <= 120 else f"{asked[:120]}…"
    text = f"Provider {provider} of the demo answers: you said “{quoted}”"
    return tuple(re.findall(r"\S+\s*", text))


def _tool_call(request: ChatRequest, asked: str) -> ToolCall | None:
    names = [_name(tool.get("function")) for tool in request.tools]
    forced = request.tool_choice
    if not names or forced == "none":
        return None
    if isinstance(forced, dict):
        name = _name(forced.get("function"))
    elif forced == "required" or WANTS_TOOL.search(asked) or any(one in asked for one in names):
        name = next((one for one in names if one in asked), names[0])
    else:
        return None
    if any(one.get("role") == "tool" for one in request.messages[-1:]):
        return None  # its result is here: now the model speaks
    definition = next((tool for tool in request.tools if _name(tool.get("function")) == name), {})
    digest = hashlib.sha256(f"{name}{asked}".encode()).hexdigest()
    return ToolCall(f"call_{digest[:24]}", name, json.dumps(_arguments(definition, asked)))


def _name(function: object) -> str:
    return str(function.get("name", "")) if isinstance(function, dict) else ""


def _arguments(definition: Mapping[str, object], asked: str) -> Json:
    """One plausible value for each declared parameter."""
    function = definition.get("function")
    schema = function.get("parameters") if isinstance(function, dict) else None
    found = sample(schema, asked)
    return found if isinstance(found, dict) else {}


def last_user_text(messages: Sequence[Mapping[str, object]]) -> str:
    """What the user said last."""
    return next((text_of(one) for one in reversed(messages) if one.get("role") == "user"), "")


def text_of(message: Mapping[str, object]) -> str:
    """The text of a message, whose content is a string or a list of parts."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    parts = (one.get("text") for one in content if isinstance(one, dict))
    return "".join(part for part in parts if isinstance(part, str))


def tokens(text: str) -> int:
    """About as many as a real tokenizer would count: one for every four bytes."""
    return -(-len(text.encode()) // 4)
