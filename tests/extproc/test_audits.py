"""What is tried out is counted and logged, and decides nothing."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from msgspec import structs

from extproc.audits import LONGEST_CONTENT, UNAVAILABLE, Audited, Audits, Finding, Trail, uncounted
from extproc.facts import Facts
from extproc.principal import Kind, Principal
from extproc.verdict import By, Deny, PolicyKind
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


class Written:
    """A log in memory."""

    def __init__(self) -> None:
        self.is_blocked = False
        self.records: list[dict[str, object]] = []

    def put(self, record: Mapping[str, object]) -> None:
        self.records.append({name: value for name, value in record.items() if value != ""})


ANN = Principal(Kind.API_KEY, "ann", "ann", "ann@example.com", "red")
ASKED = Facts(
    now=datetime(2026, 3, 4, tzinfo=UTC),
    method="POST",
    path="/v1beta/models/fast:generateContent?key=AIzaSyA1234567890abcdefghijk",
    headers={"x-request-id": "r-1", "authorization": "Bearer sk-very-secret"},
    source_address="192.0.2.7",
    principal=ANN,
    model="fast",
    provider="openai",
    texts=("the key is sk-abcdefghijkl", "x" * LONGEST_CONTENT, "never"),
)
WHO = {
    "request_id": "r-1",
    "principal": "ann",
    "identity": "api_key",
    "key": "ann",
    "user": "ann@example.com",
    "team": "red",
    "source": "192.0.2.7",
    "method": "POST",
    "path": "/v1beta/models/fast:generateContent",
    "model": "fast",
    "provider": "openai",
    "config": "v7",
}
DENY = Deny(403, "permission_denied", "denied by 'no'", by=By(PolicyKind.RULE, "no"))


def test_a_denial_is_written_down_with_who_what_and_why() -> None:
    log = Written()
    Audits(Counted(), Trail(log, "v7")).refused(ASKED, DENY)
    said = {
        "event": "verdict",
        "verdict": "deny",
        "kind": "rule",
        "name": "no",
        "mode": "enforce",
        "code": "permission_denied",
        "status": 403,
        "reason": "denied by 'no'",
    }
    assert log.records == [said | WHO]


def test_what_masks_and_what_is_tried_out_is_written_down() -> None:
    log = Written()
    audits = Audits(Counted(), Trail(log, "v7"))
    audits.masked(ASKED, "mail")
    audits.note(ASKED, Finding("rule", "no", Audited.PASS))
    audits.note(ASKED, Finding("limit", "few", Audited.DENY, code="rate_limit_exceeded"))
    named = ("verdict", "kind", "name", "mode", "code")
    assert [[each.get(name) for name in named] for each in log.records] == [
        ["mask", "guard", "mail", "enforce", None],
        ["deny", "limit", "few", "audit", "rate_limit_exceeded"],
    ]
    assert all(each["key"] == "ann" for each in log.records)


def test_what_passes_is_written_down_where_all_is() -> None:
    log = Written()
    audits = Audits(Counted(), Trail(log, "v7", is_all=True))
    assert audits.is_all
    audits.passed(ASKED)
    assert log.records == [{"event": "verdict", "verdict": "pass"} | WHO]
    assert not Audits(Counted(), Trail(log, "v7")).is_all


def test_content_is_written_down_only_where_it_is_asked_for() -> None:
    log = Written()
    Audits(Counted(), Trail(log, "v7", has_content=True)).passed(ASKED)
    content = log.records[0]["content"]
    assert isinstance(content, list)
    assert content[0] == "the key is [redacted]"
    assert [len(each) for each in content[1:]] == [LONGEST_CONTENT - len(ASKED.texts[0])]


@pytest.mark.parametrize("has_content", [True, False])
def test_secrets_are_not_written_down(has_content: bool) -> None:
    log = Written()
    audits = Audits(Counted(), Trail(log, "v7", True, has_content))
    audits.passed(ASKED)
    audits.refused(
        structs.replace(ASKED, model="sk-abcdefghijkl"), replace(DENY, reason="Bearer abcdef")
    )
    audits.masked(ASKED, "mail")
    told = repr(log.records)
    for secret in ("AIzaSy", "sk-very", "sk-abc", "abcdef"):
        assert secret not in told


def test_nothing_passes_while_nothing_can_be_written_down() -> None:
    log = Written()
    audits = Audits(Counted(), Trail(log, "v7"))
    assert audits.is_written
    assert audits.hindrance() is None
    log.is_blocked = True
    assert audits.hindrance() is UNAVAILABLE
    assert not uncounted().is_written
    assert uncounted().hindrance() is None


def test_counters_go_on_with_another_log() -> None:
    counted, log = Counted(), Written()
    audits = Audits(counted)
    audits.refused(ASKED, DENY)
    audits.with_trail(Trail(log, "v8")).refused(ASKED, DENY)
    assert counted.enforced == {("rule", "no", "deny", "permission_denied"): 2}
    assert [each["config"] for each in log.records] == ["v8"]
