"""What a conversation says, as a provider reads it: the same lines for every dialect.

Read by hand from the documented forms, so that two requests can be compared that were never said in
the same dialect. Identifiers are left out, but that a result belongs to its call is checked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

Line: TypeAlias = tuple[str, ...]
"""`("user", "hi")`, `("thought", "hm")`, `("seal", "c2Vh")`, `("call", "now", "{}")`,
`("result", "now", "noon")`."""


def spoken(dialect: str, body: Mapping[str, Any]) -> list[Line]:
    """Every line of a request, texts of one speaker joined, and nothing that says nothing."""
    joined: list[Line] = []
    for line in _READERS[dialect](body):
        if len(line) == 2 and not line[1]:
            continue
        if joined and len(line) == 2 and joined[-1][0] == line[0]:
            joined[-1] = (line[0], joined[-1][1] + line[1])
        else:
            joined.append(line)
    return joined


def _call(name: str, arguments: Any) -> Line:
    plain = json.loads(arguments) if isinstance(arguments, str) else arguments
    return "call", name, json.dumps(plain, sort_keys=True, ensure_ascii=False)


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content or ())


def _chat(body: Mapping[str, Any]) -> Iterator[Line]:
    names: dict[str, str] = {}
    for message in body["messages"]:
        role = message["role"]
        if role == "tool":
            yield "result", names[message["tool_call_id"]], _result(message["content"])
            continue
        details = message.get("reasoning_details", ())
        for detail in details:
            yield "thought", detail.get("text", "")
            yield "seal", detail.get("signature") or detail.get("data", "")
        if not details:
            yield "thought", message.get("reasoning_content", "")
        if _text(message.get("content")):
            yield "system" if role == "developer" else role, _text(message["content"])
        for call in message.get("tool_calls", ()):
            names[call["id"]] = call["function"]["name"]
            yield _call(call["function"]["name"], call["function"]["arguments"])


def _responses(body: Mapping[str, Any]) -> Iterator[Line]:
    names: dict[str, str] = {}
    if body.get("instructions"):
        yield "system", body["instructions"]
    for item in body["input"]:
        match item.get("type", "message"):
            case "message":
                role = item["role"]
                yield "system" if role == "developer" else role, _text(item["content"])
            case "reasoning":
                text = "\n\n".join(p["text"] for p in (*item["summary"], *item.get("content", ())))
                yield "thought", text
                yield "seal", item.get("encrypted_content", "")
            case "function_call":
                names[item["call_id"]] = item["name"]
                yield _call(item["name"], item["arguments"])
            case "function_call_output":
                yield "result", names[item["call_id"]], _result(item["output"])


def _anthropic(body: Mapping[str, Any]) -> Iterator[Line]:
    names: dict[str, str] = {}
    if body.get("system"):
        yield "system", _text(body["system"])
    for message in body["messages"]:
        content = message["content"]
        for block in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            match block["type"]:
                case "text":
                    yield message["role"], block["text"]
                case "thinking":
                    yield "thought", block["thinking"]
                    yield "seal", block["signature"]
                case "redacted_thinking":
                    yield "seal", block["data"]
                case "tool_use":
                    names[block["id"]] = block["name"]
                    yield _call(block["name"], block["input"])
                case "tool_result":
                    yield "result", names[block["tool_use_id"]], _result(block["content"])


def _gemini(body: Mapping[str, Any]) -> Iterator[Line]:
    if "systemInstruction" in body:
        yield "system", _text(body["systemInstruction"]["parts"])
    for content in body["contents"]:
        role = "assistant" if content.get("role") == "model" else "user"
        seals: list[str] = []  # of a text, they are with it or behind it
        for part in content["parts"]:
            if part.get("thoughtSignature"):
                seals.append(part["thoughtSignature"].rstrip("="))
            if part.get("thought"):
                yield "thought", part["text"]
            elif "functionCall" in part:
                yield _call(part["functionCall"]["name"], part["functionCall"].get("args", {}))
            elif "functionResponse" in part:
                said = part["functionResponse"]
                yield "result", said["name"], _only(said["response"])
            elif part.get("text"):
                yield role, part["text"]
        yield from (("seal", each) for each in seals)


def _only(response: Mapping[str, Any]) -> str:
    """Whatever the one field of a response is called."""
    (value,) = response.values()
    return str(value)


def _result(content: Any) -> str:
    """What Gemini's clients say in an object is a text to others."""
    text = _text(content)
    return _only(json.loads(text)) if text.startswith("{") else text


def _bedrock(body: Mapping[str, Any]) -> Iterator[Line]:
    names: dict[str, str] = {}
    if body.get("system"):
        yield "system", _text(body["system"])
    for message in body["messages"]:
        for block in message["content"]:
            if "text" in block:
                yield message["role"], block["text"]
            elif "toolUse" in block:
                names[block["toolUse"]["toolUseId"]] = block["toolUse"]["name"]
                yield _call(block["toolUse"]["name"], block["toolUse"]["input"])
            elif "toolResult" in block:
                result = block["toolResult"]
                yield "result", names[result["toolUseId"]], _result(result["content"])
            elif "reasoningContent" in block:
                said = block["reasoningContent"]
                if "redactedContent" in said:
                    yield "seal", said["redactedContent"]
                else:
                    yield "thought", said["reasoningText"]["text"]
                    yield "seal", said["reasoningText"].get("signature", "")


_READERS: Mapping[str, Callable[[Mapping[str, Any]], Iterator[Line]]] = MappingProxyType(
    {
        "openai_chat": _chat,
        "openai_responses": _responses,
        "anthropic": _anthropic,
        "gemini": _gemini,
        "bedrock": _bedrock,
    }
)
