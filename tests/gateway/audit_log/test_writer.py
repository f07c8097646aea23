"""Nobody waits for the disk, and nothing is lost while it can be written again in time."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.audit_log import writer
from gateway.audit_log.reading import records, verify
from gateway.audit_log.sealing import SealingKey, by_id
from gateway.audit_log.terms import AuditTerms
from gateway.audit_log.writer import ChainWriter

LOST_SECONDS = 1.0
"""Stated in docs/audit.md as 0.1 s; this machine may be busy."""
_WRITES = """
import sys, time
from pathlib import Path
from gateway.audit_log.terms import AuditTerms
from gateway.audit_log.writer import ChainWriter

chain = ChainWriter(Path(sys.argv[1]), "w", AuditTerms())
for number in range(1_000_000):
    chain.put({"event": "verdict", "number": number})
    if number % 50 == 0:
        print(number, time.time(), flush=True)
        time.sleep(0.002)
"""


def until(claim: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not claim():
        assert time.monotonic() < end
        time.sleep(0.01)


def said(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in records(folder)]


def flaws(folder: Path) -> list[str]:
    return [flaw.what for each in verify(folder) for flaw in each.flaws]


def test_records_are_written_in_their_order_with_their_times(tmp_path: Path) -> None:
    chain = ChainWriter(tmp_path, "w", AuditTerms(), lambda: 1_795_000_000.5)
    for number in range(20_000):
        chain.put({"event": "verdict", "number": number})
    chain.close()
    first, *rest = said(tmp_path)
    assert first["event"] == "log.begin"
    assert [each["number"] for each in rest] == list(range(20_000))
    assert rest[0]["time"] == "2026-11-18T11:06:40.500000Z"
    assert flaws(tmp_path) == []


def test_who_begins_again_says_so(tmp_path: Path) -> None:
    for _ in range(2):
        ChainWriter(tmp_path, "w", AuditTerms()).close()
    assert [each["event"] for each in said(tmp_path)] == ["log.begin", "log.resume"]


def test_a_new_day_begins_a_file(tmp_path: Path) -> None:
    clock = [1_795_000_000.0]
    chain = ChainWriter(tmp_path, "w", AuditTerms(is_daily=True), lambda: clock[0])
    chain.put({"event": "a"})
    until(lambda: len(said(tmp_path)) == 2)
    clock[0] += 86_400
    chain.put({"event": "b"})
    chain.close()
    assert len(list(tmp_path.glob("*.jsonl"))) == 2
    assert flaws(tmp_path) == []


@pytest.mark.parametrize("is_strict", [True, False])
def test_a_place_that_cannot_be_written_loses_nothing(tmp_path: Path, is_strict: bool) -> None:
    folder = tmp_path / "audit"
    folder.write_text("in the way")
    chain = ChainWriter(folder, "w", AuditTerms(is_strict=is_strict))
    until(lambda: chain.is_failing)
    assert chain.is_blocked is is_strict
    chain.put({"event": "a"})
    folder.unlink()
    until(lambda: not chain.is_failing)
    assert not chain.is_blocked
    chain.close()
    assert [each["event"] for each in said(folder)] == ["log.begin", "a"]


def test_a_disk_that_is_full_loses_nothing(tmp_path: Path) -> None:
    chain = ChainWriter(tmp_path, "w", AuditTerms())
    chain.put({"event": "a", "text": "x" * 100_000})
    until(lambda: len(said(tmp_path)) == 2)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_500, hard))  # as good as a disk that is full
    try:
        chain.put({"event": "b", "text": "x" * 100_000})
        until(lambda: chain.is_failing)
        assert chain.is_blocked
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    until(lambda: not chain.is_failing)
    chain.close()
    assert [each["event"] for each in said(tmp_path)] == ["log.begin", "a", "b"]
    assert flaws(tmp_path) == []


def test_what_is_too_much_to_keep_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MOST_WAITING", 10)
    folder = tmp_path / "audit"
    folder.write_text("in the way")
    chain = ChainWriter(folder, "w", AuditTerms(is_strict=False))
    until(lambda: chain.is_failing)
    for _ in range(13):
        chain.put({"event": "a"})
    folder.unlink()
    chain.close()
    events = [each["event"] for each in said(folder)]
    assert events == ["log.begin", *["a"] * 10, "log.lost"]
    assert said(folder)[-1]["records"] == 3


def test_a_writer_that_is_killed_loses_what_came_just_before(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _WRITES, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        told: list[tuple[int, float]] = []
        begin = time.time()
        for line in process.stdout:
            number, at = line.split()
            told.append((int(number), float(at)))
            if time.time() - begin > 2:
                process.send_signal(signal.SIGKILL)
                break
    killed = time.time()
    ChainWriter(tmp_path, "w", AuditTerms()).close()
    assert flaws(tmp_path) == []
    numbers = [each["number"] for each in said(tmp_path) if each["event"] == "verdict"]
    assert numbers == list(range(len(numbers)))
    assert said(tmp_path)[-1]["event"] == "log.resume"
    kept = [number for number, at in told if at < killed - LOST_SECONDS]
    assert kept
    assert kept[-1] <= numbers[-1]


def test_a_key_holds_from_the_next_record_on(tmp_path: Path) -> None:
    first, second = SealingKey(b"a" * 32), SealingKey(b"b" * 32)
    chain = ChainWriter(tmp_path, "w", AuditTerms())
    for number, key in enumerate((None, first, second), 1):
        chain.follow(AuditTerms(key=key))
        chain.put({"event": "a"})
        until(lambda number=number: len(said(tmp_path)) == number + 1)  # type: ignore[misc]
    chain.close()
    assert [each.get("sealed_by", "") for each in said(tmp_path)] == ["", "", first.id, second.id]
    assert flaws(tmp_path) == []
    (sealed,) = verify(tmp_path, keys=by_id([first, second]))
    assert (sealed.sealed, sealed.flaws) == (2, ())
    (found,) = verify(tmp_path, keys=by_id([first]))
    assert [each.what for each in found.flaws] == [
        f"is sealed by a key that was not given: {second.id}",
        "the head has no seal of a key that was given",
    ]
