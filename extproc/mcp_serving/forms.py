"""The guards of MCP that judge forms: arguments of tools, and structured results, by JSON Schemas.

A schema stands in the guard, or is the tool's own, as its server lists it ("Tools", "Data Types").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import Struct

from extproc.audits import Audited, Audits, Finding
from extproc.facts import Facts, McpCall
from extproc.mcp.messages import Message
from extproc.policies.scope import Matcher, compile_scope
from extproc.protocols import json_spans
from extproc.verdict import By, Deny, PolicyKind
from gateway.globs import is_like
from gateway.guards import Guard, SchemaGuard, SchemaSubject
from gateway.json_schemas import LARGEST_SCHEMA_BYTES, InvalidSchema, Schema
from gateway.scopes import Mode

_CALL: Final = "tools/call"
_CODE: Final = "schema_violation"
_ALL: Final = ("*",)
_MOST_KNOWN: Final = 1024
"""Schemas of tools."""
_RESULT: Final = frozenset({"content", "structuredContent"})
"""Members of what a tool has to say, and of no other result."""
_MEMBERS: Final[Mapping[SchemaSubject, str]] = {
    SchemaSubject.TOOL_INPUT: "inputSchema",
    SchemaSubject.TOOL_OUTPUT: "outputSchema",
}
_SAID: Final[Mapping[SchemaSubject, str]] = {
    SchemaSubject.TOOL_INPUT: "the arguments are not what the schema wants",
    SchemaSubject.TOOL_OUTPUT: "the result is not what the schema wants",
}
_Own: TypeAlias = Schema | str | None
"""The schema of a tool; text: why there is none that could be used; None: it has none."""


class _Form(Struct, frozen=True):
    """One guard, made ready."""

    guard: SchemaGuard
    schema: Schema | None
    """None: each tool's own."""
    matcher: Matcher

    def deny(self, fault: str) -> Deny:
        name = self.guard.name
        said = self.guard.message or _SAID[self.guard.subject]
        by = By(PolicyKind.GUARD, name)
        return Deny(400, _CODE, f"{said}: {fault} (guard {name!r})", by=by)


class McpForms:
    """Those of a gateway."""

    __slots__ = ("_audits", "_inputs", "_outputs", "_own")

    def __init__(self, guards: Sequence[Guard], audits: Audits) -> None:
        """Raises `InvalidSchema`; the configuration check lets none through."""
        self._audits = audits
        self._inputs = tuple(_forms(guards, SchemaSubject.TOOL_INPUT))
        self._outputs = tuple(_forms(guards, SchemaSubject.TOOL_OUTPUT))
        self._own: dict[tuple[bytes, str], _Own] = {}

    def reads_requests(self, facts: Facts) -> bool:
        """Whether arguments for the server of `facts.mcp` are judged."""
        return any(each.matcher.matches(facts) for each in self._inputs)

    def reads_answers(self, facts: Facts) -> bool:
        """Whether its results are."""
        return any(each.matcher.matches(facts) for each in self._outputs)

    def wants_definition(self, facts: Facts) -> bool:
        """Whether what is called must be known as its server lists it."""
        return any(
            each.schema is None and each.matcher.matches(facts)
            for each in (*self._inputs, *self._outputs)
        )

    def sent(self, facts: Facts, message: Message) -> Deny | None:
        """Why a call may not be."""
        call = facts.mcp
        if call is None or message.method != _CALL:
            return None
        said = message.params.get("arguments")
        arguments = {} if said is None else said
        return self._judged(self._inputs, facts, call, call.tool, arguments)

    def said(self, facts: Facts, document: Mapping[str, Any]) -> Deny | None:
        """Why what a server says may not go on."""
        call, result = facts.mcp, document.get("result")
        if call is None or "method" in document or type(result) is not dict:
            return None
        if type(within := result.get("result")) is dict and not _RESULT.isdisjoint(within):
            result = within  # of a task that is done
        is_result = not _RESULT.isdisjoint(result)
        is_none = result.get("resultType") == "input_required" or "task" in result
        if result.get("isError") is True or (not is_result and is_none):
            return None
        is_called = call.method == _CALL
        if not is_result and not is_called:
            return None
        tool = call.tool if is_called else ""
        return self._judged(self._outputs, facts, call, tool, result.get("structuredContent"))

    def _judged(
        self, forms: Sequence[_Form], facts: Facts, call: McpCall, tool: str, value: object
    ) -> Deny | None:
        for form in forms:
            if not form.matcher.matches(facts) or (tool and not is_like(form.guard.tools, tool)):
                continue
            fault = self._fault(form, call, tool, value)
            if form.guard.terms.mode is Mode.AUDIT:
                verdict = Audited.PASS if fault is None else Audited.DENY
                code = "" if fault is None else _CODE
                finding = Finding(PolicyKind.GUARD, form.guard.name, verdict, code=code)
                self._audits.note(facts, finding)
            elif fault is not None:
                return form.deny(fault)
        return None

    def _fault(self, form: _Form, call: McpCall, tool: str, value: object) -> str | None:
        schema: _Own = form.schema
        if not tool and (schema is None or form.guard.tools != _ALL):
            return "whose it is cannot be seen"  # of a task, or a stream that is taken up again
        if schema is None:
            schema = self._of_tool(call.definition, _MEMBERS[form.guard.subject])
        if not isinstance(schema, Schema):
            return schema
        if value is None:
            return "there is no structured content"
        return schema.fault_of(value)

    def _of_tool(self, definition: bytes, member: str) -> _Own:
        if not definition:
            return "its server lists no such tool"
        key = definition, member
        if key not in self._own:
            if len(self._own) >= _MOST_KNOWN:
                self._own.clear()
            self._own[key] = _own(definition, member)
        return self._own[key]


def _forms(guards: Iterable[Guard], subject: SchemaSubject) -> Iterable[_Form]:
    for guard in guards:
        if isinstance(guard, SchemaGuard) and guard.subject is subject:
            schema = None if guard.schema is None else Schema.of(guard.schema)
            yield _Form(guard, schema, compile_scope(guard.terms.scope))


def _own(definition: bytes, member: str) -> _Own:
    text = json_spans.value_at(definition, (member,))
    if text is None:
        return None
    if len(text) > LARGEST_SCHEMA_BYTES:
        return "the tool's own schema is too large"
    try:
        return Schema(msgspec.json.decode(text, type=dict[str, Any] | bool))
    except (InvalidSchema, msgspec.DecodeError, RecursionError):
        return "the tool's own schema cannot be used"
