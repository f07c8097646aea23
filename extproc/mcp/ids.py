"""Ids that name their server: what a federation tells its client instead of servers' own.

Requests of servers, and their progress tokens: `github/i:5` for the number 5, `github/s:abc` for a
text, `github/n:1.5` for another number. Events and tasks: `github/ID`. A server's name has no
slash, so the first one ends it, and nothing that another server says can begin with it.
"""

from __future__ import annotations

import math
import re
from typing import Final

from extproc.mcp.messages import Id

_SLASH: Final = "/"
_SERVER: Final = re.compile(r"[A-Za-z][A-Za-z0-9.-]*", re.ASCII)
_INTEGER: Final = re.compile(r"0|-?[1-9][0-9]*", re.ASCII)
_MOST_DIGITS: Final = 4300
"""Of an integer: what is read of JSON, too."""


def outward(server: str, identity: Id) -> str:
    """The id, or progress token, that the client is told."""
    if type(identity) is str:
        return f"{server}/s:{identity}"
    return f"{server}/{'i' if type(identity) is int else 'n'}:{identity!r}"


def inward(text: object) -> tuple[str, Id] | None:
    """The server and its own id; None: it is none of ours."""
    if type(text) is not str:
        return None
    server, slash, rest = text.partition(_SLASH)
    if not slash or rest[1:2] != ":" or not _SERVER.fullmatch(server):
        return None
    kind, said = rest[0], rest[2:]
    if kind == "s":
        return server, said
    if kind == "i":
        is_number = _INTEGER.fullmatch(said) and len(said) <= _MOST_DIGITS
        return (server, int(said)) if is_number else None
    if kind == "n":
        number = _number(said)
        return None if number is None else (server, number)
    return None


def outward_name(server: str, own: str) -> str:
    """The id of an event or a task that the client is told; an empty one stays so."""
    return f"{server}/{own}" if own else own


def inward_name(text: str) -> tuple[str, str] | None:
    """The server, and its own id of an event or a task; None: it is none of ours."""
    server, slash, own = text.partition(_SLASH)
    if not slash or not own or not _SERVER.fullmatch(server):
        return None
    return server, own


def _number(said: str) -> float | None:
    """A number that is no integer, as `outward` writes it."""
    try:
        number = float(said)
    except ValueError:
        return None
    return number if math.isfinite(number) and repr(number) == said else None
