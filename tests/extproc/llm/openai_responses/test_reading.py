from __future__ import annotations

import json

import pytest

from extproc.llm.dialect import Call
from extproc.llm.faults import MAX_COUNT
from extproc.llm.openai_responses.reading import IMAGE_TOKENS, READING
from extproc.rewording import Reworded
from extproc.verdict import Deny
from tests.kit import responses as kit


def refused(**fields: object) -> tuple[int, str, str | None]:
    body = json.dumps({"model": "fast", "input": "hello", **fields}).encode()
    deny = READING.decode(body, "", is_stream=False)
    assert isinstance(deny, Deny)
    return deny.status, deny.code, deny.param


def test_a_plain_request_is_read() -> None:
    body = b'{"model":"fast","input":"hello"}'
    document = {"model": "fast", "input": "hello"}
    assert READING.decode(body, "", is_stream=False) == Call("fast", False, document, len(body))


def test_everything_we_decide_on_is_read() -> None:
    call = kit.call(stream=True, max_output_tokens=100)
    assert call.is_stream
    assert call.max_output_tokens == 100
    assert call.tells_usage


def test_null_is_as_good_as_absent() -> None:
    call = kit.call(stream=None, max_output_tokens=None, input=None)
    assert not call.is_stream
    assert call.max_output_tokens is None


def test_a_path_that_names_the_model_and_a_body_that_does_must_agree() -> None:
    call = READING.decode(b'{"input":"hello"}', "fast", is_stream=True)
    assert isinstance(call, Call)
    assert (call.model, call.is_stream) == ("fast", True)
    deny = READING.decode(b'{"model":"other","input":"hello"}', "fast", is_stream=False)
    assert isinstance(deny, Deny)
    assert deny.param == "model"


def test_unknown_fields_items_and_parts_pass() -> None:
    kit.call(vendor={"a": [1]}, input=[{"type": "sonnet"}, {"content": [{"type": "verse"}]}])


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"model": None}, ("invalid_type", "model")),
        ({"model": "a b"}, ("invalid_value", "model")),
        ({"stream": "yes"}, ("invalid_type", "stream")),
        ({"max_output_tokens": 1.5}, ("invalid_type", "max_output_tokens")),
        ({"max_output_tokens": 0}, ("invalid_value", "max_output_tokens")),
        ({"max_output_tokens": MAX_COUNT + 1}, ("invalid_value", "max_output_tokens")),
        ({"Input": "other"}, ("ambiguous_key", "Input")),
        ({"input": 5}, ("invalid_type", "input")),
        ({"input": ["hello"]}, ("invalid_type", "input[0]")),
        ({"input": [{"type": 1}]}, ("invalid_type", "input[0].type")),
        ({"input": [{"content": ["a"]}]}, ("invalid_type", "input[0].content[0]")),
        ({"input": [{"output": [{"text": 1}]}]}, ("invalid_type", "input[0].output[0].text")),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, object], expected: tuple[str, str]) -> None:
    assert refused(**fields) == (400, *expected)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "invalid_json"),
        (b'{"model":"a","model":"b"}', "duplicate_key"),
        (b'{"a":' + b"[" * 300 + b"]" * 300 + b"}", "too_deep"),
        (b'{"model":"a","input":[' + b"1," * 500_001 + b"1]}", "too_complex"),
        (b'{"input":"hello"}', "missing_required_parameter"),
    ],
)
def test_a_body_that_is_no_request_is_refused(body: bytes, code: str) -> None:
    deny = READING.decode(body, "", is_stream=False)
    assert isinstance(deny, Deny)
    assert (deny.status, deny.code) == (400, code)


def test_a_mask_changes_the_texts_and_nothing_else() -> None:
    class Mask:
        def text(self, text: str) -> str:
            return text.replace("secret", "******")

        def across(self, pieces: list[str]) -> list[str]:
            return pieces

        def fixed(self, text: str) -> None:
            return None

    body = json.dumps(
        {
            "model": "fast",
            "instructions": "keep the secret",
            "input": [{"role": "user", "content": [{"type": "input_text", "text": "a secret"}]}],
        }
    ).encode()
    reworded = READING.reword(body, Mask())
    assert isinstance(reworded, Reworded)
    assert json.loads(reworded.values["instructions"]) == "keep the ******"
    assert json.loads(reworded.values["input"])[0]["content"][0]["text"] == "a ******"
    assert set(reworded.values) == {"instructions", "input"}
    assert isinstance(READING.reword(b"{", Mask()), Deny)


def test_texts_that_hide_too_much_are_refused() -> None:
    deep = '{"a":"' + "\\\\u0061" + '"}'
    for _ in range(4):
        deep = json.dumps({"a": deep})
    assert isinstance(READING.texts({"instructions": deep}), Deny)


def test_images_are_estimated_by_the_piece_and_not_by_their_bytes() -> None:
    image = {"type": "input_image", "image_url": "data:image/png;base64," + "A" * 300_000}
    audio = {"type": "input_audio", "input_audio": {"data": "A" * 51_200, "format": "wav"}}
    shot = {"type": "computer_screenshot", "image_url": "data:image/png;base64," + "A" * 9000}
    plain = READING.estimate_input_tokens(kit.call(input="x" * 300))
    assert 150 <= plain <= 200
    estimate = READING.estimate_input_tokens(
        kit.call(input=[{"role": "user", "content": [image, audio]}, {"output": shot}])
    )
    assert 2 * IMAGE_TOKENS + 100 < estimate < 2 * IMAGE_TOKENS + 400


def test_the_model_is_renamed_and_usage_comes_unasked() -> None:
    call = kit.call()
    assert READING.rename(call, "gpt-5") == {"model": b'"gpt-5"'}
    assert READING.ask_usage(call) == {}


def test_refusals_have_the_form_of_the_api() -> None:
    error = READING.encode_error(Deny(429, "budget_exhausted", "nothing left"))
    assert error.headers == (("content-type", "application/json"),)
    assert json.loads(error.body) == {
        "error": {
            "message": "nothing left",
            "type": "insufficient_quota",
            "param": None,
            "code": "budget_exhausted",
        }
    }
