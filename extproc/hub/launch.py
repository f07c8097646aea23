"""Becomes a server that speaks on its standard streams, within limits, and dies with its parent.

`launch.py LIMITS PARENT COMMAND…`: a program of its own, because limits and the tie are made
between fork and exec, where a process with threads may run nothing else. `LIMITS` is JSON:
`{"memory": bytes, "files": number}`, each of them optional.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
from collections.abc import Mapping

PR_SET_PDEATHSIG = 1
RESOURCES = {
    # what it may write to: interpreters reserve much more address space than they use
    "memory": resource.RLIMIT_DATA,
    "files": resource.RLIMIT_NOFILE,
}
NOT_FOUND = 127
"""The exit status of a shell that does not find a command."""


def launching(limits: Mapping[str, int], parent: int, command: tuple[str, ...]) -> list[str]:
    """The command line that runs `command` so."""
    # -I and -S: nothing but the standard library is needed, and it starts in half the time
    ours = [sys.executable, "-I", "-S", __file__, json.dumps(dict(limits)), str(parent)]
    return [*ours, *command]


def main(arguments: list[str]) -> None:
    """Set the limits, tie this process to its parent, then become the command."""
    limits, parent, command = json.loads(arguments[0]), int(arguments[1]), arguments[2:]
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
        if os.getppid() != parent:
            sys.exit(1)  # it died before the tie was made
    for name, number in limits.items():
        resource.setrlimit(RESOURCES[name], (number, number))
    try:
        os.execvp(command[0], command)
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        sys.exit(NOT_FOUND)


if __name__ == "__main__":
    main(sys.argv[1:])
