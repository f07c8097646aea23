"""A conversation as Gemini's `contents`, read and written.

https://ai.google.dev/api/caching#Content. Results of functions follow the content that called them
and are matched by id; where the API has none, by name and order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

import msgspec

from extproc.llm.faults import Unfit, not_a, wrong_type
from extproc.llm.gemini import sealed
from extproc.llm.gemini.generations import is_before_3
from extproc.llm.gemini.media import Medium, read_blob, read_file, write_medium
from extproc.llm.identifiers import call_id
from extproc.llm.losses import Feature, Losses
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
    Thinking,
    ToolCall,
    ToolResult,
    Video,
)
from extproc.protocols import json_spans
from extproc.protocols.json_spans import InvalidJson
from extproc.verdict import Deny
from gateway.model import Dialect

_DATA = (
    "text",
    "functionCall",
    "functionResponse",
    "inlineData",
    "fileData",
    "executableCode",
    "codeExecutionResult",
    "toolCall",
    "toolResponse",
)
"""Of which a part has one."""
_BESIDE = frozenset({"thought", "thoughtSignature", "mediaResolution"})
_DETAILS = {
    "MEDIA_RESOLUTION_LOW": "low",
    "MEDIA_RESOLUTION_MEDIUM": "auto",
    "MEDIA_RESOLUTION_HIGH": "high",
    "MEDIA_RESOLUTION_ULTRA_HIGH": "high",
}
_NO_ARGUMENTS = "{}"


def detail_of(resolution: object) -> str:
    """`Image.detail` of a `mediaResolution`."""
    return _DETAILS.get(resolution, "") if type(resolution) is str else ""


@dataclass(slots=True)
class ContentsReader:
    """Reads contents in order. Raises `Unfit`."""

    detail: str = ""
    """Of images that say none."""
    extras: dict[Feature, None] = field(default_factory=dict)
    """What was said that has no place, in order."""
    _open: list[tuple[str, str]] = field(default_factory=list)
    """Ids and names of calls that have no result yet."""
    _calls: int = 0

    def message(self, content: Mapping[str, object], role: Role, where: str) -> Message:
        parts = content.get("parts")
        found: list[Part] = []
        for index, part in enumerate(parts if type(parts) is list else ()):
            text = part.get("text")
            if text is not None and len(part) == 1:  # as nearly all are
                found.append(Text(text))
                continue
            read = self._part(part, f"{where}.parts[{index}].")
            if read is not None:
                found.append(read)
        return Message(role, tuple(_joined(found) if role is Role.ASSISTANT else found))

    def _part(self, part: Mapping[str, object], where: str) -> Part | None:
        said = [name for name in _DATA if part.get(name) is not None]
        if len(said) > 1:
            reason = f"{where[:-1]} has both {said[0]} and {said[1]}"
            raise Unfit(Deny(400, "invalid_value", reason, param=where[:-1]))
        if any(name not in _BESIDE and name not in _DATA for name in part):
            self.extras[Feature.OTHER] = None
        signature, is_redacted = sealed.read(part)
        match said[0] if said else "":
            case "text" | "":
                text = str(part.get("text") or "")
                if part.get("thought") is True:
                    return Thinking(text, signature, is_redacted)
                if not text and signature is None:
                    return None
                return Text(text, signature=signature)
            case "functionCall":
                return self._call(part["functionCall"], signature, where)
            case "functionResponse":
                return self._result(part["functionResponse"], where)
            case "inlineData":
                blob = read_blob(part["inlineData"], where)
                if type(blob) is Image and signature is not None:
                    blob = replace(blob, signature=signature)
                return self._detailed(blob, part)
            case "fileData":
                return self._detailed(read_file(part["fileData"], where), part)
            case _:
                self.extras[Feature.PROVIDER_TOOLS] = None
                return None

    def _detailed(self, medium: Medium, part: Mapping[str, object]) -> Medium:
        if type(medium) is not Image:
            return medium
        resolution = part.get("mediaResolution")
        level = resolution.get("level") if type(resolution) is dict else None
        detail = detail_of(level) or self.detail
        return replace(medium, detail=detail) if detail else medium

    def _call(self, call: object, signature: Signature | None, where: str) -> ToolCall:
        if type(call) is not dict:
            raise Unfit(wrong_type(dict, call, f"{where}functionCall"))
        name = call.get("name")
        if type(name) is not str:
            raise Unfit(not_a(str, call, "name", f"{where}functionCall."))
        arguments = call.get("args")
        if arguments is not None and type(arguments) is not dict:
            raise Unfit(wrong_type(dict, arguments, f"{where}functionCall.args"))
        known = call.get("id")
        identifier = known if type(known) is str and known else call_id("contents", self._calls)
        self._calls += 1
        self._open.append((identifier, name))
        written = json_spans.encode(arguments).decode() if arguments else _NO_ARGUMENTS
        return ToolCall(identifier, name, written, signature)

    def _result(self, result: object, where: str) -> ToolResult:
        if type(result) is not dict:
            raise Unfit(wrong_type(dict, result, f"{where}functionResponse"))
        name = result.get("name")
        known = result.get("id")
        identifier, called = self._answered(
            known if type(known) is str else "", name if type(name) is str else ""
        )
        text, is_error = _said_by_tool(result.get("response"))
        content: list[Text | Image | Document] = [] if text is None else [Text(text)]
        parts = result.get("parts")
        for index, part in enumerate(parts if type(parts) is list else ()):
            inner = f"{where}functionResponse.parts[{index}]."
            if type(part) is not dict:
                raise Unfit(wrong_type(dict, part, inner[:-1]))
            is_blob = part.get("inlineData") is not None
            medium = (
                read_blob(part.get("inlineData"), inner)
                if is_blob
                else read_file(part.get("fileData"), inner)
            )
            if type(medium) is Image or type(medium) is Document:
                content.append(medium)
            else:
                self.extras[Feature.AUDIO_INPUT] = None
        return ToolResult(identifier, called, tuple(content), is_error)

    def _answered(self, identifier: str, name: str) -> tuple[str, str]:
        """The call that a result answers: the one of its id, else the first of its name."""
        for place, (opened, called) in enumerate(self._open):
            if identifier == opened if identifier else name in ("", called):
                del self._open[place]
                return opened, name or called
        return identifier or call_id(f"unasked {name}", self._calls), name


def follow_on(messages: Sequence[Message]) -> Iterator[Message]:
    """Clients keep each piece of a streamed answer as a content: together they are one message."""
    for is_answer, run in groupby(messages, lambda message: message.role is Role.ASSISTANT):
        if is_answer:
            pieces = [part for message in run for part in message.parts]
            yield Message(Role.ASSISTANT, tuple(_joined(pieces)))
        else:
            yield from run


def _joined(parts: Sequence[Part]) -> list[Part]:
    """What belongs together of pieces: a seal is of all reasoning since the one before."""
    found: list[Part] = []
    for part in parts:
        last = found[-1] if found else None
        match last, part:
            case Thinking(signature=None), Thinking(is_redacted=False):
                found[-1] = Thinking(last.text + part.text, part.signature)
            case Text(signature=None), Text(signature=None):
                found[-1] = Text(last.text + part.text)
            case _:
                found.append(part)
    return found


def _said_by_tool(response: object) -> tuple[str | None, bool]:
    """The text, and whether it tells of a failure.

    Documented: `output` holds the output and `error` an error; without either, all is output.
    """
    if type(response) is not dict or not response:
        return None, False
    if len(response) == 1:
        for name in ("output", "error"):
            value = response.get(name)
            if value is not None:
                text = value if type(value) is str else json_spans.encode(value).decode()
                return text, name == "error"
    return json_spans.encode(response).decode(), False


@dataclass(slots=True)
class ContentsWriter:
    """Writes messages in order."""

    model: str
    losses: Losses
    _is_signed: bool = True
    """Whether the first call of the content that is written has its seal, or needs none."""
    _is_answer: bool = False
    """Whether the content that is written is the model's."""

    def contents(self, messages: Sequence[Message], first: int) -> list[dict[str, object]]:
        """`first` is the number of the first of them in the request."""
        written: list[dict[str, object]] = []
        results: list[object] = []
        speaker, turn = "", list[dict[str, object]]()
        for index, message in enumerate(messages, first):
            where = f"messages[{index}]"
            if message.name:
                self.losses.lose(Feature.NAMES, f"{where}.name")
            if message.role is Role.SYSTEM:
                self.losses.lose(Feature.SYSTEM_MIDWAY, where)
            answers = [part for part in message.parts if type(part) is ToolResult]
            others = [part for part in message.parts if type(part) is not ToolResult]
            if answers:
                if not results:  # all that were called together are answered together
                    written.append({"role": "user", "parts": results})
                    speaker = ""
                for answer in answers:
                    results.extend(self._answer(answer, where))
            self._is_answer = message.role is Role.ASSISTANT
            parts = self.parts(others, where)
            if parts:
                role = "model" if message.role is Role.ASSISTANT else "user"
                if role == speaker:  # turns alternate
                    turn += parts
                else:
                    speaker, turn = role, parts
                    written.append({"role": role, "parts": turn})
                results = []
        return written

    def parts(self, parts: Sequence[Part], where: str) -> list[dict[str, object]]:
        self._is_signed = is_before_3(self.model)
        written = []
        for part in parts:
            said = self._part(part, where)
            if said is not None:
                written.append(said)
        return written

    def _part(self, part: Part, where: str) -> dict[str, object] | None:
        match part:
            case Text():
                self._mark(part.cache, where)
                seal = self._sealed(part.signature, where)
                return {"text": part.text, **seal} if part.text or seal else None
            case Thinking():
                return self._thought(part, where)
            case ToolCall():
                self._mark(part.cache, where)
                return self._call(part, where)
            case Image():
                self._mark(part.cache, where)
                return self._image(part, where)
            case Document():
                self._mark(part.cache, where)
                return write_medium(part, self.losses, where)
            case Audio() | Video():
                return write_medium(part, self.losses, where)
            case Refusal():
                self.losses.lose(Feature.REFUSAL, where)
                return {"text": part.text} if part.text else None
            case ToolResult():  # written before all others
                return None

    def _image(self, image: Image, where: str) -> dict[str, object] | None:
        """Models from Gemini 3 on want those that a model drew to be sealed."""
        medium = write_medium(image, self.losses, where)
        seal = self._sealed(image.signature, where)
        if medium is not None and not seal and self._is_answer and not is_before_3(self.model):
            seal = {"thoughtSignature": sealed.UNCHECKED}
        return None if medium is None else {**medium, **seal}

    def _thought(self, part: Thinking, where: str) -> dict[str, object] | None:
        seal = self._sealed(part.signature, where)
        if part.signature is not None and not seal:
            return None
        if not part.text and not seal:
            return None
        return {"text": part.text, "thought": True, **seal}

    def _call(self, call: ToolCall, where: str) -> dict[str, object]:
        said: dict[str, object] = {"id": call.call_id, "name": call.name}
        said["args"] = self._arguments(call, where)
        seal = self._sealed(call.signature, where)
        if not seal and not self._is_signed:
            seal = {"thoughtSignature": sealed.UNCHECKED}
        self._is_signed = True
        return {"functionCall": said, **seal}

    def _arguments(self, call: ToolCall, where: str) -> object:
        if call.arguments == _NO_ARGUMENTS:
            return {}
        try:
            json_spans.decode(call.arguments.encode())
        except (InvalidJson, UnicodeEncodeError):
            self.losses.lose(Feature.TOOLS, f"{where} (the arguments of {call.name!r})")
            return {}
        return msgspec.Raw(call.arguments.encode())

    def _answer(self, result: ToolResult, where: str) -> Iterator[dict[str, object]]:
        self._mark(result.cache, where)
        texts: list[str] = []
        media: list[dict[str, object]] = []
        for part in result.content:
            if isinstance(part, Text):
                texts.append(part.text)
                continue
            medium = write_medium(part, self.losses, where)
            if medium is not None:
                media.append(medium)
        name = "error" if result.is_error else "output"
        response = {name: "\n".join(texts)} if texts or not media or result.is_error else {}
        said: dict[str, object] = {"id": result.call_id, "name": result.name, "response": response}
        if media and not is_before_3(self.model):
            said["parts"] = media
            media = []
        yield {"functionResponse": said}
        yield from media

    def _sealed(self, signature: Signature | None, where: str) -> dict[str, object]:
        if signature is None:
            return {}
        if signature.origin is not Dialect.GEMINI:
            self.losses.lose(Feature.REASONING_SIGNATURE, where)
            return {}
        return {"thoughtSignature": signature.value}

    def _mark(self, mark: CacheMark | None, where: str) -> None:
        if mark is not None:
            self.losses.lose(Feature.CACHE_MARKS, where)
