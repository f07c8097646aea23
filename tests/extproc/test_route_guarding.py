from __future__ import annotations

from datetime import UTC, datetime

import pytest

from extproc.facts import Facts
from extproc.route_guarding import RouteGuards, forbidden
from extproc.tokens import Tokens
from extproc.verdict import By, Deny, PolicyKind
from gateway.guards import DetectionAction, DetectionGuard, Guard, GuardAction, GuardTerms, Phase
from gateway.model import RegexGuard
from gateway.scopes import Mode, Scope

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def regex(phase: Phase) -> Guard:
    terms = GuardTerms(Scope(route="a"), phase)
    return RegexGuard("g", ("x",), GuardAction.BLOCK, "", "", terms)


def tokenising(mode: Mode) -> Guard:
    terms = GuardTerms(Scope(route="a"), mode=mode)
    return DetectionGuard("g", "pii", (), (), DetectionAction.TOKENISE, {}, "", terms)


def guards(guard: Guard) -> RouteGuards:
    return RouteGuards([guard], None, lambda texts: len(texts))


@pytest.mark.parametrize(
    ("guard", "is_read"),
    [
        (regex(Phase.REQUEST), False),
        (regex(Phase.RESPONSE), True),
        (regex(Phase.BOTH), True),
        (tokenising(Mode.ENFORCE), True),
        (tokenising(Mode.AUDIT), False),
    ],
)
def test_answers_may_be_read_where_a_guard_is_for_them(guard: Guard, is_read: bool) -> None:
    assert guards(guard).may_read_answer(Facts(NOW, route="a")) is is_read
    assert not guards(guard).may_read_answer(Facts(NOW, route="b"))


def test_where_nothing_became_a_token_nothing_is_put_back() -> None:
    facts, tokens = Facts(NOW, route="a"), Tokens()
    found = guards(tokenising(Mode.ENFORCE))
    assert not found.reads_answer(facts)
    facts.tokens = tokens
    assert not found.reads_answer(facts)
    tokens.token("email", "a@b.c")
    assert found.reads_answer(facts)


def test_what_is_objected_to_is_forbidden() -> None:
    by = By(PolicyKind.GUARD, "g")
    assert forbidden(Deny(400, "content_policy_violation", "no", by=by)) == Deny(
        403, "content_policy_violation", "no"
    )
    other = Deny(503, "guardrail_unavailable", "no", by=by)
    assert forbidden(other) is other
