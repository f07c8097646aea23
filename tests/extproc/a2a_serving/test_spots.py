from __future__ import annotations

from typing import Any

import pytest

from extproc.a2a_serving.spots import MOST_ARTIFACTS, StreamSpots
from extproc.policies.gathering import Blocked
from gateway.a2a import Binding


def chunk(name: str = "a", **more: object) -> dict[str, Any]:
    parts = [{"text": "x"}, {"data": {"text": "y"}}, {"text": "z"}]
    return {"artifactUpdate": {"artifact": {"artifactId": name, "parts": parts}, **more}}


def read(spots: StreamSpots, event: dict[str, Any]) -> Any:
    spots.look(event)
    return spots.read(event)


def test_texts_of_an_artifact_go_on_until_it_is_begun_anew() -> None:
    spots = StreamSpots(Binding.HTTP_JSON)
    first = read(spots, chunk(append=False))
    assert [each.text for each in first.spots] == ["x", "z"]
    assert first.ended == ()
    channels = [
        read(spots, event).spots[0].channel
        for event in (chunk(append=True), chunk("b"), chunk(append=True), chunk(append=False))
    ]
    own = first.spots[0].channel
    assert [each == own for each in channels] == [True, False, True, False]
    assert len({each[0] for each in channels}) == 1


def test_the_last_chunk_ends_all() -> None:
    assert read(StreamSpots(Binding.HTTP_JSON), chunk(lastChunk=True)).ended is None


@pytest.mark.parametrize(
    "event",
    [
        {"statusUpdate": {"status": {"message": {"parts": [{"text": "x"}]}}}},
        {"message": {"parts": [{"text": "x"}]}},
        {"task": {"id": "t"}},
        {"artifactUpdate": 5, "x": 1},
        {},
    ],
)
def test_whatever_else_comes_ends_what_was_said(event: dict[str, Any]) -> None:
    found = read(StreamSpots(Binding.GRPC), event)
    assert (tuple(found.spots), found.ended) == ((), None)


def test_over_jsonrpc_it_is_the_result() -> None:
    update = {"kind": "artifact-update", "artifact": {"parts": [{"kind": "text", "text": "x"}]}}
    found = read(StreamSpots(Binding.JSONRPC), {"result": update})
    assert [each.text for each in found.spots] == ["x"]
    assert read(StreamSpots(Binding.JSONRPC), {"error": {}}).ended is None


def test_artifacts_of_a_stream_are_bounded() -> None:
    spots = StreamSpots(Binding.HTTP_JSON)
    for number in range(MOST_ARTIFACTS):
        spots.look(chunk(f"{number}"))
    spots.look(chunk("0", append=True))
    with pytest.raises(Blocked):
        spots.look(chunk("more"))
