"""What comes back from one server of several."""

from __future__ import annotations

import asyncio
import json

import pytest

from extproc.events import (
    CONTINUE,
    ChangeHeaders,
    Direct,
    Finish,
    Replace,
    RequestBody,
    Respond,
    ResponseBody,
    ResponseHeaders,
    Watch,
)
from extproc.mcp import ids, rounds
from extproc.mcp.headers import META_CAPABILITIES
from extproc.mcp.rounds import Envelope
from extproc.ports import Answered, Asked, AskedBack
from extproc.program import Program
from gateway import names
from tests.kit.mcp_exchange import (
    LEGACY,
    META,
    MODERN,
    TWO,
    Fake,
    Played,
    answer,
    call,
    error,
    fakes,
    modern,
    opened,
    played,
    program,
    request,
    set_headers,
)

EVENTS = {"content-type": "text/event-stream"}
JSON = {"content-type": "application/json"}


def called(of: Program, message: object) -> Played:
    one = played(of, mcp_session_id=opened(of))
    one.post(message)
    return one


@pytest.fixture
def of() -> Program:
    return program(TWO, fakes(Fake("a"), Fake("b")))


def test_questions_of_a_server_in_a_stream_name_it(of: Program) -> None:
    one = called(of, call("b__echo"))
    shown = one.say(ResponseHeaders(200, "", headers=EVENTS))
    assert isinstance(shown, Watch)
    assert shown.remove_headers == ("content-length",)
    question = {"jsonrpc": "2.0", "id": 5, "method": "ping"}
    text = b"id: 7\ndata: " + json.dumps(question).encode() + b"\n\n"
    first = one.say(ResponseBody(text[:20], False))
    second = one.say(ResponseBody(text[20:], True))
    assert isinstance(first, Replace)
    assert isinstance(second, Replace)
    said = (first.body + second.body).splitlines()
    assert said[0] == b"id: b/7"
    identity = json.loads(said[1].removeprefix(b"data: "))["id"]
    assert identity.startswith("b/")
    assert ids.inward(identity) is None  # it was made with the session's key
    assert one.exchange.is_over


def test_a_stream_ends_that_has_an_event_without_end(of: Program) -> None:
    one = called(of, call("b__echo"))
    one.say(ResponseHeaders(200, "", headers=EVENTS))
    talk = one.exchange._talk
    talk._passage._stream._largest = 10  # type: ignore[union-attr]
    cut = one.say(ResponseBody(b"data: " + b"x" * 20, False))
    assert isinstance(cut, Finish)
    said = json.loads(cut.body.removeprefix(b"\ndata: "))
    assert said["id"] == 1
    assert said["error"]["data"] == {"code": "answer_too_large"}


def test_an_answer_in_json_passes_unread(of: Program) -> None:
    one = called(of, call("b__echo"))
    (direct,) = (each for each in one.said if isinstance(each, Direct))
    assert "accept-encoding" in direct.remove_headers  # a stream would be read
    assert one.say(ResponseHeaders(200, "", headers=JSON)) is CONTINUE
    assert one.exchange.is_over


def test_a_task_that_was_made_names_its_server(of: Program) -> None:
    message = request("tools/call", name="b__echo", arguments={}, task={"ttl": 1})
    one = called(of, message)
    assert isinstance(one.say(ResponseHeaders(200, "", headers=JSON)), Watch)
    made = b'{"jsonrpc":"2.0","id":1,"result":{"task":{"taskId":"7"}}}'
    assert one.say(ResponseBody(made[:9], False)) == Replace(b"")
    whole = one.say(ResponseBody(made[9:], True))
    assert isinstance(whole, Replace)
    assert json.loads(whole.body)["result"]["task"]["taskId"] == "b/7"


def test_a_server_that_has_lost_its_session_is_asked_again() -> None:
    a = Fake("a")
    of = program(TWO, fakes(a, Fake("b")))
    session = opened(of)
    a.lost.add("a-1")
    one = played(of, mcp_session_id=session)
    one.post(call("a__echo", "x"))
    again = one.say(ResponseHeaders(404, "", headers=JSON))
    assert isinstance(again, Respond)
    assert json.loads(again.body) == {
        "jsonrpc": "2.0",
        "id": "x",
        "result": {"content": [{"type": "text", "text": "a"}]},
    }
    asked = json.loads(a.said[-1][1].body)
    assert asked["params"]["name"] == "echo"
    assert dict(a.said[-1][1].headers)["mcp-session-id"] == "a-2"
    assert one.exchange.is_over


@pytest.mark.parametrize("method", ["tools/call", "prompts/get"])
def test_a_question_in_what_is_asked_again_ends_it_at_once(method: str) -> None:
    """Nobody can be asked: the answer is not a stream."""
    a = Fake("a")
    servers = fakes(a, Fake("b"))
    of = program(TWO, servers)
    session = opened(of)
    a.lost.add("a-1")

    def asking(asked: Asked) -> Answered:
        found = a(asked)
        if asked.is_clients:
            raise AskedBack("it asks")
        return found

    servers.answers = {**servers.answers, "service/mcp/a": asking}
    one = played(of, mcp_session_id=session)
    one.post(request(method, "x", name="a__echo"))
    again = one.say(ResponseHeaders(404, "", headers=JSON))
    assert isinstance(again, Respond)
    said = json.loads(again.body)
    assert said["id"] == "x"
    if method == "tools/call":
        assert said["result"]["isError"]
        assert said["result"]["_meta"] == {"dragoman/denied": "asked_anew"}
    else:
        assert said["error"]["code"] == -32603


def test_a_server_that_begins_no_session_again_is_told_of() -> None:
    servers = fakes(Fake("a"), Fake("b"))
    of = program(TWO, servers)
    one = called(of, call("a__echo"))
    servers.answers = {}
    lost = one.say(ResponseHeaders(404, "", headers=JSON))
    assert isinstance(lost, Respond)
    assert lost.status == 502
    assert error(lost)["message"] == "the server 'a' has lost its session, and begins none"


def test_statuses_of_the_era_without_sessions_end_none() -> None:
    of = program(TWO, fakes(Fake("a"), Fake("b", is_modern=True)))
    one = called(of, call("b__echo"))
    assert one.say(ResponseHeaders(404, "", headers=JSON)) == ChangeHeaders(((":status", "200"),))


@pytest.mark.parametrize("is_stream", [False, True])
def test_results_of_the_era_with_sessions_say_to_clients_without_that_they_are_whole(
    of: Program, is_stream: bool
) -> None:
    head = {"mcp_protocol_version": MODERN, "mcp_method": "tools/call", "mcp_name": "b__echo"}
    one = played(of, **head)
    one.post(modern("tools/call", name="b__echo"))
    kind = EVENTS if is_stream else JSON
    assert isinstance(one.say(ResponseHeaders(200, "", headers=kind)), Watch)
    said = b'{"jsonrpc":"2.0","id":1,"result":{"content":[]}}'
    shown = one.say(ResponseBody(b"data: %s\n\n" % said if is_stream else said, True))
    assert isinstance(shown, Replace)
    text = shown.body.removeprefix(b"data: ")
    result = {"content": [], "resultType": "complete"}
    assert json.loads(text) == {"jsonrpc": "2.0", "id": 1, "result": result}
    assert one.exchange.is_over


# --- between the eras ----------------------------------------------------------------------

CAPABLE = {**META, META_CAPABILITIES: {"elicitation": {}}}
"""Of a client without a session that can be asked."""


def rounds_of(one: Played, action: object) -> Envelope | None:
    """What the hub is told of the message; None: it does not go there."""
    assert isinstance(action, Direct), action
    headers = set_headers(RequestBody(b""), action)
    if headers[names.MCP_HEADER] != names.HUB_CLUSTER:
        assert names.MCP_ROUNDS_HEADER not in headers
        return None
    assert headers[":path"] == names.HUB_ROUNDS
    return rounds.decode(headers[names.MCP_ROUNDS_HEADER])


def sessionless(of: Program, meta: dict[str, object], tool: str = "a__echo") -> Played:
    one = played(of, mcp_protocol_version=MODERN, mcp_method="tools/call", mcp_name=tool)
    one.post(request("tools/call", name=tool, _meta=meta))
    return one


def test_a_client_that_can_be_asked_goes_by_the_hub_to_a_server_of_the_other_era() -> None:
    of = program(TWO, fakes(Fake("a", is_modern=True), Fake("b")))
    params = {"protocolVersion": LEGACY, "capabilities": {"sampling": {}}, "clientInfo": {}}
    opening = played(of).post(request("initialize", **params))
    assert isinstance(opening, Respond)
    session = dict(opening.headers)["mcp-session-id"]
    one = played(of, mcp_session_id=session)
    envelope = rounds_of(one, one.post(call("a__echo")))
    assert envelope is not None
    assert (envelope.server, envelope.revision) == ("a", MODERN)
    assert envelope.key
    assert one.say(ResponseHeaders(200, "", headers=EVENTS)) is CONTINUE
    own = ids.outward("a", rounds.own_id("call", "who"), envelope.key.encode())
    answered = played(of, mcp_session_id=session)
    action = answered.post({"jsonrpc": "2.0", "id": own, "result": {}})
    assert rounds_of(answered, action) == envelope
    assert isinstance(action, Direct)
    assert action.body is not None
    assert json.loads(action.body)["id"] == "round:call:who"
    assert rounds_of(one, played(of, mcp_session_id=session).post(call("b__echo"))) is None


def test_who_cannot_be_asked_goes_straight_to_the_server() -> None:
    of = program(TWO, fakes(Fake("a", is_modern=True), Fake("b")))
    one = played(of, mcp_session_id=opened(of))
    assert rounds_of(one, one.post(call("a__echo"))) is None


def test_a_client_without_a_session_goes_by_the_hub_to_a_server_that_has_them() -> None:
    a = Fake("a")
    of = program(TWO, fakes(a, Fake("b")))
    one = sessionless(of, CAPABLE)
    envelope = rounds_of(one, one.said[-1])
    assert envelope is not None
    assert (envelope.revision, envelope.key) == (LEGACY, "")
    asked = next(asked for method, asked in a.said if method == "initialize")
    assert json.loads(asked.body)["params"]["capabilities"] == {"elicitation": {}}


@pytest.mark.parametrize("is_begun", [False, True])
def test_an_older_server_is_told_when_a_newer_client_leaves_its_call(is_begun: bool) -> None:
    a = Fake("a")
    of = program(TWO, fakes(a, Fake("b")))
    one = sessionless(of, META)
    sent = one.said[-1]
    assert isinstance(sent, Direct)
    assert sent.body is not None
    if is_begun:
        one.say(ResponseHeaders(200, "", headers=EVENTS))
        one.say(ResponseBody(b": begun\n\n", False))

    async def left() -> None:
        one.exchange.on_close()
        for _ in range(5):
            await asyncio.sleep(0)

    asyncio.run(left())
    method, asked = a.said[-1]
    assert method == "notifications/cancelled"
    assert dict(asked.headers)["mcp-session-id"] == "a-1"
    assert json.loads(asked.body)["params"]["requestId"] == json.loads(sent.body)["id"]


def test_a_call_that_was_answered_is_not_called_off(of: Program) -> None:
    one = sessionless(of, META)
    one.say(ResponseHeaders(200, "", headers=JSON))
    one.say(ResponseBody(b'{"jsonrpc":"2.0","id":1,"result":{}}', True))
    one.exchange.on_close()  # there is no loop here: nothing could be told


def test_what_a_newer_client_leaves_at_a_newer_server_ends_with_its_stream() -> None:
    of = program(TWO, fakes(Fake("a", is_modern=True), Fake("b")))
    sessionless(of, META).exchange.on_close()


def test_results_of_older_servers_say_their_type_to_newer_clients(of: Program) -> None:
    one = sessionless(of, META)
    assert rounds_of(one, one.said[-1]) is None
    assert isinstance(one.say(ResponseHeaders(200, "", headers=JSON)), Watch)
    assert one.say(ResponseBody(b'{"jsonrpc":"2.0","id":1,"result":{}}', True)) == Replace(
        b'{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete"}}'
    )


def test_a_client_without_a_session_does_not_notice_that_one_was_lost() -> None:
    a = Fake("a")
    of = program(TWO, fakes(a, Fake("b")))
    one = sessionless(of, META)
    again = one.say(ResponseHeaders(404, "", headers={}))
    assert isinstance(again, Respond)
    assert json.loads(again.body)["result"]["resultType"] == "complete"
    assert a.methods().count("initialize") == 2


def test_newer_clients_share_a_session_and_not_the_ids_of_their_requests(of: Program) -> None:
    bodies = []
    for _ in range(2):
        action = sessionless(of, META).said[-1]
        assert isinstance(action, Direct)
        assert action.body is not None
        bodies.append(json.loads(action.body))
    one, other = bodies
    assert one["id"] != other["id"]
    assert {**one, "id": 1} == {**other, "id": 1}
    assert one["params"]["_meta"] == {}  # it has had its handshake


@pytest.mark.parametrize("status", [200, 400])
def test_errors_of_older_servers_are_those_of_the_clients_own_request(
    of: Program, status: int
) -> None:
    one = sessionless(of, META)
    assert isinstance(one.say(ResponseHeaders(status, "", headers=JSON)), Watch)
    said = one.say(ResponseBody(b'{"jsonrpc":"2.0","id":"own","error":{"code":-1}}', True))
    assert said == Replace(b'{"jsonrpc":"2.0","id":1,"error":{"code":-1}}')


def askable(of: Program) -> str:
    """A session of a client that can be asked."""
    params = {"protocolVersion": LEGACY, "capabilities": {"sampling": {}}, "clientInfo": {}}
    opening = played(of).post(request("initialize", **params))
    assert isinstance(opening, Respond)
    return dict(opening.headers)["mcp-session-id"]


@pytest.mark.parametrize("status", [400, 404])
def test_what_comes_by_the_hub_ends_no_session(status: int) -> None:
    of = program(TWO, fakes(Fake("a", is_modern=True), Fake("b")))
    one = played(of, mcp_session_id=askable(of))
    assert rounds_of(one, one.post(call("a__echo"))) is not None
    shown = one.say(ResponseHeaders(status, "", headers=JSON))
    assert shown == ChangeHeaders(((":status", "200"),))
    assert one.exchange.is_over


def test_what_went_by_the_hub_goes_there_again_in_a_new_session() -> None:
    said: list[Asked] = []

    def hub(asked: Asked) -> Answered:
        said.append(asked)
        result = {"resultType": "input_required", "requestState": "dmr.x"}
        body = {"jsonrpc": "2.0", "id": json.loads(asked.body)["id"], "result": result}
        return Answered(200, JSON, json.dumps(body).encode())

    a = Fake("a")
    servers = fakes(a, Fake("b"))
    servers.answers = {**servers.answers, names.HUB_CLUSTER: hub}
    one = sessionless(program(TWO, servers), CAPABLE)
    envelope = rounds_of(one, one.said[-1])
    again = one.say(ResponseHeaders(404, "", headers={}))
    assert isinstance(again, Respond)
    assert json.loads(again.body)["id"] == 1
    assert json.loads(again.body)["result"]["requestState"] == "dmr.x"
    (asked,) = said
    head = dict(asked.headers)
    assert asked.path == names.HUB_ROUNDS
    assert head["mcp-session-id"] == "a-2"
    assert rounds.decode(head[names.MCP_ROUNDS_HEADER]) == envelope
    assert "tools/call" not in a.methods()


GUARDED = """
guardrails:
  - {name: in, type: regex, patterns: [bad], for: {mcp: b}}
  - {name: mask, type: regex, patterns: [secret], action: mask, phase: both, for: {mcp: b}}
"""


@pytest.fixture
def guarded() -> Program:
    return program(TWO + GUARDED, fakes(Fake("a"), Fake("b", resources=("b://x",))))


def test_guards_change_what_goes_to_their_server_alone(guarded: Program) -> None:
    action = called(guarded, call("b__echo", text="a secret")).said[-1]
    assert isinstance(action, Direct)
    assert action.body is not None
    assert json.loads(action.body) == call("echo", text="a [redacted]")
    assert "accept-encoding" in action.remove_headers
    other = called(guarded, call("a__echo", text="bad secret"))
    assert other.say(ResponseHeaders(200, "", headers=JSON)) is CONTINUE
    assert answer(called(guarded, call("b__echo", text="bad")).said[-1])["isError"]


@pytest.mark.parametrize("kind", ["mask", "tokenise"])
def test_what_guards_change_is_sent_also_where_nothing_else_changes(kind: str) -> None:
    """A server is alone, but served as several are: a tool of it is known by another name."""
    yaml = f"""
mcp: {{servers: {{a: {{url: "http://a.example/mcp", tools: {{add: {{name: plus}}}}}}}}}}
guardrails: [{{name: p, type: pii, kinds: [email], action: {kind}, for: {{mcp: a}}}}]
"""
    of = program(yaml, fakes(Fake("a", ("echo", "add"))))
    one = played(of, "/mcp/a", mcp_session_id=opened(of, path="/mcp/a"))
    action = one.post(call("echo", to="ann@example.com"))
    assert isinstance(action, Direct)
    assert action.body is not None
    token = "[EMAIL]" if kind == "mask" else "<EMAIL_1>"
    assert json.loads(action.body)["params"]["arguments"] == {"to": token}
    one.say(ResponseHeaders(200, "", headers=JSON))
    said = b'{"jsonrpc":"2.0","id":1,"result":{"structuredContent":{"a":"to <EMAIL_1>"}}}'
    if kind == "tokenise":
        passed = one.say(ResponseBody(said, True))
        assert isinstance(passed, Replace)
        assert passed.body == said.replace(b"<EMAIL_1>", b"ann@example.com")
    assert one.exchange.is_over


def test_guards_read_what_their_server_answers(guarded: Program) -> None:
    one = called(guarded, call("b__echo"))
    assert isinstance(one.say(ResponseHeaders(200, "", headers=JSON)), Watch)
    said = one.say(ResponseBody(b'{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"te', False))
    assert said == Replace(b"")
    assert not one.exchange.is_over
    said = one.say(ResponseBody(b'xt","text":"secret"}]}}', True))
    assert isinstance(said, Replace)
    assert b"[redacted]" in said.body
    assert one.exchange.is_over


def test_guards_read_events_that_name_their_server(guarded: Program) -> None:
    one = called(guarded, call("b__echo"))
    one.say(ResponseHeaders(200, "", headers=EVENTS))
    question = {"jsonrpc": "2.0", "id": 5, "method": "x", "params": {"message": "secret"}}
    said = one.say(ResponseBody(b"data: " + json.dumps(question).encode() + b"\n\n", True))
    assert isinstance(said, Replace)
    found = json.loads(said.body.removeprefix(b"data: "))
    assert found["id"].startswith("b/")
    assert found["params"] == {"message": "[redacted]"}


def test_what_is_asked_again_is_read_too() -> None:
    b = Fake("b")
    of = program(TWO + GUARDED.replace("secret", "^b$"), fakes(Fake("a"), b))
    one = called(of, call("b__echo"))
    b.lost.add("b-1")
    again = answer(one.say(ResponseHeaders(404, "", headers=JSON)))
    assert again["content"][0]["text"] == "[redacted]"


def test_guards_read_the_stream_of_all_servers(guarded: Program) -> None:
    one = played(guarded, method="GET", mcp_session_id=opened(guarded))
    action = one.begin(is_end=True)
    assert isinstance(action, Direct)
    assert action.is_shown
    assert isinstance(one.say(ResponseHeaders(200, "", headers=EVENTS)), Watch)
    note = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": "secret"}}
    said = one.say(ResponseBody(b"data: " + json.dumps(note).encode() + b"\n\n", True))
    assert isinstance(said, Replace)
    assert b"[redacted]" in said.body
    assert one.exchange.is_over


def test_answers_of_clients_reach_their_server_past_its_guards(guarded: Program) -> None:
    one = called(guarded, call("b__echo"))
    one.say(ResponseHeaders(200, "", headers=EVENTS))
    question = b'data: {"jsonrpc":"2.0","id":5,"method":"ping"}\n\n'
    said = one.say(ResponseBody(question, True))
    assert isinstance(said, Replace)
    identity = json.loads(said.body.removeprefix(b"data: "))["id"]
    session = one.headers["mcp-session-id"]
    reply = {"jsonrpc": "2.0", "id": identity, "result": {"content": {"x": "bad"}}}
    action = played(guarded, mcp_session_id=session).post(reply)
    assert isinstance(action, Direct)
    assert action.body is not None
    assert json.loads(action.body)["id"] == 5
    assert json.loads(action.body)["error"]["code"] == -32003


def test_guards_read_what_comes_by_the_hub() -> None:
    of = program(TWO + GUARDED, fakes(Fake("a"), Fake("b")))
    one = sessionless(of, CAPABLE, "b__echo")
    assert rounds_of(one, one.said[-1]) is not None
    assert isinstance(one.say(ResponseHeaders(200, "", headers=EVENTS)), Watch)
    event = b'data: {"jsonrpc":"2.0","method":"notifications/message","params":{"data":"secret"}}'
    said = one.say(ResponseBody(event + b"\n\n", True))
    assert isinstance(said, Replace)
    assert b"[redacted]" in said.body


def test_a_change_of_a_resource_is_told_by_the_name_that_the_client_knows() -> None:
    told: list[Asked] = []

    def hub(asked: Asked) -> Answered:
        told.append(asked)
        return Answered(204, {}, b"")

    servers = fakes(Fake("a", resources=("test://x",)), Fake("b", resources=("test://x",)))
    servers.answers = {**servers.answers, names.HUB_CLUSTER: hub}
    of = program(TWO, servers)
    session = opened(of)
    action = played(of, mcp_session_id=session).post(
        request("resources/subscribe", uri="b+test://x")
    )
    assert isinstance(action, Direct)
    assert action.body is not None
    assert json.loads(action.body)["params"]["uri"] == "test://x"
    (asked,) = told
    assert asked.path == names.HUB_RENAMED
    assert json.loads(asked.body)["shown"] == "b+test://x"
    note = {"jsonrpc": "2.0", "method": "notifications/resources/updated"}
    said = b"data: %s\n\n" % json.dumps({**note, "params": {"uri": "test://x"}}).encode()
    for tool, shown in (("b__echo", "b+test://x"), ("a__echo", "test://x")):
        one = played(of, mcp_session_id=session)
        one.post(call(tool))
        one.say(ResponseHeaders(200, "", headers=EVENTS))
        replaced = one.say(ResponseBody(said, True))
        assert isinstance(replaced, Replace)
        text = replaced.body.removeprefix(b"data: ")
        assert json.loads(text)["params"] == {"uri": shown}
