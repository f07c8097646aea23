"""The checks that rules are."""

from __future__ import annotations

from gateway.model import Effect, Mode, Phase, Rule
from xds_server.check import Check, Failing, Where
from xds_server.limit_checks import scope_words

_EFFECTS = {
    Effect.DENY: "an error denies",
    Effect.REQUIRE: "an error refuses",
    Effect.ALLOW: "an error allows nothing",
}
"""In the order in which rules are asked."""


def rule_check(rule: Rule, reads: str) -> Check:
    """Of extproc, by what it `reads`."""
    effect = f"{rule.effect} of responses" if rule.phase is Phase.RESPONSE else f"{rule.effect}"
    if rule.mode is Mode.AUDIT:
        name = f"rule {rule.name} ({effect} in audit{scope_words(rule.scope)})"
        return Check(name, Where.EXTPROC, reads, "", Failing.OPEN, "counted and logged")
    name = f"rule {rule.name} ({effect}{scope_words(rule.scope)})"
    failure = _EFFECTS[rule.effect]
    return Check(name, Where.EXTPROC, reads, "403 permission_denied", Failing.CLOSED, failure)


def in_order(rules: tuple[Rule, ...], phase: Phase = Phase.REQUEST) -> list[Rule]:
    """Those of a phase, as they are asked."""
    asked = [rule for rule in rules if rule.phase is phase]
    return sorted(asked, key=lambda rule: list(_EFFECTS).index(rule.effect))
