"""What callers have agreed to on servers that several machines share: the same as in a file, for
workers and for operators."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from extproc.adapters.consent_places import ConsentPlaces, consents_at, server_at
from extproc.adapters.sqlite_consents import SqliteConsents
from extproc.ports import Agreed, Agreement, ConsentsUnavailable, Ended
from gateway.ledger_place import LedgerKind, LedgerPlace
from gateway.mcp_consents import FILE
from tests.gateway.config.loading import meant
from tests.kit.in_a_loop import play
from tests.kit.remote_ledgers import place_at
from tests.kit.servers import postgres, redis
from xds_server.consents.places import rows_at
from xds_server.consents.rows import Connection
from xds_server.consents.rows import ConsentsUnavailable as NotForOperators

START = {"redis": redis, "postgresql": postgres}
LOCAL = LedgerPlace()
ONE = Agreement("ann", "a", "key ann", b"\x00sealed\xff", 50)
Scene = Callable[[ConsentPlaces, ConsentPlaces], Awaitable[None]]


@pytest.fixture(scope="module", params=["file", *START])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LedgerPlace]:
    if request.param == "file":
        yield LOCAL
        return
    folder = tmp_path_factory.mktemp(request.param)
    with START[request.param](folder) as server:
        path = "/ledger" if request.param == "postgresql" else ""
        yield place_at(f"{request.param}://127.0.0.1:{server.port}{path}", "consents")


def two(place: LedgerPlace, folder: Path, scene: Scene) -> None:
    """Two workers, of two machines where the place is a server."""

    async def both() -> None:
        made = [ConsentPlaces(SqliteConsents(folder, time.time)) for _ in range(2)]
        for each in made:
            each.follow(place)
        try:
            await scene(*made)
        finally:
            for each in made:
                await each.close()

    play(both())


def test_what_one_keeps_all_find(place: LedgerPlace, tmp_path: Path) -> None:
    async def scene(one: ConsentPlaces, other: ConsentPlaces) -> None:
        assert await other.find("ann", "a") is None
        await one.keep(ONE)
        assert await other.find("ann", "a") == Agreed(ONE.sealed, 1)
        assert await other.find("ann", "b") is None
        await other.keep(ONE._replace(sealed=b"newer"))
        assert await one.find("ann", "a") == Agreed(b"newer", 2)
        assert not await one.drop("ann", "a", 1)
        assert await one.drop("ann", "a", 2)
        assert await other.find("ann", "a") is None

    two(place, tmp_path, scene)


def test_one_at_a_time_renews(place: LedgerPlace, tmp_path: Path) -> None:
    async def scene(one: ConsentPlaces, other: ConsentPlaces) -> None:
        await one.keep(ONE)
        got = await asyncio.gather(*(it.lease("ann", "a", 1, 0.3) for it in (one, other) * 3))
        assert sum(got) == 1
        await asyncio.sleep(0.35)
        assert await other.lease("ann", "a", 1, 15.0), "who dies at it is replaced"
        assert await other.renew(ONE._replace(sealed=b"new"), 1)
        assert await one.find("ann", "a") == Agreed(b"new", 2)
        assert not await one.renew(ONE._replace(sealed=b"old"), 1)
        assert not await one.lease("ann", "a", 1, 15.0)
        assert await one.lease("ann", "a", 2, 15.0)
        await one.free("ann", "a", 2)
        assert await other.lease("ann", "a", 2, 15.0)
        await one.drop("ann", "a", 2)

    two(place, tmp_path, scene)


def test_links_and_browsers_come_once_and_in_time(place: LedgerPlace, tmp_path: Path) -> None:
    async def scene(one: ConsentPlaces, other: ConsentPlaces) -> None:
        until = int(time.time()) + 60
        assert await one.begin("state", b"flow\xff", until, "link")
        assert not await other.begin("another", b"flow", until, "link")
        assert await other.take("another") is None
        assert await other.take("state") == b"flow\xff"
        assert await one.take("state") is None
        assert await one.begin("late", b"flow", int(time.time()) + 1, "other")
        await asyncio.sleep(2.1)
        assert await other.take("late") is None

    two(place, tmp_path, scene)


def test_what_is_noted_stays_until_its_time(place: LedgerPlace, tmp_path: Path) -> None:
    async def scene(one: ConsentPlaces, other: ConsentPlaces) -> None:
        until = int(time.time()) + 60
        assert await one.noted("a") is None
        await one.note("a", b"1\xff", until)
        await other.note("a", b"2\xff", until)
        assert await one.noted("a") == await other.noted("a") == b"2\xff"
        assert await one.take("a") == b"2\xff"
        assert await other.noted("a") is None
        await one.note("late", b"3", int(time.time()) + 1)
        await asyncio.sleep(2.1)
        assert await other.noted("late") is None

    two(place, tmp_path, scene)


def test_of_several_clients_that_register_one_counts(place: LedgerPlace, tmp_path: Path) -> None:
    async def scene(one: ConsentPlaces, other: ConsentPlaces) -> None:
        assert await one.client("x") is None
        assert await one.keep_client("x", b"1\xff", None) == b"1\xff"
        assert await other.keep_client("x", b"2", None) == b"1\xff"
        assert await other.keep_client("x", b"3", b"1\xff") == b"3"
        assert await one.keep_client("x", b"4", b"1\xff") == b"3"
        assert await one.client("x") == b"3"
        await one.drop_client("x")
        assert await other.client("x") is None

    two(place, tmp_path, scene)


def test_operators_see_it_and_end_it(place: LedgerPlace, tmp_path: Path) -> None:
    rows = rows_at(tmp_path / FILE, place)

    async def scene(one: ConsentPlaces, other: ConsentPlaces) -> None:
        await one.keep(ONE)
        await one.keep(ONE._replace(owner="bob", who="key bob", expires=0))
        found = await asyncio.to_thread(rows.all)
        assert [(each.id, each.who, each.expires) for each in found] == [
            ("ann", "key ann", 50),
            ("bob", "key bob", 0),
        ]
        assert isinstance(found[0], Connection)
        assert abs(found[0].since - time.time()) < 60
        assert await asyncio.to_thread(rows.end, "ann", "a")
        assert not await asyncio.to_thread(rows.end, "ann", "a")
        assert not await asyncio.to_thread(rows.end, "ann", "b")
        assert [each.id for each in await asyncio.to_thread(rows.all)] == ["bob"]
        assert await other.find("ann", "a") is None
        assert not await other.renew(ONE, 1)
        assert await other.ended(15.0) == [Ended("ann", "a", ONE.sealed, 1)]
        assert await one.ended(15.0) == []
        assert await other.drop("ann", "a", 1)
        assert await asyncio.to_thread(rows.end, "bob", "a")
        await one.keep(ONE._replace(owner="bob"))
        assert await one.ended(15.0) == [], "whoever agrees again is not ended after that"
        assert await one.drop("bob", "a", 2)

    two(place, tmp_path, scene)


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1", "postgresql://127.0.0.1:1/x"])
def test_a_server_that_is_away_is_told(url: str, tmp_path: Path) -> None:
    place = place_at(url, "consents", answer_seconds=1.0)

    async def scene(one: ConsentPlaces, _: ConsentPlaces) -> None:
        with pytest.raises(ConsentsUnavailable):
            await one.find("ann", "a")

    two(place, tmp_path, scene)
    with pytest.raises(NotForOperators):
        rows_at(tmp_path / FILE, place).all()


def test_another_ledger_keeps_others(tmp_path: Path) -> None:
    closed: list[LedgerPlace] = []

    class Fake(SqliteConsents):
        def __init__(self, place: LedgerPlace) -> None:
            (tmp_path / place.name).mkdir()
            super().__init__(tmp_path / place.name, time.time)
            self.place = place

        async def close(self) -> None:  # type: ignore[override]
            super().close()
            closed.append(self.place)

    a, b = (LedgerPlace(LedgerKind.REDIS, "redis://x", name=each) for each in ("a", "b"))

    async def scene() -> None:
        made = ConsentPlaces(SqliteConsents(tmp_path, time.time), Fake, left_seconds=0.01)
        await made.keep(ONE)
        made.follow(a)
        assert await made.find("ann", "a") is None
        made.follow(b)
        await asyncio.sleep(0.05)
        assert closed == [a]
        made.follow(LOCAL)
        assert await made.find("ann", "a") == Agreed(ONE.sealed, 1)
        await made.close()
        assert closed == [a, b]

    play(scene())


def test_it_is_kept_where_the_ledger_is() -> None:
    keys = "identity: {api_keys: {keys: [{name: a, key: k}]}}"
    head = f"ledger: {{type: redis, url: 'redis://r'}}\n{keys}\n"
    server = "a: {url: 'https://a/mcp', consent: {client: {id: x}}}"
    secret = "sessions: {secrets: [a-secret-of-thirty-two-characters-at-least]}"
    wants = f"mcp: {{consents: {{url: 'https://g'}}, {secret}, servers: {{{server}}}}}"
    assert consents_at(meant(head + wants)).url == "redis://r"
    assert consents_at(meant(head)) == LOCAL
    login = "issuer: i, client: {id: a, secret: b}, jwks: {url: 'https://i/k'}, sessions: server"
    ends = "endpoints: {authorization: 'https://i/a', token: 'https://i/t'}"
    logs_in = f"identity: {{logins: {{staff: {{{login}, {ends}}}}}}}\n"
    assert consents_at(meant(head.replace(f"{keys}\n", logs_in))).url == "redis://r"
    assert type(server_at(place_at("redis://x", "y"))).__name__ == "RedisConsents"
