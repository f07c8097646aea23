"""Streams of chat completion chunks, written event by event.

https://platform.openai.com/docs/api-reference/chat/streaming. What chunks share is encoded once.
"""

from __future__ import annotations

import msgspec

from extproc.llm.answer import (
    CallDelta,
    CallStarted,
    Cited,
    Drawn,
    Ended,
    Failed,
    Finished,
    PartEnded,
    RefusalDelta,
    SpeechDelta,
    Started,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
)
from extproc.llm.dialect import Asked
from extproc.llm.openai_chat import reasoning
from extproc.llm.openai_chat.answers import Json, annotation_of, image_object
from extproc.llm.openai_chat.errors import error_object
from extproc.llm.openai_chat.logprobs import logprobs_object
from extproc.llm.openai_chat.stops import finish_reason, is_legacy
from extproc.llm.openai_chat.usage import openai_tier, usage_object
from extproc.llm.request import Signature, Thinking

_encode = msgspec.json.Encoder().encode
_DONE = b"data: [DONE]\n\n"


class _ChoiceState:
    """What was told of one choice."""

    __slots__ = ("bare", "details", "has_refused", "images", "is_open", "thought")

    def __init__(self) -> None:
        self.bare: list[int] = []
        """Calls of whose arguments nothing was told: clients parse them, and `""` is no JSON."""
        self.is_open = False
        self.has_refused = False
        self.details = 0
        """How many parts of reasoning were told whole."""
        self.images = 0
        self.thought: list[str] = []
        """Of the reasoning that is being told: its seal comes with all of it."""


class Encoding:
    """Writes a stream for a client."""

    __slots__ = ("_asked", "_choices", "_head", "_is_legacy", "_tail")

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._is_legacy = is_legacy(asked.document)
        self._choices: dict[int, _ChoiceState] = {}
        self._head = b""
        self._tail = b',"usage":null}\n\n' if asked.includes_usage else b"}\n\n"

    def feed(self, event: StreamEvent) -> bytes:
        if type(event) is TextDelta:  # as nearly all are
            if not event.logprobs and event.signature is None:
                return self._delta(event.choice, b'{"content":%s}' % _encode(event.text))
            return self._text(event)
        match event:
            case ThinkingDelta():
                return self._thinking(event)
            case CallStarted():
                return self._call_started(event)
            case CallDelta():
                return self._call_delta(event)
            case Started():
                self._start(event)
                return self._opened(0)
            case RefusalDelta():
                self._state(event.choice).has_refused = True
                return self._object(event.choice, {"refusal": event.text})
            case SpeechDelta():
                return self._speech(event)
            case Cited():
                annotations = [annotation_of(event.citation)]
                return self._object(event.choice, {"annotations": annotations})
            case Drawn():
                return self._image(event)
            case PartEnded():
                bare = self._state(event.choice).bare[-1:]
                return self._part_ended(event.choice) + self._without_arguments(event.choice, bare)
            case Finished():
                return self._finished(event)
            case Ended():
                return self._ended(event)
            case Failed():
                error = _encode({"error": error_object(event.error)})
                return b"data: %s\n\n" % error
            case _:
                return b""

    def _start(self, event: Started) -> None:
        asked = self._asked
        shared = {
            "id": event.answer_id or f"chatcmpl-{asked.answer_id}",
            "object": "chat.completion.chunk",
            "created": asked.created,
            "model": event.model or asked.model,
        }
        self._head = b'data: %s,"choices":[' % _encode(shared)[:-1]

    def _state(self, choice: int) -> _ChoiceState:
        state = self._choices.get(choice)
        if state is None:
            state = self._choices[choice] = _ChoiceState()
        return state

    def _opened(self, choice: int) -> bytes:
        """The first chunk of a choice says whose it is."""
        state = self._state(choice)
        if state.is_open:
            return b""
        state.is_open = True
        role = b'{"role":"assistant","content":"","refusal":null}'
        return self._chunk(choice, role, b"null", b"null")

    def _chunk(self, choice: int, delta: bytes, logprobs: bytes, reason: bytes) -> bytes:
        return b'%s{"index":%d,"delta":%s,"logprobs":%s,"finish_reason":%s}]%s' % (
            self._head,
            choice,
            delta,
            logprobs,
            reason,
            self._tail,
        )

    def _delta(self, choice: int, delta: bytes, logprobs: bytes = b"null") -> bytes:
        chunk = self._chunk(choice, delta, logprobs, b"null")
        state = self._choices.get(choice)
        if state is None or not state.is_open or state.thought:  # which ends where another begins
            return self._opened(choice) + self._part_ended(choice) + chunk
        return chunk

    def _object(self, choice: int, delta: Json) -> bytes:
        return self._delta(choice, _encode(delta))

    def _text(self, event: TextDelta) -> bytes:
        delta: Json = {"content": event.text}
        if event.signature is not None:
            delta["extra_content"] = reasoning.extra_content(event.signature)
        logprobs = _encode(logprobs_object(event.logprobs)) if event.logprobs else b"null"
        return self._delta(event.choice, _encode(delta), logprobs)

    def _thinking(self, event: ThinkingDelta) -> bytes:
        told = b""
        if event.text:
            self._state(event.choice).thought.append(event.text)
            delta = b'{"reasoning_content":%s}' % _encode(event.text)
            told = self._opened(event.choice) + self._chunk(event.choice, delta, b"null", b"null")
        if event.signature is None:
            return told
        return told + self._sealed(event.choice, event.signature, is_redacted=event.is_redacted)

    def _sealed(self, choice: int, signature: Signature, *, is_redacted: bool) -> bytes:
        """With all that it seals: clients that keep each detail then keep them together."""
        state = self._state(choice)
        text = "" if is_redacted else "".join(state.thought)
        if not is_redacted:
            state.thought = []
        return self._detail(choice, reasoning.detail_of(Thinking(text, signature, is_redacted)))

    def _part_ended(self, choice: int) -> bytes:
        """Reasoning without a seal ends like one with it: what follows is not one with it."""
        state = self._state(choice)
        if not state.thought:
            return b""
        detail: Json = {"type": "reasoning.text", "text": "".join(state.thought)}
        state.thought = []
        return self._detail(choice, detail)

    def _detail(self, choice: int, detail: Json) -> bytes:
        """Numbered: libraries put the parts of a list together by their index."""
        before = self._part_ended(choice)
        state = self._state(choice)
        numbered = {**detail, "index": state.details}
        state.details += 1
        return before + self._object(choice, {"reasoning_details": [numbered]})

    def _call_started(self, event: CallStarted) -> bytes:
        if self._is_legacy:
            if event.number:  # a client of those times takes one
                return b""
            self._state(event.choice).bare.append(event.number)
            return self._object(event.choice, {"function_call": {"name": event.name}})
        call: Json = {
            "index": event.number,
            "id": event.call_id,
            "type": "function",
            "function": {"name": event.name, "arguments": ""},
        }
        if event.signature is not None:
            call["extra_content"] = reasoning.extra_content(event.signature)
        self._state(event.choice).bare.append(event.number)
        return self._object(event.choice, {"tool_calls": [call]})

    def _without_arguments(self, choice: int, numbers: list[int]) -> bytes:
        return b"".join([self._call_delta(CallDelta(each, "{}", choice)) for each in numbers])

    def _call_delta(self, event: CallDelta) -> bytes:
        bare = self._state(event.choice).bare
        if bare and event.arguments and event.number in bare:
            bare.remove(event.number)
        arguments = _encode(event.arguments)
        if self._is_legacy:
            if event.number:
                return b""
            return self._delta(event.choice, b'{"function_call":{"arguments":%s}}' % arguments)
        call = b'{"index":%d,"function":{"arguments":%s}}' % (event.number, arguments)
        return self._delta(event.choice, b'{"tool_calls":[%s]}' % call)

    def _image(self, event: Drawn) -> bytes:
        state = self._state(event.choice)
        image = image_object(event.image, state.images)
        state.images += 1
        return self._object(event.choice, {"images": [image]})

    def _speech(self, event: SpeechDelta) -> bytes:
        audio: Json = {
            name: value
            for name, value in (
                ("id", event.audio_id),
                ("data", event.data),
                ("transcript", event.transcript),
                ("expires_at", event.expires_at),
            )
            if value
        }
        return self._object(event.choice, {"audio": audio})

    def _finished(self, event: Finished) -> bytes:
        state = self._state(event.choice)
        reason = finish_reason(event.stop, has_refused=state.has_refused, is_legacy=self._is_legacy)
        said = _encode(reason)
        if event.sequence:
            said += b',"stop_reason":' + _encode(event.sequence)
        told = self._opened(event.choice) + self._without_arguments(event.choice, [*state.bare])
        return told + self._chunk(event.choice, b"{}", b"null", said)

    def _ended(self, event: Ended) -> bytes:
        usage = event.usage
        if usage is None or not self._asked.includes_usage:
            return _DONE
        tier = openai_tier(usage.service_tier)
        beside = b"" if tier is None else b',"service_tier":' + _encode(tier)
        told = _encode(usage_object(usage))
        return b'%s]%s,"usage":%s}\n\n%s' % (self._head, beside, told, _DONE)
