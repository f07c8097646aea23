"""What providers answer to requests that are no conversation, and what they need of them.

https://platform.openai.com/docs/api-reference,
https://learn.microsoft.com/azure/ai-services/openai/reference,
https://docs.anthropic.com/en/api/creating-message-batches, https://ai.google.dev/api/embeddings,
https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html,
https://docs.cohere.com/reference/rerank
"""

from __future__ import annotations

import base64
import json
import re
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from extproc.protocols import event_stream
from extproc.protocols.event_stream import Message
from tests.kit import response_answers

_JSON = "application/json"
CREATED = 1_700_000_000
PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
SOUND = tuple(bytes([each]) * 700 for each in range(3))
CONTENT = b"\x00\xffthe content of a file\r\n" * 3


@dataclass(frozen=True, slots=True)
class Said:
    """What is asked."""

    provider: str
    method: str
    path: str
    """Decoded, after the provider's own."""
    document: Mapping[str, Any]
    files: frozenset[str]
    """Their fields in the form."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Whole, or in pieces."""

    body: bytes = b""
    pieces: tuple[bytes, ...] = ()
    content_type: str = _JSON
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class _Operation:
    provider: str
    methods: str
    path: str
    """A pattern."""
    answer: Callable[[Said], Answer]
    needs: tuple[str, ...] = ()
    """Fields without which it is no such request."""
    files: tuple[str, ...] = ()
    """And files."""


def answer(said: Said) -> Answer:
    """By the first operation that this is."""
    found = _fitting(said)
    if found is not None:
        return found.answer(said)
    text = json.dumps({"error": {"message": f"no {said.method} {said.path}", "type": "none"}})
    return Answer(text.encode(), status=404)


def faults(said: Said) -> Iterator[str]:
    """What is missing."""
    found = _fitting(said)
    if found is None:
        yield f"no operation {said.method} {said.path}"
        return
    yield from (f"no {name}" for name in found.needs if name not in said.document)
    yield from (f"no file {name}" for name in found.files if name not in said.files)


def _fitting(said: Said) -> _Operation | None:
    for each in _OPERATIONS:
        is_method = said.method in each.methods.split()
        if each.provider == said.provider and is_method and re.fullmatch(each.path, said.path):
            return each
    return None


def _json(document: object, *headers: tuple[str, str]) -> Answer:
    return Answer(json.dumps(document).encode(), headers=headers)


def _events(*documents: object, is_done: bool = False, named: bool = True) -> Answer:
    lines = []
    for each in documents:
        name = f"event: {each['type']}\n" if named and isinstance(each, dict) else ""
        lines.append(f"{name}data: {json.dumps(each)}\n\n".encode())
    end = (b"data: [DONE]\n\n",) if is_done else ()
    return Answer(pieces=(*lines, *end), content_type="text/event-stream")


def _completions(said: Said) -> Answer:
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    base = {
        "id": "cmpl-1", "object": "text_completion", "created": CREATED,
        "model": said.document.get("model", "deployment"),
    }  # fmt: skip

    def choice(text: str, reason: str | None) -> dict[str, Any]:
        return {"text": text, "index": 0, "logprobs": None, "finish_reason": reason}

    if not said.document.get("stream"):
        return _json({**base, "choices": [choice(" world", "stop")], "usage": usage})
    chunks = [
        {**base, "choices": [choice(" wor", None)]},
        {**base, "choices": [choice("ld", "stop")]},
    ]
    if (said.document.get("stream_options") or {}).get("include_usage"):
        chunks.append({**base, "choices": [], "usage": usage})
    return _events(*chunks, is_done=True, named=False)


def _responses(said: Said) -> Answer:
    if said.document.get("stream"):
        return _events(*response_answers.events(said.document))
    return _json(response_answers.response(said.document))


def _generated(said: Said) -> Answer:
    answer = response_answers.generated(said.document)
    is_stream = ":stream" in said.path
    return _events(answer, named=False) if is_stream else _json(answer)


def _chat(said: Said) -> Answer:
    usage = {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}
    message = {"role": "assistant", "content": "Hi", "refusal": None}
    model = said.document.get("model", "deployment")
    tier = {name: said.document[name] for name in ("service_tier",) if name in said.document}
    base = {"id": "chatcmpl-1", "created": CREATED, "model": model, **tier}
    if said.document.get("stream"):
        words = [
            {
                **base,
                "object": "chat.completion.chunk",
                "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}],
            }
            for text in ("one ", "two ", "three " * 200)
        ]
        last = {**base, "object": "chat.completion.chunk", "choices": [], "usage": usage}
        return _events(*words, last, is_done=True, named=False)
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    return _json({**base, "object": "chat.completion", "choices": [choice], "usage": usage})


def _embeddings(said: Said) -> Answer:
    texts = said.document["input"]
    texts = [texts] if isinstance(texts, str) else texts
    vector: Any = [0.5, -0.25]
    if said.document.get("encoding_format") == "base64":
        vector = base64.b64encode(struct.pack("<2f", *vector)).decode()
    data = [
        {"object": "embedding", "index": index, "embedding": vector} for index in range(len(texts))
    ]
    usage = {"prompt_tokens": 8, "total_tokens": 8}
    model = said.document.get("model", "deployment")
    return _json({"object": "list", "data": data, "model": model, "usage": usage})


def _moderations(said: Said) -> Answer:
    result = {"flagged": False, "categories": {"hate": False}, "category_scores": {"hate": 0.01}}
    return _json({"id": "modr-1", "model": said.document.get("model"), "results": [result]})


_IMAGE_USAGE = {
    "total_tokens": 100,
    "input_tokens": 50,
    "output_tokens": 50,
    "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
}


def _images(said: Said) -> Answer:
    count = int(said.document.get("n", 1))
    if str(said.document.get("model", "dall-e-2")).startswith("dall-e"):
        data = [{"url": f"https://images.example/{index}.png"} for index in range(count)]
        return _json({"created": CREATED, "data": data})
    if said.document.get("stream"):
        kind = "image_edit" if said.path.endswith("edits") else "image_generation"
        common = {"created_at": CREATED, "b64_json": PIXEL, "size": "1024x1024", "quality": "low"}
        partial = {"type": f"{kind}.partial_image", **common, "partial_image_index": 0}
        return _events(partial, {"type": f"{kind}.completed", **common, "usage": _IMAGE_USAGE})
    data = [{"b64_json": PIXEL} for _ in range(count)]
    return _json({"created": CREATED, "data": data, "size": "1024x1024", "usage": _IMAGE_USAGE})


def _speech(said: Said) -> Answer:
    if said.document.get("stream_format") == "sse":
        usage = {"input_tokens": 4, "output_tokens": 30, "total_tokens": 34}
        delta = {"type": "speech.audio.delta", "audio": PIXEL}
        return _events(delta, {"type": "speech.audio.done", "usage": usage})
    return Answer(pieces=SOUND, content_type="audio/mpeg")


def _heard(said: Said) -> Answer:
    model = said.document.get("model")
    if said.document.get("response_format") == "text":
        return Answer(b"hello there\n", content_type="text/plain; charset=utf-8")
    if said.document.get("response_format") == "verbose_json":
        told = {"task": "transcribe", "language": "english", "duration": 9.5, "text": "hello"}
        return _json(told)
    tokens = {
        "type": "tokens", "input_tokens": 14, "output_tokens": 45, "total_tokens": 59,
        "input_token_details": {"text_tokens": 4, "audio_tokens": 10},
    }  # fmt: skip
    if said.document.get("stream") == "true":
        done = {"type": "transcript.text.done", "text": "hello there", "usage": tokens}
        return _events({"type": "transcript.text.delta", "delta": "hello"}, done)
    usage = {"type": "duration", "seconds": 9} if model == "whisper-1" else tokens
    return _json({"text": "hello there", "usage": usage})


def _file(file_id: str = "file-1") -> dict[str, Any]:
    return {
        "id": file_id, "object": "file", "bytes": len(CONTENT), "created_at": CREATED,
        "filename": "batch.jsonl", "purpose": "batch", "status": "processed",
    }  # fmt: skip


def _batch(said: Said) -> Answer:
    status = "cancelling" if said.path.endswith("/cancel") else "validating"
    found = {
        "id": "batch_1", "object": "batch", "endpoint": "/v1/embeddings", "status": status,
        "input_file_id": "file-1", "completion_window": "24h", "created_at": CREATED,
    }  # fmt: skip
    if said.method == "GET" and said.path.endswith("/batches"):
        return _json({"object": "list", "data": [found], "has_more": False})
    return _json(found)


def _files(said: Said) -> Answer:
    if said.path.endswith("/content"):
        return Answer(CONTENT, content_type="application/octet-stream")
    if said.method == "DELETE":
        return _json({"id": "file-1", "object": "file", "deleted": True})
    if said.method == "GET" and said.path.endswith("/files"):
        return _json({"object": "list", "data": [_file(), _file("file-2")], "has_more": False})
    return _json(_file())


def _uploads(said: Said) -> Answer:
    if said.path.endswith("/parts"):
        part = {"id": "part_1", "object": "upload.part", "created_at": CREATED}
        return _json({**part, "upload_id": "upload_1"})
    status = {"complete": "completed", "cancel": "cancelled"}
    return _json(
        {
            "id": "upload_1", "object": "upload", "bytes": 9, "created_at": CREATED,
            "filename": "a.jsonl", "purpose": "batch", "expires_at": CREATED + 3600,
            "status": status.get(said.path.rpartition("/")[2], "pending"), "file": _file(),
        }
    )  # fmt: skip


def _response(said: Said) -> Answer:
    if said.method == "DELETE":
        return _json({"id": "resp_1", "object": "response", "deleted": True})
    if said.path.endswith("/input_items"):
        return _json({"object": "list", "data": [], "has_more": False})
    status = "cancelled" if said.path.endswith("/cancel") else "completed"
    return _json(
        {
            "id": "resp_1", "object": "response", "created_at": CREATED, "status": status,
            "model": "gpt-5.4", "output": [], "parallel_tool_calls": True, "tool_choice": "auto",
            "tools": [], "error": None, "incomplete_details": None, "instructions": None,
            "metadata": {}, "temperature": 1.0, "top_p": 1.0,
        }
    )  # fmt: skip


def _message_batch(said: Said) -> Answer:
    counts = {"processing": 1, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}
    return _json(
        {
            "id": "msgbatch_1", "type": "message_batch", "processing_status": "in_progress",
            "request_counts": counts, "created_at": "2025-01-01T00:00:00Z",
            "expires_at": "2025-01-02T00:00:00Z", "ended_at": None, "archived_at": None,
            "cancel_initiated_at": None, "results_url": None,
        }
    )  # fmt: skip


def _gemini_files(said: Said) -> Answer:
    file = {
        "name": "files/abc", "mimeType": "image/png", "sizeBytes": "20000000", "state": "ACTIVE",
        "uri": "https://generativelanguage.googleapis.com/v1beta/files/abc",
    }  # fmt: skip
    if said.method == "DELETE":
        return _json({})
    if said.path.endswith(":download"):
        return Answer(CONTENT, content_type="application/octet-stream")
    return _json({"files": [file]} if said.path.endswith("/files") else file)


def _gemini_caches(said: Said) -> Answer:
    cache: dict[str, Any] = {"name": "cachedContents/c1", "model": "models/gemini-3-flash"}
    cache["usageMetadata"] = {"totalTokenCount": 50}
    if said.method == "GET" and said.path.endswith("/cachedContents"):
        return _json({"cachedContents": [cache]})
    return _json({} if said.method == "DELETE" else cache)


def _gemini_uploads(said: Said) -> Answer:
    """The first says what is coming; what follows has no document."""
    if said.document:
        place = "https://generativelanguage.googleapis.com/upload/v1beta/files"
        query = "?upload_id=u1&key=AIza&upload_protocol=resumable"
        return _json({}, ("x-goog-upload-url", place + query), ("x-goog-upload-status", "active"))
    file = {"name": "files/abc", "mimeType": "image/png", "state": "PROCESSING"}
    return _json({"file": file}, ("x-goog-upload-status", "final"))


def _message_files(said: Said) -> Answer:
    if said.path.endswith("/content"):
        return Answer(CONTENT, content_type="application/octet-stream")
    if said.method == "DELETE":
        return _json({"id": "file_1", "type": "file_deleted"})
    found = {
        "id": "file_1", "type": "file", "filename": "a.pdf", "mime_type": "application/pdf",
        "size_bytes": 9, "created_at": "2025-01-01T00:00:00Z", "downloadable": False,
    }  # fmt: skip
    if said.method == "GET" and said.path.endswith("/files"):
        return _json(
            {"data": [found], "has_more": False, "first_id": "file_1", "last_id": "file_1"}
        )
    return _json(found)


def _embed_content(said: Said) -> Answer:
    return _json({"embedding": {"values": [0.5]}, "usageMetadata": {"promptTokenCount": 5}})


def _embed_contents(said: Said) -> Answer:
    vectors = [{"values": [0.5, -0.25]} for _ in said.document["requests"]]
    return _json({"embeddings": vectors, "usageMetadata": {"promptTokenCount": 6}})


def _invoke(said: Said) -> Answer:
    """In the form of the model."""
    model = said.path.split("/")[2]
    counts = [("x-amzn-bedrock-input-token-count", "7")]
    if model.startswith("cohere.embed"):
        body = {"id": "1", "embeddings": [[0.5]], "texts": ["a"], "response_type": "x"}
        return _json(body, *counts, ("x-amzn-bedrock-output-token-count", "0"))
    if model.startswith("cohere.rerank"):
        return _json({"results": _results(said)}, *counts)
    if model.startswith("amazon.titan"):
        result = {"tokenCount": 3, "outputText": "Hi", "completionReason": "FINISH"}
        return _json({"inputTextTokenCount": 7, "results": [result]})
    if model.startswith("meta.llama"):
        body = {"generation": "Hi", "prompt_token_count": 7, "generation_token_count": 3}
        return _json({**body, "stop_reason": "stop"})
    usage = {"input_tokens": 7, "output_tokens": 3}
    text = [{"type": "text", "text": "Hi"}]
    return _json({"type": "message", "role": "assistant", "content": text, "usage": usage})


def _invoke_stream(said: Said) -> Answer:
    metrics = {"inputTokenCount": 7, "outputTokenCount": 3}
    chunks = (
        {"generation": "Hi", "prompt_token_count": 7, "generation_token_count": 1},
        {"generation": "!", "stop_reason": "stop", "amazon-bedrock-invocationMetrics": metrics},
    )
    headers = {
        ":event-type": "chunk", ":content-type": _JSON, ":message-type": "event"
    }  # fmt: skip
    frames = [
        event_stream.encode(Message(event_stream.texts(headers), json.dumps(payload).encode()))
        for chunk in chunks
        for payload in ({"bytes": base64.b64encode(json.dumps(chunk).encode()).decode()},)
    ]
    return Answer(pieces=tuple(frames), content_type="application/vnd.amazon.eventstream")


def _rerank(said: Said) -> Answer:
    meta = {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}}
    return _json({"id": "rank-1", "results": _results(said), "meta": meta})


def _results(said: Said) -> list[dict[str, Any]]:
    return [
        {"index": index, "relevance_score": 0.9 - index / 10}
        for index in range(len(said.document["documents"]))
    ]


def _anything(said: Said) -> Answer:
    return _json({"passed": said.path})


def session_created(model: str) -> dict[str, Any]:
    """The first event of a realtime session."""
    session = {"type": "realtime", "object": "realtime.session", "id": "sess_1", "model": model}
    return {"type": "session.created", "event_id": "event_1", "session": session}


def realtime(event: Mapping[str, Any], model: str) -> Iterator[dict[str, Any]]:
    """What is said to an event."""
    if event["type"] == "session.update":
        yield {**session_created(model), "type": "session.updated", "event_id": "event_2"}
    if event["type"] == "response.create":
        usage = {"total_tokens": 12, "input_tokens": 10, "output_tokens": 2}
        begun = {"object": "realtime.response", "id": "resp_1", "status": "in_progress"}
        yield {"type": "response.created", "event_id": "event_2", "response": begun}
        done = {**begun, "status": "completed"}
        yield {
            "type": "response.output_text.delta", "event_id": "event_3", "response_id": "resp_1",
            "item_id": "item_1", "output_index": 0, "content_index": 0, "delta": "Hi",
        }  # fmt: skip
        response = {**done, "output": [], "usage": usage}
        yield {"type": "response.done", "event_id": "event_4", "response": response}


def _openai(provider: str, prefix: str) -> tuple[_Operation, ...]:
    """What OpenAI and Azure have alike."""

    def post(
        path: str,
        build: Callable[[Said], Answer],
        *needs: str,
        files: tuple[str, ...] = (),
    ) -> _Operation:
        return _Operation(provider, "POST", prefix + path, build, needs, files)

    return (
        post("/chat/completions", _chat, "messages"),
        post("/completions", _completions, "prompt"),
        post("/embeddings", _embeddings, "input"),
        post("/images/generations", _images, "prompt"),
        post("/images/edits", _images, "prompt", files=("image",)),
        post("/images/variations", _images, files=("image",)),
        post("/audio/speech", _speech, "input", "voice"),
        post("/audio/(transcriptions|translations)", _heard, files=("file",)),
    )


_OPERATIONS: tuple[_Operation, ...] = (
    *_openai("openai", "/v1"),
    *_openai("azure", "/openai/deployments/[^/]+"),
    _Operation("openai", "POST", "/v1/moderations", _moderations, ("input",)),
    _Operation("openai", "GET", "/v1/realtime", _anything),
    _Operation("openai", "POST", "/v1/files", _files, ("purpose",), ("file",)),
    _Operation("openai", "GET DELETE", "/v1/files(/[^/]+)?", _files),
    _Operation("openai", "GET", "/v1/files/[^/]+/content", _files),
    _Operation("openai", "POST", "/v1/uploads", _uploads, ("purpose", "filename", "bytes")),
    _Operation("openai", "POST", "/v1/uploads/[^/]+/parts", _uploads, (), ("data",)),
    _Operation("openai", "POST", "/v1/uploads/[^/]+/complete", _uploads, ("part_ids",)),
    _Operation("openai", "POST", "/v1/uploads/[^/]+/cancel", _uploads),
    _Operation("openai", "POST", "/v1/batches", _batch, ("endpoint", "input_file_id")),
    _Operation("openai", "GET", "/v1/batches(/[^/]+)?", _batch),
    _Operation("openai", "POST", "/v1/batches/[^/]+/cancel", _batch),
    _Operation("openai", "POST", "/v1/responses", _responses, ("model",)),
    _Operation("openai", "GET DELETE", "/v1/responses/[^/]+", _response),
    _Operation("openai", "POST", "/v1/responses/[^/]+/cancel", _response),
    _Operation("openai", "GET", "/v1/responses/[^/]+/input_items", _response),
    _Operation("openai", "POST GET DELETE", "/v1/vector_stores(/.*)?", _anything),
    _Operation("anthropic", "POST", "/v1/files", _message_files, (), ("file",)),
    _Operation("anthropic", "GET DELETE", "/v1/files(/[^/]+(/content)?)?", _message_files),
    _Operation("anthropic", "POST", "/v1/messages/batches", _message_batch, ("requests",)),
    _Operation("anthropic", "GET", "/v1/messages/batches/[^/]+", _message_batch),
    _Operation("anthropic", "POST", "/v1/messages/batches/[^/]+/cancel", _message_batch),
    _Operation("gemini", "GET DELETE", "/v1beta/files(/[^/]+)?", _gemini_files),
    _Operation("gemini", "POST", "/upload/v1beta/files", _gemini_uploads),
    _Operation("gemini", "POST", "/v1beta/cachedContents", _gemini_caches, ("model",)),
    _Operation("gemini", "GET DELETE PATCH", "/v1beta/cachedContents(/[^/]+)?", _gemini_caches),
    _Operation(
        "gemini",
        "POST",
        "/v1beta/models/[^/]+:(g|streamG)enerateContent",
        _generated,
        ("contents",),
    ),
    _Operation("gemini", "POST", "/v1beta/models/[^/]+:embedContent", _embed_content, ("content",)),
    _Operation(
        "gemini", "POST", "/v1beta/models/[^/]+:batchEmbedContents", _embed_contents, ("requests",)
    ),
    _Operation(
        "gemini",
        "POST",
        "/v1beta/models/[^/]+:countTokens",
        lambda said: _json({"totalTokens": 4}),
        ("contents",),
    ),
    _Operation("bedrock", "POST", "/model/[^/]+/invoke", _invoke),
    _Operation("bedrock", "POST", "/model/[^/]+/invoke-with-response-stream", _invoke_stream),
    _Operation("cohere", "POST", "/v2/rerank", _rerank, ("model", "query", "documents")),
)
