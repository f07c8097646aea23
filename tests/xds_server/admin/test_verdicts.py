"""What workers counted is summed; it is the file that workers write."""

from __future__ import annotations

from pathlib import Path

from extproc.adapters.misses import agent_counts, counted
from extproc.adapters.tally import FileTally
from extproc.ports import Verdicts
from xds_server.admin.verdicts import agent_events, audit_rows, read_verdicts, store_failures


def write(folder: Path, worker: str, *counted: Verdicts) -> None:
    tally = FileTally(folder, worker, lambda seconds, what: None)
    for each in counted:
        tally.add(each)
    tally.write()


A_DENIES = Verdicts("rule", "a", "deny", "audit", "permission_denied")
A_ERRS = A_DENIES._replace(verdict="error")
A_PASSES = Verdicts("rule", "a", "pass", "audit")
B_PASSES = A_PASSES._replace(name="b")
C_DENIES = Verdicts("guard", "c", "deny", "enforce", "content_policy_violation")


def test_all_workers_are_summed(tmp_path: Path) -> None:
    write(tmp_path, "0", A_DENIES, A_PASSES, C_DENIES)
    write(tmp_path, "1", A_DENIES, B_PASSES, C_DENIES)
    assert read_verdicts(tmp_path) == {A_DENIES: 2, A_PASSES: 1, B_PASSES: 1, C_DENIES: 2}


def test_of_policies_in_audit_all_verdicts_are_shown_together(tmp_path: Path) -> None:
    write(tmp_path, "0", A_DENIES, A_DENIES, A_ERRS, A_PASSES, B_PASSES, C_DENIES)
    assert audit_rows(read_verdicts(tmp_path)) == [
        {"kind": "rule", "name": "a", "verdicts": {"deny": 2, "error": 1, "pass": 1}},
        {"kind": "rule", "name": "b", "verdicts": {"pass": 1}},
    ]


def test_what_stores_did_not_answer_stands_beside(tmp_path: Path) -> None:
    counted(FileTally(tmp_path, "0", lambda seconds, what: what()), "ledger")()
    write(tmp_path, "1", A_DENIES)
    found = read_verdicts(tmp_path)
    assert store_failures(found) == {"ledger": 1}
    assert audit_rows(found) == [{"kind": "rule", "name": "a", "verdicts": {"deny": 1}}]


def test_what_happened_to_agents_stands_beside(tmp_path: Path) -> None:
    tally = FileTally(tmp_path, "0", lambda seconds, what: None)
    agent_counts(tally)("travel", "unhealthy")
    tally.write()
    write(tmp_path, "1", A_DENIES)
    found = read_verdicts(tmp_path)
    assert agent_events(found) == {("travel", "unhealthy"): 1}
    assert store_failures(found) == {}


def test_what_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    assert read_verdicts(tmp_path / "nowhere") == {}
    write(tmp_path, "0", A_DENIES)
    (tmp_path / "1.json").write_text('[["rule", "a", "deny", 3]]')
    assert read_verdicts(tmp_path) == {A_DENIES: 1}
