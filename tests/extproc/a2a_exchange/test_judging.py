"""Who reads answers of agents."""

from __future__ import annotations

import pytest

from extproc.a2a.operations import Operation
from extproc.a2a_exchange.judging import Judges, overseers_of
from extproc.facts import A2aCall, Facts
from extproc.llm.dialect import UnreadableAnswer
from gateway.a2a import Binding
from tests.kit.a2a_exchange import TWO, agents, card, program
from tests.kit.mcp_exchange import NOW

GUARD = "{name: a, type: regex, patterns: [apollo], phase: %s, for: {a2a: travel}}"
RULE = "authorize: [{name: r, for: {a2a: hotels}, phase: response, deny: \"a2a.task_id == 't'\"}]"


def made(yaml: str, agent: str = "travel") -> tuple[Judges | None, bool]:
    built = program(TWO + yaml, agents(travel=card()))
    assert built.a2a is not None
    overseers = overseers_of(built, built.a2a)
    facts = Facts(now=NOW, a2a=A2aCall("SendMessage", agent))
    if overseers is None:
        return None, False
    judges = Judges(overseers, facts, Operation.SEND, Binding.HTTP_JSON)
    return judges, overseers.read(facts, Operation.SEND)


def test_nobody_reads_where_nobody_is_asked_about_answers() -> None:
    assert made("") == (None, False)
    _, is_read = made(f"guardrails: [{GUARD % 'request'}]")
    assert not is_read
    for yaml in (f"guardrails: [{GUARD % 'response'}]", f"guardrails: [{GUARD % 'both'}]"):
        assert made(yaml)[1]
        assert not made(yaml, "hotels")[1]
    assert made(RULE, "hotels")[1]
    assert not made(RULE)[1]


@pytest.mark.parametrize("operation", [Operation.EXTENDED_CARD, Operation.GET_PUSH])
def test_cards_and_webhooks_are_no_messages(operation: Operation) -> None:
    built = program(f"{TWO}guardrails: [{GUARD % 'both'}]", agents(travel=card()))
    assert built.a2a is not None
    overseers = overseers_of(built, built.a2a)
    assert overseers is not None
    facts = Facts(now=NOW, a2a=A2aCall("SendMessage", "travel"))
    assert not overseers.read(facts, operation)


def test_rules_are_asked_before_guards() -> None:
    judges, _ = made(
        f"{RULE}\nguardrails: [{GUARD.replace('travel', 'hotels') % 'both'}]", "hotels"
    )
    assert judges is not None
    for body, code in (
        (b'{"task":{"id":"t","metadata":{"a":"apollo"}}}', "permission_denied"),
        (b'{"task":{"id":"u","metadata":{"a":"apollo"}}}', "content_policy_violation"),
    ):
        document = judges.document()
        assert document.feed(body, is_end=True) == b""
        assert document.denied is not None
        assert document.denied.code == code
    document = judges.document()
    assert document.feed(b'{"task":', is_end=False) == b""
    assert document.feed(b'{"id":"u"}}', is_end=True) == b'{"task":{"id":"u"}}'
    with pytest.raises(UnreadableAnswer):
        judges.document().feed(b"[]", is_end=True)
    assert judges.document().feed(b" ", is_end=True) == b" "
