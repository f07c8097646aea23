"""Streams of chat completion chunks, read as they come.

https://platform.openai.com/docs/api-reference/chat/streaming. A choice is finished when the stream
is: some servers tell more of it after its `finish_reason`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from extproc.llm.answer import (
    ENDED_EARLY,
    CallDelta,
    CallStarted,
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
    StreamEvent,
    TextDelta,
    ThinkingDelta,
)
from extproc.llm.identifiers import call_id
from extproc.llm.lenient import string
from extproc.llm.openai_chat import reasoning
from extproc.llm.openai_chat.answers import arguments_of, citation_of, images_of
from extproc.llm.openai_chat.errors import error_of
from extproc.llm.openai_chat.logprobs import logprobs_of
from extproc.llm.openai_chat.stops import stop_of
from extproc.llm.openai_chat.usage import usage_in
from extproc.llm.request import Signature
from extproc.protocols import json_spans
from extproc.protocols.json_spans import InvalidJson
from extproc.protocols.sse import Event, EventTooLarge, SseDecoder
from gateway.usage import Usage

_UNREADABLE = "the provider's stream could not be read"


class _ToolCall:
    """A call that is being told."""

    __slots__ = ("call_id", "held", "is_started", "number")

    def __init__(self, number: int, call_id: str) -> None:
        self.number = number
        self.call_id = call_id
        self.is_started = False
        self.held = ""
        """Arguments that came before the name."""


class _ChoiceReader:
    """Reads the deltas of one choice."""

    __slots__ = ("_calls", "_index", "_last", "_refuses", "_seed", "_stop", "_thought", "_total")

    def __init__(self, index: int, seed: str) -> None:
        self._index = index
        self._seed = seed
        self._calls: dict[int, _ToolCall] = {}
        """The last of each index: some servers give several calls the same."""
        self._last: _ToolCall | None = None
        self._total = 0
        self._refuses = False
        self._stop: Mapping[str, object] = {}
        self._thought: list[str] = []
        """Of the reasoning that is being told: details may repeat it whole."""

    @property
    def is_finished(self) -> bool:
        """It has told why it ended."""
        return bool(self._stop)

    def finish(self) -> Finished:
        stop, sequence = stop_of(self._stop, calls_tools=self._total > 0, refuses=self._refuses)
        return Finished(stop, sequence, self._index)

    def read(self, choice: Mapping[str, object], events: list[StreamEvent]) -> None:
        delta = choice.get("delta")
        if type(delta) is dict:
            content = delta.get("content")
            if content and type(content) is str and len(delta) == 1:  # as nearly all are
                logprobs = logprobs_of(choice) if choice.get("logprobs") else None
                events.append(TextDelta(content, self._index, logprobs or ()))
            elif delta:
                self._delta(delta, choice, events)
        elif text := string(choice, "text"):  # of a legacy completion
            events.append(TextDelta(text, self._index))
        if choice.get("finish_reason") is not None:
            self._stop = choice

    def _delta(
        self, delta: Mapping[str, object], choice: Mapping[str, object], events: list[StreamEvent]
    ) -> None:
        index = self._index
        self._thinking(delta, events)
        content = delta.get("content")
        if content and type(content) is list:
            content = self._pieces(content, events)
        logprobs = logprobs_of(choice) or ()
        seal = reasoning.seal_of(delta) if "extra_content" in delta else None
        text = content if type(content) is str else ""
        if text or seal is not None or (logprobs and not delta.get("refusal")):
            self._thought = []
            events.append(TextDelta(text, index, logprobs, seal))
        refusal = string(delta, "refusal")
        if refusal:
            self._refuses = True
            events.append(RefusalDelta(refusal, index))
        audio = delta.get("audio")
        if type(audio) is dict:
            events.append(_speech(audio, index))
        annotations = delta.get("annotations")
        for annotation in annotations if type(annotations) is list else ():
            citation = citation_of(annotation)
            if citation is not None:
                events.append(Cited(citation, index))
        events += [Drawn(image, index) for image in images_of(delta)]
        calls = delta.get("tool_calls")
        for call in calls if type(calls) is list else ():
            if type(call) is dict:
                self._call(call, events)
        legacy = delta.get("function_call")
        if type(legacy) is dict:
            self._call({"index": 0, "function": legacy}, events)

    def _thinking(self, delta: Mapping[str, object], events: list[StreamEvent]) -> None:
        text = reasoning.reasoning_text(delta)
        details = delta.get("reasoning_details")
        told = [
            each
            for detail in (details if type(details) is list else ())
            if (each := reasoning.thinking_in(detail)) is not None
        ]
        if text and not any(each.text for each in told):
            self._thought.append(text)
            events.append(ThinkingDelta(text, choice=self._index))
        for each in told:
            words = each.text
            ends = each.signature is not None
            if words and not text and words == "".join(self._thought):
                words, ends = "", True  # told before, piece by piece
            elif words:
                self._thought.append(words)
            if words or each.signature is not None:
                events.append(ThinkingDelta(words, each.signature, each.is_redacted, self._index))
            if ends:
                self._thought = []
                events.append(PartEnded(self._index))

    def _pieces(self, content: list[object], events: list[StreamEvent]) -> str:
        """Of a content in parts, as Mistral streams it: the text; the reasoning is told."""
        texts: list[str] = []
        for piece in content:
            if type(piece) is not dict:
                continue
            if piece.get("type") == "thinking":
                thinking = reasoning.thinking_part(piece)
                if thinking is not None:
                    events.append(ThinkingDelta(thinking.text, choice=self._index))
            else:
                texts.append(string(piece, "text"))
        return "".join(texts)

    def _call(self, call: Mapping[str, object], events: list[StreamEvent]) -> None:
        told = self._call_of(call)
        function = call.get("function")
        if type(function) is not dict:
            return
        arguments = arguments_of(function)
        if not told.is_started:
            name = string(function, "name")
            told.held += arguments
            if not name:
                return
            told.is_started = True
            seal: Signature | None = reasoning.seal_of(call) if "extra_content" in call else None
            events.append(CallStarted(told.number, told.call_id, name, seal, self._index))
            arguments = told.held
        if arguments:
            events.append(CallDelta(told.number, arguments, self._index))

    def _call_of(self, call: Mapping[str, object]) -> _ToolCall:
        """The call that a delta is about."""
        position, identifier = call.get("index"), string(call, "id")
        known = self._calls.get(position) if type(position) is int else self._last
        if known is not None and (not identifier or identifier == known.call_id):
            return known
        number = self._total
        self._total += 1
        self._last = _ToolCall(number, identifier or call_id(self._seed, number))
        self._calls[position if type(position) is int else number] = self._last
        return self._last


class Decoding:
    """Reads a provider's stream."""

    __slots__ = ("_choices", "_id", "_is_over", "_is_started", "_lines", "_usage")

    def __init__(self) -> None:
        self._lines = SseDecoder()
        self._choices: dict[int, _ChoiceReader] = {}
        self._id = ""
        self._is_started = False
        self._is_over = False
        self._usage: Usage | None = None

    @property
    def usage(self) -> Usage | None:
        return self._usage

    def feed(self, data: bytes) -> Sequence[StreamEvent]:
        events: list[StreamEvent] = []
        if not self._is_over:
            try:
                for event in self._lines.feed(data):
                    self._event(event, events)
            except (EventTooLarge, InvalidJson) as error:
                self._fail(f"{_UNREADABLE}: {error}", events)
        return events

    def end(self) -> Sequence[StreamEvent]:
        """Servers that leave out `[DONE]` have at least finished every choice."""
        events: list[StreamEvent] = []
        if self._is_over:
            return events
        try:
            for event in self._lines.end():
                self._event(event, events)
        except InvalidJson:  # cut in the midst of an event
            self._fail(ENDED_EARLY, events)
        choices = self._choices.values()
        if not self._is_over:
            if choices and all(choice.is_finished for choice in choices):
                self._end(events)
            else:
                self._fail(ENDED_EARLY, events)
        return events

    def _event(self, event: Event, events: list[StreamEvent]) -> None:
        if self._is_over:
            return
        if event.data.startswith(b"[DONE]"):
            self._end(events)
            return
        chunk = json_spans.decode(event.data)
        choices = chunk.get("choices")
        if event.name == "error" or "error" in chunk or type(choices) is not list:
            self._other(event, chunk, events)
            if self._is_over:
                return
        if "usage" in chunk:
            self._usage = usage_in(chunk) or self._usage
        if not self._is_started:
            self._id = string(chunk, "id")
            if not self._id and not choices:  # Azure's word on the prompt comes before
                return
            self._is_started = True
            events.append(Started(self._id, string(chunk, "model")))
        for choice in choices if type(choices) is list else ():
            if type(choice) is dict:
                self._choice(choice, events)

    def _choice(self, choice: Mapping[str, object], events: list[StreamEvent]) -> None:
        index = choice.get("index")
        if type(index) is not int:
            index = 0
        reader = self._choices.get(index)
        if reader is None:
            reader = self._choices[index] = _ChoiceReader(index, f"{self._id}/{index}")
        reader.read(choice, events)
        error = choice.get("error")
        if type(error) is dict:  # OpenRouter's
            self._stop(error_of(error), events)

    def _other(self, event: Event, chunk: Mapping[str, object], events: list[StreamEvent]) -> None:
        """An error, or what is no chunk and is passed over."""
        error = chunk.get("error")
        if type(error) is dict:
            self._stop(error_of(error), events)
        elif error is not None or event.name == "error" or chunk.get("object") == "error":
            said = {**chunk, "message": error} if type(error) is str else chunk
            self._stop(error_of(said), events)

    def _end(self, events: list[StreamEvent]) -> None:
        self._is_over = True
        if not self._is_started:
            self._is_started = True
            events.append(Started(self._id, ""))
        events += [self._choices[index].finish() for index in sorted(self._choices)]
        events.append(Ended(self._usage))

    def _fail(self, message: str, events: list[StreamEvent]) -> None:
        self._stop(ProviderError(502, Fault.SERVER, message), events)

    def _stop(self, error: ProviderError, events: list[StreamEvent]) -> None:
        if not self._is_over:
            self._is_over = True
            events.append(Failed(error, self._usage))


def _speech(audio: Mapping[str, object], index: int) -> SpeechDelta:
    expires = audio.get("expires_at")
    return SpeechDelta(
        string(audio, "data"),
        string(audio, "transcript"),
        string(audio, "id"),
        expires if type(expires) is int else 0,
        index,
    )
