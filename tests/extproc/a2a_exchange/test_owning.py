"""Answers of one of several: their ids say whose they are, as they pass."""

from __future__ import annotations

import json

import pytest

from extproc.events import (
    ChangeHeaders,
    Flow,
    Respond,
    ResponseBody,
    ResponseHeaders,
)
from tests.kit.a2a_exchange import V1, send
from tests.kit.a2a_pools import JSON, call, desk, instances, params, task, telling, where


def test_events_of_a_stream_pass_one_by_one() -> None:
    exchange, _ = desk().ask("/a2a/travel", send(method="SendStreamingMessage"), **V1)
    kind = {"content-type": "text/event-stream"}
    begun = exchange.on_event(ResponseHeaders(200, "", headers=kind))
    assert begun == Flow(ChangeHeaders((), ("content-length",)))
    event = json.dumps({"jsonrpc": "2.0", "id": 7, "result": {"task": task()}})
    piece = exchange.on_event(ResponseBody(f"data: {event}\n\ndata: ".encode(), False))
    assert isinstance(piece, Flow)
    assert piece.body.count(b"data: ") == 1
    assert b'"t~blue"' in piece.body
    assert not exchange.let_go()
    broken = exchange.on_event(ResponseBody(b"{\n\n", False))
    assert isinstance(broken, Respond)  # which cuts what has begun
    assert exchange.is_over


@pytest.mark.parametrize("status", [404, 500, 503])
def test_what_went_wrong_passes_as_it_is(status: int) -> None:
    exchange, _ = desk().ask("/a2a/travel", call("GetTask", id="t~blue"), **V1)
    assert exchange.on_event(ResponseHeaders(status, "")) == Flow(ChangeHeaders(()))
    assert exchange.on_event(ResponseBody(b"{}", True)) == Flow(body=b"{}", is_end=True)
    assert exchange.is_over


def test_an_answer_that_is_no_json_is_an_error() -> None:
    exchange, _ = desk().ask("/a2a/travel", send(), **V1)
    assert exchange.on_event(ResponseHeaders(200, "", headers=JSON)) == Flow()
    found = exchange.on_event(ResponseBody(b"<html>", True))
    assert isinstance(found, Respond)
    assert json.loads(found.body)["error"]["code"] == -32006


def test_what_an_instance_of_another_form_says_is_changed_too() -> None:
    place = {"url": "http://t/at", "protocolBinding": "JSONRPC", "protocolVersion": "0.3"}
    peers = instances(
        blue=telling("blue", supportedInterfaces=[place]),
        green=telling("green", supportedInterfaces=[place]),
    )
    exchange, action = desk(peers=peers).ask("/a2a/travel", send(taskId="t~green"), **V1)
    assert where(action) == "travel~green"
    assert params(action)["message"]["taskId"] == "t"
    assert exchange.on_event(ResponseHeaders(200, "", headers=JSON)) == Flow()
    result = {"kind": "task", "id": "t", "contextId": "c", "status": {"state": "working"}}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode()
    last = exchange.on_event(ResponseBody(body, True))
    assert isinstance(last, Respond)
    assert json.loads(last.body)["result"]["task"]["id"] == "t~green"
