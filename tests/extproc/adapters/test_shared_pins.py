"""What two machines know of tools, by a server in memory and by real ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from extproc.adapters.shared_pins import (
    Change,
    Heard,
    Known,
    PinServer,
    SharedToolPins,
    pins_at,
    server_at,
)
from extproc.adapters.sharing import Rhythm
from extproc.adapters.tool_pins import SqliteToolPins
from extproc.ports import LedgerUnavailable, Pin, Seen
from gateway.ledger_place import LedgerKind, LedgerPlace
from gateway.mcp_pins import FILE
from tests.gateway.config.loading import meant
from tests.kit.in_a_loop import play
from tests.kit.remote_ledgers import place_at
from tests.kit.servers import Server, postgres, redis
from xds_server.deeds import Deeds
from xds_server.tool_pins import ToolPinStore

SOON = Rhythm(poll_seconds=0.02, away_seconds=0.02)
PLACE = LedgerPlace(LedgerKind.REDIS, "redis://nowhere")
START = {"redis": redis, "postgresql": postgres}


class Memory:
    """A server for several."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], Known] = {}
        self.is_away = False
        self.visits = 0

    def at(self, place: LedgerPlace) -> PinServer:
        assert place == PLACE
        return self

    async def visit(self, changes: Sequence[Change], since: int) -> Heard:
        await asyncio.sleep(0)
        if self.is_away:
            raise LedgerUnavailable("away")
        self.visits += 1
        for known, before in changes:
            key = (known.server, known.tool)
            if (self.known[key].digest if key in self.known else "") == before:
                self.known[key] = known
        return Heard(1_000_000, list(self.known.values()))

    async def close(self) -> None:
        return


@asynccontextmanager
async def machine(
    folder: Path, find: Callable[[LedgerPlace], PinServer], place: LedgerPlace = PLACE
) -> AsyncIterator[SharedToolPins]:
    made = SharedToolPins(SqliteToolPins(folder, lambda: 1_700_000_000.0), find, SOON)
    made.follow(place)
    await asyncio.sleep(0)
    try:
        yield made
    finally:
        await made.close()


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    found = (tmp_path / "a", tmp_path / "b")
    for each in found:
        each.mkdir()
    return found


def seen(tool: str, digest: str, known: str | None = None) -> Seen:
    return Seen(tool, digest if known is None else known, digest, f'{{"n":"{digest}"}}')


def approve(folder: Path, tool: str, digest: str) -> None:
    store = ToolPinStore(folder, Deeds(folder), lambda _: None)
    assert not isinstance(store.approve("s", tool, digest, "ann"), str)


async def until(claim: Callable[[], bool]) -> None:
    for _ in range(500):
        if claim():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("not in time")


async def an_approval_holds_on_both(
    folders: tuple[Path, Path], find: Callable[[LedgerPlace], PinServer], place: LedgerPlace
) -> None:
    one, other = folders
    async with machine(one, find, place) as a, machine(other, find, place) as b:
        a.put("s", [seen("x", "1")])
        await until(lambda: b.of("s") == {"x": Pin("1", "1")})
        for each in (a, b):
            each.put("s", [seen("x", "2")])
            assert each.of("s")["x"].is_pending
        await asyncio.sleep(0.1)
        assert a.of("s")["x"].is_pending, "what was seen is not what is known"
        approve(other, "x", "2")
        await until(lambda: a.of("s") == {"x": Pin("2", "2")})
        assert b.of("s") == {"x": Pin("2", "2")}
    store = ToolPinStore(one, Deeds(one), lambda _: None)
    assert [each.known_text for each in store.all()] == ['{"n":"2"}']


def test_an_approval_on_one_machine_holds_on_the_other(folders: tuple[Path, Path]) -> None:
    play(an_approval_holds_on_both(folders, Memory().at, PLACE))


def test_what_a_new_machine_sees_first_is_no_more_known_than_on_the_others(
    folders: tuple[Path, Path],
) -> None:
    """Its server has turned meanwhile."""

    async def scene() -> None:
        memory = Memory()
        async with machine(folders[0], memory.at) as a:
            a.put("s", [seen("x", "1")])
            await until(lambda: bool(memory.known))
        memory.is_away = True
        async with machine(folders[1], memory.at) as b:
            b.put("s", [seen("x", "evil"), seen("y", "3")])
            assert not b.of("s")["x"].is_pending, "it knows no better yet"
            memory.is_away = False
            await until(lambda: b.of("s")["x"] == Pin("1", "evil"))
            assert b.of("s")["y"] == Pin("3", "3")
        assert memory.known["s", "x"].digest == "1"

    play(scene())


def test_of_two_approvals_the_first_to_be_told_counts(folders: tuple[Path, Path]) -> None:
    async def scene() -> None:
        memory = Memory()
        async with machine(folders[0], memory.at) as a, machine(folders[1], memory.at) as b:
            a.put("s", [seen("x", "1")])
            await until(lambda: "x" in b.of("s"))
            memory.is_away = True
            a.put("s", [seen("x", "2")])
            b.put("s", [seen("x", "3")])
            approve(folders[0], "x", "2")
            approve(folders[1], "x", "3")
            memory.is_away = False
            await until(lambda: a.of("s")["x"].known == b.of("s")["x"].known)
            assert sorted((a.of("s")["x"].is_pending, b.of("s")["x"].is_pending)) == [False, True]

    play(scene())


def test_new_tools_that_wait_are_not_told(folders: tuple[Path, Path]) -> None:
    async def scene() -> None:
        memory = Memory()
        async with machine(folders[0], memory.at) as a, machine(folders[1], memory.at) as b:
            a.put("s", [seen("x", "1", known="")])
            b.put("s", [seen("x", "1", known="")])
            before = memory.visits
            await until(lambda: memory.visits > before + 4)
            assert memory.known == {}
            approve(folders[0], "x", "1")
            await until(lambda: b.of("s") == {"x": Pin("1", "1")})

    play(scene())


def test_an_approval_that_is_made_while_others_are_heard_is_not_lost(tmp_path: Path) -> None:
    pins = SqliteToolPins(tmp_path, lambda: 1_700_000_000.0)
    pins.put("s", [seen("x", "1")])
    pins.put("s", [seen("x", "2")])
    approve(tmp_path, "x", "2")
    pins.learn("s", "x", "3", "{}", "1")
    assert pins.known() == {("s", "x"): "2"}
    pins.learn("s", "x", "3", "{}", "2")
    assert pins.known() == {("s", "x"): "3"}
    assert pins.known_text("s", "x") == "{}"
    assert pins.known_text("s", "none") == ""
    pins.close()


def test_a_file_that_cannot_be_read_is_told_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene() -> None:
        memory = Memory()
        (tmp_path / FILE).write_text("no database, and longer than a header of one " * 50)
        async with machine(tmp_path, memory.at):
            await until(lambda: "definitions of MCP tools are not shared" in caplog.text)
            assert memory.visits == 0

    play(scene())


def test_only_where_tools_are_pinned_a_server_is_visited() -> None:
    ledger = "ledger: {type: redis, url: 'redis://a'}\n"
    servers = "servers: {a: {url: 'http://b'}}"
    assert pins_at(meant(f"{ledger}mcp: {{{servers}}}")) == LedgerPlace()
    assert pins_at(meant(f"{ledger}mcp: {{pinning: {{}}, {servers}}}")).url == "redis://a"


@pytest.fixture(params=list(START), scope="module")
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Server]]:
    with START[request.param](tmp_path_factory.mktemp(request.param) / "server") as running:
        database = "/ledger" if request.param == "postgresql" else ""
        yield f"{request.param}://127.0.0.1:{running.port}{database}", running


@pytest.fixture
def place(server: tuple[str, Server], tmp_path: Path) -> LedgerPlace:
    name = "p" + "".join(each for each in tmp_path.name.lower() if each.isalnum())[-29:]
    return place_at(server[0], name)


def test_two_machines_by_a_real_server(place: LedgerPlace, folders: tuple[Path, Path]) -> None:
    play(an_approval_holds_on_both(folders, server_at, place))


def test_a_real_server_takes_what_replaces_what_it_has(place: LedgerPlace) -> None:
    async def scene() -> None:
        there = server_at(place)
        one, two, odd = (Known("s", "x", digest, "{}") for digest in ("1", "2", "3"))
        other = Known('s"', "ü", "1", '{"ü":1}')
        heard = await there.visit([Change(one, ""), Change(other, "")], 0)
        assert sorted(heard.known) == sorted([one, other])
        heard = await there.visit([Change(odd, ""), Change(odd, "9")], 0)
        assert sorted(heard.known) == sorted([one, other])
        heard = await there.visit([Change(two, "1")], 0)
        assert sorted(heard.known) == sorted([two, other])
        assert (await there.visit([], heard.now + 60_000)).known == []
        await there.close()

    play(scene())
