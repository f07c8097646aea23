"""Several servers as one: where each message goes, and what all of them say together."""

from __future__ import annotations

import json
from typing import Any

import pytest

from extproc.events import CONTINUE, Direct, RequestBody, Respond, ResponseHeaders, Show
from extproc.mcp import ids
from extproc.program import Program
from gateway import names
from tests.kit.mcp_exchange import (
    KEYED,
    LEGACY,
    META,
    MODERN,
    TWO,
    Board,
    Fake,
    Pins,
    Servers,
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
    told,
)

BODY = RequestBody(b"")


def both(**more: Any) -> tuple[Fake, Fake, Program]:
    a, b = Fake("a", ("echo", "add"), ("file:///a",)), Fake("b", **more)
    return a, b, program(TWO, fakes(a, b))


def forwarded(action: object) -> dict[str, Any]:
    assert isinstance(action, Direct), action
    assert action.body is not None
    found: dict[str, Any] = json.loads(action.body)
    return found


def test_a_key_for_some_tools_is_listed_and_finds_no_others() -> None:
    keyed = KEYED.replace("key: sk-ann", 'key: sk-ann, tools: ["b__*"]')
    fake = Fake("a", ("echo", "add")), Fake("b", ("echo",))
    of = program(TWO.replace("mcp:", "mcp:\n  search: {pinned: ['*']}") + keyed, fakes(*fake))
    head = {"authorization": "Bearer sk-ann"}
    head["mcp_session_id"] = opened(of, **head)

    def said(method: str, **params: object) -> Any:
        return played(of, **head).post(request(method, **params))

    listed = [each["name"] for each in answer(said("tools/list"))["tools"]]
    assert listed == ["search_tools", "call_tool", "b__echo"]
    query = {"query": "echo"}
    found = answer(said("tools/call", name="search_tools", arguments=query))
    assert [each["name"] for each in found["structuredContent"]["tools"]] == ["b__echo"]
    wrapped = {"name": "a__echo", "arguments": {}}
    refused = said("tools/call", name="call_tool", arguments=wrapped)
    assert error(refused)["message"] == "Unknown tool: a__echo"
    forwarded(said("tools/call", name="b__echo", arguments={}))


def test_a_session_begins_with_all_servers() -> None:
    a, b, of = both()
    action = played(of).post(request("initialize", protocolVersion=LEGACY, capabilities={}))
    found = answer(action)
    assert found["protocolVersion"] == LEGACY
    assert found["serverInfo"]["name"] == "dragoman"
    assert found["instructions"] == "# a\n\nAsk a.\n\n# b\n\nAsk b."
    assert set(found["capabilities"]) == {"tools", "resources"}
    assert a.methods() == b.methods() == ["initialize"]


def test_without_a_required_server_there_is_none() -> None:
    _, b, _ = both()
    action = played(program(TWO, fakes(b))).post(request("initialize", protocolVersion=LEGACY))
    assert isinstance(action, Respond)
    assert action.status == 502
    assert "the server 'a' gives no answer" in error(action)["message"]


def test_an_optional_server_is_left_out_and_joins_when_it_is_back() -> None:
    a, b, _ = both()
    servers = Servers({"service/mcp/a": a})
    of = program(TWO, servers)
    session = opened(of)
    listed = answer(played(of, mcp_session_id=session).post(request("tools/list")))
    assert [each["name"] for each in listed["tools"]] == ["a__echo", "a__add"]
    of.mcp.federation._dead.clear()  # type: ignore[union-attr]  # a while later
    servers.answers = {"service/mcp/a": a, "service/mcp/b": b}
    listed = answer(played(of, mcp_session_id=session).post(request("tools/list")))
    assert [each["name"] for each in listed["tools"]] == ["a__echo", "a__add", "b__echo"]
    assert b.methods() == ["initialize", "notifications/initialized", "tools/list"]


def test_a_call_goes_straight_to_its_server_in_its_session() -> None:
    _, _, of = both()
    session = opened(of)
    one = played(of, mcp_session_id=session)
    assert isinstance(one.begin(), Show)
    action = one.say(RequestBody(json.dumps(call("b__echo", text="x")).encode()))
    assert forwarded(action)["params"] == {"name": "echo", "arguments": {"text": "x"}}
    head = set_headers(BODY, action)
    assert head[names.MCP_HEADER] == "service/mcp/b"
    assert (head["mcp-session-id"], head["mcp-protocol-version"]) == ("b-1", LEGACY)
    assert told(BODY, action).dynamic_metadata[names.MCP_NAMESPACE][names.MCP_SESSION] == session
    assert not one.exchange.is_over
    assert one.say(ResponseHeaders(200, "", headers={"content-type": "application/json"})) is (
        CONTINUE
    )
    assert one.exchange.is_over


@pytest.mark.parametrize("name", ["echo", "c__echo", "", "__echo"])
def test_a_tool_of_nobody_is_unknown(name: str) -> None:
    _, _, of = both()
    action = played(of, mcp_session_id=opened(of)).post(call(name))
    assert error(action) == {"code": -32602, "message": f"Unknown tool: {name}"}


def test_a_resource_is_its_servers_by_the_lists() -> None:
    a, _, of = both(resources=("file:///b",))
    session = opened(of)
    for uri, server in (("file:///a", "a"), ("file:///b", "b")):
        action = played(of, mcp_session_id=session).post(request("resources/read", uri=uri))
        assert set_headers(BODY, action)[names.MCP_HEADER] == f"service/mcp/{server}"
        assert isinstance(action, Direct)
        assert action.body is None
    assert a.methods().count("resources/list") == 1


def test_of_a_resource_that_nobody_lists_all_are_asked_in_turn() -> None:
    a, b, of = both(resources=("file:///b",))
    session = opened(of)
    ask = request("resources/read", uri="file:///other")
    assert error(played(of, mcp_session_id=session).post(ask))["code"] == -32601
    assert a.methods()[-1] == b.methods()[-1] == "resources/read"


def test_the_type_of_a_reference_says_what_it_names() -> None:
    a, _, of = both()
    session = opened(of)
    ref = {"type": "ref/resource", "name": "b__allowed", "uri": "file:///a"}
    ask = request("completion/complete", ref=ref, argument={"name": "x", "value": ""})
    action = played(of, mcp_session_id=session).post(ask)
    assert set_headers(BODY, action)[names.MCP_HEADER] == "service/mcp/a"
    assert a.methods()[-1] == "tools/list"


def test_a_uri_that_both_have_is_told_apart() -> None:
    a, b, of = both(resources=("file:///a",))
    session = opened(of)
    listed = answer(played(of, mcp_session_id=session).post(request("resources/list")))
    assert [each["uri"] for each in listed["resources"]] == ["a+file:///a", "b+file:///a"]
    action = played(of, mcp_session_id=session).post(request("resources/read", uri="b+file:///a"))
    assert forwarded(action)["params"] == {"uri": "file:///a"}
    assert a.sessions == b.sessions == 1


def test_a_task_is_its_servers() -> None:
    _, _, of = both()
    action = played(of, mcp_session_id=opened(of)).post(request("tasks/get", taskId="b/7"))
    assert forwarded(action)["params"] == {"taskId": "7"}
    unknown = played(of, mcp_session_id=opened(of)).post(request("tasks/get", taskId="7"))
    assert error(unknown)["message"] == "Unknown task"


def test_an_answer_of_the_client_goes_to_who_asked() -> None:
    _, _, of = both()
    session = opened(of)
    assert of.mcp is not None
    inside = of.mcp.views.sealer.open(session, "")
    assert inside is not None
    key = inside.nonce.encode()
    said = {"jsonrpc": "2.0", "id": ids.outward("b", 5, key), "result": {}}
    action = played(of, mcp_session_id=session).post(said)
    assert forwarded(action)["id"] == 5
    assert set_headers(BODY, action)[names.MCP_HEADER] == "service/mcp/b"
    made_up = {"jsonrpc": "2.0", "id": "b/i:5", "result": {}}
    ignored = played(of, mcp_session_id=session).post(made_up)
    assert isinstance(ignored, Respond)
    assert ignored.status == 202
    progress = {
        "jsonrpc": "2.0",
        "method": "notifications/progress",
        "params": {"progressToken": ids.outward("a", "t", key), "progress": 1},
    }
    action = played(of, mcp_session_id=session).post(progress)
    assert forwarded(action)["params"]["progressToken"] == "t"


def test_what_the_client_tells_all_servers_hear() -> None:
    a, b, of = both()
    session = opened(of)
    for method in ("notifications/initialized", "notifications/roots/list_changed"):
        action = played(of, mcp_session_id=session).post({"jsonrpc": "2.0", "method": method})
        assert isinstance(action, Respond)
        assert (action.status, action.body) == (202, b"")
        assert a.methods()[-1] == b.methods()[-1] == method


def test_the_end_of_a_session_is_that_of_all() -> None:
    a, b, of = both()
    action = played(of, method="DELETE", mcp_session_id=opened(of)).begin(is_end=True)
    assert isinstance(action, Respond)
    assert action.status == 200
    for each in (a, b):
        method, asked = each.said[-1]
        assert method == "DELETE"
        assert dict(asked.headers)["mcp-session-id"] == f"{each.name}-1"


def test_streams_are_the_hubs() -> None:
    _, _, of = both()
    action = played(of, method="GET", mcp_session_id=opened(of)).begin(is_end=True)
    assert isinstance(action, Direct)
    assert b"service/hub" in action.reply
    ((name, _),) = action.set_headers
    assert name == names.MCP_STREAMS_HEADER


def test_who_has_no_session_is_told_to_begin_one() -> None:
    _, _, of = both()
    for action in (
        played(of).post(request("tools/list")),
        played(of, method="GET").begin(is_end=True),
    ):
        assert isinstance(action, Respond)
        assert action.status == 400
    assert answer(played(of).post(request("ping"))) == {}


def test_a_session_is_of_one_caller_and_one_view() -> None:
    of = program(TWO + "  views: {v: {servers: [b, a]}}" + KEYED, fakes(Fake("a"), Fake("b")))
    ann, bob = "Bearer sk-ann", "Bearer sk-bob"
    session = opened(of, authorization=ann)
    for path, who in (("/mcp", bob), ("/mcp/v", ann)):
        action = played(of, path, authorization=who, mcp_session_id=session).begin()
        assert isinstance(action, Respond)
        assert action.status == 404


def test_rules_say_which_tools_are_seen_and_called() -> None:
    rules = """
authorize:
  - {name: no-add, for: {mcp: "*"}, deny: 'mcp.tool == "add"'}
  - {name: safe, for: {mcp: b}, require: 'mcp.arguments.text == "x"'}
"""
    of = program(TWO + rules, fakes(Fake("a", ("echo", "add")), Fake("b")))
    session = opened(of)
    listed = answer(played(of, mcp_session_id=session).post(request("tools/list")))
    assert [each["name"] for each in listed["tools"]] == ["a__echo", "b__echo"]
    refused = played(of, mcp_session_id=session).post(call("a__add"))
    assert error(refused)["message"] == "Unknown tool: a__add"
    assert isinstance(played(of, mcp_session_id=session).post(call("b__echo", text="x")), Direct)
    assert error(played(of, mcp_session_id=session).post(call("b__echo", text="y")))


def test_names_without_prefix_are_found_by_the_lists() -> None:
    servers = fakes(Fake("a", ("echo", "add")), Fake("b", ("echo", "sub")))
    for prefix, known in (("never", ["echo", "add", "sub"]), ("on_conflict", None)):
        of = program(TWO + f"  prefix: {prefix}", servers)
        session = opened(of)
        listed = answer(played(of, mcp_session_id=session).post(request("tools/list")))
        found = [each["name"] for each in listed["tools"]]
        assert found == (known or ["a__echo", "add", "b__echo", "sub"])
        action = played(of, mcp_session_id=session).post(call("sub"))
        assert set_headers(BODY, action)[names.MCP_HEADER] == "service/mcp/b"


def test_levels_are_told_to_all_that_log() -> None:
    _, _, of = both(is_modern=True)
    said = played(of, mcp_session_id=opened(of)).post(request("logging/setLevel", level="info"))
    assert answer(said) == {}
    none = program(TWO, fakes(Fake("a", is_modern=True), Fake("b", is_modern=True)))
    debug = request("logging/setLevel", level="debug")
    refused = played(none, mcp_session_id=opened(none)).post(debug)
    assert error(refused) == {"code": -32601, "message": "no server logs"}


@pytest.mark.parametrize("params", [{}, {"level": "loud"}, {"level": 7}])
def test_a_level_that_there_is_not_is_told_nobody(params: dict[str, object]) -> None:
    a, b, of = both()
    session = opened(of)
    refused = error(played(of, mcp_session_id=session).post(request("logging/setLevel", **params)))
    assert refused["code"] == -32602
    assert "no level" in refused["message"]
    assert "logging/setLevel" not in [*a.methods(), *b.methods()]


def test_what_nobody_knows_is_no_method() -> None:
    _, _, of = both()
    action = played(of, mcp_session_id=opened(of)).post(request("what/ever"))
    assert isinstance(action, Respond)
    assert (action.status, error(action)["code"]) == (200, -32601)
    batch = played(of, mcp_session_id=opened(of)).post([request("ping")])
    assert error(batch)["code"] == -32600


# eras


def head(method: str, name: str = "") -> dict[str, str]:
    named = {"mcp_name": name} if name else {}
    return {"mcp_protocol_version": MODERN, "mcp_method": method, **named}


def test_a_client_without_sessions_uses_servers_of_both_eras() -> None:
    a, b, of = both(is_modern=True)
    found = answer(played(of, **head("server/discover")).post(modern("server/discover")))
    assert found["supportedVersions"] == [MODERN]
    listed = answer(played(of, **head("tools/list")).post(modern("tools/list")))
    assert [each["name"] for each in listed["tools"]] == ["a__echo", "a__add", "b__echo"]
    assert listed["cacheScope"] == "private"

    to_a = played(of, **head("tools/call", "a__add")).post(modern("tools/call", name="a__add"))
    assert isinstance(to_a, Direct)
    assert set_headers(BODY, to_a)["mcp-protocol-version"] == LEGACY
    assert set_headers(BODY, to_a)["mcp-session-id"].startswith("a-")
    assert set(to_a.remove_headers) == {"mcp-method", "mcp-name", "accept-encoding"}

    to_b = played(of, **head("tools/call", "b__echo")).post(modern("tools/call", name="b__echo"))
    assert isinstance(to_b, Direct)
    said = set_headers(BODY, to_b)
    assert (said["mcp-method"], said["mcp-name"]) == ("tools/call", "echo")
    assert "mcp-session-id" not in said
    assert "initialize" not in b.methods()
    assert a.methods().count("notifications/initialized") == 1


def test_a_client_with_a_session_uses_servers_without() -> None:
    _, b, of = both(is_modern=True)
    session = opened(of)
    assert b.methods() == ["initialize", "server/discover"]
    action = played(of, mcp_session_id=session).post(call("b__echo"))
    said = forwarded(action)
    assert said["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] == MODERN
    assert said["params"]["_meta"]["io.modelcontextprotocol/clientInfo"] == {"name": "c"}
    head_of = set_headers(BODY, action)
    assert (head_of["mcp-method"], head_of["mcp-name"]) == ("tools/call", "echo")
    assert isinstance(action, Direct)
    assert "mcp-session-id" in action.remove_headers


def test_streams_are_none_of_the_era_without_sessions() -> None:
    _, _, of = both()
    action = played(of, method="GET", mcp_protocol_version=MODERN).begin(is_end=True)
    assert isinstance(action, Respond)
    assert action.status == 405
    unknown = played(of, **head("what/ever")).post(modern("what/ever"))
    assert isinstance(unknown, Respond)
    assert unknown.status == 404


@pytest.mark.parametrize(
    "method",
    ["initialize", "ping", "logging/setLevel", "resources/subscribe", "tasks/list", "no/such"],
)
def test_methods_that_the_era_without_sessions_has_not_are_not_found(method: str) -> None:
    a, b, of = both()
    head = {"mcp_protocol_version": MODERN, "mcp_method": method}
    action = played(of, **head).post(modern(method))
    assert isinstance(action, Respond)
    assert (action.status, error(action)["code"]) == (404, -32601)
    assert a.methods() == b.methods() == []


def test_a_session_has_no_discovery() -> None:
    _, _, of = both()
    action = played(of, mcp_session_id=opened(of)).post(request("server/discover"))
    assert isinstance(action, Respond)
    assert (action.status, error(action)["code"]) == (200, -32601)


@pytest.mark.parametrize(("revision", "code"), [("2027-01-01", -32022), ("1999-01-01", -32600)])
def test_a_revision_that_nobody_knows_is_refused(revision: str, code: int) -> None:
    _, _, of = both()
    said = request(
        "tools/list", _meta={**META, "io.modelcontextprotocol/protocolVersion": revision}
    )
    head = {"mcp_protocol_version": revision, "mcp_method": "tools/list"}
    action = played(of, mcp_session_id=opened(of), **head).post(said)
    assert isinstance(action, Respond)
    assert (action.status, error(action)["code"]) == (400, code)
    if code == -32022:
        assert error(action)["data"] == {"supported": [MODERN], "requested": revision}


def test_a_session_that_was_ended_is_none() -> None:
    _, _, of = both()
    session = opened(of)
    assert played(of, method="DELETE", mcp_session_id=session).begin(is_end=True)
    action = played(of, mcp_session_id=session).begin()
    assert isinstance(action, Respond)
    assert action.status == 404


def test_a_session_that_nobody_has_used_is_over() -> None:
    _, _, of = both()
    session = opened(of)
    assert of.mcp is not None
    board = of.mcp.board
    assert isinstance(board, Board)
    assert isinstance(played(of, mcp_session_id=session).post(call("b__echo")), Direct)
    (number,) = board.used
    board.used[number] -= 1800
    assert isinstance(played(of, mcp_session_id=session).post(call("b__echo")), Direct)
    board.used[number] -= 1801
    late = played(of, mcp_session_id=session).begin()
    assert isinstance(late, Respond)
    assert late.status == 404


PINNED = """
mcp:
  pinning: {new_tools: quarantine}
  servers:
    a: {url: "http://a.example/mcp"}
    b: {url: "http://b.example/mcp", pinning: {mode: none}}
"""


def test_tools_that_have_changed_are_neither_listed_nor_called_until_they_are_approved() -> None:
    pins, a, b = Pins(), Fake("a", ("x", "y")), Fake("b", ("x",))
    of = program(PINNED, fakes(a, b), pins=pins)
    session = opened(of)

    def listed(path: str = "/mcp") -> list[str]:
        headers = {"mcp_session_id": session if path == "/mcp" else opened_at(path)}
        action = played(of, path, **headers).post(request("tools/list"))
        return [each["name"] for each in answer(action)["tools"]]

    def opened_at(path: str) -> str:
        params = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "c"}}
        action = played(of, path).post(request("initialize", **params))
        assert isinstance(action, Respond)
        return dict(action.headers)["mcp-session-id"]

    def called(tool: str) -> object:
        return played(of, mcp_session_id=session).post(call(tool))

    assert listed() == ["a__x", "a__y", "b__x"]
    a.annotations = {"destructiveHint": False}
    b.annotations = {"destructiveHint": False}
    a.tools = ("x", "y", "z")
    assert listed() == ["b__x"]
    assert listed("/mcp/a") == []
    for tool in ("a__x", "a__z"):
        denied = called(tool)
        assert isinstance(denied, Respond)
        assert denied.status == 403
        assert error(denied)["data"] == {"code": "tool_quarantined"}
    assert isinstance(called("b__x"), Direct)
    pins.approve("a", "x")
    pins.approve("a", "z")
    assert listed() == ["a__x", "a__z", "b__x"]
    assert isinstance(called("a__x"), Direct)
    pins.is_away = True
    unknown = called("a__x")
    assert isinstance(unknown, Respond)
    assert error(unknown)["data"] == {"code": "tool_unverified"}
    failed = error(played(of, mcp_session_id=session).post(request("tools/list")))
    assert failed["message"] == "the server 'a' gives no answer: it is away"
