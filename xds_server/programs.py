"""Commands that are programs of their own: the process becomes them before it reads what the others
need, which takes longer than they do."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NoReturn

OWN = MappingProxyType(
    {
        "extproc": ("extproc",),
        "hub": ("extproc.hub",),
        "test": ("extproc.trial", "test"),
        "cel": ("extproc.trial", "cel"),
    }
)
"""Command → module, and what it is told first. They read the words behind themselves."""


def become(module: str, arguments: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """This process goes on as `python -m MODULE`."""
    command = [sys.executable, "-P", "-m", module, *arguments]
    os.execve(sys.executable, command, dict(environment))


def become_own(argv: Sequence[str], environment: Mapping[str, str]) -> None:
    """Returns where the command is none of them."""
    own = OWN.get(argv[0]) if argv else None
    if own is not None:
        module, *first = own
        become(module, (*first, *argv[1:]), environment)
