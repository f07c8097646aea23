"""Our descriptors are those of the official SDK, and so is what we read and write with them."""

from __future__ import annotations

import json
from typing import Any

import envoy_api
import pytest
from a2a.compat.v0_3 import a2a_v0_3_pb2
from a2a.types import a2a_pb2
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.a2a.forms import protobuf
from extproc.a2a.forms.losses import Loss, Losses, Lost, Malformed
from extproc.a2a.forms.protobuf import V0_3, V1_0, BrokenMessage
from tests.kit.a2a_documents import tasks

FILES = {V1_0: a2a_pb2.DESCRIPTOR, V0_3: a2a_v0_3_pb2.DESCRIPTOR}
MESSAGES = [
    (package, name) for package, file in FILES.items() for name in file.message_types_by_name
]


def field(descriptor: Any) -> tuple[Any, ...]:
    """All that matters on the wire and in JSON."""
    message, enum, oneof = (
        descriptor.message_type,
        descriptor.enum_type,
        descriptor.containing_oneof,
    )
    return (
        descriptor.number,
        descriptor.name,
        descriptor.json_name,
        descriptor.type,
        descriptor.is_repeated,
        descriptor.has_presence,
        message and message.full_name,
        enum and (enum.full_name, [(each.name, each.number) for each in enum.values]),
        oneof and oneof.name,
    )


@pytest.mark.parametrize(("package", "name"), MESSAGES)
def test_every_message_has_the_fields_of_the_sdks(package: str, name: str) -> None:
    theirs = FILES[package].message_types_by_name[name]
    ours = envoy_api.message(package + name).DESCRIPTOR
    assert [field(each) for each in ours.fields] == [field(each) for each in theirs.fields]
    entries = {each.name: [field(one) for one in each.fields] for each in theirs.nested_types}
    assert {each.name: [field(one) for one in each.fields] for each in ours.nested_types} == entries


# --- as JSON: protobuf's own reader and writer are the oracle ------------------------------


@settings(max_examples=150)
@given(tasks)
def test_protobufs_own_writer_writes_the_same(task: dict[str, Any]) -> None:
    theirs = json_format.ParseDict(task, a2a_pb2.Task())
    ours = protobuf.encode(V1_0 + "Task", task, [])
    assert a2a_pb2.Task.FromString(ours) == theirs


@settings(max_examples=150)
@given(tasks)
def test_protobufs_own_writer_of_json_says_the_same(task: dict[str, Any]) -> None:
    message = json_format.ParseDict(task, a2a_pb2.Task())
    ours = protobuf.decode(V1_0 + "Task", message.SerializeToString())
    assert json.loads(json.dumps(ours)) == json.loads(json_format.MessageToJson(message))


@pytest.mark.parametrize(("package", "name"), MESSAGES)
def test_an_empty_message_is_an_empty_document(package: str, name: str) -> None:
    assert protobuf.decode(package + name, b"") == {}
    assert protobuf.encode(package + name, {}, []) == b""


CARD: dict[str, Any] = {
    "name": "a",
    "securitySchemes": {"key": {"apiKeySecurityScheme": {"name": "k", "location": "header"}}},
    "securityRequirements": [{"schemes": {"key": {"list": ["a", "b"]}, "none": {}}}],
    "capabilities": {"streaming": False, "extensions": [{"uri": "u", "params": {"n": 1}}]},
    "skills": [{"id": "s", "tags": ["t"]}],
    "defaultInputModes": ["text/plain"],
}


def test_a_card_goes_there_and_back() -> None:
    losses: Losses = []
    card = protobuf.encode(V1_0 + "AgentCard", CARD, losses)
    assert protobuf.decode(V1_0 + "AgentCard", card) == CARD
    assert a2a_pb2.AgentCard.FromString(card) == json_format.ParseDict(CARD, a2a_pb2.AgentCard())
    assert losses == []


def test_what_protobuf_cannot_say_is_told() -> None:
    losses: Losses = []
    task = {
        "id": "t",
        "new": 1,
        "status": {"state": "TASK_STATE_DREAMING"},
        "metadata": {"n": 2**53 + 1},
    }
    message = a2a_pb2.Task.FromString(protobuf.encode(V1_0 + "Task", task, losses))
    assert losses == [
        Lost(Loss.UNKNOWN_MEMBER, "new"),
        Lost(Loss.UNKNOWN_VALUE, "state"),
        Lost(Loss.NUMBER_PRECISION, "9007199254740993"),
    ]
    assert message.status.state == a2a_pb2.TASK_STATE_UNSPECIFIED


@pytest.mark.parametrize(
    ("name", "document", "why"),
    [
        ("Task", {"id": 1}, "'id' is a text"),
        ("Task", {"id": "\ud800"}, "'id' cannot be said in UTF-8"),
        ("Task", {"metadata": []}, "metadata and data are objects"),
        ("Task", {"metadata": {"\ud800": 1}}, "'a name' cannot be said in UTF-8"),
        ("Task", {"metadata": {"n": 10**400}}, "a number is too large"),
        ("Task", {"history": {}}, "'history' is a list"),
        ("Task", {"history": ["x"]}, "a Message is an object"),
        ("Task", {"status": {"state": []}}, "'state' is the name of a value"),
        ("Task", {"status": {"timestamp": "yesterday"}}, "a timestamp is as RFC 3339 has it"),
        ("Task", {"status": {"timestamp": 5}}, "a timestamp is a text"),
        ("Message", {"extensions": [1]}, "'extensions' holds texts"),
        ("Part", {"raw": "%"}, "'raw' is base64"),
        ("Part", {"text": "a", "url": "b"}, "a Part says 'text' or 'url', not both"),
        ("GetTaskRequest", {"historyLength": 1.5}, "'historyLength' is a whole number"),
        ("GetTaskRequest", {"historyLength": True}, "'historyLength' is a whole number"),
        ("GetTaskRequest", {"historyLength": 2**31}, "'historyLength' is a whole number"),
        (
            "SendMessageConfiguration",
            {"returnImmediately": 1},
            "'returnImmediately' is true or false",
        ),
        ("AgentCard", {"securitySchemes": []}, "'securitySchemes' is an object"),
    ],
)
def test_what_has_the_wrong_type_is_refused(name: str, document: dict[str, Any], why: str) -> None:
    with pytest.raises(Malformed, match=f"^{why}"):
        protobuf.encode(V1_0 + name, document, [])


@pytest.mark.parametrize("nested", [{"a": 0}, [0]])
def test_what_readers_of_protobuf_would_not_read_is_refused(nested: Any) -> None:
    """Their limit is 100 messages in each other."""
    deep: Any = 0
    with pytest.raises(Malformed, match="nested too deep"):  # noqa: PT012
        for _ in range(60):
            deep = {"a": deep} if isinstance(nested, dict) else [deep]
            task = protobuf.encode(
                V1_0 + "SendMessageRequest",
                {"message": {"parts": [{"data": deep, "metadata": {"a": deep}}]}},
                [],
            )
            a2a_pb2.SendMessageRequest.FromString(task)


@pytest.mark.parametrize("said", ["5", 5, 5.0])
def test_numbers_are_read_as_protobuf_reads_them(said: object) -> None:
    request = protobuf.encode(V1_0 + "GetTaskRequest", {"historyLength": said}, [])
    assert protobuf.decode(V1_0 + "GetTaskRequest", request) == {"historyLength": 5}


@pytest.mark.parametrize("said", ["+/8=", "-_8", "-_8=", "+/8"])
def test_base64_of_either_alphabet_is_read(said: str) -> None:
    assert protobuf.decode(V1_0 + "Part", protobuf.encode(V1_0 + "Part", {"raw": said}, [])) == {
        "raw": "+/8="
    }


def test_null_is_a_value_of_data_and_nothing_elsewhere() -> None:
    part = {"data": None, "metadata": None, "text": None, "filename": None}
    assert protobuf.decode(V1_0 + "Part", protobuf.encode(V1_0 + "Part", part, [])) == {
        "data": None
    }


def test_times_without_a_zone_are_utc_as_0_3_wrote_them() -> None:
    status = protobuf.encode(V1_0 + "TaskStatus", {"timestamp": "2025-01-02T03:04:05.5"}, [])
    assert protobuf.decode(V1_0 + "TaskStatus", status) == {"timestamp": "2025-01-02T03:04:05.500Z"}


def test_what_json_cannot_say_is_no_message() -> None:
    task = a2a_pb2.Task()
    task.metadata["n"] = float("inf")
    with pytest.raises(BrokenMessage, match="a number that JSON cannot say"):
        protobuf.decode(V1_0 + "Task", task.SerializeToString())


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_told(data: bytes) -> None:
    try:
        protobuf.decode(V1_0 + "SendMessageRequest", data)
    except BrokenMessage:
        return
    a2a_pb2.SendMessageRequest.FromString(data)


def test_a_number_of_an_enumeration_that_nobody_knows_stays_a_number() -> None:
    assert protobuf.decode(V1_0 + "TaskStatus", b"\x08\x63") == {"state": 99}
