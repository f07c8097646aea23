"""What callers have agreed to, in a file: all workers of a machine see it, and one renews it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from pathlib import Path
from typing import TypeVar

import pytest

from extproc.adapters.sqlite_consents import SqliteConsents
from extproc.ports import Agreed, Agreement, ConsentsUnavailable
from gateway.mcp_consents import FILE

T = TypeVar("T")
ONE = Agreement("ann", "a", "key ann", b"sealed", 50)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def run(what: Awaitable[T]) -> T:
    async def awaited() -> T:
        return await what

    return asyncio.run(awaited())


def both(folder: Path, clock: Clock) -> tuple[SqliteConsents, SqliteConsents]:
    return SqliteConsents(folder, clock), SqliteConsents(folder, clock)


def test_what_one_keeps_all_find(tmp_path: Path) -> None:
    one, other = both(tmp_path, Clock())
    assert run(other.find("ann", "a")) is None
    run(one.keep(ONE))
    assert run(other.find("ann", "a")) == Agreed(b"sealed", 1)
    assert run(other.find("ann", "b")) is None
    run(other.keep(ONE._replace(sealed=b"newer")))
    assert run(one.find("ann", "a")) == Agreed(b"newer", 2)
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    one.close()
    other.close()


def test_one_at_a_time_renews_and_whoever_dies_at_it_is_replaced(tmp_path: Path) -> None:
    clock = Clock()
    one, other = both(tmp_path, clock)
    run(one.keep(ONE))
    assert run(one.lease("ann", "a", 1, 15.0))
    assert not run(other.lease("ann", "a", 1, 15.0))
    clock.now += 16
    assert run(other.lease("ann", "a", 1, 15.0))
    assert run(other.renew(ONE._replace(sealed=b"new"), 1))
    assert run(one.find("ann", "a")) == Agreed(b"new", 2)
    assert not run(one.renew(ONE._replace(sealed=b"old"), 1))
    assert not run(one.lease("ann", "a", 1, 15.0))
    assert run(one.lease("ann", "a", 2, 15.0))
    run(one.free("ann", "a", 2))
    assert run(other.lease("ann", "a", 2, 15.0))
    one.close()
    other.close()


def test_what_has_changed_meanwhile_is_not_dropped(tmp_path: Path) -> None:
    one, other = both(tmp_path, Clock())
    run(one.keep(ONE))
    run(one.keep(ONE))
    assert not run(other.drop("ann", "a", 1))
    assert run(other.drop("ann", "a", 2))
    assert run(one.find("ann", "a")) is None
    one.close()
    other.close()


def test_links_and_browsers_come_once_and_in_time(tmp_path: Path) -> None:
    clock = Clock()
    one, other = both(tmp_path, clock)
    assert run(one.begin("state", b"flow", 1010, "link"))
    assert not run(other.begin("another", b"flow", 1010, "link"))
    assert run(other.take("another")) is None
    assert run(other.take("state")) == b"flow"
    assert run(one.take("state")) is None
    assert run(one.begin("late", b"flow", 1010, "other"))
    clock.now = 1011.0
    assert run(one.take("late")) is None
    assert run(one.begin("state", b"flow", 2000, "third"))
    one.close()
    other.close()


def test_of_several_clients_that_register_one_counts(tmp_path: Path) -> None:
    one, other = both(tmp_path, Clock())
    assert run(one.client("x")) is None
    assert run(one.keep_client("x", b"1", None)) == b"1"
    assert run(other.keep_client("x", b"2", None)) == b"1"
    assert run(other.keep_client("x", b"3", b"1")) == b"3"
    assert run(one.keep_client("x", b"4", b"1")) == b"3"
    assert run(one.client("x")) == b"3"
    run(one.drop_client("x"))
    assert run(other.client("x")) is None
    one.close()
    other.close()


def test_a_file_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    with pytest.raises(ConsentsUnavailable, match="cannot be used"):
        run(SqliteConsents(tmp_path, Clock()).find("ann", "a"))
