"""What operators do to budgets is in the audit log, once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.audit_log.reading import records
from gateway.audit_log.terms import AuditTerms
from tests.kit.releases import release
from tests.kit.stack import eventually
from xds_server.budgets.audited import AuditedBudgetStore
from xds_server.budgets.sqlite_store import SqliteBudgetStore
from xds_server.budgets.store import RESET, Asked, BudgetsUnavailable, Deed, Refusal
from xds_server.deeds import Deeds
from xds_server.history import Origin

WINDOW = 1_795_000_000


def asked(request: str, what: str = "top-up", amount: int = 5) -> Asked:
    deed = Deed(request, WINDOW, "root", what, "team|team=red", amount, "a launch")
    return Asked(deed, [("team|team=red", WINDOW)], 1000)


def test_what_was_done_is_written_once(tmp_path: Path) -> None:
    deeds = Deeds(tmp_path)
    deeds.in_force(release("1", AuditTerms()), Origin.START)
    store = AuditedBudgetStore(SqliteBudgetStore(tmp_path / "ledger.db"), deeds)
    store.apply(asked("r-1"))
    store.apply(asked("r-1"))
    with pytest.raises(Refusal):
        store.apply(asked("r-1", amount=7))
    store.apply(asked("r-2", RESET, 0))
    deeds.close()
    told = [json.loads(line) for line in records(tmp_path / "audit")][2:]
    names = ("event", "who", "counter", "amount", "why", "request")
    assert [[each[name] for name in names] for each in told] == [
        ["budget.top-up", "root", "team|team=red", 5, "a launch", "r-1"],
        ["budget.reset", "root", "team|team=red", 0, "a launch", "r-2"],
    ]
    assert [each.deed.request for each in store.log(None, 10)] == ["r-2", "r-1"]
    assert [each.topped_up for each in store.counters()] == [5]


def test_nothing_is_changed_unseen(tmp_path: Path) -> None:
    (tmp_path / "audit").write_text("in the way")
    deeds = Deeds(tmp_path)
    deeds.in_force(release("1", AuditTerms()), Origin.START)
    store = AuditedBudgetStore(SqliteBudgetStore(tmp_path / "ledger.db"), deeds)
    eventually(lambda: deeds.is_blocked, "it is known")
    with pytest.raises(BudgetsUnavailable, match="audit log"):
        store.apply(asked("r-1"))
    (tmp_path / "audit").unlink()
    eventually(lambda: not deeds.is_blocked, "it is written")
    deeds.close()
