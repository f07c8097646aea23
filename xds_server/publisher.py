"""The whole story of a change: file → load → resolve → compile → workers → Envoys.

What is wrong changes nothing. Workers learn of a change before Envoys, and what a change removes is
taken from Envoy only when Envoy has accepted the rest.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import envoy_api

from gateway import names
from gateway.config.load import load, load_file
from gateway.config.published import published
from gateway.config.schema import Config
from gateway.model import Gateway
from gateway.problem import Problem
from gateway.resolve import resolve
from gateway.telemetry import redact
from xds_server.clients import Clients, Kind
from xds_server.compile import BrokenSnapshot
from xds_server.snapshot import Snapshot, all_resources, resource_of, snapshot_of, with_kept
from xds_server.subscription import Rejection

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a change waits for those who do not answer."""

    worker_seconds: float
    envoy_seconds: float


PATIENCE = Patience(worker_seconds=5.0, envoy_seconds=15.0)


@dataclass(frozen=True, slots=True)
class Release:
    """One configuration, compiled for both kinds of clients."""

    version: str
    """Hash of `yaml`."""
    yaml: str
    """What the workers get: complete, and without secrets."""
    gateway: Gateway
    configuration: Snapshot
    """For workers."""
    snapshot: Snapshot
    """For Envoys."""


class Publisher:
    """Brings the configuration file to everybody who is connected."""

    def __init__(
        self,
        clients: Clients,
        file: Path,
        environment: Mapping[str, str],
        compile_snapshot: Callable[[Gateway], Snapshot],
        *,
        expected_workers: int,
        patience: Patience = PATIENCE,
        meaning: Callable[[Config], Gateway] = resolve,
    ) -> None:
        self._clients = clients
        self._file = file
        self._environment = environment
        self._compile = compile_snapshot
        self._meaning = meaning
        self._expected_workers = expected_workers
        self._patience = patience
        self._problems: tuple[Problem, ...] = ()
        self._wanted: Release | None = None
        self._accepted: Release | None = None
        self._turn = asyncio.Lock()

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with the last change; empty when it was taken."""
        return self._problems

    @property
    def accepted(self) -> Release | None:
        """What the workers serve: the last release that none of them refused."""
        return self._accepted

    async def publish_file(self) -> tuple[Problem, ...]:
        """Read the file and publish it; what is wrong with it. See `apply`."""
        return await self._publish(load_file(self._file, self._environment))

    async def apply(self, text: str) -> tuple[Problem, ...]:
        """Publish this text; what is wrong with it.

        Returns when everybody has it, or when a later change has taken its place. While workers are
        expected and none has accepted it, that may take forever: own it by a task.
        """
        config = load(text, file=str(self._file), environment=self._environment)
        return await self._publish(config)

    def missing(self) -> tuple[str, ...]:
        """What stands between us and serving the wanted configuration; empty: ready."""
        if self._wanted is None:
            return ("no valid configuration has been loaded",)
        absent: list[str] = []
        if self._expected_workers and not self._has_current(Kind.WORKER):
            absent.append("no extproc worker has acknowledged the configuration")
        if not self._has_current(Kind.ENVOY):
            absent.append("no Envoy has acknowledged the configuration")
        return tuple(absent)

    async def _publish(self, config: Config | tuple[Problem, ...]) -> tuple[Problem, ...]:
        if isinstance(config, tuple):
            return self._refuse(config)
        try:
            release = self._release(config)
        except BrokenSnapshot as broken:
            return self._refuse((Problem("", f"cannot be compiled, by a fault of ours: {broken}"),))
        self._problems = ()
        self._wanted = release
        self._clients.announce()  # who is publishing an earlier release gives way
        async with self._turn:
            return await self._roll_out(release)

    async def _roll_out(self, release: Release) -> tuple[Problem, ...]:
        if self._is_superseded(release):
            return ()
        refused = await self._to_workers(release)
        if self._is_superseded(release):
            return ()
        if refused:
            self._refuse(refused)
            await self._return_to(self._accepted)
            return refused
        before, self._accepted = self._accepted, release
        refused = await self._to_envoys(release)
        if refused and not self._is_superseded(release):
            self._refuse(refused)
            if before is not None:
                self._accepted = before
                await self._return_to(before)
        return refused

    async def _return_to(self, release: Release | None) -> None:
        """Who took what others refused takes this again."""
        self._wanted = release
        self._clients.offer(Kind.WORKER, None if release is None else release.configuration)
        if release is not None:
            await self._to_envoys(release)

    async def _to_workers(self, release: Release) -> tuple[Problem, ...]:
        offered = release.configuration
        self._clients.offer(Kind.WORKER, offered)

        def is_decided() -> bool:
            return self._is_superseded(release) or bool(self._refusals(Kind.WORKER, offered))

        # Who is away may still serve what it had, so those that are expected count as well.
        have_all = await self._clients.wait_until(
            lambda: is_decided() or self._have_all_workers(), self._patience.worker_seconds
        )
        if not have_all:
            logger.warning(
                "configuration %s: only %d of %d workers have it; going on without the others",
                release.version,
                self._current(Kind.WORKER),
                max(self._expected_workers, len(self._clients.of(Kind.WORKER))),
            )
        if self._expected_workers:  # what no worker knows must not reach Envoy
            await self._clients.wait_until(
                lambda: is_decided() or self._has_current(Kind.WORKER), None
            )
        return self._refusals(Kind.WORKER, offered)

    async def _to_envoys(self, release: Release) -> tuple[Problem, ...]:
        self._clients.offer(Kind.ENVOY, self._with_what_envoys_hold(release.snapshot))
        have_answered = await self._clients.wait_until(
            lambda: (
                self._is_superseded(release)
                or all(
                    envoy.is_settled() or envoy.rejections(release.snapshot)
                    for envoy in self._clients.of(Kind.ENVOY)
                )
            ),
            self._patience.envoy_seconds,
        )
        if not have_answered:
            logger.warning("configuration %s: an Envoy does not answer", release.version)
        refusals = self._refusals(Kind.ENVOY, release.snapshot)
        if not refusals and not self._is_superseded(release):
            self._clients.offer(Kind.ENVOY, release.snapshot)
        return refusals

    def _is_superseded(self, release: Release) -> bool:
        return self._wanted is not release

    def _has_current(self, kind: Kind) -> bool:
        return self._current(kind) > 0

    def _current(self, kind: Kind) -> int:
        """How many of them have all that they are offered."""
        return sum(client.is_current() for client in self._clients.of(kind))

    def _have_all_workers(self) -> bool:
        """Every worker that is connected, and as many as are expected."""
        connected = len(self._clients.of(Kind.WORKER))
        return self._current(Kind.WORKER) >= max(connected, self._expected_workers)

    def _refusals(self, kind: Kind, snapshot: Snapshot) -> tuple[Problem, ...]:
        """Who refuses something of this snapshot, and why."""
        problems = (
            Problem("", f"{kind} {client.node.id} refuses {_short(each.type_url)}: {_said(each)}")
            for client in self._clients.of(kind)
            for each in client.rejections(snapshot)
        )
        return tuple(dict.fromkeys(problems))  # one reason stands for all names of a response

    def _with_what_envoys_hold(self, new: Snapshot) -> Snapshot:
        """And nothing that one of them refused: that would hold the routes back for ever."""
        before = self._clients.offered(Kind.ENVOY)
        if before is None:
            return new
        refused = {
            (each.type_url, each.name)
            for envoy in self._clients.of(Kind.ENVOY)
            for each in envoy.rejections(before)
        }
        held = (each for each in all_resources(before) if (each.type_url, each.name) not in refused)
        return with_kept(new, snapshot_of(held))

    def _release(self, config: Config) -> Release:
        yaml = published(config)
        version = hashlib.blake2b(yaml.encode(), digest_size=8).hexdigest()
        gateway = self._meaning(config)
        workers = configuration(version, yaml)
        return Release(version, yaml, gateway, workers, self._compile(gateway))

    def _refuse(self, problems: tuple[Problem, ...]) -> tuple[Problem, ...]:
        self._problems = problems
        return problems


def configuration(version: str, yaml: str) -> Snapshot:
    """What workers subscribe to."""
    message = envoy_api.message("dragoman.v1.Configuration")(version=version, yaml=yaml)
    body = message.SerializeToString(deterministic=True)
    return snapshot_of((resource_of(names.CONFIGURATION_NAME, names.CONFIGURATION_TYPE, body),))


def _said(refusal: Rejection) -> str:
    return redact(refusal.error)  # a peer may quote what it was sent


def _short(type_url: str) -> str:
    return type_url.rpartition(".")[2]
