"""Every server that counts rates for several machines, a real one each, does it in the same way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from extproc.adapters.limiter_places import server_at
from extproc.adapters.postgres_rates import PostgresRates
from extproc.adapters.rates import ROW_WORDS, STATE, rate
from extproc.adapters.shared_rates import (
    NOW,
    STATE_WORDS,
    Answer,
    Change,
    Counted,
    RateServer,
    Visit,
    Wish,
)
from extproc.ports import NEVER, LedgerUnavailable, Pace, Standing
from gateway.ledger_place import LedgerPlace
from gateway.limits import Algorithm
from tests.kit.in_a_loop import play
from tests.kit.remote_ledgers import place_at
from tests.kit.servers import Server, postgres, redis, redis_cluster

SCHEMES = {"redis": "redis", "cluster": "redis+cluster", "postgres": "postgresql"}
START = {"redis": redis, "cluster": redis_cluster, "postgres": postgres}
SECOND = 1_000_000_000
DAY = 86400 * SECOND


@pytest.fixture(params=list(START), scope="module")
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Server]]:
    with START[request.param](tmp_path_factory.mktemp(request.param) / "server") as running:
        database = "/ledger" if request.param == "postgres" else ""
        yield f"{SCHEMES[request.param]}://127.0.0.1:{running.port}{database}", running


@pytest.fixture
def place(server: tuple[str, Server], tmp_path: Path) -> LedgerPlace:
    name = "r" + "".join(each for each in tmp_path.name.lower() if each.isalnum())[-29:]
    return place_at(server[0], name)


@pytest.fixture(params=list(Algorithm))
def algorithm(request: pytest.FixtureRequest) -> Algorithm:
    return Algorithm(request.param)


@asynccontextmanager
async def opened(place: LedgerPlace) -> AsyncIterator[RateServer]:
    rates = server_at(place)
    try:
        yield rates
    finally:
        await rates.close()


async def wish(
    rates: RateServer, pace: Pace, *wanted: int, name: str = "a", worker: str = "w"
) -> tuple[list[bool], Answer]:
    """One call for each amount; which were let through."""
    calls = [[Wish(0, each, True)] for each in wanted]
    answer = await rates.visit(Visit(worker, [Counted(name, pace, ())], calls))
    return [flags[0] for flags in answer.taken], answer


async def change(rates: RateServer, pace: Pace, *changes: Change, name: str = "a") -> Answer:
    return await rates.visit(Visit("w", [Counted(name, pace, changes)], ()))


def stands(pace: Pace, answer: Answer, wanted: int = 0, place: int = 0) -> Standing:
    """As a worker sees it that was told so."""
    words = [0] * ROW_WORDS
    words[STATE : STATE + STATE_WORDS] = answer.states[place]
    return rate(pace).take(words, 0, answer.now, wanted)


def test_an_amount_is_let_through_and_no_more(place: LedgerPlace, algorithm: Algorithm) -> None:
    async def scene() -> None:
        pace = Pace(5, DAY, algorithm)
        async with opened(place) as one, opened(place) as other:
            assert (await wish(one, pace, 2, 2))[0] == [True, True]
            taken, answer = await wish(other, pace, 2, 1, 1)
            assert taken == [False, True, False]
            assert stands(pace, answer)[0] == 0
            assert stands(pace, answer, 1)[2] > 0
            assert (await wish(one, pace, 6))[0] == [False]
            assert stands(pace, answer, 6)[2] == NEVER
            assert (await wish(one, Pace(6, DAY, algorithm), 1, name="b"))[0] == [True]

    play(scene())


def test_what_was_used_comes_back(place: LedgerPlace, algorithm: Algorithm) -> None:
    async def scene() -> None:
        pace = Pace(10, SECOND, algorithm)
        async with opened(place) as rates:
            taken, answer = await wish(rates, pace, 10, 1)
            assert taken == [True, False]
            wait = stands(pace, answer, 5)[2]
            assert 0 < wait <= 1.1 * SECOND
            await asyncio.sleep(wait / SECOND + 0.02)
            assert (await wish(rates, pace, 5))[0] == [True]

    play(scene())


def test_what_was_used_counts_also_where_there_is_no_room_and_is_paid_back(
    place: LedgerPlace, algorithm: Algorithm
) -> None:
    async def scene() -> None:
        pace = Pace(100, DAY, algorithm)
        async with opened(place) as rates:
            answer = await change(rates, pace, Change(NOW, 130))
            assert stands(pace, answer)[0] == 0
            assert (await wish(rates, pace, 1))[0] == [False]
            answer = await change(rates, pace, Change(NOW, -40))
            assert stands(pace, answer)[0] == 10
            assert (await wish(rates, pace, 11, 10))[0] == [False, True]
            answer = await change(rates, pace, Change(NOW, -1000))
            assert stands(pace, answer)[:2] == (100, 0)

    play(scene())


def test_what_is_given_back_of_an_ended_part_of_a_window_is_given_back_there(
    place: LedgerPlace,
) -> None:
    async def scene() -> None:
        pace = Pace(100, 2 * SECOND, Algorithm.SLIDING_WINDOW)
        width = 2 * SECOND // 10
        async with opened(place) as rates:
            answer = await change(rates, pace, Change(NOW, 50))
            first = answer.now // width
            await asyncio.sleep(0.45)
            await change(rates, pace, Change(NOW, 20))
            answer = await change(rates, pace, Change(first, -30), Change(first - 20, -99))
            assert stands(pace, answer)[0] == 100 - 50 - 20 + 30
            await asyncio.sleep(max(0.0, ((first + 11) * width - answer.now) / SECOND) + 0.02)
            answer = await change(rates, pace)
            assert stands(pace, answer)[0] == 80

    play(scene())


def test_a_call_takes_of_all_or_of_none_and_what_does_not_bind_refuses_nobody(
    place: LedgerPlace, algorithm: Algorithm
) -> None:
    async def scene() -> None:
        wide, narrow = Pace(10, DAY, algorithm), Pace(2, DAY, algorithm)
        rates_asked = [Counted("wide", wide, ()), Counted("narrow", narrow, ())]
        both = [Wish(0, 1, True), Wish(1, 1, True)]
        watched = [Wish(0, 1, True), Wish(1, 1, False)]
        async with opened(place) as rates:
            visit = Visit("w", rates_asked, [both, both, both, watched])
            answer = await rates.visit(visit)
            assert answer.taken == [[True, True], [True, True], [False, False], [True, False]]
            assert stands(wide, answer)[0] == 7
            assert stands(narrow, answer, place=1)[0] == 0

    play(scene())


def test_large_amounts_are_counted_one_by_one(place: LedgerPlace, algorithm: Algorithm) -> None:
    async def scene() -> None:
        pace = Pace(1_000_000_000, DAY, algorithm)
        async with opened(place) as rates:
            taken, answer = await wish(rates, pace, 999_000_000)
            assert taken == [True]
            left, began = stands(pace, answer)[0], answer.now
            taken, answer = await wish(rates, pace, left - 1, 1)
            assert taken == [True, True]
            late = await change(rates, pace)
            came_back = (late.now - began) * pace.amount // pace.period_ns + 1
            assert stands(pace, late)[0] <= 2 + came_back

    play(scene())


def test_workers_at_once_take_no_more_than_there_is(
    place: LedgerPlace, algorithm: Algorithm
) -> None:
    async def scene() -> None:
        pace = Pace(100, DAY, algorithm)

        async def flood(number: int) -> int:
            async with opened(place) as rates:
                found = 0
                for _ in range(10):
                    found += sum((await wish(rates, pace, *[1] * 5, worker=f"w{number}"))[0])
                return found

        assert sum(await asyncio.gather(*[flood(each) for each in range(4)])) == 100
        async with opened(place) as rates:
            _, answer = await wish(rates, pace, 1)
            assert answer.workers == 5  # and `w`

    play(scene())


def test_clocks_of_all_who_ask_are_that_of_the_server(place: LedgerPlace) -> None:
    async def scene() -> None:
        async with opened(place) as rates:
            first = (await rates.visit(Visit("w", (), ()))).now
            await asyncio.sleep(0.05)
            second = (await rates.visit(Visit("w", (), ()))).now
            assert 0.04 * SECOND < second - first < 5 * SECOND

    play(scene())


def test_a_server_that_is_killed_is_asked_again_and_begins_anew_at_worst(
    server: tuple[str, Server], place: LedgerPlace
) -> None:
    async def scene() -> None:
        pace = Pace(5, DAY, Algorithm.TOKEN_BUCKET)
        async with opened(replace(place, answer_seconds=1.0)) as rates:
            assert (await wish(rates, pace, 5))[0] == [True]
            await asyncio.to_thread(server[1].kill)
            with pytest.raises(LedgerUnavailable):
                await wish(rates, pace, 1)
            await asyncio.to_thread(server[1].start)
            for _ in range(1000):
                try:
                    taken, _ = await wish(rates, pace, 1)
                except LedgerUnavailable:
                    await asyncio.sleep(0.02)
                else:
                    break
            is_logged = place.url.startswith("redis")  # appendonly; tables of rates are not
            assert taken == [not is_logged]

    play(scene())


def test_rows_that_say_nothing_any_more_are_forgotten(
    server: tuple[str, Server], place: LedgerPlace
) -> None:
    if not server[0].startswith("postgresql"):
        pytest.skip("keys expire by themselves")

    async def scene() -> None:
        clock = [0.0]
        rates = PostgresRates(place, lambda: clock[0])
        await wish(rates, Pace(1, SECOND, Algorithm.TOKEN_BUCKET), 1, name="short")
        await wish(rates, Pace(1, SECOND, Algorithm.SLIDING_WINDOW), 1, name="window")
        await wish(rates, Pace(1, DAY, Algorithm.SLIDING_WINDOW), 1, name="long")
        await change(rates, Pace(1, SECOND, Algorithm.TOKEN_BUCKET), Change(NOW, 99), name="debt")
        await asyncio.sleep(2.3)
        clock[0] = 61.0
        await rates.visit(Visit("w", (), ()))
        await rates.close()
        with psycopg.connect(place.url, user="gateway", autocommit=True) as connection:
            rows = connection.execute(f"SELECT count(*) FROM {place.name}.limit_rates").fetchone()
        assert rows == (2,)

    play(scene())
