"""The control plane, wired: file watcher, publisher, ADS server and admin API in this process."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import gc
import logging
import secrets
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import certifi
import yaml

from gateway.config.check import warnings
from gateway.config.published import published
from gateway.config.schema import Config
from gateway.config.sources import Convert
from gateway.config.xds_rules import exposure
from gateway.ledger_place import LedgerPlace
from gateway.model import AlertsTo, Endpoint, Gateway, Listener, Xds
from gateway.names import HUB_ADDRESS, SERVICES_ADDRESS, VERDICTS_FOLDER
from gateway.problem import Problem
from gateway.resolve import Resolver, resolve
from gateway.telemetry import configure_logging
from xds_server import flags
from xds_server.admin.api import Answer, Json, View, admin_app
from xds_server.admin.budgets import budget_routes
from xds_server.admin.keys import key_routes
from xds_server.admin.mcp import mcp_routes
from xds_server.admin.overview import Overview, problem_row
from xds_server.admin.token import SEED_FILE, read_or_make
from xds_server.admin.verdicts import Verdicts, audit_rows, read_verdicts
from xds_server.audience import Level
from xds_server.budgets import desk as budgets
from xds_server.budgets.alerting import Alerting, budget_figures
from xds_server.budgets.audited import AuditedBudgetStore
from xds_server.budgets.store import BudgetStore
from xds_server.budgets.stores import LEDGER_FILE, store_at
from xds_server.clients import Clients
from xds_server.compile import Compiler
from xds_server.deeds import AuditedKeyStore, Deeds
from xds_server.difference import state_json
from xds_server.documents import RemoteDocuments
from xds_server.free_ports import Wanted, complaints
from xds_server.history import History, Origin
from xds_server.http_edge import listening_socket, serving
from xds_server.keys.desk import Desk
from xds_server.keys.stores import StoreInForce
from xds_server.metrics import exposition
from xds_server.publisher import Make, Outcome, Publisher, Written, first_config, release_of
from xds_server.redaction import redacted_document
from xds_server.refusals import Refusals
from xds_server.release import Release
from xds_server.render import to_yaml
from xds_server.resources.topology import Topology
from xds_server.rollout import Rollout
from xds_server.server.ads import AdsServer
from xds_server.server.tls import NO_SECURITY, Security, UnusableTls, check, security_of
from xds_server.snapshot import Snapshot, snapshot_of
from xds_server.stopping import stop_event
from xds_server.tokens.fetch import Fetcher
from xds_server.tokens.minter import Minter
from xds_server.watch import watch

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.1
ROLLBACK_SECONDS = 40.0
"""How long whoever asks for a rollback waits: workers and Envoys are given less."""
GARBAGE_THRESHOLDS = (20_000, 20, 20)
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
    private_target: str | None = None
    """A socket of our own beside it, for those who are on our side."""
    port: int | None = None
    """Instead of what the file says, where it has one gateway."""
    convert: Convert | None = None
    """Makes ours of other gateways' files."""
    documents: RemoteDocuments = field(default_factory=RemoteDocuments, repr=False, compare=False)
    """Fetches what the file names by URLs."""
    security: Security = NO_SECURITY
    """What is shown and asked for before the configuration is read again."""
    compiler: Compiler = field(default_factory=Compiler, repr=False, compare=False)
    """Keeps what it made from one change of the configuration to the next."""
    resolver: Resolver = field(default_factory=Resolver, repr=False, compare=False)
    """So does this."""

    @property
    def written(self) -> Written:
        return Written(self.file, self.environment, self.convert, self.documents)

    def compile(self, gateway: Gateway, *, level: Level) -> Snapshot:
        return self.compiler.compile(gateway, self.topology, level)


@dataclass(frozen=True, slots=True)
class Process:
    """A child process, for people."""

    name: str
    pid: int | None
    restarts: int


def meant(config: Config, port: int | None, resolver: Resolver | None = None) -> Gateway:
    """What a file means to this control plane."""
    gateway = (resolver or Resolver()).resolve(config)
    if port is None or len(gateway.listeners) != 1:
        return gateway
    return replace(gateway, listeners=(replace(gateway.listeners[0], port=port),))


@dataclass(frozen=True, slots=True)
class Plane:
    """A running control plane."""

    options: Options
    publisher: Publisher
    overview: Overview
    rollbacks: set[asyncio.Future[Outcome]]
    """Under way, be it that whoever asked for them has gone."""
    minter: Minter
    deeds: Deeds
    alerting: Alerting

    def listeners(self) -> tuple[Listener, ...]:
        """Where clients may connect under the configuration that is in force."""
        in_force = self.publisher.in_force
        return in_force.gateway.listeners if in_force else ()

    async def missing(self) -> tuple[str, ...]:
        return self.publisher.missing()

    def compiled(self) -> str:
        in_force = self.publisher.in_force
        return to_yaml(in_force.snapshot) if in_force else ""

    def resources(self) -> Json:
        """What is in force, for programs: without secrets, and without the digests of keys."""
        in_force = self.publisher.in_force
        if in_force is None:
            return state_json("", "", "{}", snapshot_of(()))
        document = redacted_document(yaml.load(published(in_force.config), yaml.CSafeLoader))
        told = yaml.dump(document, Dumper=yaml.CSafeDumper)
        return state_json(in_force.version, in_force.workers_version, told, in_force.snapshot)

    def verdicts(self) -> Verdicts:
        """What policies said in all workers."""
        return read_verdicts(self.options.state_dir / VERDICTS_FOLDER)

    def desk(self) -> Desk:
        """Where virtual keys are made."""
        store = AuditedKeyStore(keys_in_force(self.options, self.publisher), self.deeds)
        return Desk(store, time.time, secrets.token_bytes, self._names_of_keys)

    def _names_of_keys(self) -> frozenset[str]:
        in_force = self.publisher.in_force
        keys = in_force.gateway.identity.api_keys if in_force else ()
        return frozenset(key.name for key in keys)

    async def roll_back(self, version: str | None, seconds: float = ROLLBACK_SECONDS) -> Answer:
        """To a remembered configuration, or to the file; goes on when it takes longer."""
        entry = None if version is None else self.overview.history.find(version)
        if version is not None and entry is None:
            return Answer(404, {"error": f"no configuration {version!r} in the history"})
        going_back = asyncio.ensure_future(self.publisher.roll_back(entry))
        self.rollbacks.add(going_back)
        going_back.add_done_callback(self.rollbacks.discard)
        done, _ = await asyncio.wait({going_back}, timeout=seconds)
        if not done:
            return Answer(202, {"text": "under way: not every client has answered yet"})
        return self._became(going_back.result())

    def _became(self, outcome: Outcome) -> Answer:
        if outcome.problems:
            return Answer(409, {"problems": [problem_row(each) for each in outcome.problems]})
        if not outcome.is_in_force:
            return Answer(409, {"error": "a later change took its place"})
        in_force, pin = self.publisher.in_force, self.overview.history.pin
        version = in_force.version if in_force else None
        text = self.overview.pin_text(pin) if pin else f"{self.options.file} is in force: {version}"
        return Answer(200, {"version": version, "is_pinned": pin is not None, "text": text})


def budget_desk(options: Options, publisher: Publisher, deeds: Deeds) -> budgets.Desk:
    """Where budgets are looked up and changed."""
    file = options.state_dir / LEDGER_FILE

    def gateway() -> Gateway | None:
        in_force = publisher.in_force
        return in_force.gateway if in_force else None

    def store() -> BudgetStore:
        found = gateway()
        return AuditedBudgetStore(store_at(file, found.ledger if found else LedgerPlace()), deeds)

    keys = keys_in_force(options, publisher)
    return budgets.Desk(store, gateway, keys, time.time, secrets.token_bytes)


def keys_in_force(options: Options, publisher: Publisher) -> StoreInForce:
    """The virtual keys of the ledger in force."""

    def place() -> LedgerPlace:
        in_force = publisher.in_force
        return in_force.gateway.ledger if in_force else LedgerPlace()

    return StoreInForce(options.state_dir / LEDGER_FILE, place)


def alerts_to(publisher: Publisher) -> AlertsTo | None:
    """Who is told what is spent, by what is in force."""
    in_force = publisher.in_force
    return in_force.gateway.alerts_to if in_force else None


@contextlib.asynccontextmanager
async def planning(options: Options) -> AsyncIterator[Plane]:
    """Watch the files and serve ADS inside the block."""
    seed = _login_seed(options.state_dir)
    options = replace(options, topology=replace(options.topology, seed=seed))
    history = History(options.state_dir, utc_now)
    for trouble in history.trouble:
        logger.warning("history: %s", trouble)
    refusals = Refusals(utc_now)
    clients = Clients(note_refusal=refusals.note)
    minter = Minter(Fetcher(options.environment), clients.renew)
    make = functools.partial(
        release_of,
        meaning=functools.partial(meant, port=options.port, resolver=options.resolver),
        compile_snapshot=options.compile,
        clients=clients,
    )
    rollout = Rollout(clients, expected_workers=len(options.topology.workers))
    server = AdsServer(clients, options.security)
    secure = functools.partial(secured, server, str(options.file))
    made, deeds = Minted(make, minter, rollout), Deeds(options.state_dir)
    publisher = Publisher(rollout, options.written, made, history, secure, deeds)
    overview = Overview(options.file, clients, publisher, history, refusals, server.traffic)
    told = functools.partial(alerts_to, publisher)
    alerting = Alerting(budget_desk(options, publisher, deeds), told, time.time)
    await server.start([each for each in (options.private_target, options.target) if each])
    async with asyncio.TaskGroup() as tasks:
        running = [
            tasks.create_task(minter.run()),
            tasks.create_task(watch(publisher.watched, publisher.publish_file)),
            tasks.create_task(alerting.run()),
            tasks.create_task(options.documents.keep(publisher.wanted_documents)),
        ]
        plane = Plane(options, publisher, overview, set(), minter, deeds, alerting)
        try:
            yield plane
        finally:
            for task in running:
                task.cancel()
            for going_back in plane.rollbacks:
                going_back.cancel()
            await server.stop()
            await asyncio.to_thread(deeds.close)


class Minted:
    """Makes releases whose providers have their tokens, where somebody gives them in time."""

    def __init__(self, make: Make, minter: Minter, rollout: Rollout) -> None:
        self._make = make
        self._minter = minter
        self._rollout = rollout
        self._loop = asyncio.get_running_loop()

    def __call__(self, config: Config, *, closed: Set[str] = frozenset()) -> Release:
        """In a thread, which waits for the loop."""
        release = self._make(config, closed=closed)
        if not self._minter.concerns(release.gateway):
            return release
        in_use = [
            each.gateway
            for each in (self._rollout.accepted, self._rollout.wanted)
            if each is not None
        ]
        waiting = self._minter.prepare(release.gateway, in_use)
        asyncio.run_coroutine_threadsafe(waiting, self._loop).result()
        return release


async def secured(server: AdsServer, file: str, xds: Xds) -> tuple[Problem, ...]:
    """Let the server's ports be as this says; what is wrong with it."""
    try:
        await server.secure(security_of(xds))
    except UnusableTls as error:
        return (Problem("xds", str(error), file=file),)
    return ()


@contextlib.asynccontextmanager
async def admin_serving(
    plane: Plane,
    where: Endpoint,
    missing: Callable[[], Awaitable[tuple[str, ...]]],
    processes: Callable[[], Sequence[Process]] = tuple,
) -> AsyncIterator[None]:
    """The admin API inside the block; `missing` and `processes` add what the plane cannot see."""

    def status() -> Mapping[str, object]:
        rows = [{"name": one.name, "pid": one.pid, "restarts": one.restarts} for one in processes()]
        tokens = [asdict(each) for each in plane.minter.states()]
        documents = [asdict(each) for each in plane.options.documents.states()]
        more = {"tokens": tokens, "documents": documents, "audits": audit_rows(plane.verdicts())}
        return {**plane.overview.status(), "processes": rows, **more}

    def metrics() -> bytes:
        restarts = {one.name: one.restarts for one in processes()}
        figures = plane.overview.figures(restarts, plane.verdicts(), plane.options.state_dir)
        return exposition(budget_figures(plane.alerting, figures))

    changes = plane.alerting.desk
    view = View(
        missing=missing,
        status=status,
        compiled=plane.compiled,
        resources=plane.resources,
        budgets=changes.shown,
        history=plane.overview.listing,
        metrics=metrics,
        roll_back=plane.roll_back,
    )
    hosts = frozenset({f"[{where.host}]" if ":" in where.host else where.host})
    token = _admin_token(plane.options.state_dir)
    place = keys_in_force(plane.options, plane.publisher).place
    further = (
        *key_routes(plane.desk(), token),
        *budget_routes(changes, token),
        *mcp_routes(plane.options.state_dir, place, plane.deeds, logger.info, token),
    )
    app = admin_app(view, hosts, further)
    async with serving(app, listening_socket(where.host, where.port)):
        yield


def _login_seed(state_dir: Path) -> str:
    try:
        if seed := read_or_make(state_dir, SEED_FILE):
            return seed
        why = "it is empty"
    except (OSError, ValueError) as error:
        why = str(error)
    file = state_dir / SEED_FILE
    logger.warning("people log in anew after each start: no seed in '%s': %s", file, why)
    return secrets.token_urlsafe(32)


def _admin_token(state_dir: Path) -> str:
    try:
        return read_or_make(state_dir)
    except (OSError, ValueError) as error:
        logger.warning("keys and budgets cannot be changed: no token in '%s': %s", state_dir, error)
        return ""


def run_alone(options: Options, admin: Endpoint | None, log_level: str) -> int:
    """`dragoman xds`: until asked to stop; the exit status."""
    config = first_config(options.written, History(options.state_dir, utc_now))
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
    warn(config, options.target)
    options = replace(options, security=security_of(resolve(config).xds))
    try:
        check(options.security)
    except UnusableTls as error:
        print(f"{options.file}: xds.tls: {error}", file=sys.stderr)
        return 1
    configure_logging(log_level, process="xds")
    collect_seldom()
    return asyncio.run(_until_stopped(options, where))


def collect_seldom() -> None:
    """Look for garbage cycles seldom: a configuration is a large graph that has none, and walking
    it again and again while it is made takes as long as making it."""
    gc.set_threshold(*GARBAGE_THRESHOLDS)


def warn(config: Config, target: str | None) -> None:
    """Say what will surprise, on stderr. `target`: where the control plane listens, if others do
    not have to be on this machine to reach it."""
    for warning in warnings(config):
        print(f"warning: {warning}", file=sys.stderr)
    host = None if target is None or target.startswith("unix:") else flags.address(target).host
    shown = exposure(config.xds, host) if host is not None else None
    if shown is not None:
        print(f"warning: {shown}", file=sys.stderr)


async def _until_stopped(options: Options, admin: Endpoint) -> int:
    with stop_event() as stop:
        async with planning(options) as plane, admin_serving(plane, admin, plane.missing):
            say(f"control plane: {options.target}, admin: {admin.host}:{admin.port}")
            await tell_changes(plane.publisher, say, stop)
    return 0


def say(line: str) -> None:
    """On our standard output; when its disk is full or its reader gone, nobody hears it, and we
    go on."""
    try:
        print(line, flush=True)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EPIPE):
            raise


async def tell_changes(
    publisher: Publisher, say: Callable[[str], object], stop: asyncio.Event
) -> None:
    """Until asked to stop, say what became of each change of the file, but for its first reading
    when all was well."""
    problems: tuple[Problem, ...] = ()
    before: Release | None = None
    taken: datetime | None = None
    is_start = True
    while not stop.is_set():
        if publisher.problems is not problems:
            problems = publisher.problems
            for problem in problems:
                say(f"not applied: {problem}")
                is_start = False
        if publisher.times.taken != taken and publisher.in_force is not None:
            taken, now = publisher.times.taken, publisher.in_force
            if not is_start or publisher.origin is Origin.ROLLBACK:
                say(_applied(now, publisher.origin))
            if before is not None and before is not now:
                for line in await asyncio.to_thread(surprises, before, now):
                    say(f"warning: {line}")
            before, is_start = now, False
        await rest(stop)


def _applied(release: Release, origin: Origin | None) -> str:
    of_the_past = ", by a rollback; the file is not in force" if origin is Origin.ROLLBACK else ""
    return f"applied: configuration {release.version}{of_the_past}"


def surprises(before: Release, now: Release) -> tuple[str, ...]:
    """What this change does not do, or brings with it unasked."""
    known = {str(each) for each in warnings(before.config)}
    found = [str(each) for each in warnings(now.config) if str(each) not in known]
    if before.gateway.admin != now.gateway.admin:
        found.append("admin.address: read at the start, so the admin API stays where it is")
    return tuple(found)


async def rest(stop: asyncio.Event) -> None:
    """A moment, unless asked to stop."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), POLL_SECONDS)


def utc_now() -> datetime:
    """The time, for people: nothing is decided by it."""
    return datetime.fromtimestamp(time.time(), UTC)


def topology(
    workers: tuple[str, ...], services: str = SERVICES_ADDRESS, hub: str = HUB_ADDRESS
) -> Topology:
    """Of workers at these addresses, whose requests Envoy takes at another, of the hub, and the
    certificate authorities of this machine."""
    bundle = SYSTEM_CA_BUNDLE if SYSTEM_CA_BUNDLE.exists() else certifi.where()
    return Topology(workers=workers, ca_bundle=str(bundle), services=services, hub=hub)
