"""CEL expressions: compiled when the configuration is read, evaluated once per request.

Variables are declared and flat (`gateway.cel_variables`), so an unknown name is a mistake at load,
and an expression says which variables and headers it needs. https://cel.dev
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache

from cel_expr_python import cel
from cel_expr_python.ext import ext_bindings, ext_encoders, ext_math, ext_optional, ext_strings

from gateway.cel_calls import checked
from gateway.cel_folding import constant
from gateway.cel_functions import FUNCTIONS
from gateway.cel_growth import refuse_growth
from gateway.cel_mistakes import (
    compiler_reason,
    mistake_reason,
    refuse_text,
    refuse_text_type,
    refuse_type,
    refuse_use,
    runtime_reason,
)
from gateway.cel_secrets import SECRETS, Mistake, uncovering
from gateway.cel_syntax import Syntax, keys_read, read_checked, read_parsed
from gateway.cel_variables import HIDDEN, VARIABLES, Variable

__all__ = [
    "EVERY_HEADER",
    "VARIABLES",
    "Bindings",
    "CelError",
    "Expression",
    "TextExpression",
    "ValueExpression",
    "Variable",
    "bind",
    "compile_expression",
    "compile_text",
    "compile_value",
    "is_literal",
    "syntax_of",
]

EVERY_HEADER = "*"
"""Stands in `Expression.headers` when which headers are read is known only at the request."""

_REMEMBERED = 1000
"""Expressions: who checks a file, who explains it and who runs it compile the same ones."""
_ABOUT_A_SECRET = "it reads a secret, so why it errs is not told"
_LIMIT_DEPTH = 64
"""Of a value: the library follows nested values on the C stack, and dies of a deep one."""


@dataclass(frozen=True, slots=True)
class CelError:
    """An expression came to nothing: something was absent, or of another type. It is not false."""

    reason: str
    """One line, lower case, for people."""


@dataclass(frozen=True, slots=True)
class Bindings:
    """The values of one request, made ready once for all of its expressions."""

    activation: cel.Activation


@dataclass(frozen=True, slots=True)
class Expression:
    """A checked expression that yields a bool."""

    text: str
    names: frozenset[str]
    """The variables that it uses."""
    headers: frozenset[str]
    """The request headers that it reads, lower case, or `EVERY_HEADER`."""
    answer_headers: frozenset[str]
    """The same of the answer."""
    needs_body: bool
    always: bool | None
    """What it is for every request for which it does not err; None: it depends."""
    _program: cel.Expression = field(repr=False, compare=False)

    def evaluate(self, values: Mapping[str, object]) -> bool | CelError:
        """The answer for these values, by variable name; a variable left out is absent."""
        return self.evaluate_bound(bind(values))

    def evaluate_bound(self, bindings: Bindings) -> bool | CelError:
        """The same, where several expressions see the same values."""
        try:
            outcome = self._program.eval(bindings.activation).value()
        except RuntimeError as refused:  # too many iterations, or a string that is not Unicode
            return _error(str(refused), self.names)
        if outcome is True or outcome is False:
            return outcome
        return _error(str(outcome), self.names)


@dataclass(frozen=True, slots=True)
class TextExpression:
    """A checked expression that yields a text."""

    text: str
    names: frozenset[str]
    """The variables that it uses."""
    headers: frozenset[str]
    """The request headers that it reads, lower case, or `EVERY_HEADER`."""
    answer_headers: frozenset[str]
    """The same of the answer."""
    needs_body: bool
    _program: cel.Expression = field(repr=False, compare=False)

    def evaluate(self, values: Mapping[str, object]) -> str | CelError:
        """The text for these values, by variable name; a variable left out is absent."""
        try:
            outcome = self._program.eval(bind(values).activation)
        except RuntimeError as refused:  # too many iterations, or a string that is not Unicode
            return _error(str(refused), self.names)
        value, kind = outcome.value(), outcome.type()
        if kind == cel.Type.STRING and isinstance(value, str):
            return value
        if kind in (cel.Type.ERROR, cel.Type.UNKNOWN):
            return _error(str(value), self.names)
        return CelError(f"not a string: {kind.name().lower()}")


@dataclass(frozen=True, slots=True)
class ValueExpression:
    """A checked expression that yields any value that JSON has."""

    text: str
    names: frozenset[str]
    """The variables that it uses."""
    headers: frozenset[str]
    """The request headers that it reads, lower case, or `EVERY_HEADER`."""
    answer_headers: frozenset[str]
    """The same of the answer."""
    needs_body: bool
    kind: str
    """The CEL type, as far as it is known before it is asked: `string`, `dyn`."""
    _program: cel.Expression = field(repr=False, compare=False)

    def evaluate_bound(self, bindings: Bindings) -> object | CelError:
        """None, bool, int, float, str, list or dict with text as keys."""
        try:
            return _plain(self._program.eval(bindings.activation), _LIMIT_DEPTH, self.names)
        except RuntimeError as refused:  # too many iterations, or a string that is not Unicode
            return _error(str(refused), self.names)
        except _NotPlain as refused:
            return CelError(str(refused))


class _NotPlain(Exception):
    """A value that JSON does not have, or an error instead of one."""


def bind(values: Mapping[str, object]) -> Bindings:
    """Makes values ready: str, bool, int, float, list, dict, aware datetime.

    What the library would misread is left out, and so absent.
    """
    usable = {name: value for name, value in values.items() if _is_usable(value, _LIMIT_DEPTH)}
    return Bindings(_environment().Activation(usable))


def is_literal(text: str) -> bool:
    """Whether it says no more than `true` or `false`, and so is what it is on purpose."""
    return text.strip() in ("true", "false")


@lru_cache(_REMEMBERED)
def compile_expression(text: str) -> Expression | str:
    """The expression, or what is wrong with it: `1:4: unknown variable 'llm.modle' (…)`."""
    checked = _checked(text)
    if isinstance(checked, str):
        return checked
    program, syntax = checked
    return refuse_type(program.return_type()) or Expression(
        text, *_read(syntax), constant(syntax), _program=program
    )


def compile_text(text: str) -> TextExpression | str:
    """The expression that yields a text, or what is wrong with it."""
    checked = _checked(text)
    if isinstance(checked, str):
        return checked
    program, syntax = checked
    return refuse_text_type(program.return_type()) or TextExpression(
        text, *_read(syntax), _program=program
    )


def compile_value(text: str) -> ValueExpression | str:
    """The expression that yields whatever JSON has, or what is wrong with it."""
    checked = _checked(text)
    if isinstance(checked, str):
        return checked
    program, syntax = checked
    kind = program.return_type().name().lower()
    return ValueExpression(text, *_read(syntax), kind, _program=program)


@lru_cache(_REMEMBERED)
def syntax_of(text: str) -> Syntax:
    """The tree of an expression that was compiled before. ValueError: it does not compile."""
    checked = _checked(text)
    if isinstance(checked, str):
        raise ValueError(checked)
    return checked[1]


def _checked(text: str) -> tuple[cel.Expression, Syntax] | str:
    refused = refuse_text(text)
    if refused is not None:
        return refused
    parsed: Syntax | None = None
    try:
        parsed = read_parsed(_environment().compile(text, disable_check=True).serialize())
        uncovered = uncovering(text, parsed)
        if isinstance(uncovered, Mistake):
            return mistake_reason(text, parsed, uncovered)
        program = _environment().compile(uncovered)
    except RuntimeError as broken:
        return compiler_reason(text, str(broken), parsed)
    syntax = read_checked(program.serialize())
    costly = refuse_growth(syntax)
    if costly is not None:
        return f"1:1: {costly}"
    return refuse_use(text, syntax, parsed) or (program, syntax)


def _read(syntax: Syntax) -> tuple[frozenset[str], frozenset[str], frozenset[str], bool]:
    """The variables, the headers of the request and of its answer, whether the body is needed."""
    names = frozenset(syntax.variables.values())
    used = [variable for variable in (*VARIABLES, *HIDDEN) if variable.name in names]
    return (
        frozenset(variable.name for variable in used),
        _headers(syntax, "request.headers", "request.secrets")
        | {each.header for each in used if each.header},
        _headers(syntax, "response.headers", "response.secrets"),
        any(variable.needs_body for variable in used),
    )


def _headers(syntax: Syntax, *variables: str) -> frozenset[str]:
    keys = (key for variable in variables for _, key in keys_read(syntax, variable))
    return frozenset(EVERY_HEADER if key is None else key for key in keys)


def _error(reason: str, names: frozenset[str]) -> CelError:
    """A reason may show what it is about."""
    return CelError(runtime_reason(reason) if names.isdisjoint(SECRETS) else _ABOUT_A_SECRET)


@cache
def _environment() -> cel.Env:
    return cel.NewEnv(
        variables={variable.name: cel.Type(variable.type) for variable in (*VARIABLES, *HIDDEN)},
        extensions=[
            ext_strings.ExtStrings(),
            ext_math.ExtMath(),
            ext_optional.ExtOptional(),
            ext_bindings.ExtBindings(),
            ext_encoders.ExtEncoders(),
        ],
        functions=_functions(),
    )


def _functions() -> list[cel.FunctionDecl]:
    overloads: dict[str, list[cel.Overload]] = {}
    for number, each in enumerate(FUNCTIONS):
        if each.call is not None:
            takes = [cel.Type(kind) for kind in each.takes]
            overloads.setdefault(each.name, []).append(
                cel.Overload(
                    f"dragoman_{number}",
                    cel.Type(each.gives),
                    takes,
                    each.is_member,
                    checked(each.call),
                )
            )
    return [cel.FunctionDecl(name, found) for name, found in overloads.items()]


def _plain(outcome: cel.Value, depth: int, names: frozenset[str]) -> object:
    """What the library's value is in Python. Raises `_NotPlain`."""
    kind = outcome.type()
    try:
        value = outcome.value()
    except TypeError:  # an optional, a type
        raise _NotPlain("not a value that JSON has") from None
    if kind in (cel.Type.ERROR, cel.Type.UNKNOWN):
        raise _NotPlain(_error(str(value), names).reason)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, dict | list) and depth:
        if isinstance(value, list):
            return [_plain(each, depth - 1, names) for each in value]
        if all(isinstance(key, str) for key in value):
            return {key: _plain(value[key], depth - 1, names) for key in sorted(value)}
    raise _NotPlain("not a value that JSON has")


def _is_usable(value: object, depth: int) -> bool:
    """False where the library misreads: it ends strings at NUL, so that "a\\0b" would equal "a"."""
    if isinstance(value, str):
        return "\0" not in value
    if isinstance(value, dict):
        return depth > 0 and all(
            _is_usable(part, depth - 1) for item in value.items() for part in item
        )
    if isinstance(value, list):
        return depth > 0 and all(_is_usable(item, depth - 1) for item in value)
    return True
