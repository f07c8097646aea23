from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from anthropic.types import Message
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from extproc.llm.answer import Answer, AnswerPart, Candidate, Citation, Speech, Stop
from extproc.llm.anthropic.answers import decode_answer, encode_answer
from extproc.llm.anthropic.blocks import Blocks
from extproc.llm.dialect import Asked, UnreadableAnswer
from extproc.llm.request import Refusal, Signature, Text, Thinking, ToolCall
from gateway.model import Dialect
from gateway.usage import Usage

SAMPLES = sorted((Path(__file__).parents[3] / "translations/anthropic/answers").glob("*.json"))
NOT_SAID_AGAIN = {"citations", "pause_turn", "refusal"}
"""They hold what only Anthropic can say: its own tools, categories, passages."""
ASKED = Asked("fast", "1f2e", 1700000000)
SEAL = Signature("s", Dialect.ANTHROPIC)


def answered(*parts: AnswerPart, stop: Stop = Stop.END, sequence: str = "") -> dict[str, Any]:
    answer = Answer("a1", "claude", (Candidate(parts, stop, sequence),), Usage(5, 3))
    body = encode_answer(answer, ASKED)
    Message.model_validate_json(body)
    return json.loads(body)  # type: ignore[no-any-return]


def text(words: str) -> dict[str, object]:
    return {"type": "text", "text": words}


def decoded(**document: object) -> Answer:
    return decode_answer(json.dumps({"content": [], **document}).encode())


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_samples_are_said_again(path: Path) -> None:
    theirs = json.loads(path.read_text())
    body = encode_answer(decode_answer(path.read_bytes()), ASKED)
    Message.model_validate_json(path.read_bytes())
    Message.model_validate_json(body)
    ours = json.loads(body)
    for document in (theirs, ours):
        document["usage"].pop("cache_creation", None)
        document.setdefault("stop_details", None)
    assert (ours == theirs) is (path.stem not in NOT_SAID_AGAIN)
    assert decode_answer(body).candidates == decode_answer(path.read_bytes()).candidates


@pytest.mark.parametrize(
    ("name", "parts", "stop"),
    [
        (
            "parallel_calls",
            (
                ToolCall("toolu_01A09q90qw90lq917835lq9", "get_weather", '{"city":"Yerevan"}'),
                ToolCall(
                    "toolu_01T1x1fJ34qAmk2tNTrN7Up6",
                    "get_weather",
                    '{"city":"Paris","days":[1,2],"unit":null}',
                ),
                ToolCall("toolu_01NoArguments", "now", "{}"),
            ),
            Stop.TOOL_CALLS,
        ),
        (
            "citations",
            (
                Text("By the sources, "),
                Text("it is 5137 m high."),
                Citation("https://geo.example/ararat", "Ararat", 16, 34),
            ),
            Stop.END,
        ),
        (
            "refusal",
            (Text("I cannot"), Refusal("This touches on biology that I do not help with.")),
            Stop.REFUSAL,
        ),
        ("context_window", (Text("And then"),), Stop.CONTEXT),
        ("pause_turn", (Text("I am still searching."),), Stop.PAUSE),
    ],
)
def test_parts_and_ends_are_read(name: str, parts: tuple[AnswerPart, ...], stop: Stop) -> None:
    path = next(path for path in SAMPLES if path.stem == name)
    assert decode_answer(path.read_bytes()).candidates == (Candidate(parts, stop),)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"content":null}', b"<html>"])
def test_what_is_no_answer_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableAnswer):
        decode_answer(body)


def test_what_is_missing_or_strange_in_an_answer_is_passed_over() -> None:
    call = {"type": "tool_use", "id": 5, "input": "x"}
    odd = [call, 7, {"type": "text"}, {"type": "hologram"}, {"type": "thinking"}]
    assert decoded(content=odd, usage="many", later=1) == Answer(
        "",
        "",
        (Candidate((ToolCall("", "", "{}"), Thinking("")), Stop.TOOL_CALLS),),
        None,
    )
    assert decoded(stop_reason="bored").candidates[0].stop is Stop.OTHER
    assert decoded().candidates[0].stop is Stop.END


def test_citations_without_an_address_lead_nowhere() -> None:
    cited = [{"type": "page_location", "cited_text": "a"}, {"source": "https://b.example"}, 3]
    answer = decoded(content=[{**text("ab"), "citations": cited}])
    assert answer.candidates[0].parts == (Text("ab"), Citation("https://b.example", "", 0, 2))


def test_what_the_provider_did_not_name_is_named_here() -> None:
    document = json.loads(encode_answer(Answer("", "", (), None), ASKED))
    assert document == {
        "id": "msg_1f2e",
        "type": "message",
        "role": "assistant",
        "model": "fast",
        "content": [],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 0, "output_tokens": 0},
    }


@pytest.mark.parametrize(
    ("stop", "reason"),
    [
        (Stop.END, "end_turn"),
        (Stop.MAX_TOKENS, "max_tokens"),
        (Stop.SEQUENCE, "stop_sequence"),
        (Stop.TOOL_CALLS, "tool_use"),
        (Stop.CONTENT_FILTER, "refusal"),
        (Stop.REFUSAL, "refusal"),
        (Stop.CONTEXT, "model_context_window_exceeded"),
        (Stop.PAUSE, "pause_turn"),
        (Stop.OTHER, "end_turn"),
    ],
)
def test_every_end_has_a_reason(stop: Stop, reason: str) -> None:
    assert answered(stop=stop)["stop_reason"] == reason


def test_a_refusal_is_told_once_and_is_the_reason() -> None:
    document = answered(Refusal("I will not"))
    assert document["content"] == [text("I will not")]
    assert document["stop_reason"] == "refusal"
    assert document["stop_details"]["explanation"] == "I will not"
    assert answered(Text("No"), Refusal("I will not"))["content"] == [text("No")]


def test_citations_stand_with_their_text_and_speech_is_its_words() -> None:
    document = answered(Speech("AAAA", "hello"), Text("a"), Citation("https://a.example"))
    assert [block["text"] for block in document["content"]] == ["hello", "a"]
    assert document["content"][1]["citations"][0]["url"] == "https://a.example"
    assert answered(Citation("https://a.example"))["content"] == []


def test_seals_of_other_providers_come_back_in_the_next_request() -> None:
    seal = Signature("Cg==", Dialect.GEMINI)
    sealed = Signature("enc", Dialect.OPENAI_RESPONSES)
    parts = (
        Thinking("hm", seal),
        Thinking("", sealed, is_redacted=True),
        Text("a", signature=seal),
        ToolCall("1", "f", '{"a":1}', seal),
        ToolCall("2", "f", "{}"),
    )
    content = answered(*parts)["content"]
    assert tuple(Blocks().parts(content, "content")) == parts


def test_arguments_that_are_no_object_become_one() -> None:
    found = answered(ToolCall("1", "f", '{"a":'), ToolCall("2", "f", ""))["content"]
    assert [block["input"] for block in found] == [{"arguments": '{"a":'}, {}]


words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
parts = st.one_of(
    st.builds(Text, words),
    st.builds(Thinking, words, st.just(SEAL)),
    st.builds(Thinking, st.just(""), st.just(SEAL), st.just(True)),
    st.builds(ToolCall, words, words, st.just('{"a":[1,"é",null]}')),
)
counts = st.integers(0, 9)
usages = st.tuples(counts, counts, counts).map(
    lambda each: Usage(each[0], each[1] + each[2], reasoning_tokens=each[2])
)


@given(
    st.lists(parts, max_size=4),
    st.sampled_from([stop for stop in Stop if stop not in (Stop.CONTENT_FILTER, Stop.OTHER)]),
    words,
    usages,
)
def test_what_is_said_is_read_again_as_it_was(
    said: list[AnswerPart], stop: Stop, sequence: str, usage: Usage
) -> None:
    answer = Answer("id", "m", (Candidate(tuple(said), stop, sequence),), usage)
    body = encode_answer(answer, ASKED)
    Message.model_validate_json(body)
    again = decode_answer(body)
    assert again.usage is not None
    assert again == Answer(
        "id", "m", answer.candidates, replace(usage, reported=again.usage.reported)
    )
