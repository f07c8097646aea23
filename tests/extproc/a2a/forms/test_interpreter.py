"""The edges of a translated request; `test_forms.py` has what real clients and agents do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from extproc.a2a import agent_errors, requests
from extproc.a2a.errors import ErrorKind, Fault
from extproc.a2a.forms.calls import Call, Target
from extproc.a2a.forms.grpc_requests import read_message
from extproc.a2a.forms.interpreter import Begun, Interpreter
from extproc.a2a.forms.losses import Loss, Lost
from extproc.a2a.operations import Operation, grpc_path
from extproc.a2a.requests import A2aRequest
from gateway.a2a import Binding, Revision

NEW = {"a2a-version": "1.0"}
OLD_AGENT = Target(Binding.JSONRPC, Revision.V0_3)
NEW_AGENT = Target(Binding.HTTP_JSON, Revision.V1_0)
GRPC_AGENT = Target(Binding.GRPC, Revision.V1_0)
JSON = {"content-type": "application/json"}
EVENTS = {"content-type": "text/event-stream; charset=utf-8"}
SEND = {"message": {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "hi"}]}}


def asked(method: str, params: Any, headers: dict[str, str] | None = None) -> A2aRequest:
    body = json.dumps({"jsonrpc": "2.0", "id": "i", "method": method, "params": params}).encode()
    found = requests.read_jsonrpc(body, NEW if headers is None else headers)
    assert isinstance(found, A2aRequest)
    return found


def test_what_an_agent_cannot_do_is_refused_before_it_is_asked() -> None:
    fault = Interpreter(asked("ListTasks", {}), OLD_AGENT).call()
    assert isinstance(fault, Fault)
    assert (fault.kind, fault.raw_id) == (ErrorKind.UNSUPPORTED_OPERATION, b'"i"')
    assert fault.message == "the agent speaks A2A 0.3, which has no ListTasks"


def test_what_cannot_be_converted_is_refused() -> None:
    request = asked("SendMessage", {"message": {"parts": [{"text": 5}]}})
    fault = Interpreter(request, GRPC_AGENT).call()
    assert isinstance(fault, Fault)
    assert (fault.kind, fault.message) == (ErrorKind.INVALID_PARAMS, "'text' is a text")
    old = asked("message/send", {"message": {"parts": [{}]}}, {})
    assert isinstance(Interpreter(old, GRPC_AGENT).call(), Fault)


def test_losses_are_told() -> None:
    between = Interpreter(asked("GetTask", {"id": "t", "tenant": "a"}), OLD_AGENT)
    assert isinstance(between.call(), Call)
    assert between.losses == [Lost(Loss.TENANT, "tenant")]


def test_extensions_go_there_and_back_by_the_headers_of_each_revision() -> None:
    between = Interpreter(
        asked("GetTask", {"id": "t"}, {**NEW, "a2a-extensions": "urn:a"}), OLD_AGENT
    )
    call = between.call()
    assert isinstance(call, Call)
    assert dict(call.headers)["x-a2a-extensions"] == "urn:a"
    assert between.begin(200, {**JSON, "x-a2a-extensions": "urn:a"}) is None
    between.feed(b'{"jsonrpc":"2.0","id":"1","result":{"id":"t","status":{"state":"working"}}}')
    ended = between.end({})
    assert ended.begun == Begun(
        200, (("content-type", "application/json"), ("a2a-extensions", "urn:a"))
    )
    assert json.loads(ended.body) == {
        "jsonrpc": "2.0",
        "id": "i",
        "result": {"id": "t", "status": {"state": "TASK_STATE_WORKING"}},
    }


def test_a_stream_that_is_refused_is_an_answer() -> None:
    between = Interpreter(asked("SendStreamingMessage", SEND), OLD_AGENT)
    between.call()
    assert between.begin(200, JSON) is None
    assert between.stream is None
    between.feed(b'{"jsonrpc":"2.0","id":"1","error":{"code":-32004,"message":"no streams"}}')
    ended = between.end({})
    assert ended.begun is not None
    assert json.loads(ended.body)["error"]["code"] == -32004


def test_one_result_is_a_stream_of_one_event() -> None:
    between = Interpreter(asked("SendStreamingMessage", SEND), NEW_AGENT)
    between.call()
    assert between.begin(200, JSON) is None
    between.feed(b'{"task":{"id":"t"}}')
    ended = between.end({})
    assert ended.begun == Begun(200, (("content-type", "text/event-stream"),))
    assert ended.body == b'data: {"jsonrpc":"2.0","id":"i","result":{"task":{"id":"t"}}}\n\n'


def test_a_stream_passes_as_it_comes() -> None:
    between = Interpreter(asked("SendStreamingMessage", SEND), NEW_AGENT)
    between.call()
    assert between.begin(200, EVENTS) == Begun(200, (("content-type", "text/event-stream"),))
    assert between.feed(b'data: {"task":') == b""
    assert between.feed(b'{"id":"t"}}\n\n') != b""
    assert between.stream is not None
    assert between.end({}) == (None, b"", ())


def test_a_status_of_grpc_without_messages_is_an_answer() -> None:
    between = Interpreter(asked("SubscribeToTask", {"id": "t"}), GRPC_AGENT)
    between.call()
    headers = {"content-type": "application/grpc", "grpc-status": "5", "grpc-message": "gone"}
    assert between.begin(200, headers) is None
    ended = between.end({})
    assert json.loads(ended.body)["error"]["code"] == -32001


@pytest.mark.parametrize(("status", "headers"), [(503, {}), (502, EVENTS)])
def test_what_proxies_say_is_an_error_in_the_clients_words(
    status: int, headers: dict[str, str]
) -> None:
    path = grpc_path(Operation.STREAM, Revision.V1_0)
    request = read_message(path, b"\x12\x06\x2a\x04\x0a\x02hi", NEW)
    assert isinstance(request, A2aRequest)
    between = Interpreter(request, NEW_AGENT)
    between.call()
    assert between.begin(status, headers) is None
    ended = between.end({})
    assert ended.begun is not None
    fault = agent_errors.read_grpc(dict(ended.begun.headers))
    assert fault is not None
    assert fault.kind in (ErrorKind.UNAVAILABLE, ErrorKind.BAD_GATEWAY)


def test_an_answer_that_is_too_large_is_not_kept() -> None:
    between = Interpreter(asked("GetTask", {"id": "t"}), NEW_AGENT, most_bytes=10)
    between.call()
    between.begin(200, JSON)
    for _ in range(3):
        between.feed(b'{"id":')
    ended = between.end({})
    assert b"more than 10 bytes" in ended.body


def test_an_answer_that_the_client_cannot_be_told_is_an_error() -> None:
    path = grpc_path(Operation.GET_TASK, Revision.V1_0)
    request = read_message(path, b"\x12\x01t", NEW)
    assert isinstance(request, A2aRequest)
    between = Interpreter(request, NEW_AGENT)
    between.call()
    between.begin(200, JSON)
    between.feed(b'{"id":5}')
    ended = between.end({})
    assert ended.begun is not None
    assert dict(ended.begun.headers)["grpc-status"] == "13"
