from __future__ import annotations

import json

from extproc.a2a import grpc_frames
from extproc.a2a.forms import protobuf
from extproc.a2a.operations import Operation
from extproc.a2a.requests import A2aRequest
from extproc.a2a_exchange.reading import read
from extproc.facts import Facts
from gateway.a2a import Binding
from tests.kit.a2a_exchange import send
from tests.kit.mcp_exchange import NOW

GRPC = "/lf.a2a.v1.A2AService/SendMessage"


def facts(path: str, method: str = "POST") -> Facts:
    return Facts(now=NOW, method=method, path=path, headers={"a2a-version": "1.0"})


def test_a_request_is_read_as_its_binding_carries_it() -> None:
    params = send()["params"]
    assert isinstance(params, dict)
    found = [
        read(Binding.JSONRPC, facts("/a2a/t"), "", json.dumps(send()).encode()),
        read(
            Binding.HTTP_JSON,
            facts("/a2a/t/message:send"),
            "/message:send",
            json.dumps(params).encode(),
        ),
        read(
            Binding.GRPC,
            facts(GRPC),
            "",
            grpc_frames.frame(protobuf.encode(protobuf.V1_0 + "SendMessageRequest", params, [])),
        ),
    ]
    for each in found:
        assert isinstance(each, A2aRequest)
        assert each.operation is Operation.SEND
        assert each.message == params["message"]


def test_what_a_query_says_is_read() -> None:
    found = read(Binding.HTTP_JSON, facts("/a2a/t/tasks/7?historyLength=2", "GET"), "/tasks/7", b"")
    assert isinstance(found, A2aRequest)
    assert found.document == {"id": "7", "historyLength": 2}
