"""Bedrock's InvokeModel, with and without a stream: a body of the model's own form, unknown to us.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html and
https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html. Everything in it is
text; the limits and the usage are read where the documented forms have them.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from extproc.llm import texts as walk
from extproc.llm.answer import Ended, StreamEvent
from extproc.llm.bedrock import errors
from extproc.llm.bedrock.reading import model_fault, stated_limits, text_of_document
from extproc.llm.counts import MOST_TOKENS, count
from extproc.llm.dialect import Call, ErrorAnswer
from extproc.llm.faults import unreadable, wrong_type
from extproc.llm.reserving import body_tokens
from extproc.llm.shapes import Fields, Messages, Parts
from extproc.protocols import json_spans
from extproc.protocols.event_stream import BrokenMessage, MessageDecoder
from extproc.protocols.json_spans import InvalidJson
from extproc.rewording import Reworded, Rewording
from extproc.verdict import Deny
from gateway.usage import Usage

_LIMITS: Mapping[str, tuple[str, ...]] = {
    "": (
        "max_tokens",  # Claude, Mistral, Cohere, DeepSeek
        "max_completion_tokens",  # OpenAI's open models
        "max_tokens_to_sample",  # Claude's completions
        "max_gen_len",  # Llama
        "maxTokens",  # AI21
    ),
    "textGenerationConfig": ("maxTokenCount",),  # Titan
    "inferenceConfig": ("maxTokens", "max_new_tokens"),  # Nova
}
_PARTS = Parts({})
_CONTENT = Parts({"content": _PARTS, "toolResult": {"content": _PARTS}})
_SHAPE: Fields = {
    "messages": Messages({"role": frozenset[str](), "content": _CONTENT}),
    "system": _PARTS,
}
"""All is read. Where the texts of several parts are one, as Claude, Nova and others have it."""
_CHOICES = ("n", "num_generations", "numResults")
_METRICS = "amazon-bedrock-invocationMetrics"
_COUNT_HEADERS = "x-amzn-bedrock-"


@dataclass(frozen=True, slots=True)
class InvokeReading:
    """`Reading` of InvokeModel and InvokeModelWithResponseStream."""

    def decode(self, body: bytes, model: str, *, is_stream: bool) -> Call | Deny:
        fault = model_fault(model)
        if fault is not None:
            return fault
        try:
            document = json_spans.decode(body)
        except InvalidJson as error:
            return unreadable(error)
        limits: list[int] = []
        for where, names in _LIMITS.items():
            fields = document.get(where) if where else document
            if fields is None:
                continue
            if not isinstance(fields, dict):
                return wrong_type(dict, fields, where)
            fault = stated_limits(fields, names, f"{where}." if where else "", limits)
            if fault is not None:
                return fault
        choices: list[int] = []
        fault = stated_limits(document, _CHOICES, "", choices)
        if fault is not None:
            return fault
        limit = max(limits, default=None)
        return Call(model, is_stream, document, len(body), limit, max(choices, default=1))

    def texts(self, document: Mapping[str, object]) -> tuple[str, ...] | Deny:
        texts = walk.read_texts(document, _SHAPE)
        return texts if isinstance(texts, Deny) else texts + tuple(_attached_texts(document))

    def reword(self, body: bytes, rewording: Rewording) -> Reworded | Deny:
        reworded = walk.reworded(body, _SHAPE, rewording)
        if isinstance(reworded, Deny):
            return reworded
        attached = tuple(_attached_texts(json_spans.decode(body)))
        for text in attached:
            rewording.fixed(text)
        return replace(reworded, texts=reworded.texts + attached)

    def estimate_input_tokens(self, call: Call) -> int:
        return body_tokens(call.size_bytes, self.texts, call)

    def rename(self, call: Call, model: str) -> Mapping[str, bytes]:
        return {}

    def ask_usage(self, call: Call) -> Mapping[str, bytes]:
        return {}

    def encode_error(self, deny: Deny) -> ErrorAnswer:
        return errors.encode_refusal(deny)


INVOKE_READING = InvokeReading()


def usage_of_invoke(document: Mapping[str, object]) -> Usage | None:
    """Of an answer, or of a chunk of a stream, in any of the documented forms."""
    metrics = document.get(_METRICS)
    if isinstance(metrics, dict):
        return _usage(metrics, _INVOCATION)
    usage = document.get("usage")
    if isinstance(usage, dict):
        return usage_of(usage)
    if _LLAMA.input in document:
        return _usage(document, _LLAMA)
    if "inputTextTokenCount" in document:
        return _titan(document)
    return _cohere(document)


def usage_of(usage: Mapping[str, object]) -> Usage | None:
    """Of the member `usage`, which most models have."""
    for names in (_CLAUDE, _NOVA, _OPENAI):
        if names.input in usage or names.output in usage:
            return _usage(usage, names)
    return None


def usage_of_headers(headers: Iterable[tuple[str, str]]) -> Usage | None:
    """Of the headers of an answer; names in any case."""
    counts: dict[str, object] = {}
    for name, value in headers:
        lower = name.lower()
        if lower.startswith(_COUNT_HEADERS) and value.isascii() and value.isdigit():
            counts[lower.removeprefix(_COUNT_HEADERS)] = min(int(value[:20]), MOST_TOKENS)
    return _usage(counts, _HEADERS)


def _attached_texts(value: object) -> Iterator[str]:
    """Of Nova's documents, which are Converse's; a text in base64 says nothing where it stands."""
    if isinstance(value, dict):
        text = text_of_document(value.get("document"))
        if text:
            yield text
        for item in value.values():
            yield from _attached_texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _attached_texts(item)


class InvokeDecoding:
    """`Decoding` of an InvokeModelWithResponseStream, of which only the usage is read."""

    __slots__ = ("_frames", "_is_broken", "_is_told", "_usage")

    def __init__(self) -> None:
        self._frames = MessageDecoder()
        self._is_broken = False
        self._is_told = False
        """The last chunk has said what was used."""
        self._usage: Usage | None = None

    @property
    def usage(self) -> Usage | None:
        """What was said last; the invocation's metrics come with the last chunk."""
        return self._usage

    def feed(self, data: bytes) -> Sequence[StreamEvent]:
        if self._is_broken:
            return ()
        try:
            for message in self._frames.feed(data):
                if message.text(":event-type") == "chunk":
                    self._chunk(message.payload)
        except BrokenMessage:
            self._is_broken = True
        return ()

    def end(self) -> Sequence[StreamEvent]:
        """How a model's last chunk looks is the model's own; those that tell the usage say all."""
        return (Ended(self._usage),) if self._is_told else ()

    def _chunk(self, payload: bytes) -> None:
        self._is_told = False
        try:
            encoded = json_spans.decode(payload).get("bytes")
            chunk = base64.b64decode(encoded) if isinstance(encoded, str) else b""
            if b"oken" not in chunk:  # in every name of a count
                return
            document = json_spans.decode(chunk)
        except (InvalidJson, binascii.Error):
            return
        told = usage_of_invoke(document)
        self._is_told = told is not None
        self._usage = told or self._usage


@dataclass(frozen=True, slots=True)
class _Names:
    """Of the counts, in one of the forms; empty where it has none."""

    input: str
    output: str
    cache_read: str = ""
    cache_write: str = ""
    hour: tuple[str, str] = ("", "")
    """An object within, and what in it counts tokens that are cached for an hour."""


_INVOCATION = _Names(
    "inputTokenCount", "outputTokenCount", "cacheReadInputTokenCount", "cacheWriteInputTokenCount"
)
_CLAUDE = _Names(
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    hour=("cache_creation", "ephemeral_1h_input_tokens"),
)
_NOVA = _Names(
    "inputTokens", "outputTokens", "cacheReadInputTokenCount", "cacheWriteInputTokenCount"
)
_OPENAI = _Names("prompt_tokens", "completion_tokens")
_LLAMA = _Names("prompt_token_count", "generation_token_count")
_HEADERS = _Names(
    "input-token-count",
    "output-token-count",
    "cache-read-input-token-count",
    "cache-write-input-token-count",
)


def _usage(counts: Mapping[str, object], names: _Names) -> Usage | None:
    read, written = count(counts, names.cache_read), count(counts, names.cache_write)
    input_tokens, output_tokens = count(counts, names.input), count(counts, names.output)
    if names is _OPENAI:
        details = counts.get("prompt_tokens_details")
        read = count(details, "cached_tokens") if isinstance(details, dict) else 0
    else:
        input_tokens += read + written
    if not input_tokens and not output_tokens:
        return None
    hour = counts.get(names.hour[0])
    known = (names.input, names.output, names.cache_read, names.cache_write)
    return Usage(
        input_tokens,
        output_tokens,
        cached_input_tokens=read,
        cache_write_tokens=written,
        cache_write_1h_tokens=count(hour, names.hour[1]) if isinstance(hour, dict) else 0,
        reported=tuple((name, count(counts, name)) for name in known if name in counts),
    )


def _titan(document: Mapping[str, object]) -> Usage | None:
    """Embeddings count the input alone; the chunks of a stream, all of the output in the last."""
    results = document.get("results")
    written = sum(
        count(result, "tokenCount")
        for result in (results if isinstance(results, list) else ())
        if isinstance(result, dict)
    )
    total = "totalOutputTextTokenCount"
    read = count(document, "inputTextTokenCount")
    output_tokens = written or count(document, total)
    if not read and not output_tokens:
        return None
    reported = (("inputTextTokenCount", read), ("tokenCount", output_tokens))
    return Usage(read, output_tokens, reported=reported)


def _cohere(document: Mapping[str, object]) -> Usage | None:
    """In `meta`, as Cohere's own API has them."""
    meta = document.get("meta")
    if not isinstance(meta, dict):
        return None
    for name in ("tokens", "billed_units"):
        counts = meta.get(name)
        if isinstance(counts, dict):
            usage = _usage(counts, _Names("input_tokens", "output_tokens"))
            if usage is not None:
                return usage
    return None
