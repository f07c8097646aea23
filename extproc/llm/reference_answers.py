"""What clients of each dialect are told of an answer, found out by telling them one.

A part of an answer is written for the client, read again and looked for.
"""

from __future__ import annotations

import base64
from collections.abc import Callable

from msgspec import Struct

from extproc.llm.answer import Answer, Candidate, Citation, Logprob, Speech, Stop
from extproc.llm.dialect import Asked
from extproc.llm.dialects import SPEAKERS
from extproc.llm.request import Image, Inline, Refusal, Signature, Text, Thinking, ToolCall
from gateway.model import Dialect
from gateway.usage import Usage

Finding = Callable[[Answer, bytes], bool]
"""Whether something is in an answer, as it is read and as it was written."""

YES, NO = "yes", "no"
_ASKED = Asked("m", "a1", 0, document={"additionalModelResponseFieldPaths": ["/stop_sequence"]})
_SEAL = Signature("c2VhbA==", Dialect.GEMINI)
_TEXT = Text("Rome.")
_CALLS = (ToolCall("c1", "f", '{"a":1}'), ToolCall("c2", "g", "{}"))
_LIKELY = Logprob("Rome.", -0.5, b"Rome.", (Logprob("Roma.", -2.0, b"Roma."),))
_CITED = Citation("https://a.example/x", "A", 0, 3)
_SOUND = Speech("QUJDREVG", "Rome.", "audio_1", 9)
_PIXEL = "iVBORw0KGgo="
_IMAGE = Image(Inline("image/png", _PIXEL))
_USED = Usage(100, 50, 20, 10, 30, 7)


class Probe(Struct, frozen=True):
    """A part of an answer, and how it may arrive: the first that is found."""

    title: str
    answer: Answer
    findings: tuple[tuple[str, Finding], ...]


def told(probe: Probe, client: Dialect) -> str:
    """How the part arrives."""
    codec = SPEAKERS[client].codec
    written = codec.encode_answer(probe.answer, _ASKED)
    read = codec.decode_answer(written)
    return next((word for word, finding in probe.findings if finding(read, written)), NO)


def _answer(*parts: Candidate, usage: Usage | None = None) -> Answer:
    return Answer("a1", "m", parts, usage)


def _is_whole(answer: Answer) -> Finding:
    return lambda read, _: read.candidates == answer.candidates


def _has(kind: type[object]) -> Finding:
    return lambda read, _: any(isinstance(part, kind) for part in read.candidates[0].parts)


def _holds(*words: str) -> Finding:
    return lambda _, written: any(word.encode() in written for word in words)


def _stops(stop: Stop) -> Finding:
    return lambda read, _: read.candidates[0].stop is stop


def _counts(field: str) -> Finding:
    return lambda read, _: getattr(read.usage, field) == getattr(_USED, field)


def _part(title: str, candidate: Candidate, *findings: tuple[str, Finding]) -> Probe:
    answer = _answer(candidate)
    return Probe(title, answer, ((YES, _is_whole(answer)), *findings))


_SEALED = YES, _holds(_SEAL.value, "dragoman:", base64.b64encode(b"dragoman:").decode())
"""As it is, or marked as another's, in the open or packed for clients who take bytes."""

PROBES: tuple[Probe, ...] = (  # in the order of the page
    _part("text", Candidate((_TEXT,))),
    _part("reasoning that is shown", Candidate((Thinking("Hm."), _TEXT))),
    _part("seals of reasoning", Candidate((Thinking("Hm.", _SEAL), _TEXT)), _SEALED),
    _part("hidden reasoning", Candidate((Thinking("", _SEAL, True), _TEXT)), _SEALED),
    _part("tool calls, several at once", Candidate(_CALLS, Stop.TOOL_CALLS)),
    _part(
        "seals of tool calls",
        Candidate((ToolCall("c1", "f", "{}", _SEAL),), Stop.TOOL_CALLS),
        _SEALED,
    ),
    _part(
        "refusals",
        Candidate((Refusal("No."),), Stop.REFUSAL),
        (YES, _has(Refusal)),
        ("as text", _has(Text)),
    ),
    _part(
        "citations",
        Candidate((_TEXT, _CITED)),
        ("the address, not the passage", _has(Citation)),
    ),
    _part(
        "logprobs",
        Candidate((_TEXT,), logprobs=(_LIKELY,)),
        ("without the tokens' bytes", lambda read, _: bool(read.candidates[0].logprobs)),
    ),
    _part(
        "speech",
        Candidate((_SOUND,)),
        (YES, _holds(_SOUND.data)),
        ("its transcript", _holds(_SOUND.transcript)),
    ),
    _part("images", Candidate((_TEXT, _IMAGE)), (YES, _holds(_PIXEL))),
    Probe(
        "several choices",
        _answer(Candidate((_TEXT,)), Candidate((_TEXT,))),
        (
            (YES, lambda read, _: len(read.candidates) == 2),
            ("the first", lambda read, _: len(read.candidates) == 1),
        ),
    ),
    _part("which stop sequence was met", Candidate((_TEXT,), Stop.SEQUENCE, "END")),
    _part("that the tokens were used up", Candidate((_TEXT,), Stop.MAX_TOKENS)),
    _part(
        "that the context is full",
        Candidate((_TEXT,), Stop.CONTEXT),
        ("as tokens used up", _stops(Stop.MAX_TOKENS)),
    ),
    _part(
        "that content was filtered",
        Candidate((_TEXT,), Stop.CONTENT_FILTER),
        ("as a refusal", _stops(Stop.REFUSAL)),
    ),
    *(
        Probe(title, _answer(Candidate((_TEXT,)), usage=_USED), ((YES, _counts(field)),))
        for title, field in (
            ("tokens: input and output", "total_tokens"),
            ("tokens read from a cache", "cached_input_tokens"),
            ("tokens written to a cache", "cache_write_tokens"),
            ("tokens of reasoning", "reasoning_tokens"),
            ("tokens of sound", "audio_input_tokens"),
        )
    ),
)
