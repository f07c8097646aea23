"""The paths of names and the paths of numbers lead to the same fields of the protocol."""

from __future__ import annotations

from typing import Any

import pytest
from a2a.compat.v0_3 import a2a_v0_3_pb2
from a2a.types import a2a_pb2

from extproc.a2a import places
from extproc.a2a.operations import OPERATIONS, Operation
from extproc.a2a.places import FIELDS, MESSAGES, PLACES, Form
from gateway.a2a import Binding, Revision

FILES = {Revision.V1_0: a2a_pb2.DESCRIPTOR, Revision.V0_3: a2a_v0_3_pb2.DESCRIPTOR}
CASES = [(revision, each) for revision in Revision for each in FIELDS[revision]]


def numbers(descriptor: Any, path: tuple[str, ...]) -> tuple[int, ...]:
    found = []
    for name in path:
        (field,) = [each for each in descriptor.fields if each.json_name == name]
        found.append(field.number)
        descriptor = field.message_type
    return tuple(found)


@pytest.mark.parametrize(("revision", "operation"), CASES)
def test_numbers_are_those_of_the_names(revision: Revision, operation: Operation) -> None:
    descriptor = FILES[revision].message_types_by_name[MESSAGES[revision][operation]]
    said = PLACES[places.form(Binding.GRPC, revision)][operation]
    for name in said.__struct_fields__:
        fields = getattr(FIELDS[revision][operation], name)
        assert fields == numbers(descriptor, getattr(said, name)), name


@pytest.mark.parametrize(("revision", "operation"), CASES)
def test_the_messages_are_those_of_the_service(revision: Revision, operation: Operation) -> None:
    service = FILES[revision].services_by_name["A2AService"]
    method = service.methods_by_name[OPERATIONS[operation].names[revision].grpc]
    assert MESSAGES[revision][operation] == method.input_type.name


@pytest.mark.parametrize("form", Form)
def test_what_is_about_a_task_says_where_it_is(form: Form) -> None:
    for operation, said in PLACES[form].items():
        if OPERATIONS[operation].is_about_task:
            assert said.task_id or said.resource


def test_names_of_resources_are_read_as_they_are_written() -> None:
    assert places.read_resource(places.resource("t")) == ("t", "")
    assert places.read_resource(places.resource("t", "p")) == ("t", "p")
    for odd in ("", "t", "tasks", "tasks/", "tasks/a/b", "tasks//pushNotificationConfigs/p", "x/a"):
        assert places.read_resource(odd) == ("", "")
