"""What the events of a stream say together: a whole answer, or the error that ended it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from extproc.llm.answer import (
    Answer,
    AnswerPart,
    CallDelta,
    CallStarted,
    Candidate,
    Cited,
    Drawn,
    Ended,
    Failed,
    Finished,
    Logprob,
    PartEnded,
    ProviderError,
    RefusalDelta,
    Speech,
    SpeechDelta,
    Started,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
)
from extproc.llm.request import Refusal, Text, Thinking, ToolCall
from gateway.usage import Usage


@dataclass(slots=True)
class _Choice:
    parts: list[AnswerPart] = field(default_factory=list)
    calls: dict[int, int] = field(default_factory=dict)
    """Places of calls, by their numbers."""
    logprobs: list[Logprob] = field(default_factory=list)
    is_between: bool = True
    """The next delta begins a part."""
    finished: Finished | None = None

    def add(self, part: AnswerPart) -> None:
        """A delta as a part of its own, joined to the one before where that goes on."""
        before = None if self.is_between or not self.parts else self.parts[-1]
        joined = None if before is None else _joined(before, part)
        if joined is None:
            self.parts.append(part)
        else:
            self.parts[-1] = joined
        self.is_between = False


def folded(events: Iterable[StreamEvent]) -> Answer | ProviderError:
    """Fails where the events are not in the order that `answer.StreamEvent` promises."""
    started: Started | None = None
    usage: Usage | None = None
    choices: dict[int, _Choice] = {}
    is_over = False
    for event in events:
        assert not is_over, f"{event} after the end"
        if isinstance(event, Failed):
            return event.error
        if isinstance(event, Started):
            assert started is None, "started twice"
            started = event
        elif isinstance(event, Ended):
            is_over = True
            usage = event.usage
        else:
            assert started is not None, f"{event} before the start"
            _tell(choices.setdefault(event.choice, _Choice()), event)
    assert is_over, "the stream does not end"
    assert started is not None
    candidates = [_candidate(choices[number]) for number in sorted(choices)]
    return Answer(started.answer_id, started.model, tuple(candidates), usage)


def _tell(choice: _Choice, event: StreamEvent) -> None:
    assert choice.finished is None, f"{event} of a choice that is finished"
    match event:
        case TextDelta():
            choice.logprobs += event.logprobs
            choice.add(Text(event.text, signature=event.signature))
        case ThinkingDelta():
            choice.add(Thinking(event.text, event.signature, event.is_redacted))
        case RefusalDelta():
            choice.add(Refusal(event.text))
        case SpeechDelta():
            choice.add(Speech(event.data, event.transcript, event.audio_id, event.expires_at))
        case Cited():
            choice.is_between = True
            choice.add(event.citation)
        case CallStarted():
            assert event.number not in choice.calls, "a call that starts twice"
            choice.calls[event.number] = len(choice.parts)
            choice.parts.append(ToolCall(event.call_id, event.name, "", event.signature))
            choice.is_between = True
        case CallDelta():
            place = choice.calls[event.number]
            call = choice.parts[place]
            assert isinstance(call, ToolCall)
            choice.parts[place] = replace(call, arguments=call.arguments + event.arguments)
        case Drawn():
            choice.is_between = True
            choice.add(event.image)
            choice.is_between = True
        case PartEnded():
            choice.is_between = True
        case Finished():
            choice.finished = event
        case _:
            raise AssertionError(event)


def _joined(before: AnswerPart, after: AnswerPart) -> AnswerPart | None:
    match before, after:
        case Text(), Text():
            return Text(before.text + after.text, signature=after.signature or before.signature)
        case Thinking(), Thinking() if before.is_redacted is after.is_redacted:
            return Thinking(
                before.text + after.text, after.signature or before.signature, after.is_redacted
            )
        case Refusal(), Refusal():
            return Refusal(before.text + after.text)
        case Speech(), Speech():
            return Speech(
                before.data + after.data,
                before.transcript + after.transcript,
                before.audio_id or after.audio_id,
                before.expires_at or after.expires_at,
            )
        case _:
            return None


def _candidate(choice: _Choice) -> Candidate:
    finished = choice.finished
    assert finished is not None, "a choice that is not finished"
    parts = [
        replace(part, arguments=part.arguments or "{}") if isinstance(part, ToolCall) else part
        for part in choice.parts
    ]
    logprobs = tuple(choice.logprobs) if choice.logprobs else None
    return Candidate(tuple(parts), finished.stop, finished.sequence, logprobs)
