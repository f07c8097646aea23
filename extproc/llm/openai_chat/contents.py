"""Messages of a chat completion request, read into the canonical conversation.

https://platform.openai.com/docs/api-reference/chat/create#chat-create-messages, with the parts that
compatible servers added: `video_url`, `audio_url`, reasoning, cache marks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from extproc.llm.faults import Unfit, wrong_type
from extproc.llm.fields import (
    objects,
    required_mapping,
    required_string,
    string,
    unsupported,
)
from extproc.llm.identifiers import call_id
from extproc.llm.losses import Feature
from extproc.llm.openai_chat import reasoning
from extproc.llm.openai_chat.attachments import cache_mark, file_source, inline, source_of
from extproc.llm.request import (
    Audio,
    CacheMark,
    Document,
    Image,
    Message,
    Part,
    Refusal,
    Role,
    Signature,
    Text,
    ToolCall,
    ToolResult,
    Uploaded,
    Video,
)
from extproc.protocols import json_spans

_ROLES: Mapping[str, Role] = {
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
}


class Conversation:
    """Reads messages in order: results of tools are named after the calls before them."""

    __slots__ = ("_names", "_open_functions", "_results", "extras", "messages")

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.extras: dict[Feature, None] = {}
        """What was said beyond the canonical form, in order."""
        self._names: dict[str, str] = {}
        """Of tools, by the ids of calls."""
        self._open_functions: dict[str, str] = {}
        """Ids of the last legacy calls, by the names of functions."""
        self._results: list[Part] = []
        """Of messages of tools in a row: one message of the user."""

    def read(self, messages: Sequence[object]) -> None:
        for index, message in enumerate(messages):
            where = f"messages[{index}]."
            if type(message) is not dict:
                raise Unfit(wrong_type(dict, message, where[:-1]))
            role = message.get("role")
            if role == "tool":
                self._tool(message, where)
            elif role == "function":
                self._function(message, where)
            elif type(role) is str and role in _ROLES:
                self._end_results()
                self._message(message, _ROLES[role], index)
            else:
                raise unsupported(f"{where}role", str(role))
        self._end_results()

    def _message(self, message: Mapping[str, object], role: Role, index: int) -> None:
        where = f"messages[{index}]."
        content = message.get("content")
        parts: list[Part]
        if role is Role.ASSISTANT:
            parts = self._assistant(message, content, index)
        elif type(content) is str:
            parts = [Text(content, _message_mark(message, where))]
        else:
            parts = self._parts(content, f"{where}content")
        name = string(message, "name", where) if "name" in message else ""
        self.messages.append(Message(role, tuple(parts), name))

    def _assistant(self, message: Mapping[str, object], content: object, index: int) -> list[Part]:
        where = f"messages[{index}]."
        parts: list[Part] = list(reasoning.thinking_of(message))
        if type(content) is str:
            if content:
                parts.append(Text(content, _message_mark(message, where)))
        elif content is not None:
            parts += self._parts(content, f"{where}content")
        if "extra_content" in message:
            _seal_last_text(parts, reasoning.seal_of(message))
        for number, image in enumerate(objects(message, "images", where)):
            parts.append(_image(image, f"{where}images[{number}]."))
        refusal = string(message, "refusal", where) if "refusal" in message else ""
        if refusal:
            parts.append(Refusal(refusal))
        for number, call in enumerate(objects(message, "tool_calls", where)):
            parts.append(self._call(call, f"{where}tool_calls[{number}]."))
        if message.get("function_call") is not None:
            parts.append(self._legacy_call(message, index))
        if message.get("audio") is not None:  # sound that the provider keeps
            self.extras[Feature.AUDIO_OUTPUT] = None
        return parts

    def _call(self, call: Mapping[str, object], where: str) -> ToolCall:
        identifier = required_string(call, "id", where)
        if call.get("type") == "custom":
            self.extras[Feature.CUSTOM_TOOLS] = None
            custom = required_mapping(call, "custom", where)
            name = required_string(custom, "name", f"{where}custom.")
            text = string(custom, "input", f"{where}custom.")
            arguments = json_spans.encode({"input": text}).decode()
        else:
            function = required_mapping(call, "function", where)
            name = required_string(function, "name", f"{where}function.")
            arguments = string(function, "arguments", f"{where}function.")
        self._names[identifier] = name
        signature = reasoning.seal_of(call) if "extra_content" in call else None
        return ToolCall(identifier, name, arguments or "{}", signature, cache_mark(call, where))

    def _legacy_call(self, message: Mapping[str, object], index: int) -> ToolCall:
        where = f"messages[{index}].function_call."
        function = required_mapping(message, "function_call", f"messages[{index}].")
        name = required_string(function, "name", where)
        identifier = call_id("function_call", index)
        self._open_functions[name] = identifier
        return ToolCall(identifier, name, string(function, "arguments", where) or "{}")

    def _tool(self, message: Mapping[str, object], where: str) -> None:
        identifier = required_string(message, "tool_call_id", where)
        name = self._names.get(identifier) or string(message, "name", where)
        self._result(identifier, name, message, where)

    def _function(self, message: Mapping[str, object], where: str) -> None:
        name = required_string(message, "name", where)
        identifier = self._open_functions.get(name)
        if identifier is None:
            raise unsupported(f"{where}name", name)
        self._result(identifier, name, message, where)

    def _result(
        self, identifier: str, name: str, message: Mapping[str, object], where: str
    ) -> None:
        content = message.get("content")
        parts: Sequence[Part] = ()
        cache = _message_mark(message, where)
        if type(content) is str:
            parts = (Text(content),) if content else ()
        elif content is not None:
            parts = self._parts(content, f"{where}content")
        kept = tuple([part for part in parts if isinstance(part, Text | Image | Document)])
        if len(kept) < len(parts):
            raise unsupported(f"{where}content", "sound or video")
        self._results.append(ToolResult(identifier, name, kept, cache=cache))

    def _end_results(self) -> None:
        if self._results:
            self.messages.append(Message(Role.USER, tuple(self._results)))
            self._results = []

    def _parts(self, content: object, where: str) -> list[Part]:
        if content is None:
            return []
        if type(content) is not list:
            raise Unfit(wrong_type(str, content, where))
        parts: list[Part] = []
        for index, part in enumerate(content):
            if type(part) is not dict:
                raise Unfit(wrong_type(dict, part, f"{where}[{index}]"))
            if part.get("type") == "thinking":
                thinking = reasoning.thinking_part(part)
                if thinking is not None:
                    parts.append(thinking)
            else:
                parts.append(_part(part, f"{where}[{index}]."))
        return parts


def _part(part: Mapping[str, object], where: str) -> Part:
    match part.get("type"):
        case "text" | "input_text" | "output_text":
            return Text(required_string(part, "text", where), cache_mark(part, where))
        case "image_url":
            return _image(part, where)
        case "input_audio":
            audio = required_mapping(part, "input_audio", where)
            form = string(audio, "format", f"{where}input_audio.") or "wav"
            data = required_string(audio, "data", f"{where}input_audio.")
            return Audio(inline(f"audio/{form}", data))
        case "file":
            return _file(part, where)
        case "refusal":
            return Refusal(required_string(part, "refusal", where))
        case "video_url":
            return Video(source_of(_url(part, "video_url", where), f"{where}video_url"))
        case "audio_url":
            return Audio(source_of(_url(part, "audio_url", where), f"{where}audio_url"))
        case kind:
            raise unsupported(f"{where}type", str(kind))


def _image(part: Mapping[str, object], where: str) -> Image:
    source = source_of(_url(part, "image_url", where), f"{where}image_url")
    image = part.get("image_url")
    detail = string(image, "detail", f"{where}image_url.") if type(image) is dict else ""
    return Image(source, detail, cache_mark(part, where))


def _file(part: Mapping[str, object], where: str) -> Document:
    file = required_mapping(part, "file", where)
    inside = f"{where}file."
    name = string(file, "filename", inside)
    mark = cache_mark(part, where)
    identifier = string(file, "file_id", inside)
    if identifier:
        return Document(Uploaded(identifier), name, mark)
    data = required_string(file, "file_data", inside)
    return Document(file_source(data, name, f"{inside}file_data"), name, mark)


def _url(part: Mapping[str, object], name: str, where: str) -> str:
    """Of an attachment: an object that has it, or the URL itself."""
    attachment = part.get(name)
    if type(attachment) is str:
        return attachment
    return required_string(required_mapping(part, name, where), "url", f"{where}{name}.")


def _message_mark(message: Mapping[str, object], where: str) -> CacheMark | None:
    """Some clients mark a message whose content is a string."""
    return cache_mark(message, where) if "cache_control" in message else None


def _seal_last_text(parts: list[Part], seal: Signature | None) -> None:
    for index in range(len(parts) - 1, -1, -1):
        part = parts[index]
        if isinstance(part, Text) and seal is not None:
            parts[index] = Text(part.text, part.cache, seal)
            return
