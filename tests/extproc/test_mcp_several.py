"""What several servers are asked one after the other, and searched for; whole sessions are in
`tests/transcripts/mcp` (`resources.txt`, `search.txt`)."""

from __future__ import annotations

import json

import pytest

from extproc.events import Respond
from extproc.mcp import messages
from extproc.mcp.messages import Message, Path
from extproc.mcp_several import place
from tests.kit.mcp_exchange import (
    META,
    MODERN,
    TWO,
    Fake,
    answer,
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
    method: str, params: dict[str, object], path: Path
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
