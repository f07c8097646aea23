"""What every command of the command line is made of."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from xds_server.flags import Flag

Environment: TypeAlias = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Argument:
    """A positional argument."""

    key: str
    """The attribute that `run` reads."""
    metavar: str
    meaning: str
    count: str | None = None
    """None: one. `?`: one or none. `+`: one or more. `*`: any number."""
    choices: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Switch:
    """An option without a value."""

    name: str
    """As typed: `--json`; the attribute is `json`."""
    meaning: str


@dataclass(frozen=True, slots=True)
class Command:
    """One command."""

    name: str
    """Of one word or two: `xds get`."""
    summary: str
    """Lower case, one sentence, without a full stop."""
    run: Callable[[argparse.Namespace, Environment], int]
    """Gives the exit status. Attributes: arguments, switches and flags by their keys."""
    arguments: tuple[Argument, ...] = ()
    flags: tuple[Flag, ...] = ()
    switches: tuple[Switch, ...] = ()
    details: str = ""
    """Markdown for `docs/reference/cli.md` after the summary: output, exit status, an example."""


JSON = Switch("--json", "print JSON")


def refuses(lines: Iterable[str]) -> bool:
    """Whether there is something to complain of; says it on stderr."""
    said = list(lines)
    for line in said:
        print(line, file=sys.stderr)
    return bool(said)
