"""What answers about batches say of the work that was done, however they are cut."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from extproc.llm.others.batches import (
    LARGEST_LINE_BYTES,
    LARGEST_OBJECT_BYTES,
    Batch,
    Objects,
    Results,
    Work,
)
from gateway.usage import Usage
from tests.kit.cuts import cut

USED = {
    "completion_tokens": 0,
    "prompt_tokens": 0,
    "total_tokens": 51_279_835,
    "completion_tokens_details": None,
    "input_tokens": 31_493_594,
    "output_tokens": 19_786_241,
    "input_tokens_details": {"cached_tokens": 24_045_184},
    "output_tokens_details": {"reasoning_tokens": 18_373_824},
}
"""Of a batch of responses, with the names of chat completions beside those that count."""
DONE = {
    "id": "batch_1",
    "object": "batch",
    "status": "completed",
    "created_at": 1_757_679_709,
    "model": "gpt-5-2025-08-07",
    "usage": USED,
}
TOLD = Batch(
    "batch_1",
    1_757_679_709,
    Work(
        "gpt-5-2025-08-07",
        Usage(
            31_493_594, 19_786_241, 24_045_184, reasoning_tokens=18_373_824, service_tier="batch"
        ),
    ),
)


def batches(document: object, places: list[int] | None = None) -> list[Batch]:
    found = Objects()
    for piece in cut(json.dumps(document).encode(), places or []):
        found.feed(piece)
    return found.end()


@given(st.lists(st.integers(0, 10_000)))
def test_a_batch_tells_its_model_and_what_was_used(places: list[int]) -> None:
    assert batches(DONE, places) == [TOLD]


def test_a_batch_that_has_not_done_anything_tells_no_work() -> None:
    nothing: dict[str, Any] = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
    for usage in (None, {}, nothing, [], "much"):
        assert batches({**DONE, "usage": usage}) == [replace(TOLD, work=None)]
    assert batches({"id": "msgbatch_1", "type": "message_batch"}) == [Batch("msgbatch_1", 0, None)]


def test_a_page_of_batches_tells_of_each() -> None:
    page = {"object": "list", "data": [DONE, {**DONE, "id": "batch_2", "usage": None}, {}, 7]}
    assert batches(page) == [TOLD, Batch("batch_2", TOLD.created, None)]


def test_servers_that_count_as_chat_completions_do_are_understood() -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    (found,) = batches({"id": "b", "usage": usage})
    assert found.work == Work("", Usage(7, 3, service_tier="batch"))


def test_more_than_any_call_can_use_is_believed_of_a_batch() -> None:
    (found,) = batches({**DONE, "usage": {"input_tokens": 2**40, "output_tokens": 2**60}})
    assert found.work is not None
    used = found.work.usage
    assert (used.input_tokens, used.output_tokens) == (2**40, 0)


def test_what_is_no_batch_has_none() -> None:
    for document in ([], "batch", {}, {"id": 7}, {"object": "list", "data": {}}):
        assert batches(document) == []
    found = Objects()
    found.feed(b'{"id": "batch_1", ')
    assert found.end() == []


def test_an_answer_that_is_too_large_for_a_batch_is_not_kept() -> None:
    found = Objects()
    found.feed(b'{"id": "batch_1", "x": "')
    for _ in range(LARGEST_OBJECT_BYTES >> 16):
        found.feed(b"x" * (1 << 16))
    found.feed(b'"}')
    assert found.end() == []


def line(model: str, read: int, **more: Any) -> bytes:
    usage = {"input_tokens": read, "output_tokens": 3, "service_tier": "batch", **more}
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "text", "text": 'Hällo "\n{"usage": {"input_tokens": 9}}'}],
        "usage": usage,
    }
    said = {"custom_id": "1", "result": {"type": "succeeded", "message": message}}
    return json.dumps(said, ensure_ascii=False).encode()


ERROR = {"type": "error", "error": {"type": "invalid_request_error", "message": "no"}}
LINES = [
    line("claude-opus-5", 7, cache_read_input_tokens=2),
    json.dumps({"custom_id": "2", "result": {"type": "errored", "error": ERROR}}).encode(),
    json.dumps({"custom_id": "3", "result": {"type": "expired"}}).encode(),
    b"",
    b"no JSON",
    b"[" * 5000,
    b'{"result": {"message": {"model": null, "usage": {"input_tokens": 4}}}}',
    b'{"result": {"message": {"model": "m", "usage": null}}}',
    line("claude-haiku-5", 1),
]
WORKS = [
    Work("claude-opus-5", Usage(9, 3, 2, service_tier="batch")),
    Work("", Usage(4, 0, service_tier="batch")),
    Work("claude-haiku-5", Usage(1, 3, service_tier="batch")),
]


def works(data: bytes, places: list[int]) -> list[Work]:
    found, told = Results(), list[Work]()
    for piece in cut(data, places):
        told += found.feed(piece)
    return told + found.end()


@given(st.lists(st.integers(0, 10_000)), st.sampled_from([b"\n", b"\r\n"]), st.booleans())
def test_neither_cuts_nor_line_ends_matter(places: list[int], end: bytes, is_ended: bool) -> None:
    assert works(end.join(LINES) + end * is_ended, places) == WORKS


def test_every_cut_of_the_results() -> None:
    data = b"\n".join(LINES[:2] + LINES[-1:])
    for place in range(len(data)):
        assert works(data, [place]) == [WORKS[0], WORKS[2]]


def test_a_line_that_does_not_end_is_passed_over_and_not_kept() -> None:
    found = Results()
    assert found.feed(LINES[0] + b"\n" + b'{"x": "') == WORKS[:1]
    for _ in range((LARGEST_LINE_BYTES >> 20) + 1):
        assert found.feed(b"x" * (1 << 20)) == []
    assert found.feed(b'"}\n' + LINES[-1]) == []
    assert found.end() == WORKS[2:]
