"""How errors are said: checked by the readers of the official SDK."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from a2a.client.transports.rest import _parse_rest_error
from a2a.compat.v0_3 import types as types_v03
from a2a.utils import errors as sdk
from google.rpc import error_details_pb2, status_pb2

from extproc.a2a import errors
from extproc.a2a.errors import ErrorKind, Fault
from gateway.a2a import Binding, Revision

V0_3, V1_0 = Revision.V0_3, Revision.V1_0
NOT_FOUND = Fault(ErrorKind.TASK_NOT_FOUND, "no task 'ä%\n'", {"taskId": "ä"})
SDK_ERRORS = {sdk.A2A_ERROR_REASONS[each]: each for each in sdk.A2A_ERROR_MAPPING}
OURS = [kind for kind in ErrorKind if kind.value.is_http]


def test_every_error_of_the_sdk_has_a_kind() -> None:
    assert set(SDK_ERRORS) | {"PARSE_ERROR"} == {
        kind.name for kind in ErrorKind if kind not in OURS
    }


@pytest.mark.parametrize("kind", [ErrorKind[name] for name in SDK_ERRORS])
def test_codes_and_statuses_are_the_sdks(kind: ErrorKind) -> None:
    known = SDK_ERRORS[kind.name]
    saying, mapping = kind.value, sdk.A2A_ERROR_MAPPING[known]
    assert saying.code == sdk.JSON_RPC_ERROR_CODE_MAP[known]
    assert saying.status == mapping.http_code
    if kind is not ErrorKind.METHOD_NOT_FOUND:  # that gRPC has a status of its own for
        assert saying.grpc.name == mapping.grpc_status


@pytest.mark.parametrize("kind", ErrorKind)
def test_no_two_errors_are_told_alike(kind: ErrorKind) -> None:
    assert [each for each in ErrorKind if each.value.code == kind.value.code] == [kind]
    assert [each for each in ErrorKind if each.value.class_name == kind.value.class_name] == [kind]


def test_jsonrpc_of_1_0() -> None:
    status, headers, body = errors.said(NOT_FOUND, Binding.JSONRPC, V1_0, b'"a"')
    assert (status, headers) == (200, (("content-type", "application/json"),))
    assert json.loads(body) == {
        "jsonrpc": "2.0",
        "id": "a",
        "error": {
            "code": -32001,
            "message": "no task 'ä%\n'",
            "data": [
                {
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                    "reason": "TASK_NOT_FOUND",
                    "domain": "a2a-protocol.org",
                    "metadata": {"taskId": "ä"},
                }
            ],
        },
    }


def test_jsonrpc_of_0_3() -> None:
    error = json.loads(errors.jsonrpc_body(NOT_FOUND, V0_3))
    assert error["id"] is None
    assert error["error"] == {
        "code": -32001,
        "message": "no task 'ä%\n'",
        "data": {"taskId": "ä"},
    }
    types_v03.JSONRPCErrorResponse.model_validate(error)


def test_the_id_that_was_read_is_the_answers() -> None:
    fault = Fault(ErrorKind.INVALID_PARAMS, "no", raw_id=b"1.50")
    assert b'"id":1.50,' in errors.jsonrpc_body(fault, V1_0)


@pytest.mark.parametrize(
    "kind", [ErrorKind.VERSION_NOT_SUPPORTED, ErrorKind.EXTENSION_SUPPORT_REQUIRED]
)
def test_0_3_has_no_code_for_all(kind: ErrorKind) -> None:
    assert json.loads(errors.jsonrpc_body(Fault(kind, ""), V0_3))["error"]["code"] == -32004


@pytest.mark.parametrize("kind", ErrorKind)
def test_http_of_1_0_is_read_by_the_sdk(kind: ErrorKind) -> None:
    status, headers, body = errors.said(Fault(kind, "why"), Binding.HTTP_JSON, V1_0)
    payload = json.loads(body)
    assert headers == (("content-type", "application/json"),)
    assert (payload["error"]["code"], payload["error"]["status"]) == (status, kind.value.grpc.name)
    found = _parse_rest_error(payload, "")
    if kind.name in SDK_ERRORS:
        assert type(found) is SDK_ERRORS[kind.name]
        assert found.message == "why"


def test_http_of_0_3_says_the_class_beside_the_message() -> None:
    status, _, body = errors.said(NOT_FOUND, Binding.HTTP_JSON, V0_3)
    assert status == 404
    assert json.loads(body) == {
        "message": "no task 'ä%\n'",
        "type": "TaskNotFoundError",
        "code": -32001,
        "data": {"taskId": "ä"},
    }


def grpc_status(said: errors.Said) -> status_pb2.Status:
    details = dict(said.headers)["grpc-status-details-bin"]
    return status_pb2.Status.FromString(base64.b64decode(details + "=" * (-len(details) % 4)))


def test_grpc_of_1_0_is_a_status_with_details() -> None:
    said = errors.said(NOT_FOUND, Binding.GRPC, V1_0)
    assert (said.status, said.body) == (200, b"")
    headers = dict(said.headers)
    assert (headers["content-type"], headers["grpc-status"]) == ("application/grpc", "5")
    assert headers["grpc-message"] == "no task '%C3%A4%25%0A'"
    status = grpc_status(said)
    assert (status.code, status.message) == (5, "no task 'ä%\n'")
    info = error_details_pb2.ErrorInfo()
    (detail,) = status.details
    assert detail.Unpack(info)
    assert (info.reason, info.domain) == ("TASK_NOT_FOUND", "a2a-protocol.org")
    assert dict(info.metadata) == {"taskId": "ä"}


def test_grpc_of_0_3_says_the_class_before_the_message() -> None:
    headers = dict(errors.said(NOT_FOUND, Binding.GRPC, V0_3).headers)
    assert headers["grpc-message"].startswith("TaskNotFoundError: no task")
    assert "grpc-status-details-bin" not in headers


@pytest.mark.parametrize("kind", OURS)
def test_what_is_the_gateways_has_its_status_in_jsonrpc_too(kind: ErrorKind) -> None:
    said = errors.said(Fault(kind, "no"), Binding.JSONRPC, V1_0)
    assert said.status == kind.value.status >= 400
    error = json.loads(said.body)["error"]
    assert -32099 <= error["code"] <= -32010
    assert error["data"][0]["domain"] == "dragoman"


@pytest.mark.parametrize(
    ("binding", "revision", "begins"),
    [
        (Binding.JSONRPC, V1_0, b'event: error\ndata: {"jsonrpc":"2.0","id":7,"error"'),
        (Binding.JSONRPC, V0_3, b'data: {"jsonrpc":"2.0","id":7,"error"'),
        (Binding.HTTP_JSON, V1_0, b'event: error\ndata: {"error"'),
        (Binding.HTTP_JSON, V0_3, b'event: error\ndata: {"message"'),
        (Binding.GRPC, V1_0, b""),
    ],
)
def test_a_stream_that_fails_ends_with_an_event(
    binding: Binding, revision: Revision, begins: bytes
) -> None:
    event = errors.event(NOT_FOUND, binding, revision, b"7")
    assert event.startswith(begins)
    assert event.count(b"\n\n") == bool(begins)


def test_long_messages_are_cut() -> None:
    body: dict[str, Any] = json.loads(
        errors.http_body(Fault(ErrorKind.INTERNAL_ERROR, "a" * 9000), V1_0)
    )
    assert len(body["error"]["message"]) == 2000
