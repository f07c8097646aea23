"""Keys are made, changed, rotated, revoked and forgotten; each by whom is written down."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.virtual_keys import Parts, parse, to_json
from xds_server.keys.desk import MOST_IMPORTED, Desk, Refused
from xds_server.keys.store import SqliteKeyStore

NOW = 1_800_000_000


@dataclass(slots=True)
class World:
    """A clock that is set, and random bytes that differ."""

    folder: Path
    now: float = NOW
    drawn: int = 0
    of_file: set[str] = field(default_factory=set)

    def random(self, size: int) -> bytes:
        self.drawn += 1
        return self.drawn.to_bytes(size, "big")

    def desk(self) -> Desk:
        store = SqliteKeyStore(self.folder / "ledger.db")
        return Desk(store, lambda: self.now, self.random, lambda: self.of_file)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def done(told: object) -> dict[str, Any]:
    assert isinstance(told, dict), told
    return told


def refused(told: object) -> tuple[int, list[str]]:
    assert isinstance(told, Refused), told
    return told.status, [str(each) for each in told.problems]


def opens(world: World, text: str) -> bool:
    """As a worker judges it."""
    parts = parse(text)
    assert parts is not None
    found = world.desk().store.find(parts.id)
    return found is not None and found.key.is_valid(world.now) and _accepts(found.key, parts, world)


def _accepts(key: Any, parts: Parts, world: World) -> bool:
    return bool(key.accepts(parts.secret, world.now))


def test_a_key_is_shown_once_and_never_again(world: World) -> None:
    desk = world.desk()
    made = done(desk.create({"name": "ci", "team": "red"}, "ann"))
    text = made.pop("key")
    assert opens(world, text)
    assert made == {
        "id": parse(text).id,  # type: ignore[union-attr]
        "name": "ci",
        "team": "red",
        "enabled": True,
        "state": "valid",
        "created": "2027-01-15T08:00:00Z",
    }
    assert done(desk.show("ci")) == made == done(desk.show(made["id"]))
    secret = parse(text).secret  # type: ignore[union-attr]
    everything = json.dumps([desk.page("", {}), desk.log(None, "")])
    exported = b"".join(map(to_json, desk.export())).decode()
    assert secret not in everything + exported
    assert secret.encode() not in (world.folder / "ledger.db").read_bytes()


def test_what_is_wrong_makes_nothing(world: World) -> None:
    desk = world.desk()
    status, problems = refused(desk.create({"name": "-", "teem": "a"}, "ann"))
    assert status == 400
    assert [each.partition(":")[0] for each in problems] == ["name", "teem"]
    assert refused(desk.create({"name": "a", "expires": "2020-01-01T00:00Z"}, "ann")) == (
        400,
        ["expires: has passed: 2020-01-01T00:00Z"],
    )
    assert desk.page("", {}) == {"keys": [], "next": None}
    assert desk.log(None, "") == {"entries": []}


def test_names_are_unique_among_the_keys_of_the_file_too(world: World) -> None:
    desk = world.desk()
    done(desk.create({"name": "ci"}, "ann"))
    done(desk.create({"name": "cd"}, "ann"))
    world.of_file.add("filed")
    taken = "name: there is a key '{}' already"
    assert refused(desk.create({"name": "ci"}, "ann")) == (409, [taken.format("ci")])
    assert refused(desk.create({"name": "filed"}, "ann")) == (409, [taken.format("filed")])
    assert refused(desk.change("ci", {"name": "filed"}, "ann")) == (409, [taken.format("filed")])
    assert refused(desk.change("ci", {"name": "cd"}, "ann"))[0] == 409
    assert done(desk.change("ci", {"name": "other"}, "ann"))["name"] == "other"


def test_what_is_changed_is_changed_and_nothing_else(world: World) -> None:
    desk = world.desk()
    made = done(desk.create({"name": "ci", "team": "red", "expires": "90d"}, "ann"))
    text = made.pop("key")
    world.now += 86_400
    changed = done(desk.change("ci", {"team": None, "models": ["gpt-*"]}, "bob"))
    assert changed == {n: v for n, v in made.items() if n != "team"} | {"models": ["gpt-*"]}
    assert opens(world, text)
    disabled = done(desk.change("ci", {"enabled": False}, "bob"))
    assert disabled["state"] == "disabled"
    assert not opens(world, text)
    done(desk.change("ci", {"enabled": True}, "bob"))
    assert opens(world, text)


@pytest.mark.parametrize("said", [{}, [], None, "team"])
def test_nothing_to_change_is_a_mistake(world: World, said: object) -> None:
    done(world.desk().create({"name": "ci"}, "ann"))
    assert refused(world.desk().change("ci", said, "a")) == (400, ["nothing to change was said"])


def test_after_a_rotation_both_work_for_a_while(world: World) -> None:
    desk = world.desk()
    first = done(desk.create({"name": "ci"}, "ann"))["key"]
    rotated = done(desk.rotate("ci", "1h", "ann"))
    second = rotated["key"]
    assert rotated["previous_works_until"] == "2027-01-15T09:00:00Z"
    assert parse(first).id == parse(second).id  # type: ignore[union-attr]
    assert opens(world, first)
    assert opens(world, second)
    world.now += 3600
    assert not opens(world, first)
    assert opens(world, second)
    assert "previous_works_until" not in done(desk.show("ci"))


def test_no_more_than_two_work_and_an_older_one_can_be_cut_at_once(world: World) -> None:
    desk = world.desk()
    texts = [done(desk.create({"name": "ci"}, "ann"))["key"]]
    texts += [done(desk.rotate("ci", "24h", "ann"))["key"] for _ in range(2)]
    assert [opens(world, text) for text in texts] == [False, True, True]
    texts.append(done(desk.rotate("ci", "0", "ann"))["key"])
    assert [opens(world, text) for text in texts] == [False, False, False, True]
    assert refused(desk.rotate("ci", "soon", "ann")) == (
        400,
        ["keep: must be a time, not 'soon' (such as 24h or 30m, or 0)"],
    )


def test_a_revoked_key_never_works_again_and_stays_in_the_list(world: World) -> None:
    desk = world.desk()
    text = done(desk.create({"name": "ci"}, "ann"))["key"]
    revoked = done(desk.revoke("ci", "bob"))
    assert (revoked["state"], revoked["revoked"]) == ("revoked", "2027-01-15T08:00:00Z")
    assert not opens(world, text)
    for again in (desk.revoke("ci", "bob"), desk.rotate("ci", "1h", "bob")):
        assert refused(again) == (409, ["the key 'ci' is revoked"])
    done(desk.change("ci", {"enabled": True}, "bob"))
    assert not opens(world, text)
    assert desk.page("", {})["keys"][0]["state"] == "revoked"


def test_a_deleted_key_is_gone_and_its_name_is_free(world: World) -> None:
    desk = world.desk()
    text = done(desk.create({"name": "ci"}, "ann"))["key"]
    assert done(desk.delete("ci", "bob"))["name"] == "ci"
    assert refused(desk.show("ci")) == (404, ["no key 'ci'"])
    assert not opens(world, text)
    done(desk.create({"name": "ci"}, "ann"))
    assert not opens(world, text)


@pytest.mark.parametrize("what", ["show", "revoke", "delete", "rotate", "change"])
def test_a_key_that_is_not_there_is_said_to_be_missing(world: World, what: str) -> None:
    desk = world.desk()
    asked = {
        "show": lambda: desk.show("x"),
        "revoke": lambda: desk.revoke("x", "a"),
        "delete": lambda: desk.delete("x", "a"),
        "rotate": lambda: desk.rotate("x", "1h", "a"),
        "change": lambda: desk.change("x", {"team": "a"}, "a"),
    }
    assert refused(asked[what]()) == (404, ["no key 'x'"])


def test_an_expired_key_is_called_so(world: World) -> None:
    text = done(world.desk().create({"name": "ci", "expires": "30m"}, "ann"))["key"]
    assert opens(world, text)
    world.now += 1800
    assert not opens(world, text)
    assert done(world.desk().show("ci"))["state"] == "expired"


def test_who_did_what_is_written_down(world: World) -> None:
    desk = world.desk()
    done(desk.create({"name": "ci", "team": "red"}, "ann"))
    world.now += 60
    done(desk.change("ci", {"team": "blue"}, "bob"))
    done(desk.rotate("ci", "1h", "bob"))
    done(desk.revoke("ci", "eve"))
    done(desk.delete("ci", "eve"))
    done(desk.create({"name": "other"}, "ann"))
    entries = desk.log(None, "ci")["entries"]
    assert [(each["who"], each["what"], each["details"]) for each in entries] == [
        ("eve", "delete", ""),
        ("eve", "revoke", ""),
        ("bob", "rotate", "keep 1h"),
        ("bob", "change", '{"team":"blue"}'),
        ("ann", "create", '{"name":"ci","team":"red","enabled":true}'),
    ]
    assert (entries[0]["at"], entries[-1]["at"]) == ("2027-01-15T08:01:00Z", "2027-01-15T08:00:00Z")
    assert len(desk.log(None, "")["entries"]) == 6


def test_pages_follow_each_other(world: World) -> None:
    desk = world.desk()
    for name in ("a", "b", "c"):
        done(desk.create({"name": name, "user": "u"}, "ann"))
    first = desk.page("", {}, limit=2)
    assert ([each["name"] for each in first["keys"]], first["next"]) == (["a", "b"], "b")
    last = desk.page("b", {"user": "u"}, limit=2)
    assert ([each["name"] for each in last["keys"]], last["next"]) == (["c"], None)


def test_what_is_exported_works_where_it_is_imported(world: World, tmp_path: Path) -> None:
    here = world.desk()
    texts = [done(here.create({"name": name, "tags": {"a": "b"}}, "ann"))["key"] for name in "ab"]
    done(here.revoke("b", "ann"))
    lines = [msgspec.json.decode(to_json(each)) for each in here.export()]
    (tmp_path / "there").mkdir()
    there = World(tmp_path / "there", drawn=100)
    assert done(there.desk().import_(lines, "bob")) == {"imported": 2}
    assert [opens(there, text) for text in texts] == [True, False]
    assert list(there.desk().export()) == list(here.export())
    assert there.desk().log(None, "a")["entries"][0]["what"] == "import"


def test_an_import_with_a_mistake_imports_nothing(world: World) -> None:
    desk = world.desk()
    done(desk.create({"name": "a"}, "ann"))
    done(desk.create({"name": "b"}, "ann"))
    lines = [msgspec.json.decode(to_json(each)) for each in desk.export()]
    done(desk.delete("b", "ann"))
    assert refused(desk.import_(lines, "bob")) == (409, ["keys: the name of 'a' is taken"])
    renamed = [lines[1], lines[0] | {"name": "c"}]
    assert refused(desk.import_(renamed, "bob")) == (409, ["keys: the id of 'c' is taken"])
    world.of_file.add("a")
    wrong = [lines[0], lines[1] | {"name": "-"}, {"id": "x"}, lines[1], lines[1], 5]
    status, problems = refused(desk.import_(wrong, "bob"))
    assert status == 400
    assert [each.split(": ")[0] for each in problems] == [
        "keys.0.name",
        "keys.1.name",
        "keys.2",
        "keys.4.name",
        "keys.5",
    ]
    assert [each.name for each in desk.export()] == ["a"]
    status, _ = refused(desk.import_([lines[1]] * (MOST_IMPORTED + 1), "bob"))
    assert status == 400
