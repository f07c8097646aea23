"""The control plane, wired: file watcher, publisher, ADS server and admin API in this process."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import certifi

from gateway.config.load import load_file
from gateway.config.schema import Config
from gateway.model import Endpoint, Gateway, Listener
from gateway.problem import Problem
from gateway.resolve import resolve
from gateway.telemetry import configure_logging, redact
from xds_server import flags
from xds_server.admin.api import View, admin_app
from xds_server.admin.ledger import LEDGER_FILE, read_counters
from xds_server.clients import Clients, ClientState
from xds_server.compile import compile_gateway
from xds_server.free_ports import Wanted, complaints
from xds_server.http_edge import listening_socket, serving
from xds_server.publisher import Publisher
from xds_server.release import Release
from xds_server.render import to_yaml
from xds_server.resources.topology import Topology
from xds_server.server import AdsServer
from xds_server.stopping import stop_event
from xds_server.watch import watch

POLL_SECONDS = 0.1
SYSTEM_CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")


@dataclass(frozen=True, slots=True)
class Options:
    """What a control plane needs to be told."""

    file: Path
    environment: Mapping[str, str]
    """For the file's variables."""
    target: str
    """Where ADS is served: `host:port` or `unix:/path`."""
    topology: Topology
    state_dir: Path
    port: int | None = None
    """Instead of what the file says, where it has one gateway."""


def meant(config: Config, port: int | None) -> Gateway:
    """What a file means to this control plane."""
    gateway = resolve(config)
    if port is None or len(gateway.listeners) != 1:
        return gateway
    return replace(gateway, listeners=(replace(gateway.listeners[0], port=port),))


@dataclass(frozen=True, slots=True)
class Plane:
    """A running control plane."""

    options: Options
    clients: Clients
    publisher: Publisher

    def listeners(self) -> tuple[Listener, ...]:
        """Where clients may connect under the configuration that is in force."""
        accepted = self.publisher.accepted
        return accepted.gateway.listeners if accepted else ()

    async def missing(self) -> tuple[str, ...]:
        return self.publisher.missing()

    def status(self) -> dict[str, object]:
        accepted = self.publisher.accepted
        return {
            "file": str(self.options.file),
            "version": accepted.version if accepted else None,
            "problems": [_problem_row(each) for each in self.publisher.problems],
            "clients": [_client_row(each) for each in self.clients.states()],
        }

    def compiled(self) -> str:
        accepted = self.publisher.accepted
        return to_yaml(accepted.snapshot) if accepted else ""

    def counters(self) -> Sequence[Mapping[str, object]]:
        return read_counters(self.options.state_dir / LEDGER_FILE)


def _problem_row(problem: Problem) -> dict[str, object]:
    return {
        "text": str(problem),
        "file": problem.file,
        "line": problem.line,
        "path": problem.path,
        "message": problem.message,
        "hint": problem.hint,
    }


def _client_row(client: ClientState) -> dict[str, object]:
    return {
        "kind": client.kind.value,
        "node": client.node.id,
        "user_agent": f"{client.node.user_agent} {client.node.version_text}".strip(),
        "is_current": client.is_current,
        "types": [
            {
                "type": each.type_url.rpartition(".")[2],
                "acked_version": each.acked_version,
                "is_current": each.is_current,
                "rejection": redact(each.rejection),
            }
            for each in client.types
        ],
    }


@contextlib.asynccontextmanager
async def planning(options: Options) -> AsyncIterator[Plane]:
    """Watch the file and serve ADS inside the block."""
    clients = Clients()
    publisher = Publisher(
        clients,
        options.file,
        options.environment,
        functools.partial(compile_gateway, topology=options.topology),
        expected_workers=len(options.topology.workers),
        meaning=functools.partial(meant, port=options.port),
    )
    server = AdsServer(clients)
    await server.start([options.target])
    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(watch(options.file, publisher.publish_file))
        try:
            yield Plane(options, clients, publisher)
        finally:
            watching.cancel()
            await server.stop()


@contextlib.asynccontextmanager
async def admin_serving(
    plane: Plane,
    where: Endpoint,
    missing: Callable[[], Awaitable[tuple[str, ...]]],
    more_status: Callable[[], Mapping[str, object]],
) -> AsyncIterator[None]:
    """The admin API inside the block; `missing` and `more_status` add what the plane cannot see."""
    view = View(
        missing=missing,
        status=lambda: {**plane.status(), **more_status()},
        compiled=plane.compiled,
        counters=plane.counters,
    )
    app = admin_app(view, frozenset({f"[{where.host}]" if ":" in where.host else where.host}))
    async with serving(app, listening_socket(where.host, where.port)):
        yield


def run_alone(options: Options, admin: Endpoint | None, log_level: str) -> int:
    """`dragoman xds`: until asked to stop; the exit status."""
    config = load_file(options.file, options.environment)
    if not isinstance(config, Config):
        print(*config, sep="\n", file=sys.stderr)
        return 1
    where = admin or resolve(config).admin
    wanted = [Wanted(where, "admin API", flags.remedy(flags.ADMIN))]
    if not options.target.startswith("unix:"):
        target = flags.address(options.target)
        wanted.append(Wanted(target, "control plane", flags.remedy(flags.XDS)))
    lines = complaints(wanted)
    if lines:
        print(*lines, sep="\n", file=sys.stderr)
        return 1
    configure_logging(log_level, process="xds")
    return asyncio.run(_until_stopped(options, where))


async def _until_stopped(options: Options, admin: Endpoint) -> int:
    with stop_event() as stop:
        async with planning(options) as plane, admin_serving(plane, admin, plane.missing, dict):
            print(f"control plane: {options.target}, admin: {admin.host}:{admin.port}", flush=True)
            await tell_changes(plane.publisher, functools.partial(print, flush=True), stop)
    return 0


async def tell_changes(
    publisher: Publisher, say: Callable[[str], object], stop: asyncio.Event
) -> None:
    """Until asked to stop, say what became of each change of the file, but for its first reading
    when all was well."""
    problems: tuple[Problem, ...] = ()
    accepted: Release | None = None
    is_start = True
    while not stop.is_set():
        if publisher.problems is not problems:
            problems = publisher.problems
            for problem in problems:
                say(f"not applied: {problem}")
                is_start = False
        if publisher.accepted is not accepted:
            accepted = publisher.accepted
            if accepted is not None and not is_start:
                say(f"applied: configuration {accepted.version}")
            is_start = False
        await rest(stop)


async def rest(stop: asyncio.Event) -> None:
    """A moment, unless asked to stop."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), POLL_SECONDS)


def topology(workers: tuple[str, ...]) -> Topology:
    """Of workers at these addresses, and the certificate authorities of this machine."""
    bundle = SYSTEM_CA_BUNDLE if SYSTEM_CA_BUNDLE.exists() else certifi.where()
    return Topology(workers=workers, ca_bundle=str(bundle))
