"""What guards of A2A cannot do, or would not see."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.config.finding import Finding, Path
from gateway.config.local_guards import SchemaGuardBlock
from gateway.config.policies import DetectionBlock, GuardTermsBlock
from gateway.config.remote_guards import RemoteGuardBlock
from gateway.config.written import Written
from gateway.guards import DetectionAction, Phase, TextScope

_READ = {
    Phase.REQUEST: {TextScope.USER},
    Phase.RESPONSE: {TextScope.ASSISTANT},
    Phase.BOTH: {TextScope.USER, TextScope.ASSISTANT},
}
"""Where texts of A2A stand."""


def a2a_guards_can_judge(written: Written) -> Iterator[Finding]:
    """`{type: pii, action: tokenise, for: {a2a: "*"}}`; one that reads nothing that there is."""
    for index, guard in enumerate(written.config.guardrails):
        if isinstance(guard, GuardTermsBlock) and guard.who.a2a is not None:
            yield from _findings(("guardrails", index), guard)


def _findings(path: Path, guard: GuardTermsBlock) -> Iterator[Finding]:
    for name in ("model", "provider"):
        if getattr(guard.who, name) is not None:
            yield Finding((*path, "for", name), "what is said to agents has none")
    if guard.who.mcp is not None:
        what = "no call is of an MCP server and of an agent"
        yield Finding((*path, "for", "mcp"), what, "two guards")
    if isinstance(guard, SchemaGuardBlock):
        yield Finding((*path, "type"), "json_schema is not for agents: they say no one form")
        return
    if isinstance(guard, DetectionBlock) and guard.action is DetectionAction.TOKENISE:
        what = "agents keep what they are told for longer than tokens are known"
        yield Finding((*path, "action"), what, "mask, or block")
    if isinstance(guard, RemoteGuardBlock) and guard.parallel:
        yield Finding((*path, "parallel"), "agents are asked after their guards", "leave it out")
    if guard.texts is not None and _READ[guard.phase].isdisjoint(guard.texts):
        places = sorted(_READ[guard.phase])
        where = (*path, "scope") if "scope" in guard.model_fields_set else path
        what = f"reads nothing of A2A in phase: {guard.phase}, where all is {' or '.join(places)}"
        yield Finding(where, what, f"scope: [{', '.join(places)}]")
