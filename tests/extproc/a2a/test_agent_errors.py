"""Errors of agents are read back from every binding and revision."""

from __future__ import annotations

import json

import pytest
from a2a.utils import errors as sdk
from a2a.utils.error_handlers import build_rest_error_payload
from hypothesis import given
from hypothesis import strategies as st

from extproc.a2a import agent_errors, errors
from extproc.a2a.errors import ErrorKind, Fault
from gateway.a2a import Binding, Revision

V0_3, V1_0 = Revision.V0_3, Revision.V1_0
faults = st.builds(
    Fault,
    st.sampled_from(ErrorKind),
    st.text(max_size=50),
    st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3),
)


def read(said: errors.Said, binding: Binding) -> Fault:
    match binding:
        case Binding.JSONRPC:
            return agent_errors.read_jsonrpc(json.loads(said.body)["error"])
        case Binding.HTTP_JSON:
            return agent_errors.read_http(said.status, said.body)
        case Binding.GRPC:
            found = agent_errors.read_grpc(dict(said.headers))
            assert found is not None
            return found


@given(faults, st.sampled_from(Binding))
def test_errors_of_1_0_come_back_as_they_were(fault: Fault, binding: Binding) -> None:
    assert read(errors.said(fault, binding, V1_0), binding) == fault


@given(faults, st.sampled_from(Binding))
def test_errors_of_0_3_come_back_with_their_kind(fault: Fault, binding: Binding) -> None:
    found = read(errors.said(fault, binding, V0_3), binding)
    if binding is Binding.JSONRPC and fault.kind in (
        ErrorKind.VERSION_NOT_SUPPORTED,
        ErrorKind.EXTENSION_SUPPORT_REQUIRED,
    ):
        assert found.kind is ErrorKind.UNSUPPORTED_OPERATION
    else:
        assert found.kind is fault.kind
    if fault.message or binding is not Binding.HTTP_JSON:
        assert found.message == fault.message


@pytest.mark.parametrize("error", sdk.A2A_ERROR_MAPPING)
def test_errors_of_the_sdk_are_read(error: type[sdk.A2AError]) -> None:
    payload = build_rest_error_payload(error("why", {"a": "b"}))
    found = agent_errors.read_http(payload["error"]["code"], json.dumps(payload).encode())
    assert found == Fault(ErrorKind[sdk.A2A_ERROR_REASONS[error]], "why", {"a": "b"})


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        (404, b'{"message":"Task not found"}', ErrorKind.TASK_NOT_FOUND, "Task not found"),
        (422, b'{"detail":"bad"}', ErrorKind.INVALID_PARAMS, "bad"),
        (503, b"upstream connect error", ErrorKind.UNAVAILABLE, None),
        (418, b"", ErrorKind.INVALID_REQUEST, None),
        (500, b"[]", ErrorKind.INTERNAL_ERROR, None),
        (500, b'{"error":{"code":500,"message":"x"}}', ErrorKind.INTERNAL_ERROR, "x"),
        (400, b'{"code":-32005,"message":"x"}', ErrorKind.CONTENT_TYPE_NOT_SUPPORTED, "x"),
    ],
)
def test_a_status_says_it_where_nothing_else_does(
    status: int, body: bytes, kind: ErrorKind, message: str | None
) -> None:
    found = agent_errors.read_http(status, body)
    assert found.kind is kind
    assert found.message == (message or f"the agent answered with the status {status}")


@pytest.mark.parametrize(
    ("trailers", "kind", "message"),
    [
        ({"grpc-status": "14", "grpc-message": "gone%21"}, ErrorKind.UNAVAILABLE, "gone!"),
        ({"grpc-status": "99"}, ErrorKind.INTERNAL_ERROR, ""),
        ({"grpc-status": "3", "grpc-message": "Odd: a"}, ErrorKind.INVALID_PARAMS, "Odd: a"),
        ({"grpc-status": "5", "grpc-status-details-bin": "!"}, ErrorKind.TASK_NOT_FOUND, ""),
        ({"grpc-status": "5", "grpc-status-details-bin": "Gv8"}, ErrorKind.TASK_NOT_FOUND, ""),
        ({}, ErrorKind.BAD_GATEWAY, "the agent's answer has no status"),
    ],
)
def test_statuses_of_grpc_say_it_where_details_do_not(
    trailers: dict[str, str], kind: ErrorKind, message: str
) -> None:
    assert agent_errors.read_grpc(trailers) == Fault(kind, message)


def test_a_call_that_went_well_has_no_error() -> None:
    assert agent_errors.read_grpc({"grpc-status": "0"}) is None


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ({"code": -32001}, Fault(ErrorKind.TASK_NOT_FOUND, "")),
        ({"code": 1, "message": "x"}, Fault(ErrorKind.INTERNAL_ERROR, "x")),
        ({"code": -32603, "data": {"n": [1]}}, Fault(ErrorKind.INTERNAL_ERROR, "", {"n": "[1]"})),
        ({"code": True, "data": ["x"]}, Fault(ErrorKind.INTERNAL_ERROR, "")),
        ("x", Fault(ErrorKind.INVALID_AGENT_RESPONSE, "the agent's error is no object")),
    ],
)
def test_odd_errors_of_jsonrpc_are_read(error: object, expected: Fault) -> None:
    assert agent_errors.read_jsonrpc(error) == expected
