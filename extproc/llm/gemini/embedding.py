"""Requests to embedContent and batchEmbedContents, which only Gemini's own providers answer.

https://ai.google.dev/api/embeddings. Each request of a batch repeats the model of the path.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from extproc.llm import faults
from extproc.llm.dialect import Call, ErrorAnswer
from extproc.llm.gemini.errors import encode_refusal
from extproc.llm.gemini.reading import (
    content_fault,
    estimate,
    model_fault,
    read_document,
    read_texts,
    renamed,
    reworded,
)
from extproc.llm.gemini.shapes import BATCH, BATCH_NAMES, EMBED, EMBED_NAMES
from extproc.protocols import json_spans
from extproc.rewording import Reworded, Rewording
from extproc.verdict import Deny


@dataclass(frozen=True, slots=True)
class EmbedReading:
    """Of embedContent; `Reading`."""

    def decode(self, body: bytes, model: str, *, is_stream: bool) -> Call | Deny:
        document = read_document(body, model, EMBED_NAMES)
        if isinstance(document, Deny):
            return document
        fault = _content_fault(document, "")
        return fault or Call(model, is_stream, document, len(body), tells_usage=False)

    def texts(self, document: Mapping[str, object]) -> tuple[str, ...] | Deny:
        return read_texts(document, EMBED)

    def reword(self, body: bytes, rewording: Rewording) -> Reworded | Deny:
        return reworded(body, EMBED, rewording)

    def estimate_input_tokens(self, call: Call) -> int:
        return estimate(call, _contents((call.document,)), self.texts)

    def rename(self, call: Call, model: str) -> Mapping[str, bytes]:
        return renamed(call.document, model)

    def ask_usage(self, call: Call) -> Mapping[str, bytes]:
        return {}

    def encode_error(self, deny: Deny) -> ErrorAnswer:
        return encode_refusal(deny)


@dataclass(frozen=True, slots=True)
class BatchEmbedReading:
    """Of batchEmbedContents; `Reading`."""

    def decode(self, body: bytes, model: str, *, is_stream: bool) -> Call | Deny:
        document = read_document(body, model, BATCH_NAMES)
        if isinstance(document, Deny):
            return document
        requests = document.get("requests")
        if type(requests) is not list:
            return faults.not_a(list, document, "requests")
        for index, request in enumerate(requests):
            where = f"requests[{index}]"
            if type(request) is not dict:
                return faults.wrong_type(dict, request, where)
            fault = model_fault(request, model, f"{where}.")
            fault = fault or _content_fault(request, f"{where}.")
            if fault is not None:
                return fault
        return Call(model, is_stream, document, len(body), tells_usage=False)

    def texts(self, document: Mapping[str, object]) -> tuple[str, ...] | Deny:
        return read_texts(document, BATCH)

    def reword(self, body: bytes, rewording: Rewording) -> Reworded | Deny:
        return reworded(body, BATCH, rewording)

    def estimate_input_tokens(self, call: Call) -> int:
        return estimate(call, _contents(_requests(call)), self.texts)

    def rename(self, call: Call, model: str) -> Mapping[str, bytes]:
        requests = [{**request, "model": f"models/{model}"} for request in _requests(call)]
        return {**renamed(call.document, model), "requests": json_spans.encode(requests)}

    def ask_usage(self, call: Call) -> Mapping[str, bytes]:
        return {}

    def encode_error(self, deny: Deny) -> ErrorAnswer:
        return encode_refusal(deny)


EMBED_READING = EmbedReading()
BATCH_EMBED_READING = BatchEmbedReading()


def _requests(call: Call) -> list[dict[str, object]]:
    """Of a batch that `decode` has accepted."""
    requests = call.document.get("requests")
    return requests if type(requests) is list else []


def _content_fault(request: Mapping[str, object], where: str) -> Deny | None:
    content = request.get("content")
    if content is None:
        return faults.not_a(dict, request, "content", where)
    return content_fault(content, f"{where}content")


def _contents(
    requests: tuple[Mapping[str, object], ...] | list[dict[str, object]],
) -> Iterator[Mapping[str, object]]:
    for request in requests:
        content = request.get("content")
        if type(content) is dict:
            yield content
