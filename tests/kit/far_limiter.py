"""A limiter that always has to ask somebody first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field

from extproc.adapters.mapped_limiter import MappedLimiter
from extproc.ports import Draw, LimitsUnavailable, Measure, Meter, Take


@dataclass(slots=True)
class FarLimiter:
    """One that is near, behind a way."""

    local: MappedLimiter
    is_cut: bool = False
    shared: dict[str, bool] = field(default_factory=dict)
    """By the names of meters."""

    def meter(self, name: str, measure: Measure, *, is_shared: bool = False) -> Meter:
        self.shared[name] = is_shared
        return self.local.meter(name, measure)

    def take(self, draws: Sequence[Draw]) -> Awaitable[Take]:
        return self._take(draws)

    async def _take(self, draws: Sequence[Draw]) -> Take:
        await asyncio.sleep(0)
        if self.is_cut:
            raise LimitsUnavailable("cut")
        return self.local.take(draws)

    def correct(self, corrections: Sequence[tuple[Meter, int]], at_ns: int) -> None:
        self.local.correct(corrections, at_ns)

    def leave(self, meters: Sequence[Meter]) -> None:
        self.local.leave(meters)
