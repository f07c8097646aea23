"""Rates that several machines share: a worker takes a little ahead, tells the server soon after,
and asks it for more. Places of open calls, and all while it is away, are the machine's own.

What a worker has taken and not told is at most its part of a tenth of the amount, or one. So all
together let through at most a tenth more than is written, or one for each other worker, and what
is too much is paid back. docs/decisions/0018-limits.md.
"""

from __future__ import annotations

import asyncio
import logging
import time
from array import array
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias
from weakref import WeakValueDictionary

from extproc.adapters.in_time import in_time
from extproc.adapters.misses import Missed, uncounted
from extproc.adapters.rates import ROW_WORDS, STATE, Bucket, Window, rate
from extproc.adapters.shared_rates import NOW, Answer, Change, Counted, RateServer, Visit, Wish
from extproc.ports import (
    Draw,
    LedgerUnavailable,
    LimitsUnavailable,
    LocalLimiter,
    Measure,
    Meter,
    Pace,
    Standing,
    Take,
)

AHEAD = 10
"""All workers together may take a tenth of an amount ahead."""
TELL_SECONDS = 0.02
"""After something was taken ahead."""
FRESH_NS = 100_000_000
"""What is known of others is good enough for so long to refuse by it."""
FIRST_PAUSE_SECONDS, LAST_PAUSE_SECONDS = 0.1, 2.0
_MOST_AT_ONCE = 500
"""Rates and calls in a visit: others want to be answered, too."""
_MILLISECOND = 1_000_000

_log = logging.getLogger(__name__)


class SharedMeter:
    """A rate as this worker knows it: as the server told it, and what was taken here since."""

    __slots__ = (
        "__weakref__",
        "ahead",
        "changes",
        "known_at",
        "local",
        "measure",
        "name",
        "pace",
        "telling",
        "words",
    )

    def __init__(self, name: str, pace: Pace, local: Meter) -> None:
        self.name = name
        self.pace = pace
        self.measure: Bucket | Window = rate(pace)
        self.local = local
        """What counts it while the server is away."""
        self.words = array("q", bytes(ROW_WORDS * 8))
        self.known_at = -(1 << 62)
        """When the server told of it, on its clock."""
        self.ahead = 0
        """What was taken and not told."""
        self.changes: dict[int, int] = {}
        """All that is to be told, by the slots of `Change`."""
        self.telling: dict[int, int] = {}
        """What is being told."""

    def change(self, slot: int, amount: int) -> None:
        self.changes[slot] = self.changes.get(slot, 0) + amount


_Draw: TypeAlias = tuple[SharedMeter, int, bool]
_Answered: TypeAlias = tuple[int, Sequence[bool]]
"""When, and which draws were taken."""


class _Waiting:
    """A call that waits for the server."""

    __slots__ = ("answer", "draws")

    def __init__(self, draws: Sequence[_Draw], answer: asyncio.Future[_Answered | None]) -> None:
        self.draws = draws
        """Of shared meters."""
        self.answer = answer
        """None: the server is away."""


class SharedLimiter:
    """One worker's limiter on a server. Lives on the event loop."""

    def __init__(
        self,
        server: RateServer,
        worker: str,
        local: LocalLimiter,
        loop: asyncio.AbstractEventLoop,
        *,
        answer_seconds: float,
        is_strict: bool,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """`is_strict`: calls are refused while the server is away, instead of counted here."""
        self._server = server
        self._worker = worker
        self._local = local
        self._loop = loop
        self._answer_seconds = answer_seconds
        self._is_strict = is_strict
        self._clock = clock
        self._meters: WeakValueDictionary[str, SharedMeter] = WeakValueDictionary()
        self._offset = 0
        """From our clock to the server's."""
        self._workers = 0
        """As far as is known; 0: the server was never asked."""
        self._untold: dict[SharedMeter, None] = {}
        self._waiting: list[_Waiting] = []
        self._visit: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._failures = 0
        self.is_away = self._is_closed = False
        self.missed: Missed = uncounted

    def meter(self, name: str, measure: Measure, *, is_shared: bool = False) -> Meter:
        if not is_shared or not isinstance(measure, Pace):
            return self._local.meter(name, measure)
        found = self._meters.get(name)
        if found is None or found.pace != measure:
            found = SharedMeter(name, measure, self._local.meter(name, measure))
            self._meters[name] = found
        return found

    def take(self, draws: Sequence[Draw]) -> Take | Awaitable[Take]:
        shared = _shared(draws)
        if not shared:
            return self._counted_here(draws)
        if self._is_closed:
            raise LimitsUnavailable("the limiter is closed")
        if self.is_away:
            return self._take_here(draws)
        if not self._workers:
            return self._ask(draws, shared)
        now = self._clock() + self._offset
        standings = self._ahead(shared, now)
        if standings is None:
            return self._ask(draws, shared)
        return self._joined(draws, shared, now, standings, is_told=False)

    def correct(self, corrections: Sequence[tuple[Meter, int]], at_ns: int) -> None:
        here: list[tuple[Meter, int]] = []
        now = self._clock() + self._offset
        for meter, more in corrections:
            if not isinstance(meter, SharedMeter):
                here.append((meter, more))
            elif at_ns < 0:
                here.append((meter.local, more))
            else:
                meter.measure.correct(meter.words, 0, now, more, at_ns)
                meter.change(_slot(meter.measure, more, at_ns), more)
                self._untold[meter] = None
                self._tell_soon()
        if here:
            self._local.correct(here, -at_ns if at_ns < 0 else at_ns - self._offset)

    def leave(self, meters: Sequence[Meter]) -> None:
        self._local.leave(meters)

    @property
    def has_untold(self) -> bool:
        return bool(self._untold) or self._visit is not None

    async def tell(self) -> None:
        """What was taken, now."""
        self._begin()
        while self._visit is not None:
            await asyncio.wait([self._visit])

    async def close(self) -> None:
        """Tell what is left, if the server listens."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._visit is not None:
            await asyncio.wait([self._visit])
        if self._untold and not self.is_away:
            await self._go()
        for each in self._waiting:
            if not each.answer.done():
                each.answer.set_result(None)
        await self._server.close()

    # What is taken at once

    def _ahead(self, shared: Sequence[_Draw], now: int) -> list[Standing] | None:
        """What is known to be there and may be taken ahead, or is known not to be there; None: the
        server must be asked."""
        standings: list[Standing] = []
        must_ask = is_refused = False
        for meter, wanted, is_binding in shared:
            standing = meter.measure.take(meter.words, 0, now, wanted)
            standings.append(standing)
            if not is_binding:
                continue
            if standing[2]:
                is_refused = True
                must_ask |= now - meter.known_at > FRESH_NS
            elif meter.ahead + wanted > self._share(meter):
                must_ask = True
        if must_ask or is_refused:
            self._give_back(shared, standings, now)
            if must_ask:
                return None
        return standings

    def _share(self, meter: SharedMeter) -> int:
        return max(1, meter.pace.amount // (AHEAD * self._workers))

    def _give_back(self, shared: Sequence[_Draw], standings: list[Standing], now: int) -> None:
        """Also in the standings."""
        for place, (meter, wanted, _) in enumerate(shared):
            if not standings[place][2]:
                meter.measure.correct(meter.words, 0, now, -wanted, now)
                standings[place] = meter.measure.take(meter.words, 0, now, 0)

    def _tell(self, shared: Sequence[_Draw], standings: Sequence[Standing]) -> None:
        """What was taken ahead, soon."""
        for (meter, wanted, _), standing in zip(shared, standings, strict=True):
            if wanted and not standing[2]:
                meter.ahead += wanted
                meter.change(NOW, wanted)
                self._untold[meter] = None
        self._tell_soon()

    def _joined(
        self,
        draws: Sequence[Draw],
        shared: Sequence[_Draw],
        now: int,
        standings: list[Standing],
        *,
        is_told: bool,
    ) -> Take:
        """With what is counted here alone; all of both is taken, or nothing."""
        is_refused = _is_waited_for(shared, standings)
        theirs = [each for each in draws if not isinstance(each[0], SharedMeter)]
        others: Sequence[Standing] = ()
        if theirs:
            if is_refused:
                theirs = [(meter, 0, False) for meter, _, _ in theirs]
            try:
                _, others, is_over = self._local.take(theirs)
            except LimitsUnavailable:
                if not is_refused:
                    self._undo(shared, standings, now, is_told=is_told)
                raise
            if is_over:
                self._undo(shared, standings, now, is_told=is_told)
                return now, _merged(draws, standings, others), True
        if not (is_refused or is_told):
            self._tell(shared, standings)
        return now, _merged(draws, standings, others) if theirs else standings, is_refused

    def _undo(
        self, shared: Sequence[_Draw], standings: list[Standing], now: int, *, is_told: bool
    ) -> None:
        if is_told:
            self._return(shared, [not each[2] for each in standings])
        self._give_back(shared, standings, now)

    def _return(self, shared: Sequence[_Draw], taken: Sequence[bool]) -> None:
        """What the server has counted for a call that was not let through after all."""
        for (meter, wanted, _), is_taken in zip(shared, taken, strict=True):
            if is_taken and wanted:
                meter.change(NOW, -wanted)
                self._untold[meter] = None
                self._tell_soon()

    def _take_here(self, draws: Sequence[Draw]) -> Take:
        """As a machine that shares nothing."""
        if self._is_strict:
            raise LimitsUnavailable("the server that counts limits gives no answer")
        return self._counted_here(
            [
                (meter.local if isinstance(meter, SharedMeter) else meter, wanted, is_binding)
                for meter, wanted, is_binding in draws
            ]
        )

    def _counted_here(self, draws: Sequence[Draw]) -> Take:
        """The time is negative: who corrects it later, corrects it here."""
        now, standings, is_refused = self._local.take(draws)
        return -now, standings, is_refused

    # What is asked for

    def _ask(self, draws: Sequence[Draw], shared: Sequence[_Draw]) -> Awaitable[Take]:
        waiting = _Waiting(shared, self._loop.create_future())
        self._waiting.append(waiting)
        self._begin()
        return self._asked(draws, waiting)

    async def _asked(self, draws: Sequence[Draw], waiting: _Waiting) -> Take:
        answer = await waiting.answer
        if answer is None:
            return self._take_here(draws)
        now, taken = answer
        standings = _standings(waiting.draws, taken, now)
        return self._joined(draws, waiting.draws, now, standings, is_told=True)

    def _begin(self) -> None:
        """One visit at a time; what comes up meanwhile is for the next."""
        if self._visit is None and not self._is_closed:
            self._visit = self._loop.create_task(self._go())
            self._visit.add_done_callback(self._gone)

    def _gone(self, visit: asyncio.Task[None]) -> None:
        self._visit = None
        if not visit.cancelled() and (error := visit.exception()) is not None:
            _log.error("limits cannot be told", exc_info=error)
            self._fail([], "an error of ours")
        if self._is_closed:
            return
        if self.is_away:
            pause = min(LAST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(self._failures - 1, 9))
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_later(pause, self._tick)
        elif self._waiting or len(self._untold) >= _MOST_AT_ONCE:
            self._begin()
        elif self._untold:
            self._tell_soon()

    def _tell_soon(self) -> None:
        if self._timer is None and not (self.is_away or self._is_closed):
            self._timer = self._loop.call_later(TELL_SECONDS, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._begin()

    async def _go(self) -> None:
        waiting, self._waiting = self._waiting[:_MOST_AT_ONCE], self._waiting[_MOST_AT_ONCE:]
        wanted = (draw[0] for each in waiting for draw in each.draws)
        meters = list(dict.fromkeys([*list(self._untold)[:_MOST_AT_ONCE], *wanted]))
        visit, ahead = self._packed(meters, waiting)
        sent = self._clock()
        try:
            asked = self._server.visit(visit)
            answer = await in_time(asked, self._answer_seconds, self._server.break_off)
        except LedgerUnavailable as error:
            self._fail(waiting, str(error))
        else:
            self._offset = answer.now - (sent + self._clock()) // 2
            self._learn(meters, answer)
            for each, taken in zip(waiting, answer.taken, strict=True):
                if each.answer.done():  # whoever waited has left
                    self._return(each.draws, taken)
                else:
                    each.answer.set_result((answer.now, taken))
        finally:
            for meter, told in zip(meters, ahead, strict=True):
                meter.ahead -= told

    def _packed(
        self, meters: Sequence[SharedMeter], waiting: Sequence[_Waiting]
    ) -> tuple[Visit, Sequence[int]]:
        """And how much of each was taken ahead that is told now."""
        places = {meter: place for place, meter in enumerate(meters)}
        rates: list[Counted] = []
        for meter in meters:
            self._untold.pop(meter, None)
            changes, meter.changes = meter.changes, {}
            rates.append(
                Counted(meter.name, meter.pace, [Change(*each) for each in changes.items()])
            )
        calls = [
            [Wish(places[meter], wanted, is_binding) for meter, wanted, is_binding in each.draws]
            for each in waiting
        ]
        return Visit(self._worker, rates, calls), [meter.ahead for meter in meters]

    def _learn(self, meters: Sequence[SharedMeter], answer: Answer) -> None:
        if self.is_away:
            _log.warning("limits are counted together again")
        self.is_away, self._failures = False, 0
        self._workers = max(1, answer.workers)
        for meter, state in zip(meters, answer.states, strict=True):
            measure, words = meter.measure, meter.words
            for place, word in enumerate(state, STATE):
                words[place] = word
            meter.known_at = answer.now
            for slot, amount in meter.changes.items():  # since it was told
                at = answer.now if slot == NOW else slot * _width(measure)
                measure.correct(words, 0, answer.now, amount, at)

    def _fail(self, waiting: Sequence[_Waiting], reason: str) -> None:
        """What was being told is not told again: nobody knows whether it has been counted."""
        if not self.is_away:
            then = "refused" if self._is_strict else "counted by each machine for itself"
            _log.error("calls under a limit are %s: %s", then, reason)
        self.missed()
        self.is_away = True
        self._failures += 1
        for each in (*waiting, *self._waiting):
            if not each.answer.done():
                each.answer.set_result(None)
        self._waiting.clear()


def _standings(shared: Sequence[_Draw], taken: Sequence[bool], now: int) -> list[Standing]:
    """By what the server has just told. Who was refused has to wait for something, be it for the
    moment in which it was decided."""
    standings: list[Standing] = []
    for (meter, wanted, _), is_taken in zip(shared, taken, strict=True):
        measure, words = meter.measure, meter.words
        standing = measure.take(words, 0, now, 0 if is_taken else wanted)
        if is_taken:
            standing = (*standing[:2], 0)
        elif not standing[2]:  # there was room, or there is by now
            measure.correct(words, 0, now, -wanted, now)
            standing = measure.take(words, 0, now, 0)
        standings.append(standing)
    is_refused = not all(
        is_taken for is_taken, (_, _, is_binding) in zip(taken, shared, strict=True) if is_binding
    )
    for place, (_, _, is_binding) in enumerate(shared):
        if taken[place] or standings[place][2]:
            continue
        if not is_binding or (is_refused and not _is_waited_for(shared, standings)):
            standings[place] = (*standings[place][:2], _MILLISECOND)
    return standings


def _is_waited_for(shared: Sequence[_Draw], standings: Sequence[Standing]) -> bool:
    return any(
        standing[2] and is_binding
        for standing, (_, _, is_binding) in zip(standings, shared, strict=True)
    )


def _shared(draws: Sequence[Draw]) -> list[_Draw]:
    return [
        (meter, wanted, is_binding)
        for meter, wanted, is_binding in draws
        if isinstance(meter, SharedMeter)
    ]


def _merged(
    draws: Sequence[Draw], standings: Sequence[Standing], others: Sequence[Standing]
) -> list[Standing]:
    """In the order of the draws."""
    shared, local = iter(standings), iter(others)
    return [next(shared if isinstance(each[0], SharedMeter) else local) for each in draws]


def _slot(measure: Bucket | Window, more: int, at_ns: int) -> int:
    return at_ns // measure.width if more < 0 and isinstance(measure, Window) else NOW


def _width(measure: Bucket | Window) -> int:
    """Of a slot; a bucket has none."""
    return measure.width if isinstance(measure, Window) else 0
