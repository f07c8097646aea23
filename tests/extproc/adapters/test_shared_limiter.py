"""What a worker lets through ahead, asks for, and does while the server is away."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.adapters.mapped_limiter import MappedLimiter
from extproc.adapters.shared_limiter import AHEAD, FRESH_NS, SharedLimiter
from extproc.ports import Draw, LimitsUnavailable, Meter, Pace, Places, Take
from gateway.limits import Algorithm
from tests.kit.memory_rates import MemoryRates

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
BUCKET, WINDOW = Algorithm.TOKEN_BUCKET, Algorithm.SLIDING_WINDOW


@dataclass
class Scene:
    """A server, and workers of one machine each, on clocks that differ and go on together."""

    folder: Path
    server: MemoryRates = field(default_factory=MemoryRates)
    workers: list[SharedLimiter] = field(default_factory=list)
    locals: list[MappedLimiter] = field(default_factory=list)

    def worker(self, *, is_strict: bool = False, answer_seconds: float = 5.0) -> SharedLimiter:
        number = len(self.workers)
        folder = self.folder / str(number)
        folder.mkdir()
        start = self.server.now - number * 7 * SECOND

        def clock() -> int:
            return self.server.now - start + (1 + number) * SECOND

        local = MappedLimiter(folder, clock=clock, rows=1024)
        made = SharedLimiter(
            self.server,
            f"w{number}",
            local,
            asyncio.get_running_loop(),
            answer_seconds=answer_seconds,
            is_strict=is_strict,
            clock=clock,
        )
        self.workers.append(made)
        self.locals.append(local)
        return made

    async def told(self) -> None:
        """All have told all."""
        for each in self.workers:
            await until(lambda each=each: not each.has_untold)  # type: ignore[misc]


async def until(claim: Callable[[], bool]) -> None:
    while not claim():  # noqa: ASYNC110 - what a timer begins, nobody else hears of
        await asyncio.sleep(0.005)


@pytest.fixture
def play(tmp_path: Path) -> Callable[[Callable[[Scene], Coroutine[Any, Any, None]]], None]:
    def run(scene: Callable[[Scene], Coroutine[Any, Any, None]]) -> None:
        async def main() -> None:
            on = Scene(tmp_path)
            async with asyncio.timeout(60):
                await scene(on)
                for each in on.workers:
                    await each.close()
                for local in on.locals:
                    local.close()

        asyncio.run(main())

    return run


Play = Callable[[Callable[[Scene], Coroutine[Any, Any, None]]], None]


def meter(limiter: SharedLimiter, pace: Pace, name: str = "m") -> Meter:
    return limiter.meter(name, pace, is_shared=True)


async def took(found: Take | Awaitable[Take]) -> Take:
    return found if isinstance(found, tuple) else await found


async def ask(limiter: SharedLimiter, *draws: Draw) -> Take:
    return await took(limiter.take(draws))


async def learn(limiter: SharedLimiter, pace: Pace, name: str = "m") -> Meter:
    """A first question, which takes nothing."""
    found = meter(limiter, pace, name)
    await ask(limiter, (found, 0, True))
    return found


@pytest.mark.parametrize("algorithm", Algorithm)
def test_a_worker_lets_its_share_through_without_asking_and_tells_it(
    play: Play, algorithm: Algorithm
) -> None:
    async def scene(on: Scene) -> None:
        on.server.workers = 2
        pace = Pace(100, MINUTE, algorithm)
        one = on.worker()
        mine = await learn(one, pace)
        on.server.visits.clear()
        for _ in range(100 // AHEAD // 2):
            found = one.take([(mine, 1, True)])
            assert isinstance(found, tuple)
            assert not found[2]
        assert on.server.visits == []
        more = one.take([(mine, 1, True)])
        assert not isinstance(more, tuple)
        _, ((remaining, _, wait),), is_refused = await more
        assert (remaining, wait, is_refused) == (94, 0, False)
        found = one.take([(mine, 1, True)])  # what was ahead is told
        assert isinstance(found, tuple)
        assert found[1][0][0] == 93
        await on.told()
        other = on.worker()
        _, ((remaining, _, _),), _ = await ask(other, (await learn(other, pace), 0, True))
        assert remaining == 93

    play(scene)


@pytest.mark.parametrize("algorithm", Algorithm)
def test_when_nothing_is_left_all_are_refused_and_told_when_to_come_back(
    play: Play, algorithm: Algorithm
) -> None:
    async def scene(on: Scene) -> None:
        pace = Pace(10, MINUTE, algorithm)
        on.server.workers = 2
        one, other = on.worker(), on.worker()
        assert not (await ask(one, (meter(one, pace), 10, True)))[2]
        theirs = meter(other, pace)
        _, ((remaining, _, wait),), is_refused = await ask(other, (theirs, 1, True))
        assert is_refused
        assert remaining == 0
        assert 0 < wait <= 1.1 * MINUTE
        on.server.visits.clear()
        found = other.take([(theirs, 1, True)])  # it has just been heard
        assert isinstance(found, tuple)
        assert found[2]
        assert on.server.visits == []
        on.server.now += FRESH_NS + 1
        assert (await ask(other, (theirs, 1, True)))[2]
        assert len(on.server.visits) == 1
        on.server.now += wait
        assert not (await ask(other, (theirs, 1, True)))[2]

    play(scene)


def test_what_a_server_says_goes_before_what_was_known(play: Play) -> None:
    async def scene(on: Scene) -> None:
        pace = Pace(100, MINUTE, BUCKET)
        one, other = on.worker(), on.worker()
        mine, theirs = meter(one, pace), meter(other, pace)
        at, _, _ = await ask(one, (mine, 100, True))
        assert (await ask(other, (theirs, 1, True)))[2]
        one.correct([(mine, -90)], at)
        await on.told()
        on.server.now += FRESH_NS + 1
        assert not (await ask(other, (theirs, 50, True)))[2]

    play(scene)


@pytest.mark.parametrize("algorithm", Algorithm)
def test_corrections_are_told_whatever_they_are(play: Play, algorithm: Algorithm) -> None:
    async def scene(on: Scene) -> None:
        pace = Pace(1000, MINUTE, algorithm)
        one = on.worker()
        mine = await learn(one, pace)
        at, _, _ = await ask(one, (mine, 50, True))
        on.server.now += SECOND
        one.correct([(mine, 2000)], at)
        await on.told()
        _, ((remaining, _, _),), is_refused = await ask(one, (mine, 1, True))
        assert (remaining, is_refused) == (0, True)
        one.correct([(mine, -2050)], at)
        await on.told()
        on.server.now += FRESH_NS + 1
        _, ((remaining, _, _),), _ = await ask(one, (mine, 0, True))
        assert remaining == 1000

    play(scene)


def test_draws_of_one_call_are_taken_together_shared_or_not(play: Play) -> None:
    async def scene(on: Scene) -> None:
        one = on.worker()
        wide, narrow = Pace(1000, MINUTE, BUCKET), Pace(2, MINUTE, BUCKET)
        everywhere = await learn(one, wide)
        here = one.meter("here", narrow)
        open_ = one.meter("open", Places(1), is_shared=True)
        draws = [(here, 1, True), (everywhere, 1, True), (open_, 1, True)]
        _, standings, is_refused = await ask(one, *draws)
        assert not is_refused
        assert [each[0] for each in standings] == [1, 999, 0]
        _, standings, is_refused = await ask(one, *draws)  # no place is free
        assert is_refused
        assert [each[0] for each in standings] == [1, 999, 0]
        one.leave([open_])
        assert not (await ask(one, *draws))[2]
        one.leave([open_])
        big = [(here, 0, True), (everywhere, 1000, True), (open_, 1, True)]
        _, standings, is_refused = await ask(one, *big)
        assert is_refused
        assert standings[1][2] > 0
        assert not (await ask(one, (open_, 1, True)))[2]  # it was not taken
        one.leave([open_])
        # Asked for, granted, and given back, since the machine's own has no room.
        _, _, is_refused = await ask(one, (everywhere, 500, True), (here, 1, True))
        assert is_refused
        await on.told()
        _, ((remaining, _, _),), _ = await ask(one, (everywhere, 0, True))
        assert remaining == 998

    play(scene)


def test_what_does_not_bind_refuses_nobody_and_is_not_taken(play: Play) -> None:
    async def scene(on: Scene) -> None:
        one = on.worker()
        watched, bound = Pace(1, MINUTE, BUCKET), Pace(1000, MINUTE, BUCKET)
        draws = [
            (await learn(one, watched, "watched"), 1, False),
            (await learn(one, bound, "bound"), 1, True),
        ]
        assert [each[2] for each in (await ask(one, *draws))[1]] == [0, 0]
        _, standings, is_refused = await ask(one, *draws)
        assert not is_refused
        assert standings[0][2] > 0
        draws[1] = (draws[1][0], 500, True)  # has to ask
        _, standings, is_refused = await ask(one, *draws)
        assert not is_refused
        assert standings[0][2] > 0

    play(scene)


def test_while_the_server_is_away_each_machine_counts_for_itself(play: Play) -> None:
    async def scene(on: Scene) -> None:
        pace = Pace(10, MINUTE, WINDOW)
        one = on.worker()
        mine = await learn(one, pace)
        on.server.is_away = True
        at, _, is_refused = await ask(one, (mine, 10, True))
        assert not is_refused
        assert at < 0
        assert (await ask(one, (mine, 1, True)))[2]
        one.correct([(mine, -4)], at)
        found = one.take([(mine, 4, True)])
        assert isinstance(found, tuple)
        assert not found[2]
        on.server.is_away = False
        await until(lambda: not one.is_away)
        assert not (await ask(one, (mine, 10, True)))[2]  # nothing of it is told

    play(scene)


def test_what_is_the_machines_own_is_corrected_where_it_was_counted(play: Play) -> None:
    async def scene(on: Scene) -> None:
        one, pace = on.worker(), Pace(100, MINUTE, WINDOW)
        here = one.meter("here", pace)
        at, _, _ = await ask(one, (here, 80, True))  # alone, and with others
        one.correct([(here, -30)], at)
        at, _, _ = await ask(one, (here, 20, True), (await learn(one, pace), 1, True))
        assert at > 0
        one.correct([(here, -10)], at)
        _, ((remaining, _, _),), _ = await ask(one, (here, 0, True))
        assert remaining == 40

    play(scene)


def test_while_the_server_is_away_a_strict_limiter_refuses(play: Play) -> None:
    async def scene(on: Scene) -> None:
        one = on.worker(is_strict=True)
        here = one.meter("here", Pace(10, MINUTE, BUCKET))
        on.server.is_away = True
        with pytest.raises(LimitsUnavailable):
            await ask(one, (meter(one, Pace(10, MINUTE, BUCKET)), 1, True))
        with pytest.raises(LimitsUnavailable):
            await ask(one, (meter(one, Pace(10, MINUTE, BUCKET)), 1, True))
        assert not (await ask(one, (here, 1, True)))[2]

    play(scene)


def test_who_waits_for_a_server_that_says_nothing_is_answered_in_time(play: Play) -> None:
    async def scene(on: Scene) -> None:
        one = on.worker(answer_seconds=0.05)
        mine = await learn(one, Pace(1000, MINUTE, BUCKET))
        on.server.gate = asyncio.Event()
        loop = asyncio.get_running_loop()
        began = loop.time()
        calls = [ask(one, (mine, 500, True)) for _ in range(3)]
        found = await asyncio.gather(*calls)
        assert loop.time() - began < 2.0
        assert [is_refused for _, _, is_refused in found] == [False, False, True]
        on.server.gate.set()

    play(scene)


def test_what_was_lost_on_the_way_is_not_told_twice(play: Play) -> None:
    async def scene(on: Scene) -> None:
        pace = Pace(100, MINUTE, WINDOW)
        one = on.worker()
        mine = await learn(one, pace)
        assert isinstance(one.take([(mine, 5, True)]), tuple)
        on.server.loses_answers = True
        await on.told()
        on.server.loses_answers = False
        await until(lambda: not one.is_away)
        _, ((remaining, _, _),), _ = await ask(one, (mine, 0, True))
        assert remaining == 95

    play(scene)


def test_whoever_leaves_while_it_waits_gives_back_what_it_was_granted(play: Play) -> None:
    async def scene(on: Scene) -> None:
        one = on.worker()
        mine = await learn(one, Pace(100, MINUTE, WINDOW))
        on.server.gate = asyncio.Event()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await ask(one, (mine, 50, True))
        on.server.gate.set()
        await on.told()
        _, ((remaining, _, _),), _ = await ask(one, (mine, 0, True))
        assert remaining == 100

    play(scene)


def test_what_was_taken_ahead_is_told_at_the_end_and_nothing_is_asked_then(play: Play) -> None:
    async def scene(on: Scene) -> None:
        one = on.worker()
        mine = await learn(one, Pace(100, MINUTE, WINDOW))
        assert isinstance(one.take([(mine, 5, True)]), tuple)
        await one.close()
        await one.close()
        assert on.server.is_closed
        assert sum(change.amount for change in on.server.visits[-1].rates[0].changes) == 5
        with pytest.raises(LimitsUnavailable):
            await ask(one, (mine, 100, True))

    play(scene)


def test_equal_names_are_one_meter_for_as_long_as_somebody_has_it(play: Play) -> None:
    async def scene(on: Scene) -> None:
        one, pace = on.worker(), Pace(100, MINUTE, WINDOW)
        first = meter(one, pace)
        assert meter(one, pace) is first
        assert meter(one, Pace(200, MINUTE, WINDOW)) is not first

    play(scene)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(2, 5),
    st.sampled_from([1, 5, 60, 1000]),
    st.sampled_from(list(Algorithm)),
    st.integers(0, 2**32),
)
def test_all_workers_together_never_let_through_more_than_a_tenth_too_much(
    tmp_path_factory: pytest.TempPathFactory,
    count: int,
    amount: int,
    algorithm: Algorithm,
    seed: int,
) -> None:
    """At any time, in any order: more than was written by a tenth, or by one for each other."""
    pace = Pace(amount, 10 * SECOND, algorithm)
    chance = random.Random(seed)

    async def main() -> None:
        on = Scene(tmp_path_factory.mktemp("bound"))
        on.server.workers = count
        for _ in range(count):
            await learn(on.worker(), pace)
        meters = [meter(each, pace) for each in on.workers]
        passed: list[tuple[int, int]] = []
        for _ in range(30):
            for place in chance.sample(range(count), count):
                for _ in range(chance.choice((0, 1, 3, amount))):
                    found = on.workers[place].take([(meters[place], 1, True)])
                    if not isinstance(found, tuple):
                        found = await found
                    if not found[2]:
                        passed.append((on.server.now, 1))
            if chance.random() < 0.3:
                for each in on.workers:
                    await each.tell()
            on.server.now += chance.choice((0, SECOND // 100, SECOND, 3 * SECOND))
        for each in on.workers:
            await each.close()
        too_much = max(amount // AHEAD, count - 1)
        check(passed, pace, too_much)

    asyncio.run(main())


def check(passed: Sequence[tuple[int, int]], pace: Pace, too_much: int) -> None:
    """No stretch of time has more than the algorithm lets through, and what is allowed above it."""
    for at, (began, _) in enumerate(passed):
        total = 0
        for now, wanted in passed[at:]:
            total += wanted
            span = now - began
            if pace.algorithm is BUCKET:
                assert total <= pace.amount + too_much + span * pace.amount // pace.period_ns + 1
            elif span < pace.period_ns:
                assert total <= pace.amount + too_much
