"""What a delta stream says to what it hears: `tests/transcripts/ads`, and the limits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.transcript import check_transcript
from xds_server.snapshot import (
    CLUSTER,
    ENDPOINTS,
    FILTER,
    LISTENER,
    ROUTES,
    SECRET,
    Resource,
    Snapshot,
)
from xds_server.subscription import (
    MAX_NAMES,
    MAX_TYPES,
    BadRequest,
    DeltaRequest,
    DeltaResponse,
)
from xds_server.subscription.delta import DeltaStream

TRANSCRIPTS = Path(__file__).parents[2] / "transcripts" / "ads"
TYPES = {
    "cluster": CLUSTER,
    "endpoints": ENDPOINTS,
    "secret": SECRET,
    "listener": LISTENER,
    "filter": FILTER,
    "routes": ROUTES,
}
SHORT = {type_url: short for short, type_url in TYPES.items()}


class Conversation:
    """Speaks the language of the transcripts.

    publish VERSION [TYPE NAME=VERSION...]...   the snapshot from now on
    ask TYPE [NAME...] [-NAME...] [held:NAME=VERSION...]   a request that answers nothing
    ack TYPE NONCE [NAME...] [-NAME...]         and `nack`, whose reason is `bad`
    state                                       what people see
    reconnect                                   a new stream over the same snapshot
    """

    def __init__(self) -> None:
        self.snapshot: Snapshot | None = None
        self.stream = DeltaStream(None)

    def say(self, line: str) -> list[str]:
        verb, *words = line.split()
        match verb:
            case "publish":
                self.snapshot = _snapshot(words)
                self.stream.publish(self.snapshot)
            case "reconnect":
                self.stream = DeltaStream(self.snapshot)
            case "state":
                return list(self._state())
            case _:
                self.stream.receive(_request(verb, words))
        return [_line(response) for response in self.stream.responses(0.0)]

    def _state(self) -> Iterator[str]:
        for state in self.stream.states():
            said = "current" if state.is_current else "not current"
            acked = f"acked {state.acked_version or 'nothing'}"
            rejected = f", rejected: {state.rejection}" if state.rejection else ""
            yield f"{SHORT[state.type_url]}: {said}, {acked}{rejected}"
        for each in self.stream.rejections(self.snapshot) if self.snapshot else ():
            yield f"published but rejected: {SHORT[each.type_url]} {each.name}: {each.error}"
        yield "all current" if self.stream.is_current() else "not all current"


def _snapshot(words: list[str]) -> Snapshot:
    version, *rest = words
    resources: dict[str, dict[str, Resource]] = {type_url: {} for type_url in TYPES.values()}
    type_url = ""
    for word in rest:
        name, is_resource, own_version = word.partition("=")
        if is_resource:
            resources[type_url][name] = Resource(name, type_url, own_version, b"")
        else:
            type_url = TYPES[word]
    return Snapshot(version, resources)


def _request(verb: str, words: list[str]) -> DeltaRequest:
    kind, *rest = words
    nonce = rest.pop(0) if verb in ("ack", "nack") else ""
    held = [word.removeprefix("held:").split("=") for word in rest if word.startswith("held:")]
    names = [word for word in rest if not word.startswith("held:")]
    return DeltaRequest(
        type_url=TYPES[kind],
        subscribe=tuple(name for name in names if not name.startswith("-")),
        unsubscribe=tuple(name[1:] for name in names if name.startswith("-")),
        initial_versions=dict(held),
        nonce=nonce,
        error="bad" if verb == "nack" else None,
    )


def _line(response: DeltaResponse) -> str:
    said = [f"{resource.name}={resource.version}" for resource in response.resources]
    said += [f"-{name}" for name in response.removed]
    words = " ".join(said) or "nothing"
    return f"{SHORT[response.type_url]} #{response.nonce} {response.version}: {words}"


@pytest.mark.parametrize("name", sorted(path.stem for path in TRANSCRIPTS.glob("*.txt")))
def test_the_stream_speaks_as_written(name: str) -> None:
    check_transcript(TRANSCRIPTS / f"{name}.txt", Conversation().say)


def test_a_request_without_a_type_ends_the_stream() -> None:
    with pytest.raises(BadRequest, match="type_url"):
        DeltaStream(None).receive(DeltaRequest(""))


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


def test_responses_are_handed_out_once() -> None:
    stream = DeltaStream(_snapshot(["v1", "cluster", "a=1"]))
    stream.receive(DeltaRequest(CLUSTER))
    assert len(stream.responses(0.0)) == 1
    assert stream.responses(0.0) == ()


def test_types_that_envoy_does_not_know_are_served_too() -> None:
    configuration = Resource("dragoman", "type/own", "1", b"")
    stream = DeltaStream(Snapshot("v1", {"type/own": {"dragoman": configuration}}))
    stream.receive(DeltaRequest("type/own", subscribe=("dragoman",)))
    (response,) = stream.responses(0.0)
    assert response.resources == (configuration,)
