"""`dragoman rollback`: an earlier configuration comes into force again, until the file changes."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator

from xds_server.commands.asking import ADMIN, Answer, Asking, Unanswered, rows
from xds_server.commands.command import JSON, Argument, Command, Environment, Switch, refuses

VERSION = Argument(
    "version", "VERSION", "which one, by version or number; see `dragoman history`", count="?"
)
RELEASE = Switch("--release", "go back to what the file says")


def run(arguments: argparse.Namespace, environment: Environment) -> int:
    """Ask for it and say what became of it; 1 when it is not in force."""
    if (arguments.version is None) is not arguments.release:
        refuses(["either a VERSION or --release"])
        return 1
    wanted = {"release": True} if arguments.release else {"version": arguments.version}
    try:
        status, answer = Asking(arguments.admin).post("/api/rollback", wanted)
    except Unanswered as error:
        refuses([str(error)])
        return 1
    if arguments.json:
        print(json.dumps(answer, indent=2))
    elif status in (200, 202):
        print(answer.get("text"))
    else:
        refuses(reasons(answer))
    return 0 if status == 200 else 1


def reasons(answer: Answer) -> Iterator[str]:
    """Why nothing has changed."""
    if "error" in answer:
        yield f"not rolled back: {answer['error']}"
    for problem in rows(answer.get("problems")):
        yield f"not rolled back: {problem.get('text')}"


COMMAND = Command(
    "rollback",
    "put an earlier configuration into force again, until the file changes",
    run,
    arguments=(VERSION,),
    flags=(ADMIN,),
    switches=(RELEASE, JSON),
    details=(
        "The remembered YAML is published as a change of the file would be: variables and the "
        "files that it names are read now, everything is checked, workers come before Envoys, and "
        "what is refused changes nothing. It stays in force, also over a restart, until the "
        "content of the file changes. The exit status is 0 when it is in force."
    ),
)
