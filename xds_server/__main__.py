"""`dragoman` and `python -m xds_server`."""

from __future__ import annotations

import os
import sys

from xds_server import cli


def main() -> None:
    """Run the command line and leave with its status."""
    sys.exit(cli.main(sys.argv[1:], os.environ))


if __name__ == "__main__":
    main()
