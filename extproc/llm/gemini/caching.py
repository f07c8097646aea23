"""What is to be cached at Google, and what its answer says of it.

https://ai.google.dev/api/caching: a `CachedContent` names its model, and holds what later requests
to that model begin with. Its `usageMetadata` tells the tokens that were cached.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from extproc.llm import counts, faults
from extproc.llm.dialect import Call, ErrorAnswer
from extproc.llm.gemini.errors import encode_refusal
from extproc.llm.gemini.reading import (
    contents_fault,
    contents_of,
    estimate,
    read_names,
    read_texts,
    reworded,
)
from extproc.llm.gemini.shapes import CACHE, CACHE_NAMES
from extproc.rewording import Reworded, Rewording
from extproc.verdict import Deny
from gateway.usage import Usage

_TOTAL = "totalTokenCount"


@dataclass(frozen=True, slots=True)
class CacheReading:
    """Of `POST /cachedContents`; `Reading`. The model is Google's own, and stays."""

    def decode(self, body: bytes, model: str, *, is_stream: bool) -> Call | Deny:
        document = read_names(body, CACHE_NAMES)
        if isinstance(document, Deny):
            return document
        named = document.get("model")
        if type(named) is not str:
            return faults.not_a(str, document, "model")
        name = named.rpartition("models/")[2]
        fault = faults.of_model(name)
        if fault is None:
            is_empty = document.get("contents") is None  # a prompt of the system may be all
            fault = contents_fault({**document, "contents": []} if is_empty else document)
        return fault or Call(name, False, document, len(body), max_output_tokens=0)

    def texts(self, document: Mapping[str, object]) -> tuple[str, ...] | Deny:
        return read_texts(document, CACHE)

    def reword(self, body: bytes, rewording: Rewording) -> Reworded | Deny:
        return reworded(body, CACHE, rewording)

    def estimate_input_tokens(self, call: Call) -> int:
        return estimate(call, contents_of(call.document), self.texts)

    def rename(self, call: Call, model: str) -> Mapping[str, bytes]:
        return {}

    def ask_usage(self, call: Call) -> Mapping[str, bytes]:
        return {}

    def encode_error(self, deny: Deny) -> ErrorAnswer:
        return encode_refusal(deny)


READING = CacheReading()


def usage_of(document: Mapping[str, object]) -> Usage | None:
    """Of the `usageMetadata` of what was cached: all of it was read, and written to the cache."""
    total = counts.count(document, _TOTAL)
    if not total:
        return None
    return Usage(total, 0, cache_write_tokens=total, reported=counts.reported(document))
