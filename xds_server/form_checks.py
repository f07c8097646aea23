"""What is checked of the form of texts: how long they are, and whether a schema holds."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.model import LengthGuard, Mode, Phase, SchemaGuard, SchemaSubject
from xds_server.check import Check, Failing, Where

READ: Mapping[Phase, str] = {
    Phase.REQUEST: "body",
    Phase.RESPONSE: "answer",
    Phase.BOTH: "body and answer",
}


_SUBJECTS: Mapping[SchemaSubject, str] = {
    SchemaSubject.ANSWER: "answers",
    SchemaSubject.BODY: "bodies of requests",
    SchemaSubject.TOOL_INPUT: "arguments of calls",
    SchemaSubject.TOOL_OUTPUT: "results of calls",
}


def form_guard(guard: LengthGuard | SchemaGuard, scope: str) -> Check:
    """One guard; `scope`: whom it is for, in words that begin with a comma."""
    what, refusal = _what(guard)
    is_audited = guard.terms.mode is Mode.AUDIT
    name = f"guard {guard.name} ({'block in audit' if is_audited else 'block'}, {what}{scope})"
    read = READ[guard.terms.phase]
    if is_audited:
        return Check(name, Where.EXTPROC, read, "", Failing.OPEN, "counted and logged")
    return Check(name, Where.EXTPROC, read, refusal, Failing.CLOSED, "")


def _what(guard: LengthGuard | SchemaGuard) -> tuple[str, str]:
    if isinstance(guard, LengthGuard):
        texts = guard.terms.texts
        only = "" if texts is None else f", {' '.join(sorted(texts))} only"
        bounds = ((guard.most_characters, "characters"), (guard.most_tokens, "tokens"))
        most = " and ".join(f"{amount} {unit}" for amount, unit in bounds if amount is not None)
        return f"at most {most}{only}", "400 text_too_long"
    is_of_mcp = guard.terms.scope.mcp is not None
    own = "the tool's own schema" if is_of_mcp else "the request's own schema"
    whose = "a schema" if guard.schema is not None else own
    subject = _SUBJECTS[guard.subject]
    if guard.terms.phase is Phase.REQUEST or is_of_mcp:
        return f"{whose} of {subject}", "400 schema_violation"
    stream = "streams held to their end" if guard.is_held else "streams cut before their end"
    refusal = "502 schema_violation"
    if guard.terms.reads_requests:
        refusal = f"400 or {refusal}"
    return f"{whose} of {subject}, {stream}", refusal
