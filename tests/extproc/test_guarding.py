from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.guarding import Guarded, guarded
from extproc.llm.dialect import Asked, UnreadableAnswer
from extproc.llm.frames import MessageFrames
from extproc.protocols import event_stream
from extproc.protocols.sse import SseDecoder
from gateway.model import (
    Dialect,
    GuardAction,
    GuardTerms,
    Mode,
    Phase,
    RegexGuard,
    RemoteGuard,
    TextScope,
)
from tests.kit.counted import Counted
from tests.kit.opinions import Webhooks, objecting, replacing, webhook_guard
from tests.kit.sample_providers import stream_of
from tests.kit.watched import answer_guard, passed, watchman

ASKED = Asked("fast", "1", 1_700_000_000)


def sse(*events: object) -> bytes:
    return b"".join(b"data: %s\n\n" % json.dumps(event).encode() for event in events)


def data_of(said: bytes) -> list[Any]:
    decoder = SseDecoder()
    events = decoder.feed(said) + decoder.end()
    return [json.loads(event.data) for event in events if event.data != b"[DONE]"]


def streamed(*guards: RegexGuard, dialect: Dialect | None = Dialect.OPENAI_CHAT) -> Guarded:
    return guarded(watchman(*guards), dialect, is_stream=True, is_framed=False, is_array=False)


def whole(*guards: RegexGuard, tally: Counted | None = None) -> Guarded:
    return guarded(
        watchman(*guards, tally=tally),
        Dialect.OPENAI_CHAT,
        is_stream=False,
        is_framed=False,
        is_array=False,
    )


def chunk(index: int = 0, finish: str | None = None, **delta: object) -> dict[str, Any]:
    choice = {"index": index, "delta": delta, "finish_reason": finish, "logprobs": None}
    return {"id": "x", "object": "chat.completion.chunk", "created": 1, "choices": [choice]}


def said_in(said: bytes, name: str = "content", index: int = 0) -> str:
    return "".join(
        choice["delta"].get(name) or ""
        for event in data_of(said)
        for choice in event["choices"]
        if choice["index"] == index
    )


# --- whole ----------------------------------------------------------------------------------

WHOLE = {
    "id": "SSN-is-no-text",
    "created": 4111111111111111,
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "my SSN",
                "reasoning_content": "his SSN",
                "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": '{"a":"SSN"}'}}],
            },
            "logprobs": {"content": [{"token": "SSN", "logprob": -1}]},
        }
    ],
}


def test_a_whole_answer_is_masked_and_the_rest_stays() -> None:
    body = json.dumps(WHOLE).encode()
    said = json.loads(passed(whole(answer_guard("SSN", mask="*")), [body[:40], body[40:]]))
    message = said["choices"][0]["message"]
    assert message["content"] == "my *"
    assert message["reasoning_content"] == "his *"
    assert message["tool_calls"][0]["function"]["arguments"] == '{"a":"*"}'
    assert said["choices"][0]["logprobs"] is None
    assert (said["id"], said["created"]) == (WHOLE["id"], WHOLE["created"])
    assert passed(whole(answer_guard("nothing", mask="*")), [body]) == body


@pytest.mark.parametrize(
    ("scope", "name"),
    [(TextScope.ASSISTANT, "content"), (TextScope.REASONING, "reasoning_content")],
)
def test_a_guard_reads_what_stands_where_it_looks(scope: TextScope, name: str) -> None:
    body = json.dumps(WHOLE).encode()
    said = json.loads(passed(whole(answer_guard("SSN", mask="*", texts=[scope])), [body]))
    message = WHOLE["choices"][0]["message"]  # type: ignore[index]
    changed = {key for key, text in said["choices"][0]["message"].items() if text != message[key]}
    assert changed == {name}


def test_a_whole_answer_is_denied() -> None:
    answer = whole(answer_guard("SSN"))
    assert passed(answer, [json.dumps(WHOLE).encode()]) == b""
    assert answer.denied is not None
    assert answer.denied.code == "content_policy_violation"


def test_what_cannot_be_read_does_not_go_on() -> None:
    with pytest.raises(UnreadableAnswer):
        passed(whole(answer_guard("SSN")), [b"<html>SSN</html>"])
    with pytest.raises(UnreadableAnswer):
        passed(streamed(answer_guard("SSN")), [b"data: SSN\n\n"])


def test_audits_are_told_once_of_an_answer() -> None:
    tally = Counted()
    man = watchman(answer_guard("SSN", mode=Mode.AUDIT), tally=tally)
    answer = guarded(man, Dialect.OPENAI_CHAT, is_stream=True, is_framed=False, is_array=False)
    events = sse(*[chunk(content="SSN ") for _ in range(30)])
    assert said_in(passed(answer, [events])) == "SSN " * 30
    man.end()
    man.end()
    assert tally.counts == {("guard", "g", "deny"): 1}
    assert not tally.enforced


def test_a_guard_that_masks_is_counted_once_for_an_answer() -> None:
    tally = Counted()
    man = watchman(answer_guard("SSN", mask="*"), tally=tally)
    answer = guarded(man, Dialect.OPENAI_CHAT, is_stream=True, is_framed=False, is_array=False)
    events = sse(*[chunk(content="SSN ") for _ in range(30)])
    assert said_in(passed(answer, [events])) == "* " * 30
    man.end()
    man.end()
    assert tally.enforced == {("guard", "g", "mask", ""): 1}


# --- streamed -------------------------------------------------------------------------------

texts = st.text("SN ab\n", max_size=80)


def cut(text: str, places: Iterable[int]) -> list[str]:
    ends = sorted(place for place in places if place <= len(text))
    return [text[a:b] for a, b in zip([0, *ends], [*ends, len(text)], strict=True)]


@given(texts, texts, st.data())
@settings(deadline=None)
def test_neither_events_nor_cuts_matter(content: str, thought: str, data: st.DataObject) -> None:
    """Thoughts, then the text, in events of any size, in pieces of any size."""
    places = st.lists(st.integers(0, 80), max_size=12)
    events = [chunk(reasoning_content=each) for each in cut(thought, data.draw(places))]
    events += [chunk(content=each) for each in cut(content, data.draw(places))]
    stream = sse(*events, chunk(finish="stop")) + b"data: [DONE]\n\n"
    size = data.draw(st.integers(1, 200))
    pieces = [stream[start : start + size] for start in range(0, len(stream), size)]
    said = passed(streamed(answer_guard("SSN", mask="*")), pieces)
    assert said_in(said) == content.replace("SSN", "*")
    assert said_in(said, "reasoning_content") == thought.replace("SSN", "*")
    assert said.endswith(b"data: [DONE]\n\n")
    assert [event["choices"][0]["finish_reason"] for event in data_of(said)].count("stop") == 1

    blocking = streamed(answer_guard("SSN"))
    gone = passed(blocking, pieces)
    assert (blocking.denied is not None) == ("SSN" in content or "SSN" in thought)
    assert "SSN" not in said_in(gone)
    assert "SSN" not in said_in(gone, "reasoning_content")
    if blocking.denied is None:
        assert gone == stream


def test_choices_that_take_turns_do_not_wait_for_each_other() -> None:
    answer = streamed(answer_guard("SSN", mask="*"))
    first = b"".join(
        answer.feed(sse(chunk(index, content=f"{turn} words ")), is_end=False)
        for turn in range(20)
        for index in (0, 1)
    )
    assert len(said_in(first)) > 80
    rest = answer.feed(sse(chunk(0, "stop"), chunk(1, "stop")), is_end=True)
    for index in (0, 1):
        assert said_in(first + rest, index=index) == "".join(f"{t} words " for t in range(20))


def test_tokens_flow_while_others_are_held() -> None:
    answer = streamed(answer_guard("SSN", mask="*", window=24))
    held = 0
    for turn in range(50):
        sent = said_in(answer.feed(sse(chunk(content="word ")), is_end=False))
        held += 5 - len(sent)
        assert held <= 24 + 5, turn


def test_arguments_of_calls_are_masked_as_they_stream() -> None:
    arguments = json.dumps({"to": "SSN", "n": "Aß\\"}, ensure_ascii=True)
    events = [
        chunk(tool_calls=[{"index": 0, "id": "1", "function": {"name": "f", "arguments": ""}}]),
        *[
            chunk(tool_calls=[{"index": 0, "function": {"arguments": each}}])
            for each in arguments.replace("SSN", r"S\u0053N")
        ],
        chunk(finish="tool_calls"),
    ]
    said = passed(streamed(answer_guard("SSN", mask='"')), [sse(*events)])
    whole = "".join(
        call["function"]["arguments"]
        for event in data_of(said)
        for call in event["choices"][0]["delta"].get("tool_calls", ())
    )
    assert json.loads(whole) == {"to": '"', "n": "Aß\\"}


def test_how_likely_tokens_were_goes_with_what_they_spelled() -> None:
    event = chunk(content="my SSN")
    event["choices"][0]["logprobs"] = {"content": [{"token": "SSN"}]}
    (said,) = data_of(passed(streamed(answer_guard("SSN", mask="*")), [sse(event)]))
    assert said["choices"][0]["logprobs"] is None
    (said,) = data_of(passed(streamed(answer_guard("x", mask="*")), [sse(event)]))
    assert said == event


def test_what_is_told_whole_in_an_event_is_guarded_too() -> None:
    done = {"type": "response.output_text.done", "item_id": "1", "text": "my SSN", "logprobs": []}
    answer = streamed(answer_guard("SSN", mask="*"), dialect=Dialect.OPENAI_RESPONSES)
    (said,) = data_of(passed(answer, [sse(done)]))
    assert said == {**done, "text": "my *"}
    name = chunk(tool_calls=[{"index": 0, "function": {"name": "SSN", "arguments": ""}}])
    blocking = streamed(answer_guard("SSN"))
    assert passed(blocking, [sse(name)]) == b""
    assert blocking.denied is not None


@pytest.mark.parametrize("dialect", Dialect)
def test_the_samples_of_each_dialect_pass_as_they_are_where_nothing_is_found(
    dialect: Dialect,
) -> None:
    for sample in ("text", "tool_calls", "reasoning"):
        stream = stream_of(dialect.value, sample)
        pieces = [stream[at : at + 100] for at in range(0, len(stream), 100)]
        said = passed(streamed(answer_guard("zzz", mask="*"), dialect=dialect), pieces)
        if dialect is Dialect.BEDROCK:
            read = MessageFrames()
            assert said == b"".join(map(read.said, read.feed(stream, is_end=True)))
        else:
            assert data_of(said) == data_of(stream)


@pytest.mark.parametrize("dialect", Dialect)
def test_what_is_blocked_ends_in_an_error_of_the_dialect(dialect: Dialect) -> None:
    answer = streamed(answer_guard("Paris|metres|Oslo"), dialect=dialect)
    passed(answer, [stream_of(dialect.value, "text")])
    assert answer.denied is not None
    last = answer.refused(answer.denied, dialect, ASKED)
    assert b"not that" in last
    if dialect is Dialect.BEDROCK:
        (message,) = event_stream.MessageDecoder().feed(last)
        assert message.text(":exception-type") == "validationException"
    else:
        (event,) = data_of(last)
        assert event.get("type") in (None, "error", "response.failed")


def test_arrays_of_gemini_stay_arrays() -> None:
    items = [
        {"candidates": [{"index": 0, "content": {"parts": [{"text": each}]}}]}
        for each in ("my S", "S", 'N ]}"', "{")
    ]
    stream = json.dumps(items, indent=1).encode()
    man = watchman(answer_guard("SSN", mask="*"))
    answer = guarded(man, Dialect.GEMINI, is_stream=True, is_framed=False, is_array=True)
    said = json.loads(passed(answer, [stream[at : at + 7] for at in range(0, len(stream), 7)]))
    parts = [item["candidates"][0]["content"]["parts"][0]["text"] for item in said]
    assert "".join(parts) == 'my * ]}"{'

    man = watchman(answer_guard("SSN"))
    answer = guarded(man, Dialect.GEMINI, is_stream=True, is_framed=False, is_array=True)
    gone = passed(answer, [stream])
    assert answer.denied is not None
    ended = json.loads(gone + answer.refused(answer.denied, Dialect.GEMINI, ASKED))
    assert "not that" in ended[-1]["error"]["message"]


def frame_of(event: object) -> bytes:
    headers = event_stream.texts({":event-type": "chunk", ":message-type": "event"})
    held = {"bytes": base64.b64encode(json.dumps(event).encode()).decode()}
    return event_stream.encode(event_stream.Message(headers, json.dumps(held).encode()))


@pytest.mark.parametrize("dialect", [None, Dialect.ANTHROPIC])
def test_models_in_frames_are_guarded_whoever_they_are(dialect: Dialect | None) -> None:
    def event(text: str) -> object:
        if dialect is None:
            return {"generation": text, "stop_reason": None}
        return {"type": "content_block_delta", "index": 0, "delta": {"text": text}}

    stream = b"".join(frame_of(event(each)) for each in ("my S", "S", "N", "."))
    man = watchman(answer_guard("SSN", mask="*"))
    answer = guarded(man, dialect, is_stream=True, is_framed=True, is_array=False)
    said = ""
    for message in event_stream.MessageDecoder().feed(passed(answer, [stream])):
        told = json.loads(base64.b64decode(json.loads(message.payload)["bytes"]))
        said += told["generation"] if dialect is None else told["delta"]["text"]
    assert said == "my *."


def test_a_guard_for_others_does_not_look() -> None:
    assert not watchman(answer_guard("SSN", model="other")).steps
    assert watchman(answer_guard("SSN", model="fast")).steps


def test_a_request_is_read_by_guards_of_requests_alone() -> None:
    request = RegexGuard("r", ("SSN",), GuardAction.BLOCK, "", "")
    assert not watchman(request).steps


# --- services -------------------------------------------------------------------------------


def past_services(webhooks: Webhooks, answer: Guarded, pieces: Sequence[bytes]) -> bytes:
    """All that goes on, when services are asked as soon as they have to be."""

    async def run() -> bytes:
        said, last = b"", len(pieces) - 1
        for at, piece in enumerate(pieces):
            said += answer.feed(piece, is_end=at == last)
            while questions := answer.questions:
                said += answer.answered(await webhooks.inquirer.opinions(questions))
        return said

    return asyncio.run(run())


def asking(window: int) -> RemoteGuard:
    return webhook_guard("own", terms=GuardTerms(phase=Phase.RESPONSE, window=window))


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize("window", [1, 60, 4000])
def test_samples_of_each_dialect_pass_as_they_are_where_a_service_lets_them(
    dialect: Dialect, window: int
) -> None:
    for sample in ("text", "reasoning", "tool_calls"):
        webhooks = Webhooks({"own": lambda texts: {"verdict": "pass"}})
        body = stream_of(dialect, sample)
        answer = guarded(
            watchman(asking(window)), dialect, is_stream=True, is_framed=False, is_array=False
        )
        pieces = [body[at : at + 97] for at in range(0, len(body), 97)]
        unfound = passed(streamed(answer_guard("zzz", mask="*"), dialect=dialect), pieces)
        assert past_services(webhooks, answer, pieces) == unfound
        assert webhooks.asked


@given(st.text(alphabet="ab. \n", max_size=60), st.data())
@settings(deadline=None)
def test_cuts_do_not_matter_to_what_services_pass(content: str, data: st.DataObject) -> None:
    places = st.lists(st.integers(0, len(content)), max_size=8)
    events = [chunk(content=part) for part in cut(content, data.draw(places))]
    body = sse(*events, chunk(finish="stop")) + b"data: [DONE]\n\n"
    webhooks = Webhooks({"own": replacing("a", "a")})
    mask = answer_guard("aa", mask="*", window=3)
    answer = guarded(
        watchman(asking(5), mask, asking(9)),
        Dialect.OPENAI_CHAT,
        is_stream=True,
        is_framed=False,
        is_array=False,
    )
    ends = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=8)))
    pieces = [body[i:j] for i, j in pairwise([0, *ends, len(body)])]
    said = past_services(webhooks, answer, pieces)
    assert said_in(said) == content.replace("aa", "*")
    assert said.endswith(b"data: [DONE]\n\n")


def test_what_is_told_whole_in_an_event_is_asked_about_too() -> None:
    webhooks = Webhooks({"own": replacing("SSN", "[n]")})
    done = {"type": "response.completed", "response": {"output": [{"content": [{"text": "SSN"}]}]}}
    answer = guarded(
        watchman(asking(10)),
        Dialect.OPENAI_RESPONSES,
        is_stream=True,
        is_framed=False,
        is_array=False,
    )
    said = past_services(webhooks, answer, [sse(done)])
    assert data_of(said)[0]["response"]["output"][0]["content"][0]["text"] == "[n]"


def test_what_is_told_whole_and_blocked_by_a_service_does_not_go_on() -> None:
    webhooks = Webhooks({"own": objecting("SSN")})
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": {"id": "1"}},
        {"type": "response.output_text.done", "item_id": "1", "text": "my SSN"},
        {"type": "response.completed", "response": {"id": "1"}},
    ]
    answer = guarded(
        watchman(asking(10)),
        Dialect.OPENAI_RESPONSES,
        is_stream=True,
        is_framed=False,
        is_array=False,
    )
    said = past_services(webhooks, answer, [sse(*events)])
    assert answer.denied is not None
    assert data_of(said) == events[:1]


def test_what_is_told_whole_again_is_asked_about_once() -> None:
    webhooks = Webhooks({"own": replacing("SSN", "[n]")})
    done = {"type": "response.output_text.done", "item_id": "1", "text": "my SSN"}
    item = {"content": [{"type": "output_text", "text": "my SSN"}]}
    events = [
        done,
        {"type": "response.output_item.done", "item": item},
        {"type": "response.completed", "response": {"output": [item]}},
    ]
    answer = guarded(
        watchman(asking(10)),
        Dialect.OPENAI_RESPONSES,
        is_stream=True,
        is_framed=False,
        is_array=False,
    )
    said = past_services(webhooks, answer, [sse(event) for event in events])
    assert said.count(b"my [n]") == 3
    assert [texts for _, texts in webhooks.asked] == [["my SSN"]]
