"""What a delta stream says to what it hears: `tests/transcripts/ads_delta`, and the limits."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.discovery import DeltaConversation, snapshot_said
from tests.kit.transcript import check_transcript
from xds_server.snapshot import (
    CLUSTER,
    VIRTUAL_HOST,
    Named,
    Resource,
    Snapshot,
    resource_of,
    snapshot_of,
)
from xds_server.subscription.delta import DeltaStream
from xds_server.subscription.words import (
    MAX_IN_FLIGHT,
    MAX_NAMES,
    MAX_NAMES_BYTES,
    MAX_TYPES,
    PART_BYTES,
    BadRequest,
    DeltaRequest,
    DeltaResponse,
    StateRequest,
)

TRANSCRIPTS = Path(__file__).parents[2] / "transcripts" / "ads_delta"
IN_PARTS = TRANSCRIPTS.with_name("ads_delta_in_parts")


class InTwos(DeltaStream):
    """Two small resources make a response."""

    part_bytes = 2


@pytest.mark.parametrize("name", sorted(path.stem for path in TRANSCRIPTS.glob("*.txt")))
def test_the_stream_speaks_as_written(name: str) -> None:
    check_transcript(TRANSCRIPTS / f"{name}.txt", DeltaConversation().say)


@pytest.mark.parametrize("name", sorted(path.stem for path in IN_PARTS.glob("*.txt")))
def test_what_is_too_large_for_one_response_is_told_in_parts(name: str) -> None:
    check_transcript(IN_PARTS / f"{name}.txt", DeltaConversation(InTwos(None)).say)


def test_a_response_holds_what_fits_and_a_larger_resource_goes_alone() -> None:
    third = PART_BYTES // 3
    bodies = {"a": third, "b": third, "c": PART_BYTES, "d": 2 * PART_BYTES, "e": third}
    made = [resource_of(name, CLUSTER, b"x" * size) for name, size in bodies.items()]
    stream = DeltaStream(snapshot_of(made))
    stream.receive(DeltaRequest(CLUSTER))
    told = []
    while responses := stream.responses(0.0):
        (response,) = responses
        told.append([each.name for each in response.resources])
        stream.receive(DeltaRequest(CLUSTER, nonce=response.nonce))
    assert told == [["a", "b"], ["c"], ["d"], ["e"]]


def test_names_that_do_not_exist_are_told_in_parts_too() -> None:
    stream = DeltaStream(snapshot_of(()))
    names = tuple(f"{number}-{'n' * 1_000}" for number in range(2_000))
    stream.receive(DeltaRequest(CLUSTER, subscribe=names))
    removed: list[str] = []
    while responses := stream.responses(0.0):
        (response,) = responses
        assert isinstance(response, DeltaResponse)
        assert sum(map(len, response.removed)) <= PART_BYTES
        removed += response.removed
        stream.receive(DeltaRequest(CLUSTER, nonce=response.nonce))
    assert sorted(removed) == sorted(names)


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


def test_the_names_of_a_stream_are_bounded_over_all_types() -> None:
    """Be they subscribed to, declared, or given up."""
    long = "n" * 1_000

    def ask_for_all() -> None:
        for kind in range(MAX_TYPES):
            ask(kind)

    def ask(kind: int) -> None:
        names = [f"{kind}-{number}-{long}" for number in range(3_000)]
        stream.receive(
            DeltaRequest(
                f"type/{kind}",
                subscribe=("*", *names[:1_000]),
                initial_versions=dict.fromkeys(names[1_000:2_000], "1"),
                unsubscribe=tuple(names[2_000:]),
            )
        )

    stream = DeltaStream(snapshot_of(()))
    with pytest.raises(BadRequest, match="names"):
        ask_for_all()
    taken = sum(topic.names_bytes() for topic in stream._topics.values())
    assert MAX_NAMES_BYTES < taken < MAX_NAMES_BYTES * 5 / 4 + 5_000_000


def test_names_that_come_and_go_are_not_too_many() -> None:
    stream = DeltaStream(snapshot_of(()))
    stream.receive(DeltaRequest(CLUSTER, unsubscribe=("*",)))
    before: tuple[str, ...] = ()
    for turn in range(100):
        names = tuple(f"{turn}-{number}-{'n' * 1_000}" for number in range(1_000))
        stream.receive(DeltaRequest(CLUSTER, subscribe=names, unsubscribe=before))
        before = names
    assert stream._topics[CLUSTER].interest.names == set(before)


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


def hosts(*names: str) -> Snapshot:
    return snapshot_of(resource_of(name, VIRTUAL_HOST, b"") for name in names)


def test_a_virtual_host_that_does_not_exist_is_unresolved_and_one_that_is_gone_removed() -> None:
    """Envoy holds requests until it hears of a host, and a removal does not let them go on."""
    stream = DeltaStream(hosts("routes/a"))
    stream.receive(DeltaRequest(VIRTUAL_HOST, subscribe=("routes/a", "routes/none")))
    (first,) = stream.responses(0.0)
    assert isinstance(first, DeltaResponse)
    assert [each.name for each in first.resources] == ["routes/a"]
    assert (first.unresolved, first.removed) == (("routes/none",), ())
    stream.receive(DeltaRequest(VIRTUAL_HOST, nonce=first.nonce))
    stream.publish(hosts())
    (second,) = stream.responses(100.0)
    assert isinstance(second, DeltaResponse)
    assert (second.unresolved, second.removed) == ((), ("routes/a",))
