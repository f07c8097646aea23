from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.mcp import lists, messages, search
from extproc.mcp.jsonrpc import INVALID_PARAMS, Fault
from extproc.mcp.lists import Listing, ListKind, Shown
from extproc.mcp.messages import Message
from extproc.mcp.naming import Target
from extproc.mcp.search import ToolIndex


def tool(name: str, description: str = "", *parameters: str, **more: Any) -> Shown:
    server, _, own = name.partition("__")
    schema = {"type": "object", "properties": {each: {} for each in parameters}}
    document = {"name": name, "description": description, "inputSchema": schema, **more}
    return Shown(Target(server, own), name, json.dumps(document).encode())


TOOLS = (
    tool("github__create_issue", "Opens a new issue in a repository", "repository", "title"),
    tool("github__list_issues", "Lists issues of a repository", "repository", "state"),
    tool("github__merge_pull_request", "Merges a pull request", "number"),
    tool("calendar__createEvent", "Adds something to the calendar", "start", "attendees"),
    tool("mail__send", "Sends a message to somebody", "recipients", "subject"),
    tool("weather__forecast", "The weather of the next days in a city", "city"),
    tool("maps__route", "How to get from one city to another", "origin", "destination"),
)
INDEX = ToolIndex(TOOLS)


def found(query: str, **more: Any) -> list[str]:
    return [each.name for each in INDEX.search(query, **more)]


@pytest.mark.parametrize(
    ("query", "best"),
    [
        ("create an issue", "github__create_issue"),
        ("list the issues", "github__list_issues"),
        ("merging pull requests", "github__merge_pull_request"),
        ("merged", "github__merge_pull_request"),
        ("sending", "mail__send"),
        ("adding to calendars", "calendar__createEvent"),
        ("create event", "calendar__createEvent"),
        ("who are the attendees", "calendar__createEvent"),
        ("weather", "weather__forecast"),
        ("Weather of a CITY", "weather__forecast"),
        ("send mail", "mail__send"),
        ("destination", "maps__route"),
        ("repositories", "github__list_issues"),
        ("cal", "calendar__createEvent"),
        ("weather__forecast", "weather__forecast"),
        ("maps__route", "maps__route"),
    ],
)
def test_the_tool_that_was_meant_is_found_first(query: str, best: str) -> None:
    assert found(query)[0] == best


@pytest.mark.parametrize("query", ["", "the of a", "zebra", "!!!", "x"])
def test_what_no_tool_is_about_finds_none(query: str) -> None:
    assert found(query) == []


def test_titles_and_other_scripts_are_words_too() -> None:
    index = ToolIndex([tool("a__x", title="天気 予報"), tool("a__y", "météo de la ville")])
    assert [each.name for each in index.search("天気")] == ["a__x"]
    assert [each.name for each in index.search("météo")] == ["a__y"]


def test_no_more_are_found_than_were_asked_for() -> None:
    assert len(found("city repository issue", limit=2)) == 2


def test_what_somebody_may_not_call_is_not_found() -> None:
    names = found("issue", is_allowed=lambda target: target.name != "create_issue")
    assert names == ["github__list_issues"]


def test_odd_definitions_are_found_by_their_names() -> None:
    odd = {"name": "a__odd", "title": 5, "description": None, "inputSchema": {"properties": []}}
    index = ToolIndex([Shown(Target("a", "odd"), "a__odd", json.dumps(odd).encode())])
    assert [each.name for each in index.search("odd")] == ["a__odd"]
    assert ToolIndex([]).search("odd") == ()


# --- lists ---------------------------------------------------------------------------------


def test_a_lazy_list_has_our_own_tools_and_those_that_are_pinned() -> None:
    listing = Listing(ListKind.TOOLS, TOOLS, 500, True)
    page = lists.page(search.lazy(listing, ("mail__*", "maps__send")), is_modern=True)
    assert isinstance(page, bytes)
    document = json.loads(page)
    assert [each["name"] for each in document["tools"]] == [
        "search_tools",
        "call_tool",
        "mail__send",
    ]
    assert document["ttlMs"] == 500


def test_our_own_tools_are_no_servers() -> None:
    assert all(search.is_own(each.target) for each in search.own_tools())
    assert not any(search.is_own(each.target) for each in TOOLS)


# --- calls ---------------------------------------------------------------------------------


def call(name: str, arguments: Any) -> Message:
    params = {"name": name, "arguments": arguments, "_meta": {"progressToken": 1}}
    body = json.dumps({"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": params})
    message = messages.read(body.encode())
    assert isinstance(message, Message)
    return message


def answered(arguments: Any) -> dict[str, Any]:
    result = search.searched(INDEX, call("search_tools", arguments), None, False)
    document = json.loads(result)
    assert isinstance(document, dict)
    return document


def test_a_search_is_answered_with_definitions() -> None:
    document = answered({"query": "create issue", "limit": 1})
    assert document["structuredContent"] == {"tools": [json.loads(TOOLS[0].text)]}
    (content,) = document["content"]
    assert json.loads(content["text"]) == document["structuredContent"]
    assert document["isError"] is False


def test_a_search_that_finds_nothing_says_so() -> None:
    assert answered({"query": "zebra"})["structuredContent"] == {"tools": []}


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"query": ""},
        {"query": 5},
        {"query": "x", "limit": 0},
        {"query": "x", "limit": 51},
        {"query": "x", "limit": True},
        {"query": "x", "limit": "5"},
        None,
    ],
)
def test_a_model_is_told_what_it_did_wrong(arguments: Any) -> None:
    document = answered(arguments)
    assert document["isError"] is True
    assert "must be" in document["content"][0]["text"]


def test_a_wrapped_call_is_a_call_of_the_tool_itself() -> None:
    inner = search.unwrapped(
        call("call_tool", {"name": "mail__send", "arguments": {"subject": "x"}})
    )
    assert isinstance(inner, Message)
    assert (inner.name, inner.arguments) == ("mail__send", {"subject": "x"})
    assert (inner.id, inner.meta) == (5, {"progressToken": 1})
    assert json.loads(inner.body)["params"] == {
        "name": "mail__send",
        "arguments": {"subject": "x"},
        "_meta": {"progressToken": 1},
    }


def test_arguments_of_a_wrapped_call_stay_as_they_were_written() -> None:
    body = (
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"call_tool",'
        b'"arguments":{"arguments":{"n": 1.10},"name":"a__b"}}}'
    )
    message = messages.read(body)
    assert isinstance(message, Message)
    inner = search.unwrapped(message)
    assert isinstance(inner, Message)
    assert inner.body.endswith(b'"params":{"name":"a__b","arguments":{"n": 1.10}}}')


def test_a_wrapped_call_may_have_no_arguments() -> None:
    inner = search.unwrapped(call("call_tool", {"name": "mail__send"}))
    assert isinstance(inner, Message)
    assert inner.arguments == {}


@pytest.mark.parametrize(
    "arguments",
    [{}, None, {"name": 5}, {"name": ""}, {"name": "call_tool"}, {"name": "a", "arguments": []}],
)
def test_a_wrapped_call_of_nothing_is_refused(arguments: Any) -> None:
    fault = search.unwrapped(call("call_tool", arguments))
    assert isinstance(fault, Fault)
    assert (fault.code, fault.raw_id) == (INVALID_PARAMS, b"5")


@given(st.lists(st.text(max_size=12), max_size=6), st.text(max_size=20))
def test_whatever_is_searched_for_what_is_found_is_listed(texts: list[str], query: str) -> None:
    tools = [tool(f"a__{number}", text) for number, text in enumerate(texts)]
    found = ToolIndex(tools).search(query)
    assert set(found) <= set(tools)
    assert len(set(found)) == len(found)
