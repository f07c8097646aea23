"""What guards of MCP cannot do, or would not see."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.config.finding import Finding, Path
from gateway.config.local_guards import SchemaGuardBlock
from gateway.config.policies import DetectionBlock, GuardTermsBlock
from gateway.config.remote_guards import RemoteGuardBlock
from gateway.config.written import Written
from gateway.guards import DetectionAction, Phase, TextScope

_READ = {
    Phase.REQUEST: {TextScope.TOOL_INPUT},
    Phase.RESPONSE: {TextScope.TOOL_OUTPUT},
    Phase.BOTH: {TextScope.TOOL_INPUT, TextScope.TOOL_OUTPUT},
}
"""Where texts of MCP stand."""


def mcp_guards_can_judge(written: Written) -> Iterator[Finding]:
    """`{type: json_schema, for: {mcp: "*"}}`; one that reads nothing that there is."""
    for index, guard in enumerate(written.config.guardrails):
        if isinstance(guard, GuardTermsBlock) and guard.who.mcp is not None:
            yield from _findings(("guardrails", index), guard)


def _findings(path: Path, guard: GuardTermsBlock) -> Iterator[Finding]:
    for name in ("model", "provider"):
        if getattr(guard.who, name) is not None:
            yield Finding((*path, "for", name), "what is said to MCP servers has none")
    if isinstance(guard, SchemaGuardBlock):
        yield Finding(path, "a json_schema guard reads LLM calls alone", "leave out mcp")
        return
    if isinstance(guard, DetectionBlock) and guard.action is DetectionAction.TOKENISE:
        yield Finding((*path, "action"), "tokenise is for LLM calls alone", "mask, or block")
    if isinstance(guard, RemoteGuardBlock) and guard.parallel:
        yield Finding((*path, "parallel"), "calls of MCP wait for their guards", "leave it out")
    if guard.scope is not None and _READ[guard.phase].isdisjoint(guard.scope):
        places = sorted(_READ[guard.phase])
        wanted = " or ".join(places)
        where = (*path, "scope") if "scope" in guard.model_fields_set else path
        what = f"reads nothing of MCP in phase: {guard.phase}, where all is {wanted}"
        hint = (
            "phase: response" if guard.phase is Phase.REQUEST else f"scope: [{', '.join(places)}]"
        )
        yield Finding(where, what, hint)
