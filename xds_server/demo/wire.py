"""OpenAI's documented wire format, from the provider's side: bodies, stream chunks and errors.

https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

Json = Mapping[str, object]

DONE = b"data: [DONE]\n\n"
ERROR_TYPES = {429: "requests", 500: "server_error", 503: "service_unavailable_error"}


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function that the model wants called."""

    identifier: str
    name: str
    arguments: str
    """JSON, as text."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model says: text in pieces, one for each token, or tool calls."""

    pieces: tuple[str, ...]
    tool_calls: tuple[ToolCall, ...]
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Envelope:
    """What every object of one completion repeats."""

    identifier: str
    created: int
    model: str

    def of(self, kind: str) -> dict[str, object]:
        return {
            "id": self.identifier,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "service_tier": "default",
            "system_fingerprint": "fp_demo",
        }


def usage(answer: Answer, choices: int) -> Json:
    """The `usage` object; every choice is paid for, the prompt once."""
    completion = answer.completion_tokens * choices
    return {
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": completion,
        "total_tokens": answer.prompt_tokens + completion,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def completion(envelope: Envelope, answer: Answer, choices: int) -> Json:
    """A whole `chat.completion`."""
    message: dict[str, object] = {
        "role": "assistant",
        "content": "".join(answer.pieces) if not answer.tool_calls else None,
        "refusal": None,
        "annotations": [],
    }
    if answer.tool_calls:
        message["tool_calls"] = [_tool_call(call, call.arguments) for call in answer.tool_calls]
    return envelope.of("chat.completion") | {
        "choices": [
            {
                "index": index,
                "message": message,
                "logprobs": None,
                "finish_reason": answer.finish_reason,
            }
            for index in range(choices)
        ],
        "usage": usage(answer, choices),
    }


def chunks(
    envelope: Envelope, answer: Answer, choices: int, is_usage_included: bool
) -> Iterator[Json]:
    """The `chat.completion.chunk` objects of a stream, in order; `DONE` follows them."""

    def chunk(content: Sequence[Json], total: Json | None = None) -> Json:
        whole = envelope.of("chat.completion.chunk") | {"choices": content}
        return whole | {"usage": total} if is_usage_included else whole

    for index in range(choices):
        for delta in _deltas(answer):
            yield chunk([_choice(index, delta, None)])
        yield chunk([_choice(index, {}, answer.finish_reason)])
    if is_usage_included:
        yield chunk([], usage(answer, choices))


def _deltas(answer: Answer) -> Iterator[Json]:
    if not answer.tool_calls:
        yield {"role": "assistant", "content": "", "refusal": None}
        for piece in answer.pieces:
            yield {"content": piece}
        return
    yield {"role": "assistant", "content": None, "refusal": None}
    for index, call in enumerate(answer.tool_calls):
        yield {"tool_calls": [{"index": index} | _tool_call(call, "")]}
        for start in range(0, len(call.arguments), 8):
            part = {"arguments": call.arguments[start : start + 8]}
            yield {"tool_calls": [{"index": index, "function": part}]}


def _tool_call(call: ToolCall, arguments: str) -> dict[str, object]:
    function = {"name": call.name, "arguments": arguments}
    return {"id": call.identifier, "type": "function", "function": function}


def _choice(index: int, delta: Json, finish_reason: str | None) -> Json:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish_reason}


def embeddings(model: str, vectors: Sequence[Sequence[float]], read: int, is_base64: bool) -> Json:
    """The answer to `POST /embeddings`."""
    rows = [
        {"object": "embedding", "index": index, "embedding": _packed(each) if is_base64 else each}
        for index, each in enumerate(vectors)
    ]
    used = {"prompt_tokens": read, "total_tokens": read}
    return {"object": "list", "data": rows, "model": model, "usage": used}


def _packed(vector: Sequence[float]) -> str:
    """As the libraries ask for it: 32 bits each, in base64."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def event(chunk: Json) -> bytes:
    """One server-sent event."""
    return b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"


def error(message: str, kind: str, param: str | None = None, code: str | None = None) -> Json:
    """The body of every answer that is not a 2xx."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def models(names: Sequence[str], created: int, owner: str) -> Json:
    """The answer to `GET /models`."""
    rows = [
        {"id": name, "object": "model", "created": created, "owned_by": owner} for name in names
    ]
    return {"object": "list", "data": rows}
