"""What a delta stream says to what it hears: `tests/transcripts/ads_delta`, and the limits."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.discovery import DeltaConversation, snapshot_said
from tests.kit.transcript import check_transcript
from xds_server.snapshot import CLUSTER, Named, Resource, Snapshot
from xds_server.subscription import (
    MAX_IN_FLIGHT,
    MAX_NAMES,
    MAX_TYPES,
    BadRequest,
    DeltaRequest,
    StateRequest,
)
from xds_server.subscription.delta import DeltaStream

TRANSCRIPTS = Path(__file__).parents[2] / "transcripts" / "ads_delta"


@pytest.mark.parametrize("name", sorted(path.stem for path in TRANSCRIPTS.glob("*.txt")))
def test_the_stream_speaks_as_written(name: str) -> None:
    check_transcript(TRANSCRIPTS / f"{name}.txt", DeltaConversation().say)


def test_a_request_without_a_type_ends_the_stream() -> None:
    with pytest.raises(BadRequest, match="type_url"):
        DeltaStream(None).receive(DeltaRequest(""))


def test_a_request_of_the_other_variant_is_none() -> None:
    with pytest.raises(TypeError):
        DeltaStream(None).receive(StateRequest(CLUSTER))


def test_a_stream_asks_for_a_bounded_number_of_types() -> None:
    stream = DeltaStream(None)
    for number in range(MAX_TYPES):
        stream.receive(DeltaRequest(f"type/{number}"))
    with pytest.raises(BadRequest, match="types"):
        stream.receive(DeltaRequest("type/one-more"))


def test_a_stream_asks_for_a_bounded_number_of_names() -> None:
    stream = DeltaStream(None)
    names = tuple(str(number) for number in range(MAX_NAMES))
    stream.receive(DeltaRequest(CLUSTER, subscribe=names))
    with pytest.raises(BadRequest, match="names"):
        stream.receive(DeltaRequest(CLUSTER, subscribe=("one-more",)))


def test_a_stream_declares_a_bounded_number_of_names() -> None:
    held = {str(number): "1" for number in range(MAX_NAMES + 1)}
    with pytest.raises(BadRequest, match="names"):
        DeltaStream(None).receive(DeltaRequest(CLUSTER, initial_versions=held))


def test_who_never_answers_is_told_a_bounded_number_of_times() -> None:
    stream = DeltaStream(snapshot_said(["v1", "cluster", "a=1"]))
    told = 0
    for _ in range(2 * MAX_IN_FLIGHT):
        stream.receive(DeltaRequest(CLUSTER, subscribe=("a",)))
        told += len(stream.responses(0.0))
    assert told == MAX_IN_FLIGHT


def test_responses_are_handed_out_once() -> None:
    stream = DeltaStream(snapshot_said(["v1", "cluster", "a=1"]))
    stream.receive(DeltaRequest(CLUSTER))
    assert len(stream.responses(0.0)) == 1
    assert stream.responses(0.0) == ()


def test_types_that_envoy_does_not_know_are_served_too() -> None:
    configuration = Resource("dragoman", "type/own", "1", b"")
    stream = DeltaStream(Snapshot("v1", {"type/own": Named({"dragoman": configuration})}))
    stream.receive(DeltaRequest("type/own", subscribe=("dragoman",)))
    (response,) = stream.responses(0.0)
    assert response.resources == (configuration,)
