"""What guards of requests do not read although it may reach a model: what to warn of."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.config.finding import Finding
from gateway.config.llm import REFUSE, ModelBlock
from gateway.config.policies import GuardTermsBlock
from gateway.config.schema import Config
from gateway.config.tiers import references
from gateway.guards import Phase

_SPOKEN = "realtime"
"""In the names of models that are asked in websockets."""
_RULE = "let some callers in only, by a rule: docs/llm.md, Guardrails"


def unread_by_guards(config: Config) -> Iterator[Finding]:
    """`stored_at: [openai]`, beside a guard of requests."""
    if not any(map(_reads_requests, config.guardrails)):
        return
    llm = config.llm
    if llm.stored_at:
        what = "guards read neither files and uploads nor the batches that are made of them"
        yield Finding(("llm", "stored_at"), what, _RULE)
    if llm.unknown_paths != REFUSE:
        what = "guards read nothing of what goes to unknown paths"
        yield Finding(("llm", "unknown_paths"), what, f"{REFUSE}, or {_RULE}")
    for name, block in llm.models.items():
        if any(_SPOKEN in each.lower() for each in _asked(name, block)):
            what = "guards read nothing of what is said in websockets"
            yield Finding(("llm", "models", name), what, _RULE)


def _reads_requests(guard: object) -> bool:
    """Of the LLM APIs."""
    if not isinstance(guard, GuardTermsBlock) or guard.phase is Phase.RESPONSE:
        return False
    return guard.who.mcp is None and guard.who.a2a is None and guard.who.route is None


def _asked(name: str, block: ModelBlock) -> Iterator[str]:
    """The names of models that it leads to."""
    yield name if block.model is None else block.model
    for _, reference in references(block):
        yield reference
