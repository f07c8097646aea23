"""Requests to countTokens, and their answer: https://ai.google.dev/api/tokens.

The prompt comes as `contents`, or as a whole `generateContentRequest`; not as both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from msgspec.structs import replace

from extproc.llm.dialect import Call, ErrorAnswer
from extproc.llm.gemini.errors import encode_refusal
from extproc.llm.gemini.reading import (
    contents_fault,
    contents_of,
    estimate,
    model_fault,
    read_document,
    read_texts,
    renamed,
    reworded,
)
from extproc.llm.gemini.shapes import COUNT, COUNT_NAMES
from extproc.protocols import json_spans
from extproc.rewording import Reworded, Rewording
from extproc.verdict import Deny

_WHOLE = "generateContentRequest"


@dataclass(frozen=True, slots=True)
class CountReading:
    """Of countTokens; `Reading`."""

    def decode(self, body: bytes, model: str, *, is_stream: bool) -> Call | Deny:
        document = read_document(body, model, COUNT_NAMES)
        if isinstance(document, Deny):
            return document
        whole = document.get(_WHOLE)
        if type(whole) is not dict:
            fault = contents_fault(document)
        elif document.get("contents") is not None:
            reason = f"contents and {_WHOLE} exclude each other"
            fault = Deny(400, "invalid_value", reason, param="contents")
        else:
            fault = model_fault(whole, model, f"{_WHOLE}.") or contents_fault(whole, f"{_WHOLE}.")
        return fault or Call(model, is_stream, document, len(body), tells_usage=False)

    def texts(self, document: Mapping[str, object]) -> tuple[str, ...] | Deny:
        return read_texts(document, COUNT)

    def reword(self, body: bytes, rewording: Rewording) -> Reworded | Deny:
        return reworded(body, COUNT, rewording)

    def estimate_input_tokens(self, call: Call) -> int:
        return estimate(call, contents_of(_counted(call)), self.texts)

    def rename(self, call: Call, model: str) -> Mapping[str, bytes]:
        said = dict(renamed(call.document, model))
        whole = call.document.get(_WHOLE)
        if type(whole) is dict and whole.get("model") is not None:
            key = _WHOLE
            said[key] = json_spans.encode({**whole, "model": f"models/{model}"})
        return said

    def ask_usage(self, call: Call) -> Mapping[str, bytes]:
        return {}

    def encode_error(self, deny: Deny) -> ErrorAnswer:
        return encode_refusal(deny)


READING = CountReading()


def counted_request(call: Call) -> Call:
    """The generateContent request whose tokens are counted, for `decode_request`."""
    return replace(call, document=_counted(call))


def encode_count(tokens: int) -> bytes:
    """The answer, where we count."""
    return json_spans.encode({"totalTokens": tokens})


def _counted(call: Call) -> Mapping[str, object]:
    whole = call.document.get(_WHOLE)
    return whole if type(whole) is dict else call.document
