"""Whether an answer has the form that it is to have: its length, and the schema of what it says and
of the arguments of calls.

The bytes of an answer in the client's dialect pass as they are, or do not; what they say is read
beside that, as the events of `extproc.llm.answer`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from msgspec import Struct

from extproc.audits import Audited, Audits, Finding
from extproc.facts import Facts
from extproc.llm.answer import (
    CallDelta,
    CallStarted,
    Failed,
    Finished,
    RefusalDelta,
    Stop,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
)
from extproc.llm.dialect import Call, Codec
from extproc.llm.estimate import expected
from extproc.llm.frames import Frame, Frames, SseFrames
from extproc.llm.pieces import Pieces
from extproc.llm.request import JsonFormat, Request
from extproc.llm.token_weights import Family
from extproc.llm.translate import events_of
from extproc.policies.scope import Matcher, compile_scope
from extproc.verdict import By, Deny, PolicyKind
from gateway.globs import is_like
from gateway.json_schemas import InvalidSchema, Schema
from gateway.model import Guard, LengthGuard, Mode, SchemaGuard, SchemaSubject, TextScope
from gateway.scopes import EVERYTHING

LONGEST_TEXT = 8 << 20
"""Characters of what a schema is for; more is refused."""
_COUNTED_AT_ONCE = 1024
"""Characters: of longer texts, what has come before is not counted again."""
_UNSHAPED = frozenset({Stop.REFUSAL, Stop.CONTENT_FILTER})
"""Says that it does not answer."""
_SCOPES: Mapping[type, TextScope] = {
    TextDelta: TextScope.ASSISTANT,
    RefusalDelta: TextScope.ASSISTANT,
    ThinkingDelta: TextScope.REASONING,
    CallDelta: TextScope.TOOL_INPUT,
}
_ANY_OBJECT = Schema({"type": "object"})


class Judge(Protocol):
    """One guard about one answer."""

    def fault(self, event: StreamEvent) -> str | None:
        """What is wrong with an answer that goes on so; None: nothing yet."""


@dataclass(frozen=True, slots=True)
class _Form:
    """One guard, made ready."""

    name: str
    guard: LengthGuard | SchemaGuard
    schema: Schema | None
    matcher: Matcher | None

    @property
    def is_audited(self) -> bool:
        return self.guard.terms.mode is Mode.AUDIT

    @property
    def is_held(self) -> bool:
        """A stream waits for it."""
        return isinstance(self.guard, SchemaGuard) and self.guard.is_held and not self.is_audited


class Ready(Struct, frozen=True):
    """One guard about the answer to one request."""

    form: _Form
    make: Callable[[], Judge]


class Forms:
    """All guards of a program that look at the form of answers."""

    def __init__(self, guards: Sequence[Guard], audits: Audits) -> None:
        """Raises `InvalidSchema`; the configuration check lets none through."""
        self.audits = audits
        self._forms = tuple(
            _form(each)
            for each in guards
            if isinstance(each, LengthGuard | SchemaGuard) and each.terms.reads_answers
        )
        self.is_any = bool(self._forms)
        self._reads_requests = any(
            isinstance(each.guard, SchemaGuard) and each.schema is None for each in self._forms
        )

    def ready(
        self, facts: Facts, call: Call, decode: Callable[[Call], Request | Deny] | None
    ) -> tuple[Ready, ...] | Deny:
        """Those that look at the answer to this request; `decode` reads it, if it is a
        conversation."""
        asked = [
            form for form in self._forms if form.matcher is None or form.matcher.matches(facts)
        ]
        if not asked:
            return ()
        request: Request | None = None
        if self._reads_requests and decode is not None:
            decoded = decode(call)
            if isinstance(decoded, Deny):
                return decoded
            request = decoded
        try:
            made = [(form, _judging(form, request)) for form in asked]
        except InvalidSchema as error:
            reason = f"the schema that is asked for cannot be used: {error}"
            return Deny(400, "invalid_schema", reason, by=By(PolicyKind.REQUEST))
        return tuple(Ready(form, make) for form, make in made if make is not None)


def _form(guard: LengthGuard | SchemaGuard) -> _Form:
    scope = guard.terms.scope
    schema = guard.schema if isinstance(guard, SchemaGuard) else None
    return _Form(
        guard.name,
        guard,
        None if schema is None else Schema.of(schema),
        None if scope == EVERYTHING else compile_scope(scope),
    )


def _judging(form: _Form, request: Request | None) -> Callable[[], Judge] | None:
    """Makes the judge of an answer; None: there is nothing to judge."""
    guard, schema = form.guard, form.schema
    if isinstance(guard, LengthGuard):
        return lambda: _Length(guard)
    if guard.subject is SchemaSubject.ANSWER:
        wanted = schema or (None if request is None else _asked_for(request.format))
        return None if wanted is None else lambda: _Answer(wanted)
    known = None if schema or request is None else _parameters(request)
    return lambda: _Calls(guard.tools, schema, known)


def _asked_for(form: JsonFormat | None) -> Schema | None:
    if form is None:
        return None
    return _ANY_OBJECT if form.schema is None else Schema(form.schema)


def _parameters(request: Request) -> Mapping[str, Schema]:
    """By tool."""
    return {each.name: Schema(each.parameters or {}) for each in request.tools}


class _Length:
    """Of all texts that the guard reads."""

    def __init__(self, guard: LengthGuard) -> None:
        self._left = guard.most_characters
        self._tokens = None if guard.most_tokens is None else _Tokens(guard.most_tokens)
        self._texts = guard.terms.texts

    def fault(self, event: StreamEvent) -> str | None:
        scope = _SCOPES.get(type(event))
        if scope is None or (self._texts is not None and scope not in self._texts):
            return None
        text = event.arguments if isinstance(event, CallDelta) else getattr(event, "text", "")
        if self._left is not None:
            self._left -= len(text)
            if self._left < 0:
                return "it is too long"
        is_over = self._tokens is not None and self._tokens.are_over_with(text)
        return "it is too long" if is_over else None


class _Tokens:
    """Of a text that comes in pieces, which may be smaller than tokens."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._counted = 0
        self._rest = ""

    def are_over_with(self, text: str) -> bool:
        """Whether there are more than may be, with this piece."""
        self._rest += text
        tokens = self._counted + expected([self._rest], Family.OTHER) if self._rest else 0
        if len(self._rest) >= _COUNTED_AT_ONCE:
            self._counted, self._rest = tokens, ""
        return tokens > self._most


class _Answer:
    """What the model says, of each choice."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._texts: dict[int, list[str]] = {}
        self._calling: set[int] = set()
        self._left = LONGEST_TEXT

    def fault(self, event: StreamEvent) -> str | None:
        if isinstance(event, TextDelta):
            self._texts.setdefault(event.choice, []).append(event.text)
            self._left -= len(event.text)
            return "it is too long" if self._left < 0 else None
        if isinstance(event, CallStarted):
            self._calling.add(event.choice)
        if not isinstance(event, Finished) or event.stop in _UNSHAPED:
            return None
        text = "".join(self._texts.pop(event.choice, ()))
        if event.choice in self._calling and not text.strip():
            return None  # it has not answered yet
        return self._schema.fault(text)


@dataclass(slots=True)
class _Called:
    name: str
    pieces: list[str] = field(default_factory=list)


class _Calls:
    """The arguments of calls."""

    def __init__(
        self,
        tools: Sequence[str],
        schema: Schema | None,
        known: Mapping[str, Schema] | None,
    ) -> None:
        """`schema` is of all, or else each tool has its own."""
        self._tools = tools
        self._schema = schema
        self._known = known or {}
        self._open: dict[tuple[int, int], _Called] = {}
        self._left = LONGEST_TEXT

    def fault(self, event: StreamEvent) -> str | None:
        if isinstance(event, CallStarted):
            if is_like(self._tools, event.name):
                self._open[event.choice, event.number] = _Called(event.name)
        elif isinstance(event, CallDelta):
            called = self._open.get((event.choice, event.number))
            if called is not None:
                called.pieces.append(event.arguments)
                self._left -= len(event.arguments)
                return "the arguments of calls are too long" if self._left < 0 else None
        elif isinstance(event, Finished):
            mine = [key for key in self._open if key[0] == event.choice]
            faults = [self._judged(self._open.pop(key)) for key in mine]
            return next((fault for fault in faults if fault is not None), None)
        return None

    def _judged(self, called: _Called) -> str | None:
        schema = self._schema or self._known.get(called.name)
        if schema is None:
            return f"there is no tool {called.name[:64]!r}"
        fault = schema.fault("".join(called.pieces).strip() or "{}")
        return None if fault is None else f"the arguments of {called.name[:64]!r}: {fault}"


class Conforming:
    """One answer on its way, before anybody else looks at it."""

    __slots__ = (
        "_audits",
        "_codec",
        "_decoding",
        "_facts",
        "_found",
        "_frames",
        "_is_held",
        "_judges",
        "_pieces",
        "denied",
    )

    def __init__(
        self,
        ready: Sequence[Ready],
        audits: Audits,
        facts: Facts,
        codec: Codec,
        frames: Frames | None,
        *,
        is_stream: bool,
    ) -> None:
        """`frames`: those of a stream that are not the codec's own."""
        self._audits = audits
        self._facts = facts
        self._codec = codec
        self._decoding = codec.decoding() if is_stream else None
        self._frames = frames
        self._judges = [(each.form, each.make()) for each in ready]
        self._found: set[str] = set()
        """Those in audit that have found something."""
        self._is_held = not is_stream or any(each.form.is_held for each in ready)
        self._pieces = Pieces()
        self.denied: Deny | None = None
        """Nothing more of it may go on."""

    def feed(self, data: bytes, *, is_end: bool) -> bytes:
        """What may go on now. Raises `UnreadableAnswer`."""
        if self.denied is not None:
            return b""
        if self._is_held:
            self._pieces.add(data)
            data = self._pieces.take() if is_end and self._decoding is None else data
        for event in self._events(data, is_end=is_end):
            self.denied = self._judged(event)
            if self.denied is not None:
                self._pieces.take()
                return b""
        if not self._is_held or (is_end and self._decoding is None):
            return data
        return self._pieces.take() if is_end else b""

    def end(self) -> None:
        """Nothing more is asked: what is in audit is told, once."""
        judges, self._judges = self._judges, []
        for form, _ in judges:
            if form.is_audited:
                is_hit = form.name in self._found
                verdict = Audited.DENY if is_hit else Audited.PASS
                code = _deny(form, "").code if is_hit else ""
                finding = Finding(PolicyKind.GUARD, form.name, verdict, code=code)
                self._audits.note(self._facts, finding)

    def _events(self, data: bytes, *, is_end: bool) -> Sequence[StreamEvent]:
        decoding = self._decoding
        if decoding is None:
            if not is_end:
                return ()
            return list(events_of(self._codec.decode_answer(data)))
        if self._frames is not None:
            frames = self._frames.feed(data, is_end=is_end)
            data = b"".join(SseFrames().said(Frame(each.data)) for each in frames if each.data)
        events = list(decoding.feed(data)) if data else []
        return [*events, *decoding.end()] if is_end else events

    def _judged(self, event: StreamEvent) -> Deny | None:
        if isinstance(event, Failed):
            return self._broken()
        for form, judge in self._judges:
            if form.name in self._found:
                continue
            fault = judge.fault(event)
            if fault is None:
                continue
            if not form.is_audited:
                return _deny(form, fault)
            self._found.add(form.name)
        return None

    def _broken(self) -> Deny | None:
        """The stream ended early: what is held goes nowhere."""
        held = (form for form, _ in self._judges if form.is_held)
        return next((_deny(form, "it is not whole") for form in held), None)


def _deny(form: _Form, fault: str) -> Deny:
    by, message = By(PolicyKind.GUARD, form.name), form.guard.message
    if isinstance(form.guard, LengthGuard):
        reason = f"{message or 'the answer was refused'} (guard {form.name!r})"
        return Deny(400, "text_too_long", reason, by=by)
    said = message or "the answer is not what its schema wants"
    return Deny(502, "schema_violation", f"{said}: {fault} (guard {form.name!r})", by=by)
