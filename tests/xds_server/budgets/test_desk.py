"""Which counters a budget's name means, and what is said of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.config.load import load
from gateway.config.schema import Config
from gateway.ledger_place import LedgerPlace
from gateway.model import Gateway
from gateway.resolve import resolve
from tests.xds_server.keys.test_desk import World as Keys
from xds_server.budgets.alerted import AlertedKeys
from xds_server.budgets.desk import Desk, Reset, TopUp
from xds_server.budgets.stores import store_at
from xds_server.keys.desk import Refused

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC).timestamp()
MONTH = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp())
CONFIG = """
gateways: {default: {port: 8080}}
identity: {api_keys: {enabled: true}}
llm:
  providers: {p: {type: openai, key: k}}
  models: {m: p/gpt-5}
budgets:
  - {name: company, limit: 5000 USD, per: month}
  - {name: each-team, for: {team: "*"}, limit: 500 USD, per: month}
  - {name: red-models, for: {team: red, model: "gpt-*"}, by: "principal.tags['x']",
     limit: 1M tokens, per: day}
  - {name: burst, for: {user: "*"}, limit: 200k tokens, per: rolling 24h}
"""


@dataclass(slots=True)
class World:
    keys: Keys
    gateway: Gateway | None
    now: float = NOON

    def desk(self) -> Desk:
        file = self.keys.folder / "ledger.db"
        return Desk(
            lambda: store_at(file, LedgerPlace()),
            lambda: self.gateway,
            self.keys.desk().store,
            lambda: self.now,
            self.keys.random,
        )


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(Keys(tmp_path), loaded(CONFIG))


def loaded(text: str) -> Gateway:
    config = load(text, file="gateway.yaml", environment={})
    assert isinstance(config, Config), config
    return resolve(config)


def done(told: object) -> dict[str, Any]:
    assert isinstance(told, dict), told
    return told


def refused(told: object) -> tuple[int, list[str]]:
    assert isinstance(told, Refused), told
    return told.status, [str(each) for each in told.problems]


def counters(world: World) -> list[tuple[str, int, int]]:
    found = world.desk().store().counters()
    return [(each.counter, each.window_start, each.topped_up) for each in found]


def top_up(world: World, budget: str, amount: str, request_id: str = "", **of: str) -> object:
    asked = TopUp(budget, amount, "they asked for it", of, request_id)
    return world.desk().top_up(asked, "ann@::1")


def test_a_top_up_raises_the_limit_of_the_present_period(world: World) -> None:
    told = done(top_up(world, "each-team", "50 USD", team="red"))
    assert counters(world) == [("each-team|team=red", MONTH, 50 * 10**9)]
    assert told["limit"] == "550 USD"
    assert (told["who"], told["at"], told["why"]) == (
        "ann@::1",
        "2026-11-26T12:00:00Z",
        "they asked for it",
    )
    (row,) = world.desk().shown()["budgets"]
    assert row == {
        "budget": "each-team",
        "of": {"team": "red"},
        "unit": "nanodollars",
        "limit": 500 * 10**9,
        "topped_up": 50 * 10**9,
        "settled": 0,
        "reserved": 0,
        "left": 550 * 10**9,
        "since": "2026-11-01T00:00:00Z",
        "until": "2026-12-01T00:00:00Z",
    }
    world.now += 30 * 86400
    assert world.desk().shown()["budgets"] == []
    assert len(world.desk().shown()["counters"]) == 1


def test_asking_again_by_the_same_id_tells_the_same(world: World) -> None:
    first = done(top_up(world, "company", "1 USD", "r1"))
    world.now += 40 * 86400  # also in another period
    again = done(top_up(world, "company", "1 USD", "r1"))
    assert again == {**first, "is_repeated": True}
    assert counters(world)[0] == ("company", MONTH, 10**9)
    assert sum(raised for _, _, raised in counters(world)) == 10**9
    assert refused(top_up(world, "company", "2 USD", "r1"))[0] == 409
    other = done(top_up(world, "company", "1 USD"))
    assert other["request_id"] not in ("", "r1")


def test_what_a_budget_counts_apart_must_be_said(world: World) -> None:
    assert refused(top_up(world, "each-team", "1 USD")) == (
        400,
        ["of.team: 'each-team' counts each apart: say which"],
    )
    assert refused(top_up(world, "each-team", "1 USD", user="u")) == (
        400,
        ["of.user: 'each-team' does not count by it (known: team)"],
    )
    name = "red-models"
    told = done(top_up(world, name, "5 tokens", model="gpt-5", by="a|b"))
    assert told["of"] == {"team": "red", "model": "gpt-5", "by": "a|b"}
    assert refused(top_up(world, name, "5 tokens", model="claude", by="a"))[1] == [
        "of.model: 'red-models' is for 'gpt-*', not 'claude'"
    ]
    assert refused(top_up(world, name, "5 tokens", model="gpt-5"))[1] == [
        "of.by: 'red-models' counts each apart: say which"
    ]
    assert done(top_up(world, name, "5 tokens", model="gpt-5", by=""))["of"]["by"] == ""


def test_what_is_wrong_is_said_at_once_and_changes_nothing(world: World) -> None:
    asked = TopUp("compny", "1 USD", " ")
    assert refused(world.desk().top_up(asked, "ann")) == (
        400,
        [
            "why: must be said, for the log",
            "budget: no budget 'compny' is in force (did you mean 'company'?)",
        ],
    )
    for amount in ("5", "-5 USD", "5 EUR", "0 USD", "99999999999999 USD"):
        assert refused(top_up(world, "company", amount))[1][0].startswith("amount: must be")
    assert refused(top_up(world, "company", "5 tokens"))[1] == [
        "amount: 'company' does not count tokens"
    ]
    assert refused(top_up(world, "company", "1 USD", "a\nb"))[1][0].startswith(
        "request_id: must be"
    )
    assert refused(world.desk().reset(Reset("company", "y" * 501), "ann"))[1][0].startswith("why:")
    assert counters(world) == []


def test_more_than_the_ledger_holds_is_refused(world: World) -> None:
    assert done(top_up(world, "company", "1000000000 USD"))
    assert refused(top_up(world, "company", "1500000000 USD"))[0] == 409


def test_of_a_rolling_budget_every_window_is_topped_up(world: World) -> None:
    told = done(top_up(world, "burst", "5k tokens", user="u"))
    assert (told["budget"], told["of"], told["amount"]) == ("burst", {"user": "u"}, 5000)
    found = counters(world)
    assert len(found) == 13
    assert {name for name, _, _ in found} == {
        f"burst|tokens|user=u|window={phase}" for phase in range(13)
    }
    (row,) = world.desk().shown()["budgets"]
    assert (row["limit"], row["topped_up"], row["left"]) == (200_000, 5000, 205_000)


def test_a_reset_is_of_the_present_period(world: World) -> None:
    top_up(world, "company", "1 USD")
    told = done(world.desk().reset(Reset("company", "a mistake"), "ann"))
    assert (told["what"], told["amount"], told["limit"]) == ("reset", 0, "5001 USD")


def test_a_keys_own_budgets_are_known_by_its_name_and_its_id(world: World) -> None:
    said = {
        "name": "ci",
        "budgets": [
            {"limit": "5 USD", "per": "day"},
            {"limit": "1M tokens", "per": "day"},
            {"limit": "9 USD", "per": "rolling 24h"},
        ],
    }
    key = done(world.keys.desk().create(said, "ann"))
    by_name = done(top_up(world, "key:ci:day", "1 USD"))
    assert by_name["budget"] == f"key:{key['id']}:day"
    assert done(top_up(world, f"key:{key['id']}:day", "1k tokens"))["unit"] == "tokens"
    assert done(top_up(world, "key:ci:rolling-1d", "1 USD"))["limit"] == "10 USD"
    desk = world.desk()
    assert refused(desk.reset(Reset("key:ci:day", "x"), "ann")) == (
        400,
        ["unit: must be said: the key has a budget of each"],
    )
    assert done(desk.reset(Reset("key:ci:day", "x", unit="tokens"), "ann"))["unit"] == "tokens"
    assert refused(desk.reset(Reset("key:ci:day", "x", unit="EUR"), "ann"))[0] == 400
    assert refused(top_up(world, "key:other:day", "1 USD"))[0] == 400
    assert len(desk.shown()["budgets"]) == 3


def test_where_a_keys_own_budget_stands_is_told_where_somebody_asks(world: World) -> None:
    said = {"name": "ci", "budgets": [{"limit": "5 USD", "per": "day", "alerts": [{"at": "1%"}]}]}
    done(world.keys.desk().create(said, "ann"))
    top_up(world, "key:ci:day", "1 USD")
    top_up(world, "company", "1 USD")
    owned = AlertedKeys(world.keys.desk().store).look()
    standings = world.desk().standings(owned)
    assert [(each.budget.name, each.key) for each in standings] == [
        ("company", ""),
        (owned[0].budget.name, "ci"),
    ]
    assert [each.budget.name for each in world.desk().standings()] == ["company"]


def test_the_log_tells_who_did_what_the_newest_first(world: World) -> None:
    top_up(world, "company", "1 USD", "r1")
    top_up(world, "each-team", "2 USD", "r2", team="red")
    world.desk().reset(Reset("company", "again", request_id="r3"), "bob@::1")
    desk = world.desk()
    entries = desk.log(None, "")["entries"]
    assert [each["request_id"] for each in entries] == ["r3", "r2", "r1"]
    assert entries[0] == {
        "seq": 3,
        "at": "2026-11-26T12:00:00Z",
        "who": "bob@::1",
        "what": "reset",
        "budget": "company",
        "of": {},
        "unit": "nanodollars",
        "amount": 0,
        "why": "again",
        "request_id": "r3",
        "settled_before": 0,
        "reserved_before": 0,
        "topped_up_before": 10**9,
        "window_start": MONTH,
    }
    assert [each["request_id"] for each in desk.log(None, "company")["entries"]] == ["r3", "r1"]
    assert [each["request_id"] for each in desk.log(3, "company")["entries"]] == ["r1"]
    assert [each["request_id"] for each in desk.log(None, "", 1)["entries"]] == ["r3"]


def test_without_a_configuration_no_budget_is_known(world: World) -> None:
    top_up(world, "company", "1 USD")
    world.gateway = None
    assert world.desk().shown()["budgets"] == []
    assert refused(top_up(world, "company", "1 USD"))[0] == 400
