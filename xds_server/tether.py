"""Becomes another command that dies when its parent does, however that dies.

`tether.py PARENT COMMAND…`: a program of its own, because the tie must be made between fork and
exec, where a process with threads may run nothing else. Linux only; elsewhere it is not tied.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def tied(parent: int, command: list[str]) -> list[str]:
    """The command line that runs `command`, tied to `parent`."""
    # -I and -S: nothing but the standard library is needed, and it starts in half the time
    return [sys.executable, "-I", "-S", __file__, str(parent), *command]


def main(arguments: list[str]) -> None:
    """Tie this process to its parent, then become the command."""
    parent, command = int(arguments[0]), arguments[1:]
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
        if os.getppid() != parent:
            sys.exit(1)  # it died before the tie was made
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
