"""`dragoman mcp …`: tools of MCP servers of a running gateway, by its admin API."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from datetime import UTC, datetime

from xds_server.commands.asking import Answer, rows, table
from xds_server.commands.command import JSON, Argument, Command, Environment, Switch
from xds_server.commands.with_token import REACHING, TOKEN_VARIABLE, done
from xds_server.flags import Flag

SERVER = Argument("server", "SERVER", "the name of the server")
TOOL = Argument("tool", "TOOL", "what the server calls the tool")
PENDING = Switch("--pending", "only what waits for approval")
DIGEST = Flag(
    "--digest", "", str, "DIGEST", "of the definition that you have looked at, or its first digits"
)
_SHOWN_DIGITS = 12
_PARTS = ("title", "description", "inputSchema", "outputSchema", "annotations")


def tools(arguments: argparse.Namespace, environment: Environment) -> int:
    """Print the tools whose definitions are known."""

    def shown(answer: Answer) -> Iterable[str]:
        found = rows(answer.get("tools"))
        if arguments.pending:
            found = [each for each in found if each["state"] != "known"]
        if not found:
            return ["nothing waits for approval" if arguments.pending else "no tools were listed"]
        heads = ("SERVER", "TOOL", "STATE", "SINCE", "DIGEST", "CHANGED")
        return table(heads, [_row(each) for each in found])

    return done(arguments, environment, ("GET", "/api/mcp/tools", None), shown)


def approve(arguments: argparse.Namespace, environment: Environment) -> int:
    """Let a tool have the definition that its server tells."""
    body = {
        "server": arguments.server,
        "tool": arguments.tool,
        "digest": arguments.digest or "",
    }

    def shown(answer: Answer) -> Iterable[str]:
        yield f"approved: {answer['tool']} of {answer['server']}, {answer['digest']}"

    return done(arguments, environment, ("POST", "/api/mcp/approve", body), shown)


def _row(row: Answer) -> tuple[str, ...]:
    since = row["since"]
    at = datetime.fromtimestamp(since if isinstance(since, int) else 0, UTC)
    return (
        str(row["server"]),
        str(row["tool"]),
        str(row["state"]),
        f"{at:%Y-%m-%d %H:%M:%S}Z",
        str(row["digest"])[:_SHOWN_DIGITS],
        _changed(row),
    )


def _changed(row: Answer) -> str:
    """Which parts of the definition."""
    before, now = row["approved_definition"], row["definition"]
    if not isinstance(before, dict) or not isinstance(now, dict):
        return ""
    return ", ".join(part for part in _PARTS if before.get(part) != now.get(part))


COMMANDS = (
    Command(
        "mcp tools",
        "show the tools of MCP servers whose definitions are known, and which have changed",
        tools,
        flags=REACHING,
        switches=(PENDING, JSON),
        details=(
            "Commands about tools of MCP servers ask the admin API of a running gateway, with the "
            f"token in its state directory, or in `{TOKEN_VARIABLE}`. With `--json`, the "
            "definitions are told, too. See [The MCP gateway](../mcp.md#tools-that-change)."
        ),
    ),
    Command(
        "mcp approve",
        "let a tool have the definition that its server tells now",
        approve,
        arguments=(SERVER, TOOL),
        flags=(DIGEST, *REACHING),
        switches=(JSON,),
    ),
)
