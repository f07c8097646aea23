from __future__ import annotations

import json
from typing import Any

import pytest

from extproc.llm.anthropic.reading import (
    IMAGE_TOKENS,
    MAX_DOCUMENT_TOKENS,
    READING,
)
from extproc.llm.dialect import Call
from extproc.verdict import Deny


def body(**more: Any) -> bytes:
    messages = [{"role": "user", "content": "hi"}]
    return json.dumps({"model": "claude", "max_tokens": 5, "messages": messages, **more}).encode()


def read(data: bytes, model: str = "", *, is_stream: bool = False) -> Call:
    call = READING.decode(data, model, is_stream=is_stream)
    assert isinstance(call, Call), call
    return call


def refused(data: bytes, model: str = "") -> Deny:
    deny = READING.decode(data, model, is_stream=False)
    assert isinstance(deny, Deny)
    return deny


class Louder:
    """A rewording that is easily seen."""

    def text(self, text: str) -> str:
        return text.upper()

    def across(self, pieces: Any) -> Any:
        return pieces

    def fixed(self, text: str) -> None:
        pass


def test_what_is_decided_on_is_read() -> None:
    data = body(stream=True)
    call = read(data)
    assert (call.model, call.is_stream, call.max_output_tokens) == ("claude", True, 5)
    assert (call.choices, call.size_bytes, call.tells_usage) == (1, len(data), True)


def test_a_path_may_name_the_model_and_the_stream() -> None:
    data = json.dumps({"max_tokens": 1, "messages": []}).encode()
    call = read(data, "claude@1", is_stream=True)
    assert (call.model, call.is_stream) == ("claude@1", True)
    assert refused(body(), "claude@1").param == "model"


def test_a_limit_is_not_asked_of_who_counts_tokens() -> None:
    assert read(json.dumps({"model": "m", "messages": []}).encode()).max_output_tokens is None
    assert read(body(max_tokens=0)).max_output_tokens == 0


@pytest.mark.parametrize(
    ("more", "code", "param"),
    [
        ({"model": 1}, "invalid_type", "model"),
        ({"model": "a b"}, "invalid_value", "model"),
        ({"max_tokens": "5"}, "invalid_type", "max_tokens"),
        ({"max_tokens": True}, "invalid_type", "max_tokens"),
        ({"max_tokens": -1}, "invalid_value", "max_tokens"),
        ({"max_tokens": 2**31}, "invalid_value", "max_tokens"),
        ({"stream": "yes"}, "invalid_type", "stream"),
        ({"Messages": []}, "ambiguous_key", "Messages"),
        ({"SYSTEM": "x"}, "ambiguous_key", "SYSTEM"),
        ({"system": 5}, "invalid_type", "system"),
        ({"system": [{"type": "text"}]}, "missing_required_parameter", "system[0].text"),
        ({"messages": {}}, "invalid_type", "messages"),
        ({"messages": ["hi"]}, "invalid_type", "messages[0]"),
        ({"messages": [{"content": "hi"}]}, "missing_required_parameter", "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "missing_required_parameter", "messages[0].content"),
        ({"messages": [{"role": "user", "content": 1}]}, "invalid_type", "messages[0].content"),
        (
            {"messages": [{"role": "user", "content": ["a"]}]},
            "invalid_type",
            "messages[0].content[0]",
        ),
        (
            {"messages": [{"role": "user", "content": [{"text": "a"}]}]},
            "missing_required_parameter",
            "messages[0].content[0].type",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "tool_result", "content": [1]}]}]},
            "invalid_type",
            "messages[0].content[0].content[0]",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "document", "source": 1}]}]},
            "invalid_type",
            "messages[0].content[0].source",
        ),
    ],
)
def test_what_is_wrong_is_named(more: dict[str, Any], code: str, param: str) -> None:
    deny = refused(body(**more))
    assert (deny.status, deny.code, deny.param) == (400, code, param)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "invalid_json"),
        (b"[]", "invalid_json"),
        (b'{"model":"a","model":"b"}', "duplicate_key"),
        (b'{"a":' * 300 + b"1" + b"}" * 300, "too_deep"),
        (b'{"messages":[]}', "missing_required_parameter"),
    ],
)
def test_what_is_no_request_is_refused(data: bytes, code: str) -> None:
    assert refused(data).code == code


def test_text_in_base64_is_refused_since_no_guard_would_see_it() -> None:
    source = {"type": "base64", "media_type": "text/plain", "data": "aGk="}
    content = [{"type": "document", "source": source}]
    deny = refused(body(messages=[{"role": "user", "content": content}]))
    assert deny.param == "messages[0].content[0].source.media_type"


def test_fields_and_blocks_that_are_not_known_pass() -> None:
    content = [{"type": "hologram", "light": 1}]
    read(body(later=1, messages=[{"role": "prophet", "content": content}]))


def test_texts_are_read_in_order_and_can_be_changed() -> None:
    data = body(system=[{"type": "text", "text": "be brief"}], stop_sequences=["end"])
    texts = READING.texts(read(data).document)
    assert texts == ("hi", "be brief", "end")
    reworded = READING.reword(data, Louder())
    assert not isinstance(reworded, Deny)
    assert set(reworded.values) == {"messages", "system", "stop_sequences"}
    assert reworded.texts == ("HI", "BE BRIEF", "END")


def test_what_is_too_much_to_read_is_refused() -> None:
    deep = json.dumps("[" * 300)
    nested = b'{"model":"m","messages":[{"role":"user","content":' + deep.encode() + b"}]}"
    assert isinstance(READING.texts(read(nested).document), tuple)
    escaped = json.dumps('{"\\u0061":' * 250 + "1" + "}" * 250).encode()
    data = b'{"model":"m","messages":[{"role":"user","content":' + escaped + b"}]}"
    texts = READING.texts(read(data).document)
    reworded = READING.reword(data, Louder())
    assert isinstance(texts, Deny)
    assert isinstance(reworded, Deny)
    assert texts.code == reworded.code == "too_deep"


def test_input_is_estimated_rather_too_high() -> None:
    plain = read(body(system="x" * 3000))
    assert READING.estimate_input_tokens(plain) == -(-plain.size_bytes // 2)


def test_an_image_counts_as_one_wherever_it_stands() -> None:
    image = {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": "A" * 90_000},
    }
    result = {"type": "tool_result", "tool_use_id": "t", "content": [image]}
    for content in ([image], [result]):
        call = read(body(messages=[{"role": "user", "content": content}]))
        assert IMAGE_TOKENS < READING.estimate_input_tokens(call) < IMAGE_TOKENS + 200


def test_a_document_counts_as_text_up_to_what_a_model_takes() -> None:
    def estimated(size: int) -> int:
        source = {"type": "base64", "media_type": "application/pdf", "data": "A" * size}
        content = [{"type": "document", "source": source}]
        return READING.estimate_input_tokens(
            read(body(messages=[{"role": "user", "content": content}]))
        )

    assert estimated(30_000) > 10_000
    assert MAX_DOCUMENT_TOKENS < estimated(4_000_000) < MAX_DOCUMENT_TOKENS + 200


def test_another_model_is_one_value_and_usage_needs_no_asking() -> None:
    call = read(body())
    assert READING.rename(call, 'a"b') == {"model": b'"a\\"b"'}
    assert READING.ask_usage(call) == {}


def test_a_refusal_is_an_error_of_anthropics() -> None:
    answer = READING.encode_error(Deny(429, "budget_exhausted", "no more"))
    assert json.loads(answer.body)["error"]["type"] == "rate_limit_error"
