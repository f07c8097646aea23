"""MCP servers, as they are meant."""

from __future__ import annotations

from gateway.mcp import Mcp, McpServer, McpView, StdioCommand, Transport


def test_the_hub_is_needed_for_what_has_state() -> None:
    far = McpServer("a", Transport.STREAMABLE_HTTP, "/mcp")
    alone = McpView("a", ("a",), False)
    assert not Mcp((far,), views=(alone,)).has_hub
    assert Mcp((McpServer("a", Transport.SSE, "/sse"),), views=(alone,)).has_hub
    assert Mcp((far,), views=(McpView("", ("a", "b"), True),)).has_hub


def test_what_a_command_is_given_is_not_shown() -> None:
    assert "hidden" not in repr(StdioCommand(("a",), (("KEY", "hidden"),)))
