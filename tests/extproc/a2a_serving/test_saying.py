"""What the gateway itself says, in the words of each binding."""

from __future__ import annotations

import json

import pytest

from extproc.a2a.errors import ErrorKind, Fault
from extproc.a2a_serving.saying import Speech
from extproc.verdict import Deny
from gateway.a2a import Binding, Revision

LIMITED = Deny(429, "rate_limit_exceeded", "too many", headers=(("retry-after", "3"),))


def test_over_json_rpc_it_is_an_error_with_the_id_of_the_request() -> None:
    said = Speech(Binding.JSONRPC, Revision.V1_0, b"7").refused(LIMITED)
    document = json.loads(said.body)
    assert (said.status, document["id"]) == (429, 7)
    assert document["error"]["data"][0]["metadata"] == {"code": "rate_limit_exceeded"}
    assert ("retry-after", "3") in said.headers
    assert said.details == "dragoman_rate_limit_exceeded"


@pytest.mark.parametrize(
    ("revision", "reason"), [(Revision.V1_0, "error"), (Revision.V0_3, "type")]
)
def test_over_http_it_is_an_object_with_the_status(revision: Revision, reason: str) -> None:
    said = Speech(Binding.HTTP_JSON, revision).refused(LIMITED)
    assert said.status == 429
    assert reason in json.loads(said.body)


def test_over_grpc_it_is_a_status_of_grpc() -> None:
    said = Speech(Binding.GRPC, Revision.V1_0).refused(LIMITED)
    assert (said.status, said.body) == (200, b"")
    assert dict(said.headers)["grpc-status"] == "8"


def test_what_the_protocol_has_a_word_for_is_said_so() -> None:
    said = Speech(Binding.JSONRPC, Revision.V1_0).fault(Fault(ErrorKind.TASK_NOT_FOUND, "none"))
    assert (said.status, json.loads(said.body)["error"]["code"]) == (200, -32001)
    assert said.details == "dragoman_a2a_task_not_found"
