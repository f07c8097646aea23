from __future__ import annotations

import gzip
import json

import pytest

from extproc.events import ResponseBody
from extproc.llm.dialect import Asked, UnreadableAnswer
from extproc.llm.usage_reader import UsageReader
from extproc.overseeing import LARGEST_BUFFERED_BYTES, Guarding, Overseen
from gateway.model import Dialect, RegexGuard
from tests.kit.watched import answer_guard, watchman

ASKED = Asked("fast", "1", 1)
JSON = {"content-type": "application/json; charset=utf-8"}
SSE = {"content-type": "text/event-stream"}
ANSWER = json.dumps(
    {
        "choices": [{"message": {"role": "assistant", "content": "my SSN"}}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
    }
).encode()


def guarding(guard: RegexGuard, *, is_stream: bool = False) -> Guarding:
    return Guarding(watchman(guard), Dialect.OPENAI_CHAT, is_stream, False, False)


MASK, BLOCK = answer_guard("SSN", mask="*"), answer_guard("SSN")


def test_a_whole_answer_waits_with_its_status_however_long_it_is() -> None:
    known = Overseen(guarding(MASK), {**JSON, "content-length": "10"}, None)
    unknown = Overseen(guarding(MASK), JSON, None)
    large = {**JSON, "content-length": str(LARGEST_BUFFERED_BYTES + 1)}
    for overseen in (known, unknown, Overseen(guarding(MASK), large, None)):
        assert overseen.waits
    assert known.watch(()).is_whole
    assert unknown.watch(()).is_beginning
    assert not unknown.watch(()).is_whole


def test_a_stream_does_not_wait() -> None:
    overseen = Overseen(guarding(MASK, is_stream=True), SSE, None)
    assert not overseen.waits
    watch = overseen.watch((("a", "b"),), ("c",))
    assert (watch.is_whole, watch.is_beginning) == (False, False)
    assert watch.set_headers == (("a", "b"),)
    assert set(watch.remove_headers) == {"content-length", "content-encoding", "c"}


def test_a_stream_that_is_answered_whole_waits() -> None:
    assert Overseen(guarding(MASK, is_stream=True), JSON, None).waits


def test_what_is_compressed_is_read_and_its_usage_too() -> None:
    reader = UsageReader()
    overseen = Overseen(guarding(MASK), {**JSON, "content-encoding": "gzip"}, reader)
    said = overseen.take(ResponseBody(gzip.compress(ANSWER), True), ASKED)
    assert json.loads(said.body)["choices"][0]["message"]["content"] == "my *"
    assert said.denied is None
    reader.end()
    assert reader.usage is not None
    assert reader.usage.output_tokens == 4


def test_what_cannot_be_unpacked_does_not_go_on() -> None:
    with pytest.raises(UnreadableAnswer):
        Overseen(guarding(MASK), {**JSON, "content-encoding": "lzw"}, None)
    overseen = Overseen(guarding(MASK), {**JSON, "content-encoding": "gzip"}, None)
    with pytest.raises(UnreadableAnswer):
        overseen.take(ResponseBody(ANSWER, True), ASKED)


def test_what_envoy_shows_half_does_not_go_on() -> None:
    with pytest.raises(UnreadableAnswer):
        Overseen(guarding(MASK), JSON, None).take(ResponseBody(ANSWER, False), ASKED)


def test_a_denial_says_itself_where_the_status_has_gone_on() -> None:
    whole = Overseen(guarding(BLOCK), JSON, None).take(ResponseBody(ANSWER, True), ASKED)
    assert whole.denied is not None
    assert whole.body == b""
    event = b'data: {"choices":[{"index":0,"delta":{"content":"SSN"}}]}\n\n'
    overseen = Overseen(guarding(BLOCK, is_stream=True), SSE, None)
    streamed = overseen.take(ResponseBody(event, True), ASKED)
    assert streamed.denied is not None
    assert b"content_policy_violation" in streamed.body
    assert b"SSN" not in streamed.body
