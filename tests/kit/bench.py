"""A publisher over a folder, whose files tests save, in a world that is played."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gateway.model import Xds
from gateway.problem import Problem
from gateway.resolve import resolve
from tests.kit.publishing import World, compiled, text, world
from xds_server.audience import Kind
from xds_server.history import History, Origin
from xds_server.offers import Compile
from xds_server.publisher import Outcome, Publisher, Written, release_of

START = datetime(2026, 3, 1, tzinfo=UTC)
DIFFERS = Outcome(is_in_force=True)


class Bench:
    """A publisher over a folder, in a world that may be left and begun again."""

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.file = folder / "gateway.yaml"
        self.written = Written(self.file, environment or {})
        self.time = START
        self.secured: list[Xds] = []
        self.tls_problems: tuple[Problem, ...] = ()
        self.compile: Compile = compiled

    def now(self) -> datetime:
        self.time += timedelta(seconds=1)
        return self.time

    async def secure(self, xds: Xds) -> tuple[Problem, ...]:
        self.secured.append(xds)
        return self.tls_problems

    def publisher(self, stage: World) -> Publisher:
        make = functools.partial(
            release_of, meaning=resolve, compile_snapshot=self.compile, clients=stage.clients
        )
        history = History(self.folder / "state", self.now)
        self.history = history
        return Publisher(stage.rollout, self.written, make, history, self.secure)

    def play(
        self,
        scene: Callable[[World, Publisher], Awaitable[None]],
        refuses: Callable[..., bool] = lambda _: False,
    ) -> None:
        """With a worker and an Envoy."""

        async def whole(stage: World) -> None:
            stage.join(Kind.WORKER, "worker", refuses)
            stage.join(Kind.ENVOY, "envoy")
            await scene(stage, self.publisher(stage))

        world(whole)

    def versions(self) -> list[tuple[str, Origin]]:
        """What is remembered, by its first provider, the latest first."""
        return [
            (each.sources.texts[str(self.file)].split("    ")[1].partition(":")[0], each.origin)
            for each in self.history.entries
        ]


async def saved(bench: Bench, publisher: Publisher, *providers: str) -> tuple[Problem, ...]:
    bench.file.write_text(text(*providers))
    return await publisher.publish_file()


def served(publisher: Publisher) -> list[str]:
    assert publisher.in_force is not None
    return [provider.name for provider in publisher.in_force.gateway.providers]
