"""What a state-of-the-world stream says to what it hears: `tests/transcripts/ads_sotw`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.discovery import StateConversation, snapshot_said
from tests.kit.transcript import check_transcript
from xds_server.snapshot import CLUSTER, RUNTIME, resource_of, snapshot_of
from xds_server.subscription.state import StateStream
from xds_server.subscription.words import (
    MAX_NAMES,
    MAX_TYPES,
    BadRequest,
    DeltaRequest,
    StateRequest,
)

TRANSCRIPTS = Path(__file__).parents[2] / "transcripts" / "ads_sotw"


@pytest.mark.parametrize("name", sorted(path.stem for path in TRANSCRIPTS.glob("*.txt")))
def test_the_stream_speaks_as_written(name: str) -> None:
    check_transcript(TRANSCRIPTS / f"{name}.txt", StateConversation().say)


def test_a_request_without_a_type_ends_the_stream() -> None:
    with pytest.raises(BadRequest, match="type_url"):
        StateStream(None).receive(StateRequest(""))


def test_a_request_of_the_other_variant_is_none() -> None:
    with pytest.raises(TypeError):
        StateStream(None).receive(DeltaRequest(CLUSTER))


def test_the_names_of_a_stream_are_bounded_over_all_types() -> None:
    stream = StateStream(None)
    names = tuple(f"{number}-{'n' * 1_000}" for number in range(3_000))

    def ask_for_all() -> None:
        for kind in range(MAX_TYPES):
            stream.receive(StateRequest(f"type/{kind}", names))

    with pytest.raises(BadRequest, match="names"):
        ask_for_all()


def test_a_stream_asks_for_a_bounded_number_of_types() -> None:
    stream = StateStream(None)
    for number in range(MAX_TYPES):
        stream.receive(StateRequest(f"type/{number}"))
    with pytest.raises(BadRequest, match="types"):
        stream.receive(StateRequest("type/one-more"))


def test_a_stream_asks_for_a_bounded_number_of_names() -> None:
    names = tuple(str(number) for number in range(MAX_NAMES + 1))
    with pytest.raises(BadRequest, match="names"):
        StateStream(None).receive(StateRequest(CLUSTER, names))


def test_a_version_that_was_declared_before_anything_was_published_counts() -> None:
    snapshot = snapshot_said(["v1", "cluster", "a=1"])
    stream = StateStream(None)
    stream.receive(StateRequest(CLUSTER, version=snapshot.of(CLUSTER).version))
    assert stream.responses(0.0) == ()
    stream.publish(snapshot)
    assert stream.responses(0.0) == ()
    assert stream.is_settled()


def test_a_heartbeat_has_its_body() -> None:
    """Envoy passes over one without a body before it looks at the TTL, which then runs out."""
    layer = resource_of("layer", RUNTIME, b"body", ttl_seconds=3.0)
    stream = StateStream(snapshot_of([layer]))
    stream.receive(StateRequest(RUNTIME, ("layer",)))
    (first,) = stream.responses(0.0)
    stream.receive(StateRequest(RUNTIME, ("layer",), first.version, first.nonce))
    (beat,) = stream.responses(1.1)
    assert (beat.resources, beat.version) == ((layer,), first.version)
