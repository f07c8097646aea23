"""Whole answers, both ways."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from google.genai import types
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from extproc.llm.answer import Answer, Candidate, Citation, Logprob, Speech, Stop
from extproc.llm.dialect import Asked, UnreadableAnswer
from extproc.llm.gemini.answers import call_object, decode_answer, encode_answer
from extproc.llm.request import Refusal, Signature, Text, Thinking, ToolCall
from gateway.model import Dialect
from gateway.usage import Usage

SAMPLES = Path(__file__).parents[3] / "translations" / "gemini" / "answers"
ASKED = Asked("fast", "answer-1", 0)


def sample(name: str) -> Answer:
    return decode_answer((SAMPLES / f"{name}.json").read_bytes())


def only(answer: Answer) -> Candidate:
    (candidate,) = answer.candidates
    return candidate


def said(answer: Answer) -> types.GenerateContentResponse:
    return types.GenerateContentResponse.model_validate_json(encode_answer(answer, ASKED))


def without_reported(answer: Answer) -> Answer:
    usage = answer.usage
    bare = None if usage is None else replace(usage, reported=(), service_tier="")
    return Answer(answer.answer_id, answer.model, answer.candidates, bare)


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.json")), ids=lambda path: path.stem)
def test_samples_survive_and_google_reads_them(path: Path) -> None:
    answer = decode_answer(path.read_bytes())
    body = encode_answer(answer, ASKED)
    types.GenerateContentResponse.model_validate_json(body)
    assert without_reported(decode_answer(body)) == without_reported(answer)


def test_calls_end_an_answer_and_have_ids_of_their_own() -> None:
    candidate = only(sample("tool_calls"))
    assert candidate.stop is Stop.TOOL_CALLS
    (call,) = candidate.parts
    assert isinstance(call, ToolCall)
    assert (call.name, call.arguments) == ("get_weather", '{"city":"Paris"}')
    assert call.call_id.startswith("call_")


def test_calls_side_by_side_keep_ids_seals_and_arguments() -> None:
    text, paris, cologne = only(sample("parallel_calls")).parts
    assert text == Text("Looking up both.")
    assert isinstance(paris, ToolCall)
    assert isinstance(cologne, ToolCall)
    assert paris.signature is not None
    assert (paris.call_id, cologne.call_id) == ("fc_a", "fc_b")
    assert json.loads(cologne.arguments) == {"city": "Köln", "days": [1, 2], "wind": 1.5}


def test_thoughts_are_told_apart() -> None:
    thought, text = only(sample("reasoning")).parts
    assert thought == Thinking("France's capital is asked for.")
    assert isinstance(text, Text)
    assert text.signature is not None
    usage = sample("reasoning").usage
    assert usage is not None
    assert (usage.output_tokens, usage.reasoning_tokens) == (28, 25)


@pytest.mark.parametrize(
    ("name", "stop"),
    [
        ("text", Stop.END),
        ("stop_sequence", Stop.END),
        ("max_tokens", Stop.MAX_TOKENS),
        ("content_filter", Stop.CONTENT_FILTER),
        ("prompt_blocked", Stop.CONTENT_FILTER),
        ("malformed_call", Stop.OTHER),
    ],
)
def test_why_answers_end(name: str, stop: Stop) -> None:
    assert only(sample(name)).stop is stop


def test_citations_are_of_characters() -> None:
    text, first, second = only(sample("citations")).parts
    assert isinstance(text, Text)
    assert isinstance(first, Citation)
    assert isinstance(second, Citation)
    assert text.text[first.start : first.end] == "Köln liegt am Rhein."
    assert text.text[second.start : second.end] == "Paris an der Seine."


def test_logprobs() -> None:
    assert only(sample("logprobs")).logprobs == (
        Logprob("Paris", -0.01, None, (Logprob("Paris", -0.01), Logprob("Lyon", -5.5))),
        Logprob(".", -0.1, None, (Logprob(".", -0.1),)),
    )


def test_what_the_provider_ran_itself_is_passed_over() -> None:
    assert only(sample("code_execution")).parts == (Text("It is 42."),)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"<html>", b'{"error":{}}', b"\xff"])
def test_what_is_no_answer_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableAnswer):
        decode_answer(body)


@pytest.mark.parametrize(
    "candidate",
    [
        {},
        {"content": {}},
        {"content": {"parts": "x"}},
        {"content": {"parts": [1, {"functionCall": 1}, {"functionCall": {}}, {"new": {}}]}},
        {"finishReason": "A_NEW_ONE", "logprobsResult": {"chosenCandidates": [1]}},
    ],
)
def test_what_is_not_known_is_passed_over(candidate: dict[str, object]) -> None:
    answer = decode_answer(json.dumps({"candidates": [candidate, 1]}).encode())
    assert only(answer).parts == ()
    assert only(answer).stop is Stop.OTHER
    assert (answer.answer_id, answer.model, answer.usage) == ("", "", None)


def test_answers_without_ids_have_calls_with_different_ids() -> None:
    def of(arguments: dict[str, object]) -> str:
        part = {"functionCall": {"name": "f", "args": arguments}}
        body = json.dumps({"candidates": [{"content": {"parts": [part]}}]}).encode()
        (call,) = only(decode_answer(body)).parts
        assert isinstance(call, ToolCall)
        return call.call_id

    assert of({"a": 1}) != of({"a": 2})
    assert of({"a": 1}) == of({"a": 1})


def test_answers_have_names_even_when_the_provider_gives_none() -> None:
    read = said(Answer("", "", (Candidate(()),), None))
    assert (read.response_id, read.model_version) == ("answer-1", "fast")


@pytest.mark.parametrize("stop", Stop)
def test_every_end_has_a_reason(stop: Stop) -> None:
    read = said(Answer("a", "m", (Candidate((Text("x"),), stop),), None))
    assert read.candidates is not None
    assert read.candidates[0].finish_reason in set(types.FinishReason)


def test_calls_that_are_no_json_are_malformed() -> None:
    broken = ToolCall("c", "f", '{"a":')
    read = said(Answer("a", "m", (Candidate((broken,), Stop.TOOL_CALLS),), None))
    assert read.candidates is not None
    assert read.candidates[0].finish_reason == types.FinishReason.MALFORMED_FUNCTION_CALL
    assert read.function_calls is None
    cut = said(Answer("a", "m", (Candidate((broken,), Stop.MAX_TOKENS),), None))
    assert cut.candidates is not None
    assert cut.candidates[0].finish_reason == types.FinishReason.MAX_TOKENS


def test_arguments_stay_as_the_model_wrote_them() -> None:
    def written(arguments: str) -> Any:
        body = encode_answer(
            Answer("a", "m", (Candidate((ToolCall("c", "f", arguments),)),), None), ASKED
        )
        return body

    assert b'"args":{"a": 1.10}' in written('{"a": 1.10}')
    assert b"\n" not in written('{\n"a": 1}')
    assert call_object("c", "f", "") == call_object("c", "f", "{}")
    assert call_object("c", "f", "[]") is None


def test_refusals_and_speech_have_parts() -> None:
    read = said(
        Answer("a", "m", (Candidate((Refusal("no"), Speech("QUJD", "hello")), Stop.REFUSAL),), None)
    )
    assert read.candidates is not None
    content = read.candidates[0].content
    assert content is not None
    parts = content.parts
    assert parts is not None
    assert [part.text for part in parts] == ["no", "hello", None]
    assert parts[2].inline_data is not None
    assert parts[2].inline_data.data == b"ABC"


SEALS = st.sampled_from([None, Signature("QUJD", Dialect.GEMINI)])
TEXTS = st.text(min_size=1, max_size=10)
CALLS = st.builds(
    ToolCall,
    st.uuids().map(str),
    TEXTS,
    st.dictionaries(TEXTS, st.integers(), max_size=2).map(
        lambda value: json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    ),
    SEALS,
)
PARTS = st.lists(
    st.builds(Text, TEXTS, signature=SEALS) | st.builds(Thinking, TEXTS, SEALS) | CALLS, max_size=4
)

USAGES = st.none() | st.tuples(st.integers(0, 9), st.integers(0, 9)).map(lambda each: Usage(*each))


@given(st.lists(PARTS, min_size=1, max_size=2), USAGES)
def test_what_is_written_is_read_as_the_same(
    choices: list[list[Text | Thinking | ToolCall]], usage: Usage | None
) -> None:
    candidates = tuple(
        Candidate(
            tuple(parts),
            Stop.TOOL_CALLS if any(isinstance(part, ToolCall) for part in parts) else Stop.END,
        )
        for parts in choices
    )
    answer = Answer("a", "m", candidates, usage)
    assert without_reported(decode_answer(encode_answer(answer, ASKED))) == answer
