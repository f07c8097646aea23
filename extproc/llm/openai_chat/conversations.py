"""Messages of a chat completion request, written from the canonical conversation.

https://platform.openai.com/docs/api-reference/chat/create#chat-create-messages
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import assert_never

from extproc.llm import identifiers
from extproc.llm.losses import Feature, Losses
from extproc.llm.openai_chat import reasoning
from extproc.llm.openai_chat.attachments import audio_format, data_url, file_name
from extproc.llm.openai_chat.servers import Server
from extproc.llm.request import (
    Audio,
    CacheMark,
    Document,
    Image,
    Inline,
    Message,
    Part,
    Plain,
    Refusal,
    Remote,
    Role,
    Signature,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Uploaded,
    Video,
)
from gateway.model import Dialect

LONGEST_CALL_ID = 40
"""In characters, at OpenAI."""
_NOT_IN_NAMES = frozenset(" \t\r\n<>|\\/")

Json = dict[str, object]


class MessageWriter:
    """Writes a conversation for one server."""

    __slots__ = ("_losses", "_server", "_takes")

    def __init__(self, server: Server, losses: Losses) -> None:
        self._server = server
        self._takes = server.takes
        self._losses = losses

    def write(self, messages: Sequence[Message]) -> list[Json]:
        written: list[Json] = []
        for index, message in enumerate(messages):
            where = f"messages[{index}]"
            if message.role is Role.ASSISTANT:
                written.append(self._assistant(message, where))
            elif message.role is Role.SYSTEM:
                written.append(self._plain("system", message, where))
            elif any(isinstance(part, ToolResult) for part in message.parts):
                written += self._with_results(message, where)
            else:
                written.append(self._plain("user", message, where))
        return written

    def marked(self, part: Json, mark: CacheMark | None, where: str) -> Json:
        """The part with its cache mark, as this server takes it."""
        if mark is not None:
            if "cache_control" in self._takes:
                ttl = {} if mark.ttl is None else {"ttl": mark.ttl}
                part["cache_control"] = {"type": "ephemeral", **ttl}
            elif "prompt_cache_breakpoint" in self._takes:
                part["prompt_cache_breakpoint"] = {"mode": "explicit"}
            else:
                self._losses.lose(Feature.CACHE_MARKS, f"{where}.cache")
        return part

    def _plain(self, role: str, message: Message, where: str) -> Json:
        written: Json = {"role": role, "content": self._content(message.parts, where)}
        self._name(message, written, where)
        return written

    def _name(self, message: Message, written: Json, where: str) -> None:
        if message.name:
            if _NOT_IN_NAMES.isdisjoint(message.name):
                written["name"] = message.name
            else:
                self._losses.lose(Feature.NAMES, f"{where}.name")

    def _content(self, parts: Sequence[Part], where: str) -> str | list[Json]:
        """A string where one says it all: every server takes that."""
        if len(parts) == 1:
            part = parts[0]
            if type(part) is Text and part.cache is None:
                return part.text
        return [
            written
            for index, part in enumerate(parts)
            if (written := self._part(part, f"{where}.parts[{index}]")) is not None
        ]

    def _with_results(self, message: Message, where: str) -> Iterator[Json]:
        """Results first, since they must follow their calls; then what else the user says."""
        attached: list[Part] = []
        others: list[Part] = []
        for index, part in enumerate(message.parts):
            if isinstance(part, ToolResult):
                yield self._result(part, attached, f"{where}.parts[{index}]")
            else:
                others.append(part)
        if attached or others:
            content = self._content([*attached, *others], where)
            written: Json = {"role": "user", "content": content}
            self._name(message, written, where)
            yield written

    def _result(self, result: ToolResult, attached: list[Part], where: str) -> Json:
        """Its images and documents go into the message of the user that follows."""
        if result.is_error:
            self._losses.lose(Feature.TOOL_ERROR, f"{where}.is_error")
        texts: list[Part] = []
        for part in result.content:
            (texts if isinstance(part, Text) else attached).append(part)
        content: str | list[Json] = ""
        if texts:
            last = texts[-1]
            if result.cache is not None and isinstance(last, Text) and last.cache is None:
                texts[-1] = Text(last.text, result.cache)
            content = self._content(texts, where)
        elif result.cache is not None:
            self._losses.lose(Feature.CACHE_MARKS, f"{where}.cache")
        return {"role": "tool", "tool_call_id": self._call_id(result.call_id), "content": content}

    def _assistant(self, message: Message, where: str) -> Json:
        said: list[Part] = []
        calls: list[Json] = []
        thinking: list[Thinking] = []
        written: Json = {"role": "assistant"}
        for index, part in enumerate(message.parts):
            here = f"{where}.parts[{index}]"
            if isinstance(part, ToolCall):
                calls.append(self._call(part, here))
            elif isinstance(part, Thinking):
                if self._can_play_back(part, here):
                    thinking.append(part)
            elif isinstance(part, Refusal) and len(message.parts) == 1:
                written["refusal"] = part.text
            else:
                said.append(part)
                if isinstance(part, Text) and part.signature is not None:
                    self._seal(written, part.signature, here)
        written["content"] = self._content(said, where) if said else None
        if thinking:
            written.update(reasoning.reasoning_fields(thinking))
        if calls:
            written["tool_calls"] = calls
        elif not said and "refusal" not in written:
            written["content"] = ""  # a message must say something
        self._name(message, written, where)
        return written

    def _call(self, call: ToolCall, where: str) -> Json:
        written: Json = {
            "id": self._call_id(call.call_id),
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
        }
        if call.signature is not None:
            self._seal(written, call.signature, where)
        return self.marked(written, call.cache, where)

    def _seal(self, holder: Json, signature: Signature, where: str) -> None:
        if signature.origin is Dialect.OPENAI_CHAT and "extra_content" in self._takes:
            holder["extra_content"] = reasoning.extra_content(signature)
        else:
            self._losses.lose(Feature.REASONING_SIGNATURE, f"{where}.signature")

    def _can_play_back(self, thinking: Thinking, where: str) -> bool:
        if thinking.signature is None:
            if "reasoning_content" in self._takes:
                return True
            self._losses.lose(Feature.REASONING_TEXT, where)
            return False
        is_own = thinking.signature.origin is Dialect.OPENAI_CHAT
        if is_own and "reasoning_details" in self._takes:
            return True
        self._losses.lose(Feature.REASONING_SIGNATURE, f"{where}.signature")
        return False

    def _call_id(self, identifier: str) -> str:
        """The same for a call and its result, and one that the server takes."""
        length = self._server.call_id_length
        if length is None:
            if len(identifier) <= LONGEST_CALL_ID:
                return identifier
            return identifiers.call_id(identifier, 0)
        if len(identifier) == length and identifier.isascii() and identifier.isalnum():
            return identifier
        return identifiers.call_id(identifier, 0)[-length:]

    def _part(self, part: Part, where: str) -> Json | None:
        match part:
            case Text():
                return self.marked({"type": "text", "text": part.text}, part.cache, where)
            case Image():
                return self._image(part, where)
            case Document():
                return self._document(part, where)
            case Audio():
                return self._audio(part, where)
            case Video():
                return self._video(part, where)
            case Refusal():
                return {"type": "refusal", "refusal": part.text}
            case Thinking() | ToolCall() | ToolResult():  # in messages where they cannot be
                self._losses.lose(Feature.OTHER, where)
                return None
            case _:
                assert_never(part)

    def _image(self, image: Image, where: str) -> Json | None:
        match image.source:
            case Inline():
                url = data_url(image.source)
            case Remote(url=url):
                pass
            case _:
                self._losses.lose(Feature.UPLOADED_FILE, f"{where}.source")
                return None
        said: Json = {"url": url}
        if image.detail:
            said["detail"] = image.detail
        return self.marked({"type": "image_url", "image_url": said}, image.cache, where)

    def _document(self, document: Document, where: str) -> Json | None:
        match document.source:
            case Inline():
                file = {
                    "filename": document.name or file_name(document.source.media_type),
                    "file_data": data_url(document.source),
                }
                return self.marked({"type": "file", "file": file}, document.cache, where)
            case Plain(text=text):
                said = f"{document.name}\n\n{text}" if document.name else text
                return self.marked({"type": "text", "text": said}, document.cache, where)
            case Remote():
                self._losses.lose(Feature.DOCUMENT_URL, f"{where}.source")
            case Uploaded():
                self._losses.lose(Feature.UPLOADED_FILE, f"{where}.source")
            case _:
                assert_never(document.source)
        return None

    def _audio(self, audio: Audio, where: str) -> Json | None:
        source = audio.source
        form = audio_format(source.media_type) if isinstance(source, Inline) else None
        if form is None or not isinstance(source, Inline):
            self._losses.lose(Feature.AUDIO_INPUT, f"{where}.source")
            return None
        return {"type": "input_audio", "input_audio": {"data": source.data, "format": form}}

    def _video(self, video: Video, where: str) -> Json | None:
        if "video_url" in self._takes:
            match video.source:
                case Inline():
                    return {"type": "video_url", "video_url": {"url": data_url(video.source)}}
                case Remote(url=url):
                    return {"type": "video_url", "video_url": {"url": url}}
                case _:
                    pass
        self._losses.lose(Feature.VIDEO_INPUT, where)
        return None
