"""Asks the admin API for what only whoever has its token may."""

from __future__ import annotations

import argparse
import getpass
import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

from xds_server import flags
from xds_server.admin.asked import WHO_HEADER
from xds_server.admin.token import TOKEN_FILE
from xds_server.commands.asking import ADMIN, Answer, Asking, Unanswered
from xds_server.commands.command import Environment, refuses

Request: TypeAlias = tuple[str, str, Mapping[str, object] | None]
"""Method, path and body."""
TOKEN_VARIABLE = "DRAGOMAN_ADMIN_TOKEN"
"""Instead of the file in the state directory, which is on the gateway's machine."""
REACHING = (ADMIN, flags.STATE_DIR)
"""The token is in the state directory."""


def done(
    arguments: argparse.Namespace,
    environment: Environment,
    asked: Request,
    shown: Callable[[Answer], Iterable[str]],
) -> int:
    """Ask, and say what became of it; the exit status."""
    try:
        answer = ok(asking(arguments, environment).ask(*asked))
    except Unanswered as error:
        refuses([str(error)])
        return 1
    print(json.dumps(answer, indent=2) if arguments.json else "\n".join(shown(answer)))
    return 0


def ok(answered: tuple[int, Answer]) -> Answer:
    """What was answered; raises `Unanswered`, where it was refused."""
    status, answer = answered
    if status not in (200, 201):
        raise Unanswered(str(answer.get("error", f"the admin API answers {status}")))
    return answer


def asking(arguments: argparse.Namespace, environment: Environment) -> Asking:
    """Raises `Unanswered`, where there is no token."""
    token = environment.get(TOKEN_VARIABLE) or _token_in(arguments.state_dir)
    headers = {"authorization": f"Bearer {token}", WHO_HEADER: user()}
    return Asking(arguments.admin, headers)


def _token_in(state_dir: Path) -> str:
    file = state_dir / TOKEN_FILE
    try:
        return file.read_text("ascii").strip()
    except (OSError, ValueError) as error:
        raise Unanswered(
            f"the token of the admin API cannot be read from '{file}': {error}; "
            f"is --state-dir the gateway's? Else set {TOKEN_VARIABLE}"
        ) from error


def user() -> str:
    """Who runs this command, for logs."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # no such user in this container
        name = str(os.getuid())
    return name if name.isascii() and name.isprintable() else "?"
