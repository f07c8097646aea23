"""What a model adds to requests that ask for it, before anything is decided on them.

Rules, guards and budgets see what comes out of it, since that is what is sent. The client's body is
spliced; what is not named stays as it is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from msgspec import Struct, structs

from extproc.facts import Facts
from extproc.llm.additions import PROMPTED
from extproc.llm.dialect import Call
from extproc.llm.dialects import Handling
from extproc.llm.members import Step, steps_of, with_steps
from extproc.named import Models
from extproc.policies.variables import PROMPT, Sources, getters, known_values, sources
from extproc.protocols import bodies, json_spans
from extproc.verdict import Deny
from gateway.cel import Bindings, CelError, ValueExpression, bind, compile_value
from gateway.model import Dialect, Model
from gateway.operations import Operation
from gateway.shaping import NULL, Shaping, path_of

_COUNTED: Mapping[Operation, Dialect | None] = {
    Operation.MESSAGE_TOKENS: Dialect.ANTHROPIC,
    Operation.RESPONSE_TOKENS: Dialect.OPENAI_RESPONSES,
    Operation.COUNT_TOKENS: None,  # a request within a request, where it has a system prompt
}
"""Operations that count the tokens of a prompt, and take no other field."""


class InvalidTransformation(Exception):
    """An expression reached the request path that does not compile; the check lets none."""


@dataclass(frozen=True, slots=True)
class _Ready:
    """The shaping of one model, made ready."""

    shaping: Shaping
    steps: tuple[Step, ...]
    transformations: tuple[tuple[tuple[str, ...], ValueExpression], ...]
    """Of the fields that these paths lead to."""
    sources: Sources
    """Of the variables that they read."""
    reads_texts: bool


class Shaper:
    """The shaping of a program's models."""

    def __init__(self, models: Sequence[Model]) -> None:
        self._models = Models(models)
        self._ready = {each.name: _ready(each.shaping) for each in models if each.shaping}

    def shaped(self, body: bytes, call: Call, asked: Asked) -> bytes | Deny:
        """The body as it is to be read; the very same where nothing is to be done to it."""
        found = self._models.find(call.model)
        ready = None if found is None else self._ready.get(found.model.name)
        if ready is None or bodies.is_form(body):
            return body
        is_count = asked.operation in _COUNTED
        dialect = _COUNTED[asked.operation] if is_count else asked.handled.dialect
        if not is_count:
            # Gemini's are read by other names than they may be written in
            is_as_written = dialect is not None and dialect is not Dialect.GEMINI
            names = call.document if is_as_written else json_spans.members(body)
            transformed = _transformed(ready, call, asked) if ready.transformations else ()
            if isinstance(transformed, Deny):
                return transformed
            body = with_steps(body, names, (*ready.steps, *transformed))
        before, after = ready.shaping.prepend, ready.shaping.append
        if dialect is not None and (before or after):
            body = json_spans.replace(
                body, PROMPTED[dialect](json_spans.members(body), before, after)
            )
        return body


class Asked(Struct, frozen=True):
    """The request, beside its body."""

    operation: Operation
    handled: Handling
    facts: Facts
    """Those of the headers; the body's are not there yet."""


def shaper(models: Sequence[Model]) -> Shaper | None:
    """None: no model adds anything."""
    return Shaper(models) if any(each.shaping for each in models) else None


def _ready(shaping: Shaping) -> _Ready:
    compiled = tuple((path_of(name), _compiled(text)) for name, text in shaping.transformations)
    headers = frozenset[str]().union(*(each.headers for _, each in compiled))
    used = frozenset[str]().union(*(each.names for _, each in compiled))
    return _Ready(
        shaping,
        steps_of(shaping.fields),
        compiled,
        sources(sorted(used), getters(headers)),
        PROMPT in used,
    )


def _compiled(text: str) -> ValueExpression:
    compiled = compile_value(text)
    if isinstance(compiled, str):
        raise InvalidTransformation(f"{text!r}: {compiled}")
    return compiled


def _transformed(ready: _Ready, call: Call, asked: Asked) -> tuple[Step, ...] | Deny:
    """What expressions yield, of the request as the client made it. Text stays text."""
    reading = asked.handled.reading
    facts = structs.replace(
        asked.facts,
        model=call.model,
        is_stream=call.is_stream,
        max_output_tokens=call.max_output_tokens,
        choices=call.choices,
        estimated_input_tokens=reading.estimate_input_tokens(call),
        document=call.document,
    )
    if ready.reads_texts:
        texts = reading.texts(call.document)
        if isinstance(texts, Deny):
            return texts
        facts.texts = texts
    bindings = bind(known_values(ready.sources, facts))
    return tuple([Step(path, _yielded(each, bindings)) for path, each in ready.transformations])


def _yielded(expression: ValueExpression, bindings: Bindings) -> bytes:
    value = expression.evaluate_bound(bindings)
    return NULL.encode() if isinstance(value, CelError) else json_spans.encode(value)
