"""The block of the MCP gateway: what can be said of servers."""

from __future__ import annotations

import pytest

from tests.gateway.config.loading import complaints


@pytest.mark.parametrize(
    ("server", "complaint"),
    [
        ("{}", "mcp.servers.a: needs either url or command"),
        ("{url: 'http://a', command: [a]}", "mcp.servers.a: needs either url or command"),
        ("{command: [a], headers: {x: y}}", "mcp.servers.a: has a command, and 'headers' is for"),
        ("{url: 'http://a', shared: true}", "mcp.servers.a: has a url, and 'shared' is for"),
        ("{url: 'http://a', transport: stdio}", "mcp.servers.a: has a url, and the transport of"),
        ("{url: 'http://a', key: k, auth: {type: none}}", "mcp.servers.a: has both key and auth"),
        ("{command: []}", "mcp.servers.a.command:"),
        ("{command: ['']}", "mcp.servers.a: has a command without a program"),
        ('{command: [a, "b\\0"]}', "mcp.servers.a.command.1: must have no NUL"),
        ("{command: [a], environment: {a-b: c}}", "mcp.servers.a.environment.a-b: must be the na"),
        ("{command: [a], max_processes: 0}", "mcp.servers.a.max_processes: must be from 1 to"),
        ("{url: 'http://a', timeout: 3m}", "mcp.servers.a.timeout: must be more than 0 and"),
    ],
)
def test_what_is_no_server_is_told(server: str, complaint: str) -> None:
    (found,) = complaints(f"mcp: {{servers: {{a: {server}}}}}")
    assert found.startswith(complaint)


@pytest.mark.parametrize("name", ["a_b", "1a", "-a", "a__b", "a" * 64])
def test_a_server_has_a_name_that_can_stand_before_that_of_a_tool(name: str) -> None:
    (found,) = complaints(f"mcp: {{servers: {{{name}: {{url: 'http://a'}}}}}}")
    assert "must be the name of a server" in found


def test_a_short_secret_seals_no_session() -> None:
    (found,) = complaints("mcp: {sessions: {secrets: [short]}}")
    assert "must have at least 32 characters" in found
    assert "short'" not in found


def test_sessions_are_idle_for_a_minute_at_least() -> None:
    (found,) = complaints("mcp: {sessions: {idle: 59s}}")
    assert "must be at least 1m" in found
    assert complaints("mcp: {sessions: {idle: 1m}}") == []


def test_an_origin_has_a_scheme_and_no_path() -> None:
    (found,) = complaints("mcp: {allowed_origins: ['https://a.example/x']}")
    assert "must be an origin" in found
