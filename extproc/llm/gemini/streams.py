"""Streams of streamGenerateContent: answers in pieces, each of the form of a whole one.

https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent. With `alt=sse` they
come as events, else as one JSON array. Nothing marks the end but the end: a stream is whole when
it has said why it stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from extproc.llm.answer import (
    ENDED_EARLY,
    CallDelta,
    CallStarted,
    Citation,
    Cited,
    Drawn,
    Ended,
    Failed,
    Fault,
    Finished,
    PartEnded,
    ProviderError,
    RefusalDelta,
    SpeechDelta,
    Started,
    Stop,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
)
from extproc.llm.dialect import Asked
from extproc.llm.gemini import citations, sealed
from extproc.llm.gemini.answers import (
    MALFORMED_CALL,
    call_object,
    call_of,
    candidates_of,
    finish_reason,
    image_of,
    image_parts,
    is_blocked,
    parts_of,
    read_logprobs,
    reason_of,
    speech_parts,
    stop_of,
    text_member,
    write_logprobs,
)
from extproc.llm.gemini.errors import error_object, read_error
from extproc.llm.gemini.usage import USAGE_MEMBER, encode_usage, usage_of
from extproc.protocols import json_spans, sse
from extproc.protocols.json_spans import InvalidJson
from extproc.protocols.sse import EventTooLarge, SseDecoder
from gateway.usage import Usage

_OK = 200


@dataclass(slots=True)
class _Told:
    """What one candidate of a provider has told."""

    texts: list[str] = field(default_factory=list)
    calls: int = 0
    reason: str = ""
    in_thought: bool | None = None
    """What the part that goes on is; None: none goes on."""


class GeminiDecoding:
    """Reads `alt=sse`; `Decoding`."""

    __slots__ = ("_events", "_is_blocked", "_is_over", "_reported", "_seed", "_told")

    def __init__(self) -> None:
        self._events = SseDecoder()
        self._told: dict[int, _Told] = {}
        self._seed = ""
        self._is_blocked = False
        self._is_over = False
        self._reported: object = None

    @property
    def usage(self) -> Usage | None:
        """Each piece of the stream tells all so far, so only the last is read."""
        return usage_of(self._reported)

    def feed(self, data: bytes) -> Sequence[StreamEvent]:
        if self._is_over:
            return ()
        found: list[StreamEvent] = []
        try:
            self._read(self._events.feed(data), found)
        except EventTooLarge as error:
            found.append(self._failed(str(error)))
        except (InvalidJson, UnicodeDecodeError) as error:
            found.append(self._failed(f"no event of streamGenerateContent: {error}"))
        return found

    def end(self) -> Sequence[StreamEvent]:
        if self._is_over:
            return ()
        found: list[StreamEvent] = []
        try:
            self._read(self._events.end(), found)
        except (InvalidJson, UnicodeDecodeError):  # cut in the midst of an event
            found.append(self._failed(ENDED_EARLY))
        if self._is_over:
            return found
        is_whole = all(told.reason for told in self._told.values())
        if self._is_blocked and not self._told:
            found.append(Finished(Stop.CONTENT_FILTER))
        elif self._told and is_whole:
            for choice, told in self._told.items():
                stop = stop_of(told.reason, has_calls=told.calls > 0)
                found.append(Finished(stop, choice=choice))
        else:
            found.append(self._failed(ENDED_EARLY))
            return found
        self._is_over = True
        found.append(Ended(self.usage))
        return found

    def _read(self, events: Sequence[sse.Event], found: list[StreamEvent]) -> None:
        for event in events:
            document = json_spans.decode(event.data)
            problem = document.get("error")
            if type(problem) is dict:
                self._is_over = True
                found.append(Failed(read_error(_OK, problem), self.usage))
                return
            self._piece(document, event.data, found)

    def _piece(self, document: dict[str, object], data: bytes, found: list[StreamEvent]) -> None:
        reported = document.get(USAGE_MEMBER)
        if reported is not None:
            self._reported = reported
        if not self._seed:
            answer_id = text_member(document, "responseId")
            self._seed = answer_id or data.decode("utf-8", "replace")
            found.append(Started(answer_id, text_member(document, "modelVersion"), self.usage))
        if is_blocked(document):
            self._is_blocked = True
        for candidate in candidates_of(document):
            index = candidate.get("index")
            self._candidate(candidate, index if type(index) is int else 0, found)

    def _candidate(
        self, candidate: dict[str, object], choice: int, found: list[StreamEvent]
    ) -> None:
        told = self._told.get(choice)
        if told is None:
            told = self._told[choice] = _Told()
        logprobs = (read_logprobs(candidate) or ()) if "logprobsResult" in candidate else ()
        for part in parts_of(candidate):
            text = part.get("text")
            if type(text) is not str:
                self._call_or_image(part, choice, told, found)
                continue
            signature = sealed.of_provider(part) if "thoughtSignature" in part else None
            is_thought = part.get("thought") is True
            if not text and signature is None:
                continue
            if is_thought:
                found.append(ThinkingDelta(text, signature, choice=choice))
            else:
                told.texts.append(text)
                found.append(TextDelta(text, choice, logprobs, signature))
                logprobs = ()
            told.in_thought = is_thought
            if signature is not None:  # it seals the part that it ends
                found.append(PartEnded(choice))
                told.in_thought = None
        if logprobs:
            found.append(TextDelta("", choice, logprobs))
        if "groundingMetadata" in candidate or "citationMetadata" in candidate:
            cited = citations.read(candidate, ["".join(told.texts)])
            found.extend([Cited(citation, choice) for citation in cited])
        reason = finish_reason(candidate)
        if reason:
            told.reason = reason

    def _call_or_image(
        self, part: dict[str, object], choice: int, told: _Told, found: list[StreamEvent]
    ) -> None:
        call = call_of(part, f"{self._seed}/{choice}", told.calls)
        image = image_of(part)
        if call is None and image is None:
            return
        if told.in_thought is not None:
            found.append(PartEnded(choice))
            told.in_thought = None
        if call is None:
            found += () if image is None else (Drawn(image, choice), PartEnded(choice))
            return
        found += (
            CallStarted(told.calls, call.call_id, call.name, call.signature, choice),
            CallDelta(told.calls, call.arguments, choice),
            PartEnded(choice),
        )
        told.calls += 1

    def _failed(self, message: str) -> Failed:
        self._is_over = True
        return Failed(ProviderError(502, Fault.SERVER, message), self.usage)


@dataclass(slots=True)
class _Call:
    """A call whose arguments come in pieces: Gemini's clients get it whole."""

    call_id: str
    name: str
    signature: str
    arguments: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Choice:
    """What is kept of one choice until it can be said."""

    calls: dict[int, _Call] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    cited: list[Citation] = field(default_factory=list)
    is_malformed: bool = False


class GeminiEncoding:
    """Writes `alt=sse`; `Encoding`."""

    __slots__ = ("_answer_id", "_choices", "_last", "_model")

    def __init__(self, asked: Asked) -> None:
        self._model = asked.model
        self._answer_id = asked.answer_id
        self._choices: dict[int, _Choice] = {}
        self._last: list[dict[str, object]] = []
        """What finishes the choices; said together with the usage."""

    def feed(self, event: StreamEvent) -> bytes:
        match event:
            case TextDelta():
                return self._text(event)
            case ThinkingDelta():
                return self._thought(event)
            case CallStarted():
                seal = event.signature
                call = _Call(event.call_id, event.name, sealed.shown(seal) if seal else "")
                self._choice(event.choice).calls[event.number] = call
            case CallDelta():
                begun = self._choice(event.choice).calls.get(event.number)
                if begun is not None:
                    begun.arguments.append(event.arguments)
            case RefusalDelta():
                return self._parts(event.choice, [{"text": event.text}])
            case SpeechDelta():
                return self._parts(event.choice, list(speech_parts(event.transcript, event.data)))
            case Cited():
                self._choice(event.choice).cited.append(event.citation)
            case Drawn():
                return self._parts(event.choice, list(image_parts(event.image)))
            case Started():
                self._model = event.model or self._model
                self._answer_id = event.answer_id or self._answer_id
            case PartEnded():
                pass
            case Finished():
                self._finish(event)
            case Ended():
                return self._end(event.usage)
            case Failed():
                return self._framed({"error": error_object(event.error)}) + self._closed()
        return b""

    def _framed(self, piece: dict[str, object]) -> bytes:
        return sse.encode(json_spans.encode(piece))

    def _closed(self) -> bytes:
        """What ends the stream."""
        return b""

    def _text(self, event: TextDelta) -> bytes:
        choice = self._choices.get(event.choice) or self._choice(event.choice)
        choice.texts.append(event.text)
        part: dict[str, object] = {"text": event.text}
        if event.signature is not None:
            part["thoughtSignature"] = sealed.shown(event.signature)
        parts = [*self._calls(choice), part] if choice.calls else [part]
        candidate: dict[str, object] = {
            "content": {"parts": parts, "role": "model"},
            "index": event.choice,
        }
        if event.logprobs:
            candidate["logprobsResult"] = write_logprobs(event.logprobs)
        return self._piece([candidate])

    def _thought(self, event: ThinkingDelta) -> bytes:
        part: dict[str, object] = {"text": event.text, "thought": True}
        if event.signature is not None:
            part["thoughtSignature"] = sealed.shown(event.signature, is_redacted=event.is_redacted)
        return self._parts(event.choice, [part])

    def _parts(self, index: int, parts: list[dict[str, object]]) -> bytes:
        choice = self._choice(index)
        if choice.calls:
            parts = [*self._calls(choice), *parts]
        if not parts:
            return b""
        return self._piece([{"content": {"parts": parts, "role": "model"}, "index": index}])

    def _piece(self, candidates: list[dict[str, object]], usage: Usage | None = None) -> bytes:
        piece: dict[str, object] = {"candidates": candidates}
        if usage is not None:
            piece[USAGE_MEMBER] = encode_usage(usage)
        piece["modelVersion"] = self._model
        piece["responseId"] = self._answer_id
        return self._framed(piece)

    def _choice(self, index: int) -> _Choice:
        choice = self._choices.get(index)
        if choice is None:
            choice = self._choices[index] = _Choice()
        return choice

    def _calls(self, choice: _Choice) -> list[dict[str, object]]:
        """The calls that have been told, whole."""
        found: list[dict[str, object]] = []
        for call in choice.calls.values():
            said = call_object(call.call_id, call.name, "".join(call.arguments))
            if said is None:
                choice.is_malformed = True
                continue
            part: dict[str, object] = {"functionCall": said}
            if call.signature:
                part["thoughtSignature"] = call.signature
            found.append(part)
        choice.calls.clear()
        return found

    def _finish(self, event: Finished) -> None:
        choice = self._choice(event.choice)
        parts = self._calls(choice)
        reason = reason_of(event.stop)
        if choice.is_malformed and event.stop is not Stop.MAX_TOKENS:
            reason = MALFORMED_CALL
        candidate: dict[str, object] = {
            "content": {"parts": parts or [{"text": ""}], "role": "model"},
            "finishReason": reason,
            "index": event.choice,
        }
        if choice.cited:
            candidate["groundingMetadata"] = citations.write(choice.cited, choice.texts)
        self._last.append(candidate)

    def _end(self, usage: Usage | None) -> bytes:
        return self._piece(self._last, usage) + self._closed()


class GeminiArrayEncoding(GeminiEncoding):
    """Writes the array that clients get without `alt=sse`."""

    __slots__ = ("_has_begun",)

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked)
        self._has_begun = False

    def _framed(self, piece: dict[str, object]) -> bytes:
        opening = b",\r\n" if self._has_begun else b"["
        self._has_begun = True
        return opening + json_spans.encode(piece)

    def _closed(self) -> bytes:
        return b"]"
