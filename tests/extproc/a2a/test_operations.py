"""The table of operations says what the official SDK says."""

from __future__ import annotations

import pytest
from a2a.compat.v0_3 import a2a_v0_3_pb2
from a2a.server.routes.jsonrpc_dispatcher import JSONRPC03Adapter, JsonRpcDispatcher
from a2a.types import a2a_pb2

from extproc.a2a import operations
from extproc.a2a.operations import OPERATIONS, Operation, Shape
from gateway.a2a import Revision

SERVICES = {
    Revision.V0_3: a2a_v0_3_pb2.DESCRIPTOR.services_by_name["A2AService"],
    Revision.V1_0: a2a_pb2.DESCRIPTOR.services_by_name["A2AService"],
}


def test_every_operation_has_a_row() -> None:
    assert set(OPERATIONS) == set(Operation)


@pytest.mark.parametrize(
    ("revision", "known"),
    [
        (Revision.V0_3, JSONRPC03Adapter.METHOD_TO_MODEL),
        (Revision.V1_0, JsonRpcDispatcher.METHOD_TO_MODEL),
    ],
)
def test_methods_of_jsonrpc_are_the_sdks(revision: Revision, known: dict[str, type]) -> None:
    ours = {name for name, (_, of) in operations.JSONRPC_METHODS.items() if of is revision}
    assert ours == set(known)


@pytest.mark.parametrize("revision", Revision)
def test_methods_of_grpc_are_the_services(revision: Revision) -> None:
    service = SERVICES[revision]
    ours = {path for path, (_, of) in operations.GRPC_PATHS.items() if of is revision}
    assert ours == {f"/{service.full_name}/{method.name}" for method in service.methods}


@pytest.mark.parametrize("revision", Revision)
def test_what_streams_in_grpc_is_a_stream(revision: Revision) -> None:
    for method in SERVICES[revision].methods:
        path = f"/{SERVICES[revision].full_name}/{method.name}"
        operation, _ = operations.GRPC_PATHS[path]
        assert OPERATIONS[operation].is_stream is method.server_streaming
        assert operations.grpc_path(operation, revision) == path


def test_paths_of_http_are_told_apart_by_method() -> None:
    found = operations.HTTP_SHAPES
    assert found[Revision.V1_0, "GET", Shape.PUSHES] is Operation.LIST_PUSH
    assert found[Revision.V1_0, "POST", Shape.PUSHES] is Operation.CREATE_PUSH
    assert found[Revision.V1_0, "DELETE", Shape.PUSH] is Operation.DELETE_PUSH
    assert (Revision.V0_3, "GET", Shape.TASKS) not in found
    assert (Revision.V1_0, "GET", Shape.SEND) not in found


def test_a_revision_may_lack_an_operation() -> None:
    assert operations.names(Operation.LIST_TASKS, Revision.V0_3) is None
    found = operations.names(Operation.SUBSCRIBE, Revision.V0_3)
    assert found is not None
    assert (found.jsonrpc, found.grpc) == ("tasks/resubscribe", "TaskSubscription")
