"""From files to a snapshot, step by step: everything anew, and after one changed route."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from gateway.config.published import for_workers
from gateway.config.schema import Config
from gateway.config.sources import Loader
from gateway.resolve import Resolver
from xds_server.compile import Compiler
from xds_server.control_plane import collect_seldom
from xds_server.resources.topology import Topology
from xds_server.snapshot import Snapshot, all_resources, changed_types

Made = TypeVar("Made")
ROUNDS = 3
TOPOLOGY = Topology(workers=("127.0.0.1:18001",))


class Steps:
    """The steps of a control plane, which keeps what it made."""

    def __init__(self, folder: Path) -> None:
        self._loader = Loader(folder, {})
        self._resolver = Resolver()
        self._compiler = Compiler()

    def run(self) -> tuple[Snapshot, dict[str, float]]:
        """The snapshot, and the milliseconds of each step."""
        took: dict[str, float] = {}

        def timed(step: str, work: Callable[[], Made]) -> Made:
            begun = time.perf_counter()
            made = work()
            took[step] = (time.perf_counter() - begun) * 1000
            return made

        config = timed("load", self._load)
        gateway = timed("resolve", lambda: self._resolver.resolve(config))
        snapshot = timed("compile", lambda: self._compiler.compile(gateway, TOPOLOGY))
        timed("publish", lambda: for_workers(config))
        return snapshot, took

    def _load(self) -> Config:
        loaded = self._loader.load()
        if loaded.config is None:
            raise ValueError(loaded.problems[:3])
        return loaded.config


def measure_steps(folder: Path, change: Callable[[int], None]) -> None:
    """Print the best of a few rounds each; `change` makes another version of one route."""
    collect_seldom()
    fresh = [Steps(folder).run()[1] for _ in range(ROUNDS)]
    _print("everything anew", fresh)
    steps = Steps(folder)
    before, _ = steps.run()
    again = []
    for number in range(1, ROUNDS + 1):
        change(number)
        snapshot, took = steps.run()
        again.append(took)
        changed = len({*all_resources(snapshot)} - {*all_resources(before)})
        assert changed == 1, f"{changed} resources of {changed_types(before, snapshot)}"
        before = snapshot
    _print("one route changed", again)


def _print(what: str, rounds: list[dict[str, float]]) -> None:
    best = {step: min(took[step] for took in rounds) for step in rounds[0]}
    parts = ", ".join(f"{step} {milliseconds:.0f}" for step, milliseconds in best.items())
    print(f"{what}: {sum(best.values()):.0f} ms ({parts})")
