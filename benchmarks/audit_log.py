"""What the audit log costs: the request, for each record, and the thread that writes.

python -m benchmarks.audit_log
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from extproc.audits import Audits, Trail
from extproc.facts import Facts
from extproc.ports import Verdicts
from extproc.principal import Kind, Principal
from extproc.verdict import By, Deny, PolicyKind
from gateway.audit_log.files import ChainFiles

REQUESTS = 20_000
BATCH = 100
FACTS = Facts(
    now=datetime(2026, 11, 26, tzinfo=UTC),
    method="POST",
    path="/v1/chat/completions",
    headers={"x-request-id": "0d3b05a2-6c1a-4b53-9d0c-2f9a0f9c8f4e"},
    source_address="192.0.2.7",
    principal=Principal(Kind.API_KEY, "ada", "ada", "ada@example.com", "research"),
    model="gpt-5",
    provider="openai",
)
DENY = Deny(403, "permission_denied", "denied by 'no-large'", by=By(PolicyKind.RULE, "no-large"))


class Kept:
    """A log in memory."""

    is_blocked = False

    def __init__(self) -> None:
        self.records: list[object] = []

    def put(self, record: object) -> None:
        self.records.append(record)


class Uncounted:
    """Counts nothing."""

    def add(self, verdicts: Verdicts) -> None:
        pass


def microseconds(work: Callable[[], object]) -> float:
    """Of CPU, each time."""
    best = 1e9
    for _ in range(5):
        begin = time.process_time()
        for _ in range(REQUESTS):
            work()
        best = min(best, (time.process_time() - begin) / REQUESTS * 1e6)
    return best


def main() -> None:
    kept = Kept()
    without = Audits(Uncounted())
    audits = Audits(Uncounted(), Trail(kept, "28ed056757d1a86b", is_all=True))
    print(f"a denial, without a log   {microseconds(lambda: without.refused(FACTS, DENY)):6.2f} µs")
    print(f"a denial                  {microseconds(lambda: audits.refused(FACTS, DENY)):6.2f} µs")
    print(f"what passes               {microseconds(lambda: audits.passed(FACTS)):6.2f} µs")
    print(f"whether it can be written {microseconds(audits.hindrance):6.2f} µs")
    records = [each for each in kept.records[:REQUESTS] if isinstance(each, dict)]
    with tempfile.TemporaryDirectory() as folder:
        files = ChainFiles(Path(folder), "w", 64 << 20)
        began, cpu = time.perf_counter(), time.process_time()
        for place in range(0, len(records), BATCH):
            files.append(records[place : place + BATCH], "")
            files.mark()
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
        files.close()
    print(f"a record, in the thread   {cpu / len(records) * 1e6:6.2f} µs of CPU, {BATCH} at a time")
    print(f"records a second          {len(records) / wall:8,.0f}, synced {BATCH} at a time")


if __name__ == "__main__":
    main()
