"""What several servers are asked one after the other, and searched for; whole sessions are in
`tests/transcripts/mcp` (`resources.txt`, `search.txt`)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from extproc.adapters.mapped_limiter import MappedLimiter
from extproc.events import Direct, Respond
from extproc.mcp import messages
from extproc.mcp.messages import Message
from extproc.mcp_exchange.several import place
from extproc.protocols import json_spans
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
