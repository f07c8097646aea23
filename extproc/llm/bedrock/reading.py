"""Bedrock's Converse and ConverseStream: requests read, refusals written.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html. The path says the
model and whether the answer streams. Only what we decide on is checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from msgspec.structs import replace

from extproc.llm import texts as walk
from extproc.llm.attached import decoded
from extproc.llm.bedrock import errors
from extproc.llm.bedrock.shapes import REQUEST
from extproc.llm.dialect import Call, ErrorAnswer
from extproc.llm.faults import leads_elsewhere, of_count, unreadable, wrong_type, wrong_value
from extproc.llm.reserving import body_tokens
from extproc.protocols import json_spans
from extproc.protocols.json_spans import InvalidJson
from extproc.rewording import Reworded, Rewording
from extproc.verdict import Deny

IMAGE_TOKENS = 2500
"""For one image: more than the largest that Claude (1568) and Nova (1792) count."""
MAX_MODEL_CHARACTERS = 2048
"""A model may be named by an ARN."""

_DECIDED_ON = frozenset({"additionalModelRequestFields", "inferenceConfig", "messages", "system"})
_FOLDED = {name.casefold(): name for name in _DECIDED_ON}
_LIMITS = ("max_tokens", "max_completion_tokens", "max_gen_len", "max_new_tokens", "maxTokens")
"""Under which a model's own fields may say the limit again."""
_TEXT_FORMATS = ("csv", "html", "md", "txt")


@dataclass(frozen=True, slots=True)
class BedrockReading:
    """`Reading` of Converse and ConverseStream."""

    def decode(self, body: bytes, model: str, *, is_stream: bool) -> Call | Deny:
        fault = model_fault(model)
        if fault is not None:
            return fault
        try:
            document = json_spans.decode(body)
        except InvalidJson as error:
            return unreadable(error)
        limits: list[int] = []
        fault = (
            _names_fault(document)
            or _messages_fault(document.get("messages"))
            or _system_fault(document.get("system"))
            or _limits_fault(document, limits)
        )
        if fault is not None:
            return fault
        return Call(model, is_stream, document, len(body), max(limits, default=None))

    def texts(self, document: Mapping[str, object]) -> tuple[str, ...] | Deny:
        try:
            return walk.texts(document, REQUEST) + _attached_texts(document)
        except InvalidJson as error:
            return unreadable(error)

    def reword(self, body: bytes, rewording: Rewording) -> Reworded | Deny:
        try:
            reworded = walk.reword(body, REQUEST, rewording)
            attached = _attached_texts(json_spans.decode(body))
        except InvalidJson as error:
            return unreadable(error)
        for text in attached:
            rewording.fixed(text)
        return replace(reworded, texts=reworded.texts + attached)

    def estimate_input_tokens(self, call: Call) -> int:
        size = call.size_bytes
        tokens = 0
        for block in _blocks(call.document):
            image = block.get("image")
            source = image.get("source") if isinstance(image, dict) else None
            data = source.get("bytes") if isinstance(source, dict) else None
            if image is not None:
                tokens += IMAGE_TOKENS
                size -= len(data) if isinstance(data, str) else 0
        return tokens + body_tokens(size, self.texts, call)

    def rename(self, call: Call, model: str) -> Mapping[str, bytes]:
        return {}

    def ask_usage(self, call: Call) -> Mapping[str, bytes]:
        return {}

    def encode_error(self, deny: Deny) -> ErrorAnswer:
        return errors.encode_refusal(deny)


READING = BedrockReading()


def model_fault(model: str) -> Deny | None:
    """What is wrong with the name of a model that a path says."""
    if not 0 < len(model) <= MAX_MODEL_CHARACTERS or " " in model or not model.isprintable():
        reason = f"the model must be a name of 1 to {MAX_MODEL_CHARACTERS} characters, no spaces"
        return Deny(400, "invalid_value", reason, param="modelId")
    if leads_elsewhere(model):
        return wrong_value("modelId", "must be no dot segment")
    return None


def stated_limits(
    fields: Mapping[str, object], names: Iterable[str], where: str, limits: list[int]
) -> Deny | None:
    """Fills in the limits on output tokens that these fields state."""
    for name in names:
        value = fields.get(name)
        fault = of_count(value, where + name)
        if fault is not None:
            return fault
        if type(value) is int:
            limits.append(value)
    return None


def _names_fault(document: Mapping[str, object]) -> Deny | None:
    for name in document:
        known = _FOLDED.get(name.casefold())
        if known is not None and known != name:
            return Deny(400, "ambiguous_key", f"{name!r} could be read as {known!r}", param=name)
    return None


def _limits_fault(document: Mapping[str, object], limits: list[int]) -> Deny | None:
    for where, names in (
        ("inferenceConfig", ("maxTokens",)),
        ("additionalModelRequestFields", _LIMITS),
    ):
        fields = document.get(where)
        if fields is None:
            continue
        if type(fields) is not dict:
            return wrong_type(dict, fields, where)
        fault = stated_limits(fields, names, f"{where}.", limits)
        if fault is not None:
            return fault
        inner = fields.get("inferenceConfig")  # Nova's own
        if type(inner) is dict:
            fault = stated_limits(inner, names, f"{where}.inferenceConfig.", limits)
            if fault is not None:
                return fault
    return None


def _messages_fault(messages: object) -> Deny | None:
    """A prompt resource, which the model may name, has messages of its own."""
    if messages is None:
        return None
    if type(messages) is not list:
        return wrong_type(list, messages, "messages")
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        if type(message) is not dict:
            return wrong_type(dict, message, where)
        if type(message.get("role")) is not str:
            return wrong_type(str, message.get("role"), f"{where}.role")
        fault = _content_fault(message.get("content"), f"{where}.content")
        if fault is not None:
            return fault
    return None


def _system_fault(system: object) -> Deny | None:
    return None if system is None else _content_fault(system, "system")


def _content_fault(content: object, where: str) -> Deny | None:
    if type(content) is not list:
        return wrong_type(list, content, where)
    for index, block in enumerate(content):
        if type(block) is not dict:
            return wrong_type(dict, block, f"{where}[{index}]")
        if "text" in block and type(block["text"]) is not str:
            return wrong_type(str, block["text"], f"{where}[{index}].text")
    return None


def _attached_texts(document: Mapping[str, object]) -> tuple[str, ...]:
    """Documents that are texts, whatever they are said to be: a model reads them like any other."""
    found = (text_of_document(block.get("document")) for block in _blocks(document))
    return tuple(text for text in found if text)


def text_of_document(attached: object) -> str | None:
    """None: it has none."""
    if not isinstance(attached, dict):
        return None
    source = attached.get("source")
    data = source.get("bytes") if isinstance(source, dict) else None
    if not isinstance(data, str):
        return None
    return decoded(data, is_text=attached.get("format") in _TEXT_FORMATS)


def _blocks(document: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    """Of all messages, and of the results of tools in them."""
    messages = document.get("messages")
    for message in messages if isinstance(messages, list) else ():
        for block in message["content"]:
            yield block
            result = block.get("toolResult")
            inner = result.get("content") if isinstance(result, dict) else None
            for each in inner if isinstance(inner, list) else ():
                if isinstance(each, dict):
                    yield each
