"""What policies see of what is asked."""

from __future__ import annotations

import json

import pytest

from extproc.a2a.requests import A2aRequest, read_jsonrpc
from extproc.a2a_exchange.described import call_of, parts_of


def asked(method: str, version: str, **message: object) -> A2aRequest:
    said = {"messageId": "m", "parts": [{"text": "x"}], **message}
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"message": said}}
    found = read_jsonrpc(json.dumps(body).encode(), {"a2a-version": version})
    assert isinstance(found, A2aRequest)
    return found


@pytest.mark.parametrize(("method", "version"), [("SendMessage", "1.0"), ("message/send", "0.3")])
def test_it_is_the_same_whichever_the_revision(method: str, version: str) -> None:
    more = {"taskId": "t", "contextId": "c", "metadata": {"skillId": "s"}}
    call = call_of(asked(method, version, **more), "travel", ("a",))
    assert (call.method, call.agent, call.task, call.context) == ("SendMessage", "travel", "t", "c")
    assert (call.skill, call.chain, call.parts) == ("s", ("a",), ({"text": "x"},))


@pytest.mark.parametrize("metadata", [None, [], {}, {"skill": 1}])
def test_no_skill_may_be_named(metadata: object) -> None:
    assert call_of(asked("SendMessage", "1.0", metadata=metadata), "travel").skill == ""


@pytest.mark.parametrize("message", [{}, {"parts": "x"}, {"content": [1], "parts": [{}]}])
def test_what_are_no_parts_are_left_out(message: dict[str, object]) -> None:
    assert parts_of(message) == ()
