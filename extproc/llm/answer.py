"""A model's answer in no dialect: whole, or as the events of a stream.

A stream is `Started`, then deltas, then one `Finished` for each choice, then `Ended`; or `Failed`
at any point, after which nothing follows. Deltas of one kind and choice that follow each other
belong to one part; `PartEnded` or another kind begins the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, auto
from typing import Final, TypeAlias

from msgspec import Struct

from extproc.llm.request import Image, Refusal, Signature, Text, Thinking, ToolCall
from gateway.usage import Usage

ENDED_EARLY: Final = "the stream ended before it was whole"
"""Wherever it was cut, also in the midst of an event: what `Failed` says then."""


class Stop(StrEnum):
    """Why an answer ended."""

    END = auto()
    """The model had nothing to add."""
    MAX_TOKENS = auto()
    SEQUENCE = auto()
    """One of the client's stop sequences, which `Finished.sequence` names where it is known."""
    TOOL_CALLS = auto()
    CONTENT_FILTER = auto()
    """The provider cut it off or kept it back."""
    REFUSAL = auto()
    """The model declined."""
    CONTEXT = auto()
    """The context window is full."""
    PAUSE = auto()
    """The provider wants to be asked to go on (Anthropic's `pause_turn`)."""
    OTHER = auto()


class Logprob(Struct, frozen=True):
    """A token and how likely it was."""

    token: str
    logprob: float
    raw: bytes | None = None
    """The token's bytes, where they are told."""
    top: tuple[Logprob, ...] = ()
    """The alternatives."""


@dataclass(frozen=True, slots=True)
class Speech:
    """Spoken output."""

    data: str
    """Base64."""
    transcript: str = ""
    audio_id: str = ""
    expires_at: int = 0


@dataclass(frozen=True, slots=True)
class Citation:
    """Where a text was taken from; follows the text."""

    url: str
    title: str = ""
    start: int = 0
    """In characters of the choice's text, with `end`; 0 and 0: not told."""
    end: int = 0


AnswerPart: TypeAlias = Text | Thinking | ToolCall | Refusal | Speech | Citation | Image


@dataclass(frozen=True, slots=True)
class Candidate:
    """One of the choices."""

    parts: tuple[AnswerPart, ...]
    stop: Stop = Stop.END
    sequence: str = ""
    """The stop sequence that was met, where it is known."""
    logprobs: tuple[Logprob, ...] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    answer_id: str
    """As the provider names it; empty when it does not."""
    model: str
    """As the provider names it; empty when it does not."""
    candidates: tuple[Candidate, ...]
    usage: Usage | None


class Fault(StrEnum):
    """What kind of error a provider reports."""

    INVALID = auto()
    AUTHENTICATION = auto()
    PERMISSION = auto()
    NOT_FOUND = auto()
    TOO_LARGE = auto()
    CONTEXT_LENGTH = auto()
    """The prompt does not fit the model."""
    CONTENT_FILTER = auto()
    RATE_LIMIT = auto()
    QUOTA = auto()
    """The account has nothing left."""
    OVERLOADED = auto()
    TIMEOUT = auto()
    SERVER = auto()


@dataclass(frozen=True, slots=True)
class ProviderError:
    """What a provider answers instead."""

    status: int
    fault: Fault
    message: str
    code: str = ""
    """As the provider wrote it."""
    param: str = ""


@dataclass(frozen=True, slots=True)
class Started:
    answer_id: str
    model: str
    usage: Usage | None = None
    """What is known at the beginning: Anthropic tells the input."""


@dataclass(frozen=True, slots=True)
class TextDelta:
    text: str
    choice: int = 0
    logprobs: tuple[Logprob, ...] = ()
    signature: Signature | None = None


@dataclass(frozen=True, slots=True)
class ThinkingDelta:
    """Of `text` or `signature`, one may be empty; a signature seals the part that it ends."""

    text: str
    signature: Signature | None = None
    is_redacted: bool = False
    choice: int = 0


@dataclass(frozen=True, slots=True)
class CallStarted:
    """A tool call begins; its number tells it apart from others of the choice, from 0."""

    number: int
    call_id: str
    name: str
    signature: Signature | None = None
    choice: int = 0


@dataclass(frozen=True, slots=True)
class CallDelta:
    """More of the arguments of a call that has started; calls may take turns."""

    number: int
    arguments: str
    choice: int = 0


@dataclass(frozen=True, slots=True)
class RefusalDelta:
    text: str
    choice: int = 0


@dataclass(frozen=True, slots=True)
class SpeechDelta:
    data: str = ""
    transcript: str = ""
    audio_id: str = ""
    expires_at: int = 0
    choice: int = 0


@dataclass(frozen=True, slots=True)
class Cited:
    citation: Citation
    choice: int = 0


@dataclass(frozen=True, slots=True)
class Drawn:
    """An image, whole."""

    image: Image
    choice: int = 0


@dataclass(frozen=True, slots=True)
class PartEnded:
    """The part that was being told is whole."""

    choice: int = 0


@dataclass(frozen=True, slots=True)
class Finished:
    """A choice is whole."""

    stop: Stop
    sequence: str = ""
    choice: int = 0


@dataclass(frozen=True, slots=True)
class Ended:
    """The stream is whole."""

    usage: Usage | None


@dataclass(frozen=True, slots=True)
class Failed:
    """The stream broke off: the provider said so, or it ended before it was whole."""

    error: ProviderError
    usage: Usage | None = None
    """What was known by then."""


StreamEvent: TypeAlias = (
    Started
    | TextDelta
    | ThinkingDelta
    | CallStarted
    | CallDelta
    | RefusalDelta
    | SpeechDelta
    | Cited
    | Drawn
    | PartEnded
    | Finished
    | Ended
    | Failed
)
