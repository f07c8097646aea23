"""What guards of MCP cannot do, or would not see."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.config.finding import Finding, Path
from gateway.config.local_guards import SchemaGuardBlock
from gateway.config.policies import GuardTermsBlock
from gateway.config.remote_guards import RemoteGuardBlock
from gateway.config.written import Written
from gateway.guards import OF_DEFINITIONS, Phase, SchemaSubject, TextScope

_SAID = frozenset({TextScope.TOOL_OUTPUT, *OF_DEFINITIONS})
_READ = {
    Phase.REQUEST: frozenset({TextScope.TOOL_INPUT}),
    Phase.RESPONSE: _SAID,
    Phase.BOTH: _SAID | {TextScope.TOOL_INPUT},
}
"""Where texts of MCP stand."""


def mcp_guards_can_judge(written: Written) -> Iterator[Finding]:
    """`{type: webhook, parallel: true, for: {mcp: "*"}}`; one that reads nothing that there is."""
    for index, guard in enumerate(written.config.guardrails):
        if isinstance(guard, GuardTermsBlock) and guard.who.mcp is not None:
            yield from _findings(("guardrails", index), guard)
        elif guard.scope is not None and OF_DEFINITIONS.issuperset(guard.scope):
            what = "is what MCP servers say, for which this guard is not"
            yield Finding(("guardrails", index, "scope"), what, 'for: {mcp: "*"}')
        elif isinstance(guard, SchemaGuardBlock):
            yield from _of_mcp_alone(("guardrails", index), guard)


def _of_mcp_alone(path: Path, guard: SchemaGuardBlock) -> Iterator[Finding]:
    hint = 'for: {mcp: "*"}'
    if guard.from_server:
        yield Finding((*path, "from_server"), "is for tools of MCP servers", hint)
    if guard.of is SchemaSubject.TOOL_OUTPUT:
        yield Finding((*path, "of"), "results are those of tools of MCP servers", hint)


def _schema(path: Path, guard: SchemaGuardBlock) -> Iterator[Finding]:
    if guard.from_request:
        what = "a call of MCP asks for no schema"
        yield Finding((*path, "from_request"), what, "from_server: true, or schema")
    if guard.of not in (SchemaSubject.TOOL_INPUT, SchemaSubject.TOOL_OUTPUT):
        what = f"MCP has no {guard.of}"
        yield Finding((*path, "of"), what, "of: tool_input, or of: tool_output")
    elif guard.of is SchemaSubject.TOOL_INPUT and guard.phase is not Phase.REQUEST:
        yield Finding(path, "judges arguments, which requests have", "phase: request")
    if "stream" in guard.model_fields_set:
        yield Finding((*path, "stream"), "results wait until they are whole", "leave it out")


def _findings(path: Path, guard: GuardTermsBlock) -> Iterator[Finding]:
    for name in ("model", "provider"):
        if getattr(guard.who, name) is not None:
            yield Finding((*path, "for", name), "what is said to MCP servers has none")
    if isinstance(guard, SchemaGuardBlock):
        yield from _schema(path, guard)
        return
    if isinstance(guard, RemoteGuardBlock) and guard.parallel:
        what = "a call that is refused must not have been made: calls of MCP wait for their guards"
        yield Finding((*path, "parallel"), what, "leave it out")
    if guard.texts is not None and _READ[guard.phase].isdisjoint(guard.texts):
        places = sorted(_READ[guard.phase])
        wanted = " or ".join(places)
        where = (*path, "scope") if "scope" in guard.model_fields_set else path
        what = f"reads nothing of MCP in phase: {guard.phase}, where all is {wanted}"
        hint = (
            "phase: response" if guard.phase is Phase.REQUEST else f"scope: [{', '.join(places)}]"
        )
        yield Finding(where, what, hint)
