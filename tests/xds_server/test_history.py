"""The history in a real folder: what is kept, what is lost, and what that changes."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from xds_server.history import FOLDER, PIN_FILE, Entry, History, Origin, Pin, Sources

SECRET = "sk-very-secret-key"
START = datetime(2026, 3, 1, tzinfo=UTC)


class Clock:
    """Goes where it is sent."""

    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> datetime:
        return self.time


def sources(text: str, root: str = "/etc/dragoman/gateway.yaml", **referenced: str) -> Sources:
    return Sources(root, {root: text}, referenced)


def opened(state_dir: Path, clock: Clock | None = None) -> History:
    return History(state_dir, clock or Clock())


def versions(history: History) -> list[str]:
    return [each.version for each in history.entries]


def remember(history: History, *names: str, limit: int = 20) -> None:
    for name in names:
        history.remember(name, sources(f"# {name}\n"), Origin.CHANGE, limit)


def files(state_dir: Path) -> list[str]:
    return sorted(path.name for path in (state_dir / FOLDER).iterdir())


def test_nothing_is_remembered_at_first_and_nothing_is_made(tmp_path: Path) -> None:
    history = opened(tmp_path / "state")
    assert (history.entries, history.pin, history.trouble) == ((), None, ())
    assert not (tmp_path / "state").exists()


def test_the_latest_stands_first_and_survives_a_start(tmp_path: Path) -> None:
    history = opened(tmp_path)
    remember(history, "one", "two")
    assert versions(history) == ["two", "one"]
    again = opened(tmp_path)
    assert again.entries == history.entries
    assert again.entries[0] == Entry(
        "two", "2026-03-01T00:00:00+00:00", Origin.CHANGE, sources("# two\n"), 2
    )


def test_only_the_last_ones_are_kept(tmp_path: Path) -> None:
    history = opened(tmp_path)
    remember(history, "one", "two", "three", "four", limit=2)
    assert versions(history) == ["four", "three"]
    assert files(tmp_path) == ["00000003-three.json", "00000004-four.json"]
    remember(history, "five", limit=1)
    assert versions(opened(tmp_path)) == ["five"]


def test_equal_configurations_in_a_row_are_one(tmp_path: Path) -> None:
    history = opened(tmp_path)
    remember(history, "one", "one", "two", "one")
    assert versions(history) == ["one", "two", "one"]
    remember(opened(tmp_path), "one")
    assert len(files(tmp_path)) == 3


def test_a_referenced_file_that_changed_makes_another_one(tmp_path: Path) -> None:
    history = opened(tmp_path)
    for digest in ("a", "a", "b"):
        history.remember("one", sources("x", cert=digest), Origin.CHANGE, 20)
    assert [each.sources.referenced for each in history.entries] == [{"cert": "b"}, {"cert": "a"}]


def test_a_clock_that_jumps_changes_no_order(tmp_path: Path) -> None:
    clock = Clock()
    history = opened(tmp_path, clock)
    for days in (0, -4000, 9000):
        clock.time = START + timedelta(days=days)
        remember(history, f"at{days}", limit=3)
    clock.time = START - timedelta(days=9999)
    remember(history, "latest", limit=3)
    assert versions(history) == ["latest", "at9000", "at-4000"]
    assert versions(opened(tmp_path)) == ["latest", "at9000", "at-4000"]


def test_one_is_found_by_its_version_or_its_number(tmp_path: Path) -> None:
    history = opened(tmp_path)
    remember(history, "one", "two", "one")
    found = [history.find(wanted) for wanted in ("one", "1", "2", "three", "")]
    assert [each and each.number for each in found] == [3, 1, 2, None, None]


def test_only_we_may_read_it(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir(mode=0o755)
    history = opened(tmp_path)
    history.remember("one", sources(SECRET), Origin.START, 20)
    history.set_pin(Pin(history.entries[0], "digest"))
    assert stat.S_IMODE((tmp_path / FOLDER).stat().st_mode) == 0o700
    for name in files(tmp_path):
        assert stat.S_IMODE((tmp_path / FOLDER / name).stat().st_mode) == 0o600
    assert SECRET not in repr(history.entries)
    assert SECRET not in repr(history.pin)


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def other_text(data: bytes) -> bytes:
    return data.replace(b"# two", b"# tow")


def no_object(data: bytes) -> bytes:
    return b"[]"


def nothing(data: bytes) -> bytes:
    return b""


@pytest.mark.parametrize("damage", [cut, other_text, no_object, nothing])
def test_a_damaged_file_is_named_and_left_out(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    remember(opened(tmp_path), "one", "two", "three")
    file = tmp_path / FOLDER / "00000002-two.json"
    file.write_bytes(damage(file.read_bytes()))
    history = opened(tmp_path)
    assert versions(history) == ["three", "one"]
    (line,) = history.trouble
    assert line.startswith(f"{file} is left out: ")
    remember(history, "four")
    assert versions(opened(tmp_path)) == ["four", "three", "one"]


def test_a_file_that_somebody_else_has_put_there_removes_no_other(tmp_path: Path) -> None:
    history = opened(tmp_path)
    remember(history, "../../mine")
    assert history.trouble  # there is no such folder
    remember(history, "one")
    (file,) = (tmp_path / FOLDER).iterdir()
    file.rename(file.with_name("00000009-else.json"))
    os.mkfifo(tmp_path / FOLDER / "pipe.json")
    again = opened(tmp_path)
    assert again.entries == ()
    assert [line.partition(" is left out")[0] for line in again.trouble] == [
        str(tmp_path / FOLDER / "00000009-else.json"),
        str(tmp_path / FOLDER / "pipe.json"),
    ]


def test_what_was_never_finished_is_overwritten(tmp_path: Path) -> None:
    remember(opened(tmp_path), "one")
    (tmp_path / FOLDER / "unfinished").write_text('{"entry": {' + " " * 9999)
    history = opened(tmp_path)
    assert (versions(history), history.trouble) == (["one"], ())
    remember(history, "two")
    assert files(tmp_path) == ["00000001-one.json", "00000002-two.json"]
    assert versions(opened(tmp_path)) == ["two", "one"]


def test_a_folder_that_cannot_be_written_is_told_and_memory_serves(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.write_text("not a folder")
    history = opened(state)
    remember(history, "one", "two")
    assert versions(history) == ["two", "one"]
    assert history.find("one") is not None
    assert "could not be written: " in history.trouble[-1]
    state.unlink()
    remember(history, "three")
    assert versions(opened(state)) == ["three", "two", "one"]
    assert history.trouble == ()


def test_a_full_disk_is_told_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    history = opened(tmp_path)
    remember(history, "one")
    # /dev/full answers every write as a full disk does
    (tmp_path / FOLDER / "unfinished").symlink_to("/dev/full")
    remember(history, "two")
    assert files(tmp_path) == ["00000001-one.json"]
    assert history.trouble == (
        f"{tmp_path}/{FOLDER}/00000002-two.json could not be written: no space left on device",
    )
    assert versions(history) == ["two", "one"]
    remember(history, "two")
    assert history.trouble == ()
    assert versions(opened(tmp_path)) == ["two", "one"]


def test_the_pin_survives_a_start_until_it_is_removed(tmp_path: Path) -> None:
    history = opened(tmp_path)
    remember(history, "one", "two")
    entry = history.find("one")
    assert entry is not None
    history.set_pin(Pin(entry, "digest of the file"))
    again = opened(tmp_path)
    assert again.pin == Pin(entry, "digest of the file")
    remember(again, "three", "four", limit=1)
    assert opened(tmp_path).pin == Pin(entry, "digest of the file")
    again.remove_pin()
    again.remove_pin()
    assert opened(tmp_path).pin is None


def test_a_damaged_pin_is_named_and_the_file_counts(tmp_path: Path) -> None:
    history = opened(tmp_path)
    remember(history, "one")
    history.set_pin(Pin(history.entries[0], "digest"))
    file = tmp_path / FOLDER / PIN_FILE
    stored = json.loads(file.read_text())
    file.write_text(json.dumps({**stored, "overrides": "another"}))
    again = opened(tmp_path)
    assert again.pin is None
    assert again.trouble == (f"{file} is left out: its digest does not match",)


def test_a_digest_is_of_the_texts_wherever_they_lie() -> None:
    here = Sources("/a/g.yaml", {"/a/g.yaml": "x", "/a/parts/p.yaml": "y"})
    there = Sources("/b/c/g.yaml", {"/b/c/parts/p.yaml": "y", "/b/c/g.yaml": "x"}, {"/k": "1"})
    assert here.digest() == there.digest()
    others = (
        Sources("/a/g.yaml", {"/a/g.yaml": "x", "/a/parts/p.yaml": "z"}),
        Sources("/a/g.yaml", {"/a/g.yaml": "x", "/a/parts/q.yaml": "y"}),
        Sources("/a/g.yaml", {"/a/g.yaml": "xy", "/a/parts/p.yaml": ""}),
        Sources("/a/g.yaml", {"/a/g.yaml": "x"}),
    )
    assert len({here.digest(), *(each.digest() for each in others)}) == 5
