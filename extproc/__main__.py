"""`python -m extproc`: one worker. The only place where the request path is wired together."""

from __future__ import annotations

import argparse
import asyncio
import functools
import gc
import logging
import os
import random
import secrets
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from extproc import access_log, authz, flags, process, rate_limit
from extproc.a2a_serving.agent_events import Noticed
from extproc.a2a_serving.directory import Times
from extproc.a2a_serving.polling import Polling
from extproc.a2a_serving.serving import World as WorldOfAgents
from extproc.a2a_serving.serving import serving as agents
from extproc.adapters.agent_looks import AgentLooks
from extproc.adapters.audit_logs import AuditLogs
from extproc.adapters.board import MappedBoard
from extproc.adapters.consent_places import ConsentPlaces, consents_at
from extproc.adapters.heap import keep_freed_memory
from extproc.adapters.introspector import RemoteIntrospector
from extproc.adapters.key_directory import open_directory
from extproc.adapters.key_places import KeyPlaces
from extproc.adapters.ledgers import Ledgers
from extproc.adapters.limiter_places import LimiterPlaces
from extproc.adapters.mapped_limiter import MappedLimiter
from extproc.adapters.misses import agent_counts, counted
from extproc.adapters.password_checks import HashedPasswords
from extproc.adapters.resolver import Resolver
from extproc.adapters.service_client import ServiceClient
from extproc.adapters.session_board import session_board
from extproc.adapters.session_secret import session_secret
from extproc.adapters.shared_pins import SharedToolPins, pins_at
from extproc.adapters.shared_sessions import SharedSessionBoard, sessions_at
from extproc.adapters.sqlite_consents import SqliteConsents
from extproc.adapters.sqlite_ledger import open_ledger
from extproc.adapters.tally import FileTally
from extproc.adapters.tool_pins import SqliteToolPins
from extproc.audits import Audits
from extproc.bills import Books
from extproc.cut_streams import CutStreams
from extproc.edges import fast, reference
from extproc.edges.health import Health
from extproc.edges.service import Methods, Server
from extproc.health import States
from extproc.inquiring import Inquirer
from extproc.latencies import Latencies
from extproc.logging_in.serving import login_desk
from extproc.mcp_serving.serving import World, serving
from extproc.policies.authenticate import Witnesses
from extproc.policies.remote.words import Stamp
from extproc.ports import LedgerUnavailable
from extproc.program import Program, Serve, build
from extproc.source import ConfigurationRefused
from extproc.stopping import until_stopped
from gateway import names
from gateway.a2a import RESOLVING_SECONDS
from gateway.model import Gateway
from gateway.names import AGENT_LOOKS_FOLDER, SERVICES_ADDRESS, VERDICTS_FOLDER
from gateway.telemetry import configure_logging

logger = logging.getLogger(__name__)

EDGES: Mapping[str, Callable[..., Awaitable[Server]]] = {
    "fast": fast.serve,
    "grpcio": reference.serve,
}
DRAIN_SECONDS = 3.0
LET_GO_SECONDS = 2.0
"""Of the drain; then answers that still stream go on without this worker."""
BUSY_SECONDS = 0.5
"""How long the ledger may wait for its file: several times, within Envoy's message_timeout."""
GARBAGE_THRESHOLDS = (20_000, 20, 20)


def parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    """The flags; each has an environment variable as its default."""
    made = argparse.ArgumentParser(
        prog="dragoman extproc",
        description="Run one worker of the request path: it answers ext_proc and ext_authz.",
    )
    flags.add_source(made, environment)
    _add_addresses(made, environment)
    made.add_argument(
        "--state-dir",
        metavar="DIR",
        type=Path,
        default=Path(environment.get("DRAGOMAN_STATE_DIR", ".dragoman")),
        help="where the ledger is kept (default: %(default)s) [DRAGOMAN_STATE_DIR]",
    )
    made.add_argument(
        "--worker",
        metavar="NAME",
        default=environment.get("DRAGOMAN_WORKER", f"{os.uname().nodename}-{os.getpid()}"),
        help="this worker's name, its node id (default: host and process) [DRAGOMAN_WORKER]",
    )
    made.add_argument(
        "--edge",
        type=flags.one_of(tuple(EDGES)),
        metavar="EDGE",
        default=environment.get("DRAGOMAN_EDGE", "fast"),
        help="the gRPC server: fast is ours, grpcio the reference (default: %(default)s) "
        "[DRAGOMAN_EDGE]",
    )
    flags.add_log_level(made, environment)
    return made


def _add_addresses(made: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    made.add_argument(
        "--listen",
        metavar="ADDRESS",
        type=flags.address,
        default=environment.get("DRAGOMAN_EXTPROC_LISTEN", "127.0.0.1:18001"),
        help="where Envoy connects: HOST:PORT or unix:PATH (default: %(default)s) "
        "[DRAGOMAN_EXTPROC_LISTEN]",
    )
    made.add_argument(
        "--services",
        metavar="ADDRESS",
        type=flags.address,
        default=environment.get("DRAGOMAN_SERVICES", SERVICES_ADDRESS),
        help="where Envoy takes what is asked of services, such as guards': HOST:PORT or unix:PATH "
        "(default: %(default)s) [DRAGOMAN_SERVICES]",
    )


def main() -> None:
    """Run a worker until it is told to stop."""
    known = parser(os.environ)
    arguments = known.parse_args()
    if mistake := flags.credentials(arguments).mistake():
        known.error(mistake)
    configure_logging(arguments.log_level, process="extproc")
    keep_freed_memory(os.environ)
    try:
        uvloop.run(serve(arguments))
    except (ConfigurationRefused, LedgerUnavailable, OSError) as error:  # the operator's to mend
        logger.critical("%s", error)
        sys.exit(1)


async def serve(arguments: argparse.Namespace) -> None:
    """Serve until SIGTERM or SIGINT."""
    arguments.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = arguments.state_dir / "ledger.db"
    local = await open_ledger(file, worker=arguments.worker, busy_seconds=BUSY_SECONDS)
    ledgers = Ledgers(local, arguments.worker)
    keys = KeyPlaces(open_directory(file, time.time, busy_seconds=BUSY_SECONDS), time.time)
    services, passwords = ServiceClient(arguments.services), HashedPasswords(time.monotonic)
    introspector = RemoteIntrospector(services, time.time)
    witnesses = Witnesses(None, passwords, introspector)
    try:
        await _serve(arguments, ledgers, keys, _Asked(witnesses, services))
    finally:
        await introspector.close()
        services.close()
        await passwords.close()
        await keys.close()
        await ledgers.close()


@dataclass(frozen=True, slots=True)
class _Asked:
    """Who is asked, and by which way."""

    witnesses: Witnesses
    services: ServiceClient


async def _serve(
    arguments: argparse.Namespace, ledgers: Ledgers, keys: KeyPlaces, asked: _Asked
) -> None:
    def take(program: Program) -> None:
        calls.program = program
        polling.follow(None if program.a2a is None else program.a2a.directory)
        health.set(True)
        _look_for_garbage_seldom()

    board = MappedBoard(arguments.state_dir / "ledger.db-streams")
    later = asyncio.get_running_loop().call_later
    cut_streams = CutStreams(board, later, secrets.randbits(64))
    tally = FileTally(arguments.state_dir / VERDICTS_FOLDER, arguments.worker, later)
    audits, polling = Audits(tally), Polling(later, random.random)
    logs = AuditLogs(arguments.state_dir, arguments.worker)
    calls, health, books = process.Process(time.time, audits), Health(), Books(ledgers)
    limiters = LimiterPlaces(MappedLimiter(arguments.state_dir, later), arguments.worker)
    _count_misses(tally, ledgers, keys, limiters)
    log, services = access_log.AccessLog(cut_streams, calls), asked.services
    pins = SharedToolPins(SqliteToolPins(arguments.state_dir, time.time))
    consents = ConsentPlaces(SqliteConsents(arguments.state_dir, time.time))
    shared = SharedSessionBoard(session_board(arguments.state_dir), time.time)
    world = World(services, shared, time.monotonic, pins, consents, time.time)
    make = functools.partial(
        _build,
        ledgers=ledgers,
        keys=keys,
        latencies=Latencies(time.monotonic),
        states=States(),
        books=books,
        cut_streams=cut_streams,
        audits=audits,
        witnesses=asked.witnesses,
        logs=logs,
        limiters=limiters,
        inquirer=Inquirer(services, _stamp),
        shared=(shared, pins, consents),
        serve=_serve_others(services, world, arguments.state_dir, _noticed(arguments, tally)),
    )
    source = flags.source(arguments, arguments.worker, names.WORKER_AGENT, make)
    server = await _listen(arguments, _methods(calls, log, health))
    logger.info("listening on %s", server.address)
    try:
        await until_stopped(source.run, take)
    finally:
        health.leave()
        log.leave()
        later(LET_GO_SECONDS, calls.let_go)
        await server.drain(DRAIN_SECONDS)
        await calls.finish()
        await books.finish()
        cut_streams.give_up()
        board.close()
        await pins.close()
        await consents.close()
        await shared.close()
        await limiters.close()
        tally.write()
        await asyncio.to_thread(logs.close)


def _methods(calls: process.Process, log: access_log.AccessLog, health: Health) -> Methods:
    """What Envoy asks."""
    return {
        process.METHOD: calls,
        authz.METHOD: authz.Authorization(calls, time.time),
        access_log.METHOD: log,
        rate_limit.METHOD: rate_limit.RateLimits(calls),
        **health.methods,
    }


def _count_misses(
    tally: FileTally, ledgers: Ledgers, keys: KeyPlaces, limiters: LimiterPlaces
) -> None:
    ledgers.missed, keys.missed = counted(tally, "ledger"), counted(tally, "keys")
    limiters.missed = counted(tally, "limits")


def _look_for_garbage_seldom() -> None:
    """A program lives long, and a request leaves no cycles; what it is made of stays."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)


def _build(
    gateway: Gateway,
    version: str,
    *,
    ledgers: Ledgers,
    keys: KeyPlaces,
    latencies: Latencies,
    states: States,
    books: Books,
    cut_streams: CutStreams,
    audits: Audits,
    witnesses: Witnesses,
    logs: AuditLogs,
    limiters: LimiterPlaces,
    inquirer: Inquirer,
    shared: tuple[SharedSessionBoard, SharedToolPins, ConsentPlaces],
    serve: Serve,
) -> Program:
    sessions, pins, consents = shared
    sessions.follow(sessions_at(gateway))
    pins.follow(pins_at(gateway))
    consents.follow(consents_at(gateway))
    stored = keys.at(gateway.ledger, gateway.identity.stale_keys_seconds)
    return build(
        gateway,
        version,
        ledger=ledgers.at(gateway.ledger),
        choose=random.random,
        created=int(time.time()),
        latencies=latencies,
        states=states,
        books=books,
        cut_streams=cut_streams,
        audits=audits.with_trail(logs.trail(gateway.audit, version)),
        witnesses=replace(witnesses, keys=stored),
        limiter=limiters.at(gateway.ledger),
        inquirer=inquirer,
        serve=serve,
    )


def _serve_others(
    services: ServiceClient, world: World, state_dir: Path, noticed: Noticed
) -> Serve:
    """MCP servers, and A2A agents."""
    secrets_of_sessions = (session_secret(state_dir),)
    times, resolve = Times(time.monotonic, _now), Resolver(RESOLVING_SECONDS)
    of_agents = WorldOfAgents(
        services, times, random.random, resolve, secrets_of_sessions, noticed=noticed
    )
    return Serve(
        lambda mcp: serving(mcp, secrets_of_sessions, world),
        lambda a2a, identity: agents(a2a, identity, of_agents),
        lambda identity: login_desk(
            identity, secrets_of_sessions[0], world.consents, services, time.time
        ),
        secrets_of_sessions,
    )


def _noticed(arguments: argparse.Namespace, tally: FileTally) -> Noticed:
    """Of agents."""
    later = asyncio.get_running_loop().call_later
    folder = arguments.state_dir / AGENT_LOOKS_FOLDER
    looks = AgentLooks(folder, arguments.worker, later, time.time)
    return Noticed(agent_counts(tally), looks.looked)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _stamp() -> Stamp:
    return Stamp(f"msg_{secrets.token_hex(12)}", int(time.time()))


async def _listen(arguments: argparse.Namespace, methods: Methods) -> Server:
    listen = EDGES[arguments.edge]
    if arguments.listen.startswith("unix:"):
        path = Path(arguments.listen.removeprefix("unix:"))
        return await listen(methods, path=path)
    host, _, port = arguments.listen.rpartition(":")
    return await listen(methods, host=host, port=int(port))


if __name__ == "__main__":
    main()
