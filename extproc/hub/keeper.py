"""Kills the servers' process groups when the hub is gone, however it went.

`keeper.py`: a program of its own, which lives longer than the hub. Lines on standard input name
groups: `+123` is there, `-123` is not any more. At the end of input those that are left are killed:
what a server has started may not see that the hub died.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterable


def left(lines: Iterable[str]) -> set[int]:
    """The groups that were named, and not taken back."""
    groups: set[int] = set()
    for line in lines:
        if line[1:].strip().isdigit():
            change = groups.add if line[0] == "+" else groups.discard
            change(int(line[1:]))
    return groups


def main() -> None:
    """Wait for the end, then kill."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    for group in left(sys.stdin):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
