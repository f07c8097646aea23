"""Which keys have budgets that somebody is told of: read once, and then what changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.xds_server.keys.test_desk import World, done
from xds_server.budgets.alerted import AlertedKeys
from xds_server.keys.store import KeyStore, SqliteKeyStore, Stored

TOLD = {"limit": "5 USD", "per": "day", "mode": "soft", "alerts": [{"at": "80%"}, {"at": "50%"}]}
QUIET = {"limit": "5 tokens", "per": "day"}


class Asked(SqliteKeyStore):
    """Counts how often all keys are read."""

    reads = 0

    def page(
        self, after: str, limit: int, holder: Mapping[str, str] | None = None
    ) -> Sequence[Stored]:
        self.reads += 1
        return super().page(after, limit, holder)


class Moved(SqliteKeyStore):
    """May be elsewhere later."""

    def move(self, path: Path) -> None:
        super().__init__(path)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def make(world: World, name: str, *budgets: Any) -> None:
    done(world.desk().create({"name": name, "budgets": list(budgets)}, "ann"))


def found(alerted: AlertedKeys) -> list[tuple[str, tuple[int, ...], bool]]:
    return [(each.key, each.budget.alerts, each.budget.is_soft) for each in alerted.look()]


def test_budgets_with_thresholds_are_found_and_no_others(world: World) -> None:
    store: KeyStore = SqliteKeyStore(world.folder / "ledger.db")
    assert found(AlertedKeys(store)) == []
    make(world, "quiet", QUIET)
    make(world, "told", QUIET, TOLD)
    assert found(AlertedKeys(store)) == [("told", (500, 800), True)]


def test_after_the_first_look_only_what_changed_is_read(world: World) -> None:
    store = Asked(world.folder / "ledger.db")
    make(world, "a", TOLD)
    alerted = AlertedKeys(store)
    assert [name for name, _, _ in found(alerted)] == ["a"]
    before = store.reads
    make(world, "b", TOLD)
    done(world.desk().change("a", {"name": "c"}, "ann"))
    assert sorted(name for name, _, _ in found(alerted)) == ["b", "c"]
    done(world.desk().change("c", {"budgets": None}, "ann"))
    assert [name for name, _, _ in found(alerted)] == ["b"]
    done(world.desk().delete("b", "ann"))
    assert found(alerted) == []
    assert store.reads == before


def test_when_very_many_have_changed_all_are_read(world: World) -> None:
    store = Asked(world.folder / "ledger.db")
    make(world, "a", TOLD)
    alerted = AlertedKeys(store, page=2)
    found(alerted)
    before = store.reads
    for name in ("b", "c", "d"):
        make(world, name, TOLD)
    assert sorted(name for name, _, _ in found(alerted)) == ["a", "b", "c", "d"]
    assert store.reads > before


def test_keys_that_are_kept_elsewhere_now_are_read_anew(world: World, tmp_path: Path) -> None:
    make(world, "a", TOLD)
    store = Moved(world.folder / "ledger.db")
    alerted = AlertedKeys(store)
    found(alerted)
    other = World(tmp_path / "other")
    other.folder.mkdir()
    for name in ("b", "c"):
        make(other, name, TOLD)
    store.move(other.folder / "ledger.db")
    assert sorted(name for name, _, _ in found(alerted)) == ["b", "c"]
