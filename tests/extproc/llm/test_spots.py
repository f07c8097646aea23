"""What the samples say in pieces is found piece by piece, and each text for itself."""

from __future__ import annotations

import json
from collections import defaultdict

import pytest

from extproc.llm.frames import MessageFrames, SseFrames
from extproc.llm.spots import READS, anything
from gateway.model import Dialect, TextScope
from tests.kit.sample_providers import stream_of


def told(dialect: Dialect, sample: str) -> dict[tuple[TextScope, bool], list[str]]:
    """The texts of a sample, by where they stand."""
    frames = MessageFrames() if dialect is Dialect.BEDROCK else SseFrames()
    found: dict[object, tuple[tuple[TextScope, bool], list[str]]] = {}
    for frame in frames.feed(stream_of(dialect.value, sample), is_end=True):
        if frame.data == b"[DONE]":
            continue
        for spot in READS[dialect](json.loads(frame.data)).spots:
            place = spot.scope, spot.is_json
            found.setdefault(spot.channel, (place, []))[1].append(spot.text)
    texts = defaultdict(list)
    for place, pieces in found.values():
        texts[place].append("".join(pieces))
    return texts


@pytest.mark.parametrize("dialect", Dialect)
def test_a_text_is_told_in_pieces(dialect: Dialect) -> None:
    (text,) = told(dialect, "text")[TextScope.ASSISTANT, False]
    assert any(name in text for name in ("Paris", "Ararat", "Norway"))


@pytest.mark.parametrize("dialect", [each for each in Dialect if each is not Dialect.GEMINI])
def test_arguments_are_told_in_pieces_of_json(dialect: Dialect) -> None:
    found = told(dialect, "tool_calls")[TextScope.TOOL_INPUT, True]
    assert found
    for arguments in filter(None, found):
        assert isinstance(json.loads(arguments), dict)


@pytest.mark.parametrize("dialect", Dialect)
def test_thoughts_are_told_apart(dialect: Dialect) -> None:
    found = told(dialect, "reasoning")
    assert "".join(found[TextScope.REASONING, False])
    assert "".join(found[TextScope.ASSISTANT, False])


ENDS = {
    Dialect.OPENAI_CHAT: {"choices": [{"index": 2, "delta": {}, "finish_reason": "stop"}]},
    Dialect.OPENAI_RESPONSES: {"type": "response.output_item.done", "item_id": 2},
    Dialect.ANTHROPIC: {"type": "content_block_stop", "index": 2},
    Dialect.GEMINI: {"candidates": [{"index": 2, "finishReason": "STOP"}]},
    Dialect.BEDROCK: {"contentBlockIndex": 2},
}


@pytest.mark.parametrize("dialect", Dialect)
def test_what_ends_is_known(dialect: Dialect) -> None:
    assert list(READS[dialect](ENDS[dialect]).ended or ()) == [2]


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize("event", [{}, [], "x", 1, {"choices": 1}, {"delta": []}, {"type": []}])
def test_what_is_no_event_has_no_spots(dialect: Dialect, event: object) -> None:
    assert list(READS[dialect](event).spots) == []


def test_of_what_nobody_knows_every_string_goes_on_at_its_place() -> None:
    spots = anything({"a": {"b": "x", "c": [{"d": "y"}]}, "n": 1}).spots
    assert [(spot.channel, spot.text) for spot in spots] == [
        ((0, "a", "b"), "x"),
        ((0, "a", "c", 0, "d"), "y"),
    ]
