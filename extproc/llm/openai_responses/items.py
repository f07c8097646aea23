"""The items of a request's input, as messages.

https://platform.openai.com/docs/api-reference/responses/create#responses_create-input. What the
assistant said comes in items of its own: text, reasoning, calls; one turn of them is one message.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from extproc.llm.faults import Unfit, wrong_type
from extproc.llm.fields import (
    objects,
    required_mapping,
    required_string,
    string,
    unsupported,
)
from extproc.llm.losses import Feature
from extproc.llm.openai_chat.attachments import (
    audio_format,
    cache_mark,
    file_source,
    inline,
    source_of,
)
from extproc.llm.openai_responses.drawing import image_of
from extproc.llm.openai_responses.sealed import Sealed, read_seal, thinking_of
from extproc.llm.request import (
    Audio,
    Document,
    Image,
    Message,
    Part,
    Refusal,
    Remote,
    Role,
    Signature,
    Text,
    ToolCall,
    ToolResult,
    Uploaded,
)
from extproc.protocols import json_spans
from extproc.verdict import Deny

_ROLES: Mapping[str, Role] = {
    "user": Role.USER,
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
    "assistant": Role.ASSISTANT,
}
_ELSEWHERE: Mapping[str, Feature] = {
    "item_reference": Feature.STORED_STATE,
    "compaction": Feature.STORED_STATE,
    "compaction_trigger": Feature.STORED_STATE,
    "configuration_update": Feature.OTHER,
    **dict.fromkeys(
        (
            "additional_tools",
            "apply_patch_call",
            "apply_patch_call_output",
            "code_interpreter_call",
            "computer_call",
            "computer_call_output",
            "file_search_call",
            "local_shell_call",
            "local_shell_call_output",
            "mcp_approval_request",
            "mcp_approval_response",
            "mcp_call",
            "mcp_list_tools",
            "program",
            "program_output",
            "shell_call",
            "shell_call_output",
            "tool_search_call",
            "tool_search_output",
            "web_search_call",
        ),
        Feature.PROVIDER_TOOLS,
    ),
}
"""Items that mean something to OpenAI alone, and what they are of."""
CUSTOM_INPUT = "input"
"""The argument of a function that stands for a custom tool."""


def messages_of(items: object, extras: dict[Feature, None]) -> list[Message]:
    """Of the value of `input`; what cannot be told in messages is added to the extras."""
    if type(items) is str:
        return [Message(Role.USER, (Text(items),))]
    if items is None:
        return []
    if type(items) is not list:
        raise Unfit(wrong_type(list, items, "input"))
    conversation = _Conversation(extras)
    for index, item in enumerate(items):
        conversation.add(item, f"input[{index}].")
    conversation.flush()
    return conversation.messages


class _Conversation:
    """Told item by item."""

    __slots__ = ("_call_seal", "_extras", "_names", "_parts", "_role", "messages")

    def __init__(self, extras: dict[Feature, None]) -> None:
        self.messages: list[Message] = []
        self._parts: list[Part] = []
        """Of the turn that is being told: of the assistant, or results of tools."""
        self._role = Role.ASSISTANT
        self._names: dict[str, str] = {}
        """Of the tools that were called, by the id of the call."""
        self._call_seal: Signature | None = None
        self._extras = extras

    def add(self, item: Mapping[str, object], where: str) -> None:
        kind = string(item, "type", where) or ("message" if "role" in item else "item_reference")
        match kind:
            case "message":
                self._message(item, where)
            case "function_call":
                arguments = string(item, "arguments", where) or "{}"
                self._call(item, arguments, where)
            case "custom_tool_call":
                text = required_string(item, "input", where)
                self._call(item, json_spans.encode({CUSTOM_INPUT: text}).decode(), where)
            case "function_call_output" | "custom_tool_call_output":
                self._result(item, where)
            case "reasoning":
                self._reasoning(item, where)
            case "image_generation_call":
                self._image(item)
            case _:
                feature = _ELSEWHERE.get(kind)
                if feature is None:
                    raise unsupported(f"{where}type", kind)
                self._extras[feature] = None

    def flush(self) -> None:
        """The turn is over."""
        if self._parts:
            self.messages.append(Message(self._role, tuple(self._parts)))
            self._parts = []

    def _turn_of(self, role: Role) -> None:
        if role is not self._role:
            self.flush()
            self._role = role

    def _message(self, item: Mapping[str, object], where: str) -> None:
        name = required_string(item, "role", where)
        role = _ROLES.get(name)
        if role is None:
            raise unsupported(f"{where}role", name)
        content = item.get("content")
        parts: list[Part]
        if type(content) is str:
            parts = [Text(content)]
        else:
            parts = [
                _part(part, f"{where}content[{index}].")
                for index, part in enumerate(objects(item, "content", where))
            ]
        if role is Role.ASSISTANT:
            self._turn_of(role)
            self._parts += parts
        else:
            self.flush()
            self.messages.append(Message(role, tuple(parts)))

    def _call(self, item: Mapping[str, object], arguments: str, where: str) -> None:
        call_id = required_string(item, "call_id", where)
        name = required_string(item, "name", where)
        if not call_id:
            reason = f"{where}call_id must not be empty"
            raise Unfit(Deny(400, "invalid_value", reason, param=f"{where}call_id"))
        self._turn_of(Role.ASSISTANT)
        self._parts.append(ToolCall(call_id, name, arguments, self._call_seal))
        self._call_seal = None
        self._names[call_id] = name

    def _result(self, item: Mapping[str, object], where: str) -> None:
        call_id = required_string(item, "call_id", where)
        output = item.get("output")
        content: list[Text | Image | Document] = []
        if type(output) is str:
            content += [Text(output)] if output else []
        else:
            for index, part in enumerate(objects(item, "output", where)):
                read = _part(part, f"{where}output[{index}].")
                if not isinstance(read, Text | Image | Document):
                    raise unsupported(f"{where}output[{index}].type", str(part.get("type")))
                content.append(read)
        self._turn_of(Role.USER)
        name = self._names.get(call_id) or string(item, "name", where)
        self._parts.append(ToolResult(call_id, name, tuple(content)))

    def _reasoning(self, item: Mapping[str, object], where: str) -> None:
        texts = [
            string(part, "text", f"{where}{name}[{index}].")
            for name in (("content",) if item.get("content") else ("summary",))
            for index, part in enumerate(objects(item, name, where))
        ]
        encrypted = string(item, "encrypted_content", where)
        seal = read_seal(encrypted) if encrypted else None
        self._turn_of(Role.ASSISTANT)
        if seal is not None and seal.sealed is Sealed.NEXT_CALL:
            self._call_seal = seal.signature
        elif seal is not None and seal.sealed is Sealed.LAST_TEXT:
            self._seal_text(seal.signature)
        else:
            thinking = thinking_of(texts, None if seal is None else seal.signature)
            if thinking is not None:
                self._parts.append(thinking)
            else:  # OpenAI keeps it under its id
                self._extras[Feature.REASONING_SIGNATURE] = None

    def _image(self, item: Mapping[str, object]) -> None:
        image = image_of(item)
        if image is not None:
            self._turn_of(Role.ASSISTANT)
            self._parts.append(image)
        elif item.get("result") is None and item.get("status") != "failed":
            self._extras[Feature.STORED_STATE] = None  # OpenAI keeps it under its id

    def _seal_text(self, signature: Signature) -> None:
        last = self._parts[-1] if self._parts else None
        if isinstance(last, Text | Image):
            self._parts[-1] = replace(last, signature=signature)


def _part(part: Mapping[str, object], where: str) -> Part:
    kind = string(part, "type", where)
    match kind:
        case "input_text" | "output_text" | "text":
            return Text(required_string(part, "text", where), cache_mark(part, where))
        case "refusal":
            return Refusal(required_string(part, "refusal", where))
        case "input_image":
            return _image(part, where)
        case "input_file":
            return _document(part, where)
        case "input_audio":
            return _audio(part, where)
        case _:
            raise unsupported(f"{where}type", kind)


def _image(part: Mapping[str, object], where: str) -> Image:
    detail = string(part, "detail", where)
    url = string(part, "image_url", where)
    if url:
        return Image(source_of(url, f"{where}image_url"), detail, cache_mark(part, where))
    file_id = required_string(part, "file_id", where)
    return Image(Uploaded(file_id), detail, cache_mark(part, where))


def _document(part: Mapping[str, object], where: str) -> Document:
    name = string(part, "filename", where)
    mark = cache_mark(part, where)
    data, url = string(part, "file_data", where), string(part, "file_url", where)
    if data:
        return Document(file_source(data, name, f"{where}file_data"), name, mark)
    if url:
        return Document(Remote(url), name, mark)
    return Document(Uploaded(required_string(part, "file_id", where)), name, mark)


def _audio(part: Mapping[str, object], where: str) -> Audio:
    audio = required_mapping(part, "input_audio", where)
    inner = f"{where}input_audio."
    media_type = f"audio/{required_string(audio, 'format', inner)}"
    if audio_format(media_type) is None:
        raise unsupported(f"{inner}format", media_type.removeprefix("audio/"))
    return Audio(inline(media_type, required_string(audio, "data", inner)))
