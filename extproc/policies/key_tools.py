"""Which tools of MCP servers a key opens, where it does not open all."""

from __future__ import annotations

from extproc.facts import Facts, McpCall
from extproc.principal import Principal
from extproc.verdict import PASS, By, Deny, PolicyKind, Verdict
from gateway.globs import is_like
from gateway.mcp import SEPARATOR

_MOST_KNOWN = 10_000
"""Clients choose the names of tools, so they have no natural end."""
_CALL = "tools/call"


class KeyTools:
    """Refuses what a key is not for. What is no tool is open to every key, and so are the gateway's
    own tools, which find and call those of servers."""

    def __init__(self) -> None:
        self._known: dict[tuple[Principal, str, str], bool] = {}

    def on_request(self, facts: Facts) -> Verdict:
        principal, call = facts.principal, facts.mcp
        if principal is None or not principal.tools or call is None or call.method != _CALL:
            return PASS
        if not call.server or self.is_open(principal, call):
            return PASS
        name = f"{call.server}{SEPARATOR}{call.tool}"
        reason = f"the API key '{principal.key}' is not for the tool {name[:256]!r}"
        by = By(PolicyKind.KEY)
        return Deny(403, "tool_not_allowed", reason, param="name", by=by)

    def is_open(self, principal: Principal, call: McpCall) -> bool:
        """Whether this caller may call the tool."""
        name = (principal, call.server, call.tool)
        found = self._known.get(name)
        if found is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            whole = f"{call.server}{SEPARATOR}{call.tool}"
            found = self._known[name] = bool(call.tool) and is_like(principal.tools, whole)
        return found
