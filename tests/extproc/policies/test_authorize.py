"""A deny wins, every require must hold, then some allow must hold; an error never helps."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.audits import Audits
from extproc.facts import Facts
from extproc.policies.authorize import Authorize, InvalidRule
from extproc.principal import Kind, Principal, of_key
from extproc.verdict import PASS, Deny, Verdict
from gateway.cel import EVERY_HEADER
from gateway.model import ApiKey, Effect, Mode, Phase, Rule, Scope
from tests.kit.counted import Counted

FINANCE = (
    '"finance-cleared" in principal.groups && resource.namespace == "finance"'
    " && context.request_time.getHours() >= 9"
)
TRUE, FALSE, ERROR = "true", "false", 'mcp.tool == "x"'


def call(*groups: str, hour: int = 12, model: str = "fast", **headers: str) -> Facts:
    return Facts(
        now=datetime(2026, 3, 4, hour, tzinfo=UTC),
        headers=headers,
        principal=of_key(ApiKey("laptop", "00", team="red", groups=groups)),
        model=model,
        provider="finance",
    )


def allow(expression: str, name: str = "allow", **scope: str) -> Rule:
    return Rule(name, Scope(**scope), Effect.ALLOW, expression)


def require(expression: str, name: str = "require", **scope: str) -> Rule:
    return Rule(name, Scope(**scope), Effect.REQUIRE, expression)


def deny(expression: str, name: str = "deny", **scope: str) -> Rule:
    return Rule(name, Scope(**scope), Effect.DENY, expression)


def verdict(*rules: Rule, facts: Facts | None = None) -> Verdict:
    return Authorize(rules).on_request(facts or call())


def reason(*rules: Rule, facts: Facts | None = None) -> str:
    refused = verdict(*rules, facts=facts)
    assert isinstance(refused, Deny)
    assert (refused.status, refused.code) == (403, "permission_denied")
    return refused.reason


def test_without_rules_everything_passes() -> None:
    assert verdict() is PASS


def test_the_finance_rule_of_the_design() -> None:
    rule = allow(FINANCE, "finance-tools", llm="*")
    assert verdict(rule, facts=call("finance-cleared")) is PASS
    assert reason(rule, facts=call("sales")) == "denied by 'finance-tools'"
    assert reason(rule, facts=call("finance-cleared", hour=8)) == "denied by 'finance-tools'"


def test_a_deny_wins_over_an_allow_wherever_it_stands() -> None:
    assert reason(allow(TRUE), deny(TRUE, "no")) == "denied by 'no'"
    assert reason(deny(TRUE, "no"), allow(TRUE)) == "denied by 'no'"
    assert verdict(allow(TRUE), deny(FALSE)) is PASS


def test_a_deny_that_errs_denies_and_says_why() -> None:
    assert reason(deny(ERROR, "tools"), allow(TRUE)) == (
        "denied by 'tools' ('tools' cannot be evaluated: no usable value for mcp.tool)"
    )


def test_every_require_must_hold() -> None:
    assert verdict(require(TRUE), require(TRUE)) is PASS
    assert reason(require(TRUE), require(FALSE, "second"), allow(TRUE)) == "denied by 'second'"
    assert reason(require(ERROR, "r")).startswith("denied by 'r' ('r' cannot be evaluated: ")


def test_one_allow_is_enough_even_if_another_errs() -> None:
    assert verdict(allow(FALSE), allow(ERROR), allow(TRUE)) is PASS


def test_when_no_allow_holds_all_are_named_with_their_errors() -> None:
    assert reason(allow(FALSE, "a"), allow(ERROR, "b")) == (
        "denied by 'a', 'b' ('b' cannot be evaluated: no usable value for mcp.tool)"
    )


def test_rules_for_others_do_not_count() -> None:
    assert (
        verdict(allow(FALSE, mcp="*"), deny(TRUE, team="blue"), require(FALSE, route="*")) is PASS
    )
    assert verdict(deny(TRUE, model="slow"), allow(TRUE)) is PASS


def test_a_rule_for_a_model_takes_effect_for_it_alone() -> None:
    rule = deny(TRUE, "no-smart", model="smart*")
    assert verdict(rule, facts=call(model="fast")) is PASS
    assert reason(rule, facts=call(model="smart-2")) == "denied by 'no-smart'"


def test_headers_are_read_when_a_rule_names_them() -> None:
    rule = allow('request.headers["team"] == "red"', "team")
    assert verdict(rule, facts=call(team="red")) is PASS
    assert reason(rule, facts=call(team="blue")) == "denied by 'team'"
    assert "cannot be evaluated" in reason(rule, facts=call())


def test_a_nul_in_a_model_does_not_pass_for_the_model() -> None:
    rule = allow('llm.model == "fast"', "fast-only")
    assert verdict(rule, facts=call(model="fast")) is PASS
    assert "no usable value for llm.model" in reason(rule, facts=call(model="fast\0x"))


@pytest.mark.parametrize(
    ("rule", "reads_prompt", "headers"),
    [
        (allow("principal.team == 'red'"), False, set()),
        (allow("llm.model == ''"), False, set()),
        (allow("llm.prompt == ''"), True, set()),
        (allow("request.headers.a == request.id"), False, {"a", "x-request-id"}),
        (allow("size(request.headers) < 9"), False, {EVERY_HEADER}),
    ],
)
def test_it_says_what_it_must_be_given(rule: Rule, reads_prompt: bool, headers: set[str]) -> None:
    policy = Authorize([deny(FALSE), rule])
    assert policy.reads("llm.prompt") is reads_prompt
    assert policy.headers == headers


def test_a_rule_that_does_not_compile_is_a_bug_of_ours() -> None:
    with pytest.raises(InvalidRule, match=r"typo: 1:4: unknown variable 'llm.modle'"):
        Authorize([allow("llm.modle == ''", "typo")])


OUTCOMES = {TRUE: True, FALSE: False, ERROR: None}
rules = st.lists(st.tuples(st.sampled_from(Effect), st.sampled_from(sorted(OUTCOMES))), max_size=6)


@given(rules)
def test_the_order_of_rules_does_not_matter(written: list[tuple[Effect, str]]) -> None:
    outcomes = {
        effect: [OUTCOMES[text] for each, text in written if each is effect] for effect in Effect
    }
    may_pass = (
        all(outcome is False for outcome in outcomes[Effect.DENY])
        and all(outcome is True for outcome in outcomes[Effect.REQUIRE])
        and (not outcomes[Effect.ALLOW] or True in outcomes[Effect.ALLOW])
    )
    made = [Rule(f"r{n}", Scope(), effect, text) for n, (effect, text) in enumerate(written)]
    assert (verdict(*made) is PASS) == may_pass
    assert (verdict(*reversed(made)) is PASS) == may_pass


def test_two_callers_of_one_name_are_not_taken_for_each_other() -> None:
    """Tokens of one user may say other groups."""
    policy = Authorize((allow('"writers" in principal.groups'),))
    writer, reader = (Facts(now=datetime(2026, 3, 4, tzinfo=UTC), model="fast") for _ in range(2))
    writer.principal = Principal(Kind.JWT, "ann", user="ann", groups=("writers",))
    reader.principal = Principal(Kind.JWT, "ann", user="ann", groups=("readers",))
    for _ in range(2):
        assert policy.on_request(writer) is PASS
        assert isinstance(policy.on_request(reader), Deny)


def audited(rule: Rule) -> Rule:
    return replace(rule, mode=Mode.AUDIT)


def findings(*rules: Rule, facts: Facts | None = None) -> dict[str, str]:
    """Rule → what it would have done; asked twice, since the second time much is remembered."""
    counted = Counted()
    policy = Authorize(rules, Audits(counted))
    first = policy.on_request(facts or call())
    assert policy.on_request(facts or call()) == first
    assert set(counted.counts.values()) <= {2}
    return {name: verdict for _, name, verdict in counted.counts}


CHANGING = 'request.path == ""'
"""True, and not remembered: the path is of the request."""


@pytest.mark.parametrize("true", [TRUE, CHANGING])
def test_a_rule_in_audit_decides_nothing_and_is_counted(true: str) -> None:
    false = f"!({true})"
    rules = [
        audited(deny(true, "d")),
        audited(deny(false, "d-not")),
        audited(require(false, "r")),
        audited(require(true, "r-holds")),
        audited(deny(ERROR, "d-errs")),
        audited(require(ERROR, "r-errs")),
        audited(deny(true, "elsewhere", model="slow")),
    ]
    assert verdict(*rules) is PASS
    assert findings(*rules) == {
        "d": "deny",
        "d-not": "pass",
        "r": "deny",
        "r-holds": "pass",
        "d-errs": "error",
        "r-errs": "error",
    }
    assert reason(deny(true, "no"), *rules) == "denied by 'no'"
    assert findings(deny(true, "no"), *rules)["d"] == "deny"


def test_rules_that_allow_are_tried_out_together() -> None:
    one, two = audited(allow(TRUE, "one")), audited(allow(FALSE, "two"))
    assert verdict(one, two) is PASS
    assert findings(one, two) == {"one": "pass", "two": "pass"}
    assert findings(two) == {"two": "deny"}
    assert findings(two, allow(TRUE)) == {"two": "pass"}
    assert findings(audited(allow(ERROR, "errs"))) == {"errs": "error"}


def test_an_allow_in_audit_says_what_it_would_let_through() -> None:
    more = audited(allow(TRUE, "more"))
    assert reason(more, allow(FALSE, "few")) == "denied by 'few'"
    assert findings(more, allow(FALSE, "few")) == {"more": "allow"}
    assert findings(more, allow(FALSE, "few"), deny(TRUE)) == {"more": "pass"}
    assert findings(more, allow(FALSE), require(FALSE)) == {"more": "pass"}


audit_rules = st.lists(
    st.tuples(
        st.sampled_from(Effect), st.sampled_from([TRUE, FALSE, ERROR, CHANGING]), st.booleans()
    ),
    max_size=6,
)


@given(audit_rules)
def test_a_verdict_never_depends_on_rules_in_audit(
    written: list[tuple[Effect, str, bool]],
) -> None:
    made = [
        Rule(str(place), Scope(), effect, text, Mode.AUDIT if is_audited else Mode.ENFORCE)
        for place, (effect, text, is_audited) in enumerate(written)
    ]
    enforced = [rule for rule in made if rule.mode is Mode.ENFORCE]
    assert verdict(*made) == verdict(*enforced)


@given(audit_rules)
def test_what_would_be_is_what_is_once_it_is_enforced(
    written: list[tuple[Effect, str, bool]],
) -> None:
    """All rules that allow in audit become enforced together, any other one alone."""
    made = [
        Rule(str(place), Scope(), effect, text, Mode.AUDIT if is_audited else Mode.ENFORCE)
        for place, (effect, text, is_audited) in enumerate(written)
    ]
    enforced = [rule for rule in made if rule.mode is Mode.ENFORCE]
    for rule in made:
        if rule.mode is Mode.ENFORCE:
            continue
        if rule.effect is Effect.ALLOW:
            joining = [each for each in made if each.effect is Effect.ALLOW]
        else:
            joining = [rule]
        others = [each for each in enforced if each not in joining]
        would = verdict(*others, *(replace(each, mode=Mode.ENFORCE) for each in joining))
        found = findings(*made)[rule.name]
        if verdict(*enforced) is PASS:
            assert (found in ("deny", "error")) is isinstance(would, Deny)
        elif found == "allow":
            assert would is PASS
        elif rule.effect is Effect.ALLOW and OUTCOMES.get(rule.expression, True) is True:
            assert isinstance(would, Deny)


def answered(status: int = 200, **headers: str) -> Facts:
    facts = call()
    facts.status, facts.answer_headers, facts.answered_by = status, headers, "second"
    return facts


def of_answers(*rules: Rule) -> Authorize:
    later = [replace(rule, phase=Phase.RESPONSE) for rule in rules]
    return Authorize(later, phase=Phase.RESPONSE)


def test_each_phase_asks_its_own_rules() -> None:
    early, late = deny(TRUE), replace(deny(TRUE, "late"), phase=Phase.RESPONSE)
    assert isinstance(Authorize([early, late]).on_request(call()), Deny)
    assert Authorize([late]).on_request(call()) is PASS
    denied = Authorize([early, late], phase=Phase.RESPONSE).on_response(answered())
    assert isinstance(denied, Deny)
    assert (denied.status, denied.code) == (403, "permission_denied")
    assert denied.reason == "the response is denied by 'late'"
    assert denied.by == ("rule", "late")


@pytest.mark.parametrize(
    ("rule", "is_passed"),
    [
        (deny("response.status == 500"), True),
        (deny("response.status == 200"), False),
        (deny('"server" in response.headers'), False),
        (deny('response.headers["x-absent"] == "x"'), False),
        (require('response.headers.server == "nginx"'), True),
        (require("response.headers.size() == 0"), False),
        (allow('response.provider == "second" && llm.provider == "finance"'), True),
        (allow('response.provider == "finance"'), False),
        (require('principal.team == "red" && request.headers["x-a"] == "1"'), False),
    ],
)
def test_a_rule_of_responses_reads_the_answer_and_the_request(rule: Rule, is_passed: bool) -> None:
    assert (of_answers(rule).on_response(answered(server="nginx")) is PASS) is is_passed


def test_before_there_is_an_answer_its_variables_are_absent() -> None:
    for text in ("response.status > 1", "response.headers.size() == 0", 'response.provider == "a"'):
        assert isinstance(of_answers(require(text)).on_response(call()), Deny)


def test_who_waits_for_an_answer_is_told_by_scopes_alone() -> None:
    rules = of_answers(deny("response.status == 500", model="fast"))
    assert rules.are_for(call(model="fast"))
    assert not rules.are_for(call(model="slow"))
    assert not Authorize([]).are_for(call())


def test_a_rule_of_responses_in_audit_is_counted_and_decides_nothing() -> None:
    tally = Counted()
    rule = replace(deny("response.status == 200"), phase=Phase.RESPONSE, mode=Mode.AUDIT)
    rules = Authorize([rule], Audits(tally), Phase.RESPONSE)
    assert rules.on_response(answered()) is PASS
    assert rules.on_response(answered(404)) is PASS
    assert dict(tally.counts) == {("rule", "deny", "deny"): 1, ("rule", "deny", "pass"): 1}
