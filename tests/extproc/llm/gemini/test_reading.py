"""What policies see of a request to Gemini."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from extproc.llm.dialect import Call
from extproc.llm.gemini.base64_forms import encoded
from extproc.llm.gemini.reading import IMAGE_TOKENS, READING
from extproc.protocols import json_spans
from extproc.verdict import Deny

MODEL = "gemini-2.5-flash"
HELLO = {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}


def decode(document: object, model: str = MODEL, *, is_stream: bool = False) -> Call | Deny:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return READING.decode(body, model, is_stream=is_stream)


def call_of(document: object) -> Call:
    call = decode(document)
    assert isinstance(call, Call)
    return call


class Shout:
    """A rewording in capitals."""

    def __init__(self) -> None:
        self.kept: list[str] = []

    def text(self, text: str) -> str:
        return text.upper()

    def across(self, pieces: Sequence[str]) -> Sequence[str]:
        return pieces

    def fixed(self, text: str) -> None:
        self.kept.append(text)


def test_the_path_says_the_model_and_whether_it_streams() -> None:
    call = decode(HELLO, "gemini-3-pro", is_stream=True)
    assert isinstance(call, Call)
    assert (call.model, call.is_stream, call.choices, call.max_output_tokens) == (
        "gemini-3-pro",
        True,
        1,
        None,
    )
    assert call.document == HELLO
    assert call.tells_usage


def test_limits_are_read_in_either_spelling_and_as_protobuf_does() -> None:
    call = call_of({**HELLO, "generation_config": {"max_output_tokens": 9.0, "candidateCount": 2}})
    assert (call.max_output_tokens, call.choices) == (9, 2)


def test_lone_objects_are_lists_of_one() -> None:
    call = call_of({"contents": {"role": "user", "parts": {"text": "hello"}}})
    assert call.document == HELLO


@pytest.mark.parametrize(
    ("document", "code", "param"),
    [
        (b"{", "invalid_json", None),
        (b"[]", "invalid_json", None),
        (b'{"contents":[],"contents":[]}', "duplicate_key", None),
        ({}, "missing_required_parameter", "contents"),
        ({"contents": "hello"}, "invalid_type", "contents"),
        ({"contents": ["hello"]}, "invalid_type", "contents[0]"),
        ({"contents": [{"parts": "x"}]}, "invalid_type", "contents[0].parts"),
        ({"contents": [{"parts": ["x"]}]}, "invalid_type", "contents[0].parts[0]"),
        ({"contents": [{"parts": [{"text": 1}]}]}, "invalid_type", "contents[0].parts[0].text"),
        ({"contents": [{"role": 1}]}, "invalid_type", "contents[0].role"),
        ({**HELLO, "systemInstruction": "x"}, "invalid_type", "systemInstruction"),
        ({**HELLO, "Contents": []}, "ambiguous_key", "Contents"),
        ({**HELLO, "system_Instruction": {}}, "ambiguous_key", "system_Instruction"),
        (
            {**HELLO, "generationConfig": {"maxoutputtokens": 1}},
            "ambiguous_key",
            "generationConfig.maxoutputtokens",
        ),
        ({**HELLO, "toolConfig": {}, "tool_config": {}}, "ambiguous_key", "tool_config"),
        ({**HELLO, "generationConfig": []}, "invalid_type", "generationConfig"),
        (
            {**HELLO, "generationConfig": {"maxOutputTokens": "9"}},
            "invalid_type",
            "generationConfig.maxOutputTokens",
        ),
        (
            {**HELLO, "generationConfig": {"candidateCount": 0}},
            "invalid_value",
            "generationConfig.candidateCount",
        ),
        ({**HELLO, "model": "models/another"}, "ambiguous_model", "model"),
        ({**HELLO, "model": 1}, "invalid_type", "model"),
    ],
)
def test_what_is_wrong_is_refused_by_name(document: object, code: str, param: str | None) -> None:
    deny = decode(document)
    assert isinstance(deny, Deny)
    assert (deny.status, deny.code, deny.param) == (400, code, param)


@pytest.mark.parametrize("model", ["", "a b", "a\n", "x" * 257])
def test_a_model_must_have_a_name(model: str) -> None:
    deny = decode(HELLO, model)
    assert isinstance(deny, Deny)
    assert deny.param == "model"


def test_the_body_may_repeat_the_model_of_the_path_and_is_renamed_with_it() -> None:
    call = call_of({**HELLO, "model": f"models/{MODEL}"})
    assert READING.rename(call, "gemini-3-pro") == {"model": b'"models/gemini-3-pro"'}
    assert READING.rename(call_of(HELLO), "gemini-3-pro") == {}
    assert READING.ask_usage(call) == {}


def test_texts_in_base64_are_read_too() -> None:
    hidden = {"inline_data": {"mime_type": "text/plain", "data": encoded("a secret")}}
    document = {"contents": [{"parts": [{"text": "see"}, hidden]}]}
    for read in (document, call_of(document).document):
        texts = READING.texts(read)
        assert isinstance(texts, tuple)
        assert "a secret" in texts
        assert encoded("a secret") not in texts


def test_a_document_in_the_place_of_an_address_is_read() -> None:
    url = f"data:text/plain;base64,{encoded('a secret')}"
    for part in ({"fileData": {"fileUri": url}}, {"file_data": {"file_uri": url}}):
        texts = READING.texts({"contents": [{"parts": [part]}]})
        assert isinstance(texts, tuple)
        assert "a secret" in texts


def test_texts_are_reworded_in_the_spelling_of_the_body() -> None:
    body = json.dumps(
        {
            "system_instruction": {"parts": [{"text": "be nice"}]},
            "contents": [
                {
                    "role": "user",
                    "parts": [
                        {"text": "hello"},
                        {"inlineData": {"mimeType": "text/plain", "data": encoded("fixed")}},
                    ],
                }
            ],
        }
    ).encode()
    shout = Shout()
    new = READING.reword(body, shout)
    assert not isinstance(new, Deny)
    assert set(new.values) == {"system_instruction", "contents"}
    assert "fixed" in shout.kept
    changed = json_spans.replace(body, new.values)
    call = READING.decode(changed, MODEL, is_stream=False)
    assert isinstance(call, Call)
    texts = READING.texts(call.document)
    assert isinstance(texts, tuple)
    assert sorted(texts) == sorted(new.texts)
    assert {"BE NICE", "HELLO", "fixed"} <= set(texts)


def test_bodies_that_are_no_json_are_refused_for_rewording_too() -> None:
    assert isinstance(READING.reword(b"{", Shout()), Deny)


def test_attachments_are_estimated_by_their_kind() -> None:
    def tokens(media_type: str) -> int:
        part = {"inlineData": {"mimeType": media_type, "data": "A" * 96_000}}
        return READING.estimate_input_tokens(call_of({"contents": [{"parts": [part]}]}))

    assert 0 <= tokens("image/png") - IMAGE_TOKENS < 50
    assert 750 <= tokens("audio/wav") < 800
    assert 1000 <= tokens("video/mp4") < 1050
    assert 6000 <= tokens("application/pdf") < 6050
    assert tokens("text/plain") > 10_000


def test_the_system_counts() -> None:
    much = {**HELLO, "systemInstruction": {"parts": [{"text": "x" * 300}]}}
    assert READING.estimate_input_tokens(call_of(much)) >= 100


def test_refusals_are_googles() -> None:
    error = json.loads(READING.encode_error(Deny(403, "denied", "no")).body)["error"]
    assert error["status"] == "PERMISSION_DENIED"
