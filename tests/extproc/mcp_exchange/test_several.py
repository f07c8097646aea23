"""What several servers are asked one after the other, and searched for; whole sessions are in
`tests/transcripts/mcp` (`resources.txt`, `search.txt`)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from extproc.adapters.mapped_limiter import MappedLimiter
from extproc.events import Direct, Respond
from extproc.mcp import messages
from extproc.mcp.messages import Message
from extproc.mcp_exchange.several import place
from extproc.ports import Answered, Asked, AskedBack
from extproc.protocols import json_spans
from gateway import names
from tests.kit.mcp_exchange import (
    META,
    MODERN,
    TWO,
    Fake,
    answer,
    call,
    error,
    fakes,
    opened,
    played,
    program,
    request,
)

SEARCHED = TWO + "  search: {}\n"


@pytest.mark.parametrize(
    ("method", "params", "path"),
    [
        ("tools/call", {}, ("params", "name")),
        ("prompts/get", {}, ("params", "name")),
        ("resources/subscribe", {}, ("params", "uri")),
        ("completion/complete", {"ref": {"type": "ref/prompt"}}, ("params", "ref", "name")),
        ("completion/complete", {"ref": {"type": "ref/resource"}}, ("params", "ref", "uri")),
        ("tasks/get", {}, ("params", "taskId")),
    ],
)
def test_what_is_asked_for_is_named_in_its_place(
    method: str, params: dict[str, object], path: json_spans.Path
) -> None:
    message = messages.read(json.dumps(request(method, **params)).encode())
    assert isinstance(message, Message)
    assert place(message) == path


def test_who_speaks_a_revision_without_sessions_is_told_the_type_of_results() -> None:
    of = program(SEARCHED, fakes(Fake("a"), Fake("b")))
    one = played(of, mcp_protocol_version=MODERN, mcp_method="tools/call", mcp_name="search_tools")
    arguments = {"query": "echo"}
    found = answer(
        one.post(request("tools/call", name="search_tools", arguments=arguments, _meta=META))
    )
    assert found["resultType"] == "complete"
    assert {each["name"] for each in found["structuredContent"]["tools"]} == {"a__echo", "b__echo"}


UNLISTED = request("resources/read", uri="other://x")


@pytest.fixture
def limiter(tmp_path: Path) -> Iterator[MappedLimiter]:
    made = MappedLimiter(tmp_path, None, lambda: 10**12, rows=1024)
    yield made
    made.close()


def test_what_all_are_asked_for_in_turn_counts_in_limits(limiter: MappedLimiter) -> None:
    limits = '\nlimits: [{name: calls, for: {mcp: "*"}, requests: 1/day}]\n'
    a, b = Fake("a"), Fake("b")
    of = program(TWO + limits, fakes(a, b), limiter)
    session = opened(of)
    first = played(of, mcp_session_id=session).post(UNLISTED)
    second = played(of, mcp_session_id=session).post(UNLISTED)
    assert isinstance(first, Respond)
    assert isinstance(second, Respond)
    assert (first.status, second.status) == (200, 429)
    assert a.methods().count("resources/read") == b.methods().count("resources/read") == 1


@pytest.mark.parametrize("whose", ['for: {mcp: "*"}, by: mcp.tool', 'for: {mcp: a, tool: "*"}'])
def test_each_tool_may_have_a_limit_of_its_own(whose: str, limiter: MappedLimiter) -> None:
    limits = f"\nlimits: [{{name: t, {whose}, requests: 1/day}}]\n"
    of = program(TWO + limits, fakes(Fake("a", ("one", "two")), Fake("b")), limiter)
    session = opened(of)

    def is_sent(tool: str) -> bool:
        return isinstance(played(of, mcp_session_id=session).post(call(tool)), Direct)

    assert [is_sent(each) for each in ("a__one", "a__two", "a__one")] == [True, True, False]


def test_a_limit_may_be_for_one_tool(limiter: MappedLimiter) -> None:
    limits = "\nlimits: [{name: t, for: {mcp: a, tool: one}, requests: 1/day}]\n"
    of = program(TWO + limits, fakes(Fake("a", ("one", "two")), Fake("b", ("one",))), limiter)
    session = opened(of)

    def is_sent(tool: str) -> bool:
        return isinstance(played(of, mcp_session_id=session).post(call(tool)), Direct)

    asked = ("a__two", "a__two", "a__one", "a__one", "a__two", "b__one", "b__one")
    assert [is_sent(each) for each in asked] == [True, True, True, False, True, True, True]


@pytest.mark.parametrize("server", ["a", "b"])
def test_guards_of_all_read_what_they_are_asked_for_in_turn(server: str) -> None:
    guards = (
        f"\nguardrails: [{{name: g, type: regex, for: {{mcp: {server}}}, "
        "patterns: [classified], action: block}]\n"
    )
    a, b = Fake("a"), Fake("b")
    of = program(TWO + guards, fakes(a, b))
    session = opened(of)
    ref = {"type": "ref/resource", "uri": "other://{x}"}
    for value, times in (("classified", 0), ("known", 1)):
        argument = {"name": "x", "value": value}
        ask = request("completion/complete", ref=ref, argument=argument)
        action = played(of, mcp_session_id=session).post(ask)
        assert isinstance(action, Respond)
        assert "error" in json.loads(action.body)
        assert a.methods().count("completion/complete") == times
        assert b.methods().count("completion/complete") == times


def test_rules_hide_what_is_searched_for() -> None:
    rules = "authorize: [{name: r, for: {mcp: b}, deny: 'mcp.tool == \"echo\"'}]\n"
    of = program(SEARCHED + rules, fakes(Fake("a"), Fake("b")))
    call = request("tools/call", name="search_tools", arguments={"query": "echo"})
    found = answer(played(of, mcp_session_id=opened(of)).post(call))
    assert [each["name"] for each in found["structuredContent"]["tools"]] == ["a__echo"]


def test_where_the_lists_cannot_be_had_nothing_is_found() -> None:
    a = Fake("a")
    servers = fakes(a, Fake("b"))
    of = program(SEARCHED, servers)
    session = opened(of)
    servers.answers = {}
    call = request("tools/call", name="search_tools", arguments={"query": "echo"})
    action = played(of, mcp_session_id=session).post(call)
    assert isinstance(action, Respond)
    assert action.status == 502
    assert "'a' gives no answer" in error(action)["message"]


@pytest.mark.parametrize(("server", "action"), [("a", "block"), ("b", "block"), ("b", "mask")])
def test_guards_of_all_read_what_all_are_told(server: str, action: str) -> None:
    guards = (
        f"\nguardrails: [{{name: g, type: regex, for: {{mcp: {server}}}, "
        f"patterns: [classified], action: {action}}}]\n"
    )
    a, b = Fake("a"), Fake("b")
    of = program(TWO + guards, fakes(a, b))
    one = played(of, mcp_session_id=opened(of))
    note = {"requestId": 7, "reason": "it is classified"}
    said = one.post({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": note})
    assert isinstance(said, Respond)
    assert said.status == 202
    told = [
        json.loads(asked.body)["params"]["reason"]
        for each in (a, b)
        for method, asked in each.said
        if method == "notifications/cancelled"
    ]
    assert told == ([] if action == "block" else ["it is [redacted]"] * 2)


STATED = {"resultType": "input_required", "inputRequests": {}, "requestState": "half"}


def asking(of: Fake, then: object) -> Callable[[Asked], Answered]:
    """A server that knows the resource, and answers it so."""

    def answered(asked: Asked) -> Answered:
        document = json.loads(asked.body)
        found = of(asked)
        if document.get("method") != "resources/read":
            return found
        if isinstance(then, Exception):
            raise then
        body = {"jsonrpc": "2.0", "id": document["id"], "result": then}
        return Answered(200, {"content-type": "application/json"}, json.dumps(body).encode())

    return answered


def asked_by_newer(state: str = "") -> dict[str, object]:
    more = {"requestState": state, "inputResponses": {}} if state else {}
    return request("resources/read", uri="other://x", _meta=META, **more)


HEAD = {"mcp_protocol_version": MODERN, "mcp_method": "resources/read", "mcp_name": "other://x"}


def test_what_is_asked_back_comes_back_to_who_asked() -> None:
    a, b = Fake("a", is_modern=True), Fake("b", is_modern=True)
    servers = fakes(a, b)
    servers.answers = {**servers.answers, "service/mcp/b": asking(b, STATED)}
    of = program(TWO, servers)
    first = answer(played(of, **HEAD).post(asked_by_newer()))
    assert first["requestState"] == "dmt.b/half"
    assert a.methods().count("resources/read") == 1
    again = answer(played(of, **HEAD).post(asked_by_newer(first["requestState"])))
    assert again["requestState"] == "dmt.b/half"
    assert a.methods().count("resources/read") == 1  # the others do not see the state
    assert json.loads(b.said[-1][1].body)["params"]["requestState"] == "half"
    unknown = error(played(of, **HEAD).post(asked_by_newer("dmt.nobody/half")))
    assert unknown["code"] == -32002


@pytest.mark.parametrize("how", ["newer", "older"])
def test_a_client_with_a_session_is_asked_by_the_server_that_knows(how: str) -> None:
    """By the hub, where it is of the other era; else in its own stream."""
    b = Fake("b", is_modern=how == "newer")
    servers = fakes(Fake("a"), b)
    then = STATED if how == "newer" else AskedBack("it asks")
    servers.answers = {**servers.answers, "service/mcp/b": asking(b, then)}
    of = program(TWO, servers)
    can = {"elicitation": {}}
    begun = played(of).post(
        request("initialize", protocolVersion="2025-06-18", capabilities=can, clientInfo={})
    )
    assert isinstance(begun, Respond)
    session = dict(begun.headers)["mcp-session-id"]
    direct = played(of, mcp_session_id=session).post(UNLISTED)
    assert isinstance(direct, Direct)
    ways = of.mcp.ways  # type: ignore[union-attr]
    assert direct.reply == (ways.rounds if how == "newer" else ways.to("b", is_read=True))


def test_an_older_server_is_asked_by_the_hub_for_a_newer_client() -> None:
    b, asked = Fake("b"), list[Asked]()

    def hub(of: Asked) -> Answered:
        asked.append(of)
        body = {"jsonrpc": "2.0", "id": json.loads(of.body)["id"], "result": STATED}
        return Answered(200, {"content-type": "application/json"}, json.dumps(body).encode())

    servers = fakes(Fake("a", is_modern=True), b)
    servers.answers = {**servers.answers, names.HUB_CLUSTER: hub}
    of = program(TWO, servers)
    can = {**META, "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}}}
    asking_it = request("resources/read", uri="other://x", _meta=can)
    assert answer(played(of, **HEAD).post(asking_it))["requestState"] == "dmt.b/half"
    rounds_ = [each for each in asked if each.path == names.HUB_ROUNDS]
    assert len(rounds_) == 1
    assert "resources/read" not in b.methods()
