from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from extproc.llm.answer import Answer, Candidate, Citation, Logprob, Stop
from extproc.llm.dialect import UnreadableAnswer
from extproc.llm.openai_responses.answers import decode_answer, encode_answer
from extproc.llm.openai_responses.sealed import on_call
from extproc.llm.request import Refusal, Signature, Text, Thinking, ToolCall
from gateway.model import Dialect
from gateway.usage import Usage
from tests.kit import responses as kit

SEALED = Signature("gAAAAABo1sealed==", Dialect.OPENAI_RESPONSES)
PARIS = ToolCall("call_paris", "get_weather", '{"city":"Paris"}')


def sample(name: str) -> Candidate:
    answer = decode_answer((kit.SAMPLES / "answers" / f"{name}.json").read_bytes())
    assert answer.answer_id == "resp_68c2a1"
    assert answer.model == "gpt-5-mini-2025-08-07"
    assert answer.usage is not None
    (candidate,) = answer.candidates
    return candidate


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("text", Candidate((Text("Paris."),))),
        ("tool_calls", Candidate((PARIS,), Stop.TOOL_CALLS)),
        (
            "reasoning",
            Candidate(
                (
                    Thinking(
                        "**Counting**\n\nI go through the numbers.\n\n**Checking**\n\n25 it is.",
                        SEALED,
                    ),
                    Text("There are 25."),
                )
            ),
        ),
        (
            "reasoning_sealed",
            Candidate((Thinking("", SEALED, is_redacted=True), PARIS), Stop.TOOL_CALLS),
        ),
        (
            "reasoning_text",
            Candidate((Thinking("The user wants primes. 2, 3, 5, 7."), Text("Four."))),
        ),
        ("refusal", Candidate((Refusal("I cannot help with that."),), Stop.REFUSAL)),
        (
            "max_tokens",
            Candidate((Text("Once upon a time, there was a"),), Stop.MAX_TOKENS),
        ),
        ("content_filter", Candidate((Text("Take some"),), Stop.CONTENT_FILTER)),
        (
            "citations",
            Candidate(
                (
                    Text("Paris is the capital (Atlas)."),
                    Citation("https://atlas.example/france", "France", 0, 5),
                )
            ),
        ),
        (
            "logprobs",
            Candidate(
                (Text("Paris"),),
                logprobs=(
                    Logprob(
                        "Par",
                        -0.1,
                        b"Par",
                        (Logprob("Par", -0.1, b"Par"), Logprob("Lon", -2.5, b"Lon")),
                    ),
                    Logprob("is", -0.01, b"is", (Logprob("is", -0.01, b"is"),)),
                ),
            ),
        ),
        (
            "custom_tool_call",
            Candidate((ToolCall("call_sum", "math", '{"input":"4 + 5"}'),), Stop.TOOL_CALLS),
        ),
    ],
)
def test_answers_of_the_provider_are_read(name: str, expected: Candidate) -> None:
    assert sample(name) == expected


def test_what_was_cached_is_read() -> None:
    answer = decode_answer((kit.SAMPLES / "answers" / "cached.json").read_bytes())
    assert answer.usage is not None
    assert (answer.usage.cached_input_tokens, answer.usage.service_tier) == (1920, "default")


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"{}",
        b'{"output":"text"}',
        b'{"status":"failed","output":[],"error":{"code":"server_error","message":"broken"}}',
    ],
)
def test_what_is_no_answer_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableAnswer):
        decode_answer(body)


def test_an_answer_is_read_whatever_else_it_holds() -> None:
    output = [
        "nothing",
        {"type": "something_new"},
        {
            "type": "message",
            "content": [
                5,
                {"type": "output_text", "text": "a", "logprobs": [{"token": "a", "bytes": [999]}]},
            ],
        },
        {"type": "function_call"},
        {"type": "reasoning"},
    ]
    (candidate,) = decode_answer(json.dumps({"output": output}).encode()).candidates
    text, call = candidate.parts
    assert text == Text("a")
    assert candidate.logprobs == (Logprob("a", 0.0),)
    assert isinstance(call, ToolCall)
    assert call.call_id.startswith("call_")
    assert call.arguments == "{}"


def test_a_logprob_may_be_an_integer() -> None:
    logprobs = [{"token": "a", "logprob": -1}, {"token": "b", "logprob": 10**400}]
    text = {"type": "output_text", "text": "ab", "logprobs": logprobs}
    output = [{"type": "message", "content": [text]}]
    (candidate,) = decode_answer(json.dumps({"output": output}).encode()).candidates
    assert candidate.logprobs == (Logprob("a", -1.0), Logprob("b", 0.0))


@pytest.mark.parametrize("status", ["cancelled", "queued", "in_progress"])
def test_an_answer_that_is_not_there_yet_stopped_otherwise(status: str) -> None:
    (candidate,) = decode_answer(json.dumps({"status": status, "output": []}).encode()).candidates
    assert candidate == Candidate((), Stop.OTHER)


def test_calls_of_custom_tools_are_told_in_their_own_form() -> None:
    asked = replace(kit.ASKED, document={"tools": [{"type": "custom", "name": "math"}]})
    call = ToolCall("c", "math", '{"input":"4 + 5"}')
    answer = Answer("", "", (Candidate((call,), Stop.TOOL_CALLS),), None)
    body = encode_answer(answer, asked)
    document = json.loads(body)
    assert document["output"] == [
        {
            "id": "ctc_a1_0",
            "type": "custom_tool_call",
            "status": "completed",
            "call_id": "c",
            "name": "math",
            "input": "4 + 5",
        }
    ]
    assert (document["id"], document["model"]) == ("resp_a1", "fast")
    assert decode_answer(body).candidates[0].parts == (call,)


def test_a_seal_on_a_call_comes_before_it() -> None:
    seal = Signature("abc", Dialect.GEMINI)
    answer = Answer("", "", (Candidate((ToolCall("c", "get", "{}", seal),)),), Usage(1, 2))
    output = json.loads(encode_answer(answer, kit.ASKED))["output"]
    assert [item["type"] for item in output] == ["reasoning", "function_call"]
    assert output[0]["encrypted_content"] == on_call(seal)


def test_an_answer_without_choices_is_empty() -> None:
    document = json.loads(encode_answer(Answer("", "", (), None), kit.ASKED))
    assert (document["output"], document["status"], document["usage"]) == ([], "completed", None)
