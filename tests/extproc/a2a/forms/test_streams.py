"""Streams between all bindings and revisions, in any pieces."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.a2a import errors, grpc_frames
from extproc.a2a.errors import ErrorKind, Fault
from extproc.a2a.forms import replies
from extproc.a2a.forms.calls import Target
from extproc.a2a.forms.streams import StreamReader, StreamWriter, Translation
from extproc.a2a.operations import Operation
from gateway.a2a import Binding, Revision

TARGETS = [Target(binding, revision) for binding in Binding for revision in Revision]
STREAM = Operation.STREAM
UPDATE: dict[str, Any] = {"taskId": "t", "contextId": "c"}
EVENTS: list[Any] = [
    {"task": {"id": "t", "contextId": "c", "status": {"state": "TASK_STATE_SUBMITTED"}}},
    {"statusUpdate": {**UPDATE, "status": {"state": "TASK_STATE_WORKING"}}},
    {
        "artifactUpdate": {
            **UPDATE,
            "artifact": {"artifactId": "a", "parts": [{"text": "é\u2028"}]},
            "append": True,
        }
    },
    {"statusUpdate": {**UPDATE, "status": {"state": "TASK_STATE_COMPLETED"}}},
]
WELL = dict(replies.WENT_WELL)
FAULT = Fault(ErrorKind.TASK_NOT_FOUND, "gone")


def written(target: Target, events: list[Any]) -> tuple[bytes, dict[str, str]]:
    writer = StreamWriter(STREAM, target, b'"a"')
    data = b"".join(map(writer.event, events))
    return data, dict(writer.trailers)


def read(target: Target, data: bytes, trailers: dict[str, str]) -> list[Any]:
    reader = StreamReader(STREAM, target)
    found = [*reader.feed(data), *reader.end(trailers)]
    assert reader.losses == []
    return found


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_what_is_written_is_read(target: Target) -> None:
    data, trailers = written(target, EVENTS)
    assert read(target, data, trailers) == EVENTS


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_an_error_is_the_last_event(target: Target) -> None:
    data, trailers = written(target, [*EVENTS[:2], FAULT])
    assert read(target, data, trailers) == [*EVENTS[:2], FAULT]


pieces = st.lists(st.integers(0, 1500), max_size=6)
ends = st.sampled_from([b"\n", b"\r\n", b"\r"])


@settings(max_examples=150)
@given(st.sampled_from(TARGETS), st.sampled_from(TARGETS), pieces, ends, st.booleans())
def test_any_stream_becomes_any_other_whatever_the_cuts(
    agent: Target, client: Target, cuts: list[int], line_end: bytes, fails: bool
) -> None:
    said = [*EVENTS, FAULT] if fails else EVENTS
    data, trailers = written(agent, said)
    if agent.binding is not Binding.GRPC:
        data = b": hello\n\n" + data
        data = data.replace(b"\n", line_end)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    translation = Translation(StreamReader(STREAM, agent), StreamWriter(STREAM, client, b'"a"'))
    out = b"".join(translation.feed(data[start:end]) for start, end in itertools.pairwise(edges))
    out += translation.end(trailers)
    assert translation.losses == []
    assert translation.is_over is fails
    assert dict(translation.trailers) == written(client, said)[1]
    assert read(client, out, dict(translation.trailers)) == said


@pytest.mark.parametrize(
    ("agent", "data"),
    [
        (Target(Binding.JSONRPC, Revision.V1_0), b"data: {\n\n"),
        (Target(Binding.JSONRPC, Revision.V1_0), b'data: {"jsonrpc":"2.0"}\n\n'),
        (Target(Binding.HTTP_JSON, Revision.V0_3), b"data: {}\n\n"),
        (Target(Binding.GRPC, Revision.V1_0), grpc_frames.frame(b"\xff")),
        (Target(Binding.GRPC, Revision.V1_0), b"\1\0\0\0\0"),
    ],
)
def test_what_cannot_be_read_ends_the_stream_with_an_error(agent: Target, data: bytes) -> None:
    good, _ = written(agent, EVENTS[:1])
    client = Target(Binding.JSONRPC, Revision.V1_0)
    translation = Translation(StreamReader(STREAM, agent), StreamWriter(STREAM, client))
    out = translation.feed(good) + translation.feed(data) + translation.feed(good)
    out += translation.end(WELL)
    assert translation.is_over
    first, fault = read(client, out, {})
    assert first == EVENTS[0]
    assert fault.kind is ErrorKind.INVALID_AGENT_RESPONSE
    assert fault.message.startswith("the agent's event cannot be read: ")


def test_what_is_good_before_what_is_broken_passes() -> None:
    agent = Target(Binding.HTTP_JSON, Revision.V1_0)
    good, _ = written(agent, EVENTS[:1])
    reader = StreamReader(STREAM, agent)
    event, fault = reader.feed(good + b"data: {\n\n" + good)
    assert event == EVENTS[0]
    assert isinstance(fault, Fault)
    assert reader.feed(good) == reader.end({}) == []


def test_a_call_of_grpc_that_breaks_off_is_an_error() -> None:
    agent = Target(Binding.GRPC, Revision.V1_0)
    data, _ = written(agent, EVENTS[:1])
    (event, fault) = read(agent, data, {})
    assert event == EVENTS[0]
    assert fault == Fault(ErrorKind.BAD_GATEWAY, "the agent's answer has no status")


def test_a_message_of_grpc_that_is_cut_is_an_error() -> None:
    agent = Target(Binding.GRPC, Revision.V1_0)
    data, _ = written(agent, EVENTS[:1])
    (fault,) = read(agent, data[:-1], WELL)
    assert fault.kind is ErrorKind.INVALID_AGENT_RESPONSE


def test_what_a_client_cannot_be_told_ends_its_stream() -> None:
    agent = Target(Binding.HTTP_JSON, Revision.V1_0)
    client = Target(Binding.GRPC, Revision.V1_0)
    translation = Translation(StreamReader(STREAM, agent), StreamWriter(STREAM, client))
    out = translation.feed(b'data: {"task":{"id":5}}\n\n')
    assert (out, translation.is_over) == (b"", True)
    assert dict(translation.trailers)["grpc-status"] == str(
        ErrorKind.INVALID_AGENT_RESPONSE.value.grpc.value
    )


def test_losses_are_told_and_bounded() -> None:
    agent, client = Target(Binding.HTTP_JSON, Revision.V1_0), Target(Binding.GRPC, Revision.V0_3)
    translation = Translation(StreamReader(STREAM, agent), StreamWriter(STREAM, client))
    odd = b'data: {"task":{"id":"t","odd":1}}\n\n'
    for _ in range(200):
        translation.feed(odd)
    assert len(translation.losses) == 100


def test_errors_of_streams_are_those_of_answers() -> None:
    target = Target(Binding.HTTP_JSON, Revision.V1_0)
    data, _ = written(target, [FAULT])
    assert data == errors.event(FAULT, target.binding, target.revision)
