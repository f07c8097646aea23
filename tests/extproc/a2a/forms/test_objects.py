"""Messages, tasks and events between the revisions: laws, and the official SDK as an oracle."""

from __future__ import annotations

from typing import Any

import pytest
from a2a.compat.v0_3 import conversions
from a2a.compat.v0_3 import types as types_v03
from a2a.types import a2a_pb2
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.a2a.forms import objects, protobuf
from extproc.a2a.forms.losses import Loss, Losses, Lost, Malformed
from extproc.a2a.forms.protobuf import V0_3, V1_0
from extproc.a2a.places import Form
from tests.kit.a2a_documents import events, messages, tasks

FORMS = [Form.V0_3, Form.V0_3_PROTO]
RETURNING = {Loss.DATA_WRAPPED}
"""Of what comes back as it was."""


def parsed(event: Any) -> a2a_pb2.StreamResponse:
    """What of an event counts: nothing that is not said is told from what is empty."""
    return a2a_pb2.StreamResponse.FromString(protobuf.encode(V1_0 + "StreamResponse", event, []))


@settings(max_examples=200)
@given(events, st.sampled_from(FORMS))
def test_what_0_3_can_say_comes_back(event: dict[str, Any], form: Form) -> None:
    losses: Losses = []
    said: Any = objects.event_down(event, form, losses)
    if form is Form.V0_3_PROTO:
        said = protobuf.decode(
            V0_3 + "StreamResponse", protobuf.encode(V0_3 + "StreamResponse", said, losses)
        )
    back = objects.event_up(said, form, [])
    if {each.what for each in losses} - RETURNING - {Loss.NUMBER_PRECISION}:
        return
    assert parsed(back) == parsed(event)


@settings(max_examples=100)
@given(events, st.sampled_from(FORMS))
def test_what_is_lost_is_told(event: dict[str, Any], form: Form) -> None:
    losses: Losses = []
    said: Any = objects.event_down(event, form, losses)
    back = objects.event_up(said, form, [])
    if parsed(back) != parsed(event):
        assert {each.what for each in losses} - RETURNING


def is_said_by_the_sdk(value: Any) -> bool:
    """Data that is null is said by no SDK, and so is data of 0.3 in a part of another kind."""
    match value:
        case dict():
            inside = all(map(is_said_by_the_sdk, value.values()))
            return inside and value.get("data", 0) is not None
        case list():
            return all(map(is_said_by_the_sdk, value))
    return True


def compact(value: Any) -> Any:
    """Without what says nothing; numbers as protobuf has them."""
    match value:
        case dict():
            inner = {name: compact(each) for name, each in value.items()}
            return {name: each for name, each in inner.items() if each not in ({}, [], "", False)}
        case list():
            return [compact(each) for each in value]
        case bool() | None | str():
            return value
    return float(value)


@settings(max_examples=150)
@given(tasks.filter(is_said_by_the_sdk))
def test_the_sdk_says_tasks_alike_to_0_3(task: dict[str, Any]) -> None:
    theirs = conversions.to_compat_task(json_format.ParseDict(task, a2a_pb2.Task()))
    dumped = theirs.model_dump(mode="json", by_alias=True, exclude_none=True)
    ours = objects.task_down(task, Form.V0_3, [])
    types_v03.Task.model_validate(ours)
    for each in (dumped, ours):
        each["status"].pop("timestamp", None)  # which may have fewer digits
    assert compact(ours) == compact(dumped)


@settings(max_examples=150)
@given(messages.filter(is_said_by_the_sdk))
def test_the_sdk_reads_messages_of_0_3_alike(message: dict[str, Any]) -> None:
    old = objects.message_down(message, Form.V0_3, [])
    if any(each.get("metadata", {}).get(objects.WRAPPED) for each in old["parts"]):  # type: ignore[attr-defined]
        return  # it writes lists as it would write a message
    theirs = conversions.to_core_message(types_v03.Message.model_validate(old))
    ours = objects.message_up(old, Form.V0_3, [])
    ours_parsed = a2a_pb2.Message.FromString(protobuf.encode(V1_0 + "Message", ours, []))
    assert compact(json_format.MessageToDict(ours_parsed)) == compact(
        json_format.MessageToDict(theirs)
    )


PART = {"kind": "text", "text": "hi"}


@pytest.mark.parametrize(
    ("part", "form", "expected"),
    [
        (PART, Form.V0_3, {"text": "hi"}),
        ({"text": "hi"}, Form.V0_3, {"text": "hi"}),
        ({"kind": "data", "data": {"a": 1}}, Form.V0_3, {"data": {"a": 1}}),
        ({"data": {"data": {"a": 1}}}, Form.V0_3_PROTO, {"data": {"a": 1}}),
        ({"kind": "data", "data": {"data": 1}}, Form.V0_3_PROTO, {"data": {"data": 1}}),
        (
            {"kind": "data", "data": {"value": [1]}, "metadata": {objects.WRAPPED: True, "a": 1}},
            Form.V0_3,
            {"data": [1], "metadata": {"a": 1}},
        ),
        (
            {"kind": "file", "file": {"bytes": "aGk=", "mimeType": "text/plain", "name": "a"}},
            Form.V0_3,
            {"raw": "aGk=", "mediaType": "text/plain", "filename": "a"},
        ),
        ({"kind": "file", "file": {"uri": "u"}}, Form.V0_3, {"url": "u"}),
        ({"file": {"fileWithUri": "u"}}, Form.V0_3_PROTO, {"url": "u"}),
        # base64 twice, as SDKs write it; once, as the specification has it
        ({"file": {"fileWithBytes": "YUdrPQ=="}}, Form.V0_3_PROTO, {"raw": "aGk="}),
        ({"file": {"fileWithBytes": "/9g="}}, Form.V0_3_PROTO, {"raw": "/9g="}),
    ],
)
def test_parts_of_0_3_are_read(part: Any, form: Form, expected: Any) -> None:
    losses: Losses = []
    assert objects.part_up(part, form, losses) == expected
    assert losses == []


@pytest.mark.parametrize(
    ("part", "why"),
    [
        ("x", "a part is an object"),
        ({"kind": "text"}, "a part is a text, a file or data"),
        ({"text": "a", "data": {}}, "a part is a text, a file or data"),
        ({"file": {}}, "a file has bytes or a URI"),
        ({"file": {"bytes": "", "uri": ""}}, "a file has bytes or a URI"),
        ({"file": "x"}, "a file is an object"),
        ({"kind": "data", "data": []}, "data is an object"),
        ({"file": {"fileWithBytes": "%"}}, "bytes are base64"),
    ],
)
def test_what_is_no_part_is_told(part: Any, why: str) -> None:
    with pytest.raises(Malformed, match=why):
        objects.part_up(part, Form.V0_3_PROTO, [])


@pytest.mark.parametrize(
    ("part", "loss"),
    [
        ({"text": "a", "mediaType": "text/html"}, Lost(Loss.PART_MEDIA_TYPE, "mediaType")),
        ({"data": 1}, Lost(Loss.DATA_WRAPPED, "data")),
        ({"hologram": 1}, Lost(Loss.UNKNOWN_MEMBER, "hologram")),
        ({"metadata": {}}, Lost(Loss.NO_CONTENT, "parts")),
    ],
)
def test_what_of_a_part_is_lost_is_told(part: Any, loss: Lost) -> None:
    losses: Losses = []
    objects.part_down(part, Form.V0_3, losses)
    assert losses[0] == loss


def test_values_that_nobody_knows_are_told() -> None:
    losses: Losses = []
    assert objects.status_up({"state": "dreaming"}, Form.V0_3, losses) == {
        "state": "TASK_STATE_UNSPECIFIED"
    }
    assert objects.status_down({"state": 99}, Form.V0_3, losses) == {"state": "unknown"}
    assert objects.message_up({"role": "god"}, Form.V0_3, losses)["role"] == "ROLE_UNSPECIFIED"
    assert [each.what for each in losses] == [Loss.UNKNOWN_VALUE] * 3


@pytest.mark.parametrize(
    ("written", "utc"),
    [
        ("2025-01-02T03:04:05.123456+00:00", "2025-01-02T03:04:05.123456Z"),
        ("2025-01-02T03:04:05", "2025-01-02T03:04:05Z"),
        ("2025-01-02T03:04:05Z", "2025-01-02T03:04:05Z"),
        ("2025-01-02T03:04:05-07:00", "2025-01-02T03:04:05-07:00"),
        ("soon", "soon"),
    ],
)
def test_times_of_0_3_get_a_zone(written: str, utc: str) -> None:
    status = objects.status_up({"state": "working", "timestamp": written}, Form.V0_3, [])
    assert status["timestamp"] == utc


@pytest.mark.parametrize(("state", "is_final"), [("COMPLETED", True), ("INPUT_REQUIRED", False)])
def test_an_update_of_0_3_says_whether_it_is_the_last(state: str, is_final: bool) -> None:
    event = {"statusUpdate": {"taskId": "t", "status": {"state": f"TASK_STATE_{state}"}}}
    assert objects.event_down(event, Form.V0_3, [])["final"] is is_final


@pytest.mark.parametrize("event", [{}, {"kind": "dance"}, {"task": {}, "message": {}}, "x"])
def test_what_is_no_event_is_told(event: Any) -> None:
    with pytest.raises(Malformed):
        objects.event_up(event, Form.V0_3, [])


def test_webhooks_of_0_3_spell_a_state_otherwise() -> None:
    status = objects.status_down({"state": "TASK_STATE_CANCELED"}, Form.V0_3_PROTO, [])
    assert status == {"state": "TASK_STATE_CANCELLED"}
    assert objects.status_up(status, Form.V0_3_PROTO, []) == {"state": "TASK_STATE_CANCELED"}
