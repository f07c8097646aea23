"""What guards say of what a provider is to keep for later requests: a cache of Gemini's.

Whichever model of the configuration leads to the provider's may be asked with it then, so the
guards of all of them are asked now.
"""

from __future__ import annotations

from extproc.facts import Facts
from extproc.llm.dialect import Reading
from extproc.policies.inquiry import Inquiry
from extproc.program import Program
from extproc.protocols import json_spans
from extproc.verdict import PASS, Amend, By, Deny, PolicyKind, Verdict

_UNTOKENISED = Deny(
    400,
    "content_policy_violation",
    "a guard would put tokens in the place of values, and what is kept for later cannot hold them",
    by=By(PolicyKind.GUARD),
)


async def judged(program: Program, facts: Facts, reading: Reading) -> Verdict:
    """About all that the body says, which `facts` have read."""
    model, whole = facts.model, facts.body
    for name in program.batches.leading.names(facts.provider, model):
        facts.model = name
        denied = await _denied(program, facts, reading)
        if denied is not None:
            return denied
    facts.model = model
    return PASS if facts.body is whole else Amend(facts.body)


async def _denied(program: Program, facts: Facts, reading: Reading) -> Deny | None:
    """By guards of one model. What they have masked is what the next ones read."""
    guards, inquirer = program.guards, program.inquirer
    found = guards.on_request(facts)
    verdict = await inquirer.settled(found) if isinstance(found, Inquiry) else found
    if isinstance(verdict, Deny):
        return verdict
    if isinstance(verdict, Amend):
        if facts.tokens is not None:
            return _UNTOKENISED
        facts.body = verdict.body
        texts = reading.texts(json_spans.decode(verdict.body))
        if isinstance(texts, Deny):
            return texts
        facts.texts = texts
    beside = guards.beside(facts) if guards.has_beside else None
    return None if beside is None else await inquirer.settled(beside)
