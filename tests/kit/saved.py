"""A publisher over a file that tests save."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gateway.model import Xds
from gateway.problem import Problem
from gateway.resolve import resolve
from xds_server.clients import Clients
from xds_server.history import History
from xds_server.offers import Compile
from xds_server.publisher import Publisher, Written, release_of
from xds_server.rollout import Rollout

MOMENT = datetime(2026, 3, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Saved:
    """Nobody waits for workers: none is expected."""

    file: Path
    publisher: Publisher

    @classmethod
    def of(cls, clients: Clients, folder: Path, compile_snapshot: Compile) -> Saved:
        file = folder / "gateway.yaml"
        make = functools.partial(
            release_of, meaning=resolve, compile_snapshot=compile_snapshot, clients=clients
        )
        rollout = Rollout(clients, expected_workers=0)
        history = History(folder / "state", lambda: MOMENT)
        return cls(file, Publisher(rollout, Written(file, {}), make, history, unsecured))

    async def apply(self, text: str) -> tuple[Problem, ...]:
        """Save this and publish it."""
        self.file.write_text(text)
        return await self.publisher.publish_file()

    def missing(self) -> tuple[str, ...]:
        return self.publisher.missing()


async def unsecured(_: Xds) -> tuple[Problem, ...]:
    """All ports stay as they are."""
    return ()
