"""Canonical requests and answers, made by hypothesis."""

from __future__ import annotations

import base64

from hypothesis import strategies as st

from extproc.llm.answer import Answer, Candidate, Citation, Logprob, Speech, Stop
from extproc.llm.request import (
    Audio,
    CacheMark,
    Choice,
    Document,
    Effort,
    Image,
    Inline,
    JsonFormat,
    Message,
    Part,
    Reasoning,
    Refusal,
    Remote,
    Request,
    Role,
    Sampling,
    Signature,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
    Video,
)
from gateway.model import Dialect
from gateway.usage import Usage

words = st.text(min_size=1, max_size=12)
names = st.from_regex(r"[a-zA-Z0-9_-]{1,12}", fullmatch=True)
numbers = st.floats(-2, 2, allow_nan=False)
encoded = st.binary(max_size=12).map(lambda data: base64.b64encode(data).decode())
seals = st.from_regex(r"[A-Za-z0-9+/]{1,12}", fullmatch=True)
marks = st.none() | st.builds(CacheMark, st.sampled_from([None, "5m", "1h"]))
urls = names.map("https://files.example/{}".format)
arguments = st.sampled_from(["{}", '{"a":1}', '{"città":["é 🦉","\\u2028"]}'])


def signatures(origin: Dialect) -> st.SearchStrategy[Signature]:
    return st.builds(Signature, seals, st.just(origin))


texts = st.builds(Text, words, marks)
images = st.builds(
    Image,
    st.builds(Inline, st.sampled_from(["image/png", "image/webp"]), encoded)
    | st.builds(Remote, urls),
    st.sampled_from(["", "low", "high"]),
    marks,
)
documents = st.builds(
    Document, st.builds(Inline, st.just("application/pdf"), encoded), names, marks
)
sounds = st.builds(Audio, st.builds(Inline, st.sampled_from(["audio/wav", "audio/mp3"]), encoded))
videos = st.builds(Video, st.builds(Remote, urls))


def thinking(origin: Dialect) -> st.SearchStrategy[list[Thinking]]:
    """Without a seal, or each with its own."""
    shown = st.builds(Thinking, words, signatures(origin))
    hidden = st.builds(Thinking, st.just(""), signatures(origin), st.just(True))
    plain = st.builds(Thinking, words)
    return st.lists(plain, max_size=1) | st.lists(shown | hidden, min_size=1, max_size=3)


@st.composite
def turns(draw: st.DrawFn, origin: Dialect, number: int) -> list[Message]:
    """One message of the assistant, and the results of its calls."""
    said: list[Part] = [*draw(thinking(origin)), *draw(st.lists(texts, max_size=2))]
    calls = [
        ToolCall(
            f"call_{number}_{place}",
            draw(names),
            draw(arguments),
            draw(st.none() | signatures(origin)),
            draw(marks),
        )
        for place in range(draw(st.integers(0, 3)))
    ]
    if not said and not calls:
        said = [Refusal(draw(words))]
    messages = [Message(Role.ASSISTANT, (*said, *calls))]
    if calls:
        results = [
            ToolResult(call.call_id, call.name, tuple(draw(st.lists(texts, max_size=2))))
            for call in calls
        ]
        messages.append(Message(Role.USER, tuple(results)))
    return messages


@st.composite
def histories(draw: st.DrawFn, origin: Dialect) -> tuple[Message, ...]:
    """A conversation in any order, with instructions anywhere."""
    users = st.lists(texts | images | documents | sounds | videos, min_size=1, max_size=3)
    messages: list[Message] = []
    for number in range(draw(st.integers(0, 4))):
        kind = draw(st.sampled_from(Role))
        if kind is Role.ASSISTANT:
            messages += draw(turns(origin, number))
        elif kind is Role.SYSTEM:
            parts = draw(st.lists(texts, min_size=1, max_size=2))
            messages.append(Message(kind, tuple(parts)))
        else:
            messages.append(Message(kind, tuple(draw(users)), draw(st.just("") | names)))
    return tuple(messages)


@st.composite
def requests(draw: st.DrawFn, origin: Dialect) -> Request:
    """What a conversation and its settings may be, where nothing contradicts itself."""
    schema = st.sampled_from([{}, {"type": "object", "properties": {"a": {"type": "string"}}}])
    closed = st.just({"type": "object", "properties": {}, "additionalProperties": False})
    tools = draw(
        st.lists(
            st.builds(Tool, names, words | st.just(""), st.none() | schema, st.none(), marks),
            max_size=2,
        )
    )
    choice = draw(st.none() | st.sampled_from(Choice)) if tools else None
    return Request(
        model=draw(names),
        messages=draw(histories(origin)),
        is_stream=draw(st.booleans()),
        tools=tuple(tools),
        tool_choice=choice,
        tool_name=tools[0].name if choice is Choice.NAMED else "",
        is_parallel=draw(st.none() | st.booleans()) if tools else None,
        max_output_tokens=draw(st.none() | st.integers(1, 9999)),
        sampling=draw(
            st.builds(
                Sampling,
                *[st.none() | numbers] * 2,
                st.none() | st.integers(1, 100),
                *[st.none() | numbers] * 2,
                st.none() | st.integers(0, 9999),
            )
        ),
        stop=tuple(draw(st.lists(words, max_size=4))),
        choices=draw(st.integers(1, 3)),
        format=draw(
            st.none()
            | st.just(JsonFormat())
            | st.builds(
                JsonFormat, schema, names, words | st.just(""), st.sampled_from([None, False])
            )
            | st.builds(JsonFormat, closed, names, words | st.just(""), st.just(True))
        ),
        reasoning=draw(
            st.none()
            | st.builds(Reasoning, st.sampled_from(Effort), st.none(), st.none() | st.booleans())
            | st.builds(Reasoning, st.none(), st.integers(1024, 9999), st.none() | st.booleans())
            | st.just(Reasoning())
        ),
        logprobs=draw(st.none() | st.integers(0, 20)),
        verbosity=draw(st.sampled_from(["", "low", "high"])),
        user=draw(st.just("") | names),
        service_tier=draw(st.sampled_from(["", "auto", "flex"])),
        cache_key=draw(st.just("") | names),
    )


@st.composite
def logprobs(draw: st.DrawFn) -> Logprob:
    def one() -> tuple[str, float, bytes]:
        token = draw(words)
        return token, draw(st.floats(-9, 0)), token.encode()

    others = [Logprob(*one()) for _ in range(draw(st.integers(0, 2)))]
    return Logprob(*one(), tuple(others))


@st.composite
def candidates(draw: st.DrawFn, origin: Dialect) -> Candidate:
    """Reasoning, then what was said, then what was called."""
    calls = [
        ToolCall(
            f"call_{place}", draw(names), draw(arguments), draw(st.none() | signatures(origin))
        )
        for place in range(draw(st.integers(0, 3)))
    ]
    refusals = draw(st.just([]) | st.just([Refusal(draw(words))])) if not calls else []
    said: list[Text | Citation | Speech] = []
    if draw(st.booleans()):
        said.append(Text(draw(words), signature=draw(st.none() | signatures(origin))))
        said += draw(
            st.lists(
                st.builds(Citation, urls, words, st.integers(0, 9), st.integers(9, 99)), max_size=2
            )
        )
    if draw(st.booleans()):
        speech = st.builds(Speech, encoded, words, names, st.integers(1, 2**31))
        spoken = [draw(speech)]
    else:
        spoken = []
    stops = [Stop.END, Stop.MAX_TOKENS, Stop.CONTENT_FILTER, Stop.SEQUENCE]
    stop = draw(st.sampled_from(stops))
    if calls:
        stop = Stop.TOOL_CALLS
    elif refusals:
        stop = Stop.REFUSAL
    likely = None
    if said and draw(st.booleans()):
        likely = tuple(draw(st.lists(logprobs(), min_size=1, max_size=2)))
    return Candidate(
        (*draw(thinking(origin)), *said, *refusals, *spoken, *calls),
        stop,
        draw(words) if stop is Stop.SEQUENCE else "",
        likely,
    )


counts = st.integers(0, 10**6)
usages = st.builds(
    lambda read, written, *parts: Usage(read + 1, written, *parts),
    counts,
    counts,
    counts,
    counts,
    st.just(0),
    counts,
    counts,
    counts,
)


def answers(origin: Dialect) -> st.SearchStrategy[Answer]:
    several = st.lists(candidates(origin), min_size=1, max_size=2).map(tuple)
    return st.builds(Answer, names, names, several, st.none() | usages)
