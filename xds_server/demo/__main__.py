"""`python -m xds_server.demo HOST PORT`: the demo's providers as a program of their own, which
starts at once, since it reads nothing but itself."""

from __future__ import annotations

import asyncio
import sys

from gateway.model import Endpoint
from xds_server.demo.app import serve_demo


def main(host: str, port: str) -> None:
    """Serve until a signal."""
    asyncio.run(serve_demo(Endpoint(host, int(port))))


if __name__ == "__main__":
    main(*sys.argv[1:])
