from __future__ import annotations

import pytest
from a2a.types import a2a_pb2
from hypothesis import given
from hypothesis import strategies as st

from extproc.a2a import protobuf_fields
from extproc.a2a.protobuf_fields import BrokenMessage


@given(st.integers(1, 2**29 - 1), st.integers(0, 2**64 - 1), st.binary(max_size=300))
def test_what_is_written_is_read(field: int, value: int, content: bytes) -> None:
    message = protobuf_fields.number(field, value) + protobuf_fields.delimited(field, content)
    assert list(protobuf_fields.fields(message)) == [(field, value), (field, content)]


def test_fixed_widths_are_passed_over() -> None:
    message = b"\x0d1234" + b"\x1112345678" + b"\x18\x01"
    assert list(protobuf_fields.fields(message)) == [(1, b"1234"), (2, b"12345678"), (3, 1)]


@pytest.mark.parametrize(
    "broken", [b"\x0a", b"\x0a\x05abc", b"\x08", b"\x0b", b"\x08" + b"\xff" * 11]
)
def test_what_is_broken_is_told(broken: bytes) -> None:
    with pytest.raises(BrokenMessage):
        list(protobuf_fields.fields(broken))


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_told(data: bytes) -> None:
    try:
        found = list(protobuf_fields.fields(data))
    except BrokenMessage:
        return
    assert bool(found) is bool(data)


@given(st.text(), st.text())
def test_what_is_added_at_the_end_replaces_and_the_rest_stays(before: str, after: str) -> None:
    request = a2a_pb2.SendMessageRequest(
        message=a2a_pb2.Message(task_id=before, message_id="m", parts=[a2a_pb2.Part(text="hi")])
    )
    changed = request.SerializeToString() + protobuf_fields.text((2, 3), after)
    request.message.task_id = after
    assert a2a_pb2.SendMessageRequest.FromString(changed) == request


@given(st.lists(st.text(max_size=3), max_size=3))
def test_a_repeated_field_is_taken_out(references: list[str]) -> None:
    message = a2a_pb2.Message(task_id="t", reference_task_ids=references, parts=[{"text": "hi"}])
    request = a2a_pb2.SendMessageRequest(tenant="a", message=message)
    taken = protobuf_fields.without(request.SerializeToString(), (2, 8))
    del request.message.reference_task_ids[:]
    assert taken == request.SerializeToString()


@pytest.mark.parametrize("broken", [b"\x0a\x05abc", b"\x09abc", b"\x0b"])
def test_nothing_is_taken_out_of_what_is_broken(broken: bytes) -> None:
    with pytest.raises(BrokenMessage):
        protobuf_fields.without(broken, (2, 8))
