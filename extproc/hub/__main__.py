"""`python -m extproc.hub`: the hub of the MCP gateway, wired together."""

from __future__ import annotations

import argparse
import asyncio
import functools
import logging
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import uvloop

from extproc import flags
from extproc.adapters.service_client import ServiceClient
from extproc.adapters.session_board import session_board
from extproc.adapters.shared_sessions import SharedSessionBoard, sessions_at
from extproc.hub import edge
from extproc.hub.asking import ask
from extproc.hub.bridging import Bridges
from extproc.hub.driver import WayOut
from extproc.hub.joined import JoinedStreams
from extproc.hub.keeping import Keeping
from extproc.hub.silent import Silent
from extproc.hub.site import HubSite, Parts
from extproc.hub.sse_clients import SseClients
from extproc.hub.ways import WaysByEnvoy
from extproc.source import ConfigurationRefused
from extproc.stopping import until_stopped
from gateway import names
from gateway.model import Gateway
from gateway.telemetry import configure_logging

logger = logging.getLogger(__name__)

BODY_BYTES = 64 << 20
"""The largest message of a client; Envoy has refused what is larger than its listener takes."""


def parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    """The flags; each has an environment variable as its default."""
    made = argparse.ArgumentParser(
        prog="dragoman hub",
        description="Run the hub of the MCP gateway: it starts the servers that are programs, and "
        "holds what lasts longer than a request.",
    )
    flags.add_source(made, environment)
    made.add_argument(
        "--listen",
        metavar="ADDRESS",
        type=flags.address,
        default=environment.get("DRAGOMAN_HUB_LISTEN", names.HUB_ADDRESS),
        help="where Envoy connects: HOST:PORT or unix:PATH (default: %(default)s) "
        "[DRAGOMAN_HUB_LISTEN]",
    )
    made.add_argument(
        "--services",
        metavar="ADDRESS",
        type=flags.address,
        default=environment.get("DRAGOMAN_SERVICES", names.SERVICES_ADDRESS),
        help="where Envoy takes what is asked of servers: HOST:PORT or unix:PATH "
        "(default: %(default)s) [DRAGOMAN_SERVICES]",
    )
    made.add_argument(
        "--state-dir",
        metavar="DIR",
        type=Path,
        default=Path(environment.get("DRAGOMAN_STATE_DIR", ".dragoman")),
        help="that of the workers, with whom it shares what is known of sessions "
        "(default: %(default)s) [DRAGOMAN_STATE_DIR]",
    )
    made.add_argument(
        "--node",
        metavar="NAME",
        default=environment.get("DRAGOMAN_HUB_NODE", f"{os.uname().nodename}-hub"),
        help="its name, its node id (default: host and hub) [DRAGOMAN_HUB_NODE]",
    )
    flags.add_log_level(made, environment)
    return made


def main() -> None:
    """Run the hub until it is told to stop."""
    known = parser(os.environ)
    arguments = known.parse_args()
    if mistake := flags.credentials(arguments).mistake():
        known.error(mistake)
    configure_logging(arguments.log_level, process="hub")
    try:
        uvloop.run(serve(arguments))
    except (ConfigurationRefused, OSError) as error:  # the operator's to mend
        logger.critical("%s", error)
        sys.exit(1)


async def serve(arguments: argparse.Namespace) -> None:
    """Serve until SIGTERM or SIGINT."""
    listener = edge.listening(arguments.listen)
    keeping = Keeping()
    arguments.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    silent = Silent()
    way = WayOut(arguments.services)
    bridges = Bridges(way, silent=silent)
    board = SharedSessionBoard(session_board(arguments.state_dir), time.time)
    joined = JoinedStreams(way, board, time.time, bridges.heard, silent)
    client = ServiceClient(arguments.services)
    ways = functools.partial(WaysByEnvoy, way, client)
    clients = SseClients(functools.partial(ask, way))
    parts = Parts(joined, bridges, clients)
    site = HubSite(keeping, time.monotonic, ways, parts)
    source = flags.source(arguments, arguments.node, names.HUB_AGENT, _whole)

    def take(found: Gateway) -> None:
        board.follow(sessions_at(found))
        site.take(found.mcp, found.rules)

    try:
        async with edge.serving(site, BODY_BYTES, listener):
            running = [
                asyncio.ensure_future(each)
                for each in (site.run(), joined.look(), joined.keep_alive())
            ]
            try:
                await until_stopped(source.run, take)
            finally:
                for each in running:
                    each.cancel()
                await site.close()
    finally:
        client.close()
        way.close()
        await board.close()
        await keeping.stop()


def _whole(gateway: Gateway, version: str) -> Gateway:
    """Nothing is compiled for the hub."""
    return gateway


if __name__ == "__main__":
    main()
