"""What workers of a machine know of tools, and what operators do to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from extproc.adapters.tool_pins import SqliteToolPins
from extproc.ports import Pin, PinsUnavailable, Seen
from gateway.mcp_pins import FILE
from xds_server.deeds import Deeds
from xds_server.tool_pins import ToolPinStore


def pins(folder: Path) -> SqliteToolPins:
    return SqliteToolPins(folder, lambda: 1_700_000_000.5)


def test_all_workers_see_what_one_has_written(tmp_path: Path) -> None:
    one, other = pins(tmp_path), pins(tmp_path)
    assert one.of("a") == {}
    assert other.of("a") == {}
    one.put("a", [Seen("x", "1", "1", "{}"), Seen("y", "", "2", "{}")])
    assert one.of("a") == other.of("a") == {"x": Pin("1", "1"), "y": Pin("", "2")}
    assert other.of("b") == {}
    one.close()
    other.close()
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


def test_what_is_known_stays_until_somebody_approves(tmp_path: Path) -> None:
    of = pins(tmp_path)
    of.put("a", [Seen("x", "1", "1", "{}")])
    of.put("a", [Seen("x", "2", "2", '{"n":1}')])
    assert of.of("a") == {"x": Pin("1", "2")}
    store = ToolPinStore(tmp_path, Deeds(tmp_path), lambda _: None)
    assert not isinstance(store.approve("a", "x", "2", "ann"), str)
    assert of.of("a") == {"x": Pin("2", "2")}


def test_a_file_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("no database, and longer than a header of one " * 50)
    of = pins(tmp_path)
    with pytest.raises(PinsUnavailable, match="cannot be read"):
        of.of("a")
    with pytest.raises(PinsUnavailable, match="cannot be written"):
        of.put("a", [Seen("x", "1", "1", "{}")])
