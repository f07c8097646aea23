"""What guards say of what names models of a provider: a cache of Gemini's, a batch of messages.

Whichever model of the configuration leads to one of the provider's may be meant, so the guards of
all of them are asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from extproc.facts import Facts
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


Texts: TypeAlias = Callable[[Mapping[str, object]], tuple[str, ...] | Deny]


async def judged(program: Program, facts: Facts, models: Sequence[str], texts: Texts) -> Verdict:
    """About all that the body says, which `facts` have read, for these models of the provider."""
    model, whole, leading = facts.model, facts.body, program.batches.leading
    for name in dict.fromkeys(n for each in models for n in leading.names(facts.provider, each)):
        facts.model = name
        denied = await _denied(program, facts, texts)
        if denied is not None:
            return denied
    facts.model = model
    return PASS if facts.body is whole else Amend(facts.body)


async def _denied(program: Program, facts: Facts, texts_of: Texts) -> Deny | None:
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
        texts = texts_of(json_spans.decode(verdict.body))
        if isinstance(texts, Deny):
            return texts
        facts.texts = texts
    beside = guards.beside(facts) if guards.has_beside else None
    return None if beside is None else await inquirer.settled(beside)
