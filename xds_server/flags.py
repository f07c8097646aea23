"""Every flag of the command line, the environment variable beside it, and what its text may be."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.model import Endpoint
from gateway.names import HUB_ADDRESS, SERVICES_ADDRESS
from gateway.telemetry import LEVELS


class InvalidVariable(ValueError):
    """An environment variable has a value that its flag would not take."""


@dataclass(frozen=True, slots=True)
class Flag:
    """One option: from the command line, else from the environment, else the default."""

    name: str
    """As it is typed: `--state-dir`."""
    variable: str
    """Empty: it is of one command's one use, and typed."""
    kind: Callable[[str], object]
    metavar: str
    meaning: str
    default: str | None = None
    """As text; None: see `meaning`."""

    @property
    def key(self) -> str:
        """Its name among what was parsed."""
        return self.name.lstrip("-").replace("-", "_")

    def add(self, parser: argparse.ArgumentParser) -> None:
        """Offer it; None: it was not typed."""
        parser.add_argument(
            self.name,
            type=self.kind,
            metavar=self.metavar,
            help=f"{self.meaning} [{self.variable}]" if self.variable else self.meaning,
        )

    def value(self, typed: object, environment: Mapping[str, str]) -> object:
        """What counts; an empty variable is as good as none. Raises `InvalidVariable`."""
        if typed is not None:
            return typed
        text = environment.get(self.variable) if self.variable else None
        if not text:
            return None if self.default is None else self.kind(self.default)
        try:
            return self.kind(text)
        except (ValueError, argparse.ArgumentTypeError) as error:
            raise InvalidVariable(f"{self.variable}: {error}") from error


def remedy(flag: Flag) -> str:
    """How to choose another value, for messages."""
    return f"{flag.name} or {flag.variable}"


def port(text: str) -> int:
    """A TCP port."""
    number = _whole(text)
    if not 1 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"not a port: {text}")
    return number


def count(text: str) -> int:
    """How many of something that there must be."""
    number = _whole(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1: {text}")
    return number


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"not a whole number: {text}")
    return int(text)


def address(text: str) -> Endpoint:
    """`HOST:PORT`; a port alone is this machine's."""
    host, _, number = text.rpartition(":")
    return Endpoint(host.strip("[]") or "127.0.0.1", port(number))


def target(text: str) -> str:
    """Where a gRPC server listens: `HOST:PORT` or `unix:PATH`."""
    if text.startswith("unix:"):
        if text == "unix:":
            raise argparse.ArgumentTypeError("a path must follow unix:")
        return text
    where = address(text)
    host = f"[{where.host}]" if ":" in where.host else where.host
    return f"{host}:{where.port}"


def targets(text: str) -> tuple[str, ...]:
    """Several of them, with commas between; `none` is none."""
    if text == "none":
        return ()
    return tuple(target(part.strip()) for part in text.split(","))


def metadata(text: str) -> dict[str, Any]:
    """`labels.zone=eu-1,app=web`: a node's metadata, by dotted keys."""
    nested: dict[str, Any] = {}
    for part in text.split(","):
        key, equals, value = part.strip().partition("=")
        *blocks, last = key.split(".")
        if not equals or "" in (*blocks, last):
            raise argparse.ArgumentTypeError(f"not KEY=VALUE: {part.strip()}")
        block = nested
        for name in blocks:
            block = block.setdefault(name, {})
            if not isinstance(block, dict):
                raise argparse.ArgumentTypeError(f"{name} is a text and has keys: {text}")
        if last in block:
            raise argparse.ArgumentTypeError(f"{key} is said twice: {text}")
        block[last] = value
    return nested


def seconds(text: str) -> float:
    """A time in seconds, more than none."""
    try:
        number = float(text.removesuffix("s"))
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"not a number of seconds: {text}")
    return number


def version(text: str) -> tuple[int, int, int]:
    """`1.40.0`, or `1.40`."""
    parts = [_whole(part) for part in text.split(".")]
    if len(parts) == 2:
        parts.append(0)
    if len(parts) != 3:
        raise argparse.ArgumentTypeError(f"not a version such as 1.40.0: {text}")
    return parts[0], parts[1], parts[2]


def variant(text: str) -> str:
    """A way to speak xDS."""
    if text not in ("delta", "sotw"):
        raise argparse.ArgumentTypeError(f"not one of delta, sotw: {text}")
    return text


def log_level(text: str) -> str:
    """A level by its name."""
    if text not in LEVELS:
        raise argparse.ArgumentTypeError(f"not one of {', '.join(LEVELS)}: {text}")
    return text


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


PORT = Flag(
    "--port",
    "DRAGOMAN_PORT",
    port,
    "PORT",
    "what ${DRAGOMAN_PORT} stands for in the file; with the flag, the port of the only gateway "
    "also where the file does not use it (default: what the file says)",
)
ADMIN = Flag(
    "--admin",
    "DRAGOMAN_ADMIN_PORT",
    address,
    "[HOST:]PORT",
    "where the admin API listens (default: the file's admin.address, 127.0.0.1:15000)",
)
ENVOY_ADMIN = Flag(
    "--envoy-admin",
    "DRAGOMAN_ENVOY_ADMIN_PORT",
    address,
    "[HOST:]PORT",
    "where Envoy's own admin interface listens; any page in a browser on this machine can then "
    "use it, also to stop Envoy (default: a private Unix socket)",
)
DEMO_PORT = Flag(
    "--demo-port",
    "DRAGOMAN_DEMO_PORT",
    port,
    "PORT",
    "where the demo providers listen (default: 18080)",
    "18080",
)
DEMO_ADDRESS = Flag(
    "--demo-address",
    "DRAGOMAN_DEMO_ADDRESS",
    str,
    "IP",
    "the address that the demo providers listen on (default: 127.0.0.1)",
    "127.0.0.1",
)
XDS = Flag(
    "--xds",
    "DRAGOMAN_XDS",
    target,
    "TARGET",
    "where the control plane listens for Envoy and extproc: HOST:PORT or unix:PATH (default: "
    "127.0.0.1:18000 for `xds`, a private Unix socket for `run`)",
)
EXTPROC = Flag(
    "--extproc",
    "DRAGOMAN_EXTPROC",
    targets,
    "TARGET,…",
    "where Envoy finds the extproc workers: HOST:PORT or unix:PATH; `none` when there are none, "
    "and nothing waits for one (default: 127.0.0.1:18001)",
    "127.0.0.1:18001",
)
SERVICES = Flag(
    "--services",
    "DRAGOMAN_SERVICES",
    target,
    "TARGET",
    "where Envoy listens for what extproc asks of services, such as guards': HOST:PORT or "
    f"unix:PATH; whoever reaches it can ask them (default: {SERVICES_ADDRESS})",
    SERVICES_ADDRESS,
)
HUB = Flag(
    "--hub",
    "DRAGOMAN_HUB",
    target,
    "TARGET",
    f"where the hub of the MCP gateway is: HOST:PORT or unix:PATH (default: {HUB_ADDRESS})",
    HUB_ADDRESS,
)
WORKERS = Flag(
    "--workers", "DRAGOMAN_WORKERS", count, "N", "extproc workers (default: one for each core)"
)
CONCURRENCY = Flag(
    "--concurrency", "DRAGOMAN_CONCURRENCY", count, "N", "Envoy's threads (default: the cores)"
)
STATE_DIR = Flag(
    "--state-dir",
    "DRAGOMAN_STATE_DIR",
    Path,
    "DIR",
    "where budgets, virtual keys and the history of configurations are kept (default: .dragoman)",
    ".dragoman",
)
DRAIN_SECONDS = Flag(
    "--drain-seconds",
    "DRAGOMAN_DRAIN_SECONDS",
    count,
    "N",
    "how long streams may go on when their listener changes (default: 3600)",
    "3600",
)
LOG_LEVEL = Flag(
    "--log-level",
    "DRAGOMAN_LOG_LEVEL",
    log_level,
    "LEVEL",
    f"how much is logged: {', '.join(LEVELS)} (default: warning)",
    "warning",
)
SERVER = Flag(
    "--server",
    "DRAGOMAN_XDS",
    target,
    "TARGET",
    "the management server to ask: HOST:PORT or unix:PATH (default: 127.0.0.1:18000)",
    "127.0.0.1:18000",
)
VARIANT = Flag(
    "--variant",
    "DRAGOMAN_VARIANT",
    variant,
    "VARIANT",
    "how to speak xDS: delta or sotw (default: delta)",
    "delta",
)
NODE_ID = Flag(
    "--node-id",
    "DRAGOMAN_NODE_ID",
    str,
    "ID",
    "what the asking node calls itself (default: dragoman-cli)",
    "dragoman-cli",
)
NODE_CLUSTER = Flag(
    "--node-cluster", "DRAGOMAN_NODE_CLUSTER", str, "NAME", "the cluster it says it is of"
)
NODE_METADATA = Flag(
    "--node-metadata",
    "DRAGOMAN_NODE_METADATA",
    metadata,
    "KEY=VALUE,…",
    "the metadata it says of itself, by dotted keys: labels.zone=eu-1,app=web",
)
USER_AGENT = Flag(
    "--user-agent",
    "DRAGOMAN_USER_AGENT",
    str,
    "NAME",
    "what program it says it is, as `user_agent` of a node group has it: envoy, gRPC-Python "
    "(default: dragoman-cli)",
    "dragoman-cli",
)
ENVOY_VERSION = Flag(
    "--envoy-version",
    "DRAGOMAN_ENVOY_VERSION",
    version,
    "VERSION",
    "the version of Envoy that it asks for, as 1.37.0 (default: 1.40.0)",
    "1.40.0",
)
TIMEOUT = Flag(
    "--timeout",
    "DRAGOMAN_TIMEOUT",
    seconds,
    "SECONDS",
    "how long to wait for an answer (default: 5)",
    "5",
)
XDS_CA = Flag(
    "--xds-ca",
    "DRAGOMAN_XDS_CA",
    Path,
    "FILE",
    "PEM: who may have signed the server's certificate; without it, no TLS",
)
XDS_CERT = Flag("--xds-cert", "DRAGOMAN_XDS_CERT", Path, "FILE", "PEM: our certificate")
XDS_KEY = Flag("--xds-key", "DRAGOMAN_XDS_KEY", Path, "FILE", "PEM: its key")
XDS_TOKEN = Flag(
    "--xds-token", "DRAGOMAN_XDS_TOKEN", Path, "FILE", "the file that holds our bearer token"
)
XDS_SERVER_NAME = Flag(
    "--xds-server-name",
    "DRAGOMAN_XDS_SERVER_NAME",
    str,
    "NAME",
    "the name in the server's certificate, when it is not the host's",
)
OUTPUT = Flag(
    "--output",
    "DRAGOMAN_OUTPUT",
    Path,
    "PATH",
    "the file to write instead of standard output; readable by you alone, since keys may be in it",
)
