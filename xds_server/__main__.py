"""`dragoman` and `python -m xds_server`."""

from __future__ import annotations

import os
import signal
import sys

from xds_server import programs


def main() -> None:
    """Run the command line and leave with its status."""
    programs.become_own(sys.argv[1:], os.environ)
    from xds_server import cli  # noqa: PLC0415  # it reads all commands

    try:
        status = cli.main(sys.argv[1:], os.environ)
        sys.stdout.flush()
    except BrokenPipeError:  # who read has seen enough: `dragoman diff … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at the end
        status = 128 + signal.SIGPIPE
    sys.exit(status)


if __name__ == "__main__":
    main()
