"""What a worker counts reaches a file soon, and goes on after a restart."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from extproc.adapters.tally import MOST_ROWS, OTHERS, FileTally
from extproc.ports import Verdicts

A_DENIES = Verdicts("rule", "a", "deny", "enforce", "permission_denied")
A_PASSES = Verdicts("rule", "a", "pass", "audit")
B_DENIES = A_DENIES._replace(name="b")


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
        tally.add(B_DENIES)
    tally.add(A_PASSES)
    assert not folder.exists()
    assert len(later.due) == 1
    later.run()
    assert rows(folder) == [[*A_PASSES, 1], [*B_DENIES, 3]]


def test_the_next_worker_of_this_name_goes_on(tmp_path: Path) -> None:
    first = FileTally(tmp_path, "host/1", Later())
    first.add(A_DENIES)
    first.write()
    second = FileTally(tmp_path, "host/1", Later())
    second.add(A_DENIES)
    second.write()
    assert rows(tmp_path) == [[*A_DENIES, 2]]


def test_there_is_a_bound_on_names(tmp_path: Path) -> None:
    tally = FileTally(tmp_path, "0", Later())
    for number in range(MOST_ROWS + 3):
        tally.add(A_DENIES._replace(name=f"{number:05}"))
    tally.add(A_DENIES._replace(name="00000"))
    tally.write()
    (path,) = tmp_path.iterdir()
    counts = {row[1]: row[-1] for row in json.loads(path.read_text())}
    assert len(counts) == MOST_ROWS + 1
    assert counts[OTHERS] == 3
    assert counts["00000"] == 2


def test_a_damaged_file_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "0.json").write_text("[[")
    tally = FileTally(tmp_path, "0", Later())
    tally.add(A_DENIES)
    tally.write()
    assert rows(tmp_path) == [[*A_DENIES, 1]]


def test_what_cannot_be_written_is_written_with_the_next(tmp_path: Path) -> None:
    folder, later = tmp_path / "audits", Later()
    folder.write_text("in the way")
    tally = FileTally(folder, "0", later)
    tally.add(A_DENIES)
    later.run()
    folder.unlink()
    tally.add(A_DENIES)
    later.run()
    assert rows(folder) == [[*A_DENIES, 2]]
