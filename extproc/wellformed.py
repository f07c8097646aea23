"""Whether a request has the form that it is to have: the schema of its body, and of the arguments
of calls that it tells of.

As a policy: asked after the rules, and before the guards that look for something in texts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from extproc.audits import Audited, Audits, Finding
from extproc.facts import Facts
from extproc.llm.dialect import Call
from extproc.llm.request import Request, ToolCall
from extproc.policies.scope import Matcher, compile_scope
from extproc.verdict import PASS, By, Deny, PolicyKind, Verdict
from gateway.globs import is_like
from gateway.json_schemas import InvalidSchema, Schema
from gateway.model import Guard, Mode, SchemaGuard, SchemaSubject
from gateway.scopes import EVERYTHING

_LONGEST_NAME = 64

Decode: TypeAlias = Callable[[Call], Request | Deny]


@dataclass(frozen=True, slots=True)
class _Form:
    """One guard, made ready."""

    guard: SchemaGuard
    schema: Schema | None
    matcher: Matcher | None

    def deny(self, fault: str) -> Deny:
        name = self.guard.name
        said = self.guard.message or "the request is not what its schema wants"
        reason = f"{said}: {fault} (guard {name!r})"
        return Deny(400, "schema_violation", reason, by=By(PolicyKind.GUARD, name))


class WellFormed:
    """All guards of a program that look at the form of requests."""

    def __init__(self, guards: Sequence[Guard], audits: Audits) -> None:
        """Raises `InvalidSchema`; the configuration check lets none through."""
        self._audits = audits
        self._forms = tuple(
            _Form(
                guard,
                None if guard.schema is None else Schema.of(guard.schema),
                None if guard.terms.scope == EVERYTHING else compile_scope(guard.terms.scope),
            )
            for guard in guards
            if isinstance(guard, SchemaGuard) and guard.terms.reads_requests
        )
        self.is_any = bool(self._forms)
        self.reads_calls = any(
            form.guard.subject is SchemaSubject.TOOL_INPUT for form in self._forms
        )
        """Some have to know which calls a request tells of: `facts.conversation`."""

    def on_request(self, facts: Facts) -> Verdict:
        """Reads `facts.body`, and `facts.conversation`."""
        asked = [
            form for form in self._forms if form.matcher is None or form.matcher.matches(facts)
        ]
        reader = _Reader(facts)
        for form in asked:
            fault = reader.fault(form)
            if isinstance(fault, Deny):
                return fault
            if form.guard.terms.mode is Mode.AUDIT:
                verdict = Audited.PASS if fault is None else Audited.DENY
                code = "" if fault is None else "schema_violation"
                finding = Finding(PolicyKind.GUARD, form.guard.name, verdict, code=code)
                self._audits.note(facts, finding)
            elif fault is not None:
                return form.deny(fault)
        return PASS


class _Reader:
    """One request, which is read once at most."""

    __slots__ = ("_facts", "_request")

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._request: Request | Deny | None = None

    def fault(self, form: _Form) -> str | Deny | None:
        """What is wrong with it; a Deny, where it cannot be looked at."""
        if form.guard.subject is not SchemaSubject.TOOL_INPUT:
            return None if form.schema is None else _fault_of_body(form.schema, self._facts.body)
        request = self._conversation()
        if request is None or isinstance(request, Deny):
            return request
        try:
            known = None if form.schema else _parameters(request)
        except InvalidSchema as error:
            reason = f"the schema that is asked for cannot be used: {error}"
            return Deny(400, "invalid_schema", reason, by=By(PolicyKind.REQUEST))
        return next(_faults_of_calls(form, request, known or {}), None)

    def _conversation(self) -> Request | Deny | None:
        """None: it is none."""
        if self._request is None and self._facts.conversation is not None:
            found = self._facts.conversation()
            self._request = found if isinstance(found, Request | Deny) else None
        return self._request


def _fault_of_body(schema: Schema, body: bytes) -> str | None:
    try:
        return schema.fault(body.decode())
    except UnicodeDecodeError:
        return "it is not JSON"


def _parameters(request: Request) -> Mapping[str, Schema]:
    return {each.name: Schema(each.parameters or {}) for each in request.tools}


def _faults_of_calls(form: _Form, request: Request, known: Mapping[str, Schema]) -> Iterator[str]:
    """A tool that the request does not give any more has no schema, and is passed over."""
    for call in _calls(request):
        schema = form.schema or known.get(call.name)
        if schema is None or not is_like(form.guard.tools, call.name):
            continue
        fault = schema.fault(call.arguments.strip() or "{}")
        if fault is not None:
            yield f"the arguments of {call.name[:_LONGEST_NAME]!r}: {fault}"


def _calls(request: Request) -> Iterator[ToolCall]:
    for message in request.messages:
        yield from (part for part in message.parts if isinstance(part, ToolCall))
