"""What is tried out is counted and logged, and decides nothing."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

import pytest

from extproc.audits import Audited, Audits, Finding, uncounted
from extproc.facts import Facts
from gateway.telemetry import JsonFormatter
from tests.kit.counted import Counted

FACTS = Facts(
    now=datetime(2026, 3, 4, tzinfo=UTC), headers={"x-request-id": "r-1"}, model="fast", route=""
)


def test_every_finding_is_counted() -> None:
    counted = Counted()
    audits = Audits(counted)
    for verdict in (Audited.PASS, Audited.DENY, Audited.DENY):
        audits.note(FACTS, Finding("rule", "a", verdict))
    assert counted.counts == {("rule", "a", "pass"): 1, ("rule", "a", "deny"): 2}


def test_a_finding_that_matters_has_a_record_with_who_and_what(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "extproc.audits")
    uncounted().note(FACTS, Finding("rule", "a", Audited.PASS))
    uncounted().note(FACTS, Finding("rule", "a", Audited.ERROR, "no usable value for jwt"))
    (line,) = (json.loads(JsonFormatter("extproc").format(each)) for each in caplog.records)
    shown = ("message", "rule", "verdict", "request_id", "key", "model", "route")
    assert {name: line[name] for name in shown} == {
        "message": "audit: rule 'a' would deny, since it cannot be evaluated:"
        " no usable value for jwt",
        "rule": "a",
        "verdict": "error",
        "request_id": "r-1",
        "key": "",
        "model": "fast",
        "route": "",
    }
