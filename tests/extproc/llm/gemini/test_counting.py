"""countTokens, read and answered."""

from __future__ import annotations

import json

import pytest
from google.genai import types

from extproc.llm.dialect import Call
from extproc.llm.gemini.counting import READING, counted_request, encode_count
from extproc.llm.gemini.requests import decode_request
from extproc.llm.request import Request, Text
from extproc.verdict import Deny

CONTENTS = [{"parts": [{"text": "hello"}]}]
WHOLE = {"generate_content_request": {"model": "models/m", "contents": CONTENTS}}


def decode(document: object) -> Call | Deny:
    return READING.decode(json.dumps(document).encode(), "m", is_stream=False)


def call_of(document: object) -> Call:
    call = decode(document)
    assert isinstance(call, Call)
    return call


@pytest.mark.parametrize("document", [{"contents": CONTENTS}, WHOLE])
def test_a_prompt_in_either_form_is_read(document: dict[str, object]) -> None:
    call = call_of(document)
    assert READING.texts(call.document) == ("hello",)
    assert READING.estimate_input_tokens(call) >= 2
    assert READING.ask_usage(call) == {}
    request = decode_request(counted_request(call))
    assert isinstance(request, Request)
    assert request.messages[0].parts == (Text("hello"),)


def test_the_model_is_renamed_wherever_it_stands() -> None:
    assert READING.rename(call_of({"contents": CONTENTS}), "n") == {}
    said = READING.rename(call_of(WHOLE), "n")
    assert json.loads(said["generateContentRequest"])["model"] == "models/n"


@pytest.mark.parametrize(
    ("document", "param"),
    [
        ({}, "contents"),
        ({**WHOLE, "contents": CONTENTS}, "contents"),
        ({"generateContentRequest": {"model": "models/m"}}, "generateContentRequest.contents"),
        (
            {"generateContentRequest": {"model": "models/x", "contents": CONTENTS}},
            "generateContentRequest.model",
        ),
        ({"generateContentRequest": 1}, "generateContentRequest"),
    ],
)
def test_what_is_wrong_is_refused_by_name(document: object, param: str) -> None:
    deny = decode(document)
    assert isinstance(deny, Deny)
    assert deny.param == param


def test_google_reads_the_answer() -> None:
    assert types.CountTokensResponse.model_validate_json(encode_count(42)).total_tokens == 42


def test_refusals_are_googles() -> None:
    body = READING.encode_error(Deny(400, "x", "no")).body
    assert json.loads(body)["error"]["status"] == "INVALID_ARGUMENT"
