from __future__ import annotations

import pytest
from a2a.types import a2a_pb2

from extproc.a2a import grpc_frames
from extproc.a2a.errors import ErrorKind, Fault
from extproc.a2a.forms.grpc_requests import read_grpc
from extproc.a2a.operations import Operation, grpc_path
from extproc.a2a.requests import A2aRequest
from gateway.a2a import Binding, Revision

PATH = grpc_path(Operation.SEND, Revision.V1_0)
NEW = {"a2a-version": "1.0"}


def framed(request: a2a_pb2.SendMessageRequest) -> bytes:
    return grpc_frames.frame(request.SerializeToString())


def test_a_call_is_read() -> None:
    request = a2a_pb2.SendMessageRequest(
        tenant="acme",
        message=a2a_pb2.Message(task_id="t", parts=[{"text": "hi"}], role=a2a_pb2.ROLE_USER),
        configuration=a2a_pb2.SendMessageConfiguration(accepted_output_modes=["text/plain"]),
    )
    found = read_grpc(PATH, framed(request), {**NEW, "a2a-extensions": "urn:a"})
    message = {"taskId": "t", "role": "ROLE_USER", "parts": [{"text": "hi"}]}
    assert found == A2aRequest(
        Operation.SEND,
        Binding.GRPC,
        Revision.V1_0,
        b"null",
        {
            "tenant": "acme",
            "message": message,
            "configuration": {"acceptedOutputModes": ["text/plain"]},
        },
        message,
        tenant="acme",
        task_id="t",
        accepted_output_modes=("text/plain",),
        extensions=("urn:a",),
    )


@pytest.mark.parametrize(
    ("path", "body", "headers", "kind"),
    [
        ("/lf.a2a.v1.A2AService/Dance", grpc_frames.frame(b""), NEW, ErrorKind.METHOD_NOT_FOUND),
        (PATH, grpc_frames.frame(b""), {}, ErrorKind.INVALID_PARAMS),  # the path says the version
        (PATH, grpc_frames.frame(b""), {"a2a-version": "0.3"}, ErrorKind.VERSION_NOT_SUPPORTED),
        (PATH, grpc_frames.frame(b""), {"a2a-version": "7"}, ErrorKind.VERSION_NOT_SUPPORTED),
        (PATH, b"", NEW, ErrorKind.INVALID_REQUEST),
        (PATH, grpc_frames.frame(b"\xff"), NEW, ErrorKind.INVALID_REQUEST),
        (PATH, grpc_frames.frame(b""), NEW, ErrorKind.INVALID_PARAMS),
    ],
)
def test_what_is_no_call_is_refused(
    path: str, body: bytes, headers: dict[str, str], kind: ErrorKind
) -> None:
    found = read_grpc(path, body, headers)
    assert isinstance(found, Fault)
    assert found.kind is kind


def test_a_call_of_0_3_needs_no_version() -> None:
    path = grpc_path(Operation.CANCEL_TASK, Revision.V0_3)
    found = read_grpc(path, grpc_frames.frame(b"\x0a\x07tasks/t"), {})
    assert isinstance(found, A2aRequest)
    assert (found.task_id, found.document) == ("t", {"name": "tasks/t"})
