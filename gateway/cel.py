"""CEL expressions: compiled when the configuration is read, evaluated once per request.

Variables are declared and flat (`gateway.cel_variables`), so an unknown name is a mistake at load,
and an expression says which variables and headers it needs. https://cel.dev
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from cel_expr_python import cel
from cel_expr_python.ext import ext_bindings, ext_math, ext_optional, ext_strings

from gateway.cel_mistakes import (
    compiler_reason,
    refuse_text,
    refuse_type,
    refuse_use,
    runtime_reason,
)
from gateway.cel_syntax import Syntax, keys_read, read_checked, read_parsed
from gateway.cel_variables import VARIABLES, Variable

__all__ = [
    "EVERY_HEADER",
    "VARIABLES",
    "Bindings",
    "CelError",
    "Expression",
    "Variable",
    "bind",
    "compile_expression",
]

EVERY_HEADER = "*"
"""Stands in `Expression.headers` when which headers are read is known only at the request."""

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
    needs_body: bool
    _program: cel.Expression = field(repr=False, compare=False)

    def evaluate(self, values: Mapping[str, object]) -> bool | CelError:
        """The answer for these values, by variable name; a variable left out is absent."""
        return self.evaluate_bound(bind(values))

    def evaluate_bound(self, bindings: Bindings) -> bool | CelError:
        """The same, where several expressions see the same values."""
        try:
            outcome = self._program.eval(bindings.activation).value()
        except RuntimeError as refused:  # too many iterations, or a string that is not Unicode
            return CelError(runtime_reason(str(refused)))
        if outcome is True or outcome is False:
            return outcome
        return CelError(runtime_reason(str(outcome)))


def bind(values: Mapping[str, object]) -> Bindings:
    """Makes values ready: str, bool, int, float, list, dict, aware datetime.

    What the library would misread is left out, and so absent.
    """
    usable = {name: value for name, value in values.items() if _is_usable(value, _LIMIT_DEPTH)}
    return Bindings(_environment().Activation(usable))


def compile_expression(text: str) -> Expression | str:
    """The expression, or what is wrong with it: `1:4: unknown variable 'llm.modle' (…)`."""
    refused = refuse_text(text)
    if refused is not None:
        return refused
    parsed: Syntax | None = None
    try:
        parsed = read_parsed(_environment().compile(text, disable_check=True).serialize())
        program = _environment().compile(text)
    except RuntimeError as broken:
        return compiler_reason(text, str(broken), parsed)
    syntax = read_checked(program.serialize())
    mistake = refuse_use(text, syntax, parsed) or refuse_type(program.return_type())
    return mistake or _expression(text, program, syntax)


def _expression(text: str, program: cel.Expression, syntax: Syntax) -> Expression:
    names = frozenset(syntax.variables.values())
    used = [variable for variable in VARIABLES if variable.name in names]
    keys = {EVERY_HEADER if key is None else key for _, key in keys_read(syntax, "request.headers")}
    return Expression(
        text=text,
        names=frozenset(variable.name for variable in used),
        headers=frozenset(keys | {variable.header for variable in used if variable.header}),
        needs_body=any(variable.needs_body for variable in used),
        _program=program,
    )


@cache
def _environment() -> cel.Env:
    return cel.NewEnv(
        variables={variable.name: cel.Type(variable.type) for variable in VARIABLES},
        extensions=[
            ext_strings.ExtStrings(),
            ext_math.ExtMath(),
            ext_optional.ExtOptional(),
            ext_bindings.ExtBindings(),
        ],
    )


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
