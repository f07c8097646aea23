from __future__ import annotations

import json
from typing import Any

import pytest
from a2a.types import a2a_pb2
from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.a2a import errors, grpc_frames
from extproc.a2a.errors import ErrorKind, Fault
from extproc.a2a.forms import protobuf, replies
from extproc.a2a.forms.calls import Target
from extproc.a2a.forms.losses import Loss
from extproc.a2a.forms.streams import StreamReader, StreamWriter
from extproc.a2a.operations import OPERATIONS, Operation
from extproc.a2a.protobuf_fields import BrokenMessage
from extproc.a2a.substitution import (
    StreamSubstitution,
    Substitution,
    in_body,
    in_event,
    in_message,
    in_notification,
    in_protobuf,
    in_protobuf_message,
    in_result,
    same,
)
from gateway.a2a import Binding, Revision
from tests.kit.a2a_documents import events, messages

TARGETS = [Target(binding, revision) for binding in Binding for revision in Revision]
LOUD = Substitution(
    task_id=lambda text: f"task:{text}",
    context_id=lambda text: f"context:{text}",
    text=lambda text: f"{text}!",
)
MESSAGE: dict[str, Any] = {
    "messageId": "m",
    "role": "ROLE_AGENT",
    "taskId": "t",
    "contextId": "c",
    "referenceTaskIds": ["r"],
    "metadata": {"taskId": "t", "parts": [{"text": "hi"}]},
    "parts": [{"text": "hi", "metadata": {"text": "hi"}}, {"data": {"text": "hi"}}],
}
LOUD_MESSAGE: dict[str, Any] = {
    **MESSAGE,
    "taskId": "task:t",
    "contextId": "context:c",
    "referenceTaskIds": ["task:r"],
    "parts": [{"text": "hi!", "metadata": {"text": "hi"}}, {"data": {"text": "hi"}}],
}
TASK: dict[str, Any] = {
    "id": "t",
    "contextId": "c",
    "status": {"state": "TASK_STATE_WORKING", "message": MESSAGE},
    "artifacts": [{"artifactId": "t", "parts": [{"text": "hi"}]}],
    "history": [MESSAGE],
}
LOUD_TASK: dict[str, Any] = {
    "id": "task:t",
    "contextId": "context:c",
    "status": {"state": "TASK_STATE_WORKING", "message": LOUD_MESSAGE},
    "artifacts": [{"artifactId": "t", "parts": [{"text": "hi!"}]}],
    "history": [LOUD_MESSAGE],
}
WEBHOOK = {"taskId": "t", "id": "p", "url": "https://t/"}
LOUD_WEBHOOK = {**WEBHOOK, "taskId": "task:t"}
RESULTS: list[tuple[Operation, Any, Any]] = [
    (Operation.SEND, {"task": TASK}, {"task": LOUD_TASK}),
    (Operation.SEND, {"message": MESSAGE}, {"message": LOUD_MESSAGE}),
    (Operation.GET_TASK, TASK, LOUD_TASK),
    (Operation.LIST_TASKS, {"tasks": [TASK]}, {"tasks": [LOUD_TASK]}),
    (Operation.CREATE_PUSH, WEBHOOK, LOUD_WEBHOOK),
    (Operation.LIST_PUSH, {"configs": [WEBHOOK]}, {"configs": [LOUD_WEBHOOK]}),
    (Operation.DELETE_PUSH, {}, {}),
]


@pytest.mark.parametrize("target", TARGETS, ids=str)
@pytest.mark.parametrize(("operation", "result", "expected"), RESULTS)
def test_ids_and_texts_change_and_nothing_else(
    operation: Operation, result: Any, expected: Any, target: Target
) -> None:
    if target.revision not in OPERATIONS[operation].names:
        return
    said = replies.written(operation, result, target, [], b"1")
    body = in_body(operation, target.binding, target.revision, said.body, LOUD)
    found: Any = replies.read(
        operation, target, said._replace(body=body), dict(replies.WENT_WELL), []
    )
    if target.revision is Revision.V0_3 and target.binding is not Binding.JSONRPC:
        found, expected = without_references(found), without_references(expected)
    assert found == expected


def without_references(value: Any) -> Any:
    """Which a message of 0.3 has in JSON-RPC alone."""
    match value:
        case dict():
            kept = {name: each for name, each in value.items() if name != "referenceTaskIds"}
            return {name: without_references(each) for name, each in kept.items()}
        case list():
            return [without_references(each) for each in value]
    return value


@settings(max_examples=150)
@given(st.lists(events, max_size=3), st.sampled_from(TARGETS), st.integers(1, 50))
def test_streams_change_as_documents_do(said: list[Any], target: Target, step: int) -> None:
    writer = StreamWriter(Operation.STREAM, target, b'"a"')
    data = b"".join(map(writer.event, said))
    stream = StreamSubstitution(Operation.STREAM, target.binding, target.revision, LOUD)
    changed = b"".join(
        stream.feed(data[start : start + step]) for start in range(0, len(data), step)
    )
    changed += stream.end()
    plain = [*read(target, data)]
    assert [*read(target, changed)] == [in_event(each, LOUD) for each in plain]
    if not {each.what for each in writer.losses} - {Loss.NUMBER_PRECISION}:
        assert len(plain) == len(said)


def read(target: Target, data: bytes) -> list[Any]:
    reader = StreamReader(Operation.STREAM, target)
    return [*reader.feed(data), *reader.end(dict(replies.WENT_WELL))]


@given(messages)
def test_the_message_of_a_request_changes_in_protobuf_as_in_json(message: dict[str, Any]) -> None:
    document = {"message": message, "metadata": {"taskId": "t"}}
    name = protobuf.V1_0 + "SendMessageRequest"
    request = protobuf.encode(name, document, [])
    changed = protobuf.decode(name, in_protobuf_message(Revision.V1_0, request, LOUD))
    plain: dict[str, Any] = protobuf.decode(name, request)
    assert changed == {**plain, "message": in_message(plain.get("message", {}), LOUD)}


@given(messages)
def test_no_change_changes_no_byte_of_protobuf(message: dict[str, Any]) -> None:
    said = protobuf.encode(protobuf.V1_0 + "StreamResponse", {"message": message}, [])
    said += b"\x9a\x06\x02hi"  # a field that nobody knows
    assert in_protobuf(Operation.STREAM, Revision.V1_0, said, Substitution()) == said


def test_numbers_of_json_stay_as_they_were_written() -> None:
    body = b'{"jsonrpc":"2.0","id":1.0,"result":{"task":{"id":"t","metadata":{"n":1.10}}}}'
    changed = in_body(Operation.SEND, Binding.JSONRPC, Revision.V1_0, body, LOUD)
    assert changed == body.replace(b'"t"', b'"task:t"')


def test_errors_stay() -> None:
    fault = Fault(ErrorKind.TASK_NOT_FOUND, "no task t", {"taskId": "t"})
    for binding in (Binding.JSONRPC, Binding.HTTP_JSON):
        said = errors.said(fault, binding, Revision.V1_0)
        changed = in_body(Operation.SEND, binding, Revision.V1_0, said.body, LOUD)
        assert json.loads(changed) == json.loads(said.body)
        event = errors.event(fault, binding, Revision.V1_0)
        stream = StreamSubstitution(Operation.STREAM, binding, Revision.V1_0, LOUD)
        assert stream.feed(event) == event


def test_an_error_in_several_lines_becomes_one() -> None:
    stream = StreamSubstitution(Operation.STREAM, Binding.HTTP_JSON, Revision.V1_0, LOUD)
    assert stream.feed(b'event: error\ndata: {\ndata: "error":{}}\n\n') == (
        b'event: error\ndata: {"error":{}}\n\n'
    )


@pytest.mark.parametrize(
    "odd",
    [
        None,
        5,
        "t",
        [],
        {"task": 5},
        {"kind": "dance"},
        {"kind": "message", "parts": 5, "taskId": 5},
    ],
)
def test_what_is_odd_stays(odd: Any) -> None:
    for operation in Operation:
        assert in_result(operation, odd, LOUD) == odd
    assert in_message(5, LOUD) == 5


def test_the_document_itself_stays_as_it_is() -> None:
    before = json.dumps(TASK)
    assert in_result(Operation.GET_TASK, TASK, LOUD) == LOUD_TASK
    assert json.dumps(TASK) == before
    assert same("a") == "a"


def test_texts_that_are_no_texts_are_told() -> None:
    with pytest.raises(BrokenMessage):
        in_protobuf(Operation.GET_TASK, Revision.V1_0, b"\x0a\x01\xff", LOUD)
    with pytest.raises(BrokenMessage):
        in_protobuf(Operation.GET_TASK, Revision.V1_0, b"\x0a\x05a", LOUD)


def test_answers_of_grpc_change_in_their_frames() -> None:
    task = a2a_pb2.Task(id="t", context_id="c")
    body = grpc_frames.frame(task.SerializeToString())
    changed = in_body(Operation.GET_TASK, Binding.GRPC, Revision.V1_0, body, LOUD)
    (message,) = grpc_frames.FrameDecoder().feed(changed)
    assert a2a_pb2.Task.FromString(message) == a2a_pb2.Task(id="task:t", context_id="context:c")


def test_an_empty_answer_stays() -> None:
    assert in_body(Operation.DELETE_PUSH, Binding.HTTP_JSON, Revision.V0_3, b"", LOUD) == b""


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"task": TASK}, {"task": LOUD_TASK}),
        ({**TASK, "kind": "task"}, {**LOUD_TASK, "kind": "task"}),
        (TASK, LOUD_TASK),
        (
            {"statusUpdate": {"taskId": "t", "status": {"message": MESSAGE}}},
            {"statusUpdate": {"taskId": "task:t", "status": {"message": LOUD_MESSAGE}}},
        ),
        ([], []),
    ],
)
def test_notifications_change_too(body: Any, expected: Any) -> None:
    assert json.loads(in_notification(json.dumps(body).encode(), LOUD)) == expected
