"""InvokeModel: bodies that are the model's own, and what their answers say that they used."""

from __future__ import annotations

import base64
import json

import pytest
from msgspec.structs import replace

from extproc.llm.answer import Ended
from extproc.llm.bedrock.invoke import (
    INVOKE_READING,
    InvokeDecoding,
    usage_of,
    usage_of_headers,
    usage_of_invoke,
)
from extproc.llm.dialect import Call
from extproc.verdict import Deny
from gateway.usage import Usage
from tests.kit import bedrock


def decode(document: object) -> Call | Deny:
    return INVOKE_READING.decode(json.dumps(document).encode(), "m", is_stream=True)


@pytest.mark.parametrize(
    ("document", "limit"),
    [
        ({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 5, "messages": []}, 5),
        ({"prompt": "a", "max_gen_len": 6}, 6),
        ({"prompt": "a", "max_tokens_to_sample": 7}, 7),
        ({"inputText": "a", "textGenerationConfig": {"maxTokenCount": 8}}, 8),
        ({"messages": [], "inferenceConfig": {"maxTokens": 9}}, 9),
        ({"messages": [], "inferenceConfig": {"max_new_tokens": 10}}, 10),
        ({"messages": [], "max_completion_tokens": 11, "max_tokens": 12}, 12),
        ({"texts": ["a"], "inferenceConfig": None}, None),
    ],
)
def test_the_limit_is_found_in_each_form(document: object, limit: int | None) -> None:
    call = decode(document)
    assert isinstance(call, Call)
    assert (call.model, call.is_stream, call.max_output_tokens) == ("m", True, limit)
    assert INVOKE_READING.rename(call, "other") == INVOKE_READING.ask_usage(call) == {}


def test_several_choices_are_counted() -> None:
    call = decode({"prompt": "a", "num_generations": 3})
    assert isinstance(call, Call)
    assert call.choices == 3


@pytest.mark.parametrize(
    ("document", "param"),
    [
        ({"max_tokens": "5"}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"textGenerationConfig": []}, "textGenerationConfig"),
        ({"textGenerationConfig": {"maxTokenCount": -1}}, "textGenerationConfig.maxTokenCount"),
        ({"n": 1.5}, "n"),
        ([], None),
    ],
)
def test_what_cannot_be_decided_on_is_refused(document: object, param: str | None) -> None:
    deny = decode(document)
    assert isinstance(deny, Deny)
    assert (deny.status, deny.param) == (400, param)


def test_a_path_without_a_model_is_refused() -> None:
    assert isinstance(INVOKE_READING.decode(b"{}", "", is_stream=False), Deny)


@pytest.mark.parametrize(
    "document",
    [
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "zeb"},
                                                   {"type": "text", "text": "ra"}]}]},
        {"messages": [{"role": "user", "content": [{"text": "zeb"}, {"text": "ra"}]}]},
        {"system": [{"text": "zeb"}, {"text": "ra"}], "messages": []},
        {"messages": [{"role": "user", "content": [
            {"type": "tool_result", "content": [{"text": "zeb"}, {"text": "ra"}]}]}]},
        {"messages": [{"role": "user", "content": [
            {"toolResult": {"content": [{"text": "zeb"}, {"text": "ra"}]}}]}]},
    ],
)  # fmt: skip
def test_what_is_one_text_to_a_model_is_read_as_one(document: dict[str, object]) -> None:
    texts = INVOKE_READING.texts(document)
    assert not isinstance(texts, Deny)
    assert {"zeb", "ra", "zebra"} <= set(texts)


def test_everything_is_text() -> None:
    texts = INVOKE_READING.texts({"prompt": "a", "b": [{"c": "d"}, 5], "role": "user"})
    assert texts == ("prompt", "a", "b", "c", "d", "5", "role", "user")


class Masking:
    """A rewording."""

    def text(self, text: str) -> str:
        return text.replace("secret", "***")

    def across(self, pieces: list[str]) -> list[str]:
        return pieces

    def fixed(self, text: str) -> None:
        """Names stay."""


def test_everything_can_be_reworded() -> None:
    body = b'{"prompt":"a secret","max_tokens":5}'
    reworded = INVOKE_READING.reword(body, Masking())
    assert not isinstance(reworded, Deny)
    assert reworded.values == {"prompt": b'"a ***"'}


def test_too_deep_is_refused() -> None:
    deep = b'{"a":' * 199 + b"1" + b"}" * 199
    call = INVOKE_READING.decode(deep, "m", is_stream=False)
    deeper = {"a": json.loads('{"a":' * 250 + "1" + "}" * 250)}
    assert isinstance(call, Call)
    assert isinstance(INVOKE_READING.texts(deeper), Deny)
    assert isinstance(INVOKE_READING.reword(b"[", Masking()), Deny)


def test_the_estimate_is_by_size() -> None:
    call = decode({"prompt": "a" * 300})
    assert isinstance(call, Call)
    assert 150 < INVOKE_READING.estimate_input_tokens(call) < 165


def test_refusals_are_bedrocks() -> None:
    answer = INVOKE_READING.encode_error(Deny(429, "rate_limited", "slow down"))
    parsed = bedrock.read_answer(answer.body, 429, dict(answer.headers))
    assert parsed["Error"] == {"Code": "ThrottlingException", "Message": "slow down"}


CLAUDE = {
    "input_tokens": 5,
    "output_tokens": 2,
    "cache_read_input_tokens": 100,
    "cache_creation_input_tokens": 50,
    "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 30},
}


@pytest.mark.parametrize(
    ("document", "usage"),
    [
        (
            {"usage": CLAUDE},
            Usage(
                155,
                2,
                cached_input_tokens=100,
                cache_write_tokens=50,
                cache_write_1h_tokens=30,
            ),
        ),
        (
            {"usage": {"inputTokens": 5, "outputTokens": 2, "cacheReadInputTokenCount": 3}},
            Usage(8, 2, cached_input_tokens=3),
        ),
        (
            {
                "usage": {
                    "prompt_tokens": 5,
                    "completion_tokens": 2,
                    "prompt_tokens_details": {"cached_tokens": 3},
                }
            },
            Usage(5, 2, cached_input_tokens=3),
        ),
        (
            {"generation": "a", "prompt_token_count": 5, "generation_token_count": 2},
            Usage(5, 2),
        ),
        (
            {
                "inputTextTokenCount": 5,
                "results": [{"tokenCount": 2, "outputText": "a"}, {"tokenCount": 3}],
            },
            Usage(5, 5),
        ),
        ({"inputTextTokenCount": 5, "totalOutputTextTokenCount": 4}, Usage(5, 4)),
        ({"embedding": [0.1], "inputTextTokenCount": 5}, Usage(5, 0)),
        (
            {"meta": {"billed_units": {"input_tokens": 5, "output_tokens": 2}}},
            Usage(5, 2),
        ),
        (
            {
                "type": "message_stop",
                "amazon-bedrock-invocationMetrics": {
                    "inputTokenCount": 7,
                    "outputTokenCount": 126,
                    "invocationLatency": 4069,
                    "firstByteLatency": 1117,
                    "cacheReadInputTokenCount": 14486,
                    "cacheWriteInputTokenCount": 2238,
                },
            },
            Usage(16731, 126, cached_input_tokens=14486, cache_write_tokens=2238),
        ),
        ({"usage": {}}, None),
        ({"usage": {"input_tokens": 0, "output_tokens": 0}}, None),
        ({"meta": {"tokens": {}, "billed_units": 5}}, None),
        ({"text": "a"}, None),
    ],
)
def test_every_form_of_usage(document: dict[str, object], usage: Usage | None) -> None:
    found = usage_of_invoke(document)
    assert (found and replace(found, reported=())) == usage


def test_the_providers_own_names_are_kept() -> None:
    found = usage_of(CLAUDE)
    assert found is not None
    assert dict(found.reported) == {
        name: number for name, number in CLAUDE.items() if isinstance(number, int)
    }


def test_headers_tell_the_usage_too() -> None:
    found = usage_of_headers(
        [
            ("X-Amzn-Bedrock-Input-Token-Count", "5"),
            ("x-amzn-bedrock-output-token-count", "2"),
            ("x-amzn-bedrock-cache-read-input-token-count", "3"),
            ("x-amzn-bedrock-invocation-latency", "900"),
            ("x-amzn-bedrock-cache-write-input-token-count", "many"),
            ("content-type", "application/json"),
        ]
    )
    assert found is not None
    assert replace(found, reported=()) == Usage(8, 2, cached_input_tokens=3)
    assert usage_of_headers([("x-amzn-bedrock-input-token-count", "-5")]) is None
    assert usage_of_headers([]) is None


def chunk(document: object) -> bytes:
    encoded = base64.b64encode(json.dumps(document).encode()).decode()
    return bedrock.frame("chunk", {"bytes": encoded, "p": "abc"})


STREAM = (
    chunk({"type": "message_start", "message": {"usage": {"input_tokens": 5}}})
    + chunk({"type": "content_block_delta", "delta": {"text": "tokens"}})
    + chunk({"type": "message_delta", "usage": {"output_tokens": 9}})
    + chunk(
        {
            "type": "message_stop",
            "amazon-bedrock-invocationMetrics": {"inputTokenCount": 5, "outputTokenCount": 9},
        }
    )
)


def test_a_stream_tells_its_usage_at_its_end_wherever_it_is_cut() -> None:
    for cut in range(0, len(STREAM), 7):
        decoding = InvokeDecoding()
        assert not decoding.feed(STREAM[:cut])
        assert not decoding.feed(STREAM[cut:])
        assert decoding.end() == (Ended(decoding.usage),)
        assert decoding.usage is not None
        assert (decoding.usage.input_tokens, decoding.usage.output_tokens) == (5, 9)


def test_a_stream_that_says_no_more_of_its_usage_was_cut() -> None:
    decoding = InvokeDecoding()
    for chunk in ({"type": "message_start", "usage": {"input_tokens": 5}}, {"delta": "Hi"}):
        data = base64.b64encode(json.dumps(chunk).encode()).decode()
        decoding.feed(bedrock.frame("chunk", {"bytes": data}))
    assert not decoding.end()
    assert decoding.usage is not None


@pytest.mark.parametrize(
    "data",
    [
        b"no stream at all",
        bedrock.frame("chunk", {"bytes": 5}),
        bedrock.frame("chunk", {"bytes": "b2tlbg="}),
        bedrock.frame("chunk", {"bytes": base64.b64encode(b"[token").decode()}),
        bedrock.frame("throttlingException", {"message": "m"}, "exception"),
    ],
)
def test_what_cannot_be_read_has_no_usage(data: bytes) -> None:
    decoding = InvokeDecoding()
    decoding.feed(data)
    decoding.feed(data)
    assert decoding.usage is None
