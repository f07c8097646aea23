"""A server that is visited again and again, as long as the configuration names it."""

from __future__ import annotations

import asyncio

import pytest

from extproc.adapters.sharing import Rhythm, Sharing
from extproc.ports import LedgerUnavailable
from gateway.ledger_place import LedgerKind, LedgerPlace
from tests.kit.in_a_loop import play

ONE, TWO = (LedgerPlace(LedgerKind.REDIS, f"redis://{name}") for name in ("one", "two"))


class Visits:
    """Of all servers: what was done, in order."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.error: Exception | None = None

    def begin(self, place: LedgerPlace) -> Visitor:
        return Visitor(self, place.url.removeprefix("redis://"))


class Visitor:
    def __init__(self, visits: Visits, name: str) -> None:
        self.visits, self.name = visits, name

    async def visit(self) -> None:
        self.visits.done.append(f"visit {self.name}")
        if self.visits.error is not None:
            raise self.visits.error

    async def leave(self) -> None:
        self.visits.done.append(f"leave {self.name}")
        if self.visits.error is not None:
            raise self.visits.error

    async def close(self) -> None:
        self.visits.done.append(f"close {self.name}")


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_who_is_named_no_more_is_left() -> None:
    async def scene() -> list[str]:
        visits = Visits()
        sharing = Sharing("things", visits.begin, Rhythm(poll_seconds=60.0))
        assert not sharing.is_on
        for place in (ONE, ONE, TWO, LedgerPlace()):
            sharing.follow(place)
            await settled()
            assert sharing.is_on is (place != LedgerPlace())
        sharing.follow(ONE)
        await settled()
        sharing.hurry()
        await settled()
        await sharing.close()
        return visits.done

    async def check() -> None:
        assert await scene() == [
            *("visit one", "leave one", "close one"),
            *("visit two", "leave two", "close two"),
            *("visit one", "visit one", "leave one", "close one"),
        ]

    play(check())


def test_a_server_that_is_away_is_told_once_and_visited_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scene() -> None:
        visits = Visits()
        visits.error = LedgerUnavailable("away")
        sharing = Sharing("things", visits.begin, Rhythm(0.01, 0.01))
        sharing.follow(ONE)
        for error in (None, LedgerUnavailable("away")):
            count = len(visits.done)
            while len(visits.done) < count + 3:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
            visits.error = error
        await sharing.close()
        assert visits.done[-2:] == ["leave one", "close one"]

    play(scene())
    assert [each.split(":")[0] for each in caplog.messages] == [
        "things are not shared with other machines",
        "things are shared with other machines again",
    ]


def test_a_fault_of_ours_is_told(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        visits = Visits()
        visits.error = ZeroDivisionError()
        sharing = Sharing("things", visits.begin, Rhythm())
        sharing.follow(ONE)
        await settled()
        assert visits.done[-1] == "close one"

    play(scene())
    assert caplog.messages == ["things are not shared any more, by a fault of ours"]
