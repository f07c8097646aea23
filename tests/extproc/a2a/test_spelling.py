from __future__ import annotations

from typing import Any

import pytest
from a2a.compat.v0_3 import a2a_v0_3_pb2
from a2a.types import a2a_pb2

from extproc.a2a import spelling
from extproc.a2a.operations import Operation
from extproc.a2a.places import FIELDS, MESSAGES, Form
from gateway.a2a import Revision

SEND = Operation.SEND


@pytest.mark.parametrize(
    ("document", "wrong"),
    [
        ({"Message": {}}, "Message"),
        ({"message": {"task_id": "x"}}, "task_id"),
        ({"message": {"taſkId": "x"}}, "taſkId"),
        ({"message": {"parts": [{"text": ""}, {"media_type": "x"}]}}, "media_type"),
        ({"configuration": {"task_push_notification_config": {}}}, "task_push_notification_config"),
        ({"configuration": {"taskPushNotificationConfig": {"URL": ""}}}, "URL"),
    ],
)
def test_members_that_could_be_read_as_others_are_found(document: Any, wrong: str) -> None:
    assert spelling.misspelt_in(document, Form.V1_0, SEND) == wrong


def test_what_anybody_may_name_as_they_like_is_not_looked_at() -> None:
    document = {
        "metadata": {"task_id": 1},
        "message": {"metadata": {"TaskId": 1}, "parts": [{"data": {"media_type": 1}}, "odd"]},
        "another": {"task_id": 1},
    }
    assert spelling.misspelt_in(document, Form.V1_0, SEND) == ""


def test_the_field_of_0_3_whose_name_in_json_is_another_is_found() -> None:
    assert spelling.misspelt_in({"request": {}}, Form.V0_3_PROTO, SEND) == "request"


def test_the_envelope_is_looked_at() -> None:
    assert spelling.misspelt({"jsonrpc": "2.0", "Method": "x"}, spelling.ENVELOPE) == "Method"


def names(descriptor: Any, known: spelling.Known) -> None:
    """Every field of the protocol is known, by its JSON name; all its names are told from it."""
    for field in descriptor.fields:
        assert field.json_name in known.members, field.full_name
        inner = known.members[field.json_name]
        if field.name != field.json_name:
            assert spelling.misspelt({field.name: 1}, known) == field.name
        if inner is not None:
            names(field.message_type, inner)


@pytest.mark.parametrize("revision", Revision)
def test_all_members_of_the_protocol_are_known(revision: Revision) -> None:
    file = {Revision.V1_0: a2a_pb2, Revision.V0_3: a2a_v0_3_pb2}[revision].DESCRIPTOR
    form = Form.V1_0 if revision is Revision.V1_0 else Form.V0_3_PROTO
    for operation in FIELDS[revision]:
        descriptor = file.message_types_by_name[MESSAGES[revision][operation]]
        names(descriptor, spelling._KNOWN[form][operation])


def test_names_of_fields_of_0_3_are_read_as_those_of_json() -> None:
    document = {
        "request": {
            "message_id": "m",
            "content": [{"file": {"file_with_uri": "u"}, "metadata": {"task_id": 1}}, "odd"],
        },
        "configuration": {"push_notification": {"url": "u"}},
    }
    assert spelling.in_json(document, SEND) == {
        "message": {
            "messageId": "m",
            "content": [{"file": {"fileWithUri": "u"}, "metadata": {"task_id": 1}}, "odd"],
        },
        "configuration": {"pushNotification": {"url": "u"}},
    }
    path = ("message", "messageId")
    assert spelling.as_written(document, path) == ("request", "message_id")
    assert spelling.as_written(document, ("message", "taskId")) == ("request", "taskId")


@pytest.mark.parametrize(
    "document",
    [{"message": {}, "request": {}}, {"message": {"taskId": "a", "task_id": "b"}}],
)
def test_both_names_at_once_are_refused(document: Any) -> None:
    with pytest.raises(spelling.SaidTwice):
        spelling.in_json(document, SEND)
