"""What each view lists, as far as the configuration says: compared, to tell clients of changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from gateway.mcp import Mcp, McpServer, McpView
from gateway.model import Rule

TOOLS, PROMPTS, RESOURCES = KINDS = ("tools", "prompts", "resources")
"""As `notifications/…/list_changed` calls them."""


class Listing(Struct, frozen=True):
    """Of a view of several servers."""

    speaking: tuple[str, ...]
    """Its servers that may say something unasked."""
    facts: Mapping[str, object]
    """By kind of list: what it depends on."""


NOTHING = Listing((), {})


def listings(mcp: Mcp, rules: Sequence[Rule] = ()) -> Mapping[str, Listing]:
    """By the names of the views. `rules`: all of them; those of MCP say who sees what."""
    servers = {each.name: each for each in mcp.servers}
    told = tuple(each for each in rules if each.scope.mcp is not None or _is_for_all(each))
    return {
        view.name: _listing(mcp, view, tuple(servers[name] for name in view.servers), told)
        for view in mcp.views
        if view.is_federated
    }


def changed(before: Listing, now: Listing) -> tuple[str, ...]:
    """The kinds of lists that may be others."""
    return tuple(kind for kind in KINDS if before.facts.get(kind) != now.facts.get(kind))


def _listing(
    mcp: Mcp, view: McpView, servers: tuple[McpServer, ...], rules: tuple[Rule, ...]
) -> Listing:
    asked = tuple((each.name, each.transport, each.path, each.stdio) for each in servers)
    shown = tuple((each.tools, each.api, each.pinning) for each in servers)
    return Listing(
        tuple(each.name for each in servers if each.api is None),
        {
            TOOLS: (asked, mcp.prefix, rules, shown, view.tools, view.search),
            PROMPTS: (asked, mcp.prefix, rules),
            RESOURCES: (asked, rules),
        },
    )


def _is_for_all(rule: Rule) -> bool:
    scope = rule.scope
    others = (scope.model, scope.provider, scope.llm, scope.a2a, scope.route)
    return all(each is None for each in others)
