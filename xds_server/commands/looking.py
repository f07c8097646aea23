"""A configuration for commands that look at it and change nothing: loaded, checked, compiled."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from gateway.config.schema import Config
from gateway.config.sources import load_sources
from gateway.model import Gateway
from xds_server import flags
from xds_server.audience import Level
from xds_server.commands.command import Environment
from xds_server.commands.import_ import Telling, say_on_stderr
from xds_server.compile import BrokenSnapshot, compile_gateway
from xds_server.control_plane import meant
from xds_server.documents import RemoteDocuments
from xds_server.resources.raw import raw_problems
from xds_server.resources.topology import Topology
from xds_server.snapshot import DuplicateResource, Snapshot

ENVOY = flags.Flag(
    "--envoy",
    "DRAGOMAN_ENVOY_LEVEL",
    Level,
    "VERSION",
    f"the Envoy that is looked at: {', '.join(Level)} (default: {Level.V1_40})",
    Level.V1_40,
)


class Unusable(Exception):
    """What was asked about cannot be looked at."""

    def __init__(self, *lines: str) -> None:
        super().__init__("; ".join(lines))
        self.lines = lines


@dataclass(frozen=True, slots=True)
class Subject:
    """What a file says and means."""

    config: Config
    gateway: Gateway


def subject(path: Path, arguments: argparse.Namespace, environment: Environment) -> Subject:
    """What stands in a file or folder, also in another gateway's, which is converted, saying so on
    stderr; raises `Unusable` with every Problem.
    """
    port: int | None = arguments.port if flags.PORT.key in arguments.typed else None
    if port is not None:  # flags stand above variables
        environment = {**environment, flags.PORT.variable: str(port)}
    loaded = load_sources(
        path, environment, convert=Telling(say_on_stderr), documents=RemoteDocuments()
    )
    if loaded.config is None:
        raise Unusable(*map(str, loaded.problems))
    if problems := raw_problems(loaded.config):
        raise Unusable(*map(str, problems))
    return Subject(loaded.config, meant(loaded.config, port))


def compiled(gateway: Gateway, topology: Topology, level: Level = Level.V1_40) -> Snapshot:
    """What Envoy is told; raises `Unusable` where operators' own resources do not fit in."""
    try:
        return compile_gateway(gateway, topology, level)
    except (DuplicateResource, BrokenSnapshot) as fault:
        raise Unusable(f"cannot be compiled: {fault}") from fault
