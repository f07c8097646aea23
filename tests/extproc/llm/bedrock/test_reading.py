"""What is decided on, of a Converse request."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from extproc.llm.bedrock.reading import IMAGE_TOKENS, READING
from extproc.llm.dialect import Call
from extproc.verdict import Deny
from tests.kit import bedrock


def decode(document: object, model: str = "m") -> Call | Deny:
    return READING.decode(json.dumps(document).encode(), model, is_stream=True)


def refused(document: object, model: str = "m") -> tuple[str, str | None]:
    deny = decode(document, model)
    assert isinstance(deny, Deny)
    assert deny.status == 400
    return deny.code, deny.param


def test_the_path_says_model_and_stream() -> None:
    body = b'{"messages":[],"modelId":"other"}'
    call = READING.decode(body, "anthropic.claude-v2:1", is_stream=True)
    assert call == Call(
        "anthropic.claude-v2:1", True, {"messages": [], "modelId": "other"}, len(body)
    )
    assert isinstance(call, Call)
    assert READING.rename(call, "other") == READING.ask_usage(call) == {}


def test_an_arn_is_a_model() -> None:
    arn = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/" + "x" * 300
    assert isinstance(decode({"messages": []}, arn), Call)


@pytest.mark.parametrize("model", ["", "a b", "a\nb", "x" * 2049])
def test_models_that_have_no_name(model: str) -> None:
    assert refused({"messages": []}, model) == ("invalid_value", "modelId")


@pytest.mark.parametrize(
    ("document", "limit"),
    [
        ({}, None),
        ({"inferenceConfig": {}}, None),
        ({"inferenceConfig": {"maxTokens": 5}}, 5),
        ({"additionalModelRequestFields": {"max_tokens": 9}}, 9),
        ({"additionalModelRequestFields": {"inferenceConfig": {"max_new_tokens": 9}}}, 9),
        ({"additionalModelRequestFields": {"inferenceConfig": {"topK": 9}}}, None),
        (
            {
                "inferenceConfig": {"maxTokens": 5},
                "additionalModelRequestFields": {"max_gen_len": 7},
            },
            7,
        ),
    ],
)
def test_the_limit_is_the_largest_that_is_stated(document: object, limit: int | None) -> None:
    call = decode(document)
    assert isinstance(call, Call)
    assert call.max_output_tokens == limit


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ([], ("invalid_json", None)),
        ({"Messages": []}, ("ambiguous_key", "Messages")),
        ({"inferenceconfig": {}}, ("ambiguous_key", "inferenceconfig")),
        ({"messages": {}}, ("invalid_type", "messages")),
        ({"messages": [1]}, ("invalid_type", "messages[0]")),
        ({"messages": [{"content": []}]}, ("invalid_type", "messages[0].role")),
        ({"messages": [{"role": "user"}]}, ("invalid_type", "messages[0].content")),
        (
            {"messages": [{"role": "user", "content": ["a"]}]},
            ("invalid_type", "messages[0].content[0]"),
        ),
        (
            {"messages": [{"role": "user", "content": [{"text": 1}]}]},
            ("invalid_type", "messages[0].content[0].text"),
        ),
        ({"system": "be brief"}, ("invalid_type", "system")),
        ({"inferenceConfig": []}, ("invalid_type", "inferenceConfig")),
        (
            {"inferenceConfig": {"maxTokens": 0}},
            ("invalid_value", "inferenceConfig.maxTokens"),
        ),
        (
            {"inferenceConfig": {"maxTokens": "5"}},
            ("invalid_type", "inferenceConfig.maxTokens"),
        ),
    ],
)
def test_what_cannot_be_decided_on_is_refused(document: object, fault: object) -> None:
    assert refused(document) == fault


def test_a_key_that_is_said_twice_is_refused() -> None:
    deny = READING.decode(b'{"messages":[],"messages":[]}', "m", is_stream=False)
    assert isinstance(deny, Deny)
    assert deny.code == "duplicate_key"


def test_refusals_are_bedrocks_errors() -> None:
    answer = READING.encode_error(Deny(403, "denied", "no"))
    parsed = bedrock.read_answer(answer.body, 403, dict(answer.headers))
    assert parsed["Error"] == {"Code": "AccessDeniedException", "Message": "no"}


def test_images_are_not_counted_by_their_bytes() -> None:
    image = {"image": {"format": "png", "source": {"bytes": "A" * 30_000}}}
    result = {"toolResult": {"toolUseId": "1", "content": [image]}}
    call = decode({"messages": [{"role": "user", "content": [image, result, {"text": "a" * 300}]}]})
    assert isinstance(call, Call)
    estimate = READING.estimate_input_tokens(call)
    assert 2 * IMAGE_TOKENS + 300 // 3 < estimate < 2 * IMAGE_TOKENS + 300


class Upper:
    """A rewording."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def text(self, text: str) -> str:
        self.seen.append(text)
        return text.upper()

    def across(self, pieces: Any) -> Any:
        return pieces

    def fixed(self, text: str) -> None:
        self.seen.append(text)


def test_texts_are_reworded_and_structure_is_not() -> None:
    body = (bedrock.SAMPLES / "requests" / "reasoning_signature.json").read_bytes()
    reworded = READING.reword(body, Upper())
    assert not isinstance(reworded, Deny)
    messages = json.loads(reworded.values["messages"])
    original = json.loads(body)["messages"]
    assert messages[0]["content"][0]["text"] == "WHAT IS THE WEATHER IN OSLO?"
    assert messages[1]["content"][0]["reasoningContent"]["reasoningText"] == {
        "text": "I SHOULD LOOK.",
        "signature": original[1]["content"][0]["reasoningContent"]["reasoningText"]["signature"],
    }
    assert messages[1]["content"][1] == original[1]["content"][1]


def attached(data: bytes, kind: str = "txt") -> dict[str, Any]:
    source = {"bytes": base64.b64encode(data).decode()}
    block = {"document": {"format": kind, "name": "n", "source": source}}
    result = {"toolResult": {"toolUseId": "1", "content": [block]}}
    return {"messages": [{"role": "user", "content": [block, result]}]}


@pytest.mark.parametrize("kind", ["txt", "csv", "html", "pdf"])
def test_documents_that_are_texts_are_read_whatever_they_are_said_to_be(kind: str) -> None:
    document = attached("a sécret".encode(), kind)
    texts = READING.texts(document)
    assert isinstance(texts, tuple)
    assert texts.count("a sécret") == 2
    rewording = Upper()
    body = json.dumps(document).replace("document", "\\u0064ocument").encode()
    reworded = READING.reword(body, rewording)
    assert not isinstance(reworded, Deny)
    assert rewording.seen.count("a sécret") == 2
    assert reworded.texts.count("a sécret") == 2


@pytest.mark.parametrize("data", [b"%PDF-1.4\n\xe2\xe3\xcf\xd3", b"PK\x03\x04\xff\xfe"])
def test_documents_that_are_no_texts_are_not(data: bytes) -> None:
    assert READING.texts(attached(data, "pdf")) == ("n", "n")


def test_data_that_is_no_base64_is_passed_over() -> None:
    document = {"source": {"bytes": "a"}}
    message = {"role": "user", "content": [{"document": document}, {"document": 1}]}
    assert READING.texts({"messages": [message]}) == ("1",)


def test_texts_that_are_too_deep_are_refused() -> None:
    nested = {"promptVariables": json.loads('{"a":' * 250 + "1" + "}" * 250)}
    refusal = READING.texts(nested)
    assert isinstance(refusal, Deny)
    assert refusal.code == "too_deep"
