"""What workers counted is summed; it is the file that workers write."""

from __future__ import annotations

from pathlib import Path

from extproc.adapters.tally import FileTally
from xds_server.admin.audits import audit_rows, read_audits


def write(folder: Path, worker: str, *counted: tuple[str, str, str]) -> None:
    tally = FileTally(folder, worker, lambda seconds, what: None)
    for each in counted:
        tally.add(*each)
    tally.write()


def test_all_workers_are_summed(tmp_path: Path) -> None:
    write(tmp_path, "0", ("rule", "a", "deny"), ("rule", "a", "pass"))
    write(tmp_path, "1", ("rule", "a", "deny"), ("rule", "b", "pass"))
    audits = read_audits(tmp_path)
    assert audits == {("rule", "a", "deny"): 2, ("rule", "a", "pass"): 1, ("rule", "b", "pass"): 1}
    assert audit_rows(audits) == [
        {"kind": "rule", "name": "a", "verdicts": {"deny": 2, "pass": 1}},
        {"kind": "rule", "name": "b", "verdicts": {"pass": 1}},
    ]


def test_what_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    assert read_audits(tmp_path / "nowhere") == {}
    write(tmp_path, "0", ("rule", "a", "deny"))
    (tmp_path / "1.json").write_text('[["rule", "a"]]')
    assert read_audits(tmp_path) == {("rule", "a", "deny"): 1}
