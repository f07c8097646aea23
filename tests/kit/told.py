"""A whole answer, told as the events of a stream, each text in pieces."""

from __future__ import annotations

from collections.abc import Iterator

from extproc.llm.answer import (
    Answer,
    AnswerPart,
    CallDelta,
    CallStarted,
    Candidate,
    Citation,
    Cited,
    Ended,
    Finished,
    PartEnded,
    RefusalDelta,
    Speech,
    SpeechDelta,
    Started,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
)
from extproc.llm.request import Refusal, Text, Thinking, ToolCall


def told(answer: Answer, piece: int = 3) -> Iterator[StreamEvent]:
    """`piece` is the most characters of a delta."""
    yield Started(answer.answer_id, answer.model)
    for number, candidate in enumerate(answer.candidates):
        yield from _candidate(candidate, number, piece)
    for number, candidate in enumerate(answer.candidates):
        yield Finished(candidate.stop, candidate.sequence, number)
    yield Ended(answer.usage)


def _candidate(candidate: Candidate, choice: int, piece: int) -> Iterator[StreamEvent]:
    calls = 0
    logprobs = candidate.logprobs or ()
    for part in candidate.parts:
        match part:
            case Text():
                for text in _pieces(part.text, piece):
                    yield TextDelta(text, choice, logprobs)
                    logprobs = ()
                if part.signature is not None:
                    yield TextDelta("", choice, (), part.signature)
            case ToolCall():
                yield CallStarted(calls, part.call_id, part.name, part.signature, choice)
                for text in _pieces(part.arguments, piece):
                    yield CallDelta(calls, text, choice)
                calls += 1
            case _:
                yield from _part(part, choice, piece)


def _part(part: AnswerPart, choice: int, piece: int) -> Iterator[StreamEvent]:
    match part:
        case Thinking():
            for text in _pieces(part.text, piece):
                yield ThinkingDelta(text, None, part.is_redacted, choice)
            if part.signature is not None:
                yield ThinkingDelta("", part.signature, part.is_redacted, choice)
            yield PartEnded(choice)
        case Refusal():
            for text in _pieces(part.text, piece):
                yield RefusalDelta(text, choice)
        case Speech():
            yield SpeechDelta(audio_id=part.audio_id, choice=choice)
            for text in _pieces(part.transcript, piece):
                yield SpeechDelta(transcript=text, choice=choice)
            for text in _pieces(part.data, piece):
                yield SpeechDelta(data=text, choice=choice)
            yield SpeechDelta(expires_at=part.expires_at, choice=choice)
        case Citation():
            yield Cited(part, choice)


def _pieces(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]
