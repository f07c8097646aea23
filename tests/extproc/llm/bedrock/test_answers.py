"""Converse answers: the samples, the way there and back, and what boto3 reads."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from extproc.llm.answer import Answer, AnswerPart, Candidate, Citation, Speech, Stop
from extproc.llm.bedrock.answers import decode_answer, encode_answer
from extproc.llm.dialect import Asked, UnreadableAnswer
from extproc.llm.request import Refusal, Signature, Text, Thinking, ToolCall
from gateway.model import Dialect
from gateway.usage import Usage
from tests.kit import bedrock

SAMPLES = sorted((bedrock.SAMPLES / "answers").glob("*.json"))
ASKED = Asked("m", "id", 0, document={"additionalModelResponseFieldPaths": ["/stop_sequence"]})
STOPS = {
    "text": Stop.END,
    "tool_calls": Stop.TOOL_CALLS,
    "parallel_calls": Stop.TOOL_CALLS,
    "reasoning": Stop.END,
    "max_tokens": Stop.MAX_TOKENS,
    "stop_sequence": Stop.SEQUENCE,
    "content_filter": Stop.CONTENT_FILTER,
    "filtered": Stop.CONTENT_FILTER,
    "context": Stop.CONTEXT,
    "malformed": Stop.OTHER,
    "citations": Stop.END,
    "cached": Stop.END,
    "image_output": Stop.END,
}


def sample(name: str) -> Answer:
    return decode_answer((bedrock.SAMPLES / "answers" / f"{name}.json").read_bytes())


def of(*parts: AnswerPart, **more: Any) -> Answer:
    return Answer("", "", (Candidate(parts, **more),), Usage(3, 2))


def content(answer: Answer) -> list[Any]:
    message = bedrock.read_answer(encode_answer(answer, ASKED))["output"]["message"]
    assert message["role"] == "assistant"
    blocks: list[Any] = message["content"]
    return blocks


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_boto3_reads_our_answer_as_it_reads_bedrocks(path: Path) -> None:
    answer = decode_answer(path.read_bytes())
    assert answer.candidates[0].stop is STOPS[path.stem]
    ours = bedrock.read_answer(encode_answer(answer, ASKED))
    theirs = bedrock.read_answer(path.read_bytes())
    kept = {"output", "stopReason", "usage", "additionalModelResponseFields", "serviceTier"}
    if path.stem in ("content_filter", "malformed"):  # whose reasons are told in our words
        kept -= {"stopReason"}
    if path.stem == "citations":  # whose places in documents are not
        kept -= {"output"}
    assert {name: ours.get(name) for name in kept} == {name: theirs.get(name) for name in kept}


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_our_answer_is_as_botocore_knows_it(path: Path) -> None:
    body = json.loads(encode_answer(decode_answer(path.read_bytes()), ASKED))
    shape = bedrock.service().operation_model(bedrock.CONVERSE).output_shape
    assert set(body) <= set(shape.members)
    assert set(shape.required_members) <= set(body)
    assert list(bedrock.unmatched(body, shape)) == []


def test_calls_keep_their_arguments() -> None:
    assert sample("parallel_calls").candidates[0].parts == (
        ToolCall("tooluse_kZJMlvQmRJ6eAyJE5GIl7Q", "get_weather", '{"city":"Oslo"}'),
        ToolCall("tooluse_2", "get_time", '{"city":"Bergen","zones":[1,2.5]}'),
        ToolCall("tooluse_3", "now", "{}"),
    )


def test_reasoning_keeps_its_seals() -> None:
    sealed = base64.b64encode(bytes(range(48))).decode()
    assert sample("reasoning").candidates[0].parts == (
        Thinking(
            "Norway's capital is Oslo.",
            Signature("EqQBCkgIARABGAIiQL8mJ8cvWbW3", Dialect.BEDROCK),
        ),
        Thinking("", Signature(sealed, Dialect.BEDROCK), is_redacted=True),
        Text("Oslo."),
    )


def test_citations_follow_their_text() -> None:
    assert sample("citations").candidates[0].parts == (
        Text("The meeting is on Monday."),
        Citation("notes", "notes", 0, 25),
        Citation("https://example.com/agenda", "Agenda", 0, 25),
        Text(" Bring coffee."),
    )


def test_usage_has_the_tier() -> None:
    usage = sample("cached").usage
    assert usage is not None
    assert (usage.input_tokens, usage.service_tier) == (3005, "flex")


def test_the_stop_sequence_is_told_to_who_asked() -> None:
    answer = of(Text("a"), stop=Stop.SEQUENCE, sequence="END")
    told = json.loads(encode_answer(answer, ASKED))
    assert told["additionalModelResponseFields"] == {"stop_sequence": "END"}
    untold = json.loads(encode_answer(answer, Asked("m", "id", 0)))
    assert "additionalModelResponseFields" not in untold
    assert decode_answer(json.dumps(told).encode()).candidates == answer.candidates


def test_the_model_that_a_router_chose_is_known() -> None:
    document = json.loads((bedrock.SAMPLES / "answers" / "text.json").read_bytes())
    document["trace"] = {"promptRouter": {"invokedModelId": "arn:x"}}
    assert decode_answer(json.dumps(document).encode()).model == "arn:x"


def test_what_other_dialects_have_is_told_in_texts() -> None:
    speech = Speech("UklGRg==", "spoken")
    assert content(of(Refusal("no"), speech, Speech("UklGRg=="))) == [
        {"text": "no"},
        {"text": "spoken"},
    ]


def test_a_citation_takes_the_text_before_into_its_block() -> None:
    first, second = Citation("https://a.example", "A"), Citation("https://b.example")
    blocks = content(of(Text("x"), first, second, Text("y"), ToolCall("1", "f", "{}"), second))
    assert [next(iter(block)) for block in blocks] == [
        "citationsContent",
        "text",
        "toolUse",
        "citationsContent",
    ]
    assert blocks[0]["citationsContent"] == {
        "content": [{"text": "x"}],
        "citations": [
            {"title": "A", "location": {"web": {"url": "https://a.example"}}},
            {"location": {"web": {"url": "https://b.example"}}},
        ],
    }


def test_foreign_seals_are_shown_to_clients() -> None:
    seal = Signature("xyz", Dialect.GEMINI)
    text, text_seal, call_seal, call = content(
        of(Text("a", signature=seal), ToolCall("1", "f", "{}", seal))
    )
    assert text == {"text": "a"}
    assert text_seal["reasoningContent"]["reasoningText"] == {
        "text": "",
        "signature": "dragoman-text:dragoman:gemini:xyz",
    }
    assert call_seal["reasoningContent"]["reasoningText"]["signature"].startswith("dragoman-call:")
    assert call["toolUse"]["name"] == "f"


def test_no_candidate_is_an_empty_answer() -> None:
    assert content(Answer("", "", (), None)) == []


def test_a_call_without_an_id_gets_one() -> None:
    body = b'{"output":{"message":{"content":[{"toolUse":{"name":"f"}},{"toolUse":{"name":"f"}}]}}}'
    ids = {part.call_id for part in decode_answer(body).candidates[0].parts}  # type: ignore[union-attr]
    assert len(ids) == 2
    assert "" not in ids


@pytest.mark.parametrize(
    "block",
    [
        {"toolUse": {"toolUseId": "a", "name": "b", "input": {}, "type": "server_tool_use"}},
        {"toolResult": {"toolUseId": "a", "content": []}},
        {"image": {"format": "png", "source": {"s3Location": {"uri": "s3://a/b"}}}},
        {"image": {"format": "png", "error": {"message": "no"}}},
        {"reasoningContent": {}},
        {"hologram": 1},
        {},
    ],
)
def test_blocks_that_are_not_known_are_passed_over(block: object) -> None:
    body = json.dumps({"output": {"message": {"content": [block, 7, {"text": "a"}]}}}).encode()
    answer = decode_answer(body)
    assert answer.candidates == (Candidate((Text("a"),), Stop.OTHER),)
    assert answer.usage is None


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"output":[]}', b'{"output":{"message":{"content":"x"}}}']
)
def test_what_is_no_answer_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(UnreadableAnswer):
        decode_answer(body)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_nothing_in_an_answer_can_break_its_translation(path: Path) -> None:
    unreadable = 0
    for mutated in bedrock.mutations(json.loads(path.read_bytes()), (None, 7, "x", [[]], {"y": 1})):
        try:
            answer = decode_answer(json.dumps(mutated).encode())
        except UnreadableAnswer:
            unreadable += 1
            continue
        assert json.loads(encode_answer(answer, ASKED))["stopReason"]
    assert unreadable


parts = st.lists(
    st.builds(Text, st.text(st.characters(codec="utf-8"), min_size=1))
    | st.builds(ToolCall, st.from_regex(r"\A[a-z]{1,9}\Z"), st.just("f"), st.just('{"a":"é"}'))
    | st.builds(
        Thinking,
        st.text(st.characters(codec="utf-8"), min_size=1),
        st.none() | st.just(Signature("s", Dialect.BEDROCK)),
    ),
    max_size=5,
)
stops = st.sampled_from(
    [Stop.END, Stop.TOOL_CALLS, Stop.MAX_TOKENS, Stop.SEQUENCE, Stop.CONTENT_FILTER, Stop.CONTEXT]
)


@given(parts, stops)
def test_answers_survive(given_parts: list[AnswerPart], stop: Stop) -> None:
    answer = of(*given_parts, stop=stop)
    again = decode_answer(encode_answer(answer, ASKED))
    assert again.candidates == answer.candidates
    assert again.usage is not None
    assert replace(again.usage, reported=()) == answer.usage
