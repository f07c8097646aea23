"""A key that is for some tools opens no other, whatever else it opens."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from extproc.facts import Facts, McpCall
from extproc.policies.key_tools import KeyTools
from extproc.principal import Kind, Principal
from extproc.verdict import PASS, By, Deny, PolicyKind

NOW = datetime(2031, 3, 4, tzinfo=UTC)


def asked(tools: tuple[str, ...], call: McpCall | None, name: str = "ci") -> Facts:
    return Facts(now=NOW, principal=Principal(Kind.API_KEY, name, name, tools=tools), mcp=call)


@pytest.mark.parametrize(
    ("tools", "tool", "is_open"),
    [
        ((), "search", True),
        (("github__*",), "search", True),
        (("github__search",), "search", True),
        (("github__search",), "search_all", False),
        (("github__search",), "Search", False),
        (("git__*", "notes__*"), "search", False),
        (("git__*", "git*__se?rch"), "search", True),
        (("*",), "any", True),
        (("*__delete_*",), "delete_repo", True),
        (("*__delete_*",), "repo", False),
        (("*",), "", False),
    ],
)
def test_tools_are_matched_as_views_do(tools: tuple[str, ...], tool: str, is_open: bool) -> None:
    policy, facts = KeyTools(), asked(tools, McpCall("tools/call", "github", tool))
    for verdict in [policy.on_request(facts) for _ in range(2)]:
        assert (verdict is PASS) is is_open
        if isinstance(verdict, Deny):
            assert (verdict.status, verdict.code) == (403, "tool_not_allowed")


def test_a_refusal_names_the_key_and_the_tool() -> None:
    verdict = KeyTools().on_request(asked(("a",), McpCall("tools/call", "s", "b" * 5000)))
    assert isinstance(verdict, Deny)
    assert verdict.reason == f"the API key 'ci' is not for the tool '{('s__' + 'b' * 5000)[:256]}'"
    assert (verdict.param, verdict.by) == ("name", By(PolicyKind.KEY))


@pytest.mark.parametrize(
    "call",
    [
        None,
        McpCall("initialize"),
        McpCall("tools/list"),
        McpCall("tools/call", "", "search_tools"),
        McpCall("prompts/get", "github", prompt="p"),
        McpCall("resources/read", "github", resource="u"),
    ],
)
def test_what_is_no_tool_of_a_server_is_open_to_every_key(call: McpCall | None) -> None:
    assert KeyTools().on_request(asked(("none__at_all",), call)) is PASS


def test_who_has_no_key_is_not_refused() -> None:
    call = McpCall("tools/call", "github", "search")
    assert KeyTools().on_request(Facts(now=NOW, mcp=call)) is PASS


def test_two_keys_of_one_name_are_two() -> None:
    policy, call = KeyTools(), McpCall("tools/call", "github", "search")
    assert policy.on_request(asked(("github__*",), call)) is PASS
    assert policy.on_request(asked(("notes__*",), call)) is not PASS


def test_names_that_clients_choose_take_no_room_without_end() -> None:
    policy, who = KeyTools(), Principal(Kind.API_KEY, "ci", "ci", tools=("s__a*",))
    for number in range(10_050):
        assert policy.is_open(who, McpCall("tools/call", "s", f"a{number}"))
    assert not policy.is_open(who, McpCall("tools/call", "s", "b"))
