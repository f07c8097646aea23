"""What a worker counts reaches a file soon, and goes on after a restart."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from extproc.adapters.tally import FileTally


class Later:
    """A loop that runs what is due when it is told to."""

    def __init__(self) -> None:
        self.due: list[Callable[[], None]] = []

    def __call__(self, seconds: float, what: Callable[[], None], /) -> object:
        assert seconds > 0
        self.due.append(what)
        return None

    def run(self) -> None:
        due, self.due = self.due, []
        for what in due:
            what()


def rows(folder: Path) -> object:
    (path,) = folder.iterdir()
    return json.loads(path.read_text())


def test_many_counts_are_written_at_once(tmp_path: Path) -> None:
    folder, later = tmp_path / "audits", Later()
    tally = FileTally(folder, "0", later)
    for _ in range(3):
        tally.add("rule", "b", "deny")
    tally.add("rule", "a", "pass")
    assert not folder.exists()
    assert len(later.due) == 1
    later.run()
    assert rows(folder) == [["rule", "a", "pass", 1], ["rule", "b", "deny", 3]]


def test_the_next_worker_of_this_name_goes_on(tmp_path: Path) -> None:
    first = FileTally(tmp_path, "host/1", Later())
    first.add("rule", "a", "deny")
    first.write()
    second = FileTally(tmp_path, "host/1", Later())
    second.add("rule", "a", "deny")
    second.write()
    assert rows(tmp_path) == [["rule", "a", "deny", 2]]


def test_a_damaged_file_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "0.json").write_text("[[")
    tally = FileTally(tmp_path, "0", Later())
    tally.add("rule", "a", "deny")
    tally.write()
    assert rows(tmp_path) == [["rule", "a", "deny", 1]]


def test_what_cannot_be_written_is_written_with_the_next(tmp_path: Path) -> None:
    folder, later = tmp_path / "audits", Later()
    folder.write_text("in the way")
    tally = FileTally(folder, "0", later)
    tally.add("rule", "a", "deny")
    later.run()
    folder.unlink()
    tally.add("rule", "a", "deny")
    later.run()
    assert rows(folder) == [["rule", "a", "deny", 2]]
