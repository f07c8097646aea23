"""The table of dialects and operations."""

from __future__ import annotations

import json

import pytest

from extproc.llm.dialects import COUNTING, FAMILIES, HANDLINGS, SPEAKERS, UNREAD, refusal
from extproc.verdict import Deny
from gateway.apis import Family
from gateway.model import CHAT_DIALECTS, Dialect
from gateway.operations import Operation

DENY = Deny(429, "budget_exhausted", "nothing left", headers=(("retry-after", "7"),))


def test_every_dialect_and_every_turn_of_a_conversation_has_a_row() -> None:
    assert set(SPEAKERS) == set(Dialect)
    for operation, dialect in CHAT_DIALECTS.items():
        assert HANDLINGS[operation].dialect is dialect
        assert HANDLINGS[operation].reading is SPEAKERS[dialect].reading


def test_every_operation_is_read_or_passed_unread_or_answered_here() -> None:
    answered = {Operation.MODELS, Operation.MODEL}
    assert sorted([*HANDLINGS, *UNREAD, *answered]) == sorted(Operation)


def test_every_family_is_refused_in_some_dialect() -> None:
    assert set(FAMILIES) == set(Family)


def test_what_can_be_counted_here_is_read() -> None:
    assert set(COUNTING) <= set(HANDLINGS)
    assert all(json.loads(counting.encode(7)) for counting in COUNTING.values())


@pytest.mark.parametrize("dialect", [None, *Dialect])
def test_a_refusal_has_its_status_its_headers_and_its_reason(dialect: Dialect | None) -> None:
    found = refusal(dialect, DENY)
    assert found.status == 429
    assert ("retry-after", "7") in found.headers
    assert any(name == "content-type" for name, _ in found.headers)
    assert b"nothing left" in found.body
    assert found.details == "dragoman_budget_exhausted"
