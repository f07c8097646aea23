"""All chains of a folder are read together."""

from __future__ import annotations

import json
from pathlib import Path

from gateway.audit_log.chain import Link
from gateway.audit_log.files import ChainFiles, files_of
from gateway.audit_log.reading import records, verify
from gateway.audit_log.sealing import SealingKey, by_id


def write(folder: Path, writer: str, *times: str) -> None:
    files = ChainFiles(folder, writer, 1 << 20)
    files.append([{"time": each} for each in times], "")
    files.mark()
    files.close()


def test_records_of_all_writers_come_by_their_times(tmp_path: Path) -> None:
    write(tmp_path, "a", "1", "4")
    write(tmp_path, "b", "2", "3", "5")
    found = [json.loads(line) for line in records(tmp_path)]
    assert [each["time"] for each in found] == ["1", "2", "3", "4", "5"]
    assert [each["writer"] for each in found] == ["a", "b", "b", "a", "b"]


def test_each_chain_is_verified(tmp_path: Path) -> None:
    write(tmp_path, "a", "1", "4")
    write(tmp_path, "b", "2")
    one, two = verify(tmp_path)
    assert (one.writer, one.first, one.count, one.last.seq) == ("a", 1, 2, 2)
    assert (two.writer, two.flaws) == ("b", ())
    assert verify(tmp_path / "nowhere") == []


def test_a_chain_that_was_written_anew_is_not_the_one_that_was_seen(tmp_path: Path) -> None:
    write(tmp_path, "a", "1", "2")
    seen = {each.writer: each.last for each in verify(tmp_path)}
    write(tmp_path, "a", "3")
    assert [each.flaws for each in verify(tmp_path, seen)] == [()]
    for path in tmp_path.iterdir():
        path.unlink()
    write(tmp_path, "a", "1", "9", "3")
    assert [each.flaws for each in verify(tmp_path)] == [()]  # nothing of it tells
    (found,) = verify(tmp_path, seen)
    assert [flaw.what for flaw in found.flaws] == ["record 2 is not the one that was seen before"]


def test_what_was_written_anew_without_the_key_is_found(tmp_path: Path) -> None:
    key = SealingKey(b"k" * 32)
    files = ChainFiles(tmp_path, "a", 100, key)
    for at in "1234":
        files.append([{"time": at}], "")
    files.mark()
    files.close()
    assert len(files_of(tmp_path, "a")) == 4
    (found,) = verify(tmp_path, keys=by_id([key]))
    assert (found.sealed, found.flaws) == (4, ())
    for path in tmp_path.iterdir():
        path.unlink()
    write(tmp_path, "a", "1", "9")
    assert [each.flaws for each in verify(tmp_path)] == [()]
    (found,) = verify(tmp_path, keys=by_id([key]))
    assert [each.what for each in found.flaws] == ["record 2, the last one, has no seal"]


def test_a_chain_that_was_seen_must_be_there(tmp_path: Path) -> None:
    (found,) = verify(tmp_path, {"gone": Link(1, "0" * 64)})
    assert found.flaws[0].what == "the chain of 'gone' is missing"


def test_what_is_being_written_is_no_flaw(tmp_path: Path) -> None:
    files = ChainFiles(tmp_path, "a", 1 << 20)
    files.append([{"time": "1"}], "")
    (path,) = files_of(tmp_path, "a")
    path.write_bytes(path.read_bytes() + b'{"writ')
    assert [each.flaws for each in verify(tmp_path)] == [()]
    files.close()
    assert [each.flaws[0].what for each in verify(tmp_path)] == ["ends in the midst of a record"]
