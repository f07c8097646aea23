"""A chain goes on over files and restarts, and one process alone writes it."""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.audit_log.files import ChainFiles, files_of, head_in, is_held, writers_of
from gateway.audit_log.reading import verify

LARGE = 1 << 20


@contextmanager
def opened(folder: Path, largest_bytes: int = LARGE, writer: str = "w/1") -> Iterator[ChainFiles]:
    files = ChainFiles(folder, writer, largest_bytes)
    try:
        yield files
    finally:
        files.close()


def write(folder: Path, *said: str, largest_bytes: int = LARGE, day: str = "") -> None:
    with opened(folder, largest_bytes) as files:
        for each in said:
            files.append([{"who": each}], day)
        files.mark()


def said(folder: Path) -> list[str]:
    lines = [line for path in files_of(folder, "w%2F1") for line in path.read_bytes().splitlines()]
    return [json.loads(line)["who"] for line in lines]


def flaws(folder: Path) -> list[str]:
    return [flaw.what for each in verify(folder) for flaw in each.flaws]


def test_a_chain_goes_on_after_a_restart(tmp_path: Path) -> None:
    write(tmp_path, "a", "b")
    write(tmp_path, "c")
    assert said(tmp_path) == ["a", "b", "c"]
    assert flaws(tmp_path) == []
    assert writers_of(tmp_path) == ["w%2F1"]


def test_a_chain_is_carried_over_files(tmp_path: Path) -> None:
    write(tmp_path, *"abcdef", largest_bytes=300)
    names = [path.name for path in files_of(tmp_path, "w%2F1")]
    assert names[:2] == ["w%2F1.000000000001.jsonl", "w%2F1.000000000003.jsonl"]
    assert all(path.stat().st_size <= 300 for path in files_of(tmp_path, "w%2F1"))
    assert said(tmp_path) == list("abcdef")
    assert flaws(tmp_path) == []
    files_of(tmp_path, "w%2F1")[1].unlink()
    assert "follows where 3 must be" in flaws(tmp_path)[0]


def test_a_day_begins_a_file(tmp_path: Path) -> None:
    with opened(tmp_path) as files:
        for day in ("2026-11-26", "2026-11-26", "2026-11-27"):
            files.append([{"who": day}], day)
        files.mark()
    assert len(files_of(tmp_path, "w%2F1")) == 2
    assert flaws(tmp_path) == []


def test_what_was_cut_within_a_record_is_taken_away(tmp_path: Path) -> None:
    write(tmp_path, "a", "b")
    (path,) = files_of(tmp_path, "w%2F1")
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"writer":"w')
    assert flaws(tmp_path) == ["ends in the midst of a record"]
    with opened(tmp_path) as files:
        assert files.recovered.lost_bytes == 12
        assert not files.recovered.is_broken
        assert path.read_bytes() == whole
        files.append([{"who": "c"}], "")
        files.mark()
    assert flaws(tmp_path) == []


def test_a_file_without_a_whole_record_is_begun_anew(tmp_path: Path) -> None:
    write(tmp_path, "a", largest_bytes=1)
    (tmp_path / "w%2F1.000000000002.jsonl").write_bytes(b'{"wri')
    write(tmp_path, "b", largest_bytes=1)
    assert said(tmp_path) == ["a", "b"]
    assert flaws(tmp_path) == []


def test_a_writer_that_was_killed_before_its_head_goes_on(tmp_path: Path) -> None:
    with opened(tmp_path) as files:
        files.append([{"who": "a"}], "")
    head = head_in(tmp_path, "w%2F1")
    assert head is not None
    assert head.link.seq == 0
    write(tmp_path, "b")
    assert flaws(tmp_path) == []


def test_what_was_cut_away_is_still_missing_after_a_restart(tmp_path: Path) -> None:
    write(tmp_path, "a", "b", "c")
    (path,) = files_of(tmp_path, "w%2F1")
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
    with opened(tmp_path) as files:
        assert files.recovered.is_broken
        files.append([{"who": "d"}], "")
        files.mark()
    assert flaws(tmp_path) == ["record 4 follows where 3 must be"]


def test_a_last_record_that_was_changed_is_found_after_a_restart(tmp_path: Path) -> None:
    write(tmp_path, "a", "b")
    (path,) = files_of(tmp_path, "w%2F1")
    path.write_bytes(path.read_bytes().replace(b'"b"', b'"x"'))
    write(tmp_path, "c")
    assert flaws(tmp_path) == ["record 2 is not what record 3 was written after"]


def test_two_writers_of_a_name_write_two_chains(tmp_path: Path) -> None:
    with opened(tmp_path) as one, opened(tmp_path) as two:
        assert (one.writer, two.writer) == ("w%2F1", "w%2F1~2")
        assert is_held(tmp_path, one.writer)
        one.append([{"who": "a"}], "")
        two.append([{"who": "b"}], "")
    assert not is_held(tmp_path, "w%2F1")
    assert not is_held(tmp_path, "nobody")
    assert [each.count for each in verify(tmp_path)] == [1, 1]
    assert flaws(tmp_path) == []


def test_what_cannot_be_written_leaves_the_chain_as_it_was(tmp_path: Path) -> None:
    with opened(tmp_path) as files:
        files.append([{"who": "a"}], "")
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))  # as good as a disk that is full
        try:
            with pytest.raises(OSError, match="too large"):
                files.append([{"who": "b" * 5000}], "")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        files.append([{"who": "c"}], "")
        files.mark()
    assert said(tmp_path) == ["a", "c"]
    assert flaws(tmp_path) == []
