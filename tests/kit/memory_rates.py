"""A server that counts rates, in memory, with a clock that is set; it can be slow, and away."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from extproc.adapters.rates import ROW_WORDS, STATE, rate
from extproc.adapters.shared_rates import NOW, STATE_WORDS, Answer, Visit
from extproc.ports import LedgerUnavailable

EPOCH_NS = 1_800_000_000_000_000_000


@dataclass(slots=True)
class MemoryRates:
    """As one server, whoever asks; `workers` are those that it tells of."""

    workers: int = 1
    now: int = EPOCH_NS
    rows: dict[str, list[int]] = field(default_factory=dict)
    visits: list[Visit] = field(default_factory=list)
    is_away: bool = False
    loses_answers: bool = False
    gate: asyncio.Event | None = None
    """Answers wait for it."""
    is_closed: bool = False

    async def visit(self, visit: Visit) -> Answer:
        if self.is_away:
            raise LedgerUnavailable("away")
        self.visits.append(visit)
        states = [self.rows.setdefault(each.name, [0] * ROW_WORDS) for each in visit.rates]
        for words, counted in zip(states, visit.rates, strict=True):
            measure = rate(counted.pace)
            for slot, amount in counted.changes:
                at = self.now if slot == NOW else slot * (counted.pace.period_ns // 10)
                measure.correct(words, 0, self.now, amount, at)
        taken: list[list[bool]] = []
        for call in visit.calls:
            flags = []
            for place, wanted, _ in call:
                measure = rate(visit.rates[place].pace)
                flags.append(not measure.take(states[place], 0, self.now, wanted)[2])
            if any(wish.is_binding and not flag for wish, flag in zip(call, flags, strict=True)):
                for at, (place, wanted, _) in enumerate(call):
                    if flags[at]:
                        measure = rate(visit.rates[place].pace)
                        measure.correct(states[place], 0, self.now, -wanted, self.now)
                        flags[at] = False
            taken.append(flags)
        if self.loses_answers:
            raise LedgerUnavailable("lost")
        told = [words[STATE : STATE + STATE_WORDS] for words in states]
        now = self.now
        if self.gate is not None:
            await self.gate.wait()
        return Answer(now, self.workers, [tuple(each) for each in told], taken)

    def break_off(self) -> None:
        pass

    async def close(self) -> None:
        self.is_closed = True
