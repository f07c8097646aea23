"""OpenAI's Responses API: requests read as far as policies need them, and refusals written.

https://platform.openai.com/docs/api-reference/responses/create. Only what we decide on is checked;
fields that we do not know pass untouched, unless another reader could take them for one that we do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from extproc.llm import faults
from extproc.llm import texts as walk
from extproc.llm.dialect import Call, ErrorAnswer
from extproc.llm.openai_chat.errors import encode_refusal
from extproc.llm.openai_responses.shapes import REQUEST
from extproc.llm.reserving import body_tokens
from extproc.protocols import json_spans
from extproc.protocols.json_spans import InvalidJson
from extproc.rewording import Reworded, Rewording
from extproc.verdict import Deny

IMAGE_TOKENS = 2500
"""For one image of any size: the most that patch-based models take (1536 patches x 1.62)."""
AUDIO_BYTES_PER_TOKEN = 512
"""Of base64: ten tokens for a second of the most compressed speech."""

_DECIDED_ON = frozenset(
    {
        "conversation",
        "input",
        "instructions",
        "max_output_tokens",
        "model",
        "previous_response_id",
        "prompt",
        "stream",
        "tools",
    }
)


@dataclass(frozen=True, slots=True)
class ResponsesReading:
    """Of `POST /responses`, and of what counts the tokens of one."""

    def decode(self, body: bytes, model: str, *, is_stream: bool) -> Call | Deny:
        """A path that names the model and a body that does must agree."""
        try:
            document = json_spans.decode(body)
        except InvalidJson as error:
            return faults.unreadable(error)
        name = document.get("model")
        if model:
            if name is not None and name != model:
                return faults.wrong_value("model", f"must be {model!r}, as in the path")
            name = model
        stream = document.get("stream")
        limit = document.get("max_output_tokens")
        if type(name) is not str:
            return faults.not_a(str, document, "model")
        if stream is not None and type(stream) is not bool:
            return faults.not_a(bool, document, "stream")
        fault = (
            faults.of_count(limit, "max_output_tokens")
            or faults.of_model(name)
            or faults.of_names(document, _DECIDED_ON)
            or faults.of_others(document)
            or _input_fault(document)
        )
        if fault is not None:
            return fault
        return Call(
            name,
            stream is True or is_stream,
            document,
            len(body),
            limit if type(limit) is int else None,
        )

    def texts(self, document: Mapping[str, object]) -> tuple[str, ...] | Deny:
        return walk.read_texts(document, REQUEST)

    def reword(self, body: bytes, rewording: Rewording) -> Reworded | Deny:
        return walk.reworded(body, REQUEST, rewording)

    def estimate_input_tokens(self, call: Call) -> int:
        """Rather too many than too few, but for what the provider keeps or fetches."""
        size = call.size_bytes
        tokens = 0
        for part in _parts(call.document):
            kind = part.get("type")
            if kind == "input_image" or kind == "computer_screenshot":
                size -= _length(part.get("image_url"))
                tokens += IMAGE_TOKENS
            elif kind == "input_audio":
                audio = part.get("input_audio")
                bytes_of_audio = _length(audio.get("data")) if type(audio) is dict else 0
                size -= bytes_of_audio
                tokens += -(-bytes_of_audio // AUDIO_BYTES_PER_TOKEN)
        return tokens + body_tokens(size, self.texts, call)

    def rename(self, call: Call, model: str) -> Mapping[str, bytes]:
        return {"model": json_spans.encode(model)}

    def ask_usage(self, call: Call) -> Mapping[str, bytes]:
        """Nothing: it is told at the end of every answer."""
        return {}

    def encode_error(self, deny: Deny) -> ErrorAnswer:
        return encode_refusal(deny)


READING = ResponsesReading()


def _input_fault(document: Mapping[str, object]) -> Deny | None:
    """There may be none where the provider keeps a conversation or a prompt."""
    items = document.get("input")
    if items is None or type(items) is str:
        return None
    if type(items) is not list:
        return faults.wrong_type(list, items, "input")
    for index, item in enumerate(items):
        if type(item) is not dict:
            return faults.wrong_type(dict, item, f"input[{index}]")
        kind = item.get("type")
        if kind is not None and type(kind) is not str:
            return faults.not_a(str, item, "type", f"input[{index}].")
        for name in ("content", "output"):
            content = item.get(name)
            if type(content) is list:
                fault = _content_fault(content, f"input[{index}].{name}")
                if fault is not None:
                    return fault
    return None


def _content_fault(content: list[object], where: str) -> Deny | None:
    for index, part in enumerate(content):
        if type(part) is not dict:
            return faults.wrong_type(dict, part, f"{where}[{index}]")
        text = part.get("text")
        if text is not None and type(text) is not str:
            return faults.not_a(str, part, "text", f"{where}[{index}].")
    return None


def _parts(document: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    """The parts of contents and results that have parts."""
    items = document.get("input")
    for item in items if type(items) is list else ():
        for name in ("content", "output"):
            content = item.get(name)
            if type(content) is list:
                yield from content
            elif type(content) is dict:
                yield content


def _length(text: object) -> int:
    return len(text) if type(text) is str else 0
