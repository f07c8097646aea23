"""Tools that wait for approval, and the approval."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.mcp_pins import FILE
from tests.kit.tool_pins import seen
from xds_server.deeds import Deeds
from xds_server.tool_pins import PinsUnavailable, ToolPinStore


def store(folder: Path, said: list[str] | None = None) -> ToolPinStore:
    return ToolPinStore(folder, Deeds(folder), (said if said is not None else []).append)


def test_nothing_was_ever_listed(tmp_path: Path) -> None:
    assert store(tmp_path).all() == ()
    assert not (tmp_path / FILE).exists()


def test_each_tool_has_a_state(tmp_path: Path) -> None:
    seen(tmp_path, "a", known="1", changed="1 2", new=" 3")
    assert [(each.tool, each.state) for each in store(tmp_path).all()] == [
        ("changed", "changed"),
        ("known", "known"),
        ("new", "new"),
    ]


def test_what_is_approved_is_known_and_told(tmp_path: Path) -> None:
    seen(tmp_path, "a", x="1 2")
    said: list[str] = []
    of = store(tmp_path, said)
    assert of.approve("a", "y", "", "ann") == "the tool 'y' of 'a' was never listed"
    assert of.approve("a", "x", "1", "ann") == "the definition is another by now: 2"
    done = of.approve("a", "x", "2", "ann")
    assert not isinstance(done, str)
    assert said == ["ann has approved the tool 'x' of the MCP server 'a'"]
    (row,) = of.all()
    assert (row.known, row.state, row.known_text) == ("2", "known", row.seen_text)
    assert of.approve("a", "x", "", "ann") == "the tool 'x' of 'a' is approved already"


def test_it_is_written_into_the_audit_log(tmp_path: Path) -> None:
    seen(tmp_path, "a", x="1 2")
    notes: list[tuple[str, object]] = []

    class Noted(Deeds):
        def note(self, event: str, details: object) -> None:  # type: ignore[override]
            notes.append((event, details))

    of = ToolPinStore(tmp_path, Noted(tmp_path), lambda _: None)
    of.approve("a", "x", "", "ann")
    told = {"who": "ann", "server": "a", "tool": "x", "digest": "2"}
    assert notes == [("mcp.tool_approved", told)]
    assert json.dumps(notes)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("no database " * 100)
    with pytest.raises(PinsUnavailable, match=FILE):
        store(tmp_path).all()
