"""The whole story of a change: file → load → resolve → compile → release → everybody.

What is wrong changes nothing; `rollout` brings what is right to workers and Envoys.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

from gateway.config.load import load, load_file
from gateway.config.published import published
from gateway.config.schema import Config
from gateway.model import Gateway
from gateway.problem import Problem
from gateway.resolve import resolve
from xds_server.clients import Clients
from xds_server.compile import BrokenSnapshot
from xds_server.release import Release, configuration
from xds_server.rollout import PATIENCE, Patience, Rollout
from xds_server.snapshot import Snapshot


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
        self._file = file
        self._environment = environment
        self._compile = compile_snapshot
        self._meaning = meaning
        self._problems: tuple[Problem, ...] = ()
        self._rollout = Rollout(clients, expected_workers=expected_workers, patience=patience)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with the last change; empty when it was taken."""
        return self._problems or self._rollout.refused

    @property
    def accepted(self) -> Release | None:
        """What the workers serve: the last release that none of them refused."""
        return self._rollout.accepted

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
        return self._rollout.missing()

    async def _publish(self, config: Config | tuple[Problem, ...]) -> tuple[Problem, ...]:
        if isinstance(config, tuple):
            return self._refuse(config)
        try:
            release = self._release(config)
        except BrokenSnapshot as broken:
            return self._refuse((Problem("", f"cannot be compiled, by a fault of ours: {broken}"),))
        self._problems = ()
        return await self._rollout.bring(release)

    def _release(self, config: Config) -> Release:
        yaml = published(config)
        version = hashlib.blake2b(yaml.encode(), digest_size=8).hexdigest()
        gateway = self._meaning(config)
        workers = configuration(version, yaml)
        return Release(version, yaml, gateway, workers, self._compile(gateway))

    def _refuse(self, problems: tuple[Problem, ...]) -> tuple[Problem, ...]:
        self._problems = problems
        return problems
