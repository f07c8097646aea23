"""What callers have agreed to, as operators see and end it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from extproc.adapters.sqlite_consents import SqliteConsents
from extproc.ports import Ended
from gateway.mcp_consents import FILE
from tests.kit.agreed import SINCE, agreed
from xds_server.consents.desk import ConsentStore
from xds_server.consents.rows import Connection, ConsentsUnavailable, SqliteConsentRows
from xds_server.deeds import Deeds

ANN, AMY, BOB = "aa" * 16, "ab" * 16, "bb" * 16


def store(folder: Path, said: list[str] | None = None) -> ConsentStore:
    return ConsentStore(
        lambda: SqliteConsentRows(folder / FILE),
        Deeds(folder),
        (said if said is not None else []).append,
    )


def test_nobody_has_agreed_yet(tmp_path: Path) -> None:
    assert store(tmp_path).all() == ()
    assert not (tmp_path / FILE).exists()


def test_what_is_ended_is_gone_and_left_for_a_worker_to_revoke(tmp_path: Path) -> None:
    agreed(tmp_path, (ANN, "a", "key ann", 5), (AMY, "a", "key amy", 0), (ANN, "b", "key ann", 0))
    said: list[str] = []
    of = store(tmp_path, said)
    ann = Connection(ANN, "key ann", "a", SINCE, 5)
    assert ann in of.all()
    assert "several callers" in str(of.end("a", "a", "root"))
    assert "nobody" in str(of.end("a", "", "root"))
    assert "nobody" in str(of.end("c", ANN, "root"))
    assert of.end("a", "aaa", "root") == ann
    assert [(each.id, each.server) for each in of.all()] == [(AMY, "a"), (ANN, "b")]
    assert said == ["root has disconnected key ann from the MCP server 'a'"]
    worker = SqliteConsents(tmp_path, lambda: SINCE + 1.0)
    assert asyncio.run(worker.find(ANN, "a")) is None
    assert asyncio.run(worker.ended(15.0)) == [Ended(ANN, "a", b"sealed", 1)]
    assert asyncio.run(worker.ended(15.0)) == []
    assert asyncio.run(worker.drop(ANN, "a", 1))
    worker.close()


def test_whoever_agrees_again_is_not_ended_after_that(tmp_path: Path) -> None:
    agreed(tmp_path, (ANN, "a", "key ann", 5))
    assert isinstance(store(tmp_path).end("a", ANN, "root"), Connection)
    agreed(tmp_path, (ANN, "a", "key ann", 9))
    worker = SqliteConsents(tmp_path, lambda: SINCE + 1.0)
    assert asyncio.run(worker.ended(15.0)) == []
    assert asyncio.run(worker.find(ANN, "a")) is not None
    worker.close()


def test_it_is_written_down_who_ended_it(tmp_path: Path) -> None:
    agreed(tmp_path, (BOB, "a", "key bob", 0))
    notes: list[tuple[str, object]] = []

    class Noted(Deeds):
        def note(self, deed: str, told: object) -> None:  # type: ignore[override]
            notes.append((deed, told))

    rows = SqliteConsentRows(tmp_path / FILE)
    ConsentStore(lambda: rows, Noted(tmp_path), lambda _: None).end("a", BOB, "root")
    told = {"who": "root", "server": "a", "caller": "key bob", "id": BOB}
    assert notes == [("mcp.disconnected", told)]


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("no database " * 100)
    with pytest.raises(ConsentsUnavailable):
        store(tmp_path).all()
