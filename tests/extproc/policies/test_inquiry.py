"""Remote guards among others: who is asked what, and whose word counts."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.audits import Audits
from extproc.facts import Facts
from extproc.policies.guard import Guards
from extproc.policies.inquiry import Inquiry
from extproc.verdict import PASS, Amend, Deny, Verdict
from gateway.model import Guard, GuardTerms, Mode, Phase, Scope, TextScope
from tests.extproc.policies.test_guard import block, contents, facts_of, mask, say
from tests.kit.counted import Counted
from tests.kit.opinions import Webhooks, objecting, replacing, webhook_guard


def settled(found: Any, webhooks: Webhooks) -> Any:
    if not isinstance(found, Inquiry):
        return found
    return asyncio.run(webhooks.inquirer.settled(found))


def ask(body: bytes, webhooks: Webhooks, *guards: Guard) -> Verdict:
    return settled(Guards(guards).on_request(facts_of(body)), webhooks)  # type: ignore[no-any-return]


def test_what_nobody_objects_to_passes() -> None:
    webhooks = Webhooks({"a": objecting("bad"), "b": objecting("worse")})
    assert ask(say("good"), webhooks, webhook_guard("a"), webhook_guard("b")) is PASS
    assert [name for name, _ in webhooks.asked] == ["a", "b"]
    assert webhooks.most_at_once == 2


def test_the_first_in_order_that_objects_is_told() -> None:
    webhooks = Webhooks({"a": objecting("bad", reason="a minds"), "b": objecting("bad")})
    verdict = ask(say("bad"), webhooks, webhook_guard("a"), webhook_guard("b"))
    assert verdict == Deny(400, "content_policy_violation", "a minds (guard 'a')")
    verdict = ask(say("bad"), webhooks, webhook_guard("b"), webhook_guard("a"))
    assert verdict == Deny(400, "content_policy_violation", "no (guard 'b')")


def test_an_operators_message_is_told_instead_of_the_services_reason() -> None:
    webhooks = Webhooks({"a": objecting("bad", reason="internal words")})
    guard = replace(webhook_guard("a"), message="please do not")
    verdict = ask(say("bad"), webhooks, guard)
    assert isinstance(verdict, Deny)
    assert verdict.reason == "please do not (guard 'a')"


def test_a_guard_of_our_own_that_objects_first_spares_the_question() -> None:
    webhooks = Webhooks({"a": objecting("bad")})
    verdict = ask(say("SSN"), webhooks, block("SSN"), webhook_guard("a"))
    assert isinstance(verdict, Deny)
    assert webhooks.asked == []


def test_services_read_what_guards_before_them_have_left() -> None:
    webhooks = Webhooks({"a": replacing("Apollo", "X"), "b": objecting("Apollo", "SSN")})
    guards = (mask("SSN", replacement="[n]"), webhook_guard("a"), webhook_guard("b"))
    verdict = ask(say("SSN of Apollo"), webhooks, *guards)
    assert isinstance(verdict, Amend)
    assert contents(verdict.body) == ["[n] of X"]
    read = [texts for name, texts in webhooks.asked if name == "b"]
    assert any("[n] of Apollo" in texts for texts in read)  # at once with the first
    assert any("[n] of X" in texts for texts in read)  # again, since the first has changed it


def test_guards_of_our_own_read_what_services_have_left() -> None:
    webhooks = Webhooks({"a": replacing("Apollo", "SSN")})
    verdict = ask(say("Apollo"), webhooks, webhook_guard("a"), block("SSN"))
    assert isinstance(verdict, Deny)
    assert "'no-secrets'" in verdict.reason


def test_what_cannot_be_changed_is_refused_where_a_service_replaces_it() -> None:
    body = json.loads(say("hello"))
    body["unheard_of_apollo"] = 1
    webhooks = Webhooks({"a": replacing("apollo", "x")})
    verdict = ask(json.dumps(body).encode(), webhooks, webhook_guard("a"))
    assert isinstance(verdict, Deny)
    assert verdict.status == 400


def test_what_parts_of_a_message_say_together_is_asked_about() -> None:
    parts = [{"type": "text", "text": text} for text in ("how to make a b", "omb of Apollo")]
    body = say(parts)
    webhooks = Webhooks({"a": objecting("bomb")})
    assert isinstance(ask(body, webhooks, webhook_guard("a")), Deny)
    webhooks = Webhooks({"a": replacing("Apollo", "X")})
    verdict = ask(body, webhooks, webhook_guard("a"))
    assert isinstance(verdict, Amend)
    (said,) = contents(verdict.body)
    assert [part["text"] for part in said] == ["how to make a b", "omb of X"]
    webhooks = Webhooks({"a": replacing("bomb", "cake")})  # in no part of it
    assert isinstance(ask(body, webhooks, webhook_guard("a")), Deny)


words = st.lists(st.sampled_from(["SSN", "x", "{}", '"', "\\n", "é", "[1]"]), max_size=5).map(
    " ".join
)
arguments = st.dictionaries(st.sampled_from(["a", "b"]), words, max_size=2).map(json.dumps)


@given(st.lists(words, min_size=1, max_size=4), arguments)
@settings(deadline=None)
def test_a_service_that_replaces_is_as_a_guard_of_our_own_that_masks(
    texts: list[str], called: str
) -> None:
    body = json.loads(say(*texts))
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": called}}
    body["messages"].append({"role": "assistant", "tool_calls": [call]})
    sent = json.dumps(body).encode()
    remote = ask(sent, Webhooks({"a": replacing("SSN", "[n]")}), webhook_guard("a"))
    own = ask(sent, Webhooks({}), mask("SSN", replacement="[n]"))
    if isinstance(own, Amend):
        assert isinstance(remote, Amend)
        assert json.loads(remote.body) == json.loads(own.body)
    else:
        assert remote is own is PASS


@pytest.mark.parametrize("is_open", [False, True])
def test_silence_is_what_on_error_says(is_open: bool) -> None:
    guard = webhook_guard("a", is_open_on_error=is_open)
    verdict = ask(say("hello"), Webhooks({}), guard)
    if is_open:
        assert verdict is PASS
    else:
        assert verdict == Deny(503, "guardrail_unavailable", "the guard 'a' could not be asked")


def test_an_answer_that_makes_no_sense_is_silence() -> None:
    webhooks = Webhooks({"a": lambda texts: {"verdict": "maybe"}})
    verdict = ask(say("hello"), webhooks, webhook_guard("a"))
    assert isinstance(verdict, Deny)
    assert verdict.status == 503


def test_a_guard_is_asked_about_what_it_reads_and_of_whom_it_is_for() -> None:
    webhooks = Webhooks({"a": objecting("bad")})
    terms = GuardTerms(Scope(model="fast"), texts=frozenset({TextScope.SYSTEM}))
    guards = Guards([webhook_guard("a", terms=terms)])
    body = json.loads(say("bad"))
    facts = facts_of(json.dumps(body).encode())
    assert guards.on_request(facts) is PASS  # another model
    facts.model = "fast"
    assert guards.on_request(facts) is PASS  # nothing to read
    body["messages"].insert(0, {"role": "system", "content": "bad"})
    facts = facts_of(json.dumps(body).encode())
    facts.model = "fast"
    assert isinstance(settled(guards.on_request(facts), webhooks), Deny)
    assert webhooks.asked == [("a", ["bad"])]


def test_a_guard_in_audit_decides_nothing_and_is_counted() -> None:
    webhooks = Webhooks({"a": objecting("bad"), "b": replacing("bad", "good")})
    tally, terms = Counted(), GuardTerms(mode=Mode.AUDIT)
    guards = [webhook_guard(name, terms=terms) for name in ("a", "b", "silent")]
    for text in ("bad", "fine"):
        found = Guards(guards, Audits(tally)).on_request(facts_of(say(text)))
        assert settled(found, webhooks) is PASS
    assert tally.counts == {
        ("guard", "a", "deny"): 1,
        ("guard", "a", "pass"): 1,
        ("guard", "b", "deny"): 1,
        ("guard", "b", "pass"): 1,
        ("guard", "silent", "deny"): 2,
    }


# --- beside the request --------------------------------------------------------------------


def beside(facts: Facts, webhooks: Webhooks, *guards: Guard, tally: Counted | None = None) -> Any:
    made = Guards(guards, Audits(tally or Counted()))
    assert made.on_request(facts) is PASS
    assert webhooks.asked == []
    return settled(made.beside(facts), webhooks)


def test_a_guard_beside_the_request_is_not_waited_for_with_it() -> None:
    webhooks = Webhooks({"a": objecting("bad"), "b": replacing("good", "x")})
    a, b = (webhook_guard(name, is_parallel=True) for name in ("a", "b"))
    assert beside(facts_of(say("fine")), webhooks, a, b) is None
    webhooks.asked.clear()
    denied = beside(facts_of(say("bad")), webhooks, a, b)
    assert isinstance(denied, Deny)
    assert "'a'" in denied.reason


def test_a_guard_beside_the_request_refuses_what_it_would_change() -> None:
    webhooks = Webhooks({"b": replacing("good", "x")})
    denied = beside(facts_of(say("good")), webhooks, webhook_guard("b", is_parallel=True))
    assert isinstance(denied, Deny)
    assert denied.status == 400


def test_a_guard_beside_the_request_can_be_tried_out() -> None:
    webhooks, tally = Webhooks({"a": objecting("bad")}), Counted()
    guard = webhook_guard("a", is_parallel=True, terms=GuardTerms(mode=Mode.AUDIT))
    assert beside(facts_of(say("bad")), webhooks, guard, tally=tally) is None
    assert tally.counts == {("guard", "a", "deny"): 1}


def test_nobody_is_asked_beside_what_no_guard_reads() -> None:
    terms = GuardTerms(Scope(model="other"))
    facts = facts_of(say("x"))
    assert Guards([webhook_guard("a", is_parallel=True, terms=terms)]).beside(facts) is None
    assert Guards([webhook_guard("a")]).beside(facts) is None


def test_of_answers_every_guard_is_waited_for() -> None:
    webhooks = Webhooks({"a": objecting("bad")})
    terms = GuardTerms(phase=Phase.BOTH)
    guards = Guards([webhook_guard("a", is_parallel=True, terms=terms)], phase=Phase.RESPONSE)
    found = guards.look(facts_of(say("bad")), set())
    assert isinstance(settled(found, webhooks), Deny)
