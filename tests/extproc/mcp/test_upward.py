from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.mcp import ids
from extproc.mcp.upward import RELATED_TASK, SUBSCRIPTION_ID, Origin, upward

JIRA = Origin("jira")


def sent(**message: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **message}).encode()


def told(origin: Origin, text: bytes) -> dict[str, Any]:
    said = upward(origin, text)
    assert said is not None
    document = json.loads(said)
    assert isinstance(document, dict)
    return document


@pytest.mark.parametrize(
    ("identity", "outward"), [(5, "jira/i:5"), ("a", "jira/s:a"), (1.5, "jira/n:1.5")]
)
def test_a_request_of_a_server_names_it(identity: Any, outward: str) -> None:
    text = sent(id=identity, method="roots/list")
    assert told(JIRA, text) == {"jsonrpc": "2.0", "id": outward, "method": "roots/list"}


def test_with_a_key_its_ids_are_made_with_it() -> None:
    origin = Origin("jira", key=b"key")
    asked = told(origin, sent(id=5, method="x", params={"_meta": {"progressToken": "t"}}))
    assert ids.inward(asked["id"], b"key") == ("jira", 5)
    assert ids.inward(asked["params"]["_meta"]["progressToken"], b"key") == ("jira", "t")
    cancelled = told(origin, sent(method="notifications/cancelled", params={"requestId": 5}))
    assert cancelled["params"]["requestId"] == asked["id"]


def test_its_progress_token_names_it_too_and_nothing_else_changes() -> None:
    text = (
        b'{"jsonrpc":"2.0", "id": 5, "method":"sampling/createMessage","params":'
        b'{"maxTokens": 1.0,"_meta":{"progressToken": "t", "x": [ ]}}}'
    )
    assert upward(JIRA, text) == text.replace(b'"id": 5', b'"id": "jira/i:5"').replace(
        b'"t"', b'"jira/s:t"'
    )


def test_what_it_cancels_is_its_own() -> None:
    text = sent(method="notifications/cancelled", params={"requestId": 5, "reason": "x"})
    assert told(JIRA, text)["params"] == {"requestId": "jira/i:5", "reason": "x"}


@pytest.mark.parametrize("method", ["notifications/tasks/status", "notifications/tasks"])
def test_its_tasks_name_it(method: str) -> None:
    text = sent(method=method, params={"taskId": "7", "status": "working"})
    assert told(JIRA, text)["params"] == {"taskId": "jira/7", "status": "working"}


@pytest.mark.parametrize(
    ("method", "result", "outward"),
    [
        ("tools/call", {"task": {"taskId": "7"}}, {"task": {"taskId": "jira/7"}}),
        ("tasks/get", {"taskId": "7"}, {"taskId": "jira/7"}),
        ("tasks/cancel", {"taskId": "7"}, {"taskId": "jira/7"}),
        (
            "tools/call",
            {"resultType": "task", "taskId": "7"},
            {"resultType": "task", "taskId": "jira/7"},
        ),
        (
            "tasks/result",
            {"taskId": "mine", "_meta": {RELATED_TASK: {"taskId": "7"}}},
            {"taskId": "mine", "_meta": {RELATED_TASK: {"taskId": "jira/7"}}},
        ),
        ("tools/call", {"taskId": "of the tool's own"}, {"taskId": "of the tool's own"}),
        ("tools/call", {"task": "x", "_meta": []}, {"task": "x", "_meta": []}),
        ("tools/call", {"task": {"taskId": 7}}, {"task": {"taskId": 7}}),
    ],
)
def test_tasks_in_results_name_it(method: str, result: Any, outward: Any) -> None:
    text = sent(id=1, result=result)
    assert told(Origin("jira", method), text) == {"jsonrpc": "2.0", "id": 1, "result": outward}


def test_a_request_about_a_task_names_it() -> None:
    meta = {RELATED_TASK: {"taskId": "7"}}
    document = told(JIRA, sent(id=1, method="elicitation/create", params={"_meta": meta}))
    assert document["params"]["_meta"] == {RELATED_TASK: {"taskId": "jira/7"}}


def test_a_resource_that_several_servers_have_is_called_as_in_the_list() -> None:
    origin = Origin("jira", shown_uri=lambda uri: f"jira+{uri}" if uri == "test://a" else uri)
    shared = sent(method="notifications/resources/updated", params={"uri": "test://a"})
    own = sent(method="notifications/resources/updated", params={"uri": "test://b"})
    assert told(origin, shared)["params"] == {"uri": "jira+test://a"}
    assert upward(origin, own) == own
    assert upward(JIRA, shared) == shared


@pytest.mark.parametrize(
    ("least", "heard"),
    [
        (None, ["debug", "warning", "error", "loud"]),  # it has a session, which says
        ("", []),
        ("nothing", []),
        ("debug", ["debug", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("emergency", []),
    ],
)
def test_a_client_without_a_session_hears_the_logs_that_its_request_asks_for(
    least: str | None, heard: list[str]
) -> None:
    origin = Origin("jira", log_level=least)
    logs = {
        level: sent(method="notifications/message", params={"level": level, "data": "x"})
        for level in ("debug", "warning", "error", "loud")
    }
    assert [level for level, text in logs.items() if upward(origin, text) == text] == heard
    assert all(upward(origin, text) in (text, b"") for text in logs.values())
    assert upward(origin, b"[%s]" % logs["debug"]) == (
        b"[%s]" % logs["debug"] if "debug" in heard else b""
    )


def test_a_subscription_is_the_clients_own() -> None:
    origin = Origin("jira", "subscriptions/listen", subscription=b'"mine"')
    note = sent(method="notifications/tools/list_changed", params={"_meta": {SUBSCRIPTION_ID: 9}})
    assert told(origin, note)["params"] == {"_meta": {SUBSCRIPTION_ID: "mine"}}
    last = sent(id=9, result={"_meta": {SUBSCRIPTION_ID: 9}})
    assert told(origin, last)["id"] == "mine"
    assert told(origin, last)["result"] == {"_meta": {SUBSCRIPTION_ID: "mine"}}


@pytest.mark.parametrize(
    "text",
    [
        sent(id=1, result={}),
        sent(id="a", result={"content": [{"type": "text", "text": "x"}]}),
        sent(id=1, error={"code": -32602, "message": "x", "data": {"task": {"taskId": "1"}}}),
        sent(error={"code": -32700, "message": "x"}),
        sent(method="notifications/progress", params={"progressToken": 1, "progress": 0.5}),
        sent(method="notifications/message", params={"level": "info", "data": {"id": 1}}),
        sent(method="notifications/tools/list_changed"),
        b'{"jsonrpc": "2.0", "id": 1, "result": ' + b"[" * 190 + b"]" * 190 + b"}",
        b'{"jsonrpc":"2.0","id":1,"result":{"content":[' + b"1," * 600_000 + b"1]}}",
    ],
)
def test_everything_else_passes_byte_for_byte(text: bytes) -> None:
    assert upward(JIRA, text) == text


def test_each_message_of_a_batch_is_told_on() -> None:
    text = b"[%s, %s]" % (sent(id=1, method="ping"), sent(id=1, result={}))
    said = upward(JIRA, text)
    assert said is not None
    assert [each["id"] for each in json.loads(said)] == ["jira/i:1", 1]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"x",
        b"1",
        b"{}",
        b"[]",
        b"[1]",
        b"[[]]",
        b"[" * 100_000,
        b'{"jsonrpc":"2.0","id":1,"method":"ping","id":"github/i:1"}',
        b'{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}',
        b'{"jsonrpc":"2.0","id":null,"method":"ping"}',
        b'{"jsonrpc":"2.0","id":[1],"method":"ping"}',
        b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1,"requestId":2}}',
        b'{"jsonrpc":"2.0","id":1,"result":{"task":{"taskId":"1"},"task":{"taskId":"2"}}}',
        b'[{"jsonrpc":"2.0","id":1,"result":{}},{"id":1,"method":"ping"}]',
    ],
)
def test_what_two_readers_could_read_differently_is_not_passed_on(text: bytes) -> None:
    assert upward(JIRA, text) is None


@pytest.mark.parametrize(
    ("method", "result", "more"),
    [
        ("tools/call", {"content": []}, {"resultType": "complete"}),
        ("tools/call", {"resultType": "task", "content": []}, {}),
        (
            "resources/read",
            {"contents": []},
            {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"},
        ),
        ("resources/read", {"resultType": "complete", "ttlMs": 7, "cacheScope": "public"}, {}),
    ],
)
def test_a_result_says_what_the_clients_era_wants_said(
    method: str, result: dict[str, Any], more: dict[str, Any]
) -> None:
    origin = Origin("jira", method, completes=True)
    assert told(origin, sent(id=1, result=result))["result"] == {**result, **more}
    error = sent(id=1, error={"code": -32602, "message": "no"})
    assert upward(origin, error) == error


_identities = st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(_identities, _identities, st.dictionaries(st.text(max_size=5), _json, max_size=3))
def test_a_request_comes_back_as_it_was(identity: Any, token: Any, params: dict[str, Any]) -> None:
    params = {**params, "_meta": {"progressToken": token}}
    document = told(JIRA, sent(id=identity, method="x/y", params=params))
    assert ids.inward(document["id"]) == ("jira", identity)
    assert ids.inward(document["params"]["_meta"]["progressToken"]) == ("jira", token)
    document["id"], document["params"]["_meta"]["progressToken"] = identity, token
    assert document == {"jsonrpc": "2.0", "id": identity, "method": "x/y", "params": params}


@given(st.binary(max_size=40) | _json.map(lambda value: json.dumps(value).encode()))
def test_nothing_that_a_server_says_breaks_it(text: bytes) -> None:
    said = upward(JIRA, text)
    assert said is None or said == text


# --- results that say their type -----------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "outward"),
    [
        ("{}", '{"resultType":"complete"}'),
        ('{"a": 1.0 }', '{"a": 1.0 ,"resultType":"complete"}'),
        ('{"resultType":"task"}', '{"resultType":"task"}'),
    ],
)
def test_a_newer_client_is_told_the_type_of_an_older_servers_result(
    result: str, outward: str
) -> None:
    origin = Origin("jira", "tools/call", completes=True)
    text = f'{{"jsonrpc":"2.0","id":"x","result":{result}}}'
    assert upward(origin, text.encode()) == text.replace(result, outward).encode()
    assert upward(JIRA, text.encode()) == text.encode()


def test_what_is_read_is_told_how_long_it_may_be_kept() -> None:
    origin = Origin("jira", "resources/read", completes=True)
    document = told(origin, sent(id=1, result={"contents": [], "ttlMs": 5}))
    assert document["result"] == {
        "contents": [],
        "ttlMs": 5,
        "resultType": "complete",
        "cacheScope": "private",
    }


def test_errors_have_no_type() -> None:
    text = sent(id=1, error={"code": 1, "message": ""})
    assert upward(Origin("jira", "tools/call", completes=True), text) == text


@pytest.mark.parametrize(
    "answer", [{"result": {"a": 1}}, {"result": 5}, {"error": {"code": 1, "message": ""}}]
)
def test_an_answer_is_to_the_request_as_its_client_calls_it(answer: dict[str, Any]) -> None:
    origin = Origin("jira", "tools/call", completes=True, raw_id=b'"mine"')
    document = told(origin, sent(id="ours", **answer))
    assert document["id"] == "mine"
    for name, said in answer.items():
        typed = {"resultType": "complete"} if said == {"a": 1} else {}
        assert document[name] == ({**said, **typed} if isinstance(said, dict) else said)
    note = sent(method="notifications/message", params={})
    assert upward(origin, note) == note
