"""Requests to generateContent and streamGenerateContent, as far as policies need them.

https://ai.google.dev/api/generate-content. The path says which model, and whether it streams.
`Call.document` has the API's camelCase names, whichever the body has; two spellings of one field
are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from extproc.llm import faults
from extproc.llm import texts as walk
from extproc.llm.dialect import Call, ErrorAnswer
from extproc.llm.gemini.base64_forms import text_of
from extproc.llm.gemini.errors import encode_refusal
from extproc.llm.gemini.names import Known, SpelledTwice, canonical
from extproc.llm.gemini.shapes import REQUEST, REQUEST_NAMES
from extproc.llm.reserving import body_tokens
from extproc.llm.shapes import Fields
from extproc.protocols import json_spans
from extproc.protocols.json_spans import InvalidJson
from extproc.rewording import Reworded, Rewording
from extproc.verdict import Deny

IMAGE_TOKENS = 1120
"""For one image: what Gemini 3 spends at high resolution; earlier models spend 258 for a tile."""
Texts: TypeAlias = Callable[[Mapping[str, object]], tuple[str, ...] | Deny]

DATA_BYTES_PER_TOKEN: Mapping[str, int] = {"audio": 128, "video": 96, "application": 16}
"""Of base64: 32 tokens for a second of sound, 300 for one of video, 258 for a page of a PDF."""

_OBJECTS = ("systemInstruction", "generationConfig", "toolConfig", "generateContentRequest")


@dataclass(frozen=True, slots=True)
class GenerateReading:
    """Of generateContent; `Reading`."""

    def decode(self, body: bytes, model: str, *, is_stream: bool) -> Call | Deny:
        document = read_document(body, model, REQUEST_NAMES)
        if isinstance(document, Deny):
            return document
        fault = contents_fault(document)
        if fault is not None:
            return fault
        generation = document.get("generationConfig")
        limits: list[int | None] = [None, None]
        for place, name in enumerate(("maxOutputTokens", "candidateCount")):
            limit = _count(generation, name)
            if isinstance(limit, Deny):
                return limit
            limits[place] = limit
        return Call(model, is_stream, document, len(body), limits[0], limits[1] or 1)

    def texts(self, document: Mapping[str, object]) -> tuple[str, ...] | Deny:
        return read_texts(document, REQUEST)

    def reword(self, body: bytes, rewording: Rewording) -> Reworded | Deny:
        return reworded(body, REQUEST, rewording)

    def estimate_input_tokens(self, call: Call) -> int:
        return estimate(call, contents_of(call.document), self.texts)

    def rename(self, call: Call, model: str) -> Mapping[str, bytes]:
        return renamed(call.document, model)

    def ask_usage(self, call: Call) -> Mapping[str, bytes]:
        return {}

    def encode_error(self, deny: Deny) -> ErrorAnswer:
        return encode_refusal(deny)


READING = GenerateReading()


def read_document(body: bytes, model: str, names: Known) -> Mapping[str, object] | Deny:
    """The body with our names, if its model is none but the path's."""
    fault = faults.of_model(model)
    if fault is not None:
        return fault
    document = read_names(body, names)
    if isinstance(document, Deny):
        return document
    fault = model_fault(document, model)
    return document if fault is None else fault


def read_names(body: bytes, names: Known) -> Mapping[str, object] | Deny:
    """The body with our names, where no reader finds others."""
    try:
        document = canonical(json_spans.decode(body), names)
    except SpelledTwice as error:
        return Deny(400, "ambiguous_key", str(error), param=error.name)
    except InvalidJson as error:
        return faults.unreadable(error)
    fault = _names_fault(document, names, "")
    if fault is not None:
        return fault
    for name in _OBJECTS:
        value = document.get(name)
        if value is None:
            continue
        if type(value) is not dict:
            return faults.wrong_type(dict, value, name)
        below = names.below.get(name)
        fault = None if below is None else _names_fault(value, below, f"{name}.")
        if fault is not None:
            return fault
    return document


def read_texts(document: Mapping[str, object], shape: Fields) -> tuple[str, ...] | Deny:
    try:
        return walk.texts(document, shape) + tuple(_inline_texts(document))
    except InvalidJson as error:
        return faults.unreadable(error)


def reworded(body: bytes, shape: Fields, rewording: Rewording) -> Reworded | Deny:
    """Texts in base64 stay: they cannot be changed."""
    try:
        inline = tuple(_inline_texts(json_spans.decode(body)))
        for text in inline:
            rewording.fixed(text)
        new = walk.reword(body, shape, rewording)
        return Reworded(new.values, new.texts + inline)
    except InvalidJson as error:
        return faults.unreadable(error)


def contents_fault(document: Mapping[str, object], where: str = "") -> Deny | None:
    """What is wrong with `contents` and `systemInstruction`, of a request that must have some."""
    contents = document.get("contents")
    if type(contents) is not list:
        return faults.not_a(list, document, "contents", where)
    for index, content in enumerate(contents):
        fault = content_fault(content, f"{where}contents[{index}]")
        if fault is not None:
            return fault
    system = document.get("systemInstruction")
    return None if system is None else content_fault(system, f"{where}systemInstruction")


def content_fault(content: object, where: str) -> Deny | None:
    if type(content) is not dict:
        return faults.wrong_type(dict, content, where)
    role = content.get("role")
    if role is not None and type(role) is not str:
        return faults.wrong_type(str, role, f"{where}.role")
    parts = content.get("parts")
    if parts is None:
        return None
    if type(parts) is not list:
        return faults.wrong_type(list, parts, f"{where}.parts")
    for index, part in enumerate(parts):
        if type(part) is not dict:
            return faults.wrong_type(dict, part, f"{where}.parts[{index}]")
        text = part.get("text")
        if text is not None and type(text) is not str:
            return faults.wrong_type(str, text, f"{where}.parts[{index}].text")
    return None


def contents_of(document: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    """The contents of a request, its system's included."""
    contents = document.get("contents")
    yield from contents if type(contents) is list else ()
    system = document.get("systemInstruction")
    if type(system) is dict:
        yield system


def estimate(call: Call, contents: Iterable[Mapping[str, object]], texts: Texts) -> int:
    """Rather too many than too few, but for files that the provider fetches or has."""
    size = call.size_bytes
    tokens = 0
    for content in contents:
        parts = content.get("parts")
        for part in parts if type(parts) is list else ():
            blob = part.get("inlineData")
            data = blob.get("data") if type(blob) is dict else None
            if type(data) is not str:
                continue
            kind = str(blob.get("mimeType")).partition("/")[0]
            per_token = DATA_BYTES_PER_TOKEN.get(kind)
            if kind == "image":
                size -= len(data)
                tokens += IMAGE_TOKENS
            elif per_token is not None:
                size -= len(data)
                tokens += -(-len(data) // per_token)
    return tokens + body_tokens(size, texts, call)


def renamed(document: Mapping[str, object], model: str) -> Mapping[str, bytes]:
    """The path names the model; the body may repeat it."""
    if document.get("model") is None:
        return {}
    return {"model": json_spans.encode(f"models/{model}")}


def model_fault(document: Mapping[str, object], model: str, where: str = "") -> Deny | None:
    """A body may name the model that the path names, in the form of a resource."""
    named = document.get("model")
    if named is None:
        return None
    if type(named) is not str:
        return faults.wrong_type(str, named, f"{where}model")
    if named.rpartition("models/")[2] == model.rpartition("models/")[2]:
        return None
    reason = f"{where}model must be the model that the path names"
    return Deny(400, "ambiguous_model", reason, param=f"{where}model")


def _names_fault(document: Mapping[str, object], names: Known, where: str) -> Deny | None:
    """Some readers match names without regard to case: to them `Contents` is `contents`."""
    for name in document:
        if name not in names.all:
            folded = name.replace("_", "").casefold()
            if folded in names.folded:
                reason = f"{name!r} could be read as {names.folded[folded]!r}"
                return Deny(400, "ambiguous_key", reason, param=f"{where}{name}")
    return None


def _count(generation: object, name: str) -> int | Deny | None:
    """A limit that the request states; protobuf takes `100.0` for 100."""
    value = generation.get(name) if type(generation) is dict else None
    where = f"generationConfig.{name}"
    if type(value) is float and value.is_integer():
        value = int(value)
    fault = faults.of_count(value, where)
    if fault is not None:
        return fault
    return value if type(value) is int else None


def _inline_texts(value: object) -> Iterator[str]:
    """Texts that stand in the request in base64: a guard must see them, too."""
    if type(value) is dict:
        for name in ("inlineData", "inline_data"):
            text = text_of(value.get(name))
            if text is not None:
                yield text
        for item in value.values():
            if type(item) is dict or type(item) is list:
                yield from _inline_texts(item)
    elif type(value) is list:
        for item in value:
            if type(item) is dict or type(item) is list:
                yield from _inline_texts(item)
