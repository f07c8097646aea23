"""What an expression says of a sample request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from extproc.facts import Facts
from extproc.policies.variables import getters, known_values, sources
from extproc.trial.cases import SampleBlock
from extproc.trial.trying import Subject, tried
from extproc.trial.verdicts import became
from gateway.cel import CelError, ValueExpression, bind, compile_value
from gateway.cel_secrets import SECRETS, UNCOVERED, UNREDACTED, covered
from gateway.secret_texts import REDACTED

_WRITTEN_AS_TEXT = frozenset({"timestamp", "duration", "type"})
_COVERED = {uncovered: name for name, uncovered in UNCOVERED.items()}


@dataclass(frozen=True, slots=True)
class Answered:
    """By an expression."""

    kind: str
    """Its type; for what is only known when it is asked, that of the value."""
    value: object | CelError
    read: Mapping[str, object | None]
    """The variables that it names; None: absent."""


class Unreached(Exception):
    """No policy would see the request: it is refused before."""


def answered(text: str, sample: SampleBlock, of: Subject) -> Answered | str:
    """What it says, or what is wrong with it. Raises `Unreached` and `trying.Unusable`."""
    compiled = compile_value(text)
    if isinstance(compiled, str):
        return compiled
    shown = compiled
    if compiled.kind in _WRITTEN_AS_TEXT:
        as_text = compile_value(f"string({text})")
        shown = as_text if isinstance(as_text, ValueExpression) else compiled
    values = _values(compiled, sample, of)
    values.update({name: value for name, value in _given(sample).items() if name in compiled.names})
    value = shown.evaluate_bound(bind(values))
    kind = _kind(value) if compiled.kind == "dyn" else compiled.kind
    read = {name: values.get(name) for name in sorted(compiled.names)}
    return Answered(kind, value, dict(_shown(name, value) for name, value in read.items()))


def _values(compiled: ValueExpression, sample: SampleBlock, of: Subject) -> dict[str, object]:
    """Of the variables that the request says, when policies would see it."""
    if compiled.names <= set(sample.variables):
        return {}
    found = sources(compiled.names, getters(compiled.headers, compiled.answer_headers))
    reached: list[dict[str, object]] = []

    def look(facts: Facts) -> None:
        if sample.response is not None:
            facts = sample.response.answered(facts)
            facts.answered_by = facts.provider
        reached.append(known_values(found, facts))

    seen = tried(of, sample, look)
    if not reached:
        raise Unreached(became(seen))
    return reached[0]


def _given(sample: SampleBlock) -> dict[str, object]:
    """Variables as the sample has them: of headers, what is secret in them apart."""
    given = dict(sample.variables)
    for name, uncovered in UNCOVERED.items():
        headers = given.get(name)
        if isinstance(headers, dict):
            given[name], given[uncovered] = covered(headers), headers
    return given


def _shown(name: str, value: object | None) -> tuple[str, object | None]:
    """A variable under the name that expressions have for it, without secrets."""
    if isinstance(value, dict) and name in _COVERED:
        return f"{_COVERED[name]}.{UNREDACTED}()", covered(value)
    return name, REDACTED if name in SECRETS and value is not None else value


def _kind(value: object | CelError) -> str:
    kinds: Mapping[type, str] = {
        bool: "bool", int: "int", float: "double", str: "string", list: "list", dict: "map",
        type(None): "null", CelError: "error",
    }  # fmt: skip
    return kinds.get(type(value), "dyn")
