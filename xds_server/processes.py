"""The processes of `dragoman run`: their command lines, and which of their lines are shown."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.model import Endpoint
from xds_server.child import Command

SOCKET_LIMIT_BYTES = 100
"""A Unix socket's path must stay under 108; a little is left for suffixes."""

_PASSED_ON = frozenset(("PATH", "HOME", "LANG", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "VIRTUAL_ENV"))
_PASSED_ON_PREFIXES = ("LC_", "PYTHON", "MALLOC_", "SSL_CERT_", "DRAGOMAN_")

_EXPECTED_LINES = re.compile(
    # experimental, and said at every start: we rely on it and pin the binary
    r"in proto file 'envoy/extensions/filters/http/ai_protocol_manager/.*work-in-progress"
    # what stopping it ourselves makes it say
    r"|caught ENVOY_SIGTERM"
    r"|gRPC config stream to dragoman_xds closed"
)


@dataclass(frozen=True, slots=True)
class Places:
    """Files and sockets of one running tree."""

    directory: Path

    @property
    def xds_socket(self) -> str:
        return f"unix:{self.directory / 'xds.sock'}"

    @property
    def services_socket(self) -> str:
        """Where Envoy takes what workers ask of services."""
        return f"unix:{self.directory / 'services.sock'}"

    @property
    def bootstrap(self) -> Path:
        return self.directory / "envoy.json"

    @property
    def envoy_admin(self) -> Path:
        """Envoy's admin interface, unless it is asked for elsewhere."""
        return self.directory / "envoy-admin.sock"

    @property
    def hub_socket(self) -> str:
        """Where Envoy reaches the hub of the MCP gateway."""
        return f"unix:{self.directory / 'hub.sock'}"

    def worker_socket(self, number: int) -> str:
        return f"unix:{self.directory / f'extproc.{number}.sock'}"


def child_environment(environment: Mapping[str, str]) -> Mapping[str, str]:
    """What children need of ours: not the file's variables, which hold the keys of providers."""
    return {
        name: value
        for name, value in environment.items()
        if name in _PASSED_ON or name.startswith(_PASSED_ON_PREFIXES)
    }


def worker(
    number: int,
    places: Places,
    xds: str,
    state_dir: Path,
    log_level: str,
    environment: Mapping[str, str],
) -> Command:
    """One worker of the request path."""
    arguments = (
        *_python("extproc"),
        *("--xds", xds),
        *("--listen", places.worker_socket(number)),
        *("--services", places.services_socket),
        *("--state-dir", str(state_dir)),
        *("--worker", str(number)),
        *("--log-level", log_level),
    )
    return Command(f"extproc.{number}", arguments, child_environment(environment))


def hub(
    places: Places, xds: str, state_dir: Path, log_level: str, environment: Mapping[str, str]
) -> Command:
    """The hub of the MCP gateway."""
    arguments = (
        *_python("extproc.hub"),
        *("--xds", xds),
        *("--listen", places.hub_socket),
        *("--services", places.services_socket),
        *("--state-dir", str(state_dir)),
        *("--node", "hub"),
        *("--log-level", log_level),
    )
    return Command("hub", arguments, child_environment(environment))


def demo(where: Endpoint, environment: Mapping[str, str]) -> Command:
    """The demo's providers."""
    arguments = (*_python("xds_server.demo"), where.host, str(where.port))
    return Command("demo", arguments, child_environment(environment))


def envoy(
    binary: str,
    places: Places,
    concurrency: int,
    drain_seconds: int,
    environment: Mapping[str, str],
) -> Command:
    """Envoy, with all that changes coming from the control plane."""
    arguments = (
        binary,
        *("--config-path", str(places.bootstrap)),
        *("--concurrency", str(concurrency)),
        *("--drain-time-s", str(drain_seconds)),
        *("--drain-strategy", "immediate"),  # the next answer on a connection is its last
        *("--log-level", "warning"),
        *("--log-format", "[%l][%n] %v"),
        "--disable-hot-restart",
    )
    return Command("envoy", arguments, child_environment(environment), is_worth_showing)


def is_worth_showing(line: str) -> bool:
    """Whether a line of Envoy's log tells anything new."""
    return _EXPECTED_LINES.search(line) is None


def _python(module: str) -> tuple[str, ...]:
    # -P: the folder that we were started in must not be searched for modules
    return (sys.executable, "-P", "-m", module)
