"""A ledger whose changes by operators are written into the audit log, too."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from xds_server.budgets.store import (
    Alert,
    Asked,
    BudgetStore,
    BudgetsUnavailable,
    Done,
    Entry,
    Stands,
)
from xds_server.deeds import Deeds


class AuditedBudgetStore:
    """Writes what has been done, once for each id, beside the log that the store keeps itself."""

    def __init__(self, store: BudgetStore, deeds: Deeds) -> None:
        self._store = store
        self._deeds = deeds

    def counters(self, starts: Collection[int] | None = None) -> Sequence[Stands]:
        return self._store.counters(starts)

    def apply(self, asked: Asked) -> Done:
        if self._deeds.is_blocked:
            raise BudgetsUnavailable("the audit log cannot be written at the moment")
        done = self._store.apply(asked)
        if not done.is_repeated:
            deed = done.entry.deed
            told = {
                "who": deed.who,
                "counter": deed.counter,
                "amount": deed.amount,
                "why": deed.why,
                "request": deed.request,
            }
            self._deeds.note(f"budget.{deed.what}", told)
        return done

    def log(self, before: int | None, limit: int) -> Sequence[Entry]:
        return self._store.log(before, limit)

    def claim(self, alert: Alert, id: str, now: int, until: int) -> str | None:
        return self._store.claim(alert, id, now, until)

    def sent(self, alert: Alert, id: str) -> None:
        self._store.sent(alert, id)
