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
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import uvloop
from envoy_api.dial import Credentials
from envoy_api.dial import Server as ManagementServer
from envoy_api.discovery import Variant

from extproc import access_log, authz, process, rate_limit
from extproc.adapters.audit_logs import AuditLogs
from extproc.adapters.board import MappedBoard
from extproc.adapters.introspector import RemoteIntrospector
from extproc.adapters.key_directory import open_directory
from extproc.adapters.key_places import KeyPlaces
from extproc.adapters.ledgers import Ledgers
from extproc.adapters.limiter_places import LimiterPlaces
from extproc.adapters.mapped_limiter import MappedLimiter
from extproc.adapters.password_checks import HashedPasswords
from extproc.adapters.service_client import ServiceClient
from extproc.adapters.session_secret import session_secret
from extproc.adapters.sqlite_ledger import open_ledger
from extproc.adapters.tally import FileTally
from extproc.audits import Audits
from extproc.bills import Books
from extproc.cut_streams import CutStreams
from extproc.edges import fast, reference
from extproc.edges.health import Health
from extproc.edges.service import Methods, Server
from extproc.health import States
from extproc.inquiring import Inquirer
from extproc.latencies import Latencies
from extproc.mcp_serving import Serving, serving
from extproc.policies.authenticate import Witnesses
from extproc.policies.remote.words import Stamp
from extproc.ports import LedgerUnavailable, McpPeers
from extproc.program import Program, build
from extproc.source import ConfigurationRefused, FileSource
from extproc.xds_source import XdsSource
from gateway.mcp import Mcp
from gateway.model import Gateway
from gateway.names import SERVICES_ADDRESS, VERDICTS_FOLDER
from gateway.telemetry import LEVELS, configure_logging

logger = logging.getLogger(__name__)

EDGES: Mapping[str, Callable[..., Awaitable[Server]]] = {
    "fast": fast.serve,
    "grpcio": reference.serve,
}
XDS_VARIANTS = ("auto", *Variant)
XDS_FILES = (
    ("ca", "PEM: who may have signed the management server's certificate; without it, no TLS"),
    ("cert", "PEM: this worker's certificate for the management server"),
    ("key", "PEM: its key"),
    ("token", "the file that holds the bearer token for the management server"),
)
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
    source = made.add_mutually_exclusive_group()
    source.add_argument(
        "--xds",
        metavar="TARGET",
        default=environment.get("DRAGOMAN_XDS", "127.0.0.1:18000"),
        help="the management server to take the configuration from: HOST:PORT or unix:PATH "
        "[DRAGOMAN_XDS]",
    )
    source.add_argument(
        "--config", metavar="FILE", type=Path, help="a YAML file to take it from instead"
    )
    _add_xds_flags(made, environment)
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
        type=_one_of(tuple(EDGES)),
        metavar="EDGE",
        default=environment.get("DRAGOMAN_EDGE", "fast"),
        help="the gRPC server: fast is ours, grpcio the reference (default: %(default)s) "
        "[DRAGOMAN_EDGE]",
    )
    made.add_argument(
        "--log-level",
        type=_one_of(LEVELS),
        metavar="LEVEL",
        default=environment.get("DRAGOMAN_LOG_LEVEL", "warning"),
        help=f"how much is logged: {', '.join(LEVELS)} (default: %(default)s) [DRAGOMAN_LOG_LEVEL]",
    )
    return made


def _add_addresses(made: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    made.add_argument(
        "--listen",
        metavar="ADDRESS",
        type=_address,
        default=environment.get("DRAGOMAN_EXTPROC_LISTEN", "127.0.0.1:18001"),
        help="where Envoy connects: HOST:PORT or unix:PATH (default: %(default)s) "
        "[DRAGOMAN_EXTPROC_LISTEN]",
    )
    made.add_argument(
        "--services",
        metavar="ADDRESS",
        type=_address,
        default=environment.get("DRAGOMAN_SERVICES", SERVICES_ADDRESS),
        help="where Envoy takes what is asked of services, such as guards': HOST:PORT or unix:PATH "
        "(default: %(default)s) [DRAGOMAN_SERVICES]",
    )


def _add_xds_flags(made: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    made.add_argument(
        "--xds-variant",
        metavar="VARIANT",
        type=_one_of(XDS_VARIANTS),
        default=environment.get("DRAGOMAN_XDS_VARIANT", "auto"),
        help="how to speak xDS: delta, sotw, or auto, which is delta where the server speaks it "
        "[DRAGOMAN_XDS_VARIANT]",
    )
    for name, what in XDS_FILES:
        variable = f"DRAGOMAN_XDS_{name.upper()}"
        given = environment.get(variable)
        made.add_argument(
            f"--xds-{name}",
            metavar="FILE",
            type=Path,
            default=Path(given) if given else None,
            help=f"{what} [{variable}]",
        )
    made.add_argument(
        "--xds-server-name",
        metavar="NAME",
        default=environment.get("DRAGOMAN_XDS_SERVER_NAME"),
        help="the name in the management server's certificate, when it is not the host's "
        "[DRAGOMAN_XDS_SERVER_NAME]",
    )


def _one_of(known: Sequence[str]) -> Callable[[str], str]:
    """A flag's type; `choices` would not look at what the environment says."""

    def check(value: str) -> str:
        if value not in known:
            raise argparse.ArgumentTypeError(f"not one of {', '.join(known)}: {value}")
        return value

    return check


def _address(value: str) -> str:
    host, _, port = value.rpartition(":")
    is_unix = value.startswith("unix:") and value != "unix:"
    if is_unix or (host and port.isascii() and port.isdigit() and int(port) < 1 << 16):
        return value
    raise argparse.ArgumentTypeError(f"neither HOST:PORT nor unix:PATH: {value}")


def main() -> None:
    """Run a worker until it is told to stop."""
    flags = parser(os.environ)
    arguments = flags.parse_args()
    if mistake := _credentials(arguments).mistake():
        flags.error(mistake)
    configure_logging(arguments.log_level, process="extproc")
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
    passwords, introspector = HashedPasswords(time.monotonic), RemoteIntrospector(time.time)
    try:
        await _serve(arguments, ledgers, keys, Witnesses(None, passwords, introspector))
    finally:
        await introspector.close()
        await passwords.close()
        await keys.close()
        await ledgers.close()


async def _serve(
    arguments: argparse.Namespace, ledgers: Ledgers, keys: KeyPlaces, witnesses: Witnesses
) -> None:
    def take(program: Program) -> None:
        calls.program = program
        health.set(True)
        _look_for_garbage_seldom()

    board = MappedBoard(arguments.state_dir / "ledger.db-streams")
    later = asyncio.get_running_loop().call_later
    cut_streams = CutStreams(board, later, secrets.randbits(64))
    tally = FileTally(arguments.state_dir / VERDICTS_FOLDER, arguments.worker, later)
    audits, logs = Audits(tally), AuditLogs(arguments.state_dir, arguments.worker)
    calls, health, books = process.Process(time.time, audits), Health(), Books(ledgers)
    limiters = LimiterPlaces(MappedLimiter(arguments.state_dir, later), arguments.worker)
    log = access_log.AccessLog(cut_streams, calls)
    services = ServiceClient(arguments.services)
    make = functools.partial(
        _build,
        ledgers=ledgers,
        keys=keys,
        latencies=Latencies(time.monotonic),
        states=States(),
        books=books,
        cut_streams=cut_streams,
        audits=audits,
        witnesses=witnesses,
        logs=logs,
        limiters=limiters,
        inquirer=Inquirer(services, _stamp),
        mcp=functools.partial(_serving, services, session_secret(arguments.state_dir)),
    )
    source = _source(arguments, make)
    methods: Methods = {
        process.METHOD: calls,
        authz.METHOD: authz.Authorization(calls, time.time),
        access_log.METHOD: log,
        rate_limit.METHOD: rate_limit.RateLimits(calls),
        **health.methods,
    }
    server = await _listen(arguments, methods)
    logger.info("listening on %s", server.address)
    try:
        await _until_stopped(source.run, take)
    finally:
        health.leave()
        log.leave()
        later(LET_GO_SECONDS, calls.let_go)
        await server.drain(DRAIN_SECONDS)
        await calls.finish()
        await books.finish()
        cut_streams.give_up()
        board.close()
        services.close()
        await limiters.close()
        tally.write()
        await asyncio.to_thread(logs.close)


def _look_for_garbage_seldom() -> None:
    """A program lives long, and a request leaves no cycles; what it is made of stays."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)


def _source(
    arguments: argparse.Namespace, make: Callable[[Gateway, str], Program]
) -> FileSource[Program] | XdsSource[Program]:
    if arguments.config:
        return FileSource(arguments.config, os.environ, make)
    return _xds_source(arguments, make)


def _xds_source(
    arguments: argparse.Namespace, make: Callable[[Gateway, str], Program]
) -> XdsSource[Program]:
    server = ManagementServer(arguments.xds, _credentials(arguments))
    is_open = arguments.xds_variant == "auto"
    variant = None if is_open else Variant(arguments.xds_variant)
    return XdsSource(server, arguments.worker, make, variant=variant)


def _credentials(arguments: argparse.Namespace) -> Credentials:
    return Credentials(
        ca=arguments.xds_ca,
        certificate=arguments.xds_cert,
        key=arguments.xds_key,
        token=arguments.xds_token,
        server_name=arguments.xds_server_name,
    )


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
    mcp: Callable[[Mcp], Serving | None],
) -> Program:
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
        mcp=mcp,
    )


def _serving(peers: McpPeers, secret: str, mcp: Mcp) -> Serving | None:
    return serving(mcp, (secret,), peers, time.monotonic)


def _stamp() -> Stamp:
    return Stamp(f"msg_{secrets.token_hex(12)}", int(time.time()))


async def _listen(arguments: argparse.Namespace, methods: Methods) -> Server:
    listen = EDGES[arguments.edge]
    if arguments.listen.startswith("unix:"):
        path = Path(arguments.listen.removeprefix("unix:"))
        return await listen(methods, path=path)
    host, _, port = arguments.listen.rpartition(":")
    return await listen(methods, host=host, port=int(port))


async def _until_stopped(
    run: Callable[[Callable[[Program], None]], Awaitable[None]],
    take: Callable[[Program], None],
) -> None:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    work = asyncio.ensure_future(run(take))
    work.add_done_callback(lambda _: stopped.set())  # by itself it only ever ends by an exception
    await stopped.wait()
    if work.done():
        work.result()
    work.cancel()


if __name__ == "__main__":
    main()
