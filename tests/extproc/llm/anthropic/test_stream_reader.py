from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.llm.answer import (
    CallDelta,
    CallStarted,
    Citation,
    Cited,
    Ended,
    Failed,
    Fault,
    Finished,
    PartEnded,
    RefusalDelta,
    Started,
    Stop,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
)
from extproc.llm.anthropic.stream_reader import MessagesDecoding
from extproc.llm.request import Signature
from extproc.protocols.sse import LARGEST_EVENT_BYTES
from gateway.model import Dialect
from tests.kit.cuts import cut

FOLDER = Path(__file__).parents[3] / "translations/anthropic/streams"
SAMPLES = {path.stem: path.read_bytes() for path in sorted(FOLDER.glob("*.sse"))}
SEAL = Signature("EqQBCkYIBBgCIkAxT3BhcXVlU2lnbmF0dXJlT2ZBVGhpbmtpbmdCbG9jaw==", Dialect.ANTHROPIC)


def decoded(*pieces: bytes) -> list[StreamEvent]:
    decoding = MessagesDecoding()
    found = [event for piece in pieces for event in decoding.feed(piece)]
    return [*found, *decoding.end()]


def middle(name: str) -> list[StreamEvent]:
    """A sample without its beginning and its usage."""
    first, *rest, last = decoded(SAMPLES[name])
    assert isinstance(first, Started)
    assert isinstance(last, Ended)
    return rest


def lines(*events: dict[str, object]) -> bytes:
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)


def test_a_text_is_told_as_it_comes() -> None:
    first, *rest = decoded(SAMPLES["text"])
    assert isinstance(first, Started)
    assert (first.answer_id, first.model) == (
        "msg_01XFDUDYJgAACzvnptvVoYEL",
        "claude-sonnet-4-5-20250929",
    )
    assert first.usage is not None
    assert first.usage.input_tokens == 25
    assert rest[:-1] == [
        TextDelta("Ararat is "),
        TextDelta("5137 metres high — "),
        TextDelta("Արարատ."),
        PartEnded(),
        Finished(Stop.END),
    ]
    last = rest[-1]
    assert isinstance(last, Ended)
    assert last.usage is not None
    assert (last.usage.input_tokens, last.usage.output_tokens) == (25, 12)


def test_calls_are_numbered_and_their_arguments_come_in_pieces() -> None:
    assert middle("parallel_calls") == [
        CallStarted(0, "toolu_01A09q90qw90lq917835lq9", "get_weather"),
        CallDelta(0, '{"ci'),
        CallDelta(0, 'ty": "Yerevan"}'),
        PartEnded(),
        CallStarted(1, "toolu_01T1x1fJ34qAmk2tNTrN7Up6", "get_weather"),
        CallDelta(1, '{"city": "Paris", "days": '),
        CallDelta(1, "[1, 2], "),
        CallDelta(1, '"unit": null}'),
        PartEnded(),
        CallStarted(2, "toolu_01NoArguments", "now"),
        PartEnded(),
        Finished(Stop.TOOL_CALLS),
    ]


def test_thinking_ends_with_its_seal() -> None:
    assert middle("reasoning")[:4] == [
        ThinkingDelta("27 * 453 "),
        ThinkingDelta("= 12231."),
        ThinkingDelta("", SEAL),
        PartEnded(),
    ]
    redacted = Signature("EmwKAhgBEgy3va3pzix", Dialect.ANTHROPIC)
    assert middle("reasoning_redacted")[:4] == [
        ThinkingDelta("", redacted, is_redacted=True),
        PartEnded(),
        ThinkingDelta("", SEAL),
        PartEnded(),
    ]


def test_citations_follow_the_text_that_they_are_for() -> None:
    assert middle("citations") == [
        TextDelta("By the sources, "),
        PartEnded(),
        TextDelta("it is 5137 m "),
        TextDelta("high."),
        Cited(Citation("https://geo.example/ararat", "Ararat", 16, 34)),
        PartEnded(),
        Finished(Stop.END),
    ]


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("max_tokens", [Finished(Stop.MAX_TOKENS)]),
        ("stop_sequence", [Finished(Stop.SEQUENCE, "three")]),
        (
            "refusal",
            [
                RefusalDelta("This touches on biology that I do not help with."),
                Finished(Stop.REFUSAL),
            ],
        ),
    ],
)
def test_streams_end_for_every_reason(name: str, end: list[StreamEvent]) -> None:
    assert middle(name)[2:] == end


def test_usage_is_what_was_told_last_of_each_count() -> None:
    last = decoded(SAMPLES["cached"])[-1]
    assert isinstance(last, Ended)
    assert last.usage is not None
    assert (last.usage.input_tokens, last.usage.output_tokens) == (2709, 12)
    assert last.usage.cache_write_1h_tokens == 500
    decoding = MessagesDecoding()
    assert decoding.usage is None
    decoding.feed(SAMPLES["cached"][:700])
    assert decoding.usage is not None
    assert decoding.usage.cached_input_tokens == 2000


def test_events_and_blocks_that_are_not_known_are_passed_over() -> None:
    assert middle("unknown_events") == [TextDelta("Hello."), PartEnded(), Finished(Stop.END)]


def test_an_error_of_the_provider_ends_the_stream() -> None:
    last = decoded(SAMPLES["overloaded"] + SAMPLES["text"])[-1]
    assert isinstance(last, Failed)
    assert (last.error.status, last.error.fault) == (529, Fault.OVERLOADED)
    assert last.usage is not None
    assert last.usage.input_tokens == 25


@pytest.mark.parametrize("name", [name for name in SAMPLES if name != "overloaded"])
def test_a_stream_that_breaks_off_has_failed(name: str) -> None:
    whole = decoded(SAMPLES[name])
    blocks = SAMPLES[name].split(b"\n\n")[:-1]
    for count in range(len(blocks)):
        found = decoded(b"".join(block + b"\n\n" for block in blocks[:count]))
        assert found[:-1] == whole[: len(found) - 1]
        assert isinstance(found[-1], Failed)
        assert found[-1].error.fault is Fault.SERVER


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_neither_cuts_nor_line_ends_matter(name: str, line_end: str) -> None:
    data = SAMPLES[name].replace(b"\n", line_end.encode())
    whole = decoded(SAMPLES[name])
    for place in range(0, len(data), 7):
        assert decoded(data[:place], data[place:]) == whole
    assert decoded(*[data[at : at + 1] for at in range(len(data))]) == whole


@given(st.sampled_from(sorted(SAMPLES)), st.lists(st.integers(0, 99_999), max_size=9))
def test_any_cuts_give_the_same_events(name: str, places: Sequence[int]) -> None:
    assert decoded(*cut(SAMPLES[name], places)) == decoded(SAMPLES[name])


def test_the_last_event_counts_though_no_empty_line_ends_it() -> None:
    assert decoded(SAMPLES["text"].rstrip(b"\n")) == decoded(SAMPLES["text"])


@pytest.mark.parametrize("data", [b"data: {\n\n", b"data: [1]\n\n", b"data: nothing\n\n"])
def test_what_is_not_json_fails(data: bytes) -> None:
    decoding = MessagesDecoding()
    (failed,) = decoding.feed(data)
    assert isinstance(failed, Failed)
    assert decoding.feed(SAMPLES["text"]) == ()
    assert decoding.end() == ()


def test_an_event_without_an_end_fails() -> None:
    (failed,) = MessagesDecoding().feed(b"data: " + b"x" * (LARGEST_EVENT_BYTES + 1))
    assert isinstance(failed, Failed)


def test_a_call_may_be_told_all_at_once_and_text_at_its_start() -> None:
    call = {"type": "tool_use", "id": "1", "name": "f", "input": {"a": 1}}
    found = decoded(
        lines(
            {"type": "content_block_start", "index": 0, "content_block": call},
            {"type": "content_block_stop", "index": 0},
            {
                "type": "content_block_start",
                "index": 1,
                "content_block": {"type": "text", "text": "a"},
            },
            {"type": "message_stop"},
        )
    )
    assert found == [
        CallStarted(0, "1", "f"),
        CallDelta(0, '{"a":1}'),
        PartEnded(),
        TextDelta("a"),
        Finished(Stop.TOOL_CALLS),
        Ended(None),
    ]


def test_events_of_a_strange_form_say_nothing() -> None:
    strange: list[dict[str, object]] = [
        {"type": 5},
        {"type": "message_start"},
        {"type": "message_start", "message": []},
        {"type": "content_block_start", "index": 0, "content_block": 5},
        {"type": "content_block_delta", "index": 0, "delta": "a"},
        {"type": "content_block_delta", "index": 9, "delta": {"type": "input_json_delta"}},
        {"type": "content_block_stop", "index": 3},
        {"type": "message_delta", "delta": None, "usage": 3},
        {"type": "message_delta", "delta": {"stop_reason": None}},
    ]
    assert decoded(lines(*strange, {"type": "message_stop"})) == [Finished(Stop.END), Ended(None)]


@pytest.mark.parametrize("index", [[], {}])
def test_an_index_that_is_no_number_fails_no_one(index: object) -> None:
    block = {"type": "text", "text": "a"}
    decoded(
        lines(
            {"type": "content_block_start", "index": index, "content_block": block},
            {"type": "content_block_delta", "index": index, "delta": {"type": "text_delta"}},
            {"type": "content_block_stop", "index": index},
        )
    )
