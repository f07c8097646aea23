"""What every store of virtual keys must do; run by subclassing `KeyStoreSuite`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest

from gateway.virtual_keys import VirtualKey, hashed, in_letters
from xds_server.keys.store import Deed, KeyStore, Stored, Taken

NOW = 1_800_000_000
DEED = Deed(NOW, "ann@127.0.0.1", "create")
Read = Callable[[Sequence[str], int], tuple[int, Sequence[str], dict[str, VirtualKey]]]
"""Ids and the last change that is known → the last change, whose keys changed since, the keys."""


def virtual_key(number: int, **terms: object) -> VirtualKey:
    """One of many that differ."""
    id = in_letters(number.to_bytes(10, "big"))
    made = VirtualKey(id, f"key-{number:05}", (hashed("secret", b"salt"),), NOW)
    return msgspec.structs.replace(made, **terms)


def nothing(reading: tuple[int, Sequence[str], dict[str, VirtualKey]], last: int) -> bool:
    """Whether that is the last change, and nothing else was brought."""
    return (reading[0], list(reading[1]), reading[2]) == (last, [], {})


class KeyStoreSuite:
    """The contract of `KeyStore`, and of what workers read of it."""

    def opened(self, directory: Path) -> KeyStore:
        """The store of this directory: all that are opened there are one."""
        raise NotImplementedError

    def read(self, directory: Path) -> Read:
        """A worker's look at it."""
        raise NotImplementedError

    def use(self, directory: Path, ids: Sequence[str], at: int) -> None:
        """As a worker tells that keys were used."""
        raise NotImplementedError

    def test_what_was_never_made_is_not_there(self, tmp_path: Path) -> None:
        store = self.opened(tmp_path)
        assert store.find("any") is None
        assert list(store.page("", 10)) == []
        assert list(store.log(None, 10)) == []
        assert nothing(self.read(tmp_path)(["a"], 0), 0)
        assert store.remove("any", DEED) is None
        assert store.change("any", lambda key: key, DEED) is None
        assert list(store.log(None, 10)) == []

    def test_a_key_is_found_by_name_and_by_id_by_all(self, tmp_path: Path) -> None:
        key = virtual_key(1, tags={"a": "ä"})
        self.opened(tmp_path).add([key], DEED)
        again = self.opened(tmp_path)
        assert again.find(key.id) == again.find(key.name) == Stored(key, None)
        assert self.read(tmp_path)([key.id, "nobody"], 0)[2] == {key.id: key}

    def test_names_and_ids_are_unique_and_all_are_added_or_none(self, tmp_path: Path) -> None:
        store = self.opened(tmp_path)
        store.add([virtual_key(1)], DEED)
        with pytest.raises(Taken, match="name"):
            store.add([virtual_key(2), virtual_key(3, name="key-00001")], DEED)
        with pytest.raises(Taken, match="id"):
            store.add([virtual_key(2), virtual_key(1, name="other")], DEED)
        assert store.find("key-00002") is None
        assert len(store.log(None, 10)) == 1

    def test_a_change_is_made_with_nobody_between(self, tmp_path: Path) -> None:
        store = self.opened(tmp_path)
        store.add([virtual_key(1, team="0")], DEED)

        def count() -> None:
            mine = self.opened(tmp_path)
            for _ in range(20):
                mine.change(
                    "key-00001",
                    lambda key: msgspec.structs.replace(key, team=str(int(key.team) + 1)),
                    DEED,
                )

        threads = [threading.Thread(target=count) for _ in range(3)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        found = store.find("key-00001")
        assert found is not None
        assert found.key.team == "60"

    def test_a_change_that_fails_has_not_happened(self, tmp_path: Path) -> None:
        store = self.opened(tmp_path)
        store.add([virtual_key(1), virtual_key(2)], DEED)

        def fails(key: VirtualKey) -> VirtualKey:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            store.change("key-00001", fails, DEED)
        with pytest.raises(Taken):
            store.change(
                "key-00001", lambda key: msgspec.structs.replace(key, name="key-00002"), DEED
            )
        assert store.find("key-00001") == Stored(virtual_key(1), None)
        assert len(store.log(None, 10)) == 2

    def test_pages_follow_each_other_and_are_of_one_holder(self, tmp_path: Path) -> None:
        store = self.opened(tmp_path)
        keys = [virtual_key(n, team="red" if n % 2 else "blue", user=f"u{n}") for n in range(10)]
        store.add(keys, DEED)
        first = store.page("", 6)
        assert [each.key for each in first] == keys[:6]
        assert [each.key for each in store.page(first[-1].key.name, 6)] == keys[6:]
        assert [each.key for each in store.page("", 9, {"team": "red"})] == keys[1::2]
        assert [each.key for each in store.page("", 9, {"team": "red", "user": "u3"})] == [keys[3]]
        assert store.page("", 9, {"team": "red", "user": "u4"}) == []

    def test_every_change_is_in_the_log_also_of_what_is_gone(self, tmp_path: Path) -> None:
        store = self.opened(tmp_path)
        key = virtual_key(1)
        store.add([key, virtual_key(2)], Deed(NOW, "ann", "create", "{}"))
        store.change(key.id, lambda key: key, Deed(NOW + 1, "bob", "rotate", "keep 1h"))
        assert store.remove(key.name, Deed(NOW + 2, "bob", "delete")) == key
        entries = store.log(None, 10)
        assert [(each.deed.who, each.deed.what, each.id) for each in entries] == [
            ("bob", "delete", key.id),
            ("bob", "rotate", key.id),
            ("ann", "create", virtual_key(2).id),
            ("ann", "create", key.id),
        ]
        assert entries[1].deed == Deed(NOW + 1, "bob", "rotate", "keep 1h")
        assert [each.seq for each in entries] == sorted((e.seq for e in entries), reverse=True)
        assert store.log(entries[1].seq, 1) == entries[2:3]
        assert store.log(None, 10, key.name) == store.log(None, 10, key.id)
        assert len(store.log(None, 10, key.name)) == 3
        assert store.find(key.id) is None

    def test_a_worker_is_told_what_has_changed_since_it_looked(self, tmp_path: Path) -> None:
        store, read = self.opened(tmp_path), self.read(tmp_path)
        keys = [virtual_key(n) for n in range(3)]
        store.add(keys, DEED)
        last, changed, _ = read([], 0)
        assert sorted(changed) == sorted(key.id for key in keys)
        again, changed, found = read([keys[0].id], last)
        assert (again, list(changed), found) == (last, [], {keys[0].id: keys[0]})
        store.change(keys[0].id, lambda key: msgspec.structs.replace(key, enabled=False), DEED)
        store.remove(keys[1].id, DEED)
        later, changed, found = read([keys[0].id, keys[1].id], last)
        assert later > last
        assert sorted(changed) == sorted([keys[0].id, keys[1].id])
        assert found == {keys[0].id: msgspec.structs.replace(keys[0], enabled=False)}
        assert nothing(read([], later), later)

    def test_a_name_that_is_free_again_is_another_key(self, tmp_path: Path) -> None:
        store = self.opened(tmp_path)
        store.add([virtual_key(1)], DEED)
        store.remove("key-00001", DEED)
        store.add([virtual_key(2, name="key-00001")], DEED)
        found = store.find("key-00001")
        assert found is not None
        assert found.key.id == virtual_key(2).id

    def test_uses_are_shown_and_change_nothing(self, tmp_path: Path) -> None:
        store = self.opened(tmp_path)
        key = virtual_key(1)
        store.add([key, virtual_key(2)], DEED)
        last, _, _ = self.read(tmp_path)([], 0)
        self.use(tmp_path, [key.id, "gone"], NOW + 60)
        self.use(tmp_path, [key.id], NOW)  # another worker's, told late
        assert store.find(key.id) == Stored(key, NOW + 60)
        assert [each.last_used for each in store.page("", 5)] == [NOW + 60, None]
        assert nothing(self.read(tmp_path)([], last), last)

    def test_many_keys_are_added_at_once(self, tmp_path: Path) -> None:
        store = self.opened(tmp_path)
        store.add([virtual_key(n) for n in range(2000)], DEED)
        found = store.find("key-01999")
        assert found is not None
        assert self.read(tmp_path)([found.key.id], 0)[2] == {found.key.id: found.key}
