"""Which model a request goes to when little is left of a budget. Decides, and does no I/O."""

from __future__ import annotations

from collections.abc import Awaitable

from extproc.facts import Facts
from extproc.plan import Plan, Planner, Wanted
from extproc.policies.budget import Lower
from extproc.program import Program
from extproc.verdict import Deny

MOST_LOOKS = 3
"""How often it is looked where budgets stand, for one request."""
_MOST_STEPS = 4
"""A cheaper model may have a budget of its own, of which little is left."""


def lowered(
    program: Program, facts: Facts, planner: Planner, wanted: Wanted
) -> Lower | Awaitable[object] | None:
    """The model that is asked instead of `facts.model`; None: that one. An awaitable: it is to be
    asked again after that.

    Nobody comes to a model that they may not use, or that cannot answer. Facts of the model and
    the provider are as they were asked about last.
    """
    found: Lower | None = None
    seen = {facts.model}
    if not _may(program, facts, planner, wanted):
        return None
    for _ in range(_MOST_STEPS):
        low = program.budgets.lower(facts)
        if isinstance(low, Awaitable):
            return low
        if low is None or low.model in seen:
            break
        seen.add(low.model)
        facts.model = low.model
        if not _may(program, facts, planner, wanted):
            break
        found = low
    return found


def _may(program: Program, facts: Facts, planner: Planner, wanted: Wanted) -> bool:
    plan = planner.plan(facts.model, wanted, facts)
    if not isinstance(plan, Plan):
        return False
    facts.provider = plan.first_provider
    verdicts = (policy.on_request(facts) for policy in program.header_policies)
    return not any(isinstance(each, Deny) for each in verdicts)
