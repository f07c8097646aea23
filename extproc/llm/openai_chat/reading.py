"""OpenAI's chat completions as policies see them: requests read, refusals written.

https://platform.openai.com/docs/api-reference/chat. Only what we decide on is checked; fields that
we do not know pass untouched, unless another reader could take them for one of those that we do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from extproc.llm import faults
from extproc.llm import texts as walk
from extproc.llm.dialect import Call, ErrorAnswer
from extproc.llm.openai_chat import errors
from extproc.llm.openai_chat.shapes import REQUEST, ROLES
from extproc.llm.reserving import body_tokens
from extproc.llm.shapes import Unread
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
        "max_completion_tokens",
        "max_tokens",
        "messages",
        "model",
        "n",
        "stream",
        "stream_options",
    }
)
_SETTINGS = frozenset(("messages", *(name for name, rule in REQUEST.items() if rule is Unread.ALL)))
"""Where nothing else stands, there are no texts but those of the messages."""
_COUNTS = ("max_completion_tokens", "max_tokens", "n")
_COUNTED = frozenset(_COUNTS)


@dataclass(frozen=True, slots=True)
class ChatReading:
    """The dialect of clients that ask for `/chat/completions`."""

    def decode(self, body: bytes, model: str, *, is_stream: bool) -> Call | Deny:
        """A path that names the model (Azure's deployments) and a body that does must agree."""
        try:
            document = json_spans.decode(body)
        except InvalidJson as error:
            return faults.unreadable(error)
        named = document.get("model")
        if model:
            if named is not None and named != model:
                return faults.wrong_value("model", f"must be {model!r}, as in the path")
            named = model
        if type(named) is not str:
            return faults.not_a(str, document, "model")
        fault = faults.of_model(named)
        return _call(document, named, len(body), is_stream=is_stream) if fault is None else fault

    def texts(self, document: Mapping[str, object]) -> tuple[str, ...] | Deny:
        """All that a model would read, in order."""
        return walk.read_texts(document, REQUEST)

    def reword(self, body: bytes, rewording: Rewording) -> Reworded | Deny:
        """The request with its texts changed."""
        return walk.reworded(body, REQUEST, rewording)

    def estimate_input_tokens(self, call: Call) -> int:
        """Rather too many than too few, but for attachments that are fetched by a provider."""
        tokens, size = 0, call.size_bytes
        if not call.is_bare:
            tokens, size = _attached(call.document, size)
        return tokens + body_tokens(size, self.texts, call)

    def rename(self, call: Call, model: str) -> Mapping[str, bytes]:
        """The model is in the body, also where the path names it: providers read it there."""
        return {"model": json_spans.encode(model)}

    def ask_usage(self, call: Call) -> Mapping[str, bytes]:
        """What the client asked of the stream, and the usage."""
        if call.tells_usage:
            return {}
        return {"stream_options": _options_with_usage(call.document)}

    def encode_error(self, deny: Deny) -> ErrorAnswer:
        return errors.encode_refusal(deny)


READING = ChatReading()


def _call(document: Mapping[str, object], model: str, size: int, *, is_stream: bool) -> Call | Deny:
    get = document.get
    messages = get("messages")
    stream = get("stream")
    options = get("stream_options")
    if type(messages) is not list:
        return faults.not_a(list, document, "messages")
    if stream is not None and type(stream) is not bool:
        return faults.not_a(bool, document, "stream")
    if options is not None and type(options) is not dict:
        return faults.not_a(dict, document, "stream_options")
    limits: list[int] = []
    texts = _bare_texts(messages)
    fault = (
        _counts_fault(document, limits)
        or faults.of_names(document, _DECIDED_ON)
        or (faults.of_others(document) if "models" in document else None)
        or (None if texts is not None else _messages_fault(messages))
    )
    if fault is not None:
        return fault
    choices = get("n")
    streams = stream is True or is_stream
    return Call(
        model,
        streams,
        document,
        size,
        max(limits) if limits else None,
        choices if type(choices) is int else 1,
        not streams or (options is not None and options.get("include_usage") is True),
        texts if texts and _SETTINGS.issuperset(document) else None,
        texts is not None,
    )


def _bare_texts(messages: list[object]) -> tuple[str, ...] | None:
    """What they say, where each is a role and a text, as nearly all are; empty, where something
    of it may say more than it shows: JSON with escapes."""
    texts: list[str] = []
    is_shown = True
    for message in messages:
        if (
            type(message) is not dict
            or len(message) != 2
            or type(text := message.get("content")) is not str
            or type(role := message.get("role")) is not str
            or role not in ROLES
        ):
            return None
        if "\\" in text:
            is_shown = False
        texts.append(text)
    return tuple(texts) if is_shown else ()


def _options_with_usage(document: Mapping[str, object]) -> bytes:
    options = document.get("stream_options")
    asked = options if type(options) is dict else {}
    return json_spans.encode({**asked, "include_usage": True})


def _attached(document: Mapping[str, object], size: int) -> tuple[int, int]:
    """The tokens of what is attached, and the bytes of the rest."""
    messages = document.get("messages")
    tokens = 0
    for message in messages if type(messages) is list else ():
        content = message.get("content")
        if type(content) is not list:
            continue
        for part in content:
            image, audio = part.get("image_url"), part.get("input_audio")
            if image is not None:
                size -= _text_size(image, "url")
                tokens += IMAGE_TOKENS
            elif audio is not None:
                bytes_of_audio = _text_size(audio, "data")
                size -= bytes_of_audio
                tokens += -(-bytes_of_audio // AUDIO_BYTES_PER_TOKEN)
    return tokens, size


def _counts_fault(document: Mapping[str, object], limits: list[int]) -> Deny | None:
    """Fills in the limits on output tokens that the request states."""
    if _COUNTED.isdisjoint(document):
        return None
    for name in _COUNTS:
        value = document.get(name)
        if value is None:
            continue
        fault = faults.of_count(value, name)
        if fault is not None:
            return fault
        if type(value) is int and name != "n":
            limits.append(value)
    return None


def _messages_fault(messages: list[object]) -> Deny | None:
    for index, message in enumerate(messages):
        if type(message) is not dict:
            return faults.wrong_type(dict, message, f"messages[{index}]")
        if type(message.get("role")) is not str:
            return faults.not_a(str, message, "role", f"messages[{index}].")
        content = message.get("content")
        if content is not None and type(content) is not str:
            fault = _content_fault(content, f"messages[{index}].content")
            if fault is not None:
                return fault
        calls = message.get("tool_calls")
        if calls is not None:
            fault = _calls_fault(calls, f"messages[{index}].tool_calls")
            if fault is not None:
                return fault
    return None


def _content_fault(content: object, where: str) -> Deny | None:
    if type(content) is not list:
        return faults.wrong_type(str, content, where)
    for index, part in enumerate(content):
        if type(part) is not dict:
            return faults.wrong_type(dict, part, f"{where}[{index}]")
        if part.get("type") == "text" and type(part.get("text")) is not str:
            return faults.not_a(str, part, "text", f"{where}[{index}].")
    return None


def _calls_fault(calls: object, where: str) -> Deny | None:
    if type(calls) is not list:
        return faults.wrong_type(list, calls, where)
    for index, call in enumerate(calls):
        if type(call) is not dict:
            return faults.wrong_type(dict, call, f"{where}[{index}]")
        function = call.get("function")
        if function is None:
            continue  # a custom tool's call, or a vendor's own
        if type(function) is not dict:
            return faults.wrong_type(dict, function, f"{where}[{index}].function")
        if type(function.get("arguments", "")) is not str:
            return faults.not_a(str, function, "arguments", f"{where}[{index}].function.")
    return None


def _text_size(attachment: object, name: str) -> int:
    """Of an attachment: an object that has it under this name, or the text itself."""
    text = attachment.get(name) if type(attachment) is dict else attachment
    return len(text) if type(text) is str else 0
