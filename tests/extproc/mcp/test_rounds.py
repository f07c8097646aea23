from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.mcp import messages, rounds
from extproc.mcp.messages import Message
from extproc.mcp.rounds import Envelope, Question, Wanted

CALL = (
    b'{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"a","arguments":{"n": 1.10}}}'
)
ASKS = Question("who", "elicitation/create", b'{"message": "?"}')


def answer(**result: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode()


def test_a_result_that_asks_for_input_is_read() -> None:
    asked = {"who": {"method": "elicitation/create", "params": {"message": "?"}}}
    body = answer(resultType="input_required", inputRequests=asked, requestState="s")
    assert rounds.wanted(body) == Wanted((ASKS,), b'"s"')
    alone = answer(resultType="input_required", requestState="s")
    assert rounds.wanted(alone) == Wanted((), b'"s"')
    roots = answer(resultType="input_required", inputRequests={"r": {"method": "roots/list"}})
    assert rounds.wanted(roots) == Wanted((Question("r", "roots/list"),))


@pytest.mark.parametrize(
    "body",
    [
        answer(),
        answer(resultType="complete"),
        answer(resultType="input_required", inputRequests=5),
        answer(resultType="input_required", inputRequests={"a": {}}),
        b'{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":""}}',
        b'{"jsonrpc":"2.0","id":1,"result":5}',
        b"",
        b"[1]",
        b"[" * 100_000,
    ],
)
def test_everything_else_asks_for_nothing(body: bytes) -> None:
    assert rounds.wanted(body) is None


def test_a_call_is_sent_again_with_what_was_asked_for() -> None:
    said = rounds.again(CALL, b'"x:1"', {"who": b'{"action": "accept"}'}, b'"s"')
    assert json.loads(said) == {
        "jsonrpc": "2.0",
        "id": "x:1",
        "method": "tools/call",
        "params": {
            "name": "a",
            "arguments": {"n": 1.1},
            "inputResponses": {"who": {"action": "accept"}},
            "requestState": "s",
        },
    }
    assert b'{"n": 1.10}' in said
    assert b"inputResponses" not in rounds.again(CALL, b"6", {}, b'"s"')
    assert b"requestState" not in rounds.again(CALL, b"6", {"a": b"{}"}, b"")


def test_a_question_becomes_a_result_and_back() -> None:
    body = rounds.input_required(b"5", (ASKS, Question("r", "roots/list")), "dmr.x")
    assert json.loads(body)["id"] == 5
    assert rounds.wanted(body) == Wanted((ASKS, Question("r", "roots/list")), b'"dmr.x"')


def test_the_input_of_a_call_is_found() -> None:
    said = rounds.again(CALL, b"6", {"who": b'{"n": 1.0}'}, b'"s"')
    assert rounds.answers(said) == {"who": b'{"n": 1.0}'}
    assert rounds.answers(CALL) == {}
    assert rounds.answers(CALL.replace(b'"name"', b'"inputResponses":[],"name"')) == {}


def test_an_answer_can_be_that_to_another_request() -> None:
    assert rounds.with_id(answer(a=1), b'"z"') == answer(a=1).replace(b'"id": 1', b'"id": "z"')


@given(st.text("0123456789abcdef", min_size=1), st.text())
def test_ids_of_our_own_questions_come_back(call: str, key: str) -> None:
    assert rounds.read_own_id(rounds.own_id(call, key)) == (call, key)


@pytest.mark.parametrize("identity", [5, None, "", "round:", "round:x", "other:x:y"])
def test_ids_of_servers_are_none_of_ours(identity: object) -> None:
    assert rounds.read_own_id(identity) is None


@pytest.mark.parametrize(
    ("capabilities", "can"),
    [
        (b'{"sampling":{}}', True),
        (b'{"elicitation":{"form":{}},"experimental":{}}', True),
        (b'{"roots":{"listChanged":true}}', True),
        (b'{"experimental":{"sampling":{}}}', False),
        (b"{}", False),
        (b"[]", False),
        (b"", False),
    ],
)
def test_who_can_be_asked_says_so(capabilities: bytes, can: bool) -> None:
    assert rounds.can_be_asked(capabilities) is can


def test_an_envelope_comes_through_a_header() -> None:
    envelope = Envelope("a", "2026-07-28", "key", "api_key\n\nann\n")
    assert rounds.decode(rounds.encode(envelope)) == envelope


@pytest.mark.parametrize("header", ["", "x", "é", base64.b64encode(b"{}").decode()])
def test_what_is_no_envelope_is_told_so(header: str) -> None:
    assert rounds.decode(header) is None


def test_what_is_sent_again_can_be_read() -> None:
    said = rounds.again(CALL, b"6", {"w": b"{}"}, b'"s"')
    assert isinstance(messages.read(said), Message)


URL = Question("k", "elicitation/create", b'{"mode":"url","url":"x","message":"?"}')


def test_a_client_is_asked_what_it_has_declared() -> None:
    form = Question("k", "elicitation/create", b'{"mode":"form"}')
    bare = Question("k", "roots/list")
    assert rounds.is_offered(form, {"elicitation": {}})
    assert not rounds.is_offered(URL, {"elicitation": {}})
    assert rounds.is_offered(URL, {"elicitation": {"url": {}}})
    assert rounds.is_offered(bare, {"roots": {}})
    assert not rounds.is_offered(bare, {"elicitation": {}, "roots": None})
    assert not rounds.is_offered(Question("k", "ping"), {"": {}, "ping": {}})


def test_an_elicitation_by_url_has_the_id_that_it_had() -> None:
    said = json.loads(rounds.legacy_params(URL, "own"))
    assert said == {"mode": "url", "url": "x", "message": "?", "elicitationId": "own"}
    known = Question("k", URL.method, b'{"mode":"url","elicitationId":"5"}')
    assert rounds.legacy_params(known, "own") == known.params
    assert rounds.legacy_params(Question("k", "roots/list"), "own") == b""


@pytest.mark.parametrize(("own", "said"), [('"s/1"', "s/1"), (None, "")])
def test_a_state_says_for_which_server_it_is(own: str | None, said: str) -> None:
    state = "" if own is None else f'"requestState":{own},'
    asking = f'{{{state}"resultType":"input_required","inputRequests":{{}}}}'.encode()
    told = json.loads(rounds.bound(asking, "github"))
    assert told["requestState"] == f"dmt.github/{said}"
    params = {"uri": "x://y", "requestState": told["requestState"], "inputResponses": {}}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "resources/read", "params": params})
    message = messages.read(body.encode())
    assert isinstance(message, Message)
    found = rounds.unbound(message)
    assert found is not None
    server, inner = found
    assert server == "github"
    left = json.loads(inner.body)["params"]
    assert left.pop("requestState", "") == said
    assert left == {"uri": "x://y", "inputResponses": {}}
    assert rounds.unbound(inner) is None


@pytest.mark.parametrize(
    "result",
    [
        b'{"resultType":"complete","text":"input_required"}',
        b'{"resultType":"input_required","requestState":7}',
        b"{}",
    ],
)
def test_other_results_stay_as_they_are(result: bytes) -> None:
    assert rounds.bound(result, "github") is result
