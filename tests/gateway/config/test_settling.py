from __future__ import annotations

from pathlib import Path

from gateway.config.files import Stamp, Watched
from gateway.config.settling import GONE_LOOKS, Settling, look

PATH, OTHER = Path("a"), Path("b")
OLD, NEW, NEWER = (Stamp(1, number) for number in range(3))


def at(stamp: Stamp | None) -> Watched:
    return {PATH: stamp}


def looks(settling: Settling, read: Watched, *seen: Watched) -> list[bool]:
    return [settling.is_settled(read, each) for each in seen]


def test_a_change_counts_once_it_has_rested() -> None:
    settling = Settling(at(OLD))
    seen = [at(stamp) for stamp in (OLD, NEW, NEW, NEW)]
    assert looks(settling, at(OLD), *seen) == [False, False, True, False]


def test_what_is_still_being_written_does_not_count() -> None:
    settling = Settling(at(OLD))
    seen = [at(stamp) for stamp in (NEW, NEWER, NEW, NEW)]
    assert looks(settling, at(OLD), *seen) == [False, False, False, True]


def test_what_was_read_already_does_not_count() -> None:
    settling = Settling(at(OLD))
    assert looks(settling, at(NEW), at(NEW), at(NEW)) == [False, False]


def test_what_changed_after_it_was_read_counts_although_it_was_never_seen_before() -> None:
    settling = Settling({})
    read = {PATH: OLD, OTHER: OLD}
    seen = {PATH: OLD, OTHER: NEW}
    assert looks(settling, read, seen, seen) == [False, True]


def test_other_files_to_watch_are_no_change() -> None:
    settling = Settling(at(OLD))
    both: Watched = {PATH: OLD, OTHER: None}
    assert looks(settling, both, both, both) == [False, False]


def test_a_file_that_is_gone_is_given_time_to_come_back() -> None:
    settling = Settling(at(OLD))
    seen = [at(None)] * (GONE_LOOKS + 2)
    assert looks(settling, at(OLD), *seen) == [False] * GONE_LOOKS + [True, False]
    assert looks(settling, at(None), at(NEW), at(NEW)) == [False, True]


def test_looking_takes_stamps(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("x")
    seen = look({path: None, tmp_path / "none": None})
    assert seen[path] is not None
    assert seen[tmp_path / "none"] is None
