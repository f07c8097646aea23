"""What two machines know of each other's sessions, by a server in memory and by real ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest

from extproc.adapters.postgres_sessions import PostgresSessions
from extproc.adapters.session_board import MappedSessionBoard, name_of
from extproc.adapters.shared_sessions import (
    KEPT_SECONDS,
    NOT_ASKED,
    Heard,
    SessionServer,
    SharedSessionBoard,
    Told,
    server_at,
    sessions_at,
)
from extproc.adapters.sharing import Rhythm
from extproc.ports import LedgerUnavailable
from gateway.ledger_place import LedgerKind, LedgerPlace
from tests.gateway.config.loading import meant
from tests.kit.in_a_loop import play
from tests.kit.remote_ledgers import place_at
from tests.kit.servers import Server, postgres, redis, redis_cluster

IDLE = 60.0
SOON = Rhythm(poll_seconds=0.02, away_seconds=0.02)
PLACE = LedgerPlace(LedgerKind.REDIS, "redis://nowhere")
TOP = (1 << 64) - 1
SCHEMES = {"redis": "redis", "cluster": "redis+cluster", "postgres": "postgresql"}
START = {"redis": redis, "cluster": redis_cluster, "postgres": postgres}


class Memory:
    """A server for several, whose clock the test sets."""

    def __init__(self) -> None:
        self.now = 1_000_000
        self.used: dict[int, int] = {}
        self.ended: dict[int, int] = {}
        self.is_away = False
        self.visits: list[Told] = []

    def at(self, place: LedgerPlace) -> SessionServer:
        assert place == PLACE
        return self

    async def visit(self, told: Told) -> Heard:
        await asyncio.sleep(0)
        if self.is_away:
            raise LedgerUnavailable("away")
        self.visits.append(told)
        self.used |= dict.fromkeys(told.used, self.now)
        self.ended |= dict.fromkeys(told.ended, self.now)
        used = [] if told.used_since == NOT_ASKED else list(self.used.items())
        return Heard(self.now, used, list(self.ended.items()))

    async def close(self) -> None:
        self.visits.append(Told((), (), NOT_ASKED, NOT_ASKED))


@asynccontextmanager
async def board(
    folder: Path, memory: Memory, now: Callable[[], float] = lambda: 100.0
) -> AsyncIterator[SharedSessionBoard]:
    """Of one machine."""
    local = MappedSessionBoard(folder.with_suffix(".board"))
    made = SharedSessionBoard(local, now, memory.at, SOON, 0.02)
    made.follow(PLACE)
    await asyncio.sleep(0)
    try:
        yield made
    finally:
        await made.close()


async def until(claim: Callable[[], bool]) -> None:
    for _ in range(500):
        if claim():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("not in time")


def test_what_ends_on_one_machine_has_ended_on_the_others(tmp_path: Path) -> None:
    async def scene() -> None:
        memory = Memory()
        async with board(tmp_path / "a", memory) as a, board(tmp_path / "b", memory) as b:
            assert a.use("one", 100, IDLE)
            assert b.use("one", 100, IDLE)
            a.end("one", 100)
            assert not a.use("one", 100, IDLE), "at once, without the server"
            await until(lambda: not b.use("one", 100, IDLE))
            assert b.use("two", 100, IDLE)

    play(scene())


def test_what_is_used_on_one_machine_is_not_idle_on_another(tmp_path: Path) -> None:
    async def scene() -> None:
        memory, times = Memory(), {"a": 100.0, "b": 5000.0}  # their clocks are not one
        async with (
            board(tmp_path / "a", memory, lambda: times["a"]) as a,
            board(tmp_path / "b", memory, lambda: times["b"]) as b,
        ):
            assert a.use("one", 100, IDLE)
            assert b.use("one", 5000, IDLE)
            await until(lambda: name_of("one") in memory.used)
            memory.now += 50_000
            times |= {"a": 150.0, "b": 5050.0}
            assert a.use("one", 150, IDLE)
            await until(lambda: memory.used[name_of("one")] == memory.now)
            await asyncio.sleep(0.1)
            assert b.use("one", 5100, IDLE), "a hundred seconds after its own, fifty after a's"

    play(scene())


def test_a_session_that_nobody_has_used_is_over_where_it_was_never_seen(tmp_path: Path) -> None:
    async def scene() -> None:
        memory = Memory()
        memory.used[name_of("old")] = memory.now - 61_000
        async with board(tmp_path / "a", memory) as a:
            await until(lambda: bool(memory.visits))
            await asyncio.sleep(0.05)
            assert not a.use("old", 100, IDLE)

    play(scene())


def test_while_the_server_is_away_nothing_is_forgotten(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene() -> None:
        memory = Memory()
        memory.is_away = True
        async with board(tmp_path / "a", memory) as a:
            a.end("one", 100)
            assert not a.use("one", 100, IDLE)
            await until(lambda: "not shared" in caplog.text)
            await asyncio.sleep(0.1)
            memory.is_away = False
            await until(lambda: name_of("one") in memory.ended)
            await until(lambda: "again" in caplog.text)

    play(scene())
    assert len(caplog.messages) == 2


def test_the_last_words_are_told(tmp_path: Path) -> None:
    async def scene() -> None:
        memory = Memory()
        async with board(tmp_path / "a", memory) as a:
            await until(lambda: bool(memory.visits))
            a.end("one", 100)
        assert name_of("one") in memory.ended

    play(scene())


def test_a_file_is_shared_with_nobody(tmp_path: Path) -> None:
    async def scene() -> None:
        memory = Memory()
        async with board(tmp_path / "a", memory) as a:
            await until(lambda: bool(memory.visits))
            a.follow(LedgerPlace())
            await until(lambda: memory.visits[-1].ended_since == NOT_ASKED)
            count = len(memory.visits)
            a.end("one", 100)
            await asyncio.sleep(0.1)
            assert len(memory.visits) == count
            assert not a.use("one", 100, IDLE)

    play(scene())


def test_without_mcp_servers_no_server_is_visited() -> None:
    ledger = "ledger: {type: redis, url: 'redis://a'}\n"
    assert sessions_at(meant(ledger)) == LedgerPlace()
    assert sessions_at(meant(ledger + "mcp: {servers: {a: {url: 'http://b'}}}")).url == "redis://a"


@pytest.fixture(params=list(START), scope="module")
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Server]]:
    with START[request.param](tmp_path_factory.mktemp(request.param) / "server") as running:
        database = "/ledger" if request.param == "postgres" else ""
        yield f"{SCHEMES[request.param]}://127.0.0.1:{running.port}{database}", running


@pytest.fixture
def place(server: tuple[str, Server], tmp_path: Path) -> LedgerPlace:
    name = "m" + "".join(each for each in tmp_path.name.lower() if each.isalnum())[-29:]
    return place_at(server[0], name)


def test_a_real_server_tells_what_it_was_told(place: LedgerPlace) -> None:
    async def scene() -> None:
        one, other = server_at(place), server_at(place)
        nothing = await one.visit(Told((), (), 0, 0))
        assert nothing.used == nothing.ended == []
        told = await one.visit(Told((1, TOP), (7, 1 << 63), NOT_ASKED, NOT_ASKED))
        assert told.used == told.ended == []
        heard = await other.visit(Told((), (), 0, 0))
        assert {name for name, _ in heard.used} == {1, TOP}
        assert {name for name, _ in heard.ended} == {7, 1 << 63}
        assert all(abs(at - told.now) < 2000 for _, at in (*heard.used, *heard.ended))
        again = await other.visit(Told((7, 9), (1,), 0, 0))
        assert {name for name, _ in again.used} == {TOP, 9}, "what is over is not used"
        assert {name for name, _ in again.ended} == {7, 1 << 63, 1}
        later = await one.visit(Told((), (), again.now + 60_000, again.now + 60_000))
        assert later.used == later.ended == []
        await one.close()
        await other.close()

    play(scene())


def test_two_machines_by_a_real_server(place: LedgerPlace, tmp_path: Path) -> None:
    async def scene() -> None:
        made = []
        for each in ("a", "b"):
            local = MappedSessionBoard(tmp_path / each)
            made.append(SharedSessionBoard(local, lambda: 100.0))
            made[-1].follow(place)
        a, b = made
        await asyncio.sleep(0)
        assert b.use("one", 100, IDLE)
        a.end("one", 100)
        await until(lambda: not b.use("one", 100, IDLE))
        await a.close()
        await b.close()

    play(scene())


def test_what_nobody_needs_any_more_is_forgotten(place: LedgerPlace) -> None:
    if place.kind is not LedgerKind.POSTGRES:
        pytest.skip("Redis forgets by scores, at each visit")

    async def scene() -> None:
        times = iter((0.0, 0.0, 61.0, 61.0))
        there = PostgresSessions(place, lambda: next(times))
        with psycopg.connect(place.url, user="gateway", autocommit=True) as database:
            await there.visit(Told((1,), (2,), 0, 0))
            database.execute(
                f'UPDATE "{place.name}".mcp_sessions SET changed = changed - %s',
                (KEPT_SECONDS * 1000 + 1000,),
            )
            await there.visit(Told((), (), NOT_ASKED, NOT_ASKED))
            (left,) = database.execute(f'SELECT count(*) FROM "{place.name}".mcp_sessions')
            assert left == (0,)
        await there.close()

    play(scene())
