"""A server alone: what it is sent, and whose a session is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from extproc.audits import Trail
from extproc.events import (
    CONTINUE,
    ChangeHeaders,
    Direct,
    Replace,
    RequestBody,
    Respond,
    ResponseBody,
    ResponseHeaders,
    Show,
    Watch,
)
from extproc.events import RequestHeaders as Headers
from gateway import names
from tests.kit.mcp_exchange import (
    KEYED,
    META,
    ONE,
    Fake,
    Played,
    answer,
    call,
    error,
    fakes,
    played,
    program,
    request,
    set_headers,
    told,
)

OPEN, KNOWN = program(ONE), program(ONE + KEYED)
ANN, BOB = "Bearer sk-ann", "Bearer sk-bob"
BODY, HEAD = RequestBody(b""), Headers({}, True)


def opened(authorization: str = ANN) -> str:
    """The id of a session that was opened by who has this key."""
    one = played(KNOWN, authorization=authorization)
    assert isinstance(one.begin(), Show)
    one.say(RequestBody(b'{"jsonrpc":"2.0","id":1,"method":"initialize"}'))
    assert not one.exchange.is_over
    action = one.say(ResponseHeaders(200, "", headers={"mcp-session-id": "s-1"}))
    assert one.exchange.is_over
    assert isinstance(action, ChangeHeaders)
    ((name, sealed),) = action.set_headers
    assert name == "mcp-session-id"
    return sealed


def test_a_message_goes_to_the_server_byte_for_byte() -> None:
    action = played(OPEN, mcp_session_id="s-1").post(call("echo", text="x"))
    assert isinstance(action, Direct)
    assert action.body is None
    assert set_headers(BODY, action) == {
        names.MCP_HEADER: "service/mcp/a",
        ":path": "/mcp",
        "x-one": "1",
    }
    assert not told(BODY, action).dynamic_metadata.fields


def test_streams_and_ends_of_sessions_go_there_too() -> None:
    for method in ("GET", "DELETE"):
        one = played(OPEN, method=method, mcp_session_id="s-1")
        action = one.begin(is_end=True)
        assert isinstance(action, Direct)
        assert set_headers(HEAD, action)[":path"] == "/mcp"
        assert one.exchange.is_over


def test_who_is_known_gets_a_sealed_session_and_the_server_its_own() -> None:
    sealed = opened()
    assert "s-1" not in sealed
    action = played(KNOWN, authorization=ANN, mcp_session_id=sealed).post(request("tools/list"))
    assert set_headers(BODY, action)["mcp-session-id"] == "s-1"
    shown = told(BODY, action).dynamic_metadata[names.MCP_NAMESPACE]
    assert shown[names.MCP_SESSION] == sealed


def test_a_stolen_session_is_nobody_elses() -> None:
    sealed = opened()
    for headers in ({"authorization": BOB, "mcp_session_id": sealed},):
        answer = played(KNOWN, **headers).begin()
        assert isinstance(answer, Respond)
        assert answer.status == 404


def test_the_id_of_a_server_is_nobodys_where_ids_are_sealed() -> None:
    answer = played(KNOWN, authorization=ANN, mcp_session_id="s-1").begin()
    assert isinstance(answer, Respond)
    assert answer.status == 404
    garbled = played(OPEN, mcp_session_id="dm1.garbled").begin()
    assert isinstance(garbled, Respond)


def test_a_server_without_sessions_has_none() -> None:
    one = played(KNOWN, authorization=ANN)
    one.post(request("initialize"))
    assert one.say(ResponseHeaders(200, "")) is CONTINUE


def test_only_initialize_opens() -> None:
    one = played(KNOWN, authorization=ANN)
    assert isinstance(one.post(request("tools/list")), Direct)
    assert one.exchange.is_over


def test_rules_see_what_is_asked_for() -> None:
    of = program(
        ONE
        + """
authorize:
  - {name: no-drop, for: {mcp: "*"}, deny: 'mcp.tool == "drop" && mcp.arguments.table == "a"'}
"""
    )

    def said(message: object) -> object:
        return played(of).post(message)

    assert isinstance(said(call("drop", table="b")), Direct)
    assert isinstance(said(request("initialize")), Direct)
    answer = said(call("drop", 7, table="a"))
    assert isinstance(answer, Respond)
    assert answer.status == 200
    assert answer.body.startswith(b'{"jsonrpc":"2.0","id":7,')
    assert error(answer) == {"code": -32602, "message": "Unknown tool: drop"}
    batch = said([call("add"), call("drop", table="a")])
    assert isinstance(batch, Respond)


def test_who_may_not_can_be_told_so() -> None:
    of = program(
        ONE.replace("mcp: {", "mcp: {denied: forbidden, ")
        + "authorize: [{name: none, for: {mcp: a}, deny: 'true'}]"
    )
    answer = played(of).post(call("x"))
    assert isinstance(answer, Respond)
    assert answer.status == 403
    assert error(answer)["message"] == "denied by 'none'"


def test_rules_of_models_say_nothing_of_tools() -> None:
    of = program(ONE + "authorize: [{name: none, for: {llm: '*'}, deny: 'true'}]")
    assert isinstance(played(of).post(call("x")), Direct)
    assert isinstance(Played, type)


HIDING = """
authorize: [{name: no-add, for: {mcp: "*"}, deny: 'mcp.tool == "add"'}]
"""


def test_lists_show_what_rules_allow() -> None:
    fake = Fake("a", ("echo", "add"))
    of = program(ONE + HIDING, fakes(fake))
    action = played(of, mcp_session_id="s-1").post(request("tools/list", "x", cursor="c"))
    assert [each["name"] for each in answer(action)["tools"]] == ["echo"]
    ((_, asked),) = fake.said
    assert b'"cursor": "c"' in asked.body
    assert dict(asked.headers)["mcp-session-id"] == "s-1"
    assert dict(asked.headers)["x-one"] == "1"


def test_what_is_no_list_goes_on_as_it_is() -> None:
    lost = Fake("a", lost={"s-1"})
    of = program(ONE + HIDING, fakes(lost))
    action = played(of, mcp_session_id="s-1").post(request("tools/list"))
    assert isinstance(action, Respond)
    assert (action.status, action.body) == (404, b"no such session")
    none = played(program(ONE + HIDING)).post(request("tools/list"))
    assert error(none)["message"].startswith("the server 'a' gives no list")


SOME = """
identity:
  api_keys:
    keys: [{name: ann, key: sk-ann, tools: [a__e*, "?__echo"]}, {name: bob, key: sk-bob}]
"""


def test_a_key_for_some_tools_opens_no_others() -> None:
    of = program(ONE + SOME)
    assert isinstance(played(of, authorization=ANN).post(call("echo")), Direct)
    refusal = played(of, authorization=ANN).post(call("add", 7))
    assert error(refusal) == {"code": -32602, "message": "Unknown tool: add"}
    batch = played(of, authorization=ANN).post([call("echo"), call("add")])
    assert error(batch)["message"] == "Unknown tool: add"
    assert isinstance(played(of, authorization=ANN).post(request("prompts/get", name="p")), Direct)
    assert isinstance(played(of, authorization=BOB).post(call("add")), Direct)


def test_who_has_such_a_key_can_be_told_so() -> None:
    of = program(ONE.replace("mcp: {", "mcp: {denied: forbidden, ") + SOME)
    refusal = played(of, authorization=ANN).post(call("add"))
    assert isinstance(refusal, Respond)
    assert refusal.status == 403
    assert error(refusal)["message"] == "the API key 'ann' is not for the tool 'a__add'"
    assert error(refusal)["data"] == {"code": "tool_not_allowed", "param": "name"}


def test_lists_show_the_tools_of_the_key_and_pass_unread_for_others() -> None:
    of = program(ONE + SOME, fakes(Fake("a", ("echo", "add"))))
    action = played(of, authorization=ANN).post(request("tools/list"))
    assert [each["name"] for each in answer(action)["tools"]] == ["echo"]
    assert isinstance(played(of, authorization=ANN).post(request("prompts/list")), Direct)
    assert isinstance(played(of, authorization=BOB).post(request("tools/list")), Direct)


def test_a_session_that_its_client_has_ended_is_over() -> None:
    sealed = opened()
    end = played(KNOWN, method="DELETE", authorization=ANN, mcp_session_id=sealed)
    assert set_headers(HEAD, end.begin(is_end=True))["mcp-session-id"] == "s-1"
    again = played(KNOWN, authorization=ANN, mcp_session_id=sealed).begin()
    assert isinstance(again, Respond)
    assert again.status == 404


def test_lists_under_rules_come_in_no_batch() -> None:
    of = program(ONE + HIDING, fakes(Fake("a")))
    assert error(played(of).post([request("tools/list")]))["code"] == -32600
    assert isinstance(played(of).post([call("echo")]), Direct)


GUARDED = """
guardrails:
  - {name: in, type: regex, patterns: [bad], for: {mcp: a}}
  - {name: mask, type: regex, patterns: [secret], action: mask, phase: both, for: {mcp: "*"}}
"""


def test_guards_read_arguments() -> None:
    of = program(ONE + GUARDED, fakes(Fake("a")))
    fine = played(of).post(call("echo", text="fine"))
    assert isinstance(fine, Direct)
    assert fine.body is None
    assert "accept-encoding" in fine.remove_headers
    masked = played(of).post(call("echo", text="a secret"))
    assert isinstance(masked, Direct)
    assert masked.body is not None
    assert json.loads(masked.body) == call("echo", text="a [redacted]")
    denied = played(of).post(call("echo", 7, text="bad"))
    assert answer(denied)["isError"]
    other = error(played(of).post(request("prompts/get", name="p", arguments={"x": "bad"})))
    assert other["code"] == -32003
    unknown = error(played(of).post(request("of/others", text="bad")))
    assert unknown["code"] == -32003
    assert isinstance(played(of).post(request("resources/list", cursor="bad")), Direct)


def test_guards_read_results() -> None:
    one = played(program(ONE + GUARDED, fakes(Fake("a"))))
    assert isinstance(one.begin(), Show)
    one.say(RequestBody(json.dumps(call("echo")).encode()))
    assert not one.exchange.is_over
    shown = one.say(ResponseHeaders(200, "", headers={"content-type": "application/json"}))
    assert isinstance(shown, Watch)
    said = b'{"jsonrpc":"2.0","id":1,"result":{"structuredContent":{"a":"secret"}}}'
    passed = one.say(ResponseBody(said, True))
    assert isinstance(passed, Replace)
    assert passed.body == said.replace(b"secret", b"[redacted]")
    assert one.exchange.is_over


RULED = """
authorize:
  - {name: few, for: {mcp: a}, require: mcp.result.structuredContent.total < 5, phase: response}
"""


@pytest.mark.parametrize(("total", "is_refused"), [(4, False), (5, True)])
def test_rules_of_responses_read_results(total: int, is_refused: bool) -> None:
    one = played(program(ONE + RULED))
    action = one.post(call("add"))
    assert isinstance(action, Direct)
    assert "accept-encoding" in action.remove_headers
    one.say(ResponseHeaders(200, "", headers={"content-type": "application/json"}))
    said = b'{"jsonrpc":"2.0","id":1,"result":{"structuredContent":{"total":%d}}}' % total
    passed = one.say(ResponseBody(said, True))
    assert isinstance(passed, Replace)
    assert (passed.body == said) is not is_refused
    assert (b"isError" in passed.body) is is_refused


def test_rules_of_responses_are_not_asked_about_lists() -> None:
    one = played(program(ONE + RULED))
    one.post(request("tools/list"))
    assert one.exchange.is_over


def test_guards_read_streams_that_clients_open() -> None:
    one = played(program(ONE + GUARDED), method="GET")
    action = one.begin(is_end=True)
    assert isinstance(action, Direct)
    assert told(HEAD, action).mode_override.response_header_mode == 1  # SEND
    assert not one.exchange.is_over
    one.say(ResponseHeaders(200, "", headers={"content-type": "text/event-stream"}))
    event = b'data: {"jsonrpc":"2.0","method":"notifications/message","params":{"data":"secret"}}'
    passed = one.say(ResponseBody(event + b"\n\n", False))
    assert isinstance(passed, Replace)
    assert b"[redacted]" in passed.body
    ended = played(program(ONE + GUARDED), method="DELETE")
    ended.begin(is_end=True)
    assert ended.exchange.is_over


SCREENED = """
guardrails:
  - {name: d, type: regex, patterns: [bad], phase: response, scope: [tool_definition, instructions],
     for: {mcp: a}}
"""
LISTED = {"tools": [{"name": "one"}, {"name": "two", "description": "bad"}]}


def passed(one: Played, result: object, *, is_stream: bool = False) -> Any:
    """What becomes of a result that the server gives."""
    kind = "text/event-stream" if is_stream else "application/json"
    shown = one.say(ResponseHeaders(200, "", headers={"content-type": kind, "mcp-session-id": "s"}))
    assert isinstance(shown, Watch), shown
    said = json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode()
    action = one.say(ResponseBody(b"data: " + said + b"\n\n" if is_stream else said, True))
    assert isinstance(action, Replace)
    assert one.exchange.is_over
    body = action.body.removeprefix(b"data: ") if is_stream else action.body
    return json.loads(body)["result"], dict(shown.set_headers)


@pytest.mark.parametrize("is_stream", [False, True])
def test_guards_read_what_it_lists(is_stream: bool) -> None:
    one = played(program(ONE + SCREENED))
    assert isinstance(one.begin(), Show)
    action = one.say(RequestBody(json.dumps(request("tools/list")).encode()))
    assert isinstance(action, Direct)
    assert action.body is None
    assert "accept-encoding" in action.remove_headers
    result, _ = passed(one, {**LISTED, "nextCursor": "x"}, is_stream=is_stream)
    assert result == {"tools": [{"name": "one"}], "nextCursor": "x"}


def test_guards_read_what_it_says_of_itself_and_its_session_is_the_callers() -> None:
    one = played(program(ONE + SCREENED + KEYED), authorization="Bearer sk-ann")
    one.post(request("initialize", protocolVersion="2025-11-25", capabilities={}))
    result, headers = passed(one, {"instructions": "so bad", "protocolVersion": "2025-11-25"})
    assert result == {"instructions": "", "protocolVersion": "2025-11-25"}
    assert headers["mcp-session-id"] not in ("", "s")


def test_a_list_that_comes_in_a_later_stream_is_read_too() -> None:
    one = played(program(ONE + SCREENED), method="GET")
    one.begin(is_end=True)
    result, _ = passed(one, LISTED, is_stream=True)
    assert result == {"tools": [{"name": "one"}]}


def test_who_reads_what_it_lists_does_not_see_results() -> None:
    one = played(program(ONE + SCREENED))
    one.post(call("echo"))
    assert one.exchange.is_over


def test_what_rules_leave_of_a_list_guards_read() -> None:
    fake = Fake("a", ("echo", "add", "evil"), described={"evil": "bad"})
    of = program(ONE + SCREENED + HIDING, fakes(fake))
    listed = answer(played(of).post(request("tools/list")))
    assert [each["name"] for each in listed["tools"]] == ["echo"]


def test_an_answer_to_the_server_that_is_blocked_is_an_error_for_it() -> None:
    of = program(ONE + GUARDED)
    said = {"jsonrpc": "2.0", "id": "q", "result": {"action": "accept", "content": {"x": "bad"}}}
    action = played(of).post(said)
    assert isinstance(action, Direct)
    assert action.body is not None
    assert json.loads(action.body)["error"]["code"] == -32003
    assert json.loads(action.body)["id"] == "q"


TOKENISED = """
guardrails: [{name: p, type: pii, kinds: [email], action: tokenise, for: {mcp: a}}]
"""


def test_values_stand_again_where_the_result_says_their_tokens() -> None:
    one = played(program(ONE + TOKENISED))
    assert isinstance(one.begin(), Show)
    said = call("echo", to="ann@example.com")
    action = one.say(RequestBody(json.dumps(said).encode()))
    assert isinstance(action, Direct)
    assert action.body is not None
    assert json.loads(action.body)["params"]["arguments"] == {"to": "<EMAIL_1>"}
    assert "accept-encoding" in action.remove_headers
    one.say(ResponseHeaders(200, "", headers={"content-type": "application/json"}))
    answer = b'{"jsonrpc":"2.0","id":1,"result":{"structuredContent":{"a":"to <EMAIL_1>"}}}'
    passed = one.say(ResponseBody(answer, True))
    assert isinstance(passed, Replace)
    assert passed.body == answer.replace(b"<EMAIL_1>", b"ann@example.com")


def test_answers_to_what_had_no_values_pass_unread() -> None:
    one = played(program(ONE + TOKENISED))
    action = one.post(call("echo", text="fine"))
    assert isinstance(action, Direct)
    assert one.exchange.is_over


def test_a_notification_without_params_passes_guards() -> None:
    said = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    action = played(program(ONE + GUARDED)).post(said)
    assert isinstance(action, Direct)
    assert action.body is None


def test_batches_are_refused_where_guards_read() -> None:
    assert error(played(program(ONE + GUARDED)).post([call("x")]))["code"] == -32600


def test_guards_of_others_change_nothing() -> None:
    for guard in (
        "guardrails: [{type: regex, patterns: [bad], phase: both}]",
        "guardrails: [{type: regex, patterns: [bad], phase: both, for: {mcp: a, key: ann}}]",
    ):
        of = program(ONE + guard + KEYED)
        one = played(of, authorization=BOB, mcp_protocol_version="2026-07-28")
        assert one.begin() is CONTINUE
        action = one.say(RequestBody(json.dumps(request("tools/list", _meta=META)).encode()))
        assert not isinstance(action, Show)


class Book:
    """An audit log in memory."""

    is_blocked = False

    def __init__(self) -> None:
        self.records: list[Mapping[str, object]] = []

    def put(self, record: Mapping[str, object]) -> None:
        self.records.append(record)


def test_what_is_decided_is_written_down_with_what_is_asked_for() -> None:
    book = Book()
    trail = Trail(book, "v", is_all=True)  # type: ignore[arg-type]
    of = program(ONE + HIDING)
    of = replace(of, audits=of.audits.with_trail(trail))
    played(of).post(call("add"))
    played(of).post(call("echo"))
    told = [(each["verdict"], each["mcp_server"], each["mcp_name"]) for each in book.records]
    assert told == [("deny", "a", "add"), ("pass", "a", "echo")]
    assert book.records[0]["mcp_method"] == "tools/call"
