"""What operators do is in the audit log of the configuration that is in force."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.audit_log.reading import records, verify
from gateway.audit_log.terms import AuditTerms
from gateway.problem import Problem
from gateway.virtual_keys import VirtualKey, hashed
from tests.kit.releases import release
from tests.kit.stack import eventually
from xds_server.deeds import AuditedKeyStore, Deeds
from xds_server.history import Origin
from xds_server.keys.store import Deed, KeysUnavailable, SqliteKeyStore, Taken


def said(folder: Path, *without: str) -> list[dict[str, Any]]:
    left_out = {"writer", "seq", "previous", "time", *without}
    lines = (json.loads(line) for line in records(folder))
    return [{name: each[name] for name in each if name not in left_out} for each in lines]


def test_configurations_are_written_where_they_say(tmp_path: Path) -> None:
    deeds = Deeds(tmp_path)
    first = AuditTerms(path="one")
    deeds.in_force(release("1", first), Origin.START)
    deeds.refused([Problem("llm", "is wrong, password=hunter22 too"), Problem("", "so")])
    deeds.in_force(release("2", replace(first, is_all=True)), Origin.CHANGE)
    deeds.in_force(release("2", replace(first, is_all=True)), Origin.CHANGE)
    deeds.in_force(release("3", AuditTerms(path="two")), Origin.ROLLBACK)
    deeds.in_force(release("4", None), Origin.CHANGE)
    deeds.note("nobody", {})
    deeds.close()
    moved = {
        "event": "configuration.in_force",
        "version": "3",
        "config": "w3",
        "origin": "rollback",
    }
    assert said(tmp_path / "one") == [
        {"event": "log.begin"},
        {"event": "configuration.in_force", "version": "1", "config": "w1", "origin": "start"},
        {
            "event": "configuration.refused",
            "problems": 2,
            "reason": "llm: is wrong, password=[redacted] too",
        },
        {"event": "configuration.in_force", "version": "2", "config": "w2", "origin": "change"},
        moved,
    ]
    assert said(tmp_path / "two") == [
        {"event": "log.begin"},
        moved,
        {"event": "configuration.in_force", "version": "4", "config": "w4", "origin": "change"},
    ]
    assert not [flaw for each in verify(tmp_path / "one") for flaw in each.flaws]


def key(id: str, name: str) -> VirtualKey:
    return VirtualKey(id, name, (hashed("very-secret", b"salt"),), 7)


def test_changes_of_keys_are_written_when_they_were_made(tmp_path: Path) -> None:
    deeds = Deeds(tmp_path)
    deeds.in_force(release("1", AuditTerms()), Origin.START)
    store = AuditedKeyStore(SqliteKeyStore(tmp_path / "ledger.db"), deeds)
    store.add([key("a" * 16, "ann"), key("b" * 16, "bob")], Deed(1, "root", "import"))
    with pytest.raises(Taken):
        store.add([key("a" * 16, "ann")], Deed(2, "root", "create"))
    assert store.change("nobody", lambda found: found, Deed(3, "root", "revoke")) is None
    store.change("ann", lambda found: found, Deed(3, "root", "rotate", "keep 24h"))
    store.remove("bob", Deed(4, "eve", "delete"))
    deeds.close()
    (_, _, *found) = said(tmp_path / "audit")
    assert found == [
        {"event": "key.import", "who": "root", "key": "ann", "key_id": "a" * 16},
        {"event": "key.import", "who": "root", "key": "bob", "key_id": "b" * 16},
        {
            "event": "key.rotate",
            "who": "root",
            "key": "ann",
            "key_id": "a" * 16,
            "details": "keep 24h",
        },
        {"event": "key.delete", "who": "eve", "key": "bob", "key_id": "b" * 16},
    ]
    assert [each.deed.what for each in store.log(None, 10)] == [
        "delete",
        "rotate",
        "import",
        "import",
    ]
    assert store.find("ann") is not None
    assert len(store.page("", 10)) == 1


@pytest.mark.parametrize("is_strict", [True, False])
def test_keys_are_not_changed_unseen(tmp_path: Path, is_strict: bool) -> None:
    (tmp_path / "audit").write_text("in the way")
    deeds = Deeds(tmp_path)
    deeds.in_force(release("1", AuditTerms(is_strict=is_strict)), Origin.START)
    store = AuditedKeyStore(SqliteKeyStore(tmp_path / "ledger.db"), deeds)
    if not is_strict:
        store.add([key("a" * 16, "ann")], Deed(1, "root", "create"))
        assert store.find("ann") is not None
    else:
        eventually(lambda: deeds.is_blocked, "it is known")
        with pytest.raises(KeysUnavailable, match="audit log"):
            store.add([key("a" * 16, "ann")], Deed(1, "root", "create"))
        assert store.find("ann") is None
    (tmp_path / "audit").unlink()
    eventually(lambda: not deeds.is_blocked, "it is written")
    deeds.close()
