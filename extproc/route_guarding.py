"""The guards of plain routes: what may be said to backends, and by them.

What requests say stands in the scope `user`, what backends answer in `assistant`, as agents do.
docs/guardrails.md, "Plain routes".
"""

from __future__ import annotations

from collections.abc import Sequence

from extproc.a2a_serving.lengths import Lengths
from extproc.audits import Audits, uncounted
from extproc.facts import Facts
from extproc.policies.guard import Guards
from extproc.policies.lengths import Measure
from extproc.verdict import Deny
from gateway.guards import Guard, Phase


class RouteGuards:
    """Those of a gateway that are for plain routes."""

    __slots__ = ("answers", "lengths", "requests", "streams")

    def __init__(self, guards: Sequence[Guard], audits: Audits | None, measure: Measure) -> None:
        self.requests = Guards(guards, audits, measure=measure)
        self.answers = Guards(guards, audits, Phase.RESPONSE, measure, is_whole=True)
        """Who reads what backends answer, where it is whole."""
        self.streams = Guards(guards, audits, Phase.RESPONSE, measure)
        """The same of streams, but for how long they are."""
        self.lengths = Lengths(guards, audits or uncounted(), measure)

    def may_read_answer(self, facts: Facts) -> bool:
        """Whether somebody may read what the backend answers this request, before it is read."""
        if self.answers.steps_for(facts):
            return True
        is_tokenising = self.requests.is_tokenising
        return is_tokenising and any(
            step.is_tokenising and not step.is_audited for step in self.requests.steps_for(facts)
        )

    def reads_answer(self, facts: Facts) -> bool:
        """The same of a request that was read: values may have to be put back."""
        is_tokenised = facts.tokens is not None and facts.tokens.is_any
        return is_tokenised or bool(self.answers.steps_for(facts))


def forbidden(deny: Deny) -> Deny:
    """As HTTP has it: nothing is wrong with the form of what is objected to."""
    if deny.code != "content_policy_violation":
        return deny
    return Deny(403, "content_policy_violation", deny.reason, by=deny.by)
