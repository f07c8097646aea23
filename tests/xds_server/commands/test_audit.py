"""`dragoman audit …` on files that a writer has left."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.audit_log.files import ChainFiles, files_of
from gateway.audit_log.sealing import SealingKey
from xds_server import cli


def write(folder: Path, writer: str, *hours: int, largest_bytes: int = 1 << 20) -> None:
    files = ChainFiles(folder, writer, largest_bytes)
    for hour in hours:
        files.append([{"time": f"2026-11-26T{hour:02}:00:00.000000Z", "event": "verdict"}], "")
    files.mark()
    files.close()


def say(
    capsys: pytest.CaptureFixture[str], *words: object, status: int = 0, command: str = "verify"
) -> str:
    assert cli.main(["audit", command, *map(str, words)], {}) == status
    out, err = capsys.readouterr()
    return out if not status or out else err


def test_an_intact_log_is_said_to_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "audit", "extproc-0", 3, 4)
    write(tmp_path / "audit", "control", 5)
    told = say(capsys, "--state-dir", tmp_path)
    rows = [line.split() for line in told.splitlines()]
    assert rows[0] == ["WRITER", "RECORDS", "FROM", "TO", "SHA-256", "SEALED"]
    assert [row[:4] + row[5:] for row in rows[1:]] == [
        ["control", "1", "1", "1", "0", "intact"],
        ["extproc-0", "2", "1", "2", "0", "intact"],
    ]


def test_seals_are_looked_at_where_the_secret_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret, other, short = (tmp_path / name for name in ("secret", "other", "short"))
    secret.write_text("k" * 32 + "\n")
    other.write_text("o" * 32)
    short.write_text("k")
    folder = tmp_path / "audit"
    for key in (SealingKey(b"o" * 32), SealingKey(b"k" * 32)):
        files = ChainFiles(folder, "w", 1 << 20, key)
        files.append([{"time": "2026-11-26T03:00:00.000000Z", "event": "verdict"}], "")
        files.mark()
        files.close()
    told = say(capsys, folder).splitlines()
    assert told[1].split()[5:] == ["2?", "intact"]
    assert told[-1] == "seals were not looked at: --secret-files"
    told = say(capsys, folder, "--secret-files", f"{secret},{other}").splitlines()
    assert [line.split()[-2:] for line in told[1:]] == [["2", "intact"]]
    told = say(capsys, folder, "--secret-files", secret, status=1).splitlines()
    assert "record" not in told[1]
    assert "is sealed by a key that was not given" in told[2]
    say(capsys, folder, "--secret-files", f"{secret},{other}", command="export")
    for wrong in (short, tmp_path / "none"):
        with pytest.raises(SystemExit):
            cli.main(["audit", "verify", str(folder), "--secret-files", str(wrong)], {})


def test_a_broken_log_is_said_to_be_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "w", 3, 4, 5)
    (path,) = files_of(tmp_path, "w")
    path.write_bytes(path.read_bytes().replace(b"T04", b"T08"))
    told = say(capsys, tmp_path, status=1).splitlines()
    assert told[1].endswith("broken")
    assert told[2] == f"{path}:3: record 2 is not what record 3 was written after"
    answer = json.loads(say(capsys, tmp_path, "--json", status=1))
    assert answer["is_intact"] is False
    assert answer["chains"][0]["flaws"] == [told[2]]


def test_no_log_is_no_intact_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "there is no audit log" in say(capsys, tmp_path, status=1)


def test_what_was_seen_must_still_be_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, heads = tmp_path / "audit", tmp_path / "heads.json"
    write(folder, "w", 3, 4, largest_bytes=1)
    heads.write_text(say(capsys, folder, "--json"))
    write(folder, "w", 5, largest_bytes=1)
    say(capsys, folder, "--heads", heads)
    for path in files_of(folder, "w")[:2]:  # moved to where old ones are kept
        path.unlink()
    assert "record 3 the chain begins where 1 must be" in say(capsys, folder, status=1)
    assert "intact" in say(capsys, folder, "--heads", heads)
    for path in folder.iterdir():
        path.unlink()
    write(folder, "w", 3, 6, 5)
    say(capsys, folder)
    told = say(capsys, folder, "--heads", heads, status=1)
    assert "record 2 is not the one that was seen before" in told


def test_heads_that_cannot_be_read_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "w", 3)
    (tmp_path / "heads").write_text("{}")
    assert "cannot be read" in say(capsys, tmp_path, "--heads", tmp_path / "heads", status=1)


def test_records_are_exported_by_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, "a", 3, 6)
    write(tmp_path, "b", 4, 5)

    def hours(*words: object, status: int = 0) -> list[int]:
        told = say(capsys, tmp_path, *words, status=status, command="export")
        return [int(json.loads(line)["time"][11:13]) for line in told.splitlines()]

    assert hours() == [3, 4, 5, 6]
    assert hours("--since", "2026-11-26T04:00Z", "--until", "2026-11-26T07:00+01:00") == [4, 5]
    (path,) = files_of(tmp_path, "a")
    path.write_bytes(path.read_bytes().replace(b"T03", b"T02"))
    assert hours(status=1) == [2, 4, 5, 6]


def test_a_time_that_is_none_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["audit", "export", str(tmp_path), "--since", "yesterday"], {})
    assert "not a time such as" in capsys.readouterr().err
