from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from extproc.llm.dialect import Call, Reading
from extproc.llm.faults import MAX_COUNT
from extproc.llm.openai_chat.history import foreign_messages
from extproc.llm.openai_chat.reading import IMAGE_TOKENS, READING
from extproc.protocols import json_spans
from extproc.verdict import Deny

HELLO = [{"role": "user", "content": "hello"}]


def decode(**fields: object) -> Call | Deny:
    document: dict[str, object] = {"model": "fast", "messages": HELLO, **fields}
    return READING.decode(json.dumps(document).encode(), "", is_stream=False)


def accepted(**fields: object) -> Call:
    request = decode(**fields)
    assert isinstance(request, Call)
    return request


def refused(**fields: object) -> tuple[int, str, str | None]:
    deny = decode(**fields)
    assert isinstance(deny, Deny)
    return deny.status, deny.code, deny.param


def test_a_plain_request_is_read() -> None:
    body = b'{"model":"fast","messages":[{"role":"user","content":"hello"}]}'
    assert READING.decode(body, "", is_stream=False) == Call(
        model="fast",
        is_stream=False,
        tells_usage=True,
        max_output_tokens=None,
        choices=1,
        document={"model": "fast", "messages": HELLO},
        size_bytes=len(body),
        texts=("hello",),
        is_bare=True,
    )


_MESSAGES = st.one_of(
    st.fixed_dictionaries(
        {
            "role": st.sampled_from(["user", "system", "assistant", "nobody"]),
            "content": st.one_of(
                st.sampled_from(["hello", "", '{"a":"\\u0061"}', "a\\b", " [\\n]"]),
                st.just([{"type": "text", "text": "hi"}]),
                st.none(),
            ),
        },
        optional={
            "name": st.just("eve"),
            "reasoning_details": st.just([{"type": "reasoning.text", "text": "why"}]),
        },
    ),
)
_OTHERS = {
    "temperature": st.one_of(st.just(1), st.just("words"), st.just({"a": "b"})),
    "max_tokens": st.just(7),
    "user": st.just("eve"),
    "unknown": st.just("words"),
    "tools": st.just([{"type": "function", "function": {"name": "f", "description": "d"}}]),
}


@given(st.fixed_dictionaries({"messages": st.lists(_MESSAGES, max_size=3)}, optional=_OTHERS))
def test_texts_that_are_found_at_once_are_all_that_are_there(document: dict[str, Any]) -> None:
    call = READING.decode(json.dumps({"model": "m", **document}).encode(), "", is_stream=False)
    assert isinstance(call, Call)
    assert call.texts is None or call.texts == READING.texts(call.document)
    if call.is_bare:
        size = READING.estimate_input_tokens(call)
        assert size == READING.estimate_input_tokens(replace(call, is_bare=False))
        assert not foreign_messages(call.document)


def test_everything_we_decide_on_is_read() -> None:
    request = accepted(
        stream=True, stream_options={"include_usage": True}, max_completion_tokens=100, n=3
    )
    assert request.is_stream
    assert request.tells_usage
    assert request.max_output_tokens == 100
    assert request.choices == 3


def test_of_two_limits_the_larger_counts() -> None:
    assert accepted(max_tokens=5, max_completion_tokens=3).max_output_tokens == 5
    assert accepted(max_tokens=2, max_completion_tokens=3).max_output_tokens == 3
    assert accepted(max_tokens=7).max_output_tokens == 7


def test_null_is_as_good_as_absent() -> None:
    request = accepted(stream=None, stream_options=None, max_tokens=None, n=None)
    assert not request.is_stream
    assert request.max_output_tokens is None
    assert request.choices == 1


def test_unknown_fields_and_parts_pass() -> None:
    accepted(
        temperature=0.5,
        vendor={"extension": [1]},
        messages=[
            {"role": "assistant", "content": None, "tool_calls": None},
            {
                "role": "assistant",
                "tool_calls": [{"type": "custom", "custom": {}}, {"function": {}}],
            },
            {"role": "poet", "content": [{"type": "sonnet"}, {}]},
        ],
    )


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_json"),
        (b"[]", "invalid_json"),
        (b'{"model":"a"', "invalid_json"),
        (b'{"model":"\xff"}', "invalid_json"),
        (b'{"model":"a","mod\\u0065l":"b","messages":[]}', "duplicate_key"),
        (
            b'{"model":"a","messages":[{"role":"user","content":"a","content":"b"}]}',
            "duplicate_key",
        ),
        (b'{"model":"a","messages":' + b"[" * 201 + b"]" * 201 + b"}", "too_deep"),
        (b'{"model":"a","messages":[[]' + b",[]" * 500_000 + b"]}", "too_complex"),
    ],
)
def test_bodies_that_are_not_one_object_are_refused(body: bytes, code: str) -> None:
    deny = READING.decode(body, "", is_stream=False)
    assert isinstance(deny, Deny)
    assert (deny.status, deny.code) == (400, code)


def test_the_duplicate_key_is_named() -> None:
    deny = READING.decode(b'{"a":{"tiger":1,"tiger":2}}', "", is_stream=False)
    assert isinstance(deny, Deny)
    assert deny.reason == 'duplicate key "tiger"'


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b'{"messages":[]}', "model"),
        (b'{"model":"a"}', "messages"),
        (b'{"model":"a","messages":[{"content":"a"}]}', "messages[0].role"),
        (
            b'{"model":"a","messages":[{"role":"user","content":[{"type":"text"}]}]}',
            "messages[0].content[0].text",
        ),
    ],
)
def test_what_is_missing_is_named(body: bytes, param: str) -> None:
    deny = READING.decode(body, "", is_stream=False)
    assert isinstance(deny, Deny)
    assert (deny.code, deny.param) == ("missing_required_parameter", param)
    assert deny.reason == f"missing required parameter: {param}"


def message(**fields: object) -> list[object]:
    return [*HELLO, {"role": "assistant", **fields}]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": 5}, "model"),
        ({"model": None}, "model"),
        ({"messages": "hello"}, "messages"),
        ({"messages": {"role": "user"}}, "messages"),
        ({"stream": "true"}, "stream"),
        ({"stream": 1}, "stream"),
        ({"stream_options": []}, "stream_options"),
        ({"max_tokens": True}, "max_tokens"),
        ({"max_tokens": 5.0}, "max_tokens"),
        ({"max_completion_tokens": "5"}, "max_completion_tokens"),
        ({"n": [1]}, "n"),
        ({"messages": ["hello"]}, "messages[0]"),
        ({"messages": [*HELLO, {"role": 1}]}, "messages[1].role"),
        ({"messages": message(content=5)}, "messages[1].content"),
        ({"messages": message(content={"type": "text"})}, "messages[1].content"),
        ({"messages": message(content=["a"])}, "messages[1].content[0]"),
        (
            {"messages": message(content=[{"type": "text", "text": 1}])},
            "messages[1].content[0].text",
        ),
        ({"messages": message(tool_calls={})}, "messages[1].tool_calls"),
        ({"messages": message(tool_calls=[1])}, "messages[1].tool_calls[0]"),
        ({"messages": message(tool_calls=[{"function": 1}])}, "messages[1].tool_calls[0].function"),
        (
            {"messages": message(tool_calls=[{"function": {"arguments": {}}}])},
            "messages[1].tool_calls[0].function.arguments",
        ),
    ],
)
def test_wrong_types_are_named_by_their_place(fields: dict[str, object], param: str) -> None:
    assert refused(**fields) == (400, "invalid_type", param)


def test_a_wrong_type_says_what_was_expected_and_what_came() -> None:
    deny = decode(stream="yes")
    assert isinstance(deny, Deny)
    assert deny.reason == "stream must be a boolean, not a string"


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens", "n"])
@pytest.mark.parametrize("count", [0, -1, MAX_COUNT + 1, 10**30])
def test_counts_that_would_cheat_a_budget_are_refused(name: str, count: int) -> None:
    assert refused(**{name: count}) == (400, "invalid_value", name)


@pytest.mark.parametrize("name", ["Model", "MAX_TOKENS", "meſſages", "N", "stream_optionſ"])
def test_names_that_another_reader_folds_into_ours_are_refused(name: str) -> None:
    assert refused(**{name: "x"}) == (400, "ambiguous_key", name)


# --- texts ---------------------------------------------------------------------------------


def test_texts_are_read() -> None:
    assert READING.texts(accepted().document) == ("hello",)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('["\\n",' + "[" * 200 + "]" * 200 + "]", "too_deep"),
        (json.dumps([json.dumps([json.dumps([json.dumps(["\n"])])])]), "too_deep"),
        ('["\\n"' + ",0" * 500_000 + "]", "too_complex"),
    ],
    ids=["nesting", "levels", "values"],
)
def test_json_in_strings_that_cannot_be_read_is_refused(text: str, code: str) -> None:
    request = accepted(user=text)
    deny = READING.texts(request.document)
    assert isinstance(deny, Deny)
    assert (deny.status, deny.code) == (400, code)


# --- estimates -----------------------------------------------------------------------------


def estimate(*parts: dict[str, Any]) -> int:
    return READING.estimate_input_tokens(
        accepted(messages=[{"role": "user", "content": list(parts)}])
    )


def test_a_token_is_at_most_three_bytes() -> None:
    request = accepted(messages=[{"role": "user", "content": "x" * 3000}])
    assert READING.estimate_input_tokens(request) == -(-request.size_bytes // 2)


def test_an_image_costs_the_same_whatever_its_size() -> None:
    small = estimate({"type": "image_url", "image_url": {"url": "data:" + "A" * 10}})
    large = estimate({"type": "image_url", "image_url": {"url": "data:" + "A" * 1_000_000}})
    bare = estimate({"type": "image_url", "image_url": "data:" + "A" * 1_000_000})
    assert small == large
    assert IMAGE_TOKENS < bare < large < IMAGE_TOKENS + 100


def test_audio_costs_by_its_length() -> None:
    def of(size: int) -> int:
        return estimate({"type": "input_audio", "input_audio": {"data": "A" * size}})

    assert of(512_000) - of(0) == 1000


def test_malformed_attachments_are_estimated_too() -> None:
    assert estimate({"image_url": 5}, {"input_audio": {}}, {}) > IMAGE_TOKENS


# --- writing -------------------------------------------------------------------------------


def test_a_new_model_and_usage_are_spliced_in() -> None:
    body = b'{"model": "fast", "messages":[{"role":"user","content":"\\u0041"}], "stream":true}'
    request = READING.decode(body, "", is_stream=False)
    assert isinstance(request, Call)
    changes = {**READING.rename(request, 'gpt-"5"'), **READING.ask_usage(request)}
    assert json_spans.replace(body, changes) == (
        b'{"model": "gpt-\\"5\\"", "messages":[{"role":"user","content":"\\u0041"}], '
        b'"stream":true,"stream_options":{"include_usage":true}}'
    )


def test_usage_that_the_client_refused_is_asked_for() -> None:
    refused_usage = accepted(stream=True, stream_options={"include_usage": False})
    assert READING.ask_usage(refused_usage) == {"stream_options": b'{"include_usage":true}'}


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "invalid_json", "invalid_request_error"),
        (401, "invalid_api_key", "authentication_error"),
        (403, "forbidden", "permission_error"),
        (404, "model_not_found", "invalid_request_error"),
        (413, "request_too_large", "invalid_request_error"),
        (429, "rate_limit_exceeded", "rate_limit_error"),
        (429, "budget_exhausted", "insufficient_quota"),
        (500, "internal_error", "server_error"),
        (503, "guardrail_unavailable", "service_unavailable_error"),
    ],
)
def test_a_refusal_is_an_error_of_the_api(status: int, code: str, kind: str) -> None:
    headers, error = READING.encode_error(Deny(status, code, 'not "now"', param="model"))
    assert dict(headers) == {"content-type": "application/json"}
    assert json.loads(error) == {
        "error": {"message": 'not "now"', "type": kind, "param": "model", "code": code}
    }


def test_a_refusal_without_a_param_says_null() -> None:
    assert b'"param":null' in READING.encode_error(Deny(401, "invalid_api_key", "no")).body


def call(path_model: str = "", /, *, is_stream: bool = False, **fields: object) -> Call | Deny:
    document: dict[str, object] = {"messages": HELLO, **fields}
    return READING.decode(json.dumps(document).encode(), path_model, is_stream=is_stream)


def read(path_model: str = "", /, *, is_stream: bool = False, **fields: object) -> Call:
    found = call(path_model, is_stream=is_stream, **fields)
    assert isinstance(found, Call)
    return found


def test_the_reading_is_one_of_a_dialect() -> None:
    reading: Reading = READING
    body = json.dumps({"model": "fast", "messages": HELLO}).encode()
    found = reading.decode(body, "", is_stream=False)
    assert isinstance(found, Call)
    assert (found.model, found.is_stream) == ("fast", False)
    assert found.document == {"model": "fast", "messages": HELLO}
    assert found.size_bytes == len(body)
    assert reading.texts(found.document) == ("hello",)
    assert reading.estimate_input_tokens(found) > 0


def test_a_path_may_name_the_model() -> None:
    assert read("fast").model == "fast"
    assert read("fast", model="fast").model == "fast"
    for deny in (call("fast", model="smart"), call("fast", model=7), call("no name")):
        assert isinstance(deny, Deny)
        assert (deny.code, deny.param) == ("invalid_value", "model")


def test_a_call_tells_its_usage_unless_it_streams_and_was_not_asked() -> None:
    assert read("m").tells_usage
    assert not read("m", stream=True).tells_usage
    assert not read("m", is_stream=True).tells_usage
    options = {"include_usage": True, "include_obfuscation": False}
    asked = read("m", stream=True, stream_options=options)
    assert asked.tells_usage
    assert READING.ask_usage(asked) == {}


def test_the_usage_is_asked_for_beside_what_the_client_asked() -> None:
    silent = read("m", stream=True, stream_options={"include_obfuscation": False})
    changes = READING.ask_usage(silent)
    assert {name: json.loads(value) for name, value in changes.items()} == {
        "stream_options": {"include_obfuscation": False, "include_usage": True}
    }


def test_another_model_is_named_in_the_body() -> None:
    assert READING.rename(read("m"), 'a "b"') == {"model": b'"a \\"b\\""'}
