from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.mcp.naming import Naming, Target, of_prompts, of_tools
from gateway.mcp import Mcp, McpServer, McpView, Prefix, ToolChange, Transport

LISTED = {"github": ["search", "create_issue"], "jira": ["search", "close"]}


def naming(prefix: Prefix, *servers: str, **changes: ToolChange) -> Naming:
    """Changes by `server__tool`."""
    return Naming(
        prefix,
        servers or ("github", "jira"),
        {Target(*name.split("__", 1)): change for name, change in changes.items()},
    )


@pytest.mark.parametrize(
    ("prefix", "names"),
    [
        (Prefix.AUTO, ["github__search", "github__create_issue", "jira__search", "jira__close"]),
        (Prefix.ALWAYS, ["github__search", "github__create_issue", "jira__search", "jira__close"]),
        (Prefix.NEVER, ["search", "create_issue", "close"]),
        (Prefix.ON_CONFLICT, ["github__search", "create_issue", "jira__search", "close"]),
    ],
)
def test_names_of_two_servers(prefix: Prefix, names: list[str]) -> None:
    of = naming(prefix)
    assigned = of.assign(LISTED)
    assert list(assigned.targets) == names
    for name in names:
        target = of.find(name, assigned)
        assert target is not None
        assert assigned.shown[target] == name
        assert target.name in LISTED[target.server]


@pytest.mark.parametrize(
    ("prefix", "names"),
    [
        (Prefix.AUTO, ["search", "create_issue"]),
        (Prefix.ALWAYS, ["github__search", "github__create_issue"]),
        (Prefix.NEVER, ["search", "create_issue"]),
        (Prefix.ON_CONFLICT, ["search", "create_issue"]),
    ],
)
def test_names_of_one_server(prefix: Prefix, names: list[str]) -> None:
    of = naming(prefix, "github")
    assert list(of.assign(LISTED).targets) == names
    assert not of.needs_lists
    assert of.find(names[0]) == Target("github", "search")


def test_the_first_server_that_has_a_name_gets_it() -> None:
    assigned = naming(Prefix.NEVER).assign(LISTED)
    assert assigned.targets["search"] == Target("github", "search")
    assert assigned.hidden == (Target("jira", "search"),)
    other = naming(Prefix.NEVER, "jira", "github").assign(LISTED)
    assert other.targets["search"] == Target("jira", "search")


def test_with_a_prefix_no_list_is_needed() -> None:
    of = naming(Prefix.AUTO)
    assert not of.needs_lists
    assert of.find("jira__close") == Target("jira", "close")
    assert of.find("jira__new__tool_") == Target("jira", "new__tool_")
    assert of.find("jira___x") == Target("jira", "_x")


@pytest.mark.parametrize("name", ["", "close", "jira__", "other__close", "jira_close", "__close"])
def test_a_name_without_a_server_of_the_view_is_nobodys(name: str) -> None:
    assert naming(Prefix.AUTO).find(name) is None


def test_without_a_prefix_only_what_is_listed_is_found() -> None:
    of = naming(Prefix.NEVER)
    assigned = of.assign(LISTED)
    assert of.needs_lists
    assert of.find("jira__search", assigned) is None
    assert of.find("other", assigned) is None
    assert of.find("close", assigned) == Target("jira", "close")


def test_a_name_that_was_shared_a_moment_ago_still_finds_its_server() -> None:
    of = naming(Prefix.ON_CONFLICT)
    assigned = of.assign({"github": ["search"]})
    assert list(assigned.targets) == ["search"]
    assert of.find("github__search", assigned) == Target("github", "search")
    assert of.find("jira__search", assigned) == Target("jira", "search")


def test_what_looks_like_a_prefix_may_be_a_name() -> None:
    of = naming(Prefix.ON_CONFLICT)
    assigned = of.assign({"github": ["jira__search"], "jira": ["search"]})
    assert of.find("jira__search", assigned) == Target("github", "jira__search")


@pytest.mark.parametrize("prefix", list(Prefix))
def test_a_tool_with_a_name_of_its_own_has_no_other(prefix: Prefix) -> None:
    of = naming(prefix, jira__close=ToolChange(name="finish"))
    assigned = of.assign(LISTED)
    assert of.find("finish", assigned) == Target("jira", "close")
    assert of.find("finish") == Target("jira", "close")
    assert of.find("jira__close", assigned) is None
    assert of.find("close", assigned) is None
    assert "finish" in assigned.targets


def test_a_given_name_goes_before_those_of_servers() -> None:
    of = naming(Prefix.NEVER, jira__close=ToolChange(name="create_issue"))
    assigned = of.assign(LISTED)
    assert assigned.targets["create_issue"] == Target("jira", "close")
    assert Target("github", "create_issue") in assigned.hidden
    assert list(assigned.targets) == ["search", "create_issue"]


def test_another_description_changes_no_name() -> None:
    of = naming(Prefix.AUTO, jira__close=ToolChange(description="x"))
    assert of.find("jira__close") == Target("jira", "close")


def test_given_names_of_other_views_are_unknown() -> None:
    of = naming(Prefix.AUTO, "github", other__close=ToolChange(name="finish"))
    assert of.find("finish") == Target("github", "finish")
    assert list(of.assign(LISTED).targets) == ["search", "create_issue"]


def test_a_server_that_lists_a_name_twice_has_it_once() -> None:
    assert list(naming(Prefix.AUTO).assign({"jira": ["a", "a"]}).targets) == ["jira__a"]


_servers = st.from_regex(r"[A-Za-z][A-Za-z0-9.-]{0,4}", fullmatch=True)
_lists = st.dictionaries(_servers, st.lists(st.text("a_b", min_size=1, max_size=5)), min_size=1)


@given(_lists, st.sampled_from(Prefix))
def test_every_listed_name_finds_what_it_was_listed_for(
    listed: dict[str, list[str]], prefix: Prefix
) -> None:
    of = Naming(prefix, tuple(listed))
    assigned = of.assign(listed)
    everything = {Target(server, name) for server, names in listed.items() for name in names}
    assert set(assigned.shown) | set(assigned.hidden) == everything
    assert not set(assigned.shown) & set(assigned.hidden)
    for name, target in assigned.targets.items():
        assert of.find(name, assigned) == target
        assert assigned.shown[target] == name
        if not of.needs_lists:
            assert of.find(name) == target
    if prefix in (Prefix.AUTO, Prefix.ALWAYS):
        assert not assigned.hidden


# --- as configured -------------------------------------------------------------------------

FAR = McpServer("github", Transport.STREAMABLE_HTTP, "/mcp")
CHANGED = McpServer(
    "jira", Transport.STREAMABLE_HTTP, "/mcp", tools=(("close", ToolChange("finish")),)
)


def test_tools_that_were_not_chosen_do_not_exist() -> None:
    view = McpView("v", ("github", "jira"), True, ("github__c*", "jira__close"))
    of = of_tools(Mcp((FAR, CHANGED)), view)
    assigned = of.assign(LISTED)
    assert list(assigned.targets) == ["github__create_issue", "finish"]
    assert of.find("github__search", assigned) is None
    assert of.find("github__search") is None
    assert of.find("github__copy") == Target("github", "copy")


def test_a_changed_tool_that_was_not_chosen_does_not_exist_either() -> None:
    view = McpView("v", ("github", "jira"), True, ("github__*",))
    of = of_tools(Mcp((FAR, CHANGED)), view)
    assert of.find("finish") is None
    assert of.find("jira__close") is None


def test_what_was_not_chosen_is_in_nobodys_way() -> None:
    view = McpView("v", ("github", "jira"), True, ("jira__*",))
    of = of_tools(Mcp((FAR, CHANGED), prefix=Prefix.ON_CONFLICT), view)
    assert list(of.assign(LISTED).targets) == ["search", "finish"]


def test_prompts_are_neither_changed_nor_chosen() -> None:
    view = McpView("v", ("github", "jira"), True, ("github__c*",))
    of = of_prompts(Mcp((FAR, CHANGED)), view)
    assert of.find("jira__close") == Target("jira", "close")
    assert len(of.assign(LISTED).targets) == 4


def test_changes_of_servers_of_other_views_change_nothing() -> None:
    of = of_tools(Mcp((FAR, CHANGED)), McpView("v", ("github",), False))
    assert of.find("finish") == Target("github", "finish")
