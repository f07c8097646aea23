from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.audits import Audits
from extproc.facts import Facts
from extproc.llm import texts
from extproc.llm.openai_chat.reading import READING
from extproc.llm.openai_chat.shapes import REQUEST
from extproc.policies.guard import Guards
from extproc.policies.inquiry import Inquiry
from extproc.principal import Kind, Principal
from extproc.protocols import json_spans
from extproc.verdict import PASS, Amend, Deny, Pass, Verdict
from gateway.guards import OF_DEFINITIONS
from gateway.model import (
    Guard,
    GuardAction,
    GuardTerms,
    Mode,
    Phase,
    RegexGuard,
    Scope,
    TextScope,
)
from tests.kit.counted import Counted

EMAIL = r"[\w.+-]+@[\w-]+\.[\w.]+"


def block(*patterns: str, name: str = "no-secrets", message: str = "") -> RegexGuard:
    return RegexGuard(name, patterns, GuardAction.BLOCK, "", message)


def mask(*patterns: str, replacement: str = "[redacted]") -> RegexGuard:
    return RegexGuard("mask", patterns, GuardAction.MASK, replacement, "")


def facts_of(body: bytes) -> Facts:
    document = json_spans.decode(body)
    return Facts(
        now=datetime(2030, 1, 1, tzinfo=UTC),
        body=body,
        document=document,
        texts=texts.texts(document, REQUEST),
        reword=READING.reword,
    )


def ask(body: bytes, *guards: Guard) -> Pass | Deny | Amend:
    return verdict_of(Guards(guards), facts_of(body))


def verdict_of(guards: Guards, facts: Facts) -> Verdict:
    """Of guards that ask nobody."""
    verdict = guards.on_request(facts)
    assert not isinstance(verdict, Inquiry)
    return verdict


def say(*contents: object, **fields: object) -> bytes:
    messages = [{"role": "user", "content": content} for content in contents]
    return json.dumps({"model": "fast", "messages": messages, **fields}).encode()


def amended(body: bytes, *guards: Guard) -> bytes:
    verdict = ask(body, *guards)
    assert isinstance(verdict, Amend)
    return verdict.body


def contents(body: bytes) -> list[Any]:
    return [message["content"] for message in json.loads(body)["messages"]]


# --- blocking ------------------------------------------------------------------------------


def test_what_no_guard_minds_passes() -> None:
    assert ask(say("hello"), block("SSN"), mask(EMAIL)) is PASS
    assert ask(say("hello")) is PASS


def test_a_blocked_text_is_a_violation() -> None:
    verdict = ask(say("my SSN is 123"), block(r"\b(SSN|social security)\b"))
    assert isinstance(verdict, Deny)
    assert (verdict.status, verdict.code) == (400, "content_policy_violation")


def test_a_refusal_names_the_guard_and_neither_text_nor_pattern() -> None:
    verdict = ask(say("the tiger eats"), block("tig.r", name="zoo", message="no animals"))
    assert isinstance(verdict, Deny)
    assert verdict.reason == "no animals (guard 'zoo')"
    silent = ask(say("the tiger eats"), block("tig.r", name="zoo"))
    assert isinstance(silent, Deny)
    assert "zoo" in silent.reason
    assert "tig" not in silent.reason


def test_escapes_hide_nothing() -> None:
    body = b'{"messages":[{"role":"user","content":"a\\u0040b.example \\u0053SN"}]}'
    assert isinstance(ask(body, block(EMAIL)), Deny)
    assert isinstance(ask(body, block("^.* SSN$")), Deny)


def test_arguments_and_results_of_tools_are_guarded() -> None:
    arguments = json.dumps({"note": "line\nSSN"})
    call = {"id": "1", "type": "function", "function": {"name": "save", "arguments": arguments}}
    calling = json.dumps({"messages": [{"role": "assistant", "tool_calls": [call]}]}).encode()
    assert isinstance(ask(calling, block(r"\bSSN\b")), Deny)
    answering = json.dumps({"messages": [{"role": "tool", "content": arguments}]}).encode()
    assert isinstance(ask(answering, block(r"\bSSN\b")), Deny)


def test_texts_are_not_run_together() -> None:
    assert ask(say("my S", "SN"), block("SSN", r"S\s*SN", r"S[^x]*N\b.*S")) is PASS


def split(*texts: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": text} for text in texts]


SSN = r"\b\d{3}-\d{2}-\d{4}\b"


def test_what_is_split_over_parts_is_found() -> None:
    assert isinstance(ask(say(split("my 123-", "", "45-67", "89")), block(SSN)), Deny)
    assert ask(say(split("123-45-", "x6789")), block(SSN)) is PASS
    assert isinstance(ask(say(split("x", "123-45-6789")), block(SSN)), Deny)


def test_names_and_numbers_are_found() -> None:
    schema = {"properties": {"SSN": {"type": "string"}}}
    tools = [{"type": "function", "function": {"name": "f", "parameters": schema}}]
    assert isinstance(ask(say("hi", tools=tools), block("SSN")), Deny)
    card = block(r"\b4\d{15}\b")
    assert isinstance(ask(say("hi", extension={"card": 4111111111111111}), card), Deny)
    assert isinstance(ask(say("hi", extension={"card": 4111111111111111.0}), card), Deny)


def test_what_stands_under_the_names_of_structure_elsewhere_is_found() -> None:
    for name in ("id", "type", "role", "name", "tool_call_id", "image_url"):
        schema = {"properties": {"x": {name: "SSN"}}}
        tools = [{"function": {"name": "f", "parameters": schema}}]
        assert isinstance(ask(say("hi", tools=tools), block("SSN")), Deny), name
        assert isinstance(ask(say("hi", metadata={name: "SSN"}), block("SSN")), Deny), name


# --- masking -------------------------------------------------------------------------------


def test_every_match_in_every_text_is_masked_and_the_rest_stays() -> None:
    body = (
        b'{"model" : "fast", "messages":[{"role":"system","content":"caf\\u00e9"},'
        b'{"role":"user","content":"to a@b.example, c\\u0040d.example"}], "temperature": 1.10}'
    )
    assert amended(body, mask(EMAIL)) == (
        b'{"model" : "fast", "messages":[{"role":"system","content":"caf\xc3\xa9"},'
        b'{"role":"user","content":"to [redacted], [redacted]"}], "temperature": 1.10}'
    )


def test_every_part_is_masked_by_itself() -> None:
    parts = [{"type": "text", "text": "é a@b.ex"}, {"type": "text", "text": "c@d.ex 日"}]
    assert contents(amended(say(parts), mask(EMAIL, replacement="@"))) == [
        [{"type": "text", "text": "é @"}, {"type": "text", "text": "@ 日"}]
    ]


def test_what_is_split_over_parts_is_masked_in_each() -> None:
    body = say(split("my 123-", "", "45-67", "89, my 123-45-6789"))
    guard = mask(SSN, replacement="*")
    masked = amended(body, guard)
    assert contents(masked) == [split("my *", "", "*", "*, my *")]
    assert ask(masked, guard) is PASS


def test_a_part_that_is_masked_does_not_hide_the_rest_of_what_is_split() -> None:
    body = say(split("to a@b.ex", "ample.com"))
    assert contents(amended(body, mask(EMAIL, replacement="*"))) == [split("to *", "*")]


def test_masked_parts_are_blocked_by_what_is_left_of_them() -> None:
    body = say(split("a@b.ex", "hello"))
    assert contents(amended(body, mask(EMAIL), block("@"))) == [split("[redacted]", "[redacted]")]
    assert isinstance(ask(say(split("a@b.ex", " S", "SN")), mask(EMAIL), block("SSN")), Deny)


def test_json_that_is_split_over_parts_is_refused_when_its_meaning_is_to_be_masked() -> None:
    verdict = ask(say(split('["\\u00', '53SN"]')), mask("SSN"))
    assert isinstance(verdict, Deny)
    assert verdict.code == "content_policy_violation"


def test_a_number_is_masked_into_a_string() -> None:
    card = mask(r"\b4\d{15}\b")
    body = say("hi", extension={"card": 4111111111111111, "n": 1})
    assert json.loads(amended(body, card))["extension"] == {"card": "[redacted]", "n": 1}
    call = {"id": "1", "function": {"name": "pay", "arguments": '{"card": 4111111111111111}'}}
    body = json.dumps({"messages": [{"role": "assistant", "tool_calls": [call]}]}).encode()
    masked = json.loads(amended(body, card))["messages"][0]["tool_calls"][0]
    assert json.loads(masked["function"]["arguments"]) == {"card": "[redacted]"}


def test_names_are_not_masked_but_refused() -> None:
    schema = {"properties": {"a@b.example": {"type": "string"}}}
    tools = [{"function": {"name": "f", "parameters": schema}}]
    call = {"id": "1", "function": {"name": "f", "arguments": '{"a@b.example": 1}'}}
    calling = json.dumps({"messages": [{"role": "assistant", "tool_calls": [call]}]}).encode()
    for body in (say("hi", tools=tools), calling, say("c@d.example", metadata={"a@b.example": ""})):
        verdict = ask(body, mask(EMAIL))
        assert isinstance(verdict, Deny)
        assert (verdict.status, verdict.code) == (400, "content_policy_violation")
        assert "a@b" not in verdict.reason


def test_what_is_too_deep_to_be_masked_is_refused() -> None:
    deep = {"x": json.loads("[" * 150 + '"' + "[" * 150 + "0" + "]" * 150 + '"' + "]" * 150)}
    verdict = ask(say("a@b.example", extension=deep), mask(EMAIL))
    assert isinstance(verdict, Deny)
    assert verdict.code == "too_deep"


def test_arguments_stay_json_when_masked() -> None:
    arguments = json.dumps({"to": "a@b.example", "note": "x\nSSN"})
    call = {"id": "a@b.example", "function": {"name": "send", "arguments": arguments}}
    body = json.dumps({"messages": [{"role": "assistant", "tool_calls": [call]}]}).encode()
    masked = json.loads(amended(body, mask(EMAIL, r"\bSSN\b")))["messages"][0]["tool_calls"][0]
    assert masked["id"] == "a@b.example"
    assert json.loads(masked["function"]["arguments"]) == {
        "to": "[redacted]",
        "note": "x\n[redacted]",
    }


def test_texts_outside_the_messages_are_masked_too() -> None:
    body = say("hello", tools=[{"function": {"name": "f", "description": "ask a@b.example"}}])
    assert json.loads(amended(body, mask(EMAIL)))["tools"][0]["function"]["description"] == (
        "ask [redacted]"
    )


def test_anchored_masks_mask_only_at_the_edge_of_each_text() -> None:
    assert contents(amended(say("key key", "key"), mask("^key", replacement="*"))) == [
        "* key",
        "*",
    ]


# --- order ---------------------------------------------------------------------------------


def test_a_guard_sees_what_those_before_it_left() -> None:
    body = say("write a@b.example")
    assert contents(amended(body, mask(EMAIL), block("@"))) == ["write [redacted]"]
    assert isinstance(ask(body, block("@"), mask(EMAIL)), Deny)
    assert isinstance(ask(body, mask(EMAIL, replacement="tiger"), block("tiger")), Deny)


def test_a_block_after_a_mask_still_blocks() -> None:
    assert isinstance(ask(say("a@b.example", "SSN"), mask(EMAIL), block("SSN")), Deny)


def test_masks_build_on_each_other() -> None:
    body = say("one")
    assert contents(
        amended(body, mask("one", replacement="two"), mask("two", replacement="three"))
    ) == ["three"]


def test_a_mask_that_matches_only_emptiness_changes_nothing() -> None:
    assert ask(say("abc"), mask("x*")) is PASS


# --- properties ----------------------------------------------------------------------------

pieces = st.sampled_from(["SSN", "é", "\n", '"', "\\", "日", "x ", "{", "]"])
plain = st.lists(pieces, min_size=1).map("".join)
spelled_in_json = st.lists(plain).map(json.dumps)


@given(st.lists(plain | spelled_in_json, min_size=1, max_size=4))
def test_nothing_that_is_to_be_masked_is_left(texts: list[str]) -> None:
    guard = mask("SSN", replacement="*")
    body = say(*texts)
    verdict = ask(body, guard)
    if not any("SSN" in text for text in texts):
        assert verdict is PASS
        return
    assert isinstance(verdict, Amend)
    expected = [meaning(text.replace("SSN", "*")) for text in texts]
    assert [meaning(text) for text in contents(verdict.body)] == expected
    assert ask(verdict.body, guard) is PASS


def meaning(text: str) -> object:
    """A text that is a list in JSON means that list, however it is spelled."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, list) else text


def test_what_nobody_can_reword_is_refused_instead_of_masked() -> None:
    facts = facts_of(say("ann@example.com"))
    facts.reword = None
    assert isinstance(Guards((mask(EMAIL),)).on_request(facts), Deny)


# --- whose requests, and which of their texts ------------------------------------------------


ALL = Scope()


def narrowed(guard: RegexGuard, *texts: TextScope, scope: Scope = ALL) -> RegexGuard:
    return replace(guard, terms=GuardTerms(scope, texts=frozenset(texts) or None))


EVERYWHERE = {
    "messages": [
        {"role": "system", "content": "system SSN"},
        {"role": "user", "content": [{"type": "text", "text": "user SSN"}]},
        {
            "role": "assistant",
            "content": "assistant SSN",
            "reasoning_content": "reasoning SSN",
            "tool_calls": [
                {
                    "id": "1",
                    "type": "function",
                    "function": {"name": "f", "arguments": '{"system":"tool_input SSN"}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "1", "content": "tool_output SSN"},
    ],
    "tools": [{"type": "function", "function": {"name": "f", "description": "system SSN"}}],
    "metadata": {"note": "user SSN"},
}


@pytest.mark.parametrize("scope", [each for each in TextScope if each not in OF_DEFINITIONS])
def test_a_guard_reads_what_stands_where_it_looks(scope: TextScope) -> None:
    found = json.loads(amended(json.dumps(EVERYWHERE).encode(), narrowed(mask("SSN"), scope)))
    assert json.dumps(found) == json.dumps(EVERYWHERE).replace(
        f"{scope} SSN", f"{scope} [redacted]"
    )
    without = json.dumps(EVERYWHERE).replace(f"{scope} SSN", scope).encode()
    assert ask(without, narrowed(block("SSN"), scope)) is PASS
    assert isinstance(ask(without, block("SSN")), Deny)


def test_guards_of_several_scopes_keep_their_order() -> None:
    first = narrowed(mask("SSN", replacement="one"), TextScope.USER)
    second = narrowed(mask("SSN", replacement="two"), TextScope.USER, TextScope.ASSISTANT)
    body = json.dumps(
        {"messages": [{"role": r, "content": "SSN"} for r in ("user", "assistant", "system")]}
    ).encode()
    assert contents(amended(body, first, second)) == ["one", "two", "SSN"]


def test_a_name_that_is_found_in_another_scope_does_not_refuse() -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"SSN": 1}}}]
    assert isinstance(ask(say("SSN", tools=tools), mask("SSN")), Deny)
    masked = amended(say("SSN", tools=tools), narrowed(mask("SSN"), TextScope.USER))
    assert contents(masked) == ["[redacted]"]


def test_what_stands_nobody_knows_where_is_read_by_every_guard() -> None:
    facts = facts_of(say("SSN"))
    facts.reword = None
    guards = Guards((narrowed(block("SSN"), TextScope.SYSTEM),))
    assert isinstance(guards.on_request(facts), Deny)


def test_a_guard_is_asked_about_the_requests_that_it_is_for() -> None:
    guards = Guards((narrowed(block("SSN"), scope=Scope(model="fast*", team="red")),))
    facts = facts_of(say("SSN"))
    facts.model = "fast-1"
    assert guards.on_request(facts) is PASS
    facts.principal = Principal(Kind.API_KEY, "ann", team="red")
    assert isinstance(guards.on_request(facts), Deny)
    facts.model = "smart"
    assert guards.on_request(facts) is PASS


def test_a_guard_of_answers_does_not_read_requests() -> None:
    answers = replace(block("SSN"), terms=GuardTerms(phase=Phase.RESPONSE))
    assert ask(say("SSN"), answers) is PASS
    assert not Guards((answers,)).is_any
    both = replace(block("SSN"), terms=GuardTerms(phase=Phase.BOTH))
    assert isinstance(ask(say("SSN"), both), Deny)


# --- trying out ------------------------------------------------------------------------------


def audited(body: bytes, *guards: RegexGuard) -> tuple[Pass | Deny | Amend, Counted]:
    """With each of these guards in audit whose name begins so."""
    tally = Counted()
    terms = GuardTerms(mode=Mode.AUDIT)
    asked = [replace(each, terms=terms) if each.name.startswith("try") else each for each in guards]
    return verdict_of(Guards(asked, Audits(tally)), facts_of(body)), tally


def test_a_guard_in_audit_decides_nothing_and_is_counted() -> None:
    blocking = block("SSN", name="try-block")
    masking = replace(mask("SSN"), name="try-mask")
    verdict, tally = audited(say("my SSN"), blocking, masking)
    assert verdict is PASS
    assert tally.counts == {("guard", "try-block", "deny"): 1, ("guard", "try-mask", "mask"): 1}
    verdict, tally = audited(say("hello"), blocking, masking)
    assert verdict is PASS
    assert tally.counts == {("guard", "try-block", "pass"): 1, ("guard", "try-mask", "pass"): 1}


def test_a_guard_in_audit_sees_what_those_before_it_left() -> None:
    verdict, tally = audited(say("SSN x"), mask("SSN"), block("SSN", name="try"), block("x"))
    assert isinstance(verdict, Deny)
    assert tally.counts == {("guard", "try", "pass"): 1}
    assert tally.enforced == {("guard", "mask", "mask", ""): 1}


def test_a_guard_in_audit_does_not_object_to_what_a_request_says_elsewhere() -> None:
    guard = replace(block("SSN"), terms=GuardTerms(mode=Mode.AUDIT))
    body = say("SSN")
    facts = facts_of(body)
    assert Guards((guard,)).objection(facts, facts.texts, body, READING.reword) is None
    assert Guards((block("SSN"),)).objection(facts, facts.texts, body, READING.reword) is not None


def test_a_conversation_that_grows_is_read_where_it_grew() -> None:
    guards = Guards([block("[0-9]{3}")])
    turns = ["a" * 5000, "b" * 5000]

    def said(text: str) -> Verdict:
        turns.append(text)
        messages = [{"role": "user", "content": turn} for turn in turns]
        return verdict_of(guards, facts_of(json.dumps({"messages": messages}).encode()))

    for text in "cdef":
        assert said(text * 5000) is PASS
    assert isinstance(said("d" * 5000 + "123"), Deny)
    assert isinstance(said("more"), Deny)  # what was found is found again
