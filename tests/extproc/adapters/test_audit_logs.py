"""Each place that a configuration names has one chain of this worker."""

from __future__ import annotations

import json
from pathlib import Path

from extproc.adapters.audit_logs import AuditLogs
from gateway.audit_log.reading import records, verify
from gateway.audit_log.terms import AuditTerms


def test_programs_write_one_chain_in_one_place(tmp_path: Path) -> None:
    logs = AuditLogs(tmp_path, "0")
    assert logs.trail(None, "1") is None
    one = logs.trail(AuditTerms(), "1")
    two = logs.trail(AuditTerms(is_all=True, has_content=True), "2")
    there = logs.trail(AuditTerms(path=str(tmp_path / "elsewhere")), "3")
    assert one is not None
    assert two is not None
    assert there is not None
    assert (one.is_all, one.has_content, one.version) == (False, False, "1")
    assert (two.is_all, two.has_content, two.version) == (True, True, "2")
    assert one.log is two.log
    for number, trail in enumerate((one, two, there)):
        trail.log.put({"event": "verdict", "number": number})
    logs.close()
    for folder, numbers in (("audit", [0, 1]), ("elsewhere", [2])):
        (chain,) = verify(tmp_path / folder)
        assert (chain.writer, chain.flaws) == ("extproc-0", ())
        _, *lines = (json.loads(line) for line in records(tmp_path / folder))
        assert [each["number"] for each in lines] == numbers
