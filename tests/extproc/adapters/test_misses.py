"""What stores do not answer is counted beside the verdicts of a worker."""

from __future__ import annotations

from collections import Counter

from extproc.adapters.misses import counted, uncounted
from extproc.ports import Verdicts


class Counts(Counter[Verdicts]):
    def add(self, verdicts: Verdicts) -> None:
        self[verdicts] += 1


def test_each_is_one_more_of_its_store() -> None:
    counts = Counts()
    ledger, keys = counted(counts, "ledger"), counted(counts, "keys")
    for _ in range(2):
        ledger()
    keys()
    uncounted()
    assert counts == {
        Verdicts("store", "ledger", "failed", ""): 2,
        Verdicts("store", "keys", "failed", ""): 1,
    }
