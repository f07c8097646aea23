"""`dragoman mcp connections`, `dragoman mcp disconnect`: whose accounts at MCP servers a running
gateway uses, by its admin API."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from datetime import UTC, datetime

from xds_server.commands.asking import Answer, rows, table
from xds_server.commands.command import JSON, Argument, Command, Environment
from xds_server.commands.with_token import REACHING, done

SERVER = Argument("server", "SERVER", "the name of the server")
ID = Argument("id", "ID", "of the caller, as `dragoman mcp connections` shows it")
_SHOWN_DIGITS = 12


def connections(arguments: argparse.Namespace, environment: Environment) -> int:
    """Print who has agreed to which server."""

    def shown(answer: Answer) -> Iterable[str]:
        found = rows(answer.get("connections"))
        if not found:
            return ["nobody has agreed to anything"]
        heads = ("SERVER", "WHO", "ID", "SINCE", "TOKEN UNTIL")
        return table(heads, [_row(each) for each in found])

    return done(arguments, environment, ("GET", "/api/mcp/connections", None), shown)


def disconnect(arguments: argparse.Namespace, environment: Environment) -> int:
    """End what a caller has agreed to."""
    body = {"server": arguments.server, "id": arguments.id}

    def shown(answer: Answer) -> Iterable[str]:
        yield f"disconnected: {answer['who']} from {answer['server']}"

    return done(arguments, environment, ("POST", "/api/mcp/disconnect", body), shown)


def _row(row: Answer) -> tuple[str, ...]:
    until = row["expires"]
    return (
        str(row["server"]),
        str(row["who"]),
        str(row["id"])[:_SHOWN_DIGITS],
        _time(row["since"]),
        _time(until) if until else "-",
    )


def _time(seconds: object) -> str:
    at = datetime.fromtimestamp(seconds if isinstance(seconds, int) else 0, UTC)
    return f"{at:%Y-%m-%d %H:%M:%S}Z"


COMMANDS = (
    Command(
        "mcp connections",
        "show who has agreed that MCP servers are used for them",
        connections,
        flags=REACHING,
        switches=(JSON,),
        details="See [The MCP gateway](../mcp.md#consent-of-each-user).",
    ),
    Command(
        "mcp disconnect",
        "end what a caller has agreed to, and revoke it where the server offers that",
        disconnect,
        arguments=(SERVER, ID),
        flags=REACHING,
        switches=(JSON,),
    ),
)
